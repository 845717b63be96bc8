//! What a run's model said to held-out prompts, evaluation by evaluation. Rows come from its file and
//! from events, in any order and more than once: each has its place.

use std::collections::BTreeMap;

use stepladder_protocol::{FinishReason, SampleRow};

/// Prompts beyond these are passed over.
pub const MOST_PROMPTS: usize = 64;
/// Evaluations beyond these push the oldest out.
const MOST_EVALUATIONS: usize = 4096;

/// How far the file was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FileRead {
    /// Nobody asked for it.
    #[default]
    No,
    /// It is on its way.
    Reading,
    /// It was read.
    Yes,
    /// A sentence says why it could not be.
    Failed(String),
}

/// A held-out prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// What was asked, template and all.
    pub prompt: String,
    /// What the dataset answers.
    pub reference: String,
}

/// What was said to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The words.
    pub text: String,
    /// How many tokens they are, where that is known.
    pub tokens: Option<usize>,
    /// How many of them are reasoning.
    pub reasoning_tokens: Option<usize>,
    /// How it ended.
    pub finish: Option<FinishReason>,
}

/// What was read of `samples.jsonl`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnswersRead {
    /// Where reading began.
    pub from: u64,
    /// Where the next reading begins.
    pub to: u64,
    /// The rows.
    pub answers: Answers,
    /// Lines that are no rows.
    pub damaged: usize,
}

/// The answers of one run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers {
    /// How far its file was read.
    pub file: FileRead,
    /// Bytes of it that were.
    pub read_to: u64,
    /// Lines of it that are no rows.
    pub damaged: usize,
    /// Prompts by their numbers; the same text is held once, however many evaluations there are.
    prompts: BTreeMap<usize, Prompt>,
    /// Answers by step, then by prompt.
    evaluations: BTreeMap<usize, BTreeMap<usize, Answer>>,
    /// Rows that have no place: of too many prompts, or too long ago.
    left_out: usize,
}

impl Answers {
    /// Those of a run that has just begun: its file has nothing that is not told.
    pub fn of_new_run() -> Self {
        Self {
            file: FileRead::Yes,
            ..Self::default()
        }
    }

    /// Takes a row.
    pub fn take(&mut self, row: SampleRow) {
        let known = self.prompts.contains_key(&row.number);
        if !known && self.prompts.len() == MOST_PROMPTS {
            self.left_out += 1;
            return;
        }
        let prompt = self.prompts.entry(row.number).or_default();
        if prompt.prompt != row.prompt {
            prompt.prompt = row.prompt;
        }
        if prompt.reference != row.reference {
            prompt.reference = row.reference;
        }
        let answer = Answer {
            text: row.answer,
            tokens: row.tokens,
            reasoning_tokens: row.reasoning_tokens,
            finish: row.finish,
        };
        { self.evaluations.entry(row.step).or_default() }.insert(row.number, answer);
        if self.evaluations.len() > MOST_EVALUATIONS
            && let Some((_, oldest)) = self.evaluations.pop_first()
        {
            self.left_out += oldest.len();
        }
    }

    /// Takes what was read of its file.
    pub fn read(&mut self, read: AnswersRead) {
        if read.from > 0 && read.from != self.read_to {
            return;
        }
        match read.from {
            0 => self.damaged = read.damaged,
            _ => self.damaged += read.damaged,
        }
        self.file = FileRead::Yes;
        self.read_to = read.to;
        self.left_out += read.answers.left_out;
        self.prompts.extend(read.answers.prompts);
        for (step, answers) in read.answers.evaluations {
            self.evaluations.entry(step).or_default().extend(answers);
        }
        while self.evaluations.len() > MOST_EVALUATIONS {
            self.evaluations.pop_first();
        }
    }

    /// Forgets what comes after a step, since a run goes on from there.
    pub fn cut_back_to(&mut self, step: usize) {
        self.evaluations.retain(|at, _| *at <= step);
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.evaluations.is_empty()
    }

    /// Rows that are not shown.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// The step of the evaluation that is looked at: the one asked for while it is there, else the
    /// newest.
    pub fn step(&self, asked: Option<usize>) -> Option<usize> {
        let newest = *self.evaluations.keys().next_back()?;
        let asked = asked.filter(|step| self.evaluations.contains_key(step));
        Some(asked.unwrap_or(newest))
    }

    /// The steps of the evaluations before and after one.
    pub fn beside(&self, step: usize) -> (Option<usize>, Option<usize>) {
        let before = self.evaluations.range(..step).next_back();
        let after = self.evaluations.range(step + 1..).next();
        (before.map(|(at, _)| *at), after.map(|(at, _)| *at))
    }

    /// Which evaluation a step is, from 1, and of how many.
    pub fn place(&self, step: usize) -> (usize, usize) {
        (
            self.evaluations.range(..=step).count(),
            self.evaluations.len(),
        )
    }

    /// What was said at a step: number, prompt, answer.
    pub fn at(&self, step: usize) -> impl Iterator<Item = (usize, &Prompt, &Answer)> {
        { self.evaluations.get(&step).into_iter().flatten() }
            .filter_map(|(number, answer)| Some((*number, self.prompts.get(number)?, answer)))
    }
}

/// A reply in two: what it thought, without the markers around it, and what it answered. A prompt may
/// have begun the thought.
pub fn thought_and_answer<'a>(prompt: &str, text: &'a str) -> (&'a str, &'a str) {
    const OPEN: &str = "<think>";
    const CLOSE: &str = "</think>";
    let begun = { prompt.rfind(OPEN) }
        .is_some_and(|at| { prompt.rfind(CLOSE) }.is_none_or(|closed| closed < at));
    let thought = text.trim_start().strip_prefix(OPEN);
    let Some(thought) = thought.or(begun.then_some(text)) else {
        return ("", text.trim());
    };
    match thought.split_once(CLOSE) {
        Some((thought, answer)) => (thought.trim(), answer.trim()),
        None => (thought.trim(), ""),
    }
}

