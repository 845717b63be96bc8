//! An adapter on disk: `adapter.safetensors` with its tensors and `adapter_config.json` with its
//! wiring and the fingerprint of its base model. Both are written whole or not at all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};
use stepladder_protocol::Method;

use super::ladder::wiring::SideMethod;
use super::lora::peft;
use super::network::{AdapterShape, Network};
use super::parameters::Parameters;
use crate::files::write_atomically;
use crate::models::config::DecoderConfig;
use crate::models::fingerprint::{BaseFingerprint, Likeness};
use crate::models::quantization::{BackboneQuantization, Quantization};
use crate::{Error, Result};

/// File of the tensors.
pub const TENSORS: &str = "adapter.safetensors";
/// File of the description.
pub const CONFIG: &str = "adapter_config.json";
const FORMAT: &str = "stepladder-adapter";
const VERSION: u32 = 1;

/// The description beside an adapter's tensors.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AdapterConfig {
    format: String,
    version: u32,
    /// The base model as it was named in the run.
    pub base_model: String,
    /// Recognizes the base model.
    pub base: BaseFingerprint,
    /// The adapter's shape, under `wiring` or `lora`.
    #[serde(flatten)]
    pub shape: AdapterShape,
    /// The type taps were kept in while training; chat rounds them alike.
    pub tap_dtype: stepladder_protocol::TapDtype,
    /// How the backbone's weights were kept while training, under `quantization` and
    /// `head_quantization`; chat keeps them alike.
    #[serde(flatten)]
    pub quantization: BackboneQuantization,
    /// What stands before `layers` in the base model's module names.
    #[serde(default = "usual_module_root")]
    pub module_root: String,
}

fn usual_module_root() -> String {
    "model".to_owned()
}

impl AdapterConfig {
    /// A description for an adapter made by this version.
    pub fn new(
        base_model: String,
        base: BaseFingerprint,
        shape: AdapterShape,
        tap_dtype: stepladder_protocol::TapDtype,
        quantization: BackboneQuantization,
    ) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            base_model,
            base,
            shape,
            tap_dtype,
            quantization,
            module_root: usual_module_root(),
        }
    }
}

impl AdapterConfig {
    /// The method it was trained by.
    pub fn method(&self) -> Method {
        match &self.shape {
            AdapterShape::Wiring(wiring) => match wiring.method {
                SideMethod::Ladder => Method::Ladder,
                SideMethod::Xladder => Method::Xladder,
            },
            AdapterShape::Lora(_) => match self.quantization.blocks {
                Quantization::AsStored => Method::Lora,
                Quantization::Nf4 | Quantization::Nf4DoubleQuantized => Method::Qlora,
            },
        }
    }
}

/// A loaded adapter.
pub struct Adapter {
    /// What it is.
    pub config: AdapterConfig,
    /// Its network.
    pub network: Network,
    /// A sentence for the user, when the base model is stored in other types than it was trained on.
    pub warning: Option<String>,
}

/// Writes an adapter folder.
///
/// # Errors
/// When a file cannot be written.
pub fn save(folder: &Path, config: &AdapterConfig, parameters: &Parameters) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    write_atomically(&folder.join(TENSORS), &tensors_to_bytes(parameters)?)?;
    let json = serde_json::to_vec_pretty(config).map_err(|error| Error::AdapterInvalid {
        path: folder.join(CONFIG),
        problem: error.to_string(),
    })?;
    write_atomically(&folder.join(CONFIG), &json)
}

/// Named tensors as the bytes of a safetensors file; the same tensors give the same bytes.
///
/// # Errors
/// When a tensor cannot be read.
pub fn tensors_to_bytes(parameters: &Parameters) -> Result<Vec<u8>> {
    safetensors::serialize(parameters.iter(), None)
        .map_err(|error| Error::Tensor(candle_core::Error::wrap(error)))
}

/// Named f32 tensors from the bytes of a safetensors file.
///
/// # Errors
/// When the file is damaged or a tensor is not f32; says which.
pub fn tensors_from_bytes(bytes: &[u8]) -> Result<Parameters, String> {
    let file = safetensors::SafeTensors::deserialize(bytes)
        .map_err(|error| format!("not a complete safetensors file ({error})"))?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.iter() {
        if view.dtype() != safetensors::Dtype::F32 {
            return Err(format!(
                "tensor {name} has type {:?}, expected F32",
                view.dtype()
            ));
        }
        let tensor = Tensor::from_raw_buffer(view.data(), DType::F32, view.shape(), &Device::Cpu)
            .map_err(|error| format!("tensor {name}: {error}"))?;
        tensors.insert(name.to_owned(), tensor);
    }
    Ok(Parameters::new(tensors))
}

