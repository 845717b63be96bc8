//! Small conversations that a template is asked to tell, so that what it does is seen from outside.
//! Their words are found again in the text, because no template says them of its own.

use super::{ChatTemplate, Dialog, GenerationPrompt, Message, RenderProblem, Role, Thinking};

pub(super) const SYSTEM: &str = "Jackdaws love my big sphinx";
pub(super) const QUESTION: &str = "Quartz jumps";
pub(super) const ANSWER: &str = "Vexing fly by";
pub(super) const TRACE: &str = "Waltz nymph mused";
pub(super) const TOOL: &str = "pack_boxes";

/// What the template makes of messages: no text where it does not take them, an error only if it
/// exceeds its limits, because every further render would too.
pub(super) fn told(
    template: &ChatTemplate,
    dialog: &Dialog<'_>,
    prompt: GenerationPrompt,
) -> Result<String, RenderProblem> {
    match template.try_render(dialog, prompt) {
        Err(problem @ RenderProblem::OverLimit(_)) => Err(problem),
        rendered => Ok(rendered.unwrap_or_default()),
    }
}

/// Messages without anything around them.
pub(super) fn messages_told(
    template: &ChatTemplate,
    messages: &[Message],
) -> Result<String, RenderProblem> {
    told(template, &Dialog::new(messages), GenerationPrompt::None)
}

/// A question with the opening of its answer.
pub(super) fn opening_told(
    template: &ChatTemplate,
    thinking: Thinking,
) -> Result<String, RenderProblem> {
    let messages = [question()];
    let dialog = Dialog {
        thinking,
        ..Dialog::new(&messages)
    };
    told(template, &dialog, GenerationPrompt::Assistant)
}

pub(super) fn question() -> Message {
    Message::new(Role::User, QUESTION)
}

pub(super) fn answer() -> Message {
    Message::new(Role::Assistant, ANSWER)
}

/// An answer with its trace in a field of its own.
pub(super) fn answer_after(trace: &str) -> Message {
    Message {
        reasoning: Some(trace.to_owned()),
        ..answer()
    }
}

/// What stands between the last question and what follows it.
pub(super) fn between(text: &str, end: &str) -> String {
    let behind = text.rsplit_once(QUESTION).map_or("", |(_, behind)| behind);
    let found = behind.split_once(end).map_or("", |(before, _)| before);
    found.to_owned()
}
