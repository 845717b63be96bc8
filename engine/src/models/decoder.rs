//! The frozen decoder every family shares. Its forward pass builds no graph and keeps nothing: each
//! block's output is shown to an observer, who may keep it as a tap, and is then gone.

use std::ops::ControlFlow;

use candle_core::{DType, Device, Tensor};

use super::checkpoint::Checkpoint;
use super::compute::Compute;
use super::config::DecoderConfig;
use super::kv_cache::KvCache;
use super::layers::{Additions, Block, BlockActivations, Pass, Weights};
use super::loading::{Loading, Told};
use super::quantization::BackboneQuantization;
use crate::Result;
use crate::ops::elementwise;
use crate::ops::frozen_linear::FrozenLinear;
use crate::ops::frozen_matrix::FrozenMatrix;
use crate::ops::rms_norm::rms_norm;
use crate::ops::rope::RotaryEmbedding;

/// Tokens going through a decoder: `batch` rows of `seq` tokens, row-major.
#[derive(Clone, Copy, Debug)]
pub struct TokenInput<'a> {
    /// Token ids, `[batch * seq]`.
    pub ids: &'a [u32],
    /// Position of each token inside its own example, `[batch * seq]`.
    pub positions: &'a [u32],
    /// First key each token may see, `[batch * seq]`; empty: all from 0. Marks documents in a row.
    pub first_visible: &'a [u32],
    /// Rows.
    pub batch: usize,
    /// Tokens per row.
    pub seq: usize,
}

/// A frozen backbone.
pub struct Decoder {
    config: DecoderConfig,
    /// `[vocabulary, d_model]`
    embedding: FrozenMatrix,
    /// Factor on the embeddings, rounded to their type as the model was trained with it.
    embedding_scale: Option<f64>,
    rotary: RotaryEmbedding,
    /// Of the blocks with a window, where they differ.
    window_rotary: Option<RotaryEmbedding>,
    blocks: Vec<Block>,
    final_norm: Tensor,
    head: FrozenLinear,
    compute: Compute,
    /// Tokens that went through, for tests that count them.
    #[cfg(test)]
    tokens_run: std::sync::atomic::AtomicUsize,
}

impl Decoder {
    /// Loads the backbone's weights into RAM, where it computes in f32.
    ///
    /// # Errors
    /// When a tensor is missing or does not fit the configuration.
    pub fn load(
        config: DecoderConfig,
        checkpoint: &Checkpoint,
        quantization: BackboneQuantization,
    ) -> Result<Self> {
        Self::load_telling(
            config,
            checkpoint,
            quantization,
            &Compute::cpu(),
            &mut |_| ControlFlow::Continue(()),
        )
    }

    /// The same where it is to compute, telling how far it has come.
    ///
    /// # Errors
    /// As [`Self::load`], and [`crate::Error::Stopped`] when it is told to end.
    pub fn load_telling(
        config: DecoderConfig,
        checkpoint: &Checkpoint,
        quantization: BackboneQuantization,
        compute: &Compute,
        told: Told<'_>,
    ) -> Result<Self> {
        let loading = Loading::begin(checkpoint, told)?;
        let weights = Weights::new(&config, checkpoint, (quantization, compute), &loading);
        let (embedding, head) = weights.embedding_and_head()?;
        let blocks = (0..config.layers)
            .map(|layer| Block::load(&config, &weights, layer))
            .collect::<Result<Vec<_>>>()?;
        let final_norm = weights.norm("norm", config.d_model)?;
        let embedding_scale = weights.embedding_scale();
        loading.finish()?;
        Ok(Self {
            rotary: config.rope.rotary_embedding(config.head_dim),
            window_rotary: config
                .window_rope
                .as_ref()
                .map(|rope| rope.rotary_embedding(config.head_dim)),
            blocks,
            final_norm,
            head: FrozenLinear::new(head, None)?.computing_in(compute.activations()),
            embedding_scale,
            embedding,
            config,
            compute: compute.clone(),
            #[cfg(test)]
            tokens_run: Default::default(),
        })
    }

