//! A model's files together: what they say of themselves without loading a weight, and the decoder
//! when it is needed.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::builtin;
use super::chat_template::{ChatTemplate, Choosing, ChosenTemplate, Clock, find_source};
use super::checkpoint::{Checkpoint, ModelSource};
use super::compute::Compute;
use super::config::DecoderConfig;
use super::decoder::Decoder;
use super::fingerprint::BaseFingerprint;
use super::gguf::{self, GgufFile};
use super::layers;
use super::loading::Told;
use super::quantization::{BackboneQuantization, Quantization};
use super::quantized_copy;
use super::tokenizer::Tokenizer;
use crate::{Error, Result};

/// A model that was found and understood, its weights not yet loaded.
pub struct ModelFiles {
    /// The folder, or `builtin`.
    pub origin: PathBuf,
    /// Sizes and switches.
    pub config: DecoderConfig,
    /// Text to tokens and back.
    pub tokenizer: Tokenizer,
    /// Weights.
    pub checkpoint: Checkpoint,
    template: Option<ChatTemplate>,
    /// The date that templates see, where it is not today's.
    clock: Option<Clock>,
    compute: Compute,
}

/// The small files of a model.
pub(super) struct Documents {
    pub(super) config: Vec<u8>,
    pub(super) tokenizer: Vec<u8>,
    pub(super) tokenizer_config: Option<Vec<u8>>,
    pub(super) generation_config: Option<Vec<u8>>,
    pub(super) chat_template: Option<Vec<u8>>,
}

impl Documents {
    fn of_folder(folder: &Path) -> Result<Self> {
        if !folder.is_dir() {
            return Err(Error::ModelFolderMissing {
                folder: folder.to_path_buf(),
            });
        }
        let optional = |name: &str| {
            let path = folder.join(name);
            match path.is_file() {
                true => std::fs::read(&path)
                    .map(Some)
                    .map_err(Error::io("read", &path)),
                false => Ok(None),
            }
        };
        let required = |name: &str| {
            optional(name)?.ok_or_else(|| Error::ModelFileMissing {
                folder: folder.to_path_buf(),
                file: name.to_owned(),
            })
        };
        Ok(Self {
            config: required("config.json")?,
            tokenizer: required("tokenizer.json")?,
            tokenizer_config: optional("tokenizer_config.json")?,
            generation_config: optional("generation_config.json")?,
            chat_template: optional("chat_template.jinja")?,
        })
    }

    fn of_gguf(path: &Path, file: &GgufFile) -> Result<Self> {
        let text = gguf::tokenizer::documents(&file.header.metadata).map_err(|problem| {
            Error::ModelFileInvalid {
                path: path.to_path_buf(),
                problem,
            }
        })?;
        Ok(Self {
            config: file.model.config.to_string().into_bytes(),
            tokenizer: text.tokenizer,
            tokenizer_config: Some(text.tokenizer_config),
            generation_config: text.generation_config,
            chat_template: None,
        })
    }
}

