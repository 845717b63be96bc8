//! Renders the Runs page to pictures, in both themes and two sizes, to be looked at.
//!
//! ```text
//! cargo run --release -p stepladder --example show_runs -- FOLDER
//! ```

#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use egui_kittest::Harness;
use stepladder::outside::Replay;
use stepladder::state::runs::RunsAction;
use stepladder::state::runs::columns::{Columns, Row};
use stepladder::state::runs::run::Offer;
use stepladder::state::runs::stored::{Details, DiskAnswer, FiguresRead, Listing, StoredRun};
use stepladder::state::runs::view::{Tab, ViewAction};
use stepladder::state::settings::{Settings, ThemeChoice};
use stepladder::state::{Action, Desk, News, Page, State};
use stepladder::window::Window;
use stepladder_protocol::{
    ErrorReport, EvaluationRow, Event, EventLine, JobId, Method, RunConfig, RunFailure, RunMemory,
    RunState,
};

type Problem = Box<dyn std::error::Error>;

const LOG: &str = include_str!("../tests/screens/recorded/finished.jsonl");

fn main() -> Result<(), Problem> {
    let folder = std::env::args().nth(1).ok_or("usage: show_runs FOLDER")?;
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder)?;
    let sizes = [(1280.0, 860.0), (1024.0, 700.0)];
    for (theme, name) in [(ThemeChoice::Light, "light"), (ThemeChoice::Dark, "dark")] {
        for (width, height) in sizes {
            for (scene, show) in scenes() {
                let path = folder.join(format!("{scene}-{name}-{width}.png"));
                picture(theme, egui::vec2(width, height), show, &path)?;
                println!("{}", path.display());
            }
        }
    }
    Ok(())
}

fn picture(
    theme: ThemeChoice,
    size: egui::Vec2,
    show: fn(&mut State),
    path: &Path,
) -> Result<(), Problem> {
    let settings = Settings {
        theme,
        runs_folder: Some(runs_folder()),
        ..Settings::default()
    };
    let mut harness = { Harness::builder().with_size(size).wgpu() }.build_eframe(move |creation| {
        let mut state = State::new(settings, now());
        state.page = Page::Runs;
        show(&mut state);
        Window::new(&creation.egui_ctx, state, Replay::default())
    });
    harness.run_steps(4);
    harness.render()?.save(path)?;
    Ok(())
}

