//! The plan of a run's memory held against what a training step really takes, and the plan's
//! coefficients per token against measured slopes.

use std::sync::OnceLock;

use stepladder_engine::training::check::{Cell, Compared, RandomModel};
use stepladder_engine::training::estimate::BatchShape;
use stepladder_protocol::{
    Downsample, Inject, Method, Optimizer, Quantize, RunConfig, Switch, TapDtype,
};

use super::alone;

const MODEL: RandomModel = RandomModel {
    layers: 4,
    d_model: 128,
    heads: 4,
    kv_heads: 2,
    d_ff: 352,
    vocabulary: 2048,
    tied_head: false,
};

fn cell(model: RandomModel, config: &RunConfig, (batch, seq): (usize, usize)) -> Cell {
    Cell {
        model,
        config: RunConfig {
            batch_size: batch,
            effective_batch_size: batch,
            ..config.clone()
        },
        shape: BatchShape { batch, seq },
    }
}

/// On one thread: of several, each holds scores while it works, and whether they do at the same time is
/// chance. The pool is never dropped, for a thread that ends gives its buffers back at any time.
fn compare(cell: &Cell) -> Compared {
    static POOL: OnceLock<rayon::ThreadPool> = OnceLock::new();
    let build = || rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let pool = POOL.get_or_init(|| build().unwrap());
    pool.install(|| cell.compare(1).unwrap())
}

fn config(method: Method) -> RunConfig {
    RunConfig {
        method,
        ..RunConfig::default()
    }
}

/// Every switch that changes what a step takes.
fn configs() -> Vec<RunConfig> {
    let (on, off) = (Switch::On, Switch::Off);
    let mut all = Vec::new();
    for method in [Method::Ladder, Method::Xladder, Method::Lora, Method::Qlora] {
        for recompute in [on, off] {
            all.push(RunConfig {
                recompute: Some(recompute),
                ..config(method)
            });
        }
    }
    let ladder = |change: fn(&mut RunConfig)| {
        let mut config = config(Method::Ladder);
        change(&mut config);
        config
    };
    all.extend([
        ladder(|c| c.recompute_taps = Switch::On),
        ladder(|c| {
            c.recompute_taps = Switch::On;
            c.recompute = Some(Switch::On);
            c.tap_dtype = TapDtype::Bf16;
        }),
        ladder(|c| c.tap_dtype = TapDtype::F16),
        ladder(|c| c.inject = Inject::Gate),
        ladder(|c| {
            c.inject = Inject::Gate;
            c.recompute = Some(Switch::On);
        }),
        ladder(|c| c.downsample = Downsample::Adapter),
        ladder(|c| c.downsample = Downsample::Shared),
        ladder(|c| c.quantize = Quantize::Nf4),
        ladder(|c| c.quantize_head = Switch::On),
        ladder(|c| c.optimizer = Optimizer::AdamW8bit),
        ladder(|c| c.d_side = Some(128)),
        RunConfig {
            tap_dtype: TapDtype::Bf16,
            ..config(Method::Lora)
        },
        RunConfig {
            lora_dropout: 0.1,
            ..config(Method::Qlora)
        },
        RunConfig {
            target_modules: Some(vec!["q_proj".to_owned()]),
            rank: 64,
            ..config(Method::Lora)
        },
    ]);
    all
}

/// Runs whose peak is an answer to a held-out prompt: a side network that keeps nothing of a short row,
/// before a prompt as long as that row and room for an answer.
fn answering() -> Vec<(RandomModel, RunConfig, (usize, usize))> {
    let deep = RandomModel {
        layers: 16,
        d_model: 256,
        heads: 8,
        kv_heads: 8,
        d_ff: 704,
        vocabulary: 1024,
        tied_head: false,
    };
    let config = |method, change: fn(&mut RunConfig)| {
        let mut config = RunConfig {
            sample_answers: 2,
            recompute: Some(Switch::On),
            ..config(method)
        };
        change(&mut config);
        config
    };
    let mut all = Vec::new();
    for seq in [64, 200, 400] {
        for config in [
            config(Method::Ladder, |c| c.recompute_taps = Switch::On),
            config(Method::Xladder, |c| c.recompute_taps = Switch::On),
            config(Method::Ladder, |c| {
                c.recompute_taps = Switch::On;
                c.tap_dtype = TapDtype::Bf16;
            }),
            config(Method::Ladder, |c| {
                c.recompute_taps = Switch::On;
                c.quantize = Quantize::Nf4;
            }),
            config(Method::Lora, |_| ()),
            config(Method::Qlora, |_| ()),
        ] {
            all.push((deep, config, (1, seq)));
        }
    }
    // One whose rows are longer than any prompt that is answered.
    all.push((deep, config(Method::Ladder, |_| ()), (1, 700)));
    all
}

