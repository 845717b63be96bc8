//! The folder that Hugging Face's PEFT saves a LoRA adapter in and loads it from: adapter_config.json
//! and adapter_model.safetensors. What is said there that we cannot do is refused by name.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::ControlFlow;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use serde::Deserialize;
use serde_json::{Value, json};

use super::shape::{linear_maps, tensor_name};
use super::{Lora, LoraShape};
use crate::adapters::parameters::Parameters;
use crate::adapters::tensor_file;
use crate::files::{Watched, create_atomically, write_atomically};
use crate::models::config::DecoderConfig;
use crate::{Error, Result};

/// File of the description.
pub const CONFIG: &str = "adapter_config.json";
/// File of the tensors.
pub const TENSORS: &str = "adapter_model.safetensors";

/// The parts of PEFT's LoraConfig that are followed.
#[derive(Deserialize)]
struct PeftConfig {
    peft_type: String,
    r: usize,
    // PEFT takes 8 where it is missing; a file that it saved has it.
    lora_alpha: f64,
    #[serde(default)]
    lora_dropout: f64,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default)]
    bias: Option<String>,
}

/// Fields that change what is computed, and are refused when they are set.
const NOT_SUPPORTED: [&str; 13] = [
    "use_dora",
    "fan_in_fan_out",
    "modules_to_save",
    "rank_pattern",
    "alpha_pattern",
    "lora_bias",
    "layer_replication",
    "trainable_token_indices",
    "target_parameters",
    "use_qalora",
    "use_bdlora",
    "alora_invocation_tokens",
    "arrow_config",
];

/// Whether a description is PEFT's.
pub fn is_peft(description: &Value) -> bool {
    description.get("peft_type").is_some()
}

/// Reads an adapter that PEFT saved for this backbone.
///
/// # Errors
/// When a file is missing or damaged, is no LoRA, or asks for what is not supported; says which.
pub fn load(folder: &Path, backbone: &DecoderConfig) -> Result<Lora> {
    let config_path = folder.join(CONFIG);
    let invalid = |problem: String| Error::AdapterInvalid {
        path: config_path.clone(),
        problem,
    };
    let text = std::fs::read(&config_path).map_err(Error::io("read", &config_path))?;
    let json: Value = serde_json::from_slice(&text).map_err(|error| invalid(error.to_string()))?;
    let config = PeftConfig::deserialize(&json).map_err(|error| invalid(error.to_string()))?;
    refuse_what_is_not_supported(&config, &json).map_err(invalid)?;
    let path = folder.join(TENSORS);
    let bytes = std::fs::read(&path).map_err(Error::io("read", &path))?;
    read(&config, &bytes, backbone).map_err(|problem| Error::AdapterInvalid {
        path: path.clone(),
        problem,
    })
}

fn refuse_what_is_not_supported(config: &PeftConfig, json: &Value) -> Result<(), String> {
    let is_set = |name: &&str| match json.get(*name) {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::Array(values)) => !values.is_empty(),
        Some(Value::Object(values)) => !values.is_empty(),
        Some(_) => true,
    };
    if config.peft_type != "LORA" {
        return Err(format!(
            "peft_type is {:?}, expected \"LORA\"",
            config.peft_type
        ));
    }
    if let Some(name) = NOT_SUPPORTED.iter().find(|name| is_set(name)) {
        return Err(format!("{name} is set, which is not supported"));
    }
    if let Some(bias) = config.bias.as_deref().filter(|bias| *bias != "none") {
        return Err(format!("bias is {bias:?}; only \"none\" is supported"));
    }
    match config.r {
        1..=65536 => Ok(()),
        rank => Err(format!("r is {rank}")),
    }
}

