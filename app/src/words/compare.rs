//! The words of the Compare page.

use stepladder_protocol::{
    AnswerOutcome, ComparedAnswer, Difference, ErrorReport, Interval, Method, TraceState,
};

use crate::state::compare::asking::{Missing, Ready, Unfit};
use crate::state::compare::figures::Who;
use crate::state::compare::found::Standing;
use crate::state::compare::stored::{EntryState, SavedAs};
use crate::state::compare::table::{Cell, Column, TableRow};
use crate::state::compare::view::Tab;
use crate::text::{clock, count, rate, thousands};

pub use self::setting_up::*;

mod setting_up;

/// The list of comparisons.
pub const LIST: &str = "Comparisons";
/// Sets up another.
pub const NEW: &str = "New comparison";
/// Before anything was compared.
pub const NONE_KEPT: &str = "Comparisons are kept here, also those that were stopped.";
/// The folder of comparisons cannot be read.
pub const LIST_FAILED: &str = "The folder of comparisons cannot be read";
/// While one is read.
pub const READING: &str = "Reading the comparison…";
/// Reads the list anew.
pub const REREAD: &str = "Read the folder again";
/// A comparison whose folder is not known yet.
pub const NO_NAME: &str = "New comparison";
/// Asks before it goes to the bin.
pub const DELETE: &str = "Delete comparison";
/// The dialog before deleting.
pub const DELETE_TITLE: &str = "Move this comparison to the bin?";
/// Does it.
pub const DELETE_DO: &str = "Move to bin";
/// Does not.
pub const KEEP: &str = "Cancel";
/// Stops it.
pub const STOP: &str = "Cancel";
/// What that means.
pub const STOP_HELP: &str = "Keeps the answers so far. It can go on later where it was.";
/// Ends the worker at once.
pub const END_NOW: &str = "End now";
/// What that means.
pub const END_NOW_HELP: &str = "Ends the process at once. Answers that were given are kept.";
/// Goes on.
pub const GO_ON: &str = "Continue";
/// What that means.
pub const GO_ON_HELP: &str = "Asks what is not answered yet. Answers that are there are kept.";
/// Shows the folder.
pub const SHOW: &str = "Show in folder";
/// Opens another page.
pub const PARTS: &str = "Show";
/// It was stopped for a run.
pub const MADE_WAY: &str = "Stopped for a run that needs the device's memory.";
/// It can go on.
pub const STOPPED: &str = "Stopped. The answers so far are kept.";
/// What it takes to go on.
pub const STOPPED_HELP: &str = "Continue asks what is not answered yet.";
/// Nobody wrote down what was asked.
pub const STOPPED_ELSEWHERE: &str =
    "It was begun on the command line: the same command, with --out and this folder, goes on.";
/// The questions' words are not in the folder yet.
pub const NO_WORDS: &str = "The words of this question are told when the comparison goes on.";
/// After a failure.
pub const FAILED_HELP: &str = "The answers so far are kept.";
/// Before the first answer.
pub const NO_ANSWERS: &str = "No answers yet";
/// How they come.
pub const NO_ANSWERS_TEXT: &str = "Figures and charts grow here as variants answer.";
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
/// The table of questions.
pub const QUESTIONS_CARD: &str = "Questions";
/// A word for a variant's figures that are not there.
pub const UNKNOWN: &str = "–";
/// The answers.
pub const ANSWERS: &str = "Answers";
/// What it should be.
pub const REFERENCE: &str = "Reference answer";
/// There is none.
pub const NO_REFERENCE: &str = "No reference answer";
/// The answer has not come.
pub const NOT_ANSWERED_YET: &str = "Not asked yet";
/// The reply is empty.
pub const NOTHING_SAID: &str = "It said nothing.";
/// What methods did that were trained alike.
pub const METHODS: &str = "Methods, over all seeds";
/// What the intervals are.
pub const METHODS_HELP: &str = "Each figure is a mean over seeds and questions; the interval holds it in 95 % of resamples of both.";
/// One method against another.
pub const METHOD_PAIRS: &str = "One method minus another";
/// The adapters are of equal size.
pub const SIZES_MATCH: &str =
    "All methods train as many parameters as each other, to a thousandth.";
