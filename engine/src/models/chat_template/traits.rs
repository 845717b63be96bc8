//! What a template does with traces, tools and system messages, found by asking it to tell small
//! conversations; its source is never searched.

use serde_json::json;

use super::probe::{
    ANSWER, QUESTION, SYSTEM, TOOL, TRACE, answer, answer_after, between, messages_told,
    opening_told, question, told,
};
use super::{
    ChatTemplate, Dialog, GenerationPrompt, Message, RenderProblem, Role, Thinking, deep_stack,
};

/// Opens a think block, in answers and in the templates that know it.
pub const THINK_OPEN: &str = "<think>";
/// Closes it.
pub const THINK_CLOSE: &str = "</think>";

/// What a template does. A template that takes none of the probes does nothing of all this.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TemplateTraits {
    /// The reasoning of a message appears in the text of the last turn.
    pub prints_reasoning: bool,
    /// A think block within the words of the last turn survives.
    pub keeps_inline_traces: bool,
    /// An earlier turn is told without its trace. Asked in the form that the template knows: the
    /// field if it prints that, else a block within the words.
    pub earlier_traces_dropped: bool,
    /// The model behind it may think before it answers: the generation prompt opens a think block,
    /// the template prints reasoning, or `enable_thinking` changes the text.
    pub thinks: bool,
    /// What an answer without thinking opens with, to the letter: what `enable_thinking` as false
    /// adds to the generation prompt, or the block that the template prints around no reasoning.
    pub empty_trace: Option<String>,
    /// How an answer gets that opening.
    pub empty_trace_form: EmptyTraceForm,
    /// A list of tools appears in the text.
    pub takes_tools: bool,
    /// A system message appears in the text.
    pub takes_system: bool,
}

/// How an answer gets an empty trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmptyTraceForm {
    /// The template opens every answer without reasoning so.
    Unasked,
    /// The template tells reasoning that is the empty text so.
    EmptyReasoning,
    /// It has to stand in the words of the answer.
    #[default]
    InWords,
}

impl TemplateTraits {
    /// Asks a template.
    pub(super) fn of(template: &ChatTemplate) -> Self {
        // A template that exceeds its limits on a few words will not be rendered at all.
        match deep_stack::run(|| observed(template)) {
            Ok(Ok(traits)) => traits,
            Ok(Err(_)) | Err(_) => Self::default(),
        }
    }
}

fn observed(template: &ChatTemplate) -> Result<TemplateTraits, RenderProblem> {
    let in_field = |trace: &str| answer_after(trace);
    let in_words = |trace: &str| Message {
        content: format!("{THINK_OPEN}\n{trace}\n{THINK_CLOSE}\n\n{ANSWER}"),
        ..answer()
    };
    let with_trace = messages_told(template, &[question(), in_field(TRACE)])?;
    let prints_reasoning = with_trace.contains(TRACE);
    let inline = messages_told(template, &[question(), in_words(TRACE)])?;
    let form: &dyn Fn(&str) -> Message = if prints_reasoning {
        &in_field
    } else {
        &in_words
    };
    let two_turns = [question(), form(TRACE), question(), form("Later thought")];
    let two_turns = messages_told(template, &two_turns)?;

    let unsaid = opening_told(template, Thinking::Unsaid)?;
    let on = opening_told(template, Thinking::On)?;
    let off = opening_told(template, Thinking::Off)?;
    let opens_block = behind_question(&unsaid)
        .rsplit_once(THINK_OPEN)
        .is_some_and(|(_, inside)| !inside.contains(THINK_CLOSE));

    let empty_trace = match added_by(&off, [&unsaid, &on]) {
        Some(added) => Some(added),
        None => printed_around_nothing(template, &with_trace)?,
    };
    Ok(TemplateTraits {
        prints_reasoning,
        keeps_inline_traces: inline.contains(TRACE),
        earlier_traces_dropped: two_turns.contains(QUESTION) && !two_turns.contains(TRACE),
        thinks: opens_block || prints_reasoning || on != off || on != unsaid,
        empty_trace,
        empty_trace_form: empty_trace_form(template)?,
        takes_tools: takes_tools(template)?,
        takes_system: messages_told(
            template,
            &[Message::new(Role::System, SYSTEM), question(), answer()],
        )?
        .contains(SYSTEM),
    })
}

fn takes_tools(template: &ChatTemplate) -> Result<bool, RenderProblem> {
    let tools = json!([{
        "type": "function",
        "function": {
            "name": TOOL,
            "description": "Packs boxes.",
            "parameters": {
                "type": "object",
                "properties": {"count": {"type": "integer", "description": "How many."}},
                "required": ["count"],
            },
        },
    }]);
    let messages = [question()];
    let dialog = Dialog {
        tools: Some(&tools),
        ..Dialog::new(&messages)
    };
    Ok(told(template, &dialog, GenerationPrompt::Assistant)?.contains(TOOL))
}

/// What the opening of an answer without thinking has more than the usual ones.
fn added_by(off: &str, usual: [&str; 2]) -> Option<String> {
    let opening = behind_question(off);
    let usual = usual.map(behind_question);
    if usual.iter().all(|usual| *usual == opening) {
        return None;
    }
    if let Some(block) = empty_block(opening) {
        return Some(block.to_owned());
    }
    // Another kind of block: only what comes on top of the usual opening can be told.
    let added = usual.iter().find_map(|usual| opening.strip_prefix(usual));
    added.filter(|added| !added.is_empty()).map(str::to_owned)
}

fn empty_trace_form(template: &ChatTemplate) -> Result<EmptyTraceForm, RenderProblem> {
    for (message, form) in [
        (answer(), EmptyTraceForm::Unasked),
        (answer_after(""), EmptyTraceForm::EmptyReasoning),
    ] {
        let text = messages_told(template, &[question(), message])?;
        if empty_block(&between(&text, ANSWER)).is_some() {
            return Ok(form);
        }
    }
    Ok(EmptyTraceForm::InWords)
}

/// The block of an answer without reasoning: one that is there although none was given, or the one
/// that stands around reasoning when it is taken out.
fn printed_around_nothing(
    template: &ChatTemplate,
    with_trace: &str,
) -> Result<Option<String>, RenderProblem> {
    for message in [answer(), answer_after("")] {
        let text = messages_told(template, &[question(), message])?;
        if let Some(block) = empty_block(&between(&text, ANSWER)) {
            return Ok(Some(block.to_owned()));
        }
    }
    let around = between(with_trace, ANSWER).replace(TRACE, "");
    Ok(empty_block(&around).map(str::to_owned))
}

/// A think block around nothing, with the white space behind it, at the end of a text.
fn empty_block(text: &str) -> Option<&str> {
    let start = text.rfind(THINK_OPEN)?;
    let (inside, behind) = text[start + THINK_OPEN.len()..].split_once(THINK_CLOSE)?;
    let is_empty = inside.trim().is_empty() && behind.trim().is_empty();
    is_empty.then(|| &text[start..])
}

fn behind_question(text: &str) -> &str {
    text.rsplit_once(QUESTION).map_or("", |(_, behind)| behind)
}
