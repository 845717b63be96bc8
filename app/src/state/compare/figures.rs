//! Figures of answers: what each variant did so far, and what the charts show. The intervals are the
//! engine's, at the end.

use stepladder_protocol::{
    AnswerOutcome, AnswerVerdict, ComparedAnswer, ComparedVariant, Difference, TraceState,
    VariantReport,
};

use super::found::{Comparison, Row};

/// Who got a question right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// Both.
    Both,
    /// The variant alone.
    OnlyThis,
    /// The baseline alone.
    OnlyBaseline,
    /// Neither.
    Neither,
    /// Nobody can say.
    NotJudged,
}

impl Who {
    /// Every one, as legends list them.
    pub const ALL: [Self; 5] = [
        Self::Both,
        Self::OnlyThis,
        Self::OnlyBaseline,
        Self::Neither,
        Self::NotJudged,
    ];

    /// By the variant's answer and the baseline's.
    pub fn of(this: &ComparedAnswer, baseline: &ComparedAnswer) -> Self {
        use AnswerVerdict::{NotJudged, Right};
        match (this.verdict, baseline.verdict) {
            (NotJudged, _) | (_, NotJudged) => Self::NotJudged,
            (Right, Right) => Self::Both,
            (Right, _) => Self::OnlyThis,
            (_, Right) => Self::OnlyBaseline,
            _ => Self::Neither,
        }
    }
}

/// A question in the scatter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dot {
    /// Its number.
    pub question: usize,
    /// Reasoning tokens of the baseline.
    pub baseline: usize,
    /// Reasoning tokens of the variant.
    pub this: usize,
    /// Who got it right.
    pub who: Who,
}

/// How long a variant reasoned.
#[derive(Clone, Debug, PartialEq)]
pub struct Lengths {
    /// The variant.
    pub name: String,
    /// Its place among all of them.
    pub place: usize,
    /// Reasoning tokens of the replies that came to an answer, least first.
    pub tokens: Vec<usize>,
}

impl Lengths {
    /// The length below which this share of the replies lies.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let last = self.tokens.len().checked_sub(1)?;
        let at = share.clamp(0.0, 1.0) * last as f64;
        let (low, part) = (at.floor() as usize, at.fract());
        let high = (low + 1).min(last);
        let (low, high) = (self.tokens[low] as f64, self.tokens[high] as f64);
        Some(low + (high - low) * part)
    }
}

/// What both charts show.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Charts {
    /// What was compared, for a picture's head.
    pub title: String,
    /// How long each variant reasoned.
    pub lengths: Vec<Lengths>,
    /// The baseline's name.
    pub baseline: String,
    /// The name of the variant that is held against it; empty without one.
    pub against: String,
    /// A dot for each question that both answered.
    pub dots: Vec<Dot>,
}

impl Charts {
    /// Of a comparison; `against` is the place of the variant that is held against the baseline.
    pub fn of(found: &Comparison, against: usize) -> Self {
        let lengths = { found.variants.iter().enumerate() }
            .map(|(place, variant)| {
                let answers = { found.rows.iter() }.filter_map(|row| row.answers[place].as_ref());
                let mut tokens: Vec<usize> = { answers.filter(|answer| answer.is_answered()) }
                    .map(|answer| answer.reasoning_tokens)
                    .collect();
                tokens.sort_unstable();
                Lengths {
                    name: crate::text::visible(&variant.name),
                    place,
                    tokens,
                }
            })
            .collect();
        let name = |place: usize| {
            { found.variants.get(place) }
                .map_or_else(String::new, |variant| crate::text::visible(&variant.name))
        };
        let dots = { found.rows.iter() }
            .filter_map(|row| {
                let (this, baseline) = pair(row, against, found.baseline)?;
                (this.is_answered() && baseline.is_answered()).then_some(Dot {
                    question: row.question.number,
                    baseline: baseline.reasoning_tokens,
                    this: this.reasoning_tokens,
                    who: Who::of(this, baseline),
                })
            })
            .collect();
        Self {
            title: found.name.clone(),
            lengths,
            baseline: name(found.baseline),
            against: name(against),
            dots,
        }
    }
}

/// The answers of a variant and of the baseline to a question.
pub fn pair(row: &Row, this: usize, baseline: usize) -> Option<(&ComparedAnswer, &ComparedAnswer)> {
    Some((
        row.answers.get(this)?.as_ref()?,
        row.answers.get(baseline)?.as_ref()?,
    ))
}

/// Reasoning tokens of a variant minus the baseline's at a question that both answered.
pub fn difference_at(row: &Row, this: usize, baseline: usize) -> Option<i64> {
    let (one, other) = pair(row, this, baseline)?;
    (one.is_answered() && other.is_answered())
        .then(|| one.reasoning_tokens as i64 - other.reasoning_tokens as i64)
}

/// What each variant did so far.
pub fn so_far(rows: &[Row], variants: &[ComparedVariant], baseline: usize) -> Vec<VariantReport> {
    { variants.iter().enumerate() }
        .map(|(place, variant)| of_variant(rows, variant, place, baseline))
        .collect()
}

fn of_variant(
    rows: &[Row],
    variant: &ComparedVariant,
    place: usize,
    baseline: usize,
) -> VariantReport {
    let answers: Vec<&ComparedAnswer> = { rows.iter() }
        .filter_map(|row| row.answers.get(place)?.as_ref())
        .collect();
    let count =
        |is: &dyn Fn(&ComparedAnswer) -> bool| answers.iter().filter(|answer| is(answer)).count();
    let verdict = |wanted| count(&|answer| answer.verdict == wanted);
    let outcome = |wanted| count(&|answer| answer.outcome == wanted);
    let trace = |wanted| count(&|answer| answer.trace == wanted);
    let mut lengths: Vec<f64> = { answers.iter().filter(|answer| answer.is_answered()) }
        .map(|answer| answer.reasoning_tokens as f64)
        .collect();
    lengths.sort_by(f64::total_cmp);
    let repetition: Vec<f64> = { answers.iter() }
        .filter_map(|answer| answer.distinct_3)
        .collect();
    let (right, wrong) = (verdict(AnswerVerdict::Right), verdict(AnswerVerdict::Wrong));
    let (empty_trace, missing_trace) = (trace(TraceState::Empty), trace(TraceState::Missing));
    let paired = |keep: fn(&ComparedAnswer) -> bool| {
        let differences: Vec<f64> = { rows.iter().filter(|_| place != baseline) }
            .filter_map(|row| pair(row, place, baseline))
            .filter(|(one, other)| keep(one) && keep(other))
            .map(|(one, other)| one.reasoning_tokens as f64 - other.reasoning_tokens as f64)
            .collect();
        mean(&differences).map(|mean| Difference {
            mean,
            low: None,
            high: None,
            pairs: differences.len(),
        })
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
        difference: paired(ComparedAnswer::is_answered),
        difference_both_right: paired(ComparedAnswer::is_right),
    }
}

fn mean(numbers: &[f64]) -> Option<f64> {
    (!numbers.is_empty()).then(|| numbers.iter().sum::<f64>() / numbers.len() as f64)
}

/// Of numbers in their order.
fn median(numbers: &[f64]) -> Option<f64> {
    let middle = numbers.len() / 2;
    match numbers.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(numbers[middle]),
        _ => Some(f64::midpoint(numbers[middle - 1], numbers[middle])),
    }
}
