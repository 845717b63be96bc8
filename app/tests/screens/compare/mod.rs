//! The Compare page, by label, before a worker and a disk that say what these tests let them say.

mod findings;
mod kept;
pub mod looks;
mod matched;
mod setting_up;
mod under_way;

use std::path::PathBuf;

use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use stepladder::state::compare::stored::{
    CompareAnswer, CompareList, CompareRequest, Entry, EntryState, Opened,
};
use stepladder::state::runs::stored::{DiskAnswer, DiskRequest};
use stepladder::state::settings::{Settings, ThemeChoice};
use stepladder::state::{Desk, Effect, News, Page};
use stepladder_protocol::{
    AnswerGiven, AnswerOutcome, AnswerVerdict, CompareCommand, ComparedAnswer, ComparedQuestion,
    ComparedRow, ComparedVariant, ComparisonDocument, ComparisonProgress, ComparisonReport,
    ComparisonStarted, Difference, Event, FinishReason, Finished, JobId, Method, RunState,
    SamplerSettings, TraceState, VariantProgress, VariantReport,
};

use crate::fine_tune::recorded::start;
use crate::runs::{folder, listed, stored};
use crate::support::{NOW, TestWindow, asked, hear, window_of};

pub type Window = Harness<'static, TestWindow>;

pub const SIZE: egui::Vec2 = egui::vec2(1280.0, 860.0);
pub const SMALL: egui::Vec2 = egui::vec2(1024.0, 700.0);
pub const NAMES: [&str; 3] = ["base", "short-thoughts", "xladder-32"];

pub fn data() -> PathBuf {
    "/home/user/.local/share/stepladder".into()
}

pub fn comparisons() -> PathBuf {
    data().join("comparisons")
}

pub fn out() -> PathBuf {
    comparisons().join("2026-11-24T11-20-31-compare")
}

/// The page as it opens, before runs of two models, one of them without an adapter.
pub fn opened(theme: ThemeChoice, size: egui::Vec2) -> Window {
    let settings = Settings {
        theme,
        runs_folder: Some(folder()),
        data_folder: Some(data()),
        ..Settings::default()
    };
    let mut window = window_of(settings, size);
    start(&mut window);
    // Ages are told.
    window.state_mut().outside().always_at = Some(NOW);
    let mut runs: Vec<_> = { NAMES[1..].iter().chain(&["lora"]) }
        .map(|name| stored(name, RunState::Finished))
        .collect();
    runs[1].config.method = Method::Xladder;
    let mut other = stored("qwen-ladder", RunState::Finished);
    other.config.model = "/models/qwen".to_owned();
    let mut bare = stored("overnight", RunState::Failed);
    bare.has_adapter = false;
    runs.extend([other, bare]);
    hear(&mut window, listed(runs));
    window
        .get_by_role_and_label(egui::accesskit::Role::Tab, "Compare")
        .click();
    window.run_steps(4);
    assert_eq!(window.state().state().page, Page::Compare);
    asked(&mut window);
    window
}

pub fn page() -> Window {
    opened(ThemeChoice::Light, SIZE)
}

/// The control with this label; not the words beside it that are the same.
fn control<'a>(window: &'a Window, label: &'a str) -> egui_kittest::Node<'a> {
    let mut found = { window.query_all_by_label(label) }
        .filter(|node| node.accesskit_node().role() != egui::accesskit::Role::Label);
    let first = found
        .next()
        .unwrap_or_else(|| panic!("there is no {label}"));
    assert!(found.next().is_none(), "there are several {label}");
    first
}

pub fn click(window: &mut Window, label: &str) {
    control(window, label).click_accesskit();
    window.run_steps(4);
}

pub fn shows(window: &Window, words: &str) -> bool {
    let said = |node: egui_kittest::Node<'_>| {
        let node = node.accesskit_node();
        let label = node.label().unwrap_or_default();
        label.contains(words) || node.value().is_some_and(|value| value.contains(words))
    };
    window.root().children_recursive().any(said)
}

pub fn type_in(window: &mut Window, label: &str, text: &str) {
    control(window, label).focus();
    window.run_steps(2);
    control(window, label).type_text(text);
    window.run_steps(3);
}

/// The comparison that was asked for since the last time, and the one that it goes on with.
pub fn begun(window: &mut Window) -> Option<(CompareCommand, Option<PathBuf>)> {
    { asked(window).into_iter() }.find_map(|effect| match effect {
        Effect::Compare { command, go_on } => Some((*command, go_on)),
        _ => None,
    })
}