    /// Tokens that went through so far.
    #[cfg(test)]
    pub(crate) fn tokens_run(&self) -> usize {
        self.tokens_run.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Sizes and switches.
    pub fn config(&self) -> &DecoderConfig {
        &self.config
    }

    /// Where it computes, and in which type.
    pub fn compute(&self) -> &Compute {
        &self.compute
    }

    /// Runs all blocks and returns the last one's output `[batch * seq, d_model]`, before the final
    /// norm. `observe(i, x_i)` sees the output of block `i` (1..=layers) right after it was made; the
    /// next block replaces it, so whoever wants to keep it copies it. With a cache, the tokens
    /// continue what it holds.
    ///
    /// # Errors
    /// When an id lies outside the vocabulary, or the observer fails.
    pub fn forward(
        &self,
        input: TokenInput<'_>,
        cache: Option<&mut KvCache>,
        observe: impl FnMut(usize, &Tensor) -> Result<()>,
    ) -> Result<Tensor> {
        self.forward_with(input, cache, None, observe)
    }

    /// The same with something added to the linear maps of the blocks.
    ///
    /// # Errors
    /// As [`Self::forward`], and when what is added does not fit.
    pub fn forward_with(
        &self,
        input: TokenInput<'_>,
        mut cache: Option<&mut KvCache>,
        additions: Option<&dyn Additions>,
        mut observe: impl FnMut(usize, &Tensor) -> Result<()>,
    ) -> Result<Tensor> {
        #[cfg(test)]
        { &self.tokens_run }.fetch_add(input.ids.len(), std::sync::atomic::Ordering::Relaxed);
        let pass = self.pass(input, additions);
        let x = self.embed(input.ids)?;
        for (layer, block) in self.blocks.iter().enumerate() {
            let layer_cache = cache.as_deref_mut().and_then(|cache| cache.layer(layer));
            block.forward(&x, &pass, layer_cache)?;
            observe(layer + 1, &x)?;
        }
        if let Some(cache) = cache {
            cache.advance(input.seq);
        }
        Ok(x)
    }

    /// What the blocks share when they are driven one by one, for training through them.
    pub fn pass<'a>(
        &'a self,
        input: TokenInput<'a>,
        additions: Option<&'a dyn Additions>,
    ) -> Pass<'a> {
        Pass {
            config: &self.config,
            input,
            angles: self.rotary.angles_of_rows(input.positions, input.seq),
            window_angles: self
                .window_rotary
                .as_ref()
                .map(|rope| rope.angles_of_rows(input.positions, input.seq)),
            additions,
        }
    }

    /// Replaces the input `x` `[batch * seq, d_model]` of block `layer` (from 0) by its output.
    ///
    /// # Errors
    /// When shapes do not fit.
    ///
    /// # Panics
    /// When there is no such block.
    pub fn forward_block(&self, layer: usize, x: &Tensor, pass: &Pass<'_>) -> Result<()> {
        self.blocks[layer].forward(x, pass, None)
    }

    /// Output of block `layer` for an input that is kept, and what its backward needs.
    ///
    /// # Errors
    /// When shapes do not fit.
    ///
    /// # Panics
    /// When there is no such block.
    pub fn forward_block_keeping(
        &self,
        layer: usize,
        x: &Tensor,
        pass: &Pass<'_>,
    ) -> Result<(Tensor, BlockActivations)> {
        self.blocks[layer].forward_keeping(x, pass)
    }

    /// Makes again what the backward of block `layer` needs; less than
    /// [`Self::forward_block_keeping`] keeps, for the rest is made tile by tile.
    ///
    /// # Errors
    /// When shapes do not fit.
    ///
    /// # Panics
    /// When there is no such block.
    pub fn recompute_block(
        &self,
        layer: usize,
        x: &Tensor,
        pass: &Pass<'_>,
    ) -> Result<BlockActivations> {
        self.blocks[layer].recompute(x, pass)
    }

    /// Turns `grad`, the gradient of the output, into the one of the input `x`, in place.
    ///
    /// # Errors
    /// When shapes do not fit.
    ///
    /// # Panics
    /// When there is no such block.
    pub fn backward_block(
        &self,
        layer: usize,
        x: &Tensor,
        activations: BlockActivations,
        pass: &Pass<'_>,
        grad: &Tensor,
    ) -> Result<()> {
        self.blocks[layer].backward(x, activations, pass, grad)
    }

    /// Whether an example that grows from `before` to `after` tokens can no longer use what a cache
    /// holds of it: LongRoPE turns keys otherwise beyond the trained length.
    pub fn outgrows_cache(&self, before: usize, after: usize) -> bool {
        self.rotary.changes_between(before, after)
            || self
                .window_rotary
                .as_ref()
                .is_some_and(|rope| rope.changes_between(before, after))
    }

    /// The rows of the embedding for these tokens, in the type of activations: `[tokens, d_model]`.
    ///
    /// # Errors
    /// When an id lies outside the vocabulary.
    pub fn embed(&self, ids: &[u32]) -> Result<Tensor> {
        let (device, dtype) = (self.compute.device(), self.compute.activations());
        if self.embedding.device().same_device(device) {
            let rows = self.embedding.gather(ids, dtype)?;
            self.scale_embeddings(&rows)?;
            return Ok(rows);
        }
        let rows = self.embedding.gather(ids, DType::F32)?;
        self.scale_embeddings(&rows)?;
        Ok(rows.to_dtype(dtype)?.to_device(device)?)
    }

    fn scale_embeddings(&self, rows: &Tensor) -> Result<()> {
        match self.embedding_scale {
            Some(scale) => Ok(elementwise::scale(rows, scale)?),
            None => Ok(()),
        }
    }

    /// The final norm's weight, `[d_model]`.
    pub fn final_norm(&self) -> &Tensor {
        &self.final_norm
    }

    /// The language-model head.
    pub fn head(&self) -> &FrozenLinear {
        &self.head
    }

    /// Logits `[tokens, vocabulary]` of hidden states before the final norm; a card's are brought to
    /// RAM and to f32. For a few tokens only: training uses `linear_cross_entropy`.
    ///
    /// # Errors
    /// When the width does not fit.
    pub fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        // On a card the sum of the last block and what an adapter adds is not rounded further.
        let hidden = &elementwise::to_type(hidden, DType::F32)?;
        let normed = rms_norm(hidden, Some(&self.final_norm), self.config.norm_eps)?;
        let mut logits = self.head.forward(&normed)?;
        if logits.device().is_cuda() {
            logits = elementwise::to_type(&logits, DType::F32)?.to_device(&Device::Cpu)?;
        }
        Ok(match self.config.final_soft_cap {
            Some(cap) => ((logits / cap)?.tanh()? * cap)?,
            None => logits,
        })
    }
}
