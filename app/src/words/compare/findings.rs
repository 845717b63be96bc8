//! What a comparison found: figures, sentences and charts.

use stepladder_protocol::Difference;

use super::done_of;
use crate::state::compare::figures::Who;
use crate::text::{count, thousands};
/// The card of figures.
pub const FIGURES: &str = "What was found";
/// While answers come.
pub const FIGURES_SO_FAR: &str = "Of the answers so far; intervals come at the end.";
/// What lengths are.
pub const FIGURES_HELP: &str = "Lengths are reasoning tokens of the replies that came to an answer. Differences are paired by question, with the interval that holds the mean in 95 % of resamples.";
/// Adapters are of unequal size.
pub const SIZES_DIFFER: &str = "These adapters do not have the same number of parameters, so a difference may come from size as well as from method.";
/// The card of lengths.
pub const LENGTHS: &str = "How long they reason";
/// The card of pairs.
pub const PAIRS: &str = "Question by question";
/// Which variant is held against the baseline.
pub const AGAINST: &str = "Hold against the baseline";
/// An axis.
pub const TOKENS_AXIS: &str = "reasoning tokens";
/// Nothing to draw.
pub const NOTHING_TO_DRAW: &str = "No question was answered by both yet.";
/// A word for a variant's figures that are not there.
pub const UNKNOWN: &str = "–";
/// The rows of the table of figures, and what each is.
pub const FIGURE_ROWS: [(&str, &str); 14] = [
    (
        "Accuracy",
        "Share of right answers, of those that could be judged",
    ),
    ("Right answers", "Of those that could be judged"),
    (
        "Median",
        "Reasoning tokens of half of the replies are fewer",
    ),
    ("Mean", "Mean reasoning tokens"),
    (
        "Minus baseline",
        "Mean difference over the questions that both answered, with its 95 % interval",
    ),
    (
        "Where both are right",
        "The same over the questions that both got right: shorter and wrong is no gain",
    ),
    (
        "Came to an answer",
        "Replies that ended by themselves with an answer",
    ),
    (
        "Cut off",
        "Replies that reached the limit of tokens; not in the lengths",
    ),
    ("No answer", "Replies that ended by themselves without one"),
    (
        "Empty trace",
        "Replies whose reasoning is there and says nothing",
    ),
    (
        "No trace",
        "Replies without reasoning, where the chat template has some",
    ),
    (
        "Distinct-3",
        "Share of runs of three tokens that are different: low where a reply repeats itself",
    ),
    ("Parameters", "Numbers in the adapter"),
    ("Tokens said", "All tokens of all replies"),
];

/// A share in percent.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// The share of right answers.
pub fn accuracy(share: Option<f64>) -> String {
    share.map_or_else(|| "not judged".to_owned(), percent)
}

/// How many of those that were judged are right.
pub fn right_of(right: usize, wrong: usize) -> String {
    match right + wrong {
        0 => UNKNOWN.to_owned(),
        judged => done_of(right, judged),
    }
}

/// A number of tokens that is a mean.
pub fn tokens(number: Option<f64>) -> String {
    number.map_or_else(|| UNKNOWN.to_owned(), |number| format!("{number:.1}"))
}

/// A difference with its interval.
pub fn difference(difference: Option<&Difference>) -> String {
    let Some(found) = difference else {
        return UNKNOWN.to_owned();
    };
    match (found.low, found.high) {
        (Some(low), Some(high)) => {
            format!("{} [{}, {}]", signed(found.mean), signed(low), signed(high))
        }
        _ => signed(found.mean),
    }
}

/// A number with its sign, a real minus.
pub fn signed(number: f64) -> String {
    let text = format!("{number:+.1}");
    match text.as_str() {
        "+0.0" | "-0.0" => "0.0".to_owned(),
        _ => text.replace('-', "−"),
    }
}

/// A whole number with its sign.
pub fn signed_whole(number: i64) -> String {
    match number {
        0 => "0".to_owned(),
        number => format!("{number:+}").replace('-', "−"),
    }
}

