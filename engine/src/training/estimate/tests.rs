//! Reports held against arithmetic from published dimensions, and limits against trying every number.

use stepladder_protocol::{
    MemoryReport, Method, MethodEstimate, Optimizer, Quantize, RunConfig, Switch, TapDtype, Verdict,
};

use super::*;
use crate::models::catalogue;

const ALL: [Method; 4] = [Method::Ladder, Method::Xladder, Method::Qlora, Method::Lora];

fn on_a_card(name: &str, config: &RunConfig, memory_bytes: u64) -> MemoryReport {
    let request = ReportRequest {
        config,
        methods: &ALL,
        device: DeviceClass::cuda(),
        memory_bytes: Some(memory_bytes),
        other_programs_bytes: 0,
        operations_per_second: None,
    };
    report(&EstimatedModel::open(name).unwrap(), request).unwrap()
}

fn of(report: &MemoryReport, method: Method) -> &MethodEstimate {
    let mut methods = report.methods.iter();
    methods.find(|estimate| estimate.method == method).unwrap()
}

/// Of each model: weights in NF4 with 8-bit scales and as published (16 bits), trained numbers of
/// LoRA with rank 16, Ladder and xLadder; all by hand from the dimensions in its published
/// config.json. Qwen2.5-7B, for example, has in each of its 28 blocks q and o of 3584 x 3584, k and v
/// of 512 x 3584, gate, up and down of 18944 x 3584, two norms of 3584 and biases of 3584 + 512 + 512;
/// two tables of 152064 x 3584 and a last norm.
const BY_HAND: [(&str, [u64; 5]); 5] = [
    (
        "qwen2.5-7b",
        [
            5_547_518_480,
            15_231_899_648,
            40_370_176,
            41_819_648,
            34_477_568,
        ],
    ),
    (
        "llama-3.1-8b",
        [
            5_702_828_928,
            16_061_054_976,
            41_943_040,
            44_179_456,
            35_788_800,
        ],
    ),
    (
        "gemma-2-2b-it",
        [
            2_224_877_912,
            5_229_167_616,
            20_766_720,
            11_735_296,
            9_374_976,
        ],
    ),
    (
        "phi-3-mini-4k",
        [
            2_264_248_832,
            7_642_558_464,
            25_165_824,
            39_459_840,
            33_166_336,
        ],
    ),
    (
        "qwen3-0.6b",
        [538_617_616, 1_192_230_912, 10_092_544, 8_784_896, 7_735_296],
    ),
];

#[test]
fn what_is_always_held_is_what_published_dimensions_give() {
    for (name, [nf4, stored, lora, ladder, xladder]) in BY_HAND {
        let config = RunConfig {
            context: Some(64),
            ..RunConfig::default()
        };
        let mut methods = on_a_card(name, &config, 80 << 30).methods;
        // Side networks quantize from a billion parameters on; here they shall in any case.
        let quantized = RunConfig {
            quantize: Quantize::Nf4,
            ..config
        };
        methods.retain(|estimate| estimate.method == Method::Lora);
        methods.extend(
            on_a_card(name, &quantized, 80 << 30)
                .methods
                .into_iter()
                .take(3),
        );
        for estimate in methods {
            let (weights, trained) = match estimate.method {
                Method::Lora => (stored, lora),
                Method::Qlora => (nf4, lora),
                Method::Ladder => (nf4, ladder),
                Method::Xladder => (nf4, xladder),
            };
            let parts = estimate.parts;
            let context = format!("{name} {:?}", estimate.method);
            assert_eq!(parts.weights, weights, "{context}");
            assert_eq!(estimate.trainable_parameters, trained, "{context}");
            assert_eq!(parts.adapter, 4 * trained, "{context}");
            assert_eq!(parts.gradients, 4 * trained, "{context}");
            assert_eq!(parts.optimizer, 8 * trained, "{context}");
        }
    }
}

