//! What examples are made with: the model's words and the user's wishes.

use stepladder_protocol::{DataOptions, Switch};

use crate::models::chat_template::{ChatTemplate, ChosenTemplate};
use crate::models::model::ModelFiles;
use crate::models::tokenizer::Tokenizer;
use crate::{Error, Result};

/// What a row becomes an example with.
#[derive(Clone, Copy, Debug)]
pub struct Recipe<'a> {
    /// Text to tokens; knows which tokens end a turn.
    pub tokenizer: &'a Tokenizer,
    /// Messages to text; text without turns needs none.
    pub template: Option<&'a ChatTemplate>,
    /// How rows are read, and what of them is trained.
    pub options: &'a DataOptions,
    /// Tokens of an example at most.
    pub context: usize,
}

/// A model's tokenizer and chat template, as a dataset is told with them.
pub struct ModelWords {
    /// Stops also where the template ends a turn.
    pub tokenizer: Tokenizer,
    /// None where the model has none and none was asked for: text without turns needs none, and rows
    /// that do say so.
    pub chosen: Option<ChosenTemplate>,
    /// What the user should know of them, one sentence each.
    pub notices: Vec<String>,
}

impl ModelWords {
    /// Of a model, with the template that the options name.
    ///
    /// # Errors
    /// When there is no template of that name, or it does not parse.
    pub fn of(files: &ModelFiles, options: &DataOptions) -> Result<Self> {
        let chosen = match files.template_for(&options.template) {
            Err(Error::ChatTemplateMissing { .. }) => None,
            other => Some(other?),
        };
        let (stops, notices) = match &chosen {
            Some(chosen) => (
                chosen.stop_tokens.as_slice(),
                chosen.notices(&files.tokenizer),
            ),
            None => (&[][..], Vec::new()),
        };
        Ok(Self {
            tokenizer: files.tokenizer.stopping_also_at(stops),
            chosen,
            notices,
        })
    }

    /// What examples of so many tokens are made with.
    pub fn recipe<'a>(&'a self, options: &'a DataOptions, context: usize) -> Recipe<'a> {
        Recipe {
            tokenizer: &self.tokenizer,
            template: self.chosen.as_ref().map(|chosen| &chosen.template),
            options,
            context,
        }
    }
}

impl Recipe<'_> {
    /// What is said where messages need a template and there is none.
    pub(super) fn template_missing(&self) -> Error {
        Error::ChatTemplateMissing {
            path: self.tokenizer.model().to_path_buf(),
        }
    }

    /// Whether the loss is taken over traces too.
    pub(super) fn trains_traces(&self) -> bool {
        self.options.loss_on_traces == Switch::On
    }
}
