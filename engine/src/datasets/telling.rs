//! Where traces go. Datasets write what was thought before an answer in many ways; here each answer
//! gets the form in which the model's template tells it.

use stepladder_protocol::Traces;

use super::conversation::{Message, Role};
use super::traces::recognize;
use super::turn_account::TraceAccount;
use crate::models::chat_template::{EmptyTraceForm, THINK_CLOSE, THINK_OPEN, TemplateTraits};

/// A conversation as it is handed to the template.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    pub(super) messages: Vec<Message>,
    /// Bytes at the beginning of each message's content that are its trace.
    pub(super) trace_bytes: Vec<usize>,
    /// Whether the template opens answers without a trace with an empty one by itself.
    pub(super) tells_unasked: bool,
    pub(super) traces: TraceAccount,
}

impl Told {
    /// Recognizes the traces and puts each where the template tells it.
    pub(super) fn new(messages: &[Message], template: &TemplateTraits, wish: Traces) -> Self {
        let mut told = Self {
            messages: Vec::with_capacity(messages.len()),
            trace_bytes: Vec::with_capacity(messages.len()),
            tells_unasked: template.empty_trace_form == EmptyTraceForm::Unasked,
            traces: TraceAccount::default(),
        };
        for message in messages {
            let (message, trace_bytes) = match message.role {
                Role::Assistant => {
                    let (recognized, found) = recognize(message.clone());
                    told.traces.count(&found);
                    placed(message, recognized, template, wish)
                }
                _ => (message.clone(), 0),
            };
            told.messages.push(message);
            told.trace_bytes.push(trace_bytes);
        }
        told
    }

    /// Whether an answer is left without words and calls.
    pub(super) fn says_nothing(&self) -> bool {
        let calls = |message: &Message| message.extra.contains_key("tool_calls");
        let empty = |message: &Message| {
            message.role == Role::Assistant
                && message.content.trim().is_empty()
                && message.reasoning.as_deref().is_none_or(str::is_empty)
                && !calls(message)
        };
        self.messages.iter().any(empty)
    }

    /// Whether a message has a trace.
    pub(super) fn has_trace(&self, index: usize) -> bool {
        self.trace_bytes[index] > 0 || self.messages[index].reasoning.is_some()
    }

    /// A message's trace.
    pub(super) fn trace(&self, index: usize) -> &str {
        let Message {
            reasoning, content, ..
        } = &self.messages[index];
        match reasoning {
            Some(reasoning) => reasoning.trim(),
            None => content[..self.trace_bytes[index]].trim(),
        }
    }
}

/// An answer as the template tells its trace, and how much of its words is the trace.
fn placed(
    written: &Message,
    recognized: Message,
    template: &TemplateTraits,
    wish: Traces,
) -> (Message, usize) {
    match (wish, &recognized.reasoning) {
        (Traces::Drop, _) => {
            let without = Message {
                reasoning: None,
                ..recognized
            };
            // Beside a field there may be a block as well.
            let (without, _) = recognize(without);
            let without = Message {
                reasoning: None,
                ..without
            };
            (without, 0)
        }
        (_, Some(reasoning)) if reasoning.trim().is_empty() => {
            with_empty_trace(recognized, template).unwrap_or_else(|| (written.clone(), 0))
        }
        (_, Some(_)) if template.prints_reasoning => (recognized, 0),
        // Within the words, where the template does not touch it: as it was written, if it was.
        (_, Some(_)) if written.reasoning.is_none() => {
            (written.clone(), trace_bytes(&written.content, &recognized))
        }
        (_, Some(reasoning)) => {
            let trace = format!("{THINK_OPEN}\n{}\n{THINK_CLOSE}\n\n", reasoning.trim());
            within_words(&trace, &recognized)
        }
        (Traces::InsertEmpty, None) => {
            with_empty_trace(recognized, template).unwrap_or_else(|| (written.clone(), 0))
        }
        (Traces::Keep, None) => (written.clone(), 0),
    }
}

/// How much of some words is the trace: all before the answer that was recognized behind it.
fn trace_bytes(words: &str, recognized: &Message) -> usize {
    let reasoning = recognized.reasoning.as_deref().unwrap_or_default();
    let behind = words.find(reasoning).map_or(0, |at| at + reasoning.len());
    let answer = words[behind..].find(recognized.content.as_str());
    answer.map_or(0, |at| behind + at)
}

/// An answer with an empty trace, as the template tells one; none if it has no way to.
fn with_empty_trace(answer: Message, template: &TemplateTraits) -> Option<(Message, usize)> {
    let with_reasoning = |reasoning: Option<String>| Message {
        reasoning,
        ..answer.clone()
    };
    let trace = template.empty_trace.as_ref()?;
    Some(match template.empty_trace_form {
        EmptyTraceForm::Unasked => (with_reasoning(None), 0),
        EmptyTraceForm::EmptyReasoning => (with_reasoning(Some(String::new())), 0),
        EmptyTraceForm::InWords => within_words(trace, &answer),
    })
}

fn within_words(trace: &str, answer: &Message) -> (Message, usize) {
    let with_trace = Message {
        content: format!("{trace}{}", answer.content),
        reasoning: None,
        ..answer.clone()
    };
    (with_trace, trace.len())
}
