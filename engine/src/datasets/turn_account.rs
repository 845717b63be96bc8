//! What is noticed about the turns and traces of conversations while they are told and masked.

use super::traces::TraceFound;

/// What was noticed about the assistant's turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TurnAccount {
    /// Turns behind which no token tells the model to stop.
    pub without_end: usize,
    /// Turns that do not continue the text generation would begin from.
    pub off_prompt: usize,
    /// Turns whose trace the template leaves out.
    pub trace_lost: usize,
    /// Turns that leave no trace in the text.
    pub not_found: usize,
    /// Conversations with tools that the template does not tell.
    pub tools_left_out: usize,
    /// Conversations with a system message that the template does not tell.
    pub system_left_out: usize,
    /// Texts in which a second token that begins a sequence was taken out.
    pub begun_twice: usize,
    /// Their traces.
    pub traces: TraceAccount,
}

impl TurnAccount {
    /// Adds those of another conversation.
    pub fn add(&mut self, other: Self) {
        self.without_end += other.without_end;
        self.off_prompt += other.off_prompt;
        self.trace_lost += other.trace_lost;
        self.not_found += other.not_found;
        self.tools_left_out += other.tools_left_out;
        self.system_left_out += other.system_left_out;
        self.begun_twice += other.begun_twice;
        self.traces.add(other.traces);
    }
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

    pub(super) fn count(&mut self, found: &TraceFound) {
        self.answers += 1;
        match found {
            TraceFound::None => {}
            TraceFound::Field | TraceFound::Inline(_) => self.with_trace += 1,
            TraceFound::Empty => self.empty += 1,
            TraceFound::Unclosed => self.unclosed += 1,
        }
    }
}