/// What the disk was asked about comparisons since the last time.
pub fn disk(window: &mut Window) -> Vec<CompareRequest> {
    { asked(window).into_iter() }
        .filter_map(|effect| match effect {
            Effect::Disk(DiskRequest::Comparisons(request)) => Some(request),
            _ => None,
        })
        .collect()
}

pub fn from_disk(window: &mut Window, answer: CompareAnswer) {
    hear(window, News::Disk(DiskAnswer::Comparisons(answer)));
    window.run_steps(2);
}

/// An event of the comparison that was asked for last.
pub fn tell(window: &mut Window, event: Event) {
    let job = window.state().state().compare.at_work.as_ref();
    let job: JobId = job.expect("a comparison").job.clone();
    hear(window, News::Event(Desk::Comparing, event.of(&job)));
}

/// The same for many, with one picture at the end.
pub fn tell_all(window: &mut Window, events: impl IntoIterator<Item = Event>) {
    let job = window.state().state().compare.at_work.as_ref();
    let job: JobId = job.expect("a comparison").job.clone();
    let news = { events.into_iter() }.map(|event| News::Event(Desk::Comparing, event.of(&job)));
    window.state_mut().outside().news.extend(news);
    window.run_steps(3);
}

/// Ticks two runs and begins; its folder is known.
pub fn begin(window: &mut Window) {
    click(window, "Compare short-thoughts");
    click(window, "Compare xladder-32");
    click(window, "Compare: 3 variants, 200 questions");
    let job = window.state().state().compare.at_work.as_ref();
    let job = job.expect("a comparison").job.clone();
    hear(window, News::ComparingIn(job, out()));
}

pub fn started(questions: usize, kept: usize) -> Event {
    Event::ComparisonStarted(ComparisonStarted {
        out: out().display().to_string(),
        device: "CPU, 2 threads".to_owned(),
        variants: variants(),
        baseline: "base".to_owned(),
        question_source: "the built-in questions".to_owned(),
        questions,
        left_out_trained_on: 3,
        kept_answers: kept,
    })
}

pub fn variants() -> Vec<ComparedVariant> {
    let variant = |name: &str, method, parameters| ComparedVariant {
        name: name.to_owned(),
        method,
        parameters,
    };
    vec![
        variant(NAMES[0], None, 0),
        variant(NAMES[1], Some(Method::Ladder), 268_640),
        variant(NAMES[2], Some(Method::Xladder), 268_704),
    ]
}

/// What a variant says to a question: always the same, and different for each.
pub fn answer(question: usize, variant: usize) -> ComparedAnswer {
    let noise = (question * (7919 + 31 * variant * variant)) % 23;
    let tokens = [44, 38, 25][variant] + (question * 37) % 31 + noise;
    let trace = format!("<think>\n{}\n</think>", "345+267=612 ".repeat(4));
    let truncated = (question + 3 * variant) % 29 == 11;
    let right = !truncated && (question * 13 + variant * 5) % 9 > 1;
    ComparedAnswer {
        text: match truncated {
            true => trace[..30].to_owned(),
            false => format!("{trace}\nThe answer is {}.", 600 + question),
        },
        answer_start: if truncated { 30 } else { trace.len() },
        reasoning_tokens: tokens,
        total_tokens: tokens + 9,
        trace: match truncated {
            true => TraceState::Unclosed,
            false => TraceState::Complete,
        },
        outcome: match truncated {
            true => AnswerOutcome::Truncated,
            false => AnswerOutcome::Answered,
        },
        answer: (!truncated).then(|| (600 + question).to_string()),
        verdict: match right {
            true => AnswerVerdict::Right,
            false => AnswerVerdict::Wrong,
        },
        finish: match truncated {
            true => FinishReason::Length,
            false => FinishReason::Stop,
        },
        distinct_3: Some(0.81 - 0.1 * variant as f64),
    }
}

pub fn question(number: usize) -> ComparedQuestion {
    ComparedQuestion {
        number,
        question: format!(
            "Anna has {} coins. Ben gives Anna {number} more. How many coins does Anna have now?",
            600
        ),
        reference: Some(format!("The answer is {}.", 600 + number)),
    }
}

/// All answers to these questions, as they come.
pub fn answers(questions: std::ops::RangeInclusive<usize>) -> Vec<Event> {
    let of_one = |number: usize| {
        let given = (0..3).map(move |variant| {
            Event::Answer(Box::new(AnswerGiven {
                question: number,
                variant,
                answer: answer(number, variant),
            }))
        });
        std::iter::once(Event::Question(question(number))).chain(given)
    };
    questions.flat_map(of_one).collect()
}

