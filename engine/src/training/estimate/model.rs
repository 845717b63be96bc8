//! What an estimate needs to know of a model: its sizes, and how its weights are stored. It comes
//! from the catalogue, from a config.json alone, or from the headers of weight files.

use std::path::Path;

use serde_json::Value;

use crate::adapters::lora::shape::linear_maps;
use crate::memory::WeightForms;
use crate::memory::weights::{Form, linear_shapes};
use crate::models::bitsandbytes;
use crate::models::catalogue;
use crate::models::checkpoint::{Checkpoint, ModelSource};
use crate::models::config::DecoderConfig;
use crate::models::gguf::GgufFile;
use crate::models::layers::{embedding_name, head_name, root};
use crate::models::model::ModelFiles;
use crate::models::quantization::{BackboneQuantization, Quantization};
use crate::models::stored_type::StoredType;
use crate::{Error, Result};

/// A model whose memory is estimated.
#[derive(Clone, Debug)]
pub struct EstimatedModel {
    /// Its name.
    pub name: String,
    /// Its sizes.
    pub config: DecoderConfig,
    matrices: Matrices,
}

/// How the large weights are stored.
#[derive(Clone, Debug)]
struct Matrices {
    embedding: Form,
    /// Absent where the embedding is the head.
    head: Option<Form>,
    /// The linear maps of all blocks, each with its rows and columns.
    blocks: Vec<(Form, u64, u64)>,
}

impl EstimatedModel {
    /// A model whose weights are all stored in one type.
    pub fn new(config: DecoderConfig, stored: StoredType) -> Self {
        let form = Form::Stored(stored.clone());
        Self {
            name: config.family.to_owned(),
            matrices: Matrices {
                embedding: form.clone(),
                head: (!config.tied_head).then(|| form.clone()),
                blocks: blocks_in(&form, &config),
            },
            config,
        }
    }

    /// `builtin`, a folder, a .gguf file, or a name of the catalogue. No weight is read.
    ///
    /// # Errors
    /// When there is no such model, or its files cannot be understood.
    pub fn open(name: &str) -> Result<Self> {
        match ModelSource::parse(name) {
            ModelSource::Builtin => {
                let files = ModelFiles::open(name)?;
                Self::of_checkpoint(name.to_owned(), files.config, &files.checkpoint)
            }
            ModelSource::Gguf(path) => {
                let file = GgufFile::open(&path)?;
                let json = file.model.config.to_string();
                let config = DecoderConfig::from_json(&path, json.as_bytes())?;
                Self::of_checkpoint(last_part(&path), config, &file.checkpoint)
            }
            ModelSource::Folder(path) if path.is_dir() => Self::of_folder(&path),
            ModelSource::Folder(folder) if is_path(name) => {
                Err(Error::ModelFolderMissing { folder })
            }
            ModelSource::Folder(_) => {
                let entry = catalogue::find(name)?;
                let mut model = Self::new(entry.config.clone(), entry.stored.clone());
                model.name.clone_from(&entry.name);
                Ok(model)
            }
        }
    }

    /// config.json is enough; weight files are asked for their types where they are there.
    fn of_folder(folder: &Path) -> Result<Self> {
        let path = folder.join("config.json");
        if !path.is_file() {
            return Err(Error::ModelFileMissing {
                folder: folder.to_path_buf(),
                file: "config.json".to_owned(),
            });
        }
        let json = std::fs::read(&path).map_err(Error::io("read", &path))?;
        let config = DecoderConfig::from_json(&path, &json)?;
        match Checkpoint::open(folder) {
            Ok(checkpoint) => Self::of_checkpoint(last_part(folder), config, &checkpoint),
            Err(Error::ModelFileMissing { .. }) => {
                Self::of_config(last_part(folder), config, &path, &json)
            }
            Err(error) => Err(error),
        }
    }

