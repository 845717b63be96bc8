//! What methods did over all seeds: means, and intervals that resample seeds and questions.

use stepladder_protocol::{
    AnswerOutcome, AnswerVerdict, ComparedAnswer, ComparedRow, MatchedReport, Method, MethodPair,
    MethodPeak, MethodReport, TraceState,
};

use super::configs::METHODS;
use super::{FinishedRun, MatchedSet};
use crate::comparison::statistics::over_seeds_and_questions;
use crate::comparison::summary::tokens_apart;

/// Figures of a method or of a pair; each has resamples of its own.
const FIGURES: u64 = 8;

/// The report. Row by row the answers are the base's, then one of each run, in their order.
pub fn report(set: &MatchedSet, rows: &[ComparedRow]) -> MatchedReport {
    let answers = Answers { set, rows };
    let mut streams = (0u64..).map(|number| number * FIGURES);
    let mut stream = || streams.next().unwrap_or_default();
    let methods = { METHODS.iter().enumerate() }
        .filter_map(|(place, method)| answers.of_method(*method, place, stream()))
        .collect();
    let pairs = [
        (Method::Xladder, Method::Ladder),
        (Method::Ladder, Method::Qlora),
        (Method::Xladder, Method::Qlora),
    ];
    MatchedReport {
        data: set.data.clone(),
        steps: set.steps,
        parameters_match: set.parameters_match,
        methods,
        pairs: { pairs.into_iter() }
            .map(|(method, against)| answers.of_pair(method, against, stream()))
            .collect(),
    }
}

/// Answers by run and question.
struct Answers<'a> {
    set: &'a MatchedSet,
    rows: &'a [ComparedRow],
}

/// A figure of each question, for each seed; none where there is no such figure.
type Table = Vec<Vec<Option<f64>>>;

impl Answers<'_> {
    /// The runs of a method with their variants' places, seed by seed.
    fn runs(&self, method: Method) -> Vec<(usize, &FinishedRun)> {
        let runs = self.set.runs.iter().enumerate();
        runs.filter(|(_, finished)| finished.run.method == method)
            .map(|(place, finished)| (place + 1, finished))
            .collect()
    }

    fn table(
        &self,
        variants: &[usize],
        figure: impl Fn(&ComparedRow, usize) -> Option<f64>,
    ) -> Table {
        let questions = |variant: &usize| {
            let rows = self.rows.iter();
            rows.map(|row| figure(row, *variant)).collect()
        };
        variants.iter().map(questions).collect()
    }

    fn of_method(&self, method: Method, place: usize, stream: u64) -> Option<MethodReport> {
        let runs = self.runs(method);
        let (_, first) = runs.first()?;
        let variants: Vec<usize> = runs.iter().map(|(variant, _)| *variant).collect();
        let interval =
            |figure: u64, table: Table| over_seeds_and_questions(&table, stream + figure);
        let count = |is: fn(&ComparedAnswer) -> bool| {
            let of_row = |row: &ComparedRow| {
                let answers = variants.iter().map(|variant| &row.answers[*variant]);
                answers.filter(|answer| is(answer)).count()
            };
            self.rows.iter().map(of_row).sum()
        };
        let beside_base = |keep: fn(&ComparedAnswer) -> bool| {
            self.table(&variants, |row, variant| {
                difference(&row.answers[variant], &row.answers[0], keep)
            })
        };
        let most = MethodPeak {
            recompute: first.peak.recompute,
            measured_bytes: { runs.iter() }
                .map(|(_, run)| run.peak.measured_bytes)
                .max()
                .flatten(),
            estimated_bytes: { runs.iter() }
                .map(|(_, run)| run.peak.estimated_bytes)
                .max()
                .unwrap_or_default(),
        };
        Some(MethodReport {
            method,
            runs: { runs.iter() }
                .map(|(_, run)| run.run.name.clone())
                .collect(),
            parameters: first.run.parameters,
            taps: first.run.taps.clone(),
            rank: first.run.rank,
            learning_rate: first.run.learning_rate,
            accuracy: interval(
                0,
                self.table(&variants, |row, variant| share_right(&row.answers[variant])),
            ),
            reasoning_tokens: interval(
                1,
                self.table(&variants, |row, variant| tokens(&row.answers[variant])),
            ),
            difference: interval(2, beside_base(ComparedAnswer::is_answered)),
            difference_both_right: interval(3, beside_base(ComparedAnswer::is_right)),
            truncated: count(|answer| answer.outcome == AnswerOutcome::Truncated),
            no_trace: count(|answer| {
                matches!(answer.trace, TraceState::Empty | TraceState::Missing)
            }),
            best_evaluation_loss: { runs.iter() }
                .map(|(_, run)| run.best_evaluation_loss)
                .collect(),
            peaks: { [most].into_iter() }
                .chain(self.set.switched_peaks.get(place).copied())
                .collect(),
        })
    }

    fn of_pair(&self, method: Method, against: Method, stream: u64) -> MethodPair {
        let (ones, others) = (self.runs(method), self.runs(against));
        let pairs: Vec<(usize, usize)> = { ones.iter().zip(&others) }
            .map(|((one, _), (other, _))| (*one, *other))
            .collect();
        let interval =
            |figure: u64, of: &dyn Fn(&ComparedAnswer, &ComparedAnswer) -> Option<f64>| {
                let questions = |(one, other): &(usize, usize)| -> Vec<Option<f64>> {
                    let rows = self.rows.iter();
                    rows.map(|row| of(&row.answers[*one], &row.answers[*other]))
                        .collect()
                };
                let table: Table = pairs.iter().map(questions).collect();
                over_seeds_and_questions(&table, stream + figure)
            };
        MethodPair {
            method,
            against,
            accuracy: interval(0, &|one, other| {
                Some(share_right(one)? - share_right(other)?)
            }),
            reasoning_tokens: interval(1, &|one, other| {
                difference(one, other, ComparedAnswer::is_answered)
            }),
            reasoning_tokens_both_right: interval(2, &|one, other| {
                difference(one, other, ComparedAnswer::is_right)
            }),
        }
    }
}

/// 1 where it is right, 0 where it is wrong.
fn share_right(answer: &ComparedAnswer) -> Option<f64> {
    match answer.verdict {
        AnswerVerdict::Right => Some(1.0),
        AnswerVerdict::Wrong => Some(0.0),
        AnswerVerdict::NotJudged => None,
    }
}

fn tokens(answer: &ComparedAnswer) -> Option<f64> {
    answer
        .is_answered()
        .then_some(answer.reasoning_tokens as f64)
}

/// Reasoning tokens of one minus another's, where both are as wished.
fn difference(
    one: &ComparedAnswer,
    other: &ComparedAnswer,
    keep: fn(&ComparedAnswer) -> bool,
) -> Option<f64> {
    tokens_apart(one, other, keep).map(|tokens| tokens as f64)
}