#[test]
fn an_answer_takes_what_the_plan_says() {
    let _alone = alone();
    let (mut wrong, mut peaks) = (Vec::new(), 0);
    for (model, config, shape) in answering() {
        let Compared { plan, measured, .. } = compare(&cell(model, &config, shape));
        let error = plan.total_bytes as f64 / measured.peak as f64 - 1.0;
        let what = format!("{:?} {:?}, {shape:?}", config.method, config.quantize);
        println!(
            "{:.2} planned, {:.2} MiB measured, {:+.2} %: {what}, at {}",
            mib(plan.total_bytes),
            mib(measured.peak),
            100.0 * error,
            plan.peak_moment
        );
        peaks += usize::from(plan.peak_moment == "held-out answer");
        let tokens = (shape.0 * shape.1) as f64;
        let packed = tokens * packed_per_token(model) / measured.peak as f64;
        if error.abs() > 0.01 + packed {
            wrong.push(what);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // What this is about: without a plan of answers these would take more than was planned.
    assert!(peaks >= 12, "{peaks}");
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[test]
fn a_step_takes_what_the_plan_says() {
    let _alone = alone();
    let (mut worst, mut wrong) = (0f64, Vec::new());
    for config in configs() {
        for shape in [(3, 200), (2, 700), (1, 2048)] {
            let Compared { plan, measured, .. } = compare(&cell(MODEL, &config, shape));
            let (planned, peak) = (mib(plan.total_bytes), mib(measured.peak));
            let error = planned / peak - 1.0;
            let what = format!(
                "{:?} recompute {:?}, taps again {:?} in {:?}, {:?} {:?} {:?}, {shape:?}",
                config.method,
                config.recompute,
                config.recompute_taps,
                config.tap_dtype,
                config.inject,
                config.downsample,
                config.quantize,
            );
            println!(
                "{planned:.2} planned, {peak:.2} MiB measured, {:+.2} %: {what}, at {}",
                100.0 * error,
                plan.peak_moment
            );
            worst = worst.max(error.abs());
            let tokens = (shape.0 * shape.1) as f64;
            let packed = tokens * packed_per_token(MODEL) / measured.peak as f64;
            if error.abs() > 0.01 + packed {
                wrong.push(what);
            }
        }
    }
    println!("at most {:.2} %", 100.0 * worst);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Products pack what they need of a head's keys, more or less of it at the peak; a hundredth of what
/// a token takes in models of usual width.
fn packed_per_token(model: RandomModel) -> f64 {
    4.4 * (model.d_model / model.heads) as f64
}

/// Bytes per token between two contexts, planned and measured.
fn slope(model: RandomModel, config: &RunConfig, from: usize, to: usize) -> (f64, f64) {
    let [low, high] = [from, to].map(|seq| compare(&cell(model, config, (1, seq))));
    let per_token = |high: u64, low: u64| (high as f64 - low as f64) / (to - from) as f64;
    (
        per_token(high.plan.total_bytes, low.plan.total_bytes),
        per_token(high.measured.peak, low.measured.peak),
    )
}

#[test]
fn memory_grows_in_a_straight_line_with_the_context() {
    let _alone = alone();
    let model = RandomModel {
        layers: 2,
        d_model: 64,
        heads: 2,
        kv_heads: 2,
        d_ff: 128,
        vocabulary: 512,
        tied_head: true,
    };
    for method in [Method::Ladder, Method::Xladder, Method::Qlora] {
        // On short contexts what a tile takes grows too, and another moment may be the peak.
        for context in [256, 1024] {
            let Compared { plan, measured, .. } =
                compare(&cell(model, &config(method), (1, context)));
            let off = plan.total_bytes.abs_diff(measured.peak) as f64;
            let allowed = 0.01 * measured.peak as f64 + context as f64 * packed_per_token(model);
            assert!(
                off < allowed,
                "{method:?}, {context} tokens: {off}, {allowed}"
            );
        }
        let early = slope(model, &config(method), 8192, 12288);
        let late = slope(model, &config(method), 12288, 16384);
        println!("{method:?}: {early:?}, {late:?} bytes a token, planned and measured");
        for (planned, measured) in [early, late] {
            assert!((planned / measured - 1.0).abs() < 0.02, "{method:?}");
        }
        let ((_, early), (_, late)) = (early, late);
        assert!((late / early - 1.0).abs() < 0.01, "{method:?} bends");
    }
}

/// Each coefficient of the plan: how much a token takes at three values of each size.
#[test]
fn what_a_token_takes_is_what_the_plan_says() {
    let _alone = alone();
    let ladder = config(Method::Ladder);
    let side = |d_side| RunConfig {
        d_side: Some(d_side),
        ..ladder.clone()
    };
    let mut cases = Vec::new();
    for (d_model, d_side, layers, vocabulary) in
        [(64, 32, 2, 512), (128, 64, 4, 2048), (192, 128, 6, 8192)]
    {
        let wide = RandomModel {
            d_model,
            d_ff: 3 * d_model,
            ..MODEL
        };
        let deep = RandomModel { layers, ..MODEL };
        let wordy = RandomModel {
            vocabulary,
            ..MODEL
        };
        for (method, recompute) in [
            (Method::Ladder, Switch::Off),
            (Method::Xladder, Switch::On),
            (Method::Qlora, Switch::Off),
            (Method::Qlora, Switch::On),
        ] {
            let config = RunConfig {
                recompute: Some(recompute),
                ..config(method)
            };
            cases.push((wide, config.clone()));
            cases.push((deep, config.clone()));
            cases.push((wordy, config));
        }
        cases.push((MODEL, side(d_side)));
    }
    let mut wrong = Vec::new();
    for (model, config) in cases {
        let (planned, measured) = slope(model, &config, 1024, 2560);
        let what = format!(
            "{:?} {:?} {model:?} d_side {:?}",
            config.method, config.recompute, config.d_side
        );
        println!("{planned:.0} planned, {measured:.0} bytes a token measured: {what}");
        if (planned - measured).abs() > 0.01 * measured + packed_per_token(model) {
            wrong.push(what);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
