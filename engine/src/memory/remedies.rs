//! Switches of a run that save memory, and which of them a run needs.

use stepladder_protocol::{Method, Optimizer, Quantize, RunConfig, Switch, TapDtype};

/// A switch that saves memory and costs something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Costs time, and changes nothing else: gradients of a step are added up over micro-batches.
    OneRow,
    /// Costs nothing but what answers to held-out prompts would show.
    NoAnswers,
    /// Costs time.
    Recompute,
    /// Costs a second forward pass.
    RecomputeTaps,
    /// Rounds what is kept.
    NarrowTaps,
    /// Rounds the optimizer's moments.
    NarrowMoments,
    /// Costs RAM.
    OffloadEmbeddings,
    /// Costs RAM, and time.
    OffloadActivations,
    /// Rounds the head.
    QuantizeHead,
    /// Rounds the model.
    QuantizeModel,
}

impl Remedy {
    /// Those of a method that leave the micro-batch as it is, the least harmful first.
    pub fn of(method: Method) -> &'static [Self] {
        match method {
            Method::Ladder | Method::Xladder => &[
                Self::NoAnswers,
                Self::Recompute,
                Self::RecomputeTaps,
                Self::NarrowTaps,
                Self::NarrowMoments,
                Self::OffloadEmbeddings,
                Self::OffloadActivations,
                Self::QuantizeHead,
                Self::QuantizeModel,
            ],
            // LoRA in four bits is QLoRA.
            Method::Qlora | Method::Lora => &[
                Self::NoAnswers,
                Self::Recompute,
                Self::NarrowTaps,
                Self::NarrowMoments,
                Self::OffloadEmbeddings,
                Self::OffloadActivations,
                Self::QuantizeHead,
            ],
        }
    }

    /// As the command line has it.
    pub fn flag(self) -> &'static str {
        match self {
            Self::OneRow => "--batch-size 1",
            Self::NoAnswers => "--sample-answers 0",
            Self::Recompute => "--recompute on",
            Self::RecomputeTaps => "--recompute-taps on",
            Self::NarrowTaps => "--tap-dtype bf16",
            Self::NarrowMoments => "--optimizer adamw-8bit",
            Self::OffloadEmbeddings => "--offload-embeddings on",
            Self::OffloadActivations => "--offload-activations on",
            Self::QuantizeHead => "--quantize-head on",
            Self::QuantizeModel => "--quantize nf4",
        }
    }

    /// Turns it on.
    pub fn apply(self, config: &mut RunConfig) {
        match self {
            Self::OneRow => config.batch_size = 1,
            Self::NoAnswers => config.sample_answers = 0,
            Self::Recompute => config.recompute = Some(Switch::On),
            Self::RecomputeTaps => config.recompute_taps = Switch::On,
            Self::NarrowTaps if config.tap_dtype == TapDtype::F32 => {
                config.tap_dtype = TapDtype::Bf16;
            }
            Self::NarrowTaps => {}
            Self::NarrowMoments => config.optimizer = Optimizer::AdamW8bit,
            Self::OffloadEmbeddings => config.offload_embeddings = Switch::On,
            Self::OffloadActivations => config.offload_activations = Switch::On,
            Self::QuantizeHead => config.quantize_head = Switch::On,
            Self::QuantizeModel => config.quantize = Quantize::Nf4,
        }
    }

    /// The config with these turned on.
    pub fn applied(remedies: &[Self], config: &RunConfig) -> RunConfig {
        let mut config = config.clone();
        for remedy in remedies {
            remedy.apply(&mut config);
        }
        config
    }
}

/// The switches, of those in `order`, that bring `bytes` to `available`: taken in this order as far
/// as needed, without those that turn out not to matter. `None` if all of them do not.
pub fn fewest(
    order: &[Remedy],
    available_bytes: u64,
    bytes: impl Fn(&[Remedy]) -> u64,
) -> Option<Vec<Remedy>> {
    let mut taken: Vec<Remedy> = Vec::new();
    let mut now = bytes(&taken);
    for remedy in order {
        if now <= available_bytes {
            break;
        }
        taken.push(*remedy);
        let with = bytes(&taken);
        // One that saves nothing by itself may do so beside those that follow.
        match with <= now {
            true => now = with,
            false => {
                taken.pop();
            }
        }
    }
    let fits = |taken: &[Remedy]| bytes(taken) <= available_bytes;
    (now <= available_bytes).then(|| without_needless(taken, fits))
}