/// A name, and what makes the scene of a state.
type Scene = (&'static str, fn(&mut State));

fn scenes() -> [Scene; 9] {
    [
        ("empty", |state| listed(state, Vec::new())),
        ("loading", |state| live(state, 6)),
        ("running", |state| live(state, 40)),
        ("finished", |state| {
            listed(state, history());
            choose(state, 2);
            read(state, 2, 10_000);
        }),
        ("interrupted", |state| {
            listed(state, history());
            read(state, 0, 500);
        }),
        ("failed", |state| {
            live(state, 40);
            let problem = ErrorReport::new(
                "worker_died",
                "the worker ended unexpectedly (signal: 9 (SIGKILL))",
                "if memory ran out, lower --batch-size or --context",
            );
            hear(state, Event::Failed(problem));
        }),
        ("comparison", |state| {
            listed(state, history());
            for place in [1, 2, 3] {
                let key = state.runs.runs[place].key;
                state.act(Action::Runs(RunsAction::View(ViewAction::Tick(key))));
            }
            for (place, steps) in [(1, 700), (2, 900), (3, 500)] {
                read(state, place, steps);
            }
        }),
        ("log", |state| {
            live(state, 400);
            state.act(Action::Runs(RunsAction::View(ViewAction::Tab(Tab::Log))));
        }),
        ("details", |state| {
            listed(state, history());
            choose(state, 2);
            read(state, 2, 100);
            state.act(Action::Runs(RunsAction::View(ViewAction::Tab(
                Tab::Details,
            ))));
            let key = state.runs.runs[2].key;
            state.act(Action::Runs(RunsAction::Do(key, Offer::Export)));
        }),
    ]
}

fn choose(state: &mut State, place: usize) {
    let key = state.runs.runs[place].key;
    state.act(Action::Runs(RunsAction::View(ViewAction::Choose(key))));
}

fn now() -> f64 {
    { SystemTime::now().duration_since(UNIX_EPOCH) }.map_or(0.0, |since| since.as_secs_f64())
}

fn runs_folder() -> PathBuf {
    "/home/user/.local/share/stepladder/runs".into()
}

fn hear(state: &mut State, event: Event) {
    let line = event.of(&JobId::new("run/1"));
    state.hear(News::Event(Desk::Training, line));
}

/// A run up to a line of the recorded log, before the history.
fn live(state: &mut State, lines: usize) {
    state.runs.start(RunConfig::default(), &mut Vec::new());
    let folder = runs_folder().join("2026-11-24T19-11-11-ladder");
    state.hear(News::TrainingIn(JobId::new("run/1"), folder));
    for line in LOG.lines().take(lines) {
        if let Ok(line) = serde_json::from_str::<EventLine>(line) {
            state.hear(News::Event(Desk::Training, line));
        }
    }
    listed(state, history());
}

fn listed(state: &mut State, runs: Vec<StoredRun>) {
    let listing = Listing {
        folder: runs_folder(),
        runs,
        ..Listing::default()
    };
    state.hear(News::Disk(DiskAnswer::Runs(Box::new(listing))));
}

fn history() -> Vec<StoredRun> {
    let memory = RunMemory {
        estimated_peak_bytes: 33_460_992,
        estimated: stepladder_protocol::MemoryParts {
            weights: 5_421_824,
            adapter: 2_149_120,
            gradients: 2_149_120,
            optimizer: 4_298_240,
            activations: 16_416_768,
            logits: 2_731_008,
            workspace: 294_912,
        },
        peak_moment: "loss".to_owned(),
        measured_peak_bytes: Some(33_505_060),
        measured: None,
        program_bytes: 4_567_336,
        available_bytes: None,
    };
    let kinds = [
        (
            "2026-11-24T18-02-40-qlora-overnight",
            Method::Qlora,
            RunState::Running,
            Some(0.412),
            600.0,
        ),
        (
            "2026-11-24T16-40-00-ladder",
            Method::Ladder,
            RunState::Finished,
            Some(0.2251),
            9_000.0,
        ),
        (
            "support tickets, context 2048, a name that goes on and on",
            Method::Xladder,
            RunState::Finished,
            Some(0.2127),
            90_000.0,
        ),
        (
            "2026-11-22T09-00-01-lora",
            Method::Lora,
            RunState::Paused,
            Some(0.2433),
            180_000.0,
        ),
        (
            "2026-11-20T08-12-55-ladder",
            Method::Ladder,
            RunState::Failed,
            None,
            400_000.0,
        ),
    ];
    { kinds.into_iter().enumerate() }
        .map(|(place, (name, method, state, best, age))| StoredRun {
            folder: runs_folder().join(name),
            config: RunConfig {
                method,
                context: (place == 2).then_some(2048),
                learning_rate: (place == 3).then_some(2e-4),
                ..RunConfig::default()
            },
            state,
            in_use: false,
            step: 900,
            total_steps: 900,
            began_at: now() - age - 4000.0,
            written_at: now() - age,
            best,
            elapsed: Some(3721.0),
            memory: Some(memory.clone()),
            ended_early: (place == 1)
                .then(|| "3 evaluations in a row brought no lower loss".to_owned()),
            failure: (state == RunState::Failed).then(|| RunFailure {
                code: "diverged".to_owned(),
                message: "the gradient norm is not a number at step 12".to_owned(),
                hint: "lower the learning rate".to_owned(),
            }),
            has_checkpoint: place != 4,
            has_adapter: place != 4,
            sparkline: (0..64)
                .map(|at| 2.0 / (at as f32 + 2.0).sqrt() + noise(at as f64 + place as f64) * 0.1)
                .collect(),
        })
        .collect()
}

fn noise(at: f64) -> f32 {
    let noise = (at * 12.9898).sin() * 43_758.547;
    (noise - noise.floor()) as f32
}

fn read(state: &mut State, place: usize, steps: u32) {
    let mut columns = Columns::default();
    let slower = place as f32;
    for step in 1..=steps {
        let at = step as f32 / steps as f32;
        let loss = 2.0 / (at * 40.0 + 1.0).sqrt() + 0.25 * noise(step.into()) + 0.03 * slower;
        columns.push(Row {
            step,
            elapsed: step as f32 * 0.41,
            figures: [
                loss,
                5e-4 * (1.0 - 0.9 * at),
                0.3 + 0.4 * noise(f64::from(step) + 0.5) / (1.0 + at),
                5000.0 + 400.0 * noise(f64::from(step) + 0.25),
                3.1e7 + 2.0e6 * noise(f64::from(step) + 0.75),
            ],
        });
        if step % (steps / 10).max(1) == 0 {
            columns.push_evaluation(&EvaluationRow {
                step: step as usize,
                loss: Some(f64::from(
                    2.0 / (at * 40.0 + 1.0).sqrt() + 0.1 + 0.05 * slower,
                )),
                best: true,
            });
        }
    }
    let Some(run) = state.runs.runs[place].folder.clone() else {
        return;
    };
    let log = vec![
        (now() - 3000.0, "step 0 of 900".to_owned()),
        (
            now() - 2000.0,
            "checkpoint /home/user/runs/checkpoints/step-00000450".to_owned(),
        ),
        (now() - 1000.0, "finished".to_owned()),
    ];
    let found = Box::new(Details { log, dataset: None });
    state.hear(News::Disk(DiskAnswer::Details {
        run: run.clone(),
        found,
    }));
    state.hear(News::Disk(DiskAnswer::Figures {
        run,
        found: Ok(Box::new(FiguresRead {
            columns,
            ..FiguresRead::default()
        })),
    }));
}
