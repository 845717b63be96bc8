//! From answers to a report: counts, lengths, paired differences.

use stepladder_protocol::{
    AnswerOutcome, AnswerVerdict, ComparedAnswer, ComparedRow, ComparedVariant, Difference,
    TraceState, VariantReport,
};

use super::statistics::{difference, mean, median};

/// What each variant did, in their order. `baseline` is the place of the one that the others are
/// compared with; every row has an answer of every variant.
pub fn summarize(
    rows: &[ComparedRow],
    variants: &[ComparedVariant],
    baseline: usize,
) -> Vec<VariantReport> {
    let each = variants.iter().enumerate();
    each.map(|(place, variant)| of_variant(rows, variant, place, baseline))
        .collect()
}

fn of_variant(
    rows: &[ComparedRow],
    variant: &ComparedVariant,
    place: usize,
    baseline: usize,
) -> VariantReport {
    let answers: Vec<&ComparedAnswer> = rows.iter().map(|row| &row.answers[place]).collect();
    let count =
        |is: &dyn Fn(&ComparedAnswer) -> bool| answers.iter().filter(|answer| is(answer)).count();
    let verdict = |wanted| count(&|answer| answer.verdict == wanted);
    let outcome = |wanted| count(&|answer| answer.outcome == wanted);
    let trace = |wanted| count(&|answer| answer.trace == wanted);
    let lengths: Vec<f64> = { answers.iter() }
        .filter(|answer| answer.is_answered())
        .map(|answer| answer.reasoning_tokens as f64)
        .collect();
    let repetition: Vec<f64> = answers
        .iter()
        .filter_map(|answer| answer.distinct_3)
        .collect();
    let (right, wrong) = (verdict(AnswerVerdict::Right), verdict(AnswerVerdict::Wrong));
    let (empty_trace, missing_trace) = (trace(TraceState::Empty), trace(TraceState::Missing));
    let pairs = |keep: fn(&ComparedAnswer) -> bool, figure: u64| {
        let stream = 2 * place as u64 + figure;
        (place != baseline)
            .then(|| paired(rows, place, baseline, keep, stream))
            .flatten()
    };
    VariantReport {
        name: variant.name.clone(),
        method: variant.method,
        parameters: variant.parameters,
        accuracy: (right + wrong > 0).then(|| right as f64 / (right + wrong) as f64),
        right,
        wrong,
        not_judged: verdict(AnswerVerdict::NotJudged),
        median_reasoning_tokens: median(&lengths),
        mean_reasoning_tokens: mean(&lengths),
        answered: outcome(AnswerOutcome::Answered),
        no_answer: outcome(AnswerOutcome::NoAnswer),
        truncated: outcome(AnswerOutcome::Truncated),
        no_trace: empty_trace + missing_trace,
        empty_trace,
        missing_trace,
        distinct_3: mean(&repetition),
        total_tokens: answers
            .iter()
            .map(|answer| answer.total_tokens as u64)
            .sum(),
        difference: pairs(ComparedAnswer::is_answered, 0),
        difference_both_right: pairs(ComparedAnswer::is_right, 1),
    }
}

/// Reasoning tokens of one variant minus another's, over the questions where both are as wished.
fn paired(
    rows: &[ComparedRow],
    variant: usize,
    baseline: usize,
    keep: fn(&ComparedAnswer) -> bool,
    stream: u64,
) -> Option<Difference> {
    let differences: Vec<f64> = rows
        .iter()
        .filter_map(|row| tokens_apart(&row.answers[variant], &row.answers[baseline], keep))
        .map(|tokens| tokens as f64)
        .collect();
    difference(&differences, stream)
}

/// Reasoning tokens of a variant minus the baseline's at one question, where both answered.
pub fn difference_at(row: &ComparedRow, variant: usize, baseline: usize) -> Option<i64> {
    tokens_apart(
        &row.answers[variant],
        &row.answers[baseline],
        ComparedAnswer::is_answered,
    )
}

