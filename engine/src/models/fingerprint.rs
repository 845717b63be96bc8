//! Recognizes the base model an adapter was trained on. Three parts: the architecture (sizes and
//! switches), the stored content (each tensor's name, shape, type and sampled bytes), and a few
//! sampled values. The same architecture with other bytes is another model when the types agree;
//! when they differ, the sampled values tell whether it is the same model stored in another type.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::checkpoint::Checkpoint;
use super::config::DecoderConfig;
use super::layers;

/// Identifies a base model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BaseFingerprint {
    /// Sizes and switches by name, readable.
    pub architecture: BTreeMap<String, String>,
    /// Hash over each tensor's name, shape, type and sampled bytes.
    pub content: String,
    /// Hash over each tensor's stored type.
    pub types: String,
    /// Sampled weight values, layer by layer.
    pub samples: Vec<f32>,
}

/// How another model relates to the one a fingerprint was taken of.
#[derive(Clone, Debug, PartialEq)]
pub enum Likeness {
    /// The same bytes.
    Same,
    /// The same weights, stored in other types.
    OtherTypes,
    /// Another model; says how it was noticed.
    Different(String),
}

/// Layers that contribute values, spread evenly over all.
const SAMPLED_LAYERS: usize = 16;
/// Values taken from each of a layer's two sampled weights.
const SAMPLES_PER_TENSOR: usize = 8;
/// Bytes hashed at each of three places of a tensor.
const SAMPLED_BYTES: usize = 4096;
/// Parts of the architecture that file formats put differently or leave out.
const WORDED_DIFFERENTLY: [&str; 4] = ["family", "rope", "windows", "window_rope"];
/// Correlation of sampled values above which two storages hold the same weights; rounding to a few
/// bits keeps it above 0.95, unrelated weights stay near 0.
const SAME_WEIGHTS: f64 = 0.9;

impl BaseFingerprint {
    /// Of a model on disk; reads a few kilobytes of each tensor.
    pub fn of(config: &DecoderConfig, checkpoint: &Checkpoint) -> Self {
        let mut content = blake3::Hasher::new();
        let mut types = blake3::Hasher::new();
        for tensor in checkpoint.tensors() {
            let stored = tensor.stored.name();
            let head = format!("{}\0{:?}\0{stored}\0", tensor.name, tensor.shape);
            content.update(head.as_bytes());
            types.update(head.as_bytes());
            let last = tensor.bytes.len().saturating_sub(SAMPLED_BYTES);
            for start in [0, last / 2, last] {
                let end = (start + SAMPLED_BYTES).min(tensor.bytes.len());
                content.update(&tensor.bytes[start..end]);
            }
        }
        Self {
            architecture: architecture(config),
            content: content.finalize().to_hex().to_string(),
            types: types.finalize().to_hex().to_string(),
            samples: samples(config, checkpoint),
        }
    }

    /// What `other` is, seen from this one.
    pub fn compare(&self, other: &Self) -> Likeness {
        if self == other {
            return Likeness::Same;
        }
        let same_types = self.types == other.types;
        let differs = |(name, value): &(&String, &String)| {
            let matters = same_types || !WORDED_DIFFERENTLY.contains(&name.as_str());
            matters && other.architecture.get(*name) != Some(value)
        };
        if let Some((name, value)) = self.architecture.iter().find(differs) {
            let theirs = other
                .architecture
                .get(name)
                .map_or("unknown", String::as_str);
            return Likeness::Different(format!("it needs {name} {value}, this has {theirs}"));
        }
        if same_types {
            return Likeness::Different("same architecture, other weights".to_owned());
        }
        match correlation(&self.samples, &other.samples) {
            Some(value) if value > SAME_WEIGHTS => Likeness::OtherTypes,
            _ => Likeness::Different("same architecture, other weights".to_owned()),
        }
    }
}

fn architecture(config: &DecoderConfig) -> BTreeMap<String, String> {
    let part = |name: &str, value: &dyn std::fmt::Debug| (name.to_owned(), format!("{value:?}"));
    // Destructured, so that a new switch cannot be forgotten here.
    let DecoderConfig {
        family,
        vocabulary,
        d_model,
        layers,
        heads,
        kv_heads,
        head_dim,
        d_ff,
        norm_eps,
        rope,
        max_positions: _,
        tied_head,
        qkv_bias,
        output_bias,
        mlp_bias,
        qk_norm,
        norms_around_one,
        sandwich_norms,
        fused_projections,
        activation,
        attention_scale,
        attention_soft_cap,
        final_soft_cap,
        embedding_scale,
        windows,
        window_rope,
        eos_tokens: _,
    } = config;
    BTreeMap::from([
        part("family", family),
        part("vocabulary", vocabulary),
        part("d_model", d_model),
        part("layers", layers),
        part("heads", heads),
        part("kv_heads", kv_heads),
        part("head_dim", head_dim),
        part("d_ff", d_ff),
        part("norm_eps", norm_eps),
        part("rope", rope),
        part("tied_head", tied_head),
        part("biases", &(qkv_bias, output_bias, mlp_bias)),
        part("qk_norm", qk_norm),
        part("norms", &(norms_around_one, sandwich_norms)),
        part("fused_projections", fused_projections),
        part("activation", activation),
        part("attention", &(attention_scale, attention_soft_cap)),
        part("final_soft_cap", final_soft_cap),
        part("embedding_scale", embedding_scale),
        part("windows", windows),
        part("window_rope", window_rope),
    ])
}

/// Numbers of weights that every family and file format stores alike: never fused with others, rows
/// never reordered.
fn samples(config: &DecoderConfig, checkpoint: &Checkpoint) -> Vec<f32> {
    let root = layers::root(checkpoint);
    (0..SAMPLED_LAYERS.min(config.layers))
        .map(|sample| (config.layers - 1) * sample / (SAMPLED_LAYERS - 1))
        .flat_map(|layer| {
            ["self_attn.o_proj", "mlp.down_proj"].map(|part| {
                let name = format!("{root}.layers.{layer}.{part}.weight");
                checkpoint.sampled(&name, SAMPLES_PER_TENSOR)
            })
        })
        .flatten()
        .flatten()
        .map(|value| if value.is_finite() { value } else { 0.0 })
        .collect()
}

/// Pearson's correlation; none when it is not defined.
fn correlation(a: &[f32], b: &[f32]) -> Option<f64> {
    if a.len() != b.len() || a.len() < 3 {
        return None;
    }
    let mean = |v: &[f32]| v.iter().map(|&x| f64::from(x)).sum::<f64>() / v.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut cross, mut square_a, mut square_b) = (0.0, 0.0, 0.0);
    for (&a, &b) in a.iter().zip(b) {
        let (a, b) = (f64::from(a) - mean_a, f64::from(b) - mean_b);
        cross += a * b;
        square_a += a * a;
        square_b += b * b;
    }
    let scale = (square_a * square_b).sqrt();
    (scale > 0.0).then(|| cross / scale)
}
