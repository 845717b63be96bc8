//! Where a LoRA adapter adds, and how much.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::models::config::DecoderConfig;
use crate::models::layers::LinearMap;
use crate::{Error, Result};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct LoraRequest {
    /// Width of the bottleneck.
    pub rank: usize,
    /// The addition is scaled by `alpha / rank`.
    pub alpha: f64,
    /// Fraction of the inputs that are zeroed while training.
    pub dropout: f64,
    /// Whether it is scaled by `alpha / sqrt(rank)` instead.
    pub rank_stabilized: bool,
    /// Names of linear maps (`q_proj`, ...); none: all of a block.
    pub target_modules: Option<Vec<String>>,
}

/// What is added where; checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoraShape {
    /// Width of the bottleneck.
    pub rank: usize,
    /// The addition is scaled by `alpha / rank`.
    pub alpha: f64,
    /// Fraction of the inputs that are zeroed while training.
    pub dropout: f64,
    /// Whether it is scaled by `alpha / sqrt(rank)` instead.
    pub rank_stabilized: bool,
    /// Modules of a layer that are added to, with the widths of their input and output.
    pub modules: BTreeMap<String, [usize; 2]>,
    /// Layers of the backbone.
    pub layers: usize,
}

fn invalid(field: &'static str, problem: String, hint: String) -> Error {
    Error::ConfigInvalid {
        field,
        problem,
        hint,
    }
}

/// The linear maps of a block, with the widths of their input and output.
pub fn linear_maps(config: &DecoderConfig) -> Vec<(LinearMap, [usize; 2])> {
    let (d, f) = (config.d_model, config.d_ff);
    let (q, kv) = (
        config.heads * config.head_dim,
        config.kv_heads * config.head_dim,
    );
    let mut maps = match config.fused_projections {
        true => vec![
            (LinearMap::Qkv, [d, q + 2 * kv]),
            (LinearMap::GateUp, [d, 2 * f]),
        ],
        false => vec![
            (LinearMap::Q, [d, q]),
            (LinearMap::K, [d, kv]),
            (LinearMap::V, [d, kv]),
            (LinearMap::Gate, [d, f]),
            (LinearMap::Up, [d, f]),
        ],
    };
    maps.extend([(LinearMap::O, [q, d]), (LinearMap::Down, [f, d])]);
    maps
}

impl LoraShape {
    /// Checks a request against a backbone.
    ///
    /// # Errors
    /// Names the field that cannot be.
    pub fn resolve(request: &LoraRequest, config: &DecoderConfig) -> Result<Self> {
        let maps = linear_maps(config);
        let short = |map: LinearMap| map.module().rsplit('.').next().unwrap_or_default();
        let known: Vec<&str> = maps.iter().map(|(map, _)| short(*map)).collect();
        if request.rank == 0 {
            return Err(invalid(
                "rank",
                "is 0".to_owned(),
                "use 1 or more".to_owned(),
            ));
        }
        if !(request.alpha.is_finite() && request.alpha > 0.0) {
            let problem = format!("is {}", request.alpha);
            return Err(invalid("alpha", problem, "use a number above 0".to_owned()));
        }
        if !(0.0..1.0).contains(&request.dropout) {
            let problem = format!("is {}", request.dropout);
            let hint = "use a fraction from 0 to below 1".to_owned();
            return Err(invalid("lora_dropout", problem, hint));
        }
        let wanted = |name: &str| match &request.target_modules {
            None => true,
            Some(names) => names.iter().any(|wanted| wanted == name),
        };
        if let Some(names) = &request.target_modules
            && let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str()))
        {
            return Err(invalid(
                "target_modules",
                format!("this model has no linear map {unknown:?} in its blocks"),
                format!("use some of {}", known.join(", ")),
            ));
        }
        let modules: BTreeMap<String, [usize; 2]> = maps
            .into_iter()
            .filter(|(map, _)| wanted(short(*map)))
            .map(|(map, widths)| (map.module().to_owned(), widths))
            .collect();
        if modules.is_empty() {
            return Err(invalid(
                "target_modules",
                "is empty".to_owned(),
                format!("use some of {}", known.join(", ")),
            ));
        }
        Ok(Self {
            rank: request.rank,
            alpha: request.alpha,
            dropout: request.dropout,
            rank_stabilized: request.rank_stabilized,
            modules,
            layers: config.layers,
        })
    }

    /// Checks the numbers of a shape that was read from a file.
    ///
    /// # Errors
    /// Says which cannot be.
    pub fn check_sizes(&self) -> Result<(), String> {
        for (field, value) in [("rank", self.rank), ("layers", self.layers)] {
            if value == 0 || value > 1 << 16 {
                return Err(format!("lora.{field} is {value}"));
            }
        }
        if !self.alpha.is_finite() || !(0.0..1.0).contains(&self.dropout) {
            return Err(format!(
                "lora.alpha is {}, lora.dropout {}",
                self.alpha, self.dropout
            ));
        }
        let too_wide = |widths: &[usize; 2]| widths.iter().any(|width| *width > 1 << 24);
        match self.modules.iter().find(|(_, widths)| too_wide(widths)) {
            Some((module, widths)) => Err(format!("lora.modules: {module} is {widths:?}")),
            None => Ok(()),
        }
    }

    /// Checks a shape that was read from a file against a backbone.
    ///
    /// # Errors
    /// Says what does not fit.
    pub fn check(&self, config: &DecoderConfig) -> Result<(), String> {
        self.check_sizes()?;
        if self.layers != config.layers {
            return Err(format!(
                "it adds to {} layers, the model has {}",
                self.layers, config.layers
            ));
        }
        let maps = linear_maps(config);
        for (module, widths) in &self.modules {
            let found = maps.iter().find(|(map, _)| map.module() == module);
            if found.is_none_or(|(_, expected)| expected != widths) {
                return Err(format!(
                    "{module} of {widths:?} is no linear map of the model"
                ));
            }
        }
        Ok(())
    }

    /// The factor on what is added.
    pub fn scale(&self) -> f64 {
        match self.rank_stabilized {
            true => self.alpha / (self.rank as f64).sqrt(),
            false => self.alpha / self.rank as f64,
        }
    }

    /// Name and shape of every tensor.
    pub fn tensors(&self) -> BTreeMap<String, Vec<usize>> {
        let mut tensors = BTreeMap::new();
        for layer in 0..self.layers {
            for (module, &[inputs, outputs]) in &self.modules {
                let name = |part: &str| tensor_name(layer, module, part);
                tensors.insert(name("lora_a"), vec![self.rank, inputs]);
                tensors.insert(name("lora_b"), vec![outputs, self.rank]);
            }
        }
        tensors
    }
}

/// `layers.3.self_attn.q_proj.lora_a`
pub(super) fn tensor_name(layer: usize, module: &str, part: &str) -> String {
    format!("layers.{layer}.{module}.{part}")
}