#[test]
fn parts_and_items_add_up_for_every_model() {
    for entry in catalogue::entries().unwrap() {
        let model = EstimatedModel::new(entry.config.clone(), entry.stored.clone());
        let request = ReportRequest {
            config: &RunConfig::default(),
            methods: &ALL,
            device: DeviceClass::cuda(),
            memory_bytes: None,
            other_programs_bytes: 0,
            operations_per_second: None,
        };
        let report = report(&model, request).unwrap();
        assert_eq!(report.methods.len(), ALL.len());
        for estimate in &report.methods {
            let parts: u64 = estimate.parts.named().iter().map(|(_, bytes)| bytes).sum();
            let items: u64 = estimate.breakdown.values().sum();
            assert_eq!((parts, items), (estimate.total_bytes, estimate.total_bytes));
            assert_eq!((estimate.fits, estimate.verdict), (None, None));
        }
    }
}

/// The largest number up to which the config fits, by trying.
fn by_trying(
    last: usize,
    available: u64,
    total: impl Fn(usize) -> u64,
    first: usize,
) -> Option<usize> {
    (first..=last)
        .take_while(|number| total(*number) <= available)
        .last()
}

#[test]
fn limits_are_what_trying_every_number_gives() {
    let model = EstimatedModel::open("builtin").unwrap();
    for device in [DeviceClass::cuda(), DeviceClass::cpu(3)] {
        for method in ALL {
            let config = RunConfig {
                method,
                batch_size: 3,
                context: Some(256),
                ..RunConfig::default()
            };
            let total = |config: &RunConfig, batch, seq| {
                let shape = BatchShape { batch, seq };
                estimate(config, &model, device, shape).unwrap().total_bytes
            };
            let contexts: Vec<u64> = (0..=1024).map(|seq| total(&config, 3, seq)).collect();
            let contexts = |seq: usize| contexts[seq];
            let batches: Vec<u64> = (0..=64).map(|batch| total(&config, batch, 256)).collect();
            let batches = |batch: usize| batches[batch];
            let widths = |width| match method {
                Method::Ladder | Method::Xladder => {
                    let d_side = Some(64 * width);
                    total(
                        &RunConfig {
                            d_side,
                            ..config.clone()
                        },
                        3,
                        256,
                    )
                }
                _ => total(
                    &RunConfig {
                        rank: width,
                        ..config.clone()
                    },
                    3,
                    256,
                ),
            };
            for available in [contexts(2), contexts(100), contexts(256), contexts(700)] {
                // Just short of it, exactly, and with a little to spare.
                for available in [available - 1, available, available + 100_000] {
                    let request = ReportRequest {
                        config: &config,
                        methods: &[],
                        device,
                        memory_bytes: Some(available),
                        other_programs_bytes: 0,
                        operations_per_second: None,
                    };
                    let report = report(&model, request).unwrap();
                    let found = &report.methods[0];
                    let case = format!("{} {method:?} {available}", device.name);
                    let longest = by_trying(1024, available, contexts, 2);
                    assert_eq!(found.longest_context, longest, "{case}");
                    assert_eq!(found.longest_context_is_the_models, longest == Some(1024));
                    let largest = by_trying(64, available, batches, 1);
                    assert!(largest != Some(64), "{case}");
                    assert_eq!(found.largest_batch, largest, "{case}");
                    let (width, most) = match method {
                        Method::Ladder | Method::Xladder => {
                            (found.largest_d_side.map(|width| width / 64), 3)
                        }
                        _ => (found.largest_rank, 192),
                    };
                    assert_eq!(width, by_trying(most, available, widths, 1), "{case}");
                }
            }
        }
    }
}

/// The config with switches as the command line has them.
fn with_switches(config: &RunConfig, switches: &[String]) -> RunConfig {
    let mut config = config.clone();
    for switch in switches {
        match switch.as_str() {
            "--batch-size 1" => config.batch_size = 1,
            "--recompute on" => config.recompute = Some(Switch::On),
            "--recompute-taps on" => config.recompute_taps = Switch::On,
            "--tap-dtype bf16" => config.tap_dtype = TapDtype::Bf16,
            "--offload-embeddings on" => config.offload_embeddings = Switch::On,
            "--offload-activations on" => config.offload_activations = Switch::On,
            "--optimizer adamw-8bit" => config.optimizer = Optimizer::AdamW8bit,
            "--quantize-head on" => config.quantize_head = Switch::On,
            "--quantize nf4" => config.quantize = Quantize::Nf4,
            other => panic!("{other}"),
        }
    }
    config
}