/// What a variant's reasoning is beside the baseline's, in a sentence.
pub fn sentence(
    name: &str,
    baseline: &str,
    all: Option<&Difference>,
    right: Option<&Difference>,
) -> String {
    let Some(all) = all else {
        return format!("{name}: no question was answered by both it and {baseline}.");
    };
    let mut text = format!(
        "{name} reasons {} than {baseline}, over the {} that both answered",
        in_words(all),
        count(all.pairs, "question", "questions")
    );
    if let Some(right) = right {
        text.push_str(&format!(
            "; {} over the {} that both got right",
            in_words(right),
            thousands(right.pairs as u64)
        ));
    }
    text.push('.');
    text
}

fn in_words(found: &Difference) -> String {
    let side = if found.mean > 0.0 {
        "longer"
    } else {
        "shorter"
    };
    let text = format!("{:.1} tokens {side}", found.mean.abs());
    match (found.low, found.high) {
        (Some(low), Some(high)) if low <= 0.0 && high >= 0.0 => {
            format!(
                "{text} (95 %: {} to {}, so it may be chance)",
                signed(low),
                signed(high)
            )
        }
        (Some(low), Some(high)) => format!("{text} (95 %: {} to {})", signed(low), signed(high)),
        _ => text,
    }
}

/// What the chart of lengths shows, in words.
pub fn lengths_summary(parts: &[(String, usize, [f64; 3])]) -> String {
    let of_one = |(name, replies, [low, middle, high]): &(String, usize, [f64; 3])| {
        format!(
            "{name}: median {middle:.0}, half of {} between {low:.0} and {high:.0}",
            count(*replies, "reply", "replies")
        )
    };
    let parts: Vec<String> = parts.iter().map(of_one).collect();
    format!("{LENGTHS}, in reasoning tokens. {}.", parts.join("; "))
}

/// The same, under the pointer.
pub fn lengths_hint(
    name: &str,
    replies: usize,
    [low, middle, high]: [f64; 3],
    [least, most]: [usize; 2],
) -> String {
    format!(
        "{name}\n{}\nmedian {middle:.0}, middle half {low:.0} to {high:.0}\nfrom {} to {} tokens",
        count(
            replies,
            "reply that came to an answer",
            "replies that came to an answer"
        ),
        thousands(least as u64),
        thousands(most as u64)
    )
}

/// What the chart of pairs shows, in words.
pub fn pairs_summary(
    this: &str,
    baseline: &str,
    dots: usize,
    shorter: usize,
    longer: usize,
) -> String {
    format!(
        "{PAIRS}: reasoning tokens of {this} against {baseline}. Of {} that both answered, {this} is shorter in {}, longer in {}. The Questions table lists them.",
        count(dots, "question", "questions"),
        thousands(shorter as u64),
        thousands(longer as u64)
    )
}

/// The line where both are as long.
pub const AS_LONG: &str = "as long";

/// A question under the pointer.
pub fn dot_hint(question: usize, this: (&str, usize), baseline: (&str, usize), who: Who) -> String {
    format!(
        "Question {question}\n{}: {} tokens\n{}: {} tokens\n{}\nClick to read the answers.",
        this.0,
        thousands(this.1 as u64),
        baseline.0,
        thousands(baseline.1 as u64),
        right(who)
    )
}

/// Who was right.
pub fn right(who: Who) -> &'static str {
    match who {
        Who::Both => "Both right",
        Who::OnlyThis => "Only this one right",
        Who::OnlyBaseline => "Only the baseline right",
        Who::Neither => "Neither right",
        Who::NotJudged => "Not judged",
    }
}

/// An entry of the legend.
pub fn legend(who: Who, number: usize) -> String {
    let short = match who {
        Who::OnlyThis => "Only this",
        Who::OnlyBaseline => "Only baseline",
        other => right(other),
    };
    format!("{short} {}", thousands(number as u64))
}
