//! Predicted against measured: random models of many shapes are trained for a step with each method,
//! and the most the allocator counted is held against the plan.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::json;
use stepladder_protocol::{Method, Quantize, RunConfig, Switch};

use super::estimate::{BatchShape, EstimatedModel, estimate_resolved};
use super::optimizer::AdamW;
use super::plan::{ModelPlan, RunPlan};
use super::targeted_input;
use crate::adapters::network::Network;
use crate::datasets::batch::TokenBatch;
use crate::memory::{DeviceClass, MemoryPlan, Part, probe};
use crate::models::checkpoint::Checkpoint;
use crate::models::config::DecoderConfig;
use crate::models::decoder::Decoder;
use crate::models::stored_type::StoredType;
use crate::ops::cpu::prepare_workers;
use crate::ops::linear_cross_entropy::Gradient;
use crate::{Error, Result};

/// Sizes of a random model, shaped like Llama.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RandomModel {
    /// Blocks.
    pub layers: usize,
    /// Width of the hidden states.
    pub d_model: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Width of the MLP.
    pub d_ff: usize,
    /// Tokens.
    pub vocabulary: usize,
    /// Whether the head is the embedding.
    pub tied_head: bool,
}

/// One cell of the grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// The model.
    pub model: RandomModel,
    /// What is asked for.
    pub config: RunConfig,
    /// The micro-batch.
    pub shape: BatchShape,
}

/// What a cell took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Bytes of the backbone.
    pub weights: u64,
    /// Bytes of the adapter's parameters.
    pub adapter: u64,
    /// Bytes of their gradients.
    pub gradients: u64,
    /// Bytes of the optimizer's moments.
    pub optimizer: u64,
    /// Most bytes at once.
    pub peak: u64,
}

/// A cell's plan beside what was measured.
#[derive(Clone, Debug)]
pub struct Compared {
    /// The cell.
    pub cell: Cell,
    /// The plan.
    pub plan: MemoryPlan,
    /// The measurement.
    pub measured: Measured,
}

impl RandomModel {
    /// The model's configuration.
    ///
    /// # Errors
    /// When sizes contradict each other.
    pub fn config(&self) -> Result<DecoderConfig> {
        let config = json!({
            "model_type": "llama", "vocab_size": self.vocabulary, "hidden_size": self.d_model,
            "num_hidden_layers": self.layers, "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads, "intermediate_size": self.d_ff,
            "rms_norm_eps": 1e-5, "max_position_embeddings": 1 << 20,
            "tie_word_embeddings": self.tied_head,
        });
        DecoderConfig::from_json(Path::new("random"), config.to_string().as_bytes())
    }

    /// Random weights in bfloat16.
    fn checkpoint(&self) -> Result<Checkpoint> {
        let (d, f) = (self.d_model, self.d_ff);
        let kv = d / self.heads * self.kv_heads;
        let mut shapes = BTreeMap::new();
        let mut add =
            |name: String, shape: Vec<usize>| shapes.insert(format!("{name}.weight"), shape);
        add("model.embed_tokens".to_owned(), vec![self.vocabulary, d]);
        add("model.norm".to_owned(), vec![d]);
        if !self.tied_head {
            add("lm_head".to_owned(), vec![self.vocabulary, d]);
        }
        for layer in 0..self.layers {
            let name = |module: &str| format!("model.layers.{layer}.{module}");
            for (module, rows, columns) in [
                ("self_attn.q_proj", d, d),
                ("self_attn.k_proj", kv, d),
                ("self_attn.v_proj", kv, d),
                ("self_attn.o_proj", d, d),
                ("mlp.gate_proj", f, d),
                ("mlp.up_proj", f, d),
                ("mlp.down_proj", d, f),
            ] {
                add(name(module), vec![rows, columns]);
            }
            for norm in ["input_layernorm", "post_attention_layernorm"] {
                add(name(norm), vec![d]);
            }
        }
        let largest = shapes
            .values()
            .map(|shape| shape.iter().product::<usize>())
            .max();
        let numbers = random_bf16(largest.unwrap_or(0));
        let views = shapes.iter().map(|(name, shape)| {
            let bytes = 2 * shape.iter().product::<usize>();
            let view = TensorView::new(Dtype::BF16, shape.clone(), &numbers[..bytes]);
            view.map(|view| (name.as_str(), view))
        });
        let file = views
            .collect::<Result<Vec<_>, _>>()
            .and_then(|views| safetensors::serialize(views, None))
            .map_err(|error| Error::Tensor(candle_core::Error::wrap(error)))?;
        Checkpoint::from_bytes(Path::new("random"), file)
    }
}

