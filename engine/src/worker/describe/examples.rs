//! Examples for people: text, split where training uses it otherwise.

use stepladder_protocol::{ExamplePreview, Segment, TokenUse};

use crate::Result;
use crate::datasets::conversation::{Message, Role, Sample};
use crate::datasets::first_look::{Look, SeenExample, see};
use crate::datasets::{Recipe, SourceLine};
use crate::models::tokenizer::{SpecialTokenText, Tokenizer};

/// Bytes of text that are shown of an example, and of all of them.
const MAX_EXAMPLE_BYTES: usize = 256 << 10;
const MAX_BYTES: usize = 4 << 20;
/// Segments that are shown of an example.
const MAX_SEGMENTS: usize = 2000;

/// The samples of a look, as a model will see them, or without a model as they are. Of a sample with
/// several examples there are several.
pub fn shown(look: &Look, recipe: Option<&Recipe<'_>>) -> Result<Vec<ExamplePreview>> {
    let mut shown: Vec<ExamplePreview> = Vec::new();
    let mut bytes = 0;
    for row in &look.rows {
        if bytes > MAX_BYTES {
            break;
        }
        let before = shown.len();
        let preview = |tokens: Option<usize>, segments: Vec<Segment>| ExamplePreview {
            row: row.number,
            path: path(look, row.place),
            line: row.place.line,
            tokens,
            segments,
        };
        match recipe {
            None => shown.push(preview(None, as_written(&row.sample))),
            Some(recipe) => {
                for example in see(&row.sample, recipe)? {
                    let segments = segments(recipe.tokenizer, &example)?;
                    shown.push(preview(Some(example.ids.len()), segments));
                }
            }
        }
        for example in &mut shown[before..] {
            shorten(&mut example.segments);
            let texts = example.segments.iter().map(|segment| segment.text.len());
            bytes += texts.sum::<usize>();
        }
    }
    Ok(shown)
}

/// Cuts the text of an example that nobody would read to its end.
fn shorten(segments: &mut Vec<Segment>) {
    let mut left = MAX_EXAMPLE_BYTES;
    for segment in segments.iter_mut() {
        if segment.text.len() > left {
            let end = (0..=left)
                .rev()
                .find(|end| segment.text.is_char_boundary(*end));
            let cut = segment.text.split_off(end.unwrap_or(0));
            segment
                .text
                .push_str(&format!(" ... and {} more characters", cut.chars().count()));
            left = 0;
        }
        left = left.saturating_sub(segment.text.len());
    }
    // A handful of segments at the limit each still fits; thousands of them would not.
    segments.truncate(MAX_SEGMENTS);
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
