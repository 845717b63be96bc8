//! What the real window costs, on a display: seconds to its first frame, memory and processor time
//! while it rests with a finished run of 10,000 steps open, and processor time while it follows a run,
//! beside that of the worker it follows.
//!
//! ```text
//! cargo build --release
//! cargo run --release -p stepladder --example bench_window -- [IDLE SECONDS]
//! ```
//!
//! Prints one JSON object a measurement, whole process each. Linux only: it reads `/proc`.

#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use egui::{Context, Ui, ViewportCommand};
use mimalloc::MiMalloc;
use stepladder::outside::{Desktop, Outside};
use stepladder::state::settings::Settings;
use stepladder::state::{Action, Page, State};
use stepladder::window::{Window, native_options, wake};
use stepladder_protocol::{RunConfig, RunState, RunStatus};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

type Problem = Box<dyn std::error::Error + Send + Sync>;

/// A kernel's tick of processor time, as `/proc` counts it.
const TICKS_PER_SECOND: f64 = 100.0;
const STEPS: usize = 10_000;
/// The part of a run that is measured.
const FIRST_STEP: usize = 10;
const MEASURED_STEPS: usize = 80;

fn main() -> ExitCode {
    let began = Instant::now();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let ran = match arguments.first().map(String::as_str) {
        Some("first-frame") => part(Part::FirstFrame, began),
        Some("idle") => {
            let secs = arguments.get(1).and_then(|secs| secs.parse().ok());
            part(Part::Idle(secs.unwrap_or(60.0)), began)
        }
        Some("training") => part(Part::Training, began),
        secs => all(secs.unwrap_or("60")),
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            let _ = writeln!(std::io::stderr(), "error: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Each measurement in a process of its own, the first frame five times.
fn all(idle_secs: &str) -> Result<(), Problem> {
    let program = std::env::current_exe()?;
    let first = ["first-frame"].repeat(5);
    for arguments in
        { first.iter().map(|part| vec![*part]) }.chain([vec!["idle", idle_secs], vec!["training"]])
    {
        let status = Command::new(&program).args(&arguments).status()?;
        if !status.success() {
            return Err(format!("{} did not succeed", arguments.join(" ")).into());
        }
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    FirstFrame,
    Idle(f64),
    Training,
}

fn part(part: Part, began: Instant) -> Result<(), Problem> {
    let home = std::env::temp_dir().join(format!("stepladder-bench-{}", std::process::id()));
    if matches!(part, Part::Idle(_)) {
        finished_run(&home.join("runs/a-finished-run"))?;
    }
    let settings = Settings {
        data_folder: Some(home.clone()),
        ..Settings::default()
    };
    eframe::run_native(
        "bench",
        native_options(),
        Box::new(move |creation| {
            let mut outside =
                Desktop::with_worker(settings.clone(), wake(creation), Some(worker()?))?;
            let mut state = State::new(settings, 0.0);
            if part == Part::Training {
                let mut effects = Vec::new();
                let config = RunConfig {
                    early_stopping_patience: 1000,
                    ..RunConfig::default()
                };
                state.runs.start(config, &mut effects);
                for effect in effects {
                    outside.perform(effect);
                }
            }
            if part != Part::FirstFrame {
                state.act(Action::Go(Page::Runs));
            }
            Ok(Box::new(Measured {
                window: Window::new(&creation.egui_ctx, state, outside),
                part,
                began,
                frames: 0,
                events: 0,
                since: None,
                worker: 0.0,
            }))
        }),
    )
    .map_err(|error| error.to_string())?;
    match home.exists() {
        true => Ok(std::fs::remove_dir_all(home)?),
        false => Ok(()),
    }
}

/// The program built beside the examples.
fn worker() -> Result<PathBuf, Problem> {
    let this = std::env::current_exe()?;
    let built = { this.parent() }
        .and_then(Path::parent)
        .ok_or("no folder")?;
    Ok(built.join("stepladder"))
}

/// A run as it lies on disk, long done.
fn finished_run(run: &Path) -> Result<(), Problem> {
    std::fs::create_dir_all(run)?;
    let config = serde_json::to_vec(&RunConfig::default())?;
    std::fs::write(run.join("run.json"), config)?;
    let status = RunStatus {
        state: RunState::Finished,
        step: STEPS,
        total_steps: STEPS,
        began_at_unix_secs: 1_795_000_000,
        written_at_unix_secs: 1_795_010_000,
        best_evaluation_loss: Some(0.1),
        ended_early: None,
        failure: None,
    };
    std::fs::write(run.join("status.json"), serde_json::to_vec(&status)?)?;
    let mut rows = std::io::BufWriter::new(std::fs::File::create(run.join("metrics.jsonl"))?);
    for step in 1..=STEPS {
        let noise = ((step * 7919) % 1000) as f64 / 1000.0;
        writeln!(
            rows,
            "{{\"event\":\"step\",\"step\":{step},\"loss\":{},\"learning_rate\":5e-4,\"gradient_norm\":{},\
             \"tokens_per_second\":{},\"tokens\":900,\"target_tokens\":570,\"elapsed_secs\":{step},\"peak_bytes\":33000000}}",
            2.0 / (1.0 + step as f64 / 500.0) + 0.2 * noise,
            0.3 + noise,
            5000.0 + 100.0 * noise,
        )?;
        if step % 100 == 0 {
            writeln!(
                rows,
                "{{\"event\":\"evaluation\",\"step\":{step},\"loss\":{},\"best\":true}}",
                2.0 / (1.0 + step as f64 / 500.0)
            )?;
        }
    }
    Ok(rows.flush()?)
}

struct Measured {
    window: Window<Desktop>,
    part: Part,
    began: Instant,
    frames: usize,
    events: usize,
    /// When measuring began, with the processor time until then.
    since: Option<(Instant, f64)>,
    worker: f64,
}

impl Measured {
    fn close(&mut self, context: &Context, told: &str) {
        println!("{told}");
        context.send_viewport_cmd(ViewportCommand::Close);
    }

    fn first_frame(&mut self, context: &Context) {
        // The second frame begins when the first is on the display.
        if self.frames == 1 {
            let secs = self.began.elapsed().as_secs_f64();
            self.close(context, &format!("{{\"first_frame_secs\":{secs:.3}}}"));
        }
        context.request_repaint();
    }

    fn idle(&mut self, context: &Context, secs: f64) {
        let runs = &self.window.state().runs;
        if self.since.is_none() && runs.chosen().and_then(|run| run.figures()).is_some() {
            // What was loaded is drawn, and the first hints have settled.
            if self.began.elapsed() > Duration::from_secs(5) {
                self.since = Some((Instant::now(), cpu_secs("self")));
                self.frames = 0;
            }
        }
        let Some((since, cpu)) = self.since else {
            return context.request_repaint_after(Duration::from_millis(200));
        };
        let elapsed = since.elapsed().as_secs_f64();
        if elapsed < secs {
            // Nothing else may draw it again.
            context.request_repaint_after(Duration::from_secs_f64(secs - elapsed + 0.05));
        } else {
            let told = format!(
                "{{\"idle_secs\":{elapsed:.1},\"core_percent\":{:.2},\"frames\":{},\"resident_mib\":{:.1},\"resident_own_mib\":{:.1},\"workers_resident_mib\":{:.1}}}",
                100.0 * (cpu_secs("self") - cpu) / elapsed,
                self.frames,
                status_mib("self", "VmRSS:"),
                status_mib("self", "RssAnon:"),
                children()
                    .iter()
                    .map(|child| status_mib(child, "VmRSS:"))
                    .sum::<f64>(),
            );
            self.close(context, &told);
        }
    }

    fn training(&mut self, context: &Context) {
        let runs = &self.window.state().runs;
        let Some(run) = runs.runs.first() else {
            return;
        };
        let steps = run.steps().0;
        // What moves when a page is opened has come to rest by then.
        let trains = run.is_on() && steps >= FIRST_STEP;
        match (self.since, trains) {
            (None, true) => {
                self.since = Some((Instant::now(), cpu_secs("self")));
                self.frames = 0;
                self.events = steps;
                self.worker = busiest();
            }
            (Some((since, cpu)), true) if steps >= self.events + MEASURED_STEPS => {
                let (elapsed, own) = (since.elapsed().as_secs_f64(), cpu_secs("self") - cpu);
                let worker = busiest() - self.worker;
                let told = format!(
                    "{{\"training_secs\":{elapsed:.1},\"steps_per_second\":{:.1},\"frames_per_second\":{:.1},\"window_cpu_secs\":{own:.2},\"worker_cpu_secs\":{worker:.2},\"window_percent_of_worker\":{:.2}}}",
                    (steps - self.events) as f64 / elapsed,
                    self.frames as f64 / elapsed,
                    100.0 * own / worker,
                );
                self.close(context, &told);
            }
            _ => {}
        }
    }
}

impl eframe::App for Measured {
    fn logic(&mut self, context: &Context, _frame: &mut eframe::Frame) {
        let closing = context.input(|input| input.viewport().close_requested());
        if !closing {
            self.window.logic(context);
            match self.part {
                Part::FirstFrame => self.first_frame(context),
                Part::Idle(secs) => self.idle(context, secs),
                Part::Training => self.training(context),
            }
        }
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        self.window.ui(ui);
        self.frames += 1;
    }
}

/// Processor time of a process so far.
fn cpu_secs(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name in parentheses may hold anything.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<f64> = { fields.split_whitespace() }
        .filter_map(|field| field.parse().ok())
        .collect();
    // The state, a letter, is left out: utime and stime are the 11th and 12th numbers.
    fields
        .get(10)
        .zip(fields.get(11))
        .map_or(0.0, |(user, system)| (user + system) / TICKS_PER_SECOND)
}

/// Processor time of the worker that computes most.
fn busiest() -> f64 {
    children()
        .iter()
        .map(|child| cpu_secs(child))
        .fold(0.0, f64::max)
}

/// Processes that this one started.
fn children() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    { tasks.flatten() }
        .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|children| {
            children
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect()
}

fn status_mib(process: &str, name: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    { status.lines() }
        .find_map(|line| {
            line.strip_prefix(name)?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .map_or(0.0, |kib: f64| kib / 1024.0)
}
