//! One block of the side network: pre-norm causal self-attention, then a pre-norm SwiGLU MLP, a
//! residual around each. Norms have no weight, linear maps no bias. Forward replaces the side states
//! where they lie; MLP and output projection exist for one tile of tokens at a time.

use candle_core::Tensor;

use super::wiring::Wiring;
use crate::Result;
use crate::adapters::parameters::Parameters;
use crate::models::decoder::TokenInput;
use crate::models::kv_cache::{Cached, LayerCache};
use crate::ops::attention::{Attended, Attention, AttentionGradients};
use crate::ops::elementwise;
use crate::ops::linear::{
    accumulate_input_gradient, accumulate_linear, accumulate_weight_gradient, linear,
    linear_backward_input,
};
use crate::ops::rms_norm::{rms_norm, rms_norm_backward};
use crate::ops::rope::{Angles, Rotation, rotate};
use crate::ops::swiglu::{swiglu, swiglu_backward};
use crate::ops::token_tiles::{TokenTile, token_tiles};

/// What every layer of one pass through the side network shares.
pub struct SidePass<'a> {
    /// The tokens.
    pub input: TokenInput<'a>,
    /// Rotary angles of the side network.
    pub angles: Angles,
    /// The tokens in tiles.
    pub tiles: Vec<TokenTile>,
}

/// Activations of a block that its backward needs.
pub struct SideActivations {
    attention: AttentionActivations,
    /// The rest; if absent, the backward makes it again, tile by tile.
    mlp: Option<MlpActivations>,
}

struct AttentionActivations {
    q: Tensor,
    k: Tensor,
    v: Tensor,
    attended: Attended,
}

struct MlpActivations {
    /// After the attention's residual, `[tokens, d_side]`.
    middle: Tensor,
    /// `[tokens, d_ff]`
    gate: Tensor,
    /// `[tokens, d_ff]`
    up: Tensor,
}

/// One block; borrows names and sizes, owns no numbers.
pub struct SideBlock<'a> {
    wiring: &'a Wiring,
    parameters: &'a Parameters,
    layer: usize,
}

impl<'a> SidePass<'a> {
    /// The pass of these tokens.
    pub fn new(input: TokenInput<'a>, angles: Angles) -> Self {
        Self {
            input,
            angles,
            tiles: token_tiles(input.batch, input.seq),
        }
    }
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

    fn norm(&self, x: &Tensor) -> Result<Tensor> {
        Ok(rms_norm(x, None, self.wiring.norm_eps)?)
    }

    fn norm_backward(&self, x: &Tensor, grad: &Tensor) -> Result<Tensor> {
        Ok(rms_norm_backward(x, None, self.wiring.norm_eps, grad)?)
    }

