//! What of a reply is reasoning, in tokens, and whether it came to an answer.
//!
//! With think markers the reasoning is what stands before the closing one, whether the reply or its
//! prompt opened the block. Without, it is what stands before the final answer; so a model that
//! leaves its markers out does not seem to reason less.

use stepladder_protocol::{AnswerOutcome, AnswerVerdict, ComparedAnswer, FinishReason, TraceState};

use super::extraction::{AnswerRules, Reference};
use crate::models::chat_template::{THINK_CLOSE, THINK_OPEN};

/// A reply as it was said.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// Its text.
    pub text: String,
    /// The byte of the text at which each of its tokens ends.
    pub token_ends: Vec<usize>,
    /// Whether the prompt left a think block open.
    pub begins_in_block: bool,
    /// Whether the chat template knows think blocks.
    pub template_thinks: bool,
    /// Why it ended.
    pub finish: FinishReason,
    /// The share of its runs of three tokens that are different.
    pub distinct_3: Option<f64>,
}

impl Reply {
    /// Tokens that end before a byte of the text.
    fn tokens_before(&self, byte: usize) -> usize {
        self.token_ends.partition_point(|end| *end <= byte)
    }

    /// What became of the think block, and where what is not trace begins.
    fn trace(&self) -> (TraceState, usize) {
        let opened = self.text.trim_start().starts_with(THINK_OPEN);
        match self.text.find(THINK_CLOSE) {
            Some(close) => {
                let trace = self.text[..close].trim_start();
                let trace = trace.strip_prefix(THINK_OPEN).unwrap_or(trace);
                let state = match trace.trim().is_empty() {
                    true => TraceState::Empty,
                    false => TraceState::Complete,
                };
                (state, close + THINK_CLOSE.len())
            }
            None if opened || self.begins_in_block => (TraceState::Unclosed, self.text.len()),
            None if self.template_thinks => (TraceState::Missing, 0),
            None => (TraceState::Unmarked, 0),
        }
    }