/// An adapter as it lies in its folder, not yet held against a base model.
pub struct StoredAdapter {
    /// What it is.
    pub config: AdapterConfig,
    /// Its network.
    pub network: Network,
}

/// The folder with the adapter's files: `path` itself, or the adapter of a run.
fn folder_of(path: &Path) -> Result<PathBuf> {
    let inner = path.join("adapter");
    let folders = [inner, path.to_path_buf()];
    let found = folders
        .into_iter()
        .find(|folder| folder.join(CONFIG).is_file());
    found.ok_or_else(|| Error::AdapterInvalid {
        path: path.to_path_buf(),
        problem: format!("no {CONFIG} in here"),
    })
}

fn read_description(folder: &Path) -> Result<serde_json::Value> {
    let path = folder.join(CONFIG);
    let text = std::fs::read(&path).map_err(Error::io("read", &path))?;
    serde_json::from_slice(&text).map_err(|error| Error::AdapterInvalid {
        path,
        problem: error.to_string(),
    })
}

/// Reads an adapter of our own. `path` is a run folder or an adapter folder.
///
/// # Errors
/// When files are missing or damaged.
pub fn read(path: &Path) -> Result<StoredAdapter> {
    let folder = folder_of(path)?;
    let description = read_description(&folder)?;
    if peft::is_peft(&description) {
        return Err(Error::AdapterInvalid {
            path: folder.join(CONFIG),
            problem: "PEFT made this adapter; it is in PEFT's format already".to_owned(),
        });
    }
    read_described(&folder, description)
}

fn read_described(folder: &Path, description: serde_json::Value) -> Result<StoredAdapter> {
    let config_path = folder.join(CONFIG);
    let invalid = |path: &Path, problem: String| Error::AdapterInvalid {
        path: path.to_path_buf(),
        problem,
    };
    let config: AdapterConfig = serde_json::from_value(description)
        .map_err(|error| invalid(&config_path, error.to_string()))?;
    if config.format != FORMAT || config.version != VERSION {
        return Err(invalid(
            &config_path,
            format!(
                "format {:?} version {}, this program reads {FORMAT:?} version {VERSION}",
                config.format, config.version
            ),
        ));
    }
    config
        .shape
        .check_sizes()
        .map_err(|problem| invalid(&config_path, problem))?;
    let tensors_path = folder.join(TENSORS);
    let bytes = std::fs::read(&tensors_path).map_err(Error::io("read", &tensors_path))?;
    let network = tensors_from_bytes(&bytes)
        .and_then(|parameters| Network::from_parameters(config.shape.clone(), parameters))
        .map_err(|problem| invalid(&tensors_path, problem))?;
    Ok(StoredAdapter { config, network })
}

/// Loads an adapter for a backbone. `path` is a run folder, an adapter folder, or a folder that PEFT
/// saved.
///
/// # Errors
/// When files are missing or damaged, or the adapter was made for another base model.
pub fn load(path: &Path, base: &BaseFingerprint, backbone: &DecoderConfig) -> Result<Adapter> {
    let folder = folder_of(path)?;
    let description = read_description(&folder)?;
    if peft::is_peft(&description) {
        return from_peft(&folder, &description, base, backbone);
    }
    let StoredAdapter { config, network } = read_described(&folder, description)?;
    let warning = match config.base.compare(base) {
        Likeness::Same => None,
        Likeness::OtherTypes => Some(format!(
            "this adapter was trained on {} stored in other types; answers may differ slightly",
            config.base_model
        )),
        Likeness::Different(difference) => {
            return Err(Error::AdapterForAnotherBase {
                path: path.to_path_buf(),
                difference,
            });
        }
    };
    config
        .shape
        .check(backbone)
        .map_err(|problem| Error::AdapterInvalid {
            path: folder.join(CONFIG),
            problem,
        })?;
    Ok(Adapter {
        config,
        network,
        warning,
    })
}

/// An adapter made elsewhere: nothing tells which base model it belongs to, but for its shapes.
fn from_peft(
    folder: &Path,
    description: &serde_json::Value,
    base: &BaseFingerprint,
    backbone: &DecoderConfig,
) -> Result<Adapter> {
    let lora = peft::load(folder, backbone)?;
    let name = description
        .get("base_model_name_or_path")
        .and_then(|name| name.as_str())
        .unwrap_or("an unnamed model");
    let warning = format!(
        "this adapter was made by PEFT for {name}; whether that is the model in use cannot be checked"
    );
    let config = AdapterConfig::new(
        name.to_owned(),
        base.clone(),
        AdapterShape::Lora(lora.shape().clone()),
        stepladder_protocol::TapDtype::F32,
        BackboneQuantization::AS_STORED,
    );
    Ok(Adapter {
        config,
        network: Network::Lora(lora),
        warning: Some(warning),
    })
}
