//! The parts of a frozen decoder block, and how they find their weights in a checkpoint.

mod additions;
mod attention;
mod block;
mod mlp;

use candle_core::{DType, Device, Tensor};
use half::{bf16, f16};
use stepladder_protocol::Switch;

pub use self::additions::{Additions, LinearMap, Place};
pub(super) use self::block::Block;
pub use self::block::BlockActivations;
use super::checkpoint::{Checkpoint, FileFormat};
use super::compute::Compute;
use super::config::DecoderConfig;
use super::decoder::TokenInput;
use super::loading::Loading;
use super::quantization::{BackboneQuantization, Quantization};
use super::stored_type::StoredType;
use crate::ops::frozen_linear::FrozenLinear;
use crate::ops::frozen_matrix::FrozenMatrix;
use crate::ops::rms_norm::{rms_norm, rms_norm_backward};
use crate::ops::rope::Angles;
use crate::ops::token_tiles::{TokenTile, token_tiles};
use crate::{Error, Result};

/// What every block of one forward pass shares.
pub struct Pass<'a> {
    pub(super) config: &'a DecoderConfig,
    pub(super) input: TokenInput<'a>,
    pub(super) angles: Angles,
    /// Of the blocks with a window, where they differ.
    pub(super) window_angles: Option<Angles>,
    /// What is added to the linear maps.
    pub(super) additions: Option<&'a dyn Additions>,
}

impl Pass<'_> {
    fn tiles(&self) -> Vec<TokenTile> {
        token_tiles(self.input.batch, self.input.seq)
    }

    fn angles(&self, window: Option<usize>) -> &Angles {
        match (&self.window_angles, window) {
            (Some(angles), Some(_)) => angles,
            _ => &self.angles,
        }
    }
}

/// Looks weights up by the names of the checkpoint.
pub(super) struct Weights<'a> {
    config: &'a DecoderConfig,
    checkpoint: &'a Checkpoint,
    quantization: BackboneQuantization,
    compute: &'a Compute,
    loading: &'a Loading<'a>,
    /// What stands before `layers.0...`: multimodal models keep their language model deeper down.
    root: &'static str,
}

const ROOTS: [&str; 3] = ["model", "language_model.model", "model.language_model"];
const EMBEDDING: &str = "embed_tokens.weight";

/// What stands before the names of a checkpoint's tensors. Where there is no embedding at all,
/// loading it says so under the usual name.
pub fn root(checkpoint: &Checkpoint) -> &'static str {
    ROOTS
        .into_iter()
        .find(|root| checkpoint.contains(&format!("{root}.{EMBEDDING}")))
        .unwrap_or(ROOTS[0])
}

/// The embedding's tensor.
pub fn embedding_name(checkpoint: &Checkpoint) -> String {
    format!("{}.{EMBEDDING}", root(checkpoint))
}

/// The tensor of a head that is not the embedding. A model may claim to tie the two and still bring
/// another head (some fine-tunes do); what the file holds is then what was trained, as transformers
/// decides too.
pub fn head_name(config: &DecoderConfig, checkpoint: &Checkpoint) -> Option<&'static str> {
    let names = ["lm_head.weight", "language_model.lm_head.weight"];
    let stored = names.into_iter().find(|name| checkpoint.contains(name));
    if config.tied_head {
        let embedding = embedding_name(checkpoint);
        return stored.filter(|name| !checkpoint.same_bytes(name, &embedding));
    }
    Some(stored.unwrap_or(names[0]))
}