/// Who speaks, as chat templates write it on a line of its own.
const ASKS: [&str; 2] = ["user", "human"];
const ANSWERS: [&str; 3] = ["assistant", "model", "gpt"];

/// What was asked last in a prompt, without what its template puts around it. A prompt of another form
/// is given as it is.
pub fn question(prompt: &str) -> &str {
    let is_name = |line: &str, names: &[&str]| {
        let line = line.trim().trim_matches(['#', ':', ' ']).to_lowercase();
        names.contains(&line.as_str())
    };
    let (mut at, mut begin, mut end) = (0, None, prompt.len());
    for line in prompt.split_inclusive('\n') {
        if is_name(line, &ASKS) {
            (begin, end) = (Some(at + line.len()), prompt.len());
        } else if is_name(line, &ANSWERS) && begin.is_some_and(|begin| begin <= at) {
            end = end.min(at);
        }
        at += line.len();
    }
    let asked = begin.map_or("", |begin| prompt[begin..end.max(begin)].trim());
    match asked.is_empty() {
        true => prompt.trim(),
        false => asked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(step: usize, number: usize) -> SampleRow {
        SampleRow {
            step,
            number,
            prompt: format!("question {number}"),
            answer: format!("{number} at {step}"),
            reference: "7".to_owned(),
            tokens: Some(3),
            reasoning_tokens: Some(0),
            finish: Some(FinishReason::Stop),
        }
    }

    fn of(rows: impl IntoIterator<Item = SampleRow>) -> Answers {
        let mut answers = Answers::default();
        rows.into_iter().for_each(|row| answers.take(row));
        answers
    }

    #[test]
    fn the_newest_evaluation_is_looked_at_unless_another_is_asked_for() {
        let answers = of([row(10, 0), row(10, 1), row(20, 0), row(30, 1)]);
        assert_eq!(answers.step(None), Some(30));
        assert_eq!(answers.step(Some(20)), Some(20));
        assert_eq!(answers.step(Some(25)), Some(30), "not there");
        assert_eq!(answers.beside(20), (Some(10), Some(30)));
        assert_eq!(answers.beside(10), (None, Some(20)));
        assert_eq!((answers.place(20), answers.place(30)), ((2, 3), (3, 3)));
        let said: Vec<_> = { answers.at(10) }
            .map(|(number, prompt, answer)| (number, &*prompt.prompt, &*answer.text))
            .collect();
        assert_eq!(
            said,
            [(0, "question 0", "0 at 10"), (1, "question 1", "1 at 10")]
        );
    }

    #[test]
    fn rows_of_events_and_of_the_file_have_one_place_each() {
        let mut live = of([row(20, 0), row(30, 0)]);
        let read = AnswersRead {
            to: 90,
            answers: of([row(10, 0), row(20, 0)]),
            ..AnswersRead::default()
        };
        live.read(read.clone());
        assert_eq!((live.place(30), live.read_to), ((3, 3), 90));
        // What was read meanwhile by another request is not added twice, nor counted.
        live.read(AnswersRead { from: 40, ..read });
        assert_eq!((live.place(30), live.read_to), ((3, 3), 90));
        live.cut_back_to(20);
        assert_eq!(live.step(None), Some(20));
    }

    #[test]
    fn a_long_run_holds_each_prompt_once_and_so_many_evaluations() {
        let long = "a long prompt ".repeat(1000);
        let mut answers = Answers::default();
        for step in 1..=MOST_EVALUATIONS + 5 {
            answers.take(SampleRow {
                prompt: long.clone(),
                ..row(step, 0)
            });
        }
        assert_eq!(answers.prompts.len(), 1);
        assert_eq!(answers.evaluations.len(), MOST_EVALUATIONS);
        assert_eq!((answers.left_out(), answers.step(Some(5))), (5, Some(4101)));
        for number in 0..MOST_PROMPTS + 3 {
            answers.take(row(9000, number));
        }
        assert_eq!(answers.at(9000).count(), MOST_PROMPTS);
    }

    #[test]
    fn a_question_is_found_within_its_template() {
        for (prompt, asked) in [
            ("user\n2 + 3?\nassistant\n<think>\n", "2 + 3?"),
            (
                "system\nBe short.\nuser\nHi\nassistant\nHello\nuser\nAnd now?\nassistant\n",
                "And now?",
            ),
            ("### User:\nWhat?\n### Assistant:\n", "What?"),
            ("user\na\nb\nmodel\n", "a\nb"),
            ("Once upon a time", "Once upon a time"),
            ("user\nassistant\n", "user\nassistant"),
            ("", ""),
        ] {
            assert_eq!(question(prompt), asked, "{prompt:?}");
        }
    }

    #[test]
    fn a_thought_is_told_from_an_answer() {
        let open = "user\n1?\nassistant\n<think>\n";
        for (prompt, text, both) in [
            ("1?", "<think>\na\n</think>\n\n2", ("a", "2")),
            (open, "a\n</think>\n\n2", ("a", "2")),
            (open, "a", ("a", "")),
            ("1?", " 2 ", ("", "2")),
            ("<think>x</think> 1?", "2", ("", "2")),
        ] {
            assert_eq!(thought_and_answer(prompt, text), both, "{text:?}");
        }
    }
}
