//! What models are called, and where they come from, wherever they are listed.

use stepladder_protocol::{FoundModel, ModelSource};

use super::fine_tune::BUILTIN_MODEL;
use crate::text::excerpt;

/// Characters of a name.
const CHARACTERS: usize = 200;

/// Whose folder a model lies in.
pub fn source(source: ModelSource) -> &'static str {
    match source {
        ModelSource::Builtin => "Built-in",
        ModelSource::Stepladder => "Stepladder",
        ModelSource::Folder => "Your folders",
        ModelSource::HuggingFace => "Hugging Face cache",
        ModelSource::LmStudio => "LM Studio",
        ModelSource::Ollama => "Ollama",
    }
}

/// What a model is called.
pub fn name(model: &FoundModel) -> String {
    match model.source {
        ModelSource::Builtin => BUILTIN_MODEL.to_owned(),
        _ => excerpt(&model.name, CHARACTERS),
    }
}
