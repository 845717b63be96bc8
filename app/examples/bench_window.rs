//! What a frame of the Runs page costs while a run sends 50 events a second: logic, drawing and
//! tessellation, without a screen. Prints one JSON object.

#![allow(clippy::print_stdout, reason = "its output is its purpose")]

use std::time::{Duration, Instant};

use egui::{Context, RawInput, Rect, pos2, vec2};
use stepladder::outside::Replay;
use stepladder::state::settings::Settings;
use stepladder::state::{Action, Desk, Effect, News, Page, State};
use stepladder::window::Window;
use stepladder_protocol::{
    EvaluationRow, Event, JobId, Phase, RunConfig, RunMemory, RunStarted, StepRow,
};

const FRAMES: usize = 3000;
const STEPS: usize = 10_000;

fn main() {
    let context = Context::default();
    let mut state = State::new(Settings::default(), 1.0e9);
    state.runs.start(RunConfig::default(), &mut Vec::new());
    state.act(Action::Go(Page::Runs));
    let mut window = Window::new(&context, state, Replay::default());
    let job = JobId::new("run/1");
    let tell = |window: &mut Window<Replay>, event: Event| {
        let news = News::Event(Desk::Training, event.of(&job));
        window.outside().news.push_back(news);
    };
    window
        .outside()
        .news
        .push_back(News::TrainingIn(job.clone(), "/runs/one".into()));
    tell(
        &mut window,
        Event::Phase {
            phase: Phase::Training,
        },
    );
    tell(&mut window, Event::Started(started()));
    tell(&mut window, Event::Memory(memory()));
    // A run that has come far, so that its curves are as long as they get.
    for step in 1..=STEPS {
        tell(&mut window, Event::Step(row(step)));
        if step.is_multiple_of(100) {
            tell(&mut window, Event::Evaluation(evaluation(step)));
        }
    }
    for _ in 0..5 {
        frame(&context, &mut window, 0.0);
    }
    let mut costs = Vec::with_capacity(FRAMES);
    for number in 0..FRAMES {
        // 60 frames and 50 events a second.
        if number % 6 != 5 {
            tell(&mut window, Event::Step(row(STEPS + 1 + number)));
        }
        costs.push(frame(&context, &mut window, number as f64 / 60.0));
    }
    window
        .outside()
        .performed
        .retain(|effect| matches!(effect, Effect::Train { .. }));
    costs.sort();
    let at = |share: f64| costs[((costs.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "{{\"frames\":{FRAMES},\"median_ms\":{:.3},\"p99_ms\":{:.3},\"worst_ms\":{:.3}}}",
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

fn frame(context: &Context, window: &mut Window<Replay>, time: f64) -> Duration {
    let input = RawInput {
        screen_rect: Some(Rect::from_min_size(pos2(0.0, 0.0), vec2(1280.0, 860.0))),
        time: Some(time),
        ..RawInput::default()
    };
    let began = Instant::now();
    let output = context.run_ui(input, |ui| {
        window.logic(ui.ctx());
        window.ui(ui);
    });
    let shapes = context.tessellate(output.shapes, output.pixels_per_point);
    let cost = began.elapsed();
    drop(shapes);
    cost
}

fn started() -> RunStarted {
    RunStarted {
        total_steps: STEPS * 2,
        first_step: 0,
        training_examples: 100_000,
        held_out_examples: 1_000,
        trainable_parameters: 537_280,
        backbone_parameters: 2_707_136,
        device: "CPU, 2 threads".to_owned(),
    }
}

fn memory() -> RunMemory {
    RunMemory {
        estimated_peak_bytes: 34 << 20,
        estimated: Default::default(),
        peak_moment: "backward".to_owned(),
        measured_peak_bytes: Some(34 << 20),
        measured: None,
        program_bytes: 8 << 20,
        available_bytes: Some(16 << 30),
    }
}

fn row(step: usize) -> StepRow {
    // Noise that is the same each time.
    let noise = ((step * 2_654_435_761) % 1000) as f64 / 1000.0;
    StepRow {
        step,
        loss: Some(2.0 / (1.0 + step as f64 / 500.0) + 0.2 * noise),
        learning_rate: Some(5.0e-4),
        gradient_norm: Some(0.5 + noise),
        tokens_per_second: Some(5_000.0 + 500.0 * noise),
        tokens: 4_096,
        target_tokens: 2_048,
        elapsed_secs: Some(step as f64 * 0.8),
        remaining_secs: Some(600.0),
        peak_bytes: Some((33 << 20) + (noise * 1e6) as u64),
    }
}

fn evaluation(step: usize) -> EvaluationRow {
    EvaluationRow {
        step,
        loss: Some(2.1 / (1.0 + step as f64 / 500.0)),
        best: true,
    }
}
