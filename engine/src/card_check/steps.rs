//! Whole training steps: a random model with an adapter beside it is trained for a few updates on the
//! card and on the CPU, from the same numbers. Loss, every gradient of the first step, every parameter
//! after the last and the logits of a generation are compared, and on the card the same must come out
//! twice, to the bit.

mod families;

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use stepladder_protocol::{
    Downsample, Inject, Method, Optimizer, Quantize, RunConfig, Switch, TapDtype,
};

use self::families::Family;
use super::{Case, Compared, Place, Random, model, numbers};
use crate::Result;
use crate::adapters::network::Network;
use crate::adapters::parameters::Parameters;
use crate::datasets::batch::TokenBatch;
use crate::datasets::conversation::SourceLine;
use crate::datasets::example::Example;
use crate::generation::generator::{AdapterInUse, Generator};
use crate::models::compute::Compute;
use crate::models::decoder::Decoder;
use crate::ops::linear_cross_entropy::Gradient;
use crate::training::optimizer::AdamW;
use crate::training::plan::{ModelPlan, RunPlan};
use crate::training::targeted_input;

/// Updates that are made.
const UPDATES: usize = 3;
const LEARNING_RATE: f64 = 1e-3;
/// How far a fresh adapter's numbers are moved, so that no gradient is zero because another tensor is.
const MOVED: f32 = 0.05;
/// Gradients are scaled by this where the type of activations needs it.
const LOSS_SCALE: f64 = 1024.0;
/// A tensor's gradient is compared on the scale of its largest number, but not on a smaller one than
/// this part of the largest of all: what is next to nothing is made of what rounding leaves.
const SMALLEST_SCALE: f64 = 0.01;

type Change = fn(&mut RunConfig);

/// Every case, the small ones first.
pub(super) fn cases() -> Vec<Case> {
    CASES.to_vec()
}

/// A case of this name: a method beside a model, and what else is switched.
macro_rules! steps {
    ($name:literal, $family:ident, $method:ident, $change:expr) => {
        Case {
            name: concat!("steps: ", $name),
            run: |place| compare(place, families::$family, Method::$method, $change),
        }
    };
    (large $name:literal, $family:ident, $method:ident, $change:expr) => {
        Case {
            name: concat!("large steps: ", $name),
            run: |place| {
                compare(
                    place,
                    families::$family.enlarged(),
                    Method::$method,
                    $change,
                )
            },
        }
    };
}

fn plain(_: &mut RunConfig) {}

const CASES: &[Case] = &[
    steps!("Ladder", LLAMA, Ladder, plain),
    steps!("Ladder, recomputed, NF4", LLAMA, Ladder, |run| {
        run.recompute = Some(Switch::On);
        run.quantize = Quantize::Nf4;
    }),
    steps!(
        "Ladder, taps made again, gate, shared downsample",
        QWEN2,
        Ladder,
        |run| {
            run.recompute_taps = Switch::On;
            run.inject = Inject::Gate;
            run.downsample = Downsample::Shared;
        }
    ),
    steps!(
        "xLadder, adapter downsample, gate, head in NF4",
        LLAMA,
        Xladder,
        |run| {
            run.downsample = Downsample::Adapter;
            run.inject = Inject::Gate;
            run.quantize_head = Switch::On;
        }
    ),
    steps!(
        "xLadder, Gemma 2, recomputed, bf16 taps",
        GEMMA2,
        Xladder,
        |run| {
            run.recompute = Some(Switch::On);
            run.tap_dtype = TapDtype::Bf16;
        }
    ),
    steps!("Ladder, taps in RAM, 8-bit AdamW", LLAMA, Ladder, |run| {
        run.offload_activations = Switch::On;
        run.optimizer = Optimizer::AdamW8bit;
    }),
    steps!("LoRA", LLAMA, Lora, |run| run.recompute = Some(Switch::Off)),
    steps!("QLoRA, recomputed, Qwen2", QWEN2, Qlora, |run| {
        run.recompute = Some(Switch::On);
    }),
    steps!("QLoRA, kept, dropout, plain scales", LLAMA, Qlora, |run| {
        run.recompute = Some(Switch::Off);
        run.lora_dropout = 0.2;
        run.double_quantization = Switch::Off;
    }),
    steps!(
        "QLoRA, recomputed, dropout, head in NF4, 8-bit AdamW",
        LLAMA,
        Qlora,
        |run| {
            run.recompute = Some(Switch::On);
            run.lora_dropout = 0.2;
            run.quantize_head = Switch::On;
            run.optimizer = Optimizer::AdamW8bit;
        }
    ),
    steps!("LoRA, kept, Gemma 2", GEMMA2, Lora, |run| run.recompute =
        Some(Switch::Off)),
    steps!("QLoRA, recomputed, Gemma 2", GEMMA2, Qlora, |run| run
        .recompute =
        Some(Switch::On)),
    steps!("LoRA, recomputed, Gemma 3", GEMMA3, Lora, |run| run
        .recompute =
        Some(Switch::On)),
    steps!("LoRA, kept, Qwen3", QWEN3, Lora, |run| run.recompute =
        Some(Switch::Off)),
    steps!("QLoRA, recomputed, Qwen3", QWEN3, Qlora, |run| run
        .recompute =
        Some(Switch::On)),
    steps!("QLoRA, recomputed, Phi-3", PHI3, Qlora, |run| run
        .recompute =
        Some(Switch::On)),
    steps!("LoRA, kept, Phi-3", PHI3, Lora, |run| run.recompute =
        Some(Switch::Off)),
    steps!(large "Ladder", LLAMA, Ladder, |run| run.quantize = Quantize::Nf4),
    steps!(large "xLadder, recomputed", QWEN2, Xladder, |run| run.recompute = Some(Switch::On)),
    steps!(large "QLoRA, kept", LLAMA, Qlora, |run| run.recompute = Some(Switch::Off)),
    steps!(large "QLoRA, recomputed", QWEN2, Qlora, |run| run.recompute = Some(Switch::On)),
    steps!(large "QLoRA, recomputed, Gemma 2", GEMMA2, Qlora, |run| run.recompute = Some(Switch::On)),
];

