//! Where the assistant's turns lie in a rendered conversation.
//!
//! Templates are programs, so the places are found by rendering and comparing, never by looking for
//! markers. A turn begins where the generation prompt ends: at the end of what the conversation
//! before it, rendered with the prompt, has in common with the conversation up to and including it.
//! Where a template does not allow that (it refuses a conversation that ends there, or tells the
//! earlier turns differently), the turn is found by rendering it with other words and looking what
//! changed.

use super::conversation::{Message, Role};
use crate::models::chat_template::{
    ChatTemplate, Dialog, GenerationPrompt, RenderProblem, SpecialTokens,
};

/// An assistant turn and the text it was found in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// Index of the message.
    pub(super) message: usize,
    /// Byte at which what the model has to say begins.
    pub(super) start: usize,
    /// The text that `start` counts in.
    pub(super) text: TurnText,
    /// Whether generation would begin from another text than the one before `start`.
    pub(super) prompt_differs: bool,
}

/// The text a turn was found in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TurnText {
    /// The conversation up to and including the turn.
    UpTo(String),
    /// The whole conversation, in which the turn's own words end at a byte.
    Whole { content_end: usize },
}

impl Turn {
    /// The text that the turn was found in; `whole` is the whole conversation's.
    pub(super) fn text_in<'a>(&'a self, whole: &'a str) -> &'a str {
        match &self.text {
            TurnText::UpTo(text) => text,
            TurnText::Whole { .. } => whole,
        }
    }

    /// The part of the conversation that this text tells.
    pub(super) fn dialog<'a>(&self, whole: &Dialog<'a>) -> Dialog<'a> {
        match &self.text {
            TurnText::UpTo(_) => Dialog {
                messages: &whole.messages[..=self.message],
                ..*whole
            },
            TurnText::Whole { .. } => *whole,
        }
    }
}

/// The assistant's turns of a conversation whose whole text is `whole`. A turn that leaves no trace
/// in the text is missing from the answer.
pub(super) fn find_turns(
    template: &ChatTemplate,
    dialog: &Dialog<'_>,
    whole: &str,
) -> Result<Vec<Turn>, RenderProblem> {
    let mut turns = Vec::new();
    for (index, message) in dialog.messages.iter().enumerate() {
        if message.role != Role::Assistant {
            continue;
        }
        let until = Dialog {
            messages: &dialog.messages[..=index],
            ..*dialog
        };
        let up_to = if until.messages.len() == dialog.messages.len() {
            Some(whole.to_owned())
        } else {
            allowed(template.try_render(&until, GenerationPrompt::None))?
        };
        let turn = match up_to {
            Some(text) => turn_at_end(template, &until, index, text)?,
            None => turn_inside(template, dialog, index, whole)?,
        };
        turns.extend(turn);
    }
    Ok(turns)
}

fn turn_at_end(
    template: &ChatTemplate,
    dialog: &Dialog<'_>,
    index: usize,
    text: String,
) -> Result<Option<Turn>, RenderProblem> {
    let before = Dialog {
        messages: &dialog.messages[..index],
        ..*dialog
    };
    let prompt = allowed(template.try_render(&before, GenerationPrompt::Assistant))?;
    let prompt = prompt.unwrap_or_default();
    let (start, prompt_differs) = match after_prompt(template, &before, &prompt, &text)? {
        Some(start) => (start, start < prompt.len()),
        None => match changed_range(template, dialog, index, &text)? {
            Some((start, _)) => (like_prompt(&prompt, &text, start), true),
            None => return Ok(None),
        },
    };
    let text = TurnText::UpTo(text);
    Ok(Some(Turn {
        message: index,
        start,
        text,
        prompt_differs,
    }))
}

fn turn_inside(
    template: &ChatTemplate,
    dialog: &Dialog<'_>,
    index: usize,
    whole: &str,
) -> Result<Option<Turn>, RenderProblem> {
    let changed = changed_range(template, dialog, index, whole)?;
    Ok(changed.map(|(start, content_end)| Turn {
        message: index,
        start,
        text: TurnText::Whole { content_end },
        prompt_differs: false,
    }))
}

/// The end of the generation prompt in `text`, which tells what comes `before` and one more turn.
/// `None` if the two tell what comes before differently.
fn after_prompt(
    template: &ChatTemplate,
    before: &Dialog<'_>,
    prompt: &str,
    text: &str,
) -> Result<Option<usize>, RenderProblem> {
    if prompt.is_empty() {
        return Ok(None);
    }
    let told = if before.messages.is_empty() {
        String::new()
    } else {
        match allowed(template.try_render(before, GenerationPrompt::None))? {
            Some(told) => told,
            None => return Ok(None),
        }
    };
    // Some templates close a conversation that ends there with one more token.
    let told = without_end_matter(&told, template.special_tokens());
    let start = common_prefix(prompt, text);
    let stable = text.starts_with(told) && start >= told.len();
    // The opening of nothing lacks what templates put before the first message, and says nothing
    // about where it parts from one that has it.
    let opens_nothing = before.messages.is_empty() && start < prompt.len();
    Ok((stable && !opens_nothing).then_some(start))
}