    fn attention<'p>(&self, pass: &SidePass<'p>, keys: usize, capacity: usize) -> Attention<'p> {
        let head_dim = self.wiring.head_dim();
        Attention {
            batch: pass.input.batch,
            queries: pass.input.seq,
            keys,
            key_capacity: capacity,
            heads: self.wiring.heads,
            kv_heads: self.wiring.heads,
            head_dim,
            scale: (head_dim as f64).sqrt().recip(),
            soft_cap: None,
            window: None,
            first_visible: pass.input.first_visible,
        }
    }

    /// Queries, keys and values `[tokens, d_side]`, rotated.
    fn project(&self, input: &Tensor, pass: &SidePass<'_>) -> Result<[Tensor; 3]> {
        let outputs = [
            elementwise::zeros_like(input)?,
            elementwise::zeros_like(input)?,
            elementwise::zeros_like(input)?,
        ];
        for tile in &pass.tiles {
            let normed = self.norm(&tile.of(input)?)?;
            for (projection, output) in QKV.into_iter().zip(&outputs) {
                accumulate_linear(&tile.of(output)?, &normed, self.weight(projection)?, 1.0)?;
            }
        }
        let [q, k, _] = &outputs;
        rotate(q, self.wiring.head_dim(), &pass.angles, Rotation::Forward)?;
        rotate(k, self.wiring.head_dim(), &pass.angles, Rotation::Forward)?;
        Ok(outputs)
    }

    fn mlp(&self, gate: &Tensor, up: &Tensor) -> Result<Tensor> {
        let hidden = swiglu(gate, up)?;
        Ok(linear(&hidden, self.weight("mlp.down_proj")?, None)?)
    }

    /// Replaces `input` `[tokens, d_side]` by the block's output: it must be nobody else's. With a
    /// cache, the tokens continue what it holds.
    pub fn forward(
        &self,
        input: &Tensor,
        pass: &SidePass<'_>,
        cache: Option<&mut LayerCache>,
    ) -> Result<()> {
        let [q, k, v] = self.project(input, pass)?;
        let keys = Cached::of(cache, pass.input.batch, k, v)?;
        let attention = self.attention(pass, keys.tokens, keys.capacity);
        for tile in &pass.tiles {
            let x = tile.of(input)?;
            let attended = attention.forward_tile(tile, &q, &keys.keys, &keys.values)?;
            let o = self.weight("attention.o_proj")?;
            accumulate_linear(&x, &attended.output, o, 1.0)?;
            let normed = self.norm(&x)?;
            let gate = linear(&normed, self.weight("mlp.gate_proj")?, None)?;
            let up = linear(&normed, self.weight("mlp.up_proj")?, None)?;
            elementwise::add(&x, &self.mlp(&gate, &up)?)?;
        }
        Ok(())
    }

    /// The same for an `input` that is kept, with all activations.
    pub fn forward_keeping(
        &self,
        input: &Tensor,
        pass: &SidePass<'_>,
    ) -> Result<(Tensor, SideActivations)> {
        let SideActivations { attention, .. } = self.recompute(input, pass)?;
        let d_ff = self.weight("mlp.gate_proj")?.dim(0)?;
        let wide = || elementwise::zeros((input.dim(0)?, d_ff), input.dtype(), input.device());
        let kept = MlpActivations {
            middle: elementwise::zeros_like(input)?,
            gate: wide()?,
            up: wide()?,
        };
        let output = elementwise::zeros_like(input)?;
        for tile in &pass.tiles {
            let MlpActivations { middle, gate, up } = kept.of_tile(tile)?;
            let attended = tile.of(&attention.attended.output)?;
            elementwise::add(&middle, &tile.of(input)?)?;
            let o = self.weight("attention.o_proj")?;
            accumulate_linear(&middle, &attended, o, 1.0)?;
            let normed = self.norm(&middle)?;
            accumulate_linear(&gate, &normed, self.weight("mlp.gate_proj")?, 1.0)?;
            accumulate_linear(&up, &normed, self.weight("mlp.up_proj")?, 1.0)?;
            let output = tile.of(&output)?;
            elementwise::add(&output, &self.mlp(&gate, &up)?)?;
            elementwise::add(&output, &middle)?;
        }
        let activations = SideActivations {
            attention,
            mlp: Some(kept),
        };
        Ok((output, activations))
    }

    /// What the backward cannot make tile by tile: attention's activations.
    pub fn recompute(&self, input: &Tensor, pass: &SidePass<'_>) -> Result<SideActivations> {
        let [q, k, v] = self.project(input, pass)?;
        let seq = pass.input.seq;
        let attended = self.attention(pass, seq, seq).forward(&q, &k, &v)?;
        Ok(SideActivations {
            attention: AttentionActivations { q, k, v, attended },
            mlp: None,
        })
    }

    /// Adds the block's gradients, and turns `grad` `[tokens, d_side]`, the gradient of the output,
    /// into the one of `input`.
    pub fn backward(
        &self,
        gradients: &Parameters,
        input: &Tensor,
        activations: SideActivations,
        pass: &SidePass<'_>,
        grad: &Tensor,
    ) -> Result<()> {
        let SideActivations { attention, mlp } = activations;
        let d_attended = elementwise::zeros_like(input)?;
        for tile in &pass.tiles {
            let attended = tile.of(&attention.attended.output)?;
            let half = match &mlp {
                Some(mlp) => mlp.of_tile(tile)?,
                None => self.recompute_half(&tile.of(input)?, &attended)?,
            };
            let grad = tile.of(grad)?;
            self.mlp_backward(gradients, &half, &grad)?;
            // Attention: middle = input + o(attention(q, k, v))
            self.accumulate(gradients, "attention.o_proj", &attended, &grad)?;
            let o = self.weight("attention.o_proj")?;
            accumulate_input_gradient(&tile.of(&d_attended)?, o, &grad)?;
        }
        drop(mlp);
        let AttentionActivations { q, k, v, attended } = attention;
        let seq = pass.input.seq;
        let d = self
            .attention(pass, seq, seq)
            .backward((&q, &k, &v), &attended, &d_attended)?;
        drop((q, k, v, attended, d_attended));
        self.project_backward(gradients, input, &d, pass, grad)
    }

    fn accumulate(
        &self,
        gradients: &Parameters,
        projection: &str,
        x: &Tensor,
        grad: &Tensor,
    ) -> Result<()> {
        let weight_gradient = gradients.get(&self.name(projection))?;
        Ok(accumulate_weight_gradient(weight_gradient, x, grad)?)
    }

    /// What [`Self::forward_keeping`] keeps of the MLP, for one tile.
    fn recompute_half(&self, input: &Tensor, attended: &Tensor) -> Result<MlpActivations> {
        let middle = elementwise::copy(input)?;
        let o = self.weight("attention.o_proj")?;
        accumulate_linear(&middle, attended, o, 1.0)?;
        let normed = self.norm(&middle)?;
        let gate = linear(&normed, self.weight("mlp.gate_proj")?, None)?;
        let up = linear(&normed, self.weight("mlp.up_proj")?, None)?;
        Ok(MlpActivations { middle, gate, up })
    }

    /// MLP: output = middle + down(swiglu(gate, up)). Turns one tile's gradient of the output into
    /// the one of `middle`.
    fn mlp_backward(
        &self,
        gradients: &Parameters,
        MlpActivations { middle, gate, up }: &MlpActivations,
        grad: &Tensor,
    ) -> Result<()> {
        self.accumulate(gradients, "mlp.down_proj", &swiglu(gate, up)?, grad)?;
        let d_hidden = linear_backward_input(self.weight("mlp.down_proj")?, grad)?;
        let (d_gate, d_up) = swiglu_backward(gate, up, &d_hidden)?;
        drop(d_hidden);
        let normed = self.norm(middle)?;
        self.accumulate(gradients, "mlp.gate_proj", &normed, &d_gate)?;
        self.accumulate(gradients, "mlp.up_proj", &normed, &d_up)?;
        drop(normed);
        let d_normed = linear_backward_input(self.weight("mlp.gate_proj")?, &d_gate)?;
        accumulate_input_gradient(&d_normed, self.weight("mlp.up_proj")?, &d_up)?;
        drop((d_gate, d_up));
        Ok(elementwise::add(
            grad,
            &self.norm_backward(middle, &d_normed)?,
        )?)
    }

    fn project_backward(
        &self,
        gradients: &Parameters,
        input: &Tensor,
        d: &AttentionGradients,
        pass: &SidePass<'_>,
        grad: &Tensor,
    ) -> Result<()> {
        let head_dim = self.wiring.head_dim();
        rotate(&d.queries, head_dim, &pass.angles, Rotation::Backward)?;
        rotate(&d.keys, head_dim, &pass.angles, Rotation::Backward)?;
        for tile in &pass.tiles {
            let input = tile.of(input)?;
            let normed = self.norm(&input)?;
            let d_normed = elementwise::zeros_like(&input)?;
            for (projection, d) in QKV.into_iter().zip([&d.queries, &d.keys, &d.values]) {
                let d = tile.of(d)?;
                self.accumulate(gradients, projection, &normed, &d)?;
                accumulate_input_gradient(&d_normed, self.weight(projection)?, &d)?;
            }
            drop(normed);
            let through = self.norm_backward(&input, &d_normed)?;
            elementwise::add(&tile.of(grad)?, &through)?;
        }
        Ok(())
    }
}

const QKV: [&str; 3] = ["attention.q_proj", "attention.k_proj", "attention.v_proj"];

impl MlpActivations {
    fn of_tile(&self, tile: &TokenTile) -> Result<Self> {
        Ok(Self {
            middle: tile.of(&self.middle)?,
            gate: tile.of(&self.gate)?,
            up: tile.of(&self.up)?,
        })
    }
}