/// What training came to.
struct Trained {
    /// Of each step.
    losses: Vec<f32>,
    /// Of the first step.
    gradients: BTreeMap<String, Vec<f32>>,
    /// Before the first step.
    began: BTreeMap<String, Vec<f32>>,
    /// After the last.
    parameters: BTreeMap<String, Vec<f32>>,
    /// Of a prompt, and of some tokens after it.
    logits: Vec<Vec<f32>>,
}

/// How far the card may be from the CPU.
#[derive(Clone, Copy)]
struct Tolerances {
    loss: f64,
    /// Of the largest number of the tensor.
    gradient: f64,
    /// Root of the mean square, of the same of what the updates changed.
    parameters: f64,
    logits: f64,
}

impl Tolerances {
    /// f32 differs by the order of sums alone. In 16 bits every activation is rounded, and so is every
    /// gradient of one, about thirty times on the way through three blocks and back. AdamW's first
    /// updates are as large for a small gradient as for a large one, so a small one's error shows. Taps in
    /// 16 bits round one way here and the other there where the order of sums decides.
    fn of(dtype: DType, taps: TapDtype) -> Self {
        let dtype = match (dtype, taps) {
            (DType::F32, TapDtype::Bf16 | TapDtype::F16) => DType::F16,
            (dtype, _) => dtype,
        };
        let (loss, gradient, parameters, logits) = match dtype {
            DType::BF16 => (1e-2, 6e-2, 0.3, 5e-2),
            DType::F16 => (2e-3, 1e-2, 0.15, 8e-3),
            _ => (1e-5, 1e-4, 1e-2, 1e-4),
        };
        Self {
            loss,
            gradient,
            parameters,
            logits,
        }
    }
}

fn compare(
    place: &Place,
    family: Family,
    method: Method,
    change: Change,
) -> candle_core::Result<Vec<Compared>> {
    let mut config = RunConfig {
        method,
        context: Some(family.longest_row()),
        d_side: Some(family.d_side()),
        rank: 4,
        alpha: 8.0,
        batch_size: 1,
        effective_batch_size: 1,
        ..RunConfig::default()
    };
    change(&mut config);
    // Where a card has no bf16, such taps are refused.
    if config.tap_dtype == TapDtype::Bf16 && !has_bf16(place)? {
        config.tap_dtype = TapDtype::F16;
    }
    compared(place, family, &config).map_err(candle_core::Error::wrap)
}

fn has_bf16(place: &Place) -> candle_core::Result<bool> {
    match &place.device {
        #[cfg(feature = "cuda")]
        Device::Cuda(card) => Ok(crate::ops::cuda::capability(card)?.0 >= 8),
        _ => Ok(true),
    }
}