impl ModelFiles {
    /// `builtin`, a Hugging Face folder, or a GGUF file.
    ///
    /// # Errors
    /// When a file is missing, damaged or not supported.
    pub fn open(name: &str) -> Result<Self> {
        let source = ModelSource::parse(name);
        let origin = source.origin().into_owned();
        let (documents, checkpoint) = match &source {
            ModelSource::Builtin => (builtin::documents(), builtin::checkpoint()?),
            ModelSource::Folder(folder) => {
                (Documents::of_folder(folder)?, Checkpoint::open(folder)?)
            }
            ModelSource::Gguf(path) => {
                let file = GgufFile::open(path)?;
                (Documents::of_gguf(path, &file)?, file.checkpoint)
            }
        };
        let config = DecoderConfig::from_json(&origin.join("config.json"), &documents.config)?;
        let tokenizer = Tokenizer::from_parts(
            &origin,
            &documents.tokenizer,
            documents.tokenizer_config.as_deref(),
            documents.generation_config.as_deref(),
            &config.eos_tokens,
        )?;
        if tokenizer.vocabulary_size() > config.vocabulary {
            return Err(Error::ModelFileInvalid {
                path: origin.join("tokenizer.json"),
                problem: format!(
                    "has token ids up to {}, but config.json promises a vocabulary of {}",
                    tokenizer.vocabulary_size() - 1,
                    config.vocabulary
                ),
            });
        }
        let found = find_source(
            &origin,
            documents.tokenizer_config.as_deref(),
            documents.chat_template.as_deref(),
        );
        let template = match found {
            Ok(text) => {
                let special = tokenizer.special_tokens().clone();
                Some(ChatTemplate::new(&origin, &text, special)?)
            }
            Err(Error::ChatTemplateMissing { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(Self {
            origin,
            config,
            tokenizer,
            checkpoint,
            template,
            clock: None,
            compute: Compute::cpu(),
        })
    }

    /// The model's own chat template.
    ///
    /// # Errors
    /// When it has none.
    pub fn template(&self) -> Result<&ChatTemplate> {
        let missing = || Error::ChatTemplateMissing {
            path: self.origin.clone(),
        };
        self.template.as_ref().ok_or_else(missing)
    }

    /// The chat template to use this model with: `auto` is its own, else the name of one that comes
    /// with the program, or the path of a file.
    ///
    /// # Errors
    /// When there is no such template, or it does not parse.
    pub fn template_for(&self, choice: &str) -> Result<ChosenTemplate> {
        self.choosing().choose(choice)
    }

    /// The chat template that an adapter was trained with: `source`, as it lies in the adapter's
    /// folder, or the model's own.
    ///
    /// # Errors
    /// When it does not parse, or there is none.
    pub fn template_of_adapter(
        &self,
        folder: &Path,
        source: Option<&str>,
        stop_tokens: &[u32],
    ) -> Result<ChosenTemplate> {
        self.choosing().of_adapter(folder, source, stop_tokens)
    }

    fn choosing(&self) -> Choosing<'_> {
        Choosing {
            model: &self.origin,
            tokenizer: &self.tokenizer,
            own: self.template.as_ref(),
            clock: self.clock,
        }
    }

    /// Fixes the date that chat templates see.
    pub fn set_clock(&mut self, clock: Clock) {
        self.clock = Some(clock);
        self.template = self
            .template
            .take()
            .map(|template| template.with_clock(clock));
    }

    /// Loads the weights.
    ///
    /// # Errors
    /// When a tensor is missing or does not fit config.json.
    pub fn load_decoder(&self, quantization: BackboneQuantization) -> Result<Decoder> {
        self.load_decoder_telling(quantization, &mut |_| ControlFlow::Continue(()))
    }

    /// Where backbones loaded from here on compute; in RAM if this is not called.
    #[must_use]
    pub fn computing_on(self, compute: Compute) -> Self {
        Self { compute, ..self }
    }

    /// Where backbones of these files compute.
    pub fn compute(&self) -> &Compute {
        &self.compute
    }

    /// The same, telling how far it has come.
    ///
    /// # Errors
    /// As [`Self::load_decoder`], and [`Error::Stopped`] when it is told to end.
    pub fn load_decoder_telling(
        &self,
        quantization: BackboneQuantization,
        told: Told<'_>,
    ) -> Result<Decoder> {
        let (config, compute) = (self.config.clone(), &self.compute);
        Decoder::load_telling(config, &self.checkpoint, quantization, compute, told)
    }

    /// Loads the weights from a copy with its blocks in NF4 that is kept in `folder`, made if it is
    /// not there. Where the blocks are not quantized, there is no copy. The copy has the head as it
    /// was stored: a head in four bits is quantized as it is loaded, with a copy or without.
    ///
    /// # Errors
    /// As [`Self::load_decoder_telling`], and when the copy cannot be made.
    pub fn load_decoder_from_copy(
        &self,
        quantization: BackboneQuantization,
        base: &BaseFingerprint,
        folder: &Path,
        told: Told<'_>,
    ) -> Result<Decoder> {
        if quantization.blocks == Quantization::AsStored {
            return self.load_decoder_telling(quantization, told);
        }
        let blocks = quantization.blocks;
        let copy = quantized_copy::open_or_make(&self.checkpoint, base, blocks, folder, told)?;
        let config = self.config.clone();
        Decoder::load_telling(config, &copy, quantization, &self.compute, told)
    }

    /// What stands before `layers` in the names that transformers gives this model's modules.
    pub fn module_root(&self) -> &'static str {
        match layers::root(&self.checkpoint) {
            "language_model.model" => "model.language_model",
            root => root,
        }
    }

    /// Recognizes this model.
    pub fn fingerprint(&self) -> BaseFingerprint {
        BaseFingerprint::of(&self.config, &self.checkpoint)
    }
}