/// Reasoning tokens of one answer minus another's, where both are as wished.
pub(super) fn tokens_apart(
    one: &ComparedAnswer,
    other: &ComparedAnswer,
    keep: fn(&ComparedAnswer) -> bool,
) -> Option<i64> {
    (keep(one) && keep(other)).then(|| one.reasoning_tokens as i64 - other.reasoning_tokens as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use stepladder_protocol::{BASE, ComparedQuestion, FinishReason};

    fn answer(tokens: usize, outcome: AnswerOutcome, verdict: AnswerVerdict) -> ComparedAnswer {
        ComparedAnswer {
            text: String::new(),
            answer_start: 0,
            reasoning_tokens: tokens,
            total_tokens: tokens + 2,
            trace: match tokens {
                0 => TraceState::Empty,
                _ => TraceState::Complete,
            },
            outcome,
            answer: None,
            verdict,
            finish: FinishReason::Stop,
            distinct_3: (tokens > 5).then_some(0.5),
        }
    }

    fn rows(pairs: Vec<[ComparedAnswer; 2]>) -> Vec<ComparedRow> {
        let row = |(index, answers): (usize, [ComparedAnswer; 2])| ComparedRow {
            question: ComparedQuestion {
                number: index + 1,
                question: String::new(),
                reference: None,
            },
            answers: answers.into(),
        };
        pairs.into_iter().enumerate().map(row).collect()
    }

    #[test]
    fn each_kind_of_reply_is_counted_where_it_belongs() {
        use AnswerOutcome::{Answered, NoAnswer, Truncated};
        use AnswerVerdict::{NotJudged, Right, Wrong};
        let rows = rows(vec![
            [answer(10, Answered, Right), answer(4, Answered, Right)],
            [answer(20, Answered, Right), answer(8, Answered, Wrong)],
            [
                answer(30, Answered, NotJudged),
                answer(900, Truncated, Wrong),
            ],
            [answer(40, NoAnswer, Wrong), answer(0, Answered, Right)],
        ]);
        let names = [BASE, "a"].map(|name| ComparedVariant {
            name: name.to_owned(),
            method: None,
            parameters: 0,
        });
        let [base, tuned] = &summarize(&rows, &names, 0)[..] else {
            panic!("two variants");
        };
        assert_eq!((base.right, base.wrong, base.not_judged), (2, 1, 1));
        assert_eq!(base.accuracy, Some(2.0 / 3.0));
        assert_eq!((base.answered, base.no_answer, base.truncated), (3, 1, 0));
        assert_eq!(
            (base.median_reasoning_tokens, base.mean_reasoning_tokens),
            (Some(20.0), Some(20.0))
        );
        assert_eq!((base.difference, base.difference_both_right), (None, None));
        assert_eq!(base.total_tokens, 108);
        // What was cut off is in no mean and no pair, but among the wrong.
        assert_eq!(tuned.median_reasoning_tokens, Some(4.0));
        assert_eq!((tuned.right, tuned.wrong, tuned.truncated), (2, 2, 1));
        assert_eq!(
            (tuned.no_trace, tuned.empty_trace, tuned.missing_trace),
            (1, 1, 0)
        );
        assert_eq!(tuned.distinct_3, Some(0.5));
        let pairs = tuned.difference.unwrap();
        assert_eq!((pairs.mean, pairs.pairs), (-9.0, 2));
        assert!(pairs.low.unwrap() >= -12.0 && pairs.high.unwrap() <= -6.0);
        let right = tuned.difference_both_right.unwrap();
        assert_eq!((right.mean, right.low, right.pairs), (-6.0, None, 1));
        assert_eq!(difference_at(&rows[1], 1, 0), Some(-12));
        assert_eq!(difference_at(&rows[2], 1, 0), None);
        // The other way round the signs turn.
        let turned = &summarize(&rows, &names, 1)[0];
        assert_eq!(turned.difference.unwrap().mean, 9.0);
    }
}
