//! Owns AdamW with gradient clipping and the learning-rate schedule.

use crate::Outcome;
use crate::model::Parameter;
use candle_core::Tensor;
use candle_core::backprop::GradStore;

const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.98;
const EPSILON: f32 = 1e-8;
const WEIGHT_DECAY: f32 = 0.01;
const CLIP: f32 = 1.0;

/// First and second moments, in the order of the parameters.
pub struct AdamW {
    moments: Vec<(Vec<f32>, Vec<f32>)>,
    steps: i32,
}

impl AdamW {
    pub fn new(parameters: &[Parameter]) -> Self {
        let zeros = |parameter: &Parameter| vec![0_f32; parameter.var.elem_count()];
        let moments = parameters.iter().map(|p| (zeros(p), zeros(p))).collect();
        Self { moments, steps: 0 }
    }

    /// One update; returns the norm of the gradient before clipping.
    pub fn step(
        &mut self,
        parameters: &[Parameter],
        gradients: &[Vec<f32>],
        learning_rate: f64,
    ) -> Outcome<f32> {
        self.steps += 1;
        let norm = gradients
            .iter()
            .flatten()
            .map(|g| f64::from(*g).powi(2))
            .sum::<f64>()
            .sqrt() as f32;
        let scale = (CLIP / (norm + 1e-6)).min(1.0);
        let correction_1 = 1.0 - BETA_1.powi(self.steps);
        let correction_2 = 1.0 - BETA_2.powi(self.steps);
        let rate = learning_rate as f32;
        parameters
            .iter()
            .zip(gradients)
            .zip(&mut self.moments)
            .try_for_each(
                |((parameter, gradient), (first, second))| -> candle_core::Result<()> {
                    let var = &parameter.var;
                    let mut numbers = var.flatten_all()?.to_vec1::<f32>()?;
                    // Norms and other vectors aren't decayed.
                    let decay = if var.rank() > 1 {
                        1.0 - rate * WEIGHT_DECAY
                    } else {
                        1.0
                    };
                    for (index, number) in numbers.iter_mut().enumerate() {
                        let g = gradient[index] * scale;
                        first[index] = BETA_1 * first[index] + (1.0 - BETA_1) * g;
                        second[index] = BETA_2 * second[index] + (1.0 - BETA_2) * g * g;
                        let root = (second[index] / correction_2).sqrt() + EPSILON;
                        *number = *number * decay - rate * first[index] / correction_1 / root;
                    }
                    var.set(&Tensor::from_vec(numbers, var.shape(), var.device())?)
                },
            )?;
        Ok(norm)
    }
}

/// Every parameter's gradient; a missing one is an error that names its parameter.
pub fn collect_gradients(
    parameters: &[Parameter],
    gradients: &GradStore,
) -> Outcome<Vec<Vec<f32>>> {
    parameters
        .iter()
        .map(|parameter| {
            let gradient = gradients
                .get(parameter.var.as_tensor())
                .ok_or_else(|| format!("{} has no gradient", parameter.name))?;
            Ok(gradient.flatten_all()?.to_vec1::<f32>()?)
        })
        .collect()
}

/// Linear warm-up to `peak` over the first 4 % of the steps (at most 100), then a cosine to zero.
pub fn learning_rate(step: usize, steps: usize, peak: f64) -> f64 {
    let warm_up = (steps / 25).clamp(1, 100);
    if step < warm_up {
        return peak * (step + 1) as f64 / warm_up as f64;
    }
    let progress = (step - warm_up) as f64 / (steps - warm_up).max(1) as f64;
    peak * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
}
