//! Tells reasoning from answer while a reply streams. Reasoning is what stands up to the closing
//! think marker, whether the reply opened the block itself or the prompt had already opened it.

use crate::models::chat_template::{THINK_CLOSE as CLOSE, THINK_OPEN as OPEN};

/// A stretch of a reply. All stretches joined are the reply exactly as the model said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The text.
    pub text: String,
    /// Whether it is reasoning, the markers around it included.
    pub is_reasoning: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Too little was said to know.
    Undecided,
    Reasoning,
    Answer,
}

/// Follows one reply.
#[derive(Debug)]
pub struct ReasoningTracker {
    state: State,
    /// Text that is not yet handed on, or the end of it that may begin a marker.
    pending: String,
    /// Reasoning so far, as far as the closing marker may begin in it.
    tail: String,
    tokens: usize,
    /// Tokens before the closing marker; final once the state is `Answer`.
    reasoning_tokens: usize,
}

impl ReasoningTracker {
    /// For a reply to this prompt.
    pub fn new(prompt: &str) -> Self {
        Self {
            state: if leaves_block_open(prompt) {
                State::Reasoning
            } else {
                State::Undecided
            },
            pending: String::new(),
            tail: String::new(),
            tokens: 0,
            reasoning_tokens: 0,
        }
    }

    /// Tokens of reasoning so far.
    pub fn reasoning_tokens(&self) -> usize {
        self.reasoning_tokens
    }

    /// Takes in a token and the text it completed (none, if a character is still unfinished).
    pub fn push(&mut self, text: Option<&str>) -> Vec<Stretch> {
        self.tokens += 1;
        self.append(text.unwrap_or(""))
    }

    fn append(&mut self, text: &str) -> Vec<Stretch> {
        if self.state == State::Undecided {
            self.pending.push_str(text);
            let said = self.pending.trim_start();
            if OPEN.starts_with(said) && said.len() < OPEN.len() {
                return Vec::new();
            }
            self.state = if said.starts_with(OPEN) {
                State::Reasoning
            } else {
                State::Answer
            };
            let text = std::mem::take(&mut self.pending);
            return self.take(&text);
        }
        self.take(text)
    }

    /// What was held back when the reply ends, after `rest` was said.
    pub fn finish(&mut self, rest: Option<&str>) -> Vec<Stretch> {
        let mut stretches = self.append(rest.unwrap_or(""));
        stretches.extend(stretch(std::mem::take(&mut self.pending), false));
        stretches
    }

    fn take(&mut self, text: &str) -> Vec<Stretch> {
        if self.state != State::Reasoning {
            return stretch(text.to_owned(), false).into_iter().collect();
        }
        let before = self.tail.len();
        self.tail.push_str(text);
        let Some(at) = self.tail.find(CLOSE) else {
            // Tokens that may turn out to begin the marker are not counted yet.
            if !self.may_begin_marker() {
                self.reasoning_tokens = self.tokens;
            }
            let keep = self.tail.len().saturating_sub(CLOSE.len());
            let keep = (0..=keep)
                .rev()
                .find(|&at| self.tail.is_char_boundary(at))
                .unwrap_or(0);
            self.tail.drain(..keep);
            return stretch(text.to_owned(), true).into_iter().collect();
        };
        let end = (at + CLOSE.len()).saturating_sub(before).min(text.len());
        self.state = State::Answer;
        let (reasoning, answer) = text.split_at(end);
        let mut stretches: Vec<Stretch> = stretch(reasoning.to_owned(), true).into_iter().collect();
        stretches.extend(stretch(answer.to_owned(), false));
        stretches
    }

    fn may_begin_marker(&self) -> bool {
        (1..CLOSE.len()).any(|length| self.tail.ends_with(&CLOSE[..length]))
    }
}

fn stretch(text: String, is_reasoning: bool) -> Option<Stretch> {
    (!text.is_empty()).then_some(Stretch { text, is_reasoning })
}

/// Whether a reply to this prompt begins within a think block.
pub fn leaves_block_open(prompt: &str) -> bool {
    match (prompt.rfind(OPEN), prompt.rfind(CLOSE)) {
        (Some(open), Some(close)) => open > close,
        (Some(_), None) => true,
        (None, _) => false,
    }
}

/// Splits an earlier reply into reasoning and answer, for chat templates that render them apart.
pub fn split_reply(reply: &str) -> (Option<&str>, &str) {
    match reply.split_once(CLOSE) {
        None => (None, reply),
        Some((reasoning, answer)) => {
            let reasoning = reasoning.trim_start();
            let reasoning = reasoning.strip_prefix(OPEN).unwrap_or(reasoning);
            (
                Some(reasoning.trim_matches('\n')),
                answer.trim_start_matches('\n'),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(prompt: &str, pieces: &[&str]) -> (String, String, usize) {
        let mut tracker = ReasoningTracker::new(prompt);
        let mut stretches = Vec::new();
        for piece in pieces {
            stretches.extend(tracker.push(Some(piece)));
        }
        stretches.extend(tracker.finish(None));
        let joined = |wanted: bool| {
            let texts = stretches.iter().filter(|s| s.is_reasoning == wanted);
            texts.map(|s| s.text.as_str()).collect::<String>()
        };
        let all: String = stretches.iter().map(|s| s.text.as_str()).collect();
        assert_eq!(all, pieces.concat(), "the stretches joined are the reply");
        (joined(true), joined(false), tracker.reasoning_tokens())
    }

    #[test]
    fn the_prompt_may_have_opened_the_block() {
        let (reasoning, answer, tokens) = run("hi<think>\n", &["a", " b", "</think>", "\n", "42"]);
        assert_eq!(
            (reasoning.as_str(), answer.as_str(), tokens),
            ("a b</think>", "\n42", 2)
        );
    }

    #[test]
    fn markers_may_come_in_parts() {
        let pieces = ["<", "think", ">", "x", "<", "b", "</", "think", ">y", "z"];
        let (reasoning, answer, tokens) = run("hi", &pieces);
        assert_eq!(
            (reasoning.as_str(), answer.as_str()),
            ("<think>x<b</think>", "yz")
        );
        assert_eq!(tokens, 6, "tokens before the closing marker");
    }

    #[test]
    fn without_a_block_all_is_answer() {
        let (reasoning, answer, tokens) = run("<think>old</think> hi", &["<thin", " ice"]);
        assert_eq!(
            (reasoning.as_str(), answer.as_str(), tokens),
            ("", "<thin ice", 0)
        );
    }

    #[test]
    fn a_reply_cut_short_is_all_reasoning() {
        let (reasoning, answer, tokens) = run("<think>", &["é", "ü", "ö more and more text"]);
        assert_eq!(
            (reasoning.as_str(), answer.as_str(), tokens),
            ("éüö more and more text", "", 3)
        );
    }

    #[test]
    fn earlier_replies_split() {
        assert_eq!(split_reply("<think>\na\n</think>\n\nb"), (Some("a"), "b"));
        assert_eq!(split_reply("a\n</think>\n\nb"), (Some("a"), "b"));
        assert_eq!(split_reply("b"), (None, "b"));
    }
}