/// They are not.
pub const SIZES_DO_NOT_MATCH: &str = "The methods do not train the same number of parameters: a difference may come from size as well.";

/// Columns of the table of methods.
pub const METHOD_COLUMNS: [&str; 7] = [
    "Method",
    "Parameters",
    "Accuracy",
    "Reasoning tokens",
    "Minus base",
    "Minus base, both right",
    "Peak memory",
];
/// Columns of the table of pairs.
pub const PAIR_COLUMNS: [&str; 4] = ["", "Accuracy", "Reasoning tokens", "Where both are right"];

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

/// A part of a comparison's page.
pub fn tab(tab: Tab) -> &'static str {
    match tab {
        Tab::Findings => "Findings",
        Tab::Questions => "Questions",
    }
}

/// How a comparison stands.
pub fn standing(standing: &Standing) -> &'static str {
    match standing {
        Standing::Preparing => "Preparing",
        Standing::Training => "Training",
        Standing::Answering => "Answering",
        Standing::Stopping => "Stopping…",
        Standing::Stopped => "Stopped",
        Standing::Finished => "Finished",
        Standing::Failed(_) => "Failed",
    }
}

/// How a comparison on disk stands.
pub fn entry_state(state: EntryState) -> &'static str {
    match state {
        EntryState::Finished => "Finished",
        EntryState::Stopped => "Stopped",
        EntryState::Elsewhere => "Running elsewhere",
    }
}

/// A comparison of the list, for a screen reader.
pub fn entry(name: &str, state: &str, about: &str) -> String {
    format!("{name}, {state}, {about}")
}

/// Who is compared, in a line.
pub fn variants(number: usize) -> String {
    match number {
        0 => String::new(),
        number => count(number, "variant", "variants"),
    }
}

/// Comparisons that are not listed.
pub fn left_out(number: usize) -> String {
    format!("{} older are not listed.", thousands(number as u64))
}

/// Before a comparison goes to the bin.
pub fn delete_text(name: &str) -> String {
    format!("{name} goes to the system's bin with all its answers, from where it can be restored.")
}

/// What was asked, in a line.
pub fn about(model: &str, source: &str, questions: usize) -> String {
    let mut parts = vec![model.to_owned()];
    if !source.is_empty() {
        parts.push(source.to_owned());
    }
    if questions > 0 {
        parts.push(count(questions, "question", "questions"));
    }
    parts.join(" · ")
}

/// Questions that a run knows.
pub fn trained_on(number: usize) -> String {
    format!(
        "{} left out because one of the runs was trained on {}.",
        count(number, "question is", "questions are"),
        if number == 1 { "it" } else { "them" }
    )
}

/// Answers that were there before.
pub fn kept(number: usize) -> String {
    format!("{} from before.", count(number, "answer is", "answers are"))
}

/// How far a variant is.
pub fn done_of(done: usize, total: usize) -> String {
    format!("{} of {}", thousands(done as u64), thousands(total as u64))
}

/// A variant's progress bar, for a screen reader.
pub fn variant_progress(name: &str, done: usize, total: usize) -> String {
    format!("{name}: {}", done_of(done, total))
}

/// How fast a variant answers.
pub fn speed(tokens_per_second: f64) -> String {
    format!("{} tokens/s", rate(tokens_per_second))
}

/// How long it takes.
pub fn left(secs: f64) -> String {
    format!("{} left", clock(secs))
}

/// Which run is trained.
pub fn run_of(run: usize, runs: usize, name: &str) -> String {
    format!("Run {run} of {runs}: {name}")
}

/// How far it is.
pub fn step_of(step: usize, total: usize) -> String {
    match total {
        0 => format!("step {}", thousands(step as u64)),
        _ => format!("step {}", done_of(step, total)),
    }
}

