//! An adapter on disk: `adapter.safetensors` with its tensors and `adapter_config.json` with its
//! wiring and the fingerprint of its base model; `chat_template.jinja` beside them where it was
//! trained with another template than its base model's. Each is written whole or not at all.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use stepladder_protocol::Method;

use super::ladder::wiring::SideMethod;
use super::lora::peft;
use super::network::{AdapterShape, Network};
use super::parameters::Parameters;
use super::tensor_file;
use crate::files::{Watched, create_atomically, write_atomically};
use crate::models::chat_template::read_source;
use crate::models::compute::Compute;
use crate::models::config::DecoderConfig;
use crate::models::fingerprint::{BaseFingerprint, Likeness};
use crate::models::quantization::{BackboneQuantization, Quantization};
use crate::{Error, Result};

/// File of the tensors.
pub const TENSORS: &str = "adapter.safetensors";
/// File of the description.
pub const CONFIG: &str = "adapter_config.json";
/// File of the chat template, as Hugging Face names it.
pub const CHAT_TEMPLATE: &str = "chat_template.jinja";
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
    /// Tokens that end an answer beside those that end one of the base model's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop_tokens: Vec<u32>,
    /// The chat template it was trained with, where that is not the base model's own. It lies in a
    /// file of its own.
    #[serde(skip)]
    pub chat_template: Option<String>,
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
            stop_tokens: Vec::new(),
            chat_template: None,
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

impl Adapter {
    /// The same where its backbone computes.
    ///
    /// # Errors
    /// When memory runs out there.
    pub fn computing_on(self, compute: &Compute) -> Result<Self> {
        Ok(Self {
            network: self.network.computing_on(compute)?,
            ..self
        })
    }
}

/// Writes an adapter folder.
///
/// # Errors
/// When a file cannot be written.
pub fn save(folder: &Path, config: &AdapterConfig, parameters: &Parameters) -> Result<()> {
    save_telling(folder, config, parameters, &mut |_| {
        ControlFlow::Continue(())
    })
}

/// The same, telling how many bytes are written, and ending where it is told to.
///
/// # Errors
/// When the folder cannot be written, or it was told to end.
pub fn save_telling(
    folder: &Path,
    config: &AdapterConfig,
    parameters: &Parameters,
    told: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    create_atomically(&folder.join(TENSORS), |temporary| {
        tensor_file::write(
            tensor_file::entries(parameters),
            None,
            &mut Watched::new(File::create(temporary)?, told),
        )
    })?;
    save_chat_template(folder, config)?;
    let json = serde_json::to_vec_pretty(config).map_err(|error| Error::AdapterInvalid {
        path: folder.join(CONFIG),
        problem: error.to_string(),
    })?;
    write_atomically(&folder.join(CONFIG), &json)
}

/// Writes the chat template that the adapter has to be used with, and answers the file's name; nothing
/// where that is the base model's own.
///
/// # Errors
/// When the file cannot be written.
pub fn save_chat_template(folder: &Path, config: &AdapterConfig) -> Result<Option<&'static str>> {
    let Some(source) = &config.chat_template else {
        return Ok(None);
    };
    write_atomically(&folder.join(CHAT_TEMPLATE), source.as_bytes())?;
    Ok(Some(CHAT_TEMPLATE))
}

fn read_chat_template(folder: &Path) -> Result<Option<String>> {
    let path = folder.join(CHAT_TEMPLATE);
    match path.is_file() {
        true => read_source(&path).map(Some),
        false => Ok(None),
    }
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
    let mut config: AdapterConfig = serde_json::from_value(description)
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
    config.chat_template = read_chat_template(folder)?;
    let tensors_path = folder.join(TENSORS);
    let bytes = std::fs::read(&tensors_path).map_err(Error::io("read", &tensors_path))?;
    let network = tensor_file::read(&bytes)
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
    let mut config = AdapterConfig::new(
        name.to_owned(),
        base.clone(),
        AdapterShape::Lora(lora.shape().clone()),
        stepladder_protocol::TapDtype::F32,
        BackboneQuantization::AS_STORED,
    );
    config.chat_template = read_chat_template(folder)?;
    Ok(Adapter {
        config,
        network: Network::Lora(lora),
        warning: Some(warning),
    })
}
