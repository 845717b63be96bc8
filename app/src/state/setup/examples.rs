//! The examples of the preview: a handful at hand, of which one is shown, made ready to be drawn when
//! they arrive.

use std::ops::Range;

use stepladder_protocol::{DatasetPreview, ExamplePreview, TokenUse};

use crate::text::{visible, visible_lines};

/// Rows that are asked for at once.
pub const AT_ONCE: usize = 12;
/// Characters of an example that are drawn: more than anybody reads, little enough for a frame.
const MAX_CHARACTERS: usize = 24_000;

/// Examples at hand, and the one that is shown.
#[derive(Debug, Default)]
pub struct Examples {
    /// Those at hand, in their order.
    pub at_hand: Vec<ShownExample>,
    /// Which of them is shown.
    pub place: usize,
    /// The row that was asked for first.
    pub from: usize,
    /// The number of a row to go to, as it is being typed.
    pub jump: String,
    /// Whether the last of those that arrive is to be shown: one went back.
    backwards: bool,
}

/// An example, ready to be drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShownExample {
    /// Its row in the whole dataset, from 1.
    pub row: usize,
    /// Its file's name and line.
    pub origin: String,
    /// Its tokens before anything is cut, those that are trained, and those that are cut off; none
    /// without a model.
    pub tokens: Option<TokenCounts>,
    /// Its text.
    pub text: String,
    /// What training does with which bytes of the text; without gaps.
    pub spans: Vec<(Range<usize>, TokenUse)>,
    /// Characters that are not drawn.
    pub left_out: usize,
}

/// Tokens of an example by what becomes of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenCounts {
    /// All of them.
    pub all: usize,
    /// Those that the loss is taken over.
    pub trained: usize,
    /// Those that do not fit.
    pub cut_off: usize,
}

/// A step through the examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Browse {
    /// To the one before.
    Previous,
    /// To the next.
    Next,
    /// To a row.
    Row(usize),
}

impl Examples {
    /// The one that is shown.
    pub fn shown(&self) -> Option<&ShownExample> {
        self.at_hand.get(self.place)
    }

    /// Takes those that arrived.
    pub fn arrived(&mut self, preview: &DatasetPreview) {
        self.at_hand = preview.shown.iter().map(ShownExample::of).collect();
        self.place = match std::mem::take(&mut self.backwards) {
            true => self.at_hand.len().saturating_sub(1),
            false => 0,
        };
    }

    /// Forgets all, and begins at the first row.
    pub fn restart(&mut self) {
        *self = Self {
            from: 1,
            ..Self::default()
        };
    }

    /// Stays at the row that is shown when examples are asked for again.
    pub fn stay(&mut self) {
        if let Some(shown) = self.shown() {
            self.from = shown.row.max(1);
        }
    }

    /// Takes a step. If what is wanted is not at hand, true: ask from `self.from` on.
    pub fn step(&mut self, step: Browse) -> bool {
        match step {
            Browse::Next => {
                if self.place + 1 < self.at_hand.len() {
                    self.place += 1;
                    return false;
                }
                let Some(last) = self.at_hand.last() else {
                    return false;
                };
                self.from = last.row.saturating_add(1);
            }
            Browse::Previous => {
                if self.place > 0 {
                    self.place -= 1;
                    return false;
                }
                let first = self.at_hand.first().map_or(self.from, |first| first.row);
                if first <= 1 {
                    return false;
                }
                self.from = first.saturating_sub(AT_ONCE).max(1);
                self.backwards = true;
            }
            Browse::Row(row) => {
                let is_it = |example: &ShownExample| example.row == row;
                if let Some(place) = self.at_hand.iter().position(is_it) {
                    self.place = place;
                    return false;
                }
                self.from = row.max(1);
            }
        }
        true
    }

    /// Rows to ask for: when one goes back, no further than what was seen.
    pub fn rows_to_ask(&self) -> usize {
        let first = self.at_hand.first().map_or(usize::MAX, |first| first.row);
        match self.backwards {
            true => first.saturating_sub(self.from).clamp(1, AT_ONCE),
            false => AT_ONCE,
        }
    }
}