    /// The reply as it is compared, held against a reference.
    pub fn counted(self, rules: &AnswerRules, reference: Option<&Reference>) -> ComparedAnswer {
        let (trace, answer_start) = self.trace();
        let words = &self.text[answer_start..];
        let found = rules.find(words);
        let reasoning_tokens = match trace {
            TraceState::Complete | TraceState::Empty => {
                self.tokens_before(answer_start - THINK_CLOSE.len())
            }
            TraceState::Unclosed => self.token_ends.len(),
            TraceState::Missing | TraceState::Unmarked => match &found {
                Some(found) => self.tokens_before(answer_start + found.span.start),
                None => self.token_ends.len(),
            },
        };
        let reference = reference.filter(|reference| **reference != Reference::Unmatchable);
        // Prose that nobody can judge is an answer all the same.
        let is_answer = match (&found, rules) {
            (Some(_), _) => true,
            (None, AnswerRules::Pattern(_)) => false,
            (None, AnswerRules::Usual) => reference.is_none() && !words.trim().is_empty(),
        };
        let outcome = match (self.finish, is_answer) {
            (FinishReason::Length | FinishReason::Cancelled, _) => AnswerOutcome::Truncated,
            (FinishReason::Stop, true) => AnswerOutcome::Answered,
            (FinishReason::Stop, false) => AnswerOutcome::NoAnswer,
        };
        let verdict = match (reference, &found, outcome) {
            (None, _, _) => AnswerVerdict::NotJudged,
            (Some(reference), Some(found), AnswerOutcome::Answered) => {
                match reference.judge(found) {
                    Some(true) => AnswerVerdict::Right,
                    Some(false) => AnswerVerdict::Wrong,
                    None => AnswerVerdict::NotJudged,
                }
            }
            // What was cut off did not come to an answer, whatever its last number is.
            (Some(_), _, _) => AnswerVerdict::Wrong,
        };
        let answer = found.map(|found| match (reference, found.number) {
            (Some(Reference::Number(_)), Some(number)) => number,
            _ => found.text,
        });
        ComparedAnswer {
            answer_start,
            reasoning_tokens,
            total_tokens: self.token_ends.len(),
            trace,
            outcome,
            answer,
            verdict,
            finish: self.finish,
            distinct_3: self.distinct_3,
            text: self.text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::reasoning::ReasoningTracker;

    fn reply(prompt: &str, pieces: &[&str]) -> Reply {
        let mut end = 0;
        let ends = pieces.iter().map(|piece| {
            end += piece.len();
            end
        });
        Reply {
            token_ends: ends.collect(),
            text: pieces.concat(),
            begins_in_block: prompt.ends_with("<think>"),
            template_thinks: true,
            finish: FinishReason::Stop,
            distinct_3: None,
        }
    }

    fn counted(reply: Reply, reference: Option<&str>) -> ComparedAnswer {
        let reference = reference.map(|text| Reference::of(text, &AnswerRules::Usual));
        reply.counted(&AnswerRules::Usual, reference.as_ref())
    }

    #[test]
    fn the_block_may_be_opened_by_reply_or_prompt() {
        for (prompt, pieces) in [
            ("hi<think>", &["a", " b", "</think>", "\n", "42"][..]),
            (
                "hi",
                &["<think>", "a", " b", "</", "think", ">", "\n", "42"],
            ),
            ("hi", &["a", "b", "</think>", "42"]),
        ] {
            let answer = counted(reply(prompt, pieces), Some("42"));
            assert_eq!(answer.trace, TraceState::Complete);
            assert_eq!(answer.answer_text().trim(), "42");
            assert_eq!(
                (answer.verdict, answer.outcome),
                (AnswerVerdict::Right, AnswerOutcome::Answered)
            );
            if prompt.ends_with("<think>") || pieces[0] == "<think>" {
                let mut tracker = ReasoningTracker::new(prompt);
                pieces.iter().for_each(|piece| {
                    tracker.push(Some(piece));
                });
                assert_eq!(
                    answer.reasoning_tokens,
                    tracker.reasoning_tokens(),
                    "as chat counts"
                );
            }
            assert_eq!(answer.total_tokens, pieces.len());
        }
    }

    #[test]
    fn empty_missing_and_unclosed_traces_are_told_apart() {
        let empty = counted(reply("<think>", &["\n\n", "</think>", "42"]), Some("42"));
        assert_eq!(
            (empty.trace, empty.reasoning_tokens),
            (TraceState::Empty, 1)
        );
        let missing = counted(
            reply("", &["6*7", " is", " The", " answer is", " 42", "."]),
            Some("42"),
        );
        assert_eq!(
            (missing.trace, missing.reasoning_tokens),
            (TraceState::Missing, 2)
        );
        assert_eq!(missing.verdict, AnswerVerdict::Right);
        let unmarked = Reply {
            template_thinks: false,
            ..reply("", &["6*7", " = ", "42"])
        };
        let unmarked = counted(unmarked, None);
        assert_eq!(
            (unmarked.trace, unmarked.reasoning_tokens),
            (TraceState::Unmarked, 2)
        );
        assert_eq!(unmarked.verdict, AnswerVerdict::NotJudged);
        let unclosed = counted(reply("", &["<think>", "42"]), Some("42"));
        assert_eq!(
            (unclosed.trace, unclosed.reasoning_tokens),
            (TraceState::Unclosed, 2)
        );
        assert_eq!(
            (unclosed.outcome, unclosed.verdict, unclosed.answer),
            (AnswerOutcome::NoAnswer, AnswerVerdict::Wrong, None)
        );
    }

    #[test]
    fn what_is_cut_off_is_neither_an_answer_nor_right() {
        let cut = Reply {
            finish: FinishReason::Length,
            ..reply("<think>", &["a", "</think>", "The answer is 42"])
        };
        let answer = counted(cut, Some("42"));
        assert_eq!(
            (answer.outcome, answer.verdict),
            (AnswerOutcome::Truncated, AnswerVerdict::Wrong)
        );
    }

    #[test]
    fn prose_is_an_answer_where_nothing_judges_it() {
        let prose = || reply("<think>", &["a", "</think>", "one\ntwo"]);
        assert_eq!(counted(prose(), None).outcome, AnswerOutcome::Answered);
        let against_long = counted(prose(), Some(&"long\n".repeat(100)));
        assert_eq!(
            (against_long.outcome, against_long.verdict),
            (AnswerOutcome::Answered, AnswerVerdict::NotJudged)
        );
        assert_eq!(
            counted(prose(), Some("42")).outcome,
            AnswerOutcome::NoAnswer
        );
        let nothing = counted(reply("<think>", &["a", "</think>", "\n"]), None);
        assert_eq!(nothing.outcome, AnswerOutcome::NoAnswer);
        let rules = AnswerRules::new(Some("=> (.*)")).unwrap();
        assert_eq!(
            prose().counted(&rules, None).outcome,
            AnswerOutcome::NoAnswer
        );
    }
}