fn compared(place: &Place, family: Family, config: &RunConfig) -> Result<Vec<Compared>> {
    let compute = Compute::on(place.device.clone())?.in_type(place.dtype);
    let card = train(&compute, family, config)?;
    let cpu = train(&Compute::cpu(), family, config)?;
    let allowed = Tolerances::of(place.dtype, config.tap_dtype);
    let mut results = vec![Compared::numbers(
        "loss",
        (&card.losses, &cpu.losses),
        0.0,
        allowed.loss,
    )];
    let largest = { cpu.gradients.values().flatten() }.fold(0f32, |most, g| most.max(g.abs()));
    let smallest_scale = SMALLEST_SCALE * f64::from(largest);
    for (name, gradient) in &cpu.gradients {
        let what = format!("gradient of {name}");
        let pair = (card.gradients[name].as_slice(), gradient.as_slice());
        results.push(Compared::numbers(
            &what,
            pair,
            smallest_scale,
            allowed.gradient,
        ));
    }
    for (name, parameter) in &cpu.parameters {
        let (card, began) = (&card.parameters[name], &cpu.began[name]);
        results.push(changed(name, (card, parameter), began, allowed.parameters));
    }
    for (number, logits) in cpu.logits.iter().enumerate() {
        let what = format!("logits {number}");
        let pair = (card.logits[number].as_slice(), logits.as_slice());
        results.push(Compared::numbers(&what, pair, 1.0, allowed.logits));
    }
    let again = train(&compute, family, config)?;
    results.push(same_again("losses", &[card.losses], &[again.losses]));
    let all = |of: BTreeMap<String, Vec<f32>>| of.into_values().collect::<Vec<_>>();
    results.push(same_again(
        "gradients",
        &all(card.gradients),
        &all(again.gradients),
    ));
    results.push(same_again(
        "parameters",
        &all(card.parameters),
        &all(again.parameters),
    ));
    results.push(same_again("logits", &card.logits, &again.logits));
    Ok(results)
}

/// The difference of a trained tensor beside what training changed in it.
fn changed(name: &str, (card, cpu): (&[f32], &[f32]), began: &[f32], tolerance: f64) -> Compared {
    let square = |(a, b): (&f32, &f32)| f64::from(a - b).powi(2);
    let sum = |a: &[f32], b: &[f32]| a.iter().zip(b).map(square).sum::<f64>();
    let (difference, change) = (sum(card, cpu), sum(cpu, began));
    let error = match difference {
        0.0 => 0.0,
        _ => (difference / change).sqrt(),
    };
    let holds = error <= tolerance;
    Compared {
        what: format!("{name} after {UPDATES} updates"),
        // A number that is none is no small error.
        error: if error.is_nan() { f64::INFINITY } else { error },
        tolerance,
        pairs: match holds {
            true => Vec::new(),
            false => { card.iter().copied().zip(cpu.iter().copied()) }
                .filter(|(a, b)| a != b)
                .take(super::PAIRS)
                .collect(),
        },
    }
}

/// Whether two runs on the card came to the same bytes.
fn same_again(what: &str, first: &[Vec<f32>], second: &[Vec<f32>]) -> Compared {
    let differ = |(a, b): &(f32, f32)| a.to_bits() != b.to_bits();
    let pairs = || { first.iter().flatten().copied() }.zip(second.iter().flatten().copied());
    Compared {
        what: format!("{what} that differ when it is done again (first time, second time)"),
        error: pairs().filter(differ).count() as f64,
        tolerance: 0.0,
        pairs: pairs().filter(differ).take(super::PAIRS).collect(),
    }
}

fn train(compute: &Compute, family: Family, config: &RunConfig) -> Result<Trained> {
    let model = family.config()?;
    let plan = ModelPlan::resolve(config, &model)?;
    let run = RunPlan::resolve(config, &plan, &[family.longest_row()])?;
    let checkpoint = model::checkpoint(&model, 1)?;
    let told = &mut |_| std::ops::ControlFlow::Continue(());
    let quantization = plan.quantization;
    let backbone = Decoder::load_telling(model, &checkpoint, quantization, compute, told)?;

    let fresh = Network::initialize(plan.shape.clone(), 7)?;
    let moved = moved(fresh.parameters())?;
    let began = told_numbers(&moved)?;
    let network = Network::from_parameters(plan.shape, moved).map_err(candle_core::Error::msg)?;
    let network = network.computing_on(compute)?;
    let mut optimizer = AdamW::new(run.optimizer, network.parameters())?;
    let gradients = network.parameters().zeros_like()?;
    let scale = match compute.needs_loss_scale() {
        true => LOSS_SCALE,
        false => 1.0,
    };
    let (mut losses, mut first_gradients) = (Vec::new(), None);
    for update in 0..UPDATES {
        let batch = batch(family, update as u64);
        let targets = batch.target_ids.len() as f64;
        gradients.scale(0.0)?;
        let settings = (plan.training, update as u64);
        let gradient = Gradient::Scaled(scale / targets);
        let input = targeted_input(&batch);
        let sum = network.loss(&backbone, input, settings, gradient, &gradients)?;
        losses.push((sum / targets) as f32);
        gradients.scale(scale.recip())?;
        if first_gradients.is_none() {
            first_gradients = Some(told_numbers(&gradients)?);
        }
        optimizer.update(network.parameters(), &gradients, LEARNING_RATE)?;
    }
    let prompt = batch(family, 100).ids;
    let mut generator = Generator::new(
        &backbone,
        Some(AdapterInUse::new(&network, config.tap_dtype)),
    );
    let mut logits = Vec::new();
    for part in [
        &prompt[..9],
        &prompt[9..10],
        &prompt[10..11],
        &prompt[11..15],
    ] {
        logits.push(numbers(&generator.push(part)?)?);
    }
    Ok(Trained {
        losses,
        gradients: first_gradients.unwrap_or_default(),
        began,
        parameters: told_numbers(network.parameters())?,
        logits,
    })
}