impl ShownExample {
    fn of(example: &ExamplePreview) -> Self {
        let mut shown = Self {
            row: example.row,
            origin: format!("{}:{}", file_name(&example.path), example.line),
            tokens: example.tokens.map(|all| TokenCounts {
                all,
                ..TokenCounts::default()
            }),
            ..Self::default()
        };
        let mut left = MAX_CHARACTERS;
        for segment in &example.segments {
            if let Some(counts) = &mut shown.tokens {
                let tokens = segment.tokens.unwrap_or(0);
                match segment.used {
                    TokenUse::Trained => counts.trained += tokens,
                    TokenUse::CutOff => counts.cut_off += tokens,
                    TokenUse::Context => {}
                }
            }
            // What is made visible is longer than what it stands for, so this bounds both.
            let drawn: String = visible_lines(&segment.text).chars().take(left).collect();
            let characters = drawn.chars().count();
            let begin = shown.text.len();
            shown.text.push_str(&drawn);
            if !drawn.is_empty() {
                shown.spans.push((begin..shown.text.len(), segment.used));
            }
            left -= characters;
            if left == 0 {
                let all = segment.text.chars().count();
                shown.left_out += all.saturating_sub(characters);
            }
        }
        shown
    }
}

/// The last part of a path, fit to be shown.
pub fn file_name(path: &str) -> String {
    let trimmed = path.trim_end_matches(['/', '\\']);
    visible(trimmed.rsplit(['/', '\\']).next().unwrap_or(trimmed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use stepladder_protocol::Segment;

    fn preview(rows: Range<usize>) -> DatasetPreview {
        let example = |row: usize| ExamplePreview {
            row,
            path: "/a/b.jsonl".to_owned(),
            line: row,
            tokens: Some(7),
            segments: vec![
                segment("user\u{202e}\n", TokenUse::Context, 4),
                segment("answer", TokenUse::Trained, 2),
                segment("!", TokenUse::CutOff, 1),
            ],
        };
        DatasetPreview {
            shown: rows.map(example).collect(),
            ..DatasetPreview::default()
        }
    }

    fn segment(text: &str, used: TokenUse, tokens: usize) -> Segment {
        Segment {
            text: text.to_owned(),
            used,
            first_token: None,
            tokens: Some(tokens),
        }
    }

    #[test]
    fn one_goes_through_them_and_asks_for_more_at_the_ends() {
        let mut examples = Examples::default();
        examples.restart();
        examples.arrived(&preview(1..4));
        let row = |examples: &Examples| examples.shown().unwrap().row;
        assert!(
            !examples.step(Browse::Previous),
            "there is none before the first"
        );
        assert!(!examples.step(Browse::Next));
        assert!(!examples.step(Browse::Next));
        assert_eq!(row(&examples), 3);
        assert!(examples.step(Browse::Next));
        assert_eq!((examples.from, examples.rows_to_ask()), (4, AT_ONCE));
        examples.arrived(&preview(40..52));
        assert_eq!(row(&examples), 40);
        assert!(examples.step(Browse::Previous));
        assert_eq!((examples.from, examples.rows_to_ask()), (28, 12));
        examples.arrived(&preview(28..40));
        assert_eq!(row(&examples), 39);
        assert!(!examples.step(Browse::Row(30)));
        assert_eq!(row(&examples), 30);
        assert!(examples.step(Browse::Row(900)));
        assert_eq!(examples.from, 900);
        examples.arrived(&DatasetPreview::default());
        assert_eq!(examples.shown(), None);
        assert!(!examples.step(Browse::Next));
    }

    #[test]
    fn text_is_made_visible_and_bounded_and_counted() {
        let mut examples = Examples::default();
        examples.arrived(&preview(1..2));
        let shown = examples.shown().unwrap();
        assert_eq!(shown.text, "user\\u{202e}\nanswer!");
        assert_eq!(shown.origin, "b.jsonl:1");
        let all = TokenCounts {
            all: 7,
            trained: 2,
            cut_off: 1,
        };
        assert_eq!(shown.tokens, Some(all));
        assert_eq!(shown.spans.last().unwrap().0.end, shown.text.len());
        let pairs = shown.spans.windows(2);
        assert!(
            pairs
                .into_iter()
                .all(|pair| pair[0].0.end == pair[1].0.start)
        );

        let mut long = preview(1..2);
        long.shown[0].segments[0].text = "é".repeat(30_000);
        examples.arrived(&long);
        let shown = examples.shown().unwrap();
        assert_eq!(shown.text.chars().count(), MAX_CHARACTERS);
        assert_eq!(shown.left_out, 30_000 - MAX_CHARACTERS + "answer!".len());
        assert_eq!(shown.tokens, Some(all), "all of it is counted");
    }
}