impl<'a> Weights<'a> {
    pub(super) fn new(
        config: &'a DecoderConfig,
        checkpoint: &'a Checkpoint,
        (quantization, compute): (BackboneQuantization, &'a Compute),
        loading: &'a Loading<'a>,
    ) -> Self {
        Self {
            config,
            checkpoint,
            quantization,
            compute,
            loading,
            root: root(checkpoint),
        }
    }

    fn name(&self, name: &str) -> String {
        format!("{}.{name}", self.root)
    }

    /// Embedding and head, `[vocabulary, d_model]`: one matrix, in the form that is asked for the
    /// head, where the model ties them; otherwise the embedding is as it is stored.
    pub(super) fn embedding_and_head(&self) -> Result<(FrozenMatrix, FrozenMatrix)> {
        let embedding = self.name(EMBEDDING);
        match head_name(self.config, self.checkpoint) {
            None => {
                let both = self.vocabulary_matrix(&embedding, self.quantization.head)?;
                let both = both.to_device(self.compute.device())?;
                Ok((both.clone(), both))
            }
            Some(head) => {
                let rows = self.vocabulary_matrix(&embedding, Quantization::AsStored)?;
                let head = self.vocabulary_matrix(head, self.quantization.head)?;
                let rows = match self.compute.embeddings_in_ram() {
                    Switch::On => rows,
                    Switch::Off => rows.to_device(self.compute.device())?,
                };
                Ok((rows, head.to_device(self.compute.device())?))
            }
        }
    }

    fn vocabulary_matrix(&self, name: &str, quantization: Quantization) -> Result<FrozenMatrix> {
        let shape = [self.config.vocabulary, self.config.d_model];
        self.matrix_in_ram(name, shape, quantization)
    }

    /// A matrix where it is computed with.
    fn matrix(
        &self,
        name: &str,
        shape: [usize; 2],
        quantization: Quantization,
    ) -> Result<FrozenMatrix> {
        let matrix = self.matrix_in_ram(name, shape, quantization)?;
        Ok(matrix.to_device(self.compute.device())?)
    }

    fn matrix_in_ram(
        &self,
        name: &str,
        shape: [usize; 2],
        quantization: Quantization,
    ) -> Result<FrozenMatrix> {
        let matrix = self.checkpoint.load_matrix(name, shape, quantization)?;
        self.loaded(name)?;
        Ok(matrix)
    }

    fn vector(&self, name: &str, width: usize) -> Result<Tensor> {
        let vector = self.checkpoint.load(name, &[width])?;
        self.loaded(name)?;
        Ok(vector)
    }

    fn loaded(&self, name: &str) -> Result<()> {
        let stored = self.checkpoint.tensor(name);
        { self.loading }.loaded(stored.map_or(0, |stored| stored.bytes.len()))
    }

    /// The factor on the embeddings. transformers rounds it to the type of the weights, and so the
    /// model was trained; llama.cpp, whose files do not tell that type, takes it as it is.
    pub(super) fn embedding_scale(&self) -> Option<f64> {
        let scale = self.config.embedding_scale?;
        let embedding = self.checkpoint.tensor(&self.name(EMBEDDING));
        Some(match (self.checkpoint.format(), embedding?.stored) {
            (FileFormat::Safetensors, StoredType::BF16) => bf16::from_f64(scale).to_f64(),
            (FileFormat::Safetensors, StoredType::F16) => f16::from_f64(scale).to_f64(),
            _ => scale,
        })
    }

    /// A norm's weight in f32, as it multiplies.
    pub(super) fn norm(&self, name: &str, width: usize) -> Result<Tensor> {
        let weight = self.vector(&self.name(&format!("{name}.weight")), width)?;
        let weight = weight.to_dtype(DType::F32)?;
        let weight = match self.config.norms_around_one {
            true => (weight + 1.0)?,
            false => weight,
        };
        Ok(weight.to_device(self.compute.device())?)
    }

    fn linear(
        &self,
        name: &str,
        [outputs, inputs]: [usize; 2],
        bias: bool,
    ) -> Result<FrozenLinear> {
        let name = self.name(name);
        let weight = self.matrix(
            &format!("{name}.weight"),
            [outputs, inputs],
            self.quantization.blocks,
        )?;
        let bias = match bias {
            true => Some(self.vector(&format!("{name}.bias"), outputs)?),
            false => None,
        };
        self.frozen(weight, bias)
    }

    /// A linear map where it computes. The bias is added in f32 on a card.
    fn frozen(&self, weight: FrozenMatrix, bias: Option<Tensor>) -> Result<FrozenLinear> {
        let moved = |bias: Tensor| {
            let bias = match self.compute.device() {
                Device::Cpu => bias,
                _ => bias.to_dtype(DType::F32)?,
            };
            bias.to_device(self.compute.device())
        };
        let bias = bias.map(moved).transpose()?;
        let linear = FrozenLinear::new(weight, bias)?;
        Ok(linear.computing_in(self.compute.activations()))
    }

    /// Several linear maps of one input that are stored as one: their rows, one after the other.
    fn fused<const N: usize>(
        &self,
        name: &str,
        outputs: [usize; N],
        inputs: usize,
    ) -> Result<[FrozenLinear; N]> {
        let name = self.name(&format!("{name}.weight"));
        let all = self.matrix(
            &name,
            [outputs.iter().sum(), inputs],
            self.quantization.blocks,
        )?;
        let mut first = 0;
        let mut parts = Vec::with_capacity(N);
        for rows in outputs {
            parts.push(self.frozen(all.view(first..first + rows)?, None)?);
            first += rows;
        }
        parts.try_into().map_err(|_| {
            Error::Tensor(candle_core::Error::Msg(format!(
                "{name} does not have {N} parts"
            )))
        })
    }
}

/// Normalizes every head of `x` `[tokens, heads * head_dim]` by itself.
fn per_head(x: &Tensor, head_dim: usize, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let (tokens, width) = x.dims2()?;
    let heads = x.reshape((tokens * width / head_dim, head_dim))?;
    Ok(rms_norm(&heads, Some(weight), eps)?.reshape((tokens, width))?)
}

/// The backward of [`per_head`].
fn per_head_backward(
    x: &Tensor,
    head_dim: usize,
    weight: &Tensor,
    eps: f64,
    grad: &Tensor,
) -> Result<Tensor> {
    let (tokens, width) = x.dims2()?;
    let shape = (tokens * width / head_dim, head_dim);
    let (heads, grad) = (x.reshape(shape)?, grad.reshape(shape)?);
    Ok(rms_norm_backward(&heads, Some(weight), eps, &grad)?.reshape((tokens, width))?)
}
