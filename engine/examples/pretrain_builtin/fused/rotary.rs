//! Owns rotary positions, the two-halves kind.

use super::floats;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

struct Rotary {
    theta: f64,
    offset: usize,
    direction: f32,
}

/// Rotates the two halves of each head by its position. `[batch, seq, heads, head_dim]`
pub fn rotary(x: &Tensor, theta: f64, offset: usize) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Rotary {
        theta,
        offset,
        direction: 1.0,
    })
}

impl CustomOp1 for Rotary {
    fn name(&self) -> &'static str {
        "rotary"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = floats(storage, layout)?;
        let (_, length, heads, size) = layout.shape().dims4()?;
        let half = size / 2;
        let angles: Vec<(f32, f32)> = (0..length)
            .flat_map(|position| {
                (0..half).map(move |index| {
                    let frequency = self.theta.powf(-2.0 * index as f64 / size as f64);
                    let angle = (position + self.offset) as f64 * frequency;
                    (angle.cos() as f32, angle.sin() as f32 * self.direction)
                })
            })
            .collect();
        let mut output = vec![0_f32; x.len()];
        output
            .par_chunks_mut(size)
            .zip(x.par_chunks(size))
            .with_min_len(256)
            .enumerate()
            .for_each(|(row, (output, x))| {
                let position = row / heads % length;
                let angles = &angles[position * half..(position + 1) * half];
                for (index, (cos, sin)) in angles.iter().enumerate() {
                    output[index] = x[index] * cos - x[index + half] * sin;
                    output[index + half] = x[index + half] * cos + x[index] * sin;
                }
            });
        Ok((CpuStorage::F32(output), layout.shape().clone()))
    }

    fn bwd(&self, _x: &Tensor, _result: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        // The transpose of a rotation turns the other way.
        let back = Rotary {
            theta: self.theta,
            offset: self.offset,
            direction: -self.direction,
        };
        Ok(Some(gradient.contiguous()?.apply_op1_no_bwd(&back)?))
    }
}
