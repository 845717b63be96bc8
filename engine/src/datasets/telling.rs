//! Where traces go. Datasets write what was thought before an answer in many ways; here each answer
//! gets the form in which the model's template tells it.

use stepladder_protocol::Traces;

use super::conversation::{Message, Role};
use super::traces::{TraceFound, recognize};
use crate::models::chat_template::{THINK_CLOSE, THINK_OPEN, TemplateTraits};

/// A conversation as it is handed to the template.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    pub(super) messages: Vec<Message>,
    /// Bytes at the beginning of each message's content that are its trace.
    pub(super) trace_bytes: Vec<usize>,
    pub(super) traces: TraceAccount,
}

/// The traces of a dataset's answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceAccount {
    /// The assistant's turns.
    pub answers: usize,
    /// Those with a trace that says something.
    pub with_trace: usize,
    /// Those with an empty one.
    pub empty: usize,
    /// Those with one that is opened and never closed.
    pub unclosed: usize,
}

impl TraceAccount {
    /// Adds those of another conversation.
    pub fn add(&mut self, other: Self) {
        self.answers += other.answers;
        self.with_trace += other.with_trace;
        self.empty += other.empty;
        self.unclosed += other.unclosed;
    }

    fn count(&mut self, found: &TraceFound) {
        self.answers += 1;
        match found {
            TraceFound::None => {}
            TraceFound::Field | TraceFound::Inline(_) => self.with_trace += 1,
            TraceFound::Empty => self.empty += 1,
            TraceFound::Unclosed => self.unclosed += 1,
        }
    }
}

impl Told {
    /// Recognizes the traces and puts each where the template tells it.
    pub(super) fn new(messages: &[Message], template: &TemplateTraits, wish: Traces) -> Self {
        let mut told = Self {
            messages: Vec::with_capacity(messages.len()),
            trace_bytes: Vec::with_capacity(messages.len()),
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
            (without, 0)
        }
        (_, Some(reasoning)) if reasoning.trim().is_empty() => match &template.empty_trace {
            Some(trace) => within_words(trace, &recognized),
            None => (written.clone(), 0),
        },
        (_, Some(_)) if template.prints_reasoning => (recognized, 0),
        // Within the words, where the template does not touch it: as it was written, if it was.
        (_, Some(_)) if written.reasoning.is_none() => {
            let trace = written.content.strip_suffix(recognized.content.as_str());
            (written.clone(), trace.map_or(0, str::len))
        }
        (_, Some(reasoning)) => {
            let trace = format!("{THINK_OPEN}\n{}\n{THINK_CLOSE}\n\n", reasoning.trim());
            within_words(&trace, &recognized)
        }
        (Traces::InsertEmpty, None) => match &template.empty_trace {
            Some(trace) => within_words(trace, &recognized),
            None => (recognized, 0),
        },
        (Traces::Keep, None) => (written.clone(), 0),
    }
}

fn within_words(trace: &str, answer: &Message) -> (Message, usize) {
    let with_trace = Message {
        content: format!("{trace}{}", answer.content),
        reasoning: None,
        ..answer.clone()
    };
    (with_trace, trace.len())
}
