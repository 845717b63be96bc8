//! The Runs page: live runs from recorded logs, runs on disk, comparison, exports.

pub mod answers;
mod comparing;
mod details;
mod exporting;
mod history;
mod live;

use std::path::{Path, PathBuf};

use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use stepladder::outside::Replay;
use stepladder::state::runs::columns::{Columns, Row};
use stepladder::state::runs::stored::{DiskAnswer, FiguresRead, Listing, StoredRun};
use stepladder::state::settings::Settings;
use stepladder::state::{Desk, News, Page, State};
use stepladder::window::Window;
use stepladder_protocol::{Event, EventLine, JobId, Method, RunConfig, RunState};

use crate::support::{NOW, TestWindow, hear};

pub type Page_ = Harness<'static, TestWindow>;

/// Where runs lie in these tests.
pub fn folder() -> PathBuf {
    PathBuf::from("/home/user/.local/share/stepladder/runs")
}

fn settings() -> Settings {
    Settings {
        runs_folder: Some(folder()),
        ..Settings::default()
    }
}

/// The Runs page with runs that were just asked for, each with this config.
pub fn page_with(configs: Vec<RunConfig>, size: egui::Vec2) -> Page_ {
    Harness::builder()
        .with_size(size)
        .with_max_steps(16)
        .build_eframe(move |creation| {
            let mut state = State::new(settings(), NOW);
            let mut effects = Vec::new();
            for config in configs {
                state.runs.start(config, &mut effects);
            }
            state.page = Page::Runs;
            let mut replay = Replay::default();
            replay.performed.extend(effects);
            Window::new(&creation.egui_ctx, state, replay)
        })
}

pub fn page_of(configs: Vec<RunConfig>) -> Page_ {
    page_with(configs, egui::vec2(1280.0, 860.0))
}

/// A worker's recorded output, as events of this job.
pub fn recorded(log: &str, job: &str) -> Vec<News> {
    let mut news = Replay::of_log(Desk::Training, log).unwrap().news;
    for line in &mut news {
        if let News::Event(_, line) = line
            && line.job.is_some()
        {
            line.job = Some(JobId::new(job));
        }
    }
    news.into()
}

pub const FINISHED: &str = include_str!("../recorded/finished.jsonl");
pub const PAUSED: &str = include_str!("../recorded/paused.jsonl");
pub const FAILED: &str = include_str!("../recorded/failed.jsonl");

/// Brings all of this news, then draws.
pub fn play(page: &mut Page_, news: impl IntoIterator<Item = News>) {
    page.state_mut().outside().news.extend(news);
    page.step();
    page.step();
}

/// Whether the last of these events is a step with this number.
pub fn is_step(news: &News, number: usize) -> bool {
    matches!(news, News::Event(_, EventLine { event: Event::Step(row), .. }) if row.step == number)
}

/// An event of a training job.
pub fn event(job: &str, event: Event) -> News {
    News::Event(Desk::Training, event.of(&JobId::new(job)))
}

pub fn training_in(job: &str, name: &str) -> News {
    News::TrainingIn(JobId::new(job), folder().join(name))
}

/// A run on disk.
pub fn stored(name: &str, state: RunState) -> StoredRun {
    StoredRun {
        folder: folder().join(name),
        config: RunConfig::default(),
        state,
        in_use: false,
        step: 40,
        total_steps: 100,
        began_at: NOW - 9000.0,
        written_at: NOW - 7200.0,
        best: Some(0.5),
        elapsed: Some(61.0),
        memory: None,
        ended_early: None,
        failure: None,
        has_checkpoint: true,
        has_adapter: true,
        sparkline: vec![1.0, 0.7, 0.5],
    }
}

pub fn listed(runs: Vec<StoredRun>) -> News {
    News::Disk(DiskAnswer::Runs(Box::new(Listing {
        folder: folder(),
        runs,
        ..Listing::default()
    })))
}

/// The figures of a run whose loss falls from `from` to 0 in `steps` steps.
pub fn figures(run: &Path, from: f32, steps: u32) -> News {
    let mut columns = Columns::default();
    for step in 1..=steps {
        let loss = from * (steps - step) as f32 / steps as f32;
        columns.push(Row {
            step,
            elapsed: step as f32 * 0.5,
            figures: [loss, 1e-3, 0.4, 900.0, 3e7],
        });
    }
    News::Disk(DiskAnswer::Figures {
        run: run.to_path_buf(),
        found: Ok(Box::new(FiguresRead {
            columns,
            ..FiguresRead::default()
        })),
    })
}

pub fn config(method: Method) -> RunConfig {
    RunConfig {
        method,
        ..RunConfig::default()
    }
}

/// What a screen reader says of a node.
pub fn label(node: &egui_kittest::Node<'_>) -> String {
    node.accesskit_node().label().unwrap_or_default()
}

/// Clicks what has this label, and draws.
pub fn click(page: &mut Page_, label: &str) {
    page.get_by_label(label).click();
    // A dialog takes its measure for a frame before it is shown.
    page.run_steps(3);
}

pub fn shows(page: &Page_, words: &str) -> bool {
    page.query_all_by_label_contains(words).next().is_some()
}

#[test]
fn without_runs_the_page_leads_to_the_first() {
    let mut page = page_of(Vec::new());
    page.step();
    assert!(shows(&page, "Reading runs"));
    hear(&mut page, listed(Vec::new()));
    assert!(shows(&page, "No runs yet"));
    click(&mut page, "Go to Fine-tune");
    assert_eq!(page.state().state().page, Page::FineTune);
}