/// The switches, of those in `order`, that let a number (a context) grow the most, without those that
/// hardly matter for it: fewer than two in a hundred. Answers the number too.
pub fn furthest(
    order: &[Remedy],
    reach: impl Fn(&[Remedy]) -> Option<usize>,
) -> Option<(Vec<Remedy>, usize)> {
    let most = reach(order)?;
    let enough = most - most / 50;
    let kept = without_needless(order.to_vec(), |taken| {
        reach(taken).is_some_and(|number| number >= enough)
    });
    let number = reach(&kept)?;
    Some((kept, number))
}

/// Leaves out, the most harmful first, whatever is not needed.
fn without_needless(mut taken: Vec<Remedy>, is_enough: impl Fn(&[Remedy]) -> bool) -> Vec<Remedy> {
    for place in (0..taken.len()).rev() {
        let remedy = taken.remove(place);
        if !is_enough(&taken) {
            taken.insert(place, remedy);
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use Remedy::{
        NarrowTaps, NoAnswers, OffloadActivations, OffloadEmbeddings, Recompute, RecomputeTaps,
    };

    const ORDER: [Remedy; 5] = [
        Recompute,
        RecomputeTaps,
        NarrowTaps,
        OffloadEmbeddings,
        OffloadActivations,
    ];

    /// 100 bytes, less what each saves; narrowing what is made again only costs.
    fn bytes(taken: &[Remedy]) -> u64 {
        let has = |remedy| taken.contains(&remedy);
        let mut bytes = 100;
        bytes -= if has(Recompute) { 10 } else { 0 };
        bytes -= if has(RecomputeTaps) { 30 } else { 0 };
        bytes -= if has(OffloadEmbeddings) { 20 } else { 0 };
        match (has(NarrowTaps), has(RecomputeTaps)) {
            (true, true) => bytes + 1,
            (true, false) => bytes - 5,
            _ => bytes,
        }
    }

    #[test]
    fn the_least_harmful_switches_that_suffice_are_taken() {
        assert_eq!(fewest(&ORDER, 100, bytes), Some(vec![]));
        assert_eq!(fewest(&ORDER, 90, bytes), Some(vec![Recompute]));
        // With the second one the first is not needed any more.
        assert_eq!(fewest(&ORDER, 70, bytes), Some(vec![RecomputeTaps]));
        assert_eq!(
            fewest(&ORDER, 60, bytes),
            Some(vec![Recompute, RecomputeTaps])
        );
        assert_eq!(
            fewest(&ORDER, 40, bytes),
            Some(vec![Recompute, RecomputeTaps, OffloadEmbeddings])
        );
        assert_eq!(fewest(&ORDER, 39, bytes), None);
    }

    #[test]
    fn a_switch_that_matters_only_beside_others_is_taken_with_them() {
        // An answer takes 80, a step 100 or, recomputed, 60.
        let bytes = |taken: &[Remedy]| {
            let answer = if taken.contains(&NoAnswers) { 0 } else { 80 };
            let step = if taken.contains(&Recompute) { 60 } else { 100 };
            answer.max(step)
        };
        let order = [NoAnswers, Recompute];
        assert_eq!(fewest(&order, 80, bytes), Some(vec![Recompute]));
        assert_eq!(fewest(&order, 60, bytes), Some(vec![NoAnswers, Recompute]));
        assert_eq!(fewest(&order, 59, bytes), None);
    }

    #[test]
    fn what_hardly_matters_is_left_out_of_the_furthest() {
        let reach = |taken: &[Remedy]| Some((200 - bytes(taken)) as usize * 10);
        let (kept, number) = furthest(&ORDER, reach).unwrap();
        assert_eq!(kept, [Recompute, RecomputeTaps, OffloadEmbeddings]);
        assert_eq!(number, 1600);
        assert_eq!(furthest(&ORDER, |_| None), None);
    }

    #[test]
    fn a_switch_turns_on_what_its_flag_says() {
        let asked = RunConfig {
            sample_answers: 2,
            ..RunConfig::default()
        };
        let config = Remedy::applied(Remedy::of(Method::Ladder), &asked);
        let expected = RunConfig {
            recompute: Some(Switch::On),
            recompute_taps: Switch::On,
            tap_dtype: TapDtype::Bf16,
            offload_embeddings: Switch::On,
            offload_activations: Switch::On,
            optimizer: Optimizer::AdamW8bit,
            quantize_head: Switch::On,
            quantize: Quantize::Nf4,
            ..RunConfig::default()
        };
        assert_eq!(config, expected);
        let half = RunConfig {
            tap_dtype: TapDtype::F16,
            ..RunConfig::default()
        };
        assert_eq!(Remedy::applied(&[NarrowTaps], &half), half);
    }
}