/// Copies of these, each number moved by a little.
fn moved(parameters: &Parameters) -> Result<Parameters> {
    let mut random = Random::new(8);
    let mut move_one = |(name, tensor): (&str, &Tensor)| {
        let moved = (tensor + random.tensor(tensor.shape(), MOVED)?)?;
        Ok((name.to_owned(), moved))
    };
    let moved = parameters.iter().map(&mut move_one);
    Ok(Parameters::new(moved.collect::<Result<_>>()?))
}

fn told_numbers(parameters: &Parameters) -> Result<BTreeMap<String, Vec<f32>>> {
    let of = |(name, tensor): (&str, &Tensor)| {
        // `to_device` of what is in RAM already is no copy, but the numbers are.
        let tensor = tensor.to_device(&Device::Cpu)?;
        Ok((name.to_owned(), numbers(&tensor)?))
    };
    parameters.iter().map(of).collect()
}

/// Rows of different lengths, one of several examples, of whose tokens not all are trained.
fn batch(family: Family, seed: u64) -> TokenBatch {
    let mut random = Random::new(1000 + seed);
    let vocabulary = family.vocabulary() as u32;
    let mut example = |tokens: usize| Example {
        ids: (0..tokens).map(|_| random.below(vocabulary)).collect(),
        targets: (0..tokens).map(|at| at > 0 && at % 5 != 1).collect(),
        source: SourceLine { source: 0, line: 1 },
        hash: 0,
    };
    let rows: Vec<Vec<Example>> = { family.rows().iter() }
        .map(|lengths| lengths.iter().map(|&tokens| example(tokens)).collect())
        .collect();
    let rows: Vec<Vec<&Example>> = rows.iter().map(|row| row.iter().collect()).collect();
    TokenBatch::of_rows(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On the CPU both sides are the same, so what differs is the comparison's own fault.
    #[test]
    fn the_cpu_agrees_with_itself_and_every_gradient_is_something() {
        let place = Place {
            device: Device::Cpu,
            dtype: DType::F32,
        };
        for case in CASES
            .iter()
            .filter(|case| !case.name.starts_with(super::super::LARGE))
        {
            for result in (case.run)(&place).unwrap() {
                assert!(
                    result.holds() && result.error == 0.0,
                    "{}: {result}",
                    case.name
                );
            }
        }
        for method in [Method::Ladder, Method::Xladder, Method::Lora] {
            let config = RunConfig {
                method,
                context: Some(families::LLAMA.longest_row()),
                d_side: Some(families::LLAMA.d_side()),
                inject: Inject::Gate,
                ..RunConfig::default()
            };
            let config = RunConfig {
                batch_size: 1,
                effective_batch_size: 1,
                ..config
            };
            let trained = train(&Compute::cpu(), families::LLAMA, &config).unwrap();
            for (name, gradient) in &trained.gradients {
                let largest = gradient.iter().fold(0f32, |most, g| most.max(g.abs()));
                assert!(largest > 1e-6, "{method:?}: {name}: {largest:e}");
            }
            assert_eq!(trained.logits.len(), 4);
        }
    }

    #[test]
    fn a_wrong_number_is_named() {
        let mut cpu = vec![1.0; 100];
        cpu[7] = 2.0;
        let mut card = cpu.clone();
        card[50] = 1.5;
        let result = Compared::numbers("x", (&card, &cpu), 0.0, 1e-3);
        assert_eq!((result.error, result.holds()), (0.25, false));
        assert_eq!(result.pairs, [(1.5, 1.0)]);
        assert_eq!(
            result.to_string(),
            "x: 2.50e-1 of 1.00e-3; card, CPU: (1.5e0, 1e0)"
        );
        card[50] = f32::NAN;
        assert!(!Compared::numbers("x", (&card, &cpu), 0.0, 1e9).holds());
        assert!(!changed("x", (&card, &cpu), &[0.0; 100], 1e9).holds());
        assert!(!same_again("x", &[card], &[cpu]).holds());
    }
}
