//! What the primary button says: what is missing, or what will happen.

use stepladder_protocol::{DatasetPreview, MethodEstimate, RunConfig, Verdict};

use super::field::Field;
use super::wrong::Wrong;

/// Whether a run can begin.
#[derive(Clone, Debug, PartialEq)]
pub enum Ready {
    /// Something is missing.
    Missing(Missing),
    /// It can, and this will happen.
    Go(Forecast),
}

/// What is missing, the first of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// No model is named.
    Model,
    /// The model is being looked at.
    LookingAtModel,
    /// The model cannot be used.
    UsableModel,
    /// No dataset is named.
    Dataset,
    /// The dataset is being read.
    ReadingDataset,
    /// The reading was broken off.
    WholeDataset,
    /// The dataset cannot be used.
    UsableDataset,
    /// Nothing of it can be trained on.
    Examples,
    /// A field is wrong.
    Field(Field, Wrong),
    /// QLoRA without four bits.
    Quantize,
}

/// What a run will be, as far as it can be said.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Forecast {
    /// Updates.
    pub steps: usize,
    /// Seconds; none where the speed is not known.
    pub secs: Option<f64>,
    /// Bytes when most is held; none before the plan.
    pub bytes: Option<u64>,
    /// Whether that fits.
    pub verdict: Option<Verdict>,
}

/// Looks ahead. The examples that are held out are not trained on.
pub fn forecast(
    config: &RunConfig,
    preview: &DatasetPreview,
    estimate: Option<&MethodEstimate>,
) -> Forecast {
    let held_out = { preview.held_out.as_ref() }.map_or(0, |held_out| held_out.examples);
    let examples = preview.examples.saturating_sub(held_out).max(1) as f64;
    let per_step = config.effective_batch_size.max(1) as f64;
    let steps = match config.steps {
        Some(steps) => steps as f64,
        None => (examples * config.epochs / per_step).ceil().max(1.0),
    };
    let tokens_each = { preview.lengths.as_ref() }
        .map(|lengths| lengths.total as f64 / preview.examples.max(1) as f64);
    let seen = match config.steps {
        Some(_) => steps * per_step,
        None => examples * config.epochs,
    };
    let speed = { estimate }.and_then(|estimate| estimate.expected_tokens_per_second);
    let secs = match (tokens_each, speed) {
        (Some(tokens), Some(speed)) if speed > 0.0 => Some(seen * tokens / speed),
        _ => None,
    };
    Forecast {
        steps: steps as usize,
        secs: secs.filter(|secs| secs.is_finite()),
        bytes: estimate.map(|estimate| estimate.total_bytes),
        verdict: estimate.and_then(|estimate| estimate.verdict),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stepladder_protocol::{HeldOut, MemoryParts, Method, TokenLengths};

    fn preview() -> DatasetPreview {
        DatasetPreview {
            complete: true,
            examples: 1000,
            held_out: Some(HeldOut {
                examples: 50,
                near_duplicates: 0,
                first_near_duplicate: None,
            }),
            lengths: Some(TokenLengths {
                total: 200_000,
                ..TokenLengths::default()
            }),
            ..DatasetPreview::default()
        }
    }

    fn estimate(speed: Option<f64>) -> MethodEstimate {
        MethodEstimate {
            method: Method::Ladder,
            total_bytes: 5 << 30,
            peak_moment: String::new(),
            parts: MemoryParts::default(),
            breakdown: Default::default(),
            fits: Some(true),
            verdict: Some(Verdict::Tight),
            longest_context: None,
            longest_context_is_the_models: false,
            largest_batch: None,
            largest_rank: None,
            largest_d_side: None,
            smallest_card_bytes: None,
            offloaded_bytes: 0,
            weights_kept_as: String::new(),
            trainable_parameters: 1,
            expected_tokens_per_second: speed,
            remedy: None,
            leanest: None,
        }
    }

    #[test]
    fn time_is_tokens_by_speed() {
        let config = RunConfig::default();
        let seen = forecast(&config, &preview(), Some(&estimate(Some(100.0))));
        assert_eq!(seen.steps, (950.0_f64 * 3.0 / 16.0).ceil() as usize);
        assert_eq!(seen.secs, Some(950.0 * 3.0 * 200.0 / 100.0));
        assert_eq!(
            (seen.bytes, seen.verdict),
            (Some(5 << 30), Some(Verdict::Tight))
        );
        let steps = RunConfig {
            steps: Some(10),
            ..config.clone()
        };
        let seen = forecast(&steps, &preview(), Some(&estimate(Some(100.0))));
        assert_eq!(
            (seen.steps, seen.secs),
            (10, Some(10.0 * 16.0 * 200.0 / 100.0))
        );
    }

    #[test]
    fn what_is_not_known_is_not_said() {
        let config = RunConfig::default();
        assert_eq!(
            forecast(&config, &preview(), Some(&estimate(None))).secs,
            None
        );
        assert_eq!(
            forecast(&config, &preview(), Some(&estimate(Some(0.0)))).secs,
            None
        );
        let seen = forecast(&config, &preview(), None);
        assert_eq!((seen.secs, seen.bytes, seen.verdict), (None, None, None));
        let nothing = DatasetPreview::default();
        let seen = forecast(&config, &nothing, Some(&estimate(Some(9.0))));
        assert_eq!((seen.secs, seen.steps), (None, 1));
        let far = RunConfig {
            epochs: f64::MAX,
            ..config
        };
        assert_eq!(
            forecast(&far, &preview(), Some(&estimate(Some(1e-9)))).secs,
            None
        );
    }
}