    fn of_config(name: String, config: DecoderConfig, path: &Path, json: &[u8]) -> Result<Self> {
        let invalid = |problem: String| Error::ModelFileInvalid {
            path: path.to_path_buf(),
            problem,
        };
        let json: Value =
            serde_json::from_slice(json).map_err(|error| invalid(error.to_string()))?;
        let field = |name: &str| {
            let nested = json.get("text_config").and_then(|text| text.get(name));
            json.get(name).or(nested).filter(|value| !value.is_null())
        };
        let stored = match field("dtype")
            .or(field("torch_dtype"))
            .and_then(Value::as_str)
        {
            Some("bfloat16") => StoredType::BF16,
            Some("float16") => StoredType::F16,
            // transformers saves it where it differs from this
            None | Some("float32") => StoredType::F32,
            Some(other) => {
                return Err(Error::ModelUnsupported {
                    path: path.to_path_buf(),
                    field: "torch_dtype",
                    found: other.to_owned(),
                    supported: vec!["bfloat16", "float16", "float32"],
                });
            }
        };
        let mut model = Self::new(config, stored);
        model.name = name;
        if let Some(quantized) = field("quantization_config") {
            let form = match bitsandbytes::declared(path, quantized)? {
                Quantization::Nf4DoubleQuantized => Form::Nf4DoubleQuantized,
                Quantization::Nf4 | Quantization::AsStored => Form::Nf4,
            };
            model.matrices.blocks = blocks_in(&form, &model.config);
        }
        Ok(model)
    }

    /// What the headers of weight files say, weight by weight.
    ///
    /// # Errors
    /// When a weight is missing or has a type that cannot be computed with.
    pub fn of_checkpoint(
        name: String,
        config: DecoderConfig,
        checkpoint: &Checkpoint,
    ) -> Result<Self> {
        let root = root(checkpoint);
        let embedding = form_of(checkpoint, &embedding_name(checkpoint))?;
        let head = match head_name(&config, checkpoint) {
            Some(name) => Some(form_of(checkpoint, name)?),
            None => None,
        };
        let mut blocks = Vec::new();
        for layer in 0..config.layers {
            for (map, [inputs, outputs]) in linear_maps(&config) {
                let name = format!("{root}.layers.{layer}.{}.weight", map.module());
                let form = form_of(checkpoint, &name)?;
                blocks.push((form, outputs as u64, inputs as u64));
            }
        }
        Ok(Self {
            name,
            config,
            matrices: Matrices {
                embedding,
                head,
                blocks,
            },
        })
    }

    /// The type most of its weights are stored in, by its usual name.
    pub fn stored_name(&self) -> String {
        name_of(&main_form(&self.matrices.blocks, &self.matrices.embedding))
    }

    /// How the weights are kept where the config asks for this quantization.
    pub fn forms(&self, quantization: BackboneQuantization) -> WeightForms {
        let Matrices {
            embedding,
            head,
            blocks,
        } = &self.matrices;
        let blocks: Vec<(Form, u64, u64)> = blocks
            .iter()
            .map(|(form, rows, columns)| (kept(form, quantization.blocks), *rows, *columns))
            .collect();
        let bytes = blocks
            .iter()
            .map(|(form, rows, columns)| form.bytes(*rows, *columns));
        // Tied, head and embedding are one matrix in the head's form.
        let (embedding, head) = match head {
            Some(head) => (embedding.clone(), Some(kept(head, quantization.head))),
            None => (kept(embedding, quantization.head), None),
        };
        WeightForms {
            blocks_bytes: bytes.sum(),
            blocks: main_form(&blocks, &embedding),
            embedding,
            head,
        }
    }

    /// How most linear maps are kept then, in a word.
    pub fn kept_as(&self, quantization: BackboneQuantization) -> String {
        name_of(&self.forms(quantization).blocks)
    }
}

/// Floats are quantized as asked; what is quantized in the file stays as it is.
fn kept(form: &Form, quantization: Quantization) -> Form {
    match (form, quantization) {
        (Form::Stored(StoredType::F32 | StoredType::F16 | StoredType::BF16), Quantization::Nf4) => {
            Form::Nf4
        }
        (
            Form::Stored(StoredType::F32 | StoredType::F16 | StoredType::BF16),
            Quantization::Nf4DoubleQuantized,
        ) => Form::Nf4DoubleQuantized,
        _ => form.clone(),
    }
}

fn blocks_in(form: &Form, config: &DecoderConfig) -> Vec<(Form, u64, u64)> {
    let block = linear_shapes(config);
    let all = (0..config.layers).flat_map(|_| &block);
    all.map(|(rows, columns)| (form.clone(), *rows, *columns))
        .collect()
}

/// Whether a name can only be a path: catalogue names have at most an owner before a slash.
fn is_path(name: &str) -> bool {
    let path = Path::new(name);
    path.is_absolute()
        || name.starts_with(['.', '~'])
        || name.contains('\\')
        || name.matches('/').count() > 1
        || name.ends_with('/')
}

