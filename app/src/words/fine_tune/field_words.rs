//! The fields of a run config: what each is called, what it is, and what may be wrong with it.

use crate::state::setup::choice::Switched;
use crate::state::setup::field::Field;
use crate::state::setup::wrong::Wrong;
use crate::text::{thousands, visible};

/// A field's name.
pub fn field_label(field: Field) -> &'static str {
    match field {
        Field::Context => "Context",
        Field::Epochs => "Epochs",
        Field::Steps => "Steps",
        Field::BatchSize => "Batch size",
        Field::EffectiveBatchSize => "Effective batch size",
        Field::LearningRate => "Learning rate",
        Field::WarmupFraction => "Warm-up",
        Field::FinalLearningRateFraction => "Final learning rate",
        Field::WeightDecay => "Weight decay",
        Field::ClipNorm => "Gradient clipping",
        Field::Seed => "Seed",
        Field::DSide => "Side network width",
        Field::ReductionFactor => "Reduction factor",
        Field::Taps => "Taps",
        Field::Rank => "Rank",
        Field::Alpha => "Alpha",
        Field::LoraDropout => "Dropout",
        Field::TargetModules => "Target modules",
        Field::QuantizedCopy => "Quantized copy",
        Field::MemoryBytes => "Memory limit (GiB)",
        Field::HeldOutFraction => "Held out",
        Field::EvaluateEvery => "Evaluate every",
        Field::SampleAnswers => "Answers shown",
        Field::CheckpointEvery => "Checkpoint every",
        Field::CheckpointMinutes => "Checkpoint minutes",
        Field::Patience => "Early stopping",
    }
}

/// One line on what a field is, with its default.
pub fn field_help(field: Field) -> &'static str {
    match field {
        Field::Context => {
            "Tokens of an example at most. 2,048 by default, or the model's own if less."
        }
        Field::Epochs => "Passes over the examples. 3 by default.",
        Field::Steps => "Updates to make; takes the place of epochs. Not set by default.",
        Field::BatchSize => {
            "Examples computed at once; more is faster and takes memory. 4 by default."
        }
        Field::EffectiveBatchSize => {
            "Examples per update, a multiple of the batch size. 16 by default."
        }
        Field::LearningRate => {
            "The highest it gets. By default 0.0005 for Ladder and xLadder, 0.0002 for QLoRA and LoRA."
        }
        Field::WarmupFraction => "Part of all steps over which it rises. 0.03 by default.",
        Field::FinalLearningRateFraction => {
            "What is left of it at the end, as a part. 0.1 by default."
        }
        Field::WeightDecay => "How strongly weights are drawn to zero. 0 by default.",
        Field::ClipNorm => {
            "Longer gradients are scaled down; 0 is never. By default 1 for Ladder and xLadder, 0.3 for QLoRA and LoRA."
        }
        Field::Seed => "The same seed gives the same run. 42 by default.",
        Field::DSide => "Numbers per token in the side network. By the model's width by default.",
        Field::ReductionFactor => {
            "The model's width divided by this, instead of a width. Not set by default."
        }
        Field::Taps => "Layers that feed the side network, such as 4, 8, 12. Spread by default.",
        Field::Rank => "Width of the low-rank addition. 16 by default.",
        Field::Alpha => "The addition is scaled by alpha / rank. 32 by default.",
        Field::LoraDropout => "Part of the inputs that are zeroed while training. 0 by default.",
        Field::TargetModules => {
            "Linear maps that get an adapter, such as q_proj, v_proj. All of a block by default."
        }
        Field::QuantizedCopy => {
            "A folder that keeps the weights in four bits for the next run. None by default."
        }
        Field::MemoryBytes => "What the run may take. All that is free by default.",
        Field::HeldOutFraction => {
            "Part of the examples that measures and is not trained on. 0.05 by default."
        }
        Field::EvaluateEvery => "Steps between evaluations. About ten over the run by default.",
        Field::SampleAnswers => {
            "Held-out prompts that the model answers at each evaluation. 2 by default."
        }
        Field::CheckpointEvery => "Steps between checkpoints. One at each evaluation by default.",
        Field::CheckpointMinutes => {
            "A checkpoint at least this often; 0 turns it off. 10 by default."
        }
        Field::Patience => {
            "Evaluations without improvement until the run ends; 0 is never. 3 by default."
        }
    }
}

