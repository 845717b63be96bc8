//! Owns the product inside the gated MLP.

use super::{floats, read};
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

struct SwiGlu;

/// `silu(gate) * up`
pub fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    gate.contiguous()?.apply_op2(&up.contiguous()?, SwiGlu)
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

const BLOCK: usize = 16_384;

impl CustomOp2 for SwiGlu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn cpu_fwd(
        &self,
        gate: &CpuStorage,
        gate_layout: &Layout,
        up: &CpuStorage,
        up_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (gate, up) = (floats(gate, gate_layout)?, floats(up, up_layout)?);
        let mut output = vec![0_f32; gate.len()];
        output
            .par_chunks_mut(BLOCK)
            .zip(gate.par_chunks(BLOCK).zip(up.par_chunks(BLOCK)))
            .for_each(|(output, (gate, up))| {
                for ((output, gate), up) in output.iter_mut().zip(gate).zip(up) {
                    *output = gate * sigmoid(*gate) * up;
                }
            });
        Ok((CpuStorage::F32(output), gate_layout.shape().clone()))
    }

    fn bwd(
        &self,
        gate: &Tensor,
        up: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (gate_gradient, up_gradient) = read(gate, |gate| {
            read(up, |up| {
                read(gradient, |gradient| {
                    let mut gate_gradient = vec![0_f32; gate.len()];
                    let mut up_gradient = vec![0_f32; gate.len()];
                    gate_gradient
                        .par_chunks_mut(BLOCK)
                        .zip(up_gradient.par_chunks_mut(BLOCK))
                        .zip(
                            gate.par_chunks(BLOCK)
                                .zip(up.par_chunks(BLOCK))
                                .zip(gradient.par_chunks(BLOCK)),
                        )
                        .for_each(|((gate_gradient, up_gradient), ((gate, up), gradient))| {
                            for index in 0..gate.len() {
                                let sigma = sigmoid(gate[index]);
                                let slope = sigma * (1.0 + gate[index] * (1.0 - sigma));
                                gate_gradient[index] = gradient[index] * up[index] * slope;
                                up_gradient[index] = gradient[index] * gate[index] * sigma;
                            }
                        });
                    Ok((gate_gradient, up_gradient))
                })
            })
        })?;
        Ok((
            Some(Tensor::from_vec(
                gate_gradient,
                gate.shape(),
                gate.device(),
            )?),
            Some(Tensor::from_vec(up_gradient, up.shape(), up.device())?),
        ))
    }
}
