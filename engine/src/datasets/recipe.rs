//! What examples are made with: the model's words and the user's wishes.

use stepladder_protocol::{DataOptions, Switch};

use crate::Error;
use crate::models::chat_template::ChatTemplate;
use crate::models::tokenizer::Tokenizer;

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