fn read(config: &PeftConfig, bytes: &[u8], backbone: &DecoderConfig) -> Result<Lora, String> {
    let file = safetensors::SafeTensors::deserialize(bytes)
        .map_err(|error| format!("not a complete safetensors file ({error})"))?;
    let maps = linear_maps(backbone);
    let mut tensors = BTreeMap::new();
    let mut modules = BTreeMap::new();
    for (name, view) in file.iter() {
        let place = Place::of(name).ok_or_else(|| {
            format!("tensor {name} adds to what is no linear map of a decoder layer")
        })?;
        let found = maps.iter().find(|(map, _)| map.module() == place.module);
        let (map, widths) = found.ok_or_else(|| {
            format!(
                "tensor {name}: the model has no linear map {}",
                place.module
            )
        })?;
        if place.layer >= backbone.layers {
            return Err(format!(
                "tensor {name}: the model has {} layers",
                backbone.layers
            ));
        }
        modules.insert(map.module().to_owned(), *widths);
        let dtype = match view.dtype() {
            safetensors::Dtype::F32 => DType::F32,
            safetensors::Dtype::F16 => DType::F16,
            safetensors::Dtype::BF16 => DType::BF16,
            other => return Err(format!("tensor {name} has type {other:?}")),
        };
        let tensor = Tensor::from_raw_buffer(view.data(), dtype, view.shape(), &Device::Cpu)
            .and_then(|tensor| tensor.to_dtype(DType::F32))
            .map_err(|error| format!("tensor {name}: {error}"))?;
        tensors.insert(tensor_name(place.layer, map.module(), place.part), tensor);
    }
    if modules.is_empty() {
        return Err("it holds no tensor".to_owned());
    }
    let shape = LoraShape {
        rank: config.r,
        alpha: config.lora_alpha,
        dropout: config.lora_dropout,
        rank_stabilized: config.use_rslora,
        modules,
        layers: backbone.layers,
    };
    shape.check(backbone)?;
    // PEFT may leave layers out; zeros add nothing.
    for (name, dims) in shape.tensors() {
        if let std::collections::btree_map::Entry::Vacant(missing) = tensors.entry(name) {
            let zeros = Tensor::zeros(dims, DType::F32, &Device::Cpu);
            missing.insert(zeros.map_err(|error| error.to_string())?);
        }
    }
    Lora::from_parameters(shape, Parameters::new(tensors))
}

/// What a tensor of PEFT's belongs to.
struct Place<'a> {
    layer: usize,
    module: &'a str,
    part: &'static str,
}

impl<'a> Place<'a> {
    /// `base_model.model.model.layers.3.self_attn.q_proj.lora_A.weight`
    fn of(name: &'a str) -> Option<Self> {
        let (_, inside) = name.split_once(".layers.")?;
        let (layer, rest) = inside.split_once('.')?;
        let (module, part) = match rest.strip_suffix(".lora_A.weight") {
            Some(module) => (module, "lora_a"),
            None => (rest.strip_suffix(".lora_B.weight")?, "lora_b"),
        };
        Some(Self {
            layer: layer.parse().ok()?,
            module,
            part,
        })
    }
}

/// Writes an adapter as PEFT would have saved it. `root` is what stands before `layers` in the
/// model's module names.
///
/// # Errors
/// When a file cannot be written.
pub fn save(
    folder: &Path,
    lora: &Lora,
    base_model: &str,
    root: &str,
    told: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    let shape = lora.shape();
    let in_peft = |name: &str| {
        let part = name
            .strip_suffix(".lora_a")
            .map(|module| (module, "lora_A"));
        let part = part.or_else(|| Some((name.strip_suffix(".lora_b")?, "lora_B")));
        let (module, part) = part.unwrap_or((name, ""));
        format!("base_model.model.{root}.{module}.{part}.weight")
    };
    let mut tensors = tensor_file::entries(lora.parameters());
    for entry in &mut tensors {
        entry.name = in_peft(&entry.name);
    }
    // PEFT looks for this mark.
    let format = Some([("format".to_owned(), "pt".to_owned())].into());
    create_atomically(&folder.join(TENSORS), |temporary| {
        let mut file = Watched::new(File::create(temporary)?, told);
        tensor_file::write(tensors, format, &mut file)
    })?;
    let targets: Vec<&str> = shape
        .modules
        .keys()
        .filter_map(|module| module.rsplit('.').next())
        .collect();
    let alpha = match shape.alpha.fract() == 0.0 && shape.alpha < 1e9 {
        true => json!(shape.alpha as u64),
        false => json!(shape.alpha),
    };
    let config = json!({
        "base_model_name_or_path": base_model,
        "bias": "none",
        "fan_in_fan_out": false,
        "inference_mode": true,
        "init_lora_weights": true,
        "lora_alpha": alpha,
        "lora_dropout": shape.dropout,
        "modules_to_save": null,
        "peft_type": "LORA",
        "r": shape.rank,
        "target_modules": targets,
        "task_type": "CAUSAL_LM",
        "use_dora": false,
        "use_rslora": shape.rank_stabilized,
    });
    let mut text = serde_json::to_vec_pretty(&config).map_err(|error| Error::AdapterInvalid {
        path: folder.join(CONFIG),
        problem: error.to_string(),
    })?;
    text.push(b'\n');
    write_atomically(&folder.join(CONFIG), &text)
}
