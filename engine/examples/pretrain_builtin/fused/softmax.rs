//! Owns the softmax over the keys that a query may see.

use super::{floats, read};
use candle_core::{CpuStorage, CustomOp1, D, Layout, Result, Shape, Tensor};
use rayon::prelude::*;
use std::sync::Arc;

/// Which keys each query of a batch may see.
#[derive(Clone)]
pub struct Visibility {
    /// Rows of scores per sequence: heads times queries.
    pub rows_per_sequence: usize,
    pub queries: usize,
    /// Keys that came before the first query.
    pub offset: usize,
    /// Padding at the start of each sequence; empty where there is none.
    pub left_padding: Arc<Vec<usize>>,
}

impl Visibility {
    fn keys(&self, row: usize) -> std::ops::Range<usize> {
        let start = self
            .left_padding
            .get(row / self.rows_per_sequence)
            .copied()
            .unwrap_or(0);
        start..self.offset + row % self.queries + 1
    }
}

struct CausalSoftmax {
    scale: f32,
    visibility: Visibility,
}

/// Softmax of `scale * scores` over the visible keys; the others get zero. `[batch, rows, keys]`
pub fn causal_softmax(scores: &Tensor, scale: f32, visibility: &Visibility) -> Result<Tensor> {
    scores.contiguous()?.apply_op1(CausalSoftmax {
        scale,
        visibility: visibility.clone(),
    })
}

impl CustomOp1 for CausalSoftmax {
    fn name(&self) -> &'static str {
        "causal-softmax"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let scores = floats(storage, layout)?;
        let width = layout.shape().dim(D::Minus1)?;
        let mut output = vec![0_f32; scores.len()];
        output
            .par_chunks_mut(width)
            .zip(scores.par_chunks(width))
            .enumerate()
            .for_each(|(row, (output, scores))| {
                let keys = self.visibility.keys(row);
                if keys.is_empty() {
                    return;
                }
                let (output, scores) = (&mut output[keys.clone()], &scores[keys]);
                let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let mut sum = 0.0;
                for (output, score) in output.iter_mut().zip(scores) {
                    *output = ((score - largest) * self.scale).exp();
                    sum += *output;
                }
                let factor = 1.0 / sum;
                output.iter_mut().for_each(|output| *output *= factor);
            });
        Ok((CpuStorage::F32(output), layout.shape().clone()))
    }

    fn bwd(&self, _scores: &Tensor, result: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let width = result.dim(D::Minus1)?;
        let output = read(result, |weights| {
            read(gradient, |gradient| {
                let mut output = vec![0_f32; weights.len()];
                output
                    .par_chunks_mut(width)
                    .zip(weights.par_chunks(width).zip(gradient.par_chunks(width)))
                    .enumerate()
                    .for_each(|(row, (output, (weights, gradient)))| {
                        let keys = self.visibility.keys(row);
                        if keys.is_empty() {
                            return;
                        }
                        let output = &mut output[keys.clone()];
                        let (weights, gradient) = (&weights[keys.clone()], &gradient[keys]);
                        let mean: f32 = weights.iter().zip(gradient).map(|(w, g)| w * g).sum();
                        for ((output, weight), gradient) in
                            output.iter_mut().zip(weights).zip(gradient)
                        {
                            *output = self.scale * weight * (gradient - mean);
                        }
                    });
                Ok(output)
            })
        })?;
        Ok(Some(Tensor::from_vec(
            output,
            result.shape(),
            result.device(),
        )?))
    }
}
