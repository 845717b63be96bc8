//! Owns the loss over the vocabulary.

use super::{floats, read};
use candle_core::{CpuStorage, CustomOp1, D, Layout, Result, Shape, Tensor};
use rayon::prelude::*;
use std::sync::Arc;

struct CrossEntropy {
    targets: Arc<Vec<u32>>,
}

/// Mean negative log-likelihood of `targets` under `logits`. `[tokens, vocabulary]`
pub fn cross_entropy(logits: &Tensor, targets: Vec<u32>) -> Result<Tensor> {
    logits.contiguous()?.apply_op1(CrossEntropy {
        targets: Arc::new(targets),
    })
}

/// The largest logit and the logarithm of the sum above it.
fn log_sum(row: &[f32]) -> f32 {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    largest
        + row
            .iter()
            .map(|logit| (logit - largest).exp())
            .sum::<f32>()
            .ln()
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let logits = floats(storage, layout)?;
        let width = layout.shape().dim(D::Minus1)?;
        let losses: Vec<f32> = logits
            .par_chunks(width)
            .zip(self.targets.par_iter())
            .map(|(row, target)| log_sum(row) - row[*target as usize])
            .collect();
        let mean = losses.iter().sum::<f32>() / losses.len() as f32;
        Ok((CpuStorage::F32(vec![mean]), Shape::from(())))
    }

    fn bwd(&self, logits: &Tensor, _result: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let width = logits.dim(D::Minus1)?;
        let factor = gradient.to_scalar::<f32>()? / self.targets.len() as f32;
        let output = read(logits, |logits| {
            let mut output = vec![0_f32; logits.len()];
            output
                .par_chunks_mut(width)
                .zip(logits.par_chunks(width).zip(self.targets.par_iter()))
                .for_each(|(output, (row, target))| {
                    let log_sum = log_sum(row);
                    for (output, logit) in output.iter_mut().zip(row) {
                        *output = factor * (logit - log_sum).exp();
                    }
                    output[*target as usize] -= factor;
                });
            Ok(output)
        })?;
        Ok(Some(Tensor::from_vec(
            output,
            logits.shape(),
            logits.device(),
        )?))
    }
}
