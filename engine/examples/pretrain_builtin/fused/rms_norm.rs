//! Owns RMSNorm with a weight.

use super::{floats, read};
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

struct RmsNorm {
    epsilon: f32,
}

/// `x / sqrt(mean(x^2) + epsilon) * weight` over the last dimension.
pub fn rms_norm(x: &Tensor, weight: &Tensor, epsilon: f32) -> Result<Tensor> {
    x.contiguous()?.apply_op2(weight, RmsNorm { epsilon })
}

impl RmsNorm {
    fn inverse_root(&self, row: &[f32]) -> f32 {
        let squares: f32 = row.iter().map(|x| x * x).sum();
        1.0 / (squares / row.len() as f32 + self.epsilon).sqrt()
    }
}

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, weight) = (floats(x, x_layout)?, floats(weight, weight_layout)?);
        let mut output = vec![0_f32; x.len()];
        output
            .par_chunks_mut(weight.len())
            .zip(x.par_chunks(weight.len()))
            .with_min_len(64)
            .for_each(|(output, x)| {
                let root = self.inverse_root(x);
                for ((output, x), weight) in output.iter_mut().zip(x).zip(weight) {
                    *output = x * root * weight;
                }
            });
        Ok((CpuStorage::F32(output), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (x_gradient, weight_gradient) = read(x, |x| {
            read(weight, |weight| {
                read(gradient, |gradient| {
                    let width = weight.len();
                    let mut output = vec![0_f32; x.len()];
                    // Blocks of fixed size, summed in order: the result doesn't depend on the threads.
                    let block = 256 * width;
                    let parts: Vec<Vec<f32>> = output
                        .par_chunks_mut(block)
                        .zip(x.par_chunks(block).zip(gradient.par_chunks(block)))
                        .map(|(output, (x, gradient))| {
                            let mut part = vec![0_f32; width];
                            let rows = output
                                .chunks_mut(width)
                                .zip(x.chunks(width).zip(gradient.chunks(width)));
                            for (output, (x, gradient)) in rows {
                                let root = self.inverse_root(x);
                                let mut dot = 0.0;
                                for index in 0..width {
                                    dot += gradient[index] * weight[index] * x[index];
                                    part[index] += gradient[index] * x[index] * root;
                                }
                                let pull = dot * root * root * root / width as f32;
                                for index in 0..width {
                                    output[index] =
                                        gradient[index] * weight[index] * root - x[index] * pull;
                                }
                            }
                            part
                        })
                        .collect();
                    let mut sum = vec![0_f32; width];
                    for part in parts {
                        sum.iter_mut()
                            .zip(part)
                            .for_each(|(sum, part)| *sum += part);
                    }
                    Ok((output, sum))
                })
            })
        })?;
        Ok((
            Some(Tensor::from_vec(x_gradient, x.shape(), x.device())?),
            Some(Tensor::from_vec(
                weight_gradient,
                weight.shape(),
                weight.device(),
            )?),
        ))
    }
}
