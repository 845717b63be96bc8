//! Examples for people: text, split where training uses it otherwise.

use stepladder_protocol::{ExamplePreview, Segment, TokenUse};

use crate::Result;
use crate::datasets::conversation::{Message, Role, Sample};
use crate::datasets::first_look::{Look, SeenExample, see};
use crate::datasets::{Recipe, SourceLine};
use crate::models::tokenizer::{SpecialTokenText, Tokenizer};

/// The samples of a look, as a model will see them, or without a model as they are. Of a sample with
/// several examples there are several.
pub fn shown(look: &Look, recipe: Option<&Recipe<'_>>) -> Result<Vec<ExamplePreview>> {
    let mut shown = Vec::new();
    for (place, sample) in &look.samples {
        let preview = |tokens: Option<usize>, segments: Vec<Segment>| ExamplePreview {
            path: path(look, *place),
            line: place.line,
            tokens,
            segments,
        };
        match recipe {
            None => shown.push(preview(None, as_written(sample))),
            Some(recipe) => {
                for example in see(sample, recipe)? {
                    let segments = segments(recipe.tokenizer, &example)?;
                    shown.push(preview(Some(example.ids.len()), segments));
                }
            }
        }
    }
    Ok(shown)
}

fn path(look: &Look, place: SourceLine) -> String {
    let source = look.sources.get(place.source);
    source.map_or_else(String::new, |source| source.path.display().to_string())
}

/// The example's text, split where the use of its tokens changes.
fn segments(tokenizer: &Tokenizer, example: &SeenExample) -> Result<Vec<Segment>> {
    let mut segments = Vec::new();
    let mut first = 0;
    for stretch in example.uses.chunk_by(|a, b| a == b) {
        let ids = &example.ids[first..first + stretch.len()];
        segments.push(Segment {
            text: tokenizer.decode(ids, SpecialTokenText::Keep)?,
            used: stretch[0],
            first_token: Some(first),
            tokens: Some(stretch.len()),
        });
        first += stretch.len();
    }
    Ok(segments)
}

fn as_written(sample: &Sample) -> Vec<Segment> {
    let segment = |text: String, used| Segment {
        text,
        used,
        first_token: None,
        tokens: None,
    };
    match sample {
        Sample::Text(text) => vec![segment(text.clone(), TokenUse::Trained)],
        Sample::Chat(chat) => {
            let of_message = |message: &Message| {
                let used = match message.role {
                    Role::Assistant => TokenUse::Trained,
                    _ => TokenUse::Context,
                };
                let texts: Vec<String> = message
                    .reasoning
                    .iter()
                    .chain([&message.content])
                    .map(|text| format!("{text}\n"))
                    .collect();
                texts.into_iter().map(move |text| segment(text, used))
            };
            chat.messages.iter().flat_map(of_message).collect()
        }
    }
}