pub fn comparing(done: usize, total: usize) -> Event {
    let variant = |done, rate| VariantProgress {
        done,
        total,
        tokens_per_second: rate,
    };
    Event::Comparing(ComparisonProgress {
        variants: vec![
            variant(done, Some(1204.0)),
            variant(done, Some(980.0)),
            variant(done.saturating_sub(8), None),
        ],
        elapsed_secs: 12.0,
        remaining_secs: Some(100.0),
    })
}

fn figures(place: usize) -> VariantReport {
    let variant = &variants()[place];
    let difference = |mean: f64, pairs| {
        (place > 0).then_some(Difference {
            mean,
            low: Some(mean - 2.5),
            high: Some(mean + 2.5),
            pairs,
        })
    };
    VariantReport {
        name: variant.name.clone(),
        method: variant.method,
        parameters: variant.parameters,
        accuracy: Some([0.79, 0.77, 0.78][place]),
        right: [158, 154, 156][place],
        wrong: [42, 46, 44][place],
        not_judged: 0,
        median_reasoning_tokens: Some([70.0, 64.0, 51.0][place]),
        mean_reasoning_tokens: Some([70.2, 64.1, 51.4][place]),
        answered: 193,
        no_answer: 1,
        truncated: 6,
        no_trace: 0,
        empty_trace: 0,
        missing_trace: 0,
        distinct_3: Some(0.81 - 0.1 * place as f64),
        total_tokens: 15_000 - 2000 * place as u64,
        difference: difference([0.0, -1.1, -18.9][place], 187),
        difference_both_right: difference([0.0, -0.9, -18.2][place], 120),
    }
}

pub fn report(questions: usize) -> ComparisonReport {
    ComparisonReport {
        questions,
        baseline: "base".to_owned(),
        variants: (0..3).map(figures).collect(),
        model: "builtin".to_owned(),
        question_source: "the built-in questions".to_owned(),
        left_out_trained_on: 3,
        settings: SamplerSettings::default(),
        answer_pattern: None,
        notices: Vec::new(),
        matched: None,
    }
}

pub fn finished(report: ComparisonReport) -> Event {
    Event::Finished(Finished::Comparison(Box::new(report)))
}

/// A comparison that was asked for and is done.
pub fn done(theme: ThemeChoice, size: egui::Vec2) -> Window {
    let mut window = opened(theme, size);
    begin(&mut window);
    tell(&mut window, started(200, 0));
    tell_all(&mut window, answers(1..=200));
    tell(&mut window, finished(report(200)));
    entries(&mut window);
    asked(&mut window);
    window
}

pub fn document(questions: usize) -> ComparisonDocument {
    ComparisonDocument {
        report: report(questions),
        rows: (1..=questions)
            .map(|number| ComparedRow {
                question: question(number),
                answers: (0..3).map(|variant| answer(number, variant)).collect(),
            })
            .collect(),
    }
}

pub fn entry(name: &str, state: EntryState, age: f64) -> Entry {
    Entry {
        folder: comparisons().join(name),
        changed_at: NOW - age,
        variants: NAMES.map(str::to_owned).to_vec(),
        state,
    }
}

pub fn list(window: &mut Window, entries: Vec<Entry>) {
    let list = CompareList {
        folder: comparisons(),
        entries,
        ..CompareList::default()
    };
    from_disk(window, CompareAnswer::List(Box::new(list)));
}

/// Earlier comparisons, the one that was made here among them.
pub fn entries(window: &mut Window) {
    let names = [
        ("2026-11-24T11-20-31-compare", EntryState::Finished, 90.0),
        (
            "held-out split of the support tickets",
            EntryState::Stopped,
            9_000.0,
        ),
        (
            "2026-11-20T08-02-11-compare",
            EntryState::Finished,
            360_000.0,
        ),
    ];
    let entries = names.map(|(name, state, age)| entry(name, state, age));
    list(window, entries.to_vec());
}

/// Opens one of the list, which lies on disk like this.
pub fn open(window: &mut Window, name: &str, found: Opened) {
    window
        .get_by_label_contains(&format!("{}, ", name.trim_end_matches("-compare")))
        .click();
    window.run_steps(3);
    let folder = comparisons().join(name);
    assert_eq!(disk(window), [CompareRequest::Read(folder.clone())]);
    let found = Ok(Box::new(found));
    from_disk(window, CompareAnswer::Read { folder, found });
}