#[test]
fn switches_do_what_is_promised_and_none_is_needless() {
    let model = EstimatedModel::open("qwen2.5-7b").unwrap();
    let (mut remedies, mut smaller_batches, mut leanest) = (0, 0, 0);
    for tenths in [45, 46, 47, 50, 55, 60, 80] {
        let memory = tenths * (1 << 30) / 10;
        let report = on_a_card("qwen2.5-7b", &RunConfig::default(), memory);
        for estimate in &report.methods {
            let config = RunConfig {
                method: estimate.method,
                ..RunConfig::default()
            };
            let total = |switches: &[String], seq| {
                let config = with_switches(&config, switches);
                let batch = config.batch_size;
                let shape = BatchShape { batch, seq };
                super::estimate(&config, &model, DeviceClass::cuda(), shape).unwrap()
            };
            assert!(estimate.remedy.is_none() || estimate.verdict == Some(Verdict::DoesNotFit));
            if let Some(remedy) = &estimate.remedy {
                remedies += 1;
                smaller_batches += usize::from(remedy.switches[0] == "--batch-size 1");
                let plan = total(&remedy.switches, 2048);
                assert!(plan.total_bytes <= memory);
                assert_eq!(plan.total_bytes, remedy.total_bytes);
                assert_eq!(plan.offloaded_bytes, remedy.offloaded_bytes);
                for left_out in 0..remedy.switches.len() {
                    let mut fewer = remedy.switches.clone();
                    let switch = fewer.remove(left_out);
                    assert!(
                        total(&fewer, 2048).total_bytes > memory,
                        "{switch} is needless"
                    );
                }
            }
            if let Some(lean) = &estimate.leanest {
                leanest += 1;
                let context = lean.longest_context.unwrap();
                assert!(context > estimate.longest_context.unwrap_or(0));
                let plan = total(&lean.switches, context);
                assert!(plan.total_bytes <= memory);
                assert_eq!(plan.offloaded_bytes, lean.longest_context_offloaded_bytes);
                assert_eq!(lean.longest_context_is_the_models, context == 131_072);
                if context < 131_072 {
                    assert!(total(&lean.switches, context + 1).total_bytes > memory);
                }
            }
        }
    }
    assert!(
        remedies > 3 && smaller_batches > 0 && leanest > 8,
        "{remedies}, {smaller_batches}, {leanest}"
    );
}

#[test]
fn a_method_that_the_config_contradicts_is_left_out_and_said_so() {
    let config = RunConfig {
        quantize: Quantize::None,
        ..RunConfig::default()
    };
    let report = on_a_card("qwen3-0.6b", &config, 8 << 30);
    let methods: Vec<Method> = report
        .methods
        .iter()
        .map(|estimate| estimate.method)
        .collect();
    assert_eq!(methods, [Method::Ladder, Method::Xladder, Method::Lora]);
    let said = report.advice.last().unwrap();
    assert!(
        said.starts_with("QLoRA is left out: --quantize is none"),
        "{said}"
    );
    assert_eq!(of(&report, Method::Lora).weights_kept_as, "BF16");
}

#[test]
fn what_no_method_can_be_is_an_error() {
    let model = EstimatedModel::open("qwen2.5-7b").unwrap();
    let field = |config: RunConfig| {
        let request = ReportRequest {
            config: &config,
            methods: &ALL,
            device: DeviceClass::cuda(),
            memory_bytes: None,
            other_programs_bytes: 0,
            operations_per_second: None,
        };
        match report(&model, request) {
            Err(crate::Error::ConfigInvalid { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    };
    let default = RunConfig::default;
    assert_eq!(
        field(RunConfig {
            context: Some(131_073),
            ..default()
        }),
        "context"
    );
    assert_eq!(
        field(RunConfig {
            batch_size: 0,
            ..default()
        }),
        "batch_size"
    );
    assert_eq!(
        field(RunConfig {
            batch_size: usize::MAX,
            ..default()
        }),
        "batch_size"
    );
    let effective_batch_size = usize::MAX;
    assert_eq!(
        field(RunConfig {
            effective_batch_size,
            ..default()
        }),
        "batch_size"
    );
}