/// A switch's name.
pub fn switch_label(field: Switched) -> &'static str {
    match field {
        Switched::LossOnTraces => "Train on think blocks",
        Switched::Packing => "Packing",
        Switched::GroupByLength => "Group by length",
        Switched::QuantizeHead => "Head in four bits",
        Switched::DoubleQuantization => "Double quantization",
        Switched::RankStabilized => "Rank-stabilized",
        Switched::RecomputeTaps => "Recompute taps",
        Switched::OffloadActivations => "Taps in RAM",
        Switched::OffloadEmbeddings => "Embeddings in RAM",
    }
}

/// One line on what a switch does, with its default.
pub fn switch_help(field: Switched) -> &'static str {
    match field {
        Switched::LossOnTraces => "Whether reasoning is learned, not just read. On by default.",
        Switched::Packing => {
            "Several short examples in one row, each seeing itself alone. Off by default."
        }
        Switched::GroupByLength => {
            "Examples of similar length in a step: faster, less random. Off by default."
        }
        Switched::QuantizeHead => "Rounds the output layer, and saves memory. Off by default.",
        Switched::DoubleQuantization => "4.1 bits per weight instead of 4.5. On by default.",
        Switched::RankStabilized => {
            "Scale by alpha / √rank instead, for high ranks. Off by default."
        }
        Switched::RecomputeTaps => "Runs the model twice and keeps no taps. Off by default.",
        Switched::OffloadActivations => {
            "Or the inputs of recomputed blocks: saves the card's memory, costs time. Off by default."
        }
        Switched::OffloadEmbeddings => "Saves the card's memory, hardly slower. Off by default.",
    }
}

/// What is wrong, behind the name of a field: `must be a whole number`.
pub fn wrong(problem: &Wrong) -> String {
    let number = |number: &usize| thousands(*number as u64);
    match problem {
        Wrong::NotWhole => "must be a whole number".to_owned(),
        Wrong::NotANumber => "must be a number".to_owned(),
        Wrong::Below(least) => format!("must be at least {}", number(least)),
        Wrong::NotAboveZero => "must be above 0".to_owned(),
        Wrong::Negative => "must not be below 0".to_owned(),
        Wrong::Fraction => "must be from 0 to 1".to_owned(),
        Wrong::FractionBelowOne => "must be from 0 to below 1".to_owned(),
        Wrong::NotLayers => "must be increasing layers, such as 4, 8, 12".to_owned(),
        Wrong::Excludes(other) => {
            format!(
                "cannot be set together with {}",
                field_label(*other).to_lowercase()
            )
        }
        Wrong::NotAMultiple(multiple) => {
            format!(
                "must be a multiple of the batch size, such as {}",
                number(multiple)
            )
        }
        Wrong::MoreThanModel(most) => format!("must be at most {} for this model", number(most)),
        Wrong::NotADivisor(width) => format!("must divide the model's width, {}", number(width)),
        Wrong::NotEven => "must be even".to_owned(),
        Wrong::Refused(problem, hint) => {
            let hint = crate::words::hint("config_invalid", hint);
            format!("{}; {hint}", visible(problem))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_names_its_default() {
        let helps = { Field::ALL.into_iter().map(field_help) }
            .chain(Switched::ALL.into_iter().map(switch_help));
        for help in helps {
            assert!(help.to_lowercase().contains("by default"), "{help}");
        }
    }

    #[test]
    fn what_the_engine_refuses_is_said_without_flags() {
        let hint = "use --effective-batch-size 20".to_owned();
        let said = wrong(&Wrong::Refused("is 18\u{202e}".to_owned(), hint));
        assert_eq!(said, "is 18\\u{202e}; use Effective batch size 20");
    }
}