/// A loss.
pub fn loss(loss: f64) -> String {
    format!("loss {loss:.3}")
}

/// A loss on held-out examples.
pub fn held_out(loss: f64) -> String {
    format!("held out {loss:.3}")
}

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

/// A column of the table of questions.
pub fn column(column: Column, baseline: &str, this: &str) -> String {
    match column {
        Column::Number => "No.".to_owned(),
        Column::Baseline => baseline.to_owned(),
        Column::This => this.to_owned(),
        Column::Difference => "Difference".to_owned(),
    }
}

/// Sorts by it.
pub fn sort_by(name: &str) -> String {
    format!("Sort by {name}")
}

/// Who is held against whom.
pub fn against(this: &str, baseline: &str) -> String {
    format!("{this} against {baseline}")
}

fn cell(cell: Option<&Cell>) -> String {
    let Some(cell) = cell else {
        return NOT_ANSWERED_YET.to_owned();
    };
    let judged = match (cell.answered, cell.right) {
        (_, Some(true)) => "right",
        (false, _) => "came to no answer",
        (_, Some(false)) => "wrong",
        (_, None) => "not judged",
    };
    format!("{} tokens, {judged}", thousands(cell.tokens as u64))
}

/// A question of the table, for a screen reader.
pub fn table_row(row: &TableRow, baseline: &str, this: &str) -> String {
    let difference = row.difference.map_or_else(String::new, |difference| {
        format!("; difference {}", signed_whole(difference))
    });
    format!(
        "Question {}: {} {baseline}: {}; {this}: {}{difference}",
        row.number,
        row.question,
        cell(row.baseline.as_ref()),
        cell(row.this.as_ref())
    )
}

/// A question without its words.
pub fn question(number: usize) -> String {
    format!("Question {number}")
}

/// Whether an answer is right.
pub fn verdict(right: Option<bool>) -> &'static str {
    match right {
        Some(true) => "Right",
        Some(false) => "Wrong",
        None => "Not judged",
    }
}

/// What a reply took, and what became of it.
pub fn figures(answer: &ComparedAnswer) -> String {
    let mut parts = vec![format!(
        "{} of {} reasoning",
        thousands(answer.reasoning_tokens as u64),
        count(answer.total_tokens, "token", "tokens")
    )];
    match answer.outcome {
        AnswerOutcome::Answered => {}
        AnswerOutcome::NoAnswer => parts.push("ended without an answer".to_owned()),
        AnswerOutcome::Truncated => parts.push("cut off at the limit".to_owned()),
    }
    match answer.trace {
        TraceState::Empty => parts.push("empty trace".to_owned()),
        TraceState::Missing => parts.push("no trace".to_owned()),
        TraceState::Unclosed => parts.push("ended within its trace".to_owned()),
        TraceState::Complete | TraceState::Unmarked => {}
    }
    parts.join(" · ")
}

/// Unfolds what a variant thought.
pub fn thought(tokens: usize) -> String {
    format!("Thought for {}", count(tokens, "token", "tokens"))
}

/// The final answer as it was found.
pub fn final_answer(answer: &str) -> String {
    format!("Final answer: {answer}")
}

/// Saves a file.
pub fn save(kind: SavedAs) -> &'static str {
    match kind {
        SavedAs::Csv => "CSV…",
        SavedAs::Json => "JSON…",
        SavedAs::Html => "Report…",
        SavedAs::Png => "Charts…",
    }
}

/// What that is.
pub fn save_help(kind: SavedAs) -> &'static str {
    match kind {
        SavedAs::Csv => "Saves a table of all answers.",
        SavedAs::Json => "Saves the figures and all answers, for programs.",
        SavedAs::Html => "Saves the report: a page that needs nothing else.",
        SavedAs::Png => "Saves a picture of both charts.",
    }
}

/// The name that is proposed for it.
pub fn file_name(kind: SavedAs) -> String {
    let stem = match kind {
        SavedAs::Csv | SavedAs::Json => "comparison",
        SavedAs::Html => "report",
        SavedAs::Png => "charts",
    };
    format!("{stem}.{}", kind.ending())
}

