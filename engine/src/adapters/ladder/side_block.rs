//! One block of the side network: pre-norm causal self-attention, then a pre-norm SwiGLU MLP, a
//! residual around each. Norms have no weight, linear maps no bias.

use candle_core::Tensor;

use super::wiring::Wiring;
use crate::Result;
use crate::adapters::parameters::Parameters;
use crate::models::kv_cache::LayerCache;
use crate::ops::attention::{Attended, Attention};
use crate::ops::elementwise;
use crate::ops::linear::{
    accumulate_input_gradient, accumulate_weight_gradient, linear, linear_backward_input,
};
use crate::ops::rms_norm::{rms_norm, rms_norm_backward};
use crate::ops::rope::{Angles, Rotation, rotate};
use crate::ops::swiglu::{swiglu, swiglu_backward};

/// What every layer of one pass through the side network shares.
pub struct SidePass<'a> {
    /// Rows of the batch.
    pub batch: usize,
    /// Tokens per row.
    pub seq: usize,
    /// Rotary angles of the side network.
    pub angles: Angles,
    /// First key each token may see; empty: all from 0.
    pub first_visible: &'a [u32],
}

/// Activations of a block that its backward needs.
pub struct BlockActivations {
    q: Tensor,
    k: Tensor,
    v: Tensor,
    attended: Attended,
    /// After the attention's residual.
    middle: Tensor,
    gate: Tensor,
    up: Tensor,
}

/// One block; borrows names and sizes, owns no numbers.
pub struct SideBlock<'a> {
    wiring: &'a Wiring,
    parameters: &'a Parameters,
    layer: usize,
}

impl<'a> SideBlock<'a> {
    /// The block of this side layer (from 0).
    pub fn new(wiring: &'a Wiring, parameters: &'a Parameters, layer: usize) -> Self {
        Self {
            wiring,
            parameters,
            layer,
        }
    }

    fn name(&self, projection: &str) -> String {
        format!("side.{}.{projection}.weight", self.layer)
    }

    fn weight(&self, projection: &str) -> Result<&'a Tensor> {
        self.parameters.get(&self.name(projection))
    }

    fn project(&self, projection: &str, x: &Tensor) -> Result<Tensor> {
        Ok(linear(x, self.weight(projection)?, None)?)
    }

    fn norm(&self, x: &Tensor) -> Result<Tensor> {
        Ok(rms_norm(x, None, self.wiring.norm_eps)?)
    }

    fn attention<'p>(&self, pass: &'p SidePass<'_>, keys: usize, capacity: usize) -> Attention<'p> {
        let head_dim = self.wiring.head_dim();
        Attention {
            batch: pass.batch,
            queries: pass.seq,
            keys,
            key_capacity: capacity,
            heads: self.wiring.heads,
            kv_heads: self.wiring.heads,
            head_dim,
            scale: (head_dim as f64).sqrt().recip(),
            soft_cap: None,
            window: None,
            first_visible: pass.first_visible,
        }
    }

    /// `input` `[tokens, d_side]` -> the block's output and its activations. With a cache, the
    /// tokens continue what it holds (and the activations are of no use).
    pub fn forward(
        &self,
        input: &Tensor,
        pass: &SidePass<'_>,
        cache: Option<&mut LayerCache>,
    ) -> Result<(Tensor, BlockActivations)> {
        let head_dim = self.wiring.head_dim();
        let normed = self.norm(input)?;
        let q = self.project("attention.q_proj", &normed)?;
        let k = self.project("attention.k_proj", &normed)?;
        let v = self.project("attention.v_proj", &normed)?;
        rotate(&q, head_dim, &pass.angles, Rotation::Forward)?;
        rotate(&k, head_dim, &pass.angles, Rotation::Forward)?;
        let (k, v, keys, capacity) = match cache {
            None => (k, v, pass.seq, pass.seq),
            Some(cache) => {
                let all = cache.append(pass.batch, &k, &v)?;
                (all.keys, all.values, all.tokens, all.capacity)
            }
        };
        let attended = self.attention(pass, keys, capacity).forward(&q, &k, &v)?;
        let middle = self.project("attention.o_proj", &attended.output)?;
        elementwise::add(&middle, input)?;
        let normed = self.norm(&middle)?;
        let gate = self.project("mlp.gate_proj", &normed)?;
        let up = self.project("mlp.up_proj", &normed)?;
        let output = self.project("mlp.down_proj", &swiglu(&gate, &up)?)?;
        elementwise::add(&output, &middle)?;
        Ok((
            output,
            BlockActivations {
                q,
                k,
                v,
                attended,
                middle,
                gate,
                up,
            },
        ))
    }

    /// Adds the block's gradients and returns the one of `input`; `grad` `[tokens, d_side]` is
    /// given up.
    pub fn backward(
        &self,
        gradients: &Parameters,
        input: &Tensor,
        activations: &BlockActivations,
        pass: &SidePass<'_>,
        grad: Tensor,
    ) -> Result<Tensor> {
        let BlockActivations {
            q,
            k,
            v,
            attended,
            middle,
            gate,
            up,
        } = activations;
        let eps = self.wiring.norm_eps;
        let accumulate = |projection: &str, x: &Tensor, grad: &Tensor| -> Result<()> {
            Ok(accumulate_weight_gradient(
                gradients.get(&self.name(projection))?,
                x,
                grad,
            )?)
        };

        // MLP: output = middle + down(swiglu(gate, up))
        accumulate("mlp.down_proj", &swiglu(gate, up)?, &grad)?;
        let d_hidden = linear_backward_input(self.weight("mlp.down_proj")?, &grad)?;
        let (d_gate, d_up) = swiglu_backward(gate, up, &d_hidden)?;
        drop(d_hidden);
        let normed = self.norm(middle)?;
        accumulate("mlp.gate_proj", &normed, &d_gate)?;
        accumulate("mlp.up_proj", &normed, &d_up)?;
        let d_normed = linear_backward_input(self.weight("mlp.gate_proj")?, &d_gate)?;
        accumulate_input_gradient(&d_normed, self.weight("mlp.up_proj")?, &d_up)?;
        let d_middle = grad;
        elementwise::add(&d_middle, &rms_norm_backward(middle, None, eps, &d_normed)?)?;

        // Attention: middle = input + o(attention(q, k, v))
        accumulate("attention.o_proj", &attended.output, &d_middle)?;
        let d_attended = linear_backward_input(self.weight("attention.o_proj")?, &d_middle)?;
        let d =
            self.attention(pass, pass.seq, pass.seq)
                .backward((q, k, v), attended, &d_attended)?;
        let head_dim = self.wiring.head_dim();
        rotate(&d.queries, head_dim, &pass.angles, Rotation::Backward)?;
        rotate(&d.keys, head_dim, &pass.angles, Rotation::Backward)?;
        let normed = self.norm(input)?;
        accumulate("attention.q_proj", &normed, &d.queries)?;
        accumulate("attention.k_proj", &normed, &d.keys)?;
        accumulate("attention.v_proj", &normed, &d.values)?;
        let d_normed = linear_backward_input(self.weight("attention.q_proj")?, &d.queries)?;
        accumulate_input_gradient(&d_normed, self.weight("attention.k_proj")?, &d.keys)?;
        accumulate_input_gradient(&d_normed, self.weight("attention.v_proj")?, &d.values)?;
        let d_input = d_middle;
        elementwise::add(&d_input, &rms_norm_backward(input, None, eps, &d_normed)?)?;
        Ok(d_input)
    }
}