fn last_part(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

/// How a matrix of a checkpoint will be held if it is not quantized.
fn form_of(checkpoint: &Checkpoint, name: &str) -> Result<Form> {
    let has = |ending: &str| checkpoint.contains(&format!("{name}.{ending}"));
    if has("quant_state.bitsandbytes__nf4") {
        return Ok(match has("nested_absmax") {
            true => Form::Nf4DoubleQuantized,
            false => Form::Nf4,
        });
    }
    let view = checkpoint
        .tensor(name)
        .ok_or_else(|| Error::TensorMissing {
            path: checkpoint.origin().to_path_buf(),
            name: name.to_owned(),
        })?;
    match view.stored {
        StoredType::Other(kind) => Err(Error::TensorType {
            path: view.path.to_path_buf(),
            name: name.to_owned(),
            found: kind.clone(),
        }),
        stored => Ok(Form::Stored(stored.clone())),
    }
}

/// The form with most bytes.
fn main_form(blocks: &[(Form, u64, u64)], otherwise: &Form) -> Form {
    let mut sums: Vec<(&Form, u64)> = Vec::new();
    for (form, rows, columns) in blocks {
        let bytes = form.bytes(*rows, *columns);
        match sums.iter_mut().find(|(known, _)| *known == form) {
            Some((_, sum)) => *sum += bytes,
            None => sums.push((form, bytes)),
        }
    }
    let most = sums.into_iter().max_by_key(|(_, bytes)| *bytes);
    most.map_or(otherwise, |(form, _)| form).clone()
}

fn name_of(form: &Form) -> String {
    match form {
        Form::Stored(stored) => stored.name(),
        Form::Nf4 | Form::Nf4DoubleQuantized => "NF4".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_for_where_it_can_be() {
        let code = |name: &str| EstimatedModel::open(name).unwrap_err().code();
        assert_eq!(code("qwen2.5-7x"), "model_unknown");
        assert_eq!(code("Somebody/Qwen2.5-7B"), "model_unknown");
        for path in [
            "/no/such",
            "./qwen2.5-7b",
            "a/b/c",
            "C:\\models\\x",
            "models/",
        ] {
            assert_eq!(code(path), "model_folder_missing", "{path}");
        }
        assert_eq!(code("none.gguf"), "model_folder_missing");
        assert_eq!(
            EstimatedModel::open("Qwen/Qwen2.5-7B").unwrap().name,
            "qwen2.5-7b"
        );
    }

    const CONFIG: &str = r#""model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 128, "vocab_size": 100,
        "max_position_embeddings": 128, "rms_norm_eps": 1e-5, "tie_word_embeddings": false"#;

    /// What a folder with nothing but a config.json gives.
    fn from_config(more: &str) -> crate::Result<EstimatedModel> {
        let folder = tempfile::tempdir().unwrap();
        let json = format!("{{{CONFIG}{more}}}");
        std::fs::write(folder.path().join("config.json"), json).unwrap();
        EstimatedModel::open(folder.path().to_str().unwrap())
    }

    #[test]
    fn a_config_alone_says_the_type() {
        let stored = |more: &str| from_config(more).unwrap().stored_name();
        assert_eq!(stored(r#", "torch_dtype": "bfloat16""#), "BF16");
        assert_eq!(stored(r#", "dtype": "float16""#), "F16");
        assert_eq!(stored(""), "F32");
        let error = from_config(r#", "torch_dtype": "int8""#).unwrap_err();
        assert_eq!(error.code(), "model_unsupported");

        let four_bits = r#", "dtype": "bfloat16", "quantization_config":
            {"quant_method": "bitsandbytes", "load_in_4bit": true, "bnb_4bit_use_double_quant": true}"#;
        let forms = from_config(four_bits).unwrap().forms(Default::default());
        assert_eq!(forms.blocks, Form::Nf4DoubleQuantized);
        assert_eq!(forms.head, Some(Form::Stored(StoredType::BF16)));
        let other = r#", "quantization_config": {"quant_method": "gptq"}"#;
        assert_eq!(from_config(other).unwrap_err().code(), "model_unsupported");

        let empty = tempfile::tempdir().unwrap();
        let error = EstimatedModel::open(empty.path().to_str().unwrap()).unwrap_err();
        assert_eq!(error.code(), "model_file_missing");
    }
}