/// Small numbers around zero; which ones does not matter.
fn random_bf16(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut bytes = Vec::with_capacity(2 * count);
    for _ in 0..count {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        // 2^-6 to 2^-5, with either sign
        let number = 0x3c80 | (state >> 48) as u16 & 0x807f;
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes
}

impl Cell {
    /// The cell's plan on this machine's CPU.
    ///
    /// # Errors
    /// Names the field of the config that cannot be.
    pub fn plan(&self, threads: usize) -> Result<MemoryPlan> {
        let model = EstimatedModel::new(self.model.config()?, StoredType::BF16);
        let resolved = ModelPlan::resolve(&self.config, &model.config)?;
        let device = DeviceClass::cpu(threads);
        Ok(estimate_resolved(
            &self.config,
            &resolved,
            &model,
            device,
            self.shape,
        ))
    }

    /// Loads the model and trains for one micro-batch, counting.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn measure(&self) -> Result<Measured> {
        let config = self.model.config()?;
        let checkpoint = self.model.checkpoint()?;
        let resolved = ModelPlan::resolve(&self.config, &config)?;
        let BatchShape { batch, seq } = self.shape;
        let plan = RunPlan::resolve(&self.config, &resolved, &[seq])?;
        let taken = |from: u64| probe::current_bytes().saturating_sub(from);

        prepare_workers();
        let start = probe::current_bytes();
        let backbone = Decoder::load(config, &checkpoint, resolved.quantization)?;
        let weights = taken(start);
        // What is mapped from a file in a run is held here, and none of the run's.
        let file = probe::current_bytes();
        drop(checkpoint);
        let start = start - (file - probe::current_bytes());
        let before = probe::current_bytes();
        let network = Network::initialize(resolved.shape, 1)?;
        let adapter = taken(before);
        let before = probe::current_bytes();
        let mut optimizer = AdamW::new(plan.optimizer, network.parameters())?;
        let moments = taken(before);
        let before = probe::current_bytes();
        let gradients = network.parameters().zeros_like()?;
        let gradient_bytes = taken(before);

        let batch = TokenBatch::of_length(batch, seq, backbone.config().vocabulary);
        probe::reset_peak();
        let gradient = Gradient::Scaled(1.0 / batch.target_ids.len() as f64);
        let input = targeted_input(&batch);
        network.loss(&backbone, input, (plan.training, 0), gradient, &gradients)?;
        optimizer.update(network.parameters(), &gradients, resolved.learning_rate)?;
        Ok(Measured {
            weights,
            adapter,
            gradients: gradient_bytes,
            optimizer: moments,
            peak: probe::peak_bytes() - start,
        })
    }

    /// Both.
    ///
    /// # Errors
    /// As [`Self::plan`] and [`Self::measure`].
    pub fn compare(&self, threads: usize) -> Result<Compared> {
        Ok(Compared {
            plan: self.plan(threads)?,
            measured: self.measure()?,
            cell: self.clone(),
        })
    }
}

impl Compared {
    /// Relative error of the whole, plan minus measurement.
    pub fn error(&self) -> f64 {
        relative(self.plan.total_bytes, self.measured.peak)
    }

    /// Relative error of everything but the weights.
    pub fn error_without_weights(&self) -> f64 {
        relative(
            self.plan.total_bytes - self.plan.part(Part::Weights),
            self.measured.peak - self.measured.weights,
        )
    }
}

fn relative(plan: u64, measured: u64) -> f64 {
    (plan as f64 - measured as f64) / measured.max(1) as f64
}

/// Cells over methods, models, contexts, batches, quantization and recomputation.
pub fn grid() -> Vec<Cell> {
    let model = |layers, d_model, heads, kv_heads, d_ff, vocabulary, tied_head| RandomModel {
        layers,
        d_model,
        heads,
        kv_heads,
        d_ff,
        vocabulary,
        tied_head,
    };
    let models = [
        model(6, 256, 4, 4, 704, 4096, true),
        model(12, 512, 8, 2, 1408, 16384, true),
        model(20, 768, 12, 12, 2048, 32000, false),
        model(24, 1024, 16, 4, 2816, 32000, false),
    ];
    let shapes = [(1, 512), (4, 256), (2, 1024), (1, 2048)];
    let mut cells = Vec::new();
    for (number, model) in models.into_iter().enumerate() {
        for method in [Method::Ladder, Method::Xladder, Method::Qlora, Method::Lora] {
            for (index, recompute) in [Switch::Off, Switch::On].into_iter().enumerate() {
                for pick in 0..2 {
                    // Every method and model meets every shape, half with each recomputation.
                    let (batch, seq) = shapes[(number + 2 * pick + index) % shapes.len()];
                    let quantize = match method {
                        Method::Qlora => Quantize::Nf4,
                        Method::Lora => Quantize::None,
                        _ if pick == 0 => Quantize::Nf4,
                        _ => Quantize::None,
                    };
                    cells.push(Cell {
                        model,
                        config: RunConfig {
                            method,
                            quantize,
                            recompute: Some(recompute),
                            batch_size: batch,
                            effective_batch_size: batch,
                            context: Some(seq),
                            ..RunConfig::default()
                        },
                        shape: BatchShape { batch, seq },
                    });
                }
            }
        }
    }
    cells
}