/// A start found by the turn's own words lies behind the white space before them. Of that white
/// space, only what the generation prompt ends with belongs to the prompt.
fn like_prompt(prompt: &str, text: &str, start: usize) -> usize {
    let begin = text[..start].trim_end().len();
    let places = (begin..=start).filter(|place| text.is_char_boundary(*place));
    places
        .max_by_key(|place| common_suffix(prompt, &text[..*place]))
        .unwrap_or(start)
}

/// Where the words of an answer begin in `text`, behind its trace: the first byte that changes when
/// the message says something else behind the first `trace_bytes` of its content.
pub(super) fn answer_start(
    template: &ChatTemplate,
    dialog: &Dialog<'_>,
    (index, trace_bytes): (usize, usize),
    text: &str,
) -> Result<Option<usize>, RenderProblem> {
    let reword = |message: &mut Message, words: &str| {
        message.content.truncate(trace_bytes);
        message.content.push_str(words);
    };
    let changed = changed_by(template, dialog, index, text, &reword)?;
    Ok(changed.map(|(start, _)| start))
}

/// The bytes of `text` that change when a message says and thinks something else.
fn changed_range(
    template: &ChatTemplate,
    dialog: &Dialog<'_>,
    index: usize,
    text: &str,
) -> Result<Option<(usize, usize)>, RenderProblem> {
    let reword = |message: &mut Message, words: &str| {
        message.content = words.to_owned();
        message.reasoning = message.reasoning.as_ref().map(|_| words.to_owned());
    };
    changed_by(template, dialog, index, text, &reword)
}

fn changed_by(
    template: &ChatTemplate,
    dialog: &Dialog<'_>,
    index: usize,
    text: &str,
    reword: &dyn Fn(&mut Message, &str),
) -> Result<Option<(usize, usize)>, RenderProblem> {
    let render_with = |words: &str| {
        let mut changed = dialog.messages.to_vec();
        reword(&mut changed[index], words);
        let changed = Dialog {
            messages: &changed,
            ..*dialog
        };
        allowed(template.try_render(&changed, GenerationPrompt::None))
    };
    // Two replacements that begin and end differently: one of them may share a letter with the text.
    let (Some(a), Some(b)) = (render_with("Quartz jumps")?, render_with("Vexing fly by")?) else {
        return Ok(None);
    };
    if a == b {
        return Ok(None);
    }
    let start = common_prefix(&a, &b).min(common_prefix(&a, text));
    let tail = common_suffix(&a, &b).min(common_suffix(&a, text));
    let end = text.len() - tail;
    Ok((start <= end).then_some((start, end)))
}

/// A text, `None` where the template does not take these messages; exceeding its limits stays an
/// error, because every further render would too.
fn allowed(rendered: Result<String, RenderProblem>) -> Result<Option<String>, RenderProblem> {
    match rendered {
        Ok(text) => Ok(Some(text)),
        Err(problem @ RenderProblem::OverLimit(_)) => Err(problem),
        Err(RenderProblem::Refused(_) | RenderProblem::Failed(_)) => Ok(None),
    }
}

/// A text without the whitespace and special tokens at its end.
fn without_end_matter<'a>(text: &'a str, special: &SpecialTokens) -> &'a str {
    let SpecialTokens { bos, eos, pad, .. } = special;
    let mut rest = text.trim_end();
    while let Some(shorter) = [bos, eos, pad]
        .into_iter()
        .flatten()
        .filter(|token| !token.is_empty())
        .find_map(|token| rest.strip_suffix(token.as_str()))
    {
        rest = shorter.trim_end();
    }
    rest
}

/// Bytes that two texts have in common at their beginning, whole characters only.
pub(super) fn common_prefix(a: &str, b: &str) -> usize {
    let mut length = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    while !a.is_char_boundary(length) || !b.is_char_boundary(length) {
        length -= 1;
    }
    length
}

fn common_suffix(a: &str, b: &str) -> usize {
    let mut length = a
        .bytes()
        .rev()
        .zip(b.bytes().rev())
        .take_while(|(a, b)| a == b)
        .count();
    while !a.is_char_boundary(a.len() - length) || !b.is_char_boundary(b.len() - length) {
        length -= 1;
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_parts_are_whole_characters() {
        assert_eq!(common_prefix("aéx", "aéy"), 3);
        assert_eq!(common_prefix("aé", "aè"), 1);
        assert_eq!(common_prefix("ab", "ab"), 2);
        assert_eq!(common_prefix("", "x"), 0);
        assert_eq!(common_suffix("xé", "yé"), 2);
        assert_eq!(common_suffix("é", "\u{129}"), 0);
    }

    #[test]
    fn white_space_before_the_words_is_shared_as_in_the_prompt() {
        assert_eq!(like_prompt("x [/INST]", "a [/INST] b", 10), 9);
        assert_eq!(like_prompt("x\nassistant\n", "a\nassistant\nb", 12), 12);
        assert_eq!(like_prompt("x\nassistant\n", "a\nassistant\n\nb", 13), 12);
        assert_eq!(like_prompt("", "a\n b", 3), 3);
    }

    #[test]
    fn end_matter_is_whitespace_and_special_tokens() {
        let special = SpecialTokens {
            eos: Some("</s>".to_owned()),
            ..SpecialTokens::default()
        };
        assert_eq!(without_end_matter("hi </s>\n</s>", &special), "hi");
        assert_eq!(without_end_matter("hi", &special), "hi");
        assert_eq!(without_end_matter("</s>", &special), "");
    }
}