/// It is there.
pub fn saved(path: &str) -> String {
    format!("Saved as {path}")
}

/// It is not.
pub fn not_saved(problem: &str) -> String {
    format!("The file cannot be saved: {problem}")
}

/// What was asked could not be written down.
pub fn not_remembered(problem: &str) -> String {
    format!("This comparison cannot be continued later from the window: {problem}")
}

/// A folder that is none.
pub fn no_comparison(path: &str) -> String {
    format!("{path} is no comparison.")
}

/// A comparison that is damaged.
pub fn unreadable(path: &str, problem: &str) -> String {
    format!("The comparison in {path} cannot be read: {problem}")
}

/// A mean over seeds with its interval.
pub fn interval(found: Option<&Interval>) -> String {
    with_interval(found, &|number| format!("{number:.1}"))
}

/// The same for a share.
pub fn share_interval(found: Option<&Interval>) -> String {
    let number = |share: f64| format!("{:.1}", 100.0 * share);
    match found {
        None => UNKNOWN.to_owned(),
        Some(found) => match (found.low, found.high) {
            (Some(low), Some(high)) => {
                format!(
                    "{} [{}, {}]",
                    percent(found.mean),
                    number(low),
                    number(high)
                )
            }
            _ => percent(found.mean),
        },
    }
}

/// The same for a difference.
pub fn difference_interval(found: Option<&Interval>) -> String {
    with_interval(found, &signed)
}

/// The same for a difference of shares, in percentage points.
pub fn points_interval(found: Option<&Interval>) -> String {
    with_interval(found, &|share| signed(100.0 * share))
}

fn with_interval(found: Option<&Interval>, text: &dyn Fn(f64) -> String) -> String {
    let Some(found) = found else {
        return UNKNOWN.to_owned();
    };
    match (found.low, found.high) {
        (Some(low), Some(high)) => {
            format!("{} [{}, {}]", text(found.mean), text(low), text(high))
        }
        _ => text(found.mean),
    }
}

/// One method minus another.
pub fn method_pair(method: Method, against: Method) -> String {
    format!("{} minus {}", method.title(), against.title())
}

/// What to do about a problem of a comparison.
pub fn hint(problem: &ErrorReport) -> String {
    match problem.code.as_str() {
        "worker_died" => {
            "If memory ran out, compare fewer variants or lower the limit of tokens. Continue goes on where it was.".to_owned()
        }
        "adapter_for_another_base" => {
            "Choose the model that this run was trained on, or leave the run out.".to_owned()
        }
        "dataset_empty" => {
            "Choose other questions: a file with a question column, or messages.".to_owned()
        }
        "run_in_use" => "Another program is at this comparison: wait until it has ended.".to_owned(),
        code => super::hint(code, &problem.hint),
    }
}

/// The primary button.
///
/// # Errors
/// What is missing.
pub fn primary(ready: Result<Ready, Missing>) -> Result<String, &'static str> {
    let ready = ready.map_err(|missing| match missing {
        Missing::Run => "Choose a run",
        Missing::Questions => "Choose a file of questions",
        Missing::Field => "Check the marked fields",
        Missing::AnotherIsOn => "Another comparison is under way",
        Missing::NotNow => "After the run that trains",
    })?;
    let questions = ready.questions.map_or_else(
        || "all questions".to_owned(),
        |number| count(number, "question", "questions"),
    );
    Ok(match ready.trained {
        0 => format!(
            "Compare: {}, {questions}",
            count(ready.variants, "variant", "variants")
        ),
        runs => format!(
            "Train {}, then compare: {questions}",
            count(runs, "run", "runs")
        ),
    })
}

/// Why a run cannot be ticked.
pub fn unfit(unfit: Unfit) -> &'static str {
    match unfit {
        Unfit::OtherModel => "trained on another model",
        Unfit::IsOn => "still training",
        Unfit::NoAdapter => "has no adapter yet",
    }
}
