//! What the cells of a check say together.

use stepladder_protocol::{CheckErrors, CheckSummary, CheckedCell};

/// The summary of these cells.
pub fn summary(cells: &[CheckedCell]) -> CheckSummary {
    let light = |cell: &&CheckedCell| 2 * cell.measured_weights_bytes <= cell.measured_bytes;
    CheckSummary {
        cells: cells.len(),
        weights_at_most_half: cells.iter().filter(light).count(),
        all: errors(cells.iter()),
        fitted: errors(cells.iter().filter(|cell| cell.fitted)),
        others: errors(cells.iter().filter(|cell| !cell.fitted)),
    }
}

fn errors<'a>(cells: impl Iterator<Item = &'a CheckedCell>) -> CheckErrors {
    let mut errors = CheckErrors::default();
    for cell in cells {
        let (whole, rest) = (cell.error.abs(), cell.error_without_weights.abs());
        errors.cells += 1;
        errors.mean += whole;
        errors.mean_without_weights += rest;
        errors.largest = errors.largest.max(whole);
        errors.largest_without_weights = errors.largest_without_weights.max(rest);
    }
    let count = errors.cells.max(1) as f64;
    errors.mean /= count;
    errors.mean_without_weights /= count;
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use stepladder_protocol::{Method, Optimizer, Quantize, Switch, TapDtype};

    fn cell(number: usize, weights: u64, error: f64, error_without_weights: f64) -> CheckedCell {
        CheckedCell {
            number,
            of: 3,
            done: 1.0,
            method: Method::Ladder,
            layers: 1,
            d_model: 1,
            vocabulary: 1,
            parameters: 1,
            quantize: Quantize::None,
            quantize_head: Switch::Off,
            recompute: Switch::Off,
            recompute_taps: Switch::Off,
            tap_dtype: TapDtype::F32,
            optimizer: Optimizer::AdamW,
            context: 1,
            batch_size: 1,
            estimated_bytes: 1000,
            measured_bytes: 1000,
            estimated_weights_bytes: weights,
            measured_weights_bytes: weights,
            error,
            error_without_weights,
            peak_moment: "loss".to_owned(),
            fitted: number.is_multiple_of(2),
        }
    }

    #[test]
    fn errors_are_absolute_and_halves_are_apart() {
        let cells = [
            cell(1, 500, -0.25, 0.5),
            cell(2, 501, 0.125, -0.75),
            cell(3, 0, 0.75, 0.25),
        ];
        let expected = CheckSummary {
            cells: 3,
            weights_at_most_half: 2,
            all: CheckErrors {
                cells: 3,
                mean: 0.375,
                largest: 0.75,
                mean_without_weights: 0.5,
                largest_without_weights: 0.75,
            },
            fitted: CheckErrors {
                cells: 1,
                mean: 0.125,
                largest: 0.125,
                mean_without_weights: 0.75,
                largest_without_weights: 0.75,
            },
            others: CheckErrors {
                cells: 2,
                mean: 0.5,
                largest: 0.75,
                mean_without_weights: 0.375,
                largest_without_weights: 0.5,
            },
        };
        assert_eq!(summary(&cells), expected);
        assert_eq!(summary(&[]).all, CheckErrors::default());
    }
}
