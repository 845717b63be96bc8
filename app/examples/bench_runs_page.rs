//! What a frame of the Runs page costs while a run goes on: logic, drawing and tessellation, without a
//! display. A run with many steps behind it takes a step with each frame.
//!
//! ```text
//! cargo run --release -p stepladder --example bench_runs_page -- [STEPS] [FRAMES]
//! ```

#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use std::time::Instant;

use egui::{Context, RawInput, Rect, pos2, vec2};
use mimalloc::MiMalloc;
use stepladder::outside::Replay;
use stepladder::state::settings::Settings;
use stepladder::state::{Desk, News, Page, State};
use stepladder::window::Window;
use stepladder_protocol::{EvaluationRow, Event, JobId, Phase, RunConfig, RunStarted, StepRow};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let steps: usize = arguments.next().map_or(Ok(10_000), |steps| steps.parse())?;
    let frames: usize = arguments.next().map_or(Ok(1000), |frames| frames.parse())?;
    let mut state = State::new(Settings::default(), 0.0);
    state.runs.start(RunConfig::default(), &mut Vec::new());
    state.page = Page::Runs;
    let hear = |state: &mut State, event| state.hear(news(event));
    let phase = Phase::Training;
    hear(&mut state, Event::Phase { phase });
    hear(&mut state, Event::Started(started(steps + frames)));
    for number in 1..=steps {
        hear(&mut state, Event::Step(step(number)));
        if number % (steps / 10).max(1) == 0 {
            hear(&mut state, Event::Evaluation(evaluation(number)));
        }
    }
    let context = Context::default();
    context.enable_accesskit();
    let mut window = Window::new(&context, state, Replay::default());
    let mut times = Vec::new();
    for frame in 0..frames {
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(pos2(0.0, 0.0), vec2(1280.0, 860.0))),
            time: Some(frame as f64 * 0.02),
            ..RawInput::default()
        };
        let row = Event::Step(step(steps + frame + 1));
        window.outside().news.push_back(news(row));
        let start = Instant::now();
        window.logic(&context);
        let output = context.run_ui(input, |ui| window.ui(ui));
        let shapes = context.tessellate(output.shapes, output.pixels_per_point);
        times.push(start.elapsed().as_secs_f64() * 1e3);
        drop(shapes);
    }
    // The first frames lay out text and make textures.
    let mut times = times.split_off(10.min(times.len()));
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!(
        "{steps} steps, {} frames: median {:.2} ms, p99 {:.2} ms, longest {:.2} ms",
        times.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
    Ok(())
}

fn news(event: Event) -> News {
    News::Event(Desk::Training, event.of(&JobId::new("run/1")))
}

fn started(total_steps: usize) -> RunStarted {
    RunStarted {
        total_steps,
        first_step: 0,
        training_examples: 570,
        held_out_examples: 30,
        trainable_parameters: 537_280,
        backbone_parameters: 2_707_136,
        device: "CPU, 2 threads".to_owned(),
    }
}

fn noise(step: usize) -> f64 {
    let noise = (step as f64 * 12.9898).sin() * 43_758.547;
    noise - noise.floor()
}

fn step(step: usize) -> StepRow {
    StepRow {
        step,
        loss: Some(3.0 / (step as f64).sqrt() + 0.2 * noise(step)),
        learning_rate: Some(5e-4 / (step as f64).ln_1p()),
        gradient_norm: Some(0.3 + 0.2 * noise(step + 1)),
        tokens_per_second: Some(5000.0 + 300.0 * noise(step + 2)),
        tokens: 898,
        target_tokens: 574,
        elapsed_secs: Some(step as f64 * 0.02),
        remaining_secs: Some(60.0),
        peak_bytes: Some(33_000_000 + (1e6 * noise(step + 3)) as u64),
    }
}

fn evaluation(step: usize) -> EvaluationRow {
    EvaluationRow {
        step,
        loss: Some(2.5 / (step as f64).sqrt()),
        best: true,
    }
}
