//! Runs that a worker of this window is at.

use egui_kittest::kittest::Queryable;
use stepladder::state::runs::run::Standing;
use stepladder::state::runs::stored::DiskRequest;
use stepladder::state::{Desk, Effect, News};
use stepladder_protocol::{Command, ErrorReport, Event, Method, RunConfig};

use super::*;
use crate::support::asked;

/// Commands that were sent to this worker since the last time.
fn sent(page: &mut Page_, to: Desk) -> Vec<Command> {
    { asked(page).into_iter() }
        .filter_map(|effect| match effect {
            Effect::Send(desk, command) if desk == to => Some(*command),
            _ => None,
        })
        .collect()
}

/// A page whose only run was heard of up to this step.
fn running_to(step: usize) -> Page_ {
    let mut page = page_of(vec![RunConfig::default()]);
    let mut news = vec![training_in("run/1", "first")];
    for line in recorded(FINISHED, "run/1") {
        let last = is_step(&line, step);
        news.push(line);
        if last {
            break;
        }
    }
    play(&mut page, news);
    page
}

fn died() -> Event {
    Event::Failed(ErrorReport::new(
        "worker_died",
        "the worker ended unexpectedly (signal: 9 (SIGKILL))",
        "if memory ran out, lower --batch-size or --context",
    ))
}

fn standing(page: &Page_) -> Standing {
    page.state().state().runs.chosen().unwrap().standing()
}

#[test]
fn before_the_first_step_the_stage_is_shown() {
    let mut page = page_of(vec![RunConfig::default()]);
    let news = recorded(FINISHED, "run/1");
    play(&mut page, news.into_iter().take(3));
    assert!(shows(&page, "Preparing"));
    assert!(shows(&page, "Reading the dataset"));
    assert!(shows(&page, "No steps yet"));
    assert_eq!(standing(&page), Standing::Starting);
}

#[test]
fn a_running_run_tells_its_figures_and_its_curves() {
    let page = running_to(9);
    assert!(shows(&page, "Running"));
    assert!(shows(&page, "9 / 24"));
    assert!(shows(&page, "38 %"));
    // What a screen reader says of the plots.
    let loss = page.get_by_label_contains("Loss: 0.0");
    let label = label(&loss);
    assert!(label.contains("at step 9 of 24, lowest 0.0"), "{label}");
    assert!(label.contains("Held-out loss: 0.0"), "{label}");
    page.get_by_label_contains("Learning rate: ");
    page.get_by_label_contains("Gradient norm: 0.0");
    page.get_by_label_contains("Tokens per second: ");
}

#[test]
fn pausing_stops_the_run_frees_the_device_and_offers_to_resume() {
    let mut page = running_to(9);
    asked(&mut page);
    click(&mut page, "Pause");
    let stops = sent(&mut page, Desk::Training);
    assert!(
        matches!(&stops[..], [Command::Stop(job)] if job.job.0 == "run/1"),
        "{stops:?}"
    );
    assert_eq!(standing(&page), Standing::Pausing);
    assert!(page.query_by_label("Pause").is_none(), "it is asked once");

    let stopped = Event::Stopped {
        run: Some("/runs/first".to_owned()),
        step: 9,
    };
    hear(&mut page, event("run/1", stopped));
    assert!(asked(&mut page).contains(&Effect::EndWorker(Desk::Training)));
    assert!(!page.state().state().runs.is_training());
    click(&mut page, "Resume");
    let resumed = { asked(&mut page).into_iter() }.find_map(|effect| match effect {
        Effect::Train { job, resume, .. } => Some((job, resume)),
        _ => None,
    });
    assert_eq!(
        resumed,
        Some((JobId::new("run/2"), Some(folder().join("first"))))
    );
    assert_eq!(standing(&page), Standing::Queued);
}

#[test]
fn stop_and_keep_is_its_own_command() {
    let mut page = running_to(9);
    asked(&mut page);
    click(&mut page, "Stop and keep");
    let commands = sent(&mut page, Desk::Training);
    assert!(matches!(&commands[..], [Command::Keep(job)] if job.job.0 == "run/1"));
    assert_eq!(standing(&page), Standing::Keeping);
    let problem = ErrorReport::new("unknown", "the worker is too old for this", "");
    hear(&mut page, event("run/1", Event::Rejected(problem)));
    assert_eq!(standing(&page), Standing::Running, "a refusal ends nothing");
}

#[test]
fn a_paused_run_is_paused_to_its_recorded_end() {
    let mut page = page_of(vec![config(Method::Lora)]);
    let news = recorded(PAUSED, "run/1");
    play(
        &mut page,
        [training_in("run/1", "second")].into_iter().chain(news),
    );
    assert_eq!(standing(&page), Standing::Paused);
    assert!(shows(&page, "This run is paused"));
    page.get_by_label("Resume");
    assert!(page.query_by_label("Pause").is_none());
}

#[test]
fn a_run_that_waits_can_be_taken_back() {
    let mut page = page_of(vec![RunConfig::default(), config(Method::Lora)]);
    play(&mut page, [event("run/1", Event::Queued { ahead: 0 })]);
    play(&mut page, [event("run/2", Event::Queued { ahead: 1 })]);
    assert!(shows(&page, "Waiting for 1 run before it"));
    asked(&mut page);
    click(&mut page, "Remove from queue");
    let stops = sent(&mut page, Desk::Training);
    assert!(
        matches!(&stops[..], [Command::Stop(job)] if job.job.0 == "run/2"),
        "{stops:?}"
    );
    hear(
        &mut page,
        event("run/2", Event::Stopped { run: None, step: 0 }),
    );
    assert_eq!(page.state().state().runs.runs.len(), 1);
    let ended = asked(&mut page).contains(&Effect::EndWorker(Desk::Training));
    assert!(!ended, "the other one goes on");
}

#[test]
fn a_failed_run_says_why_and_can_be_tried_again() {
    let mut page = page_of(vec![RunConfig::default()]);
    play(&mut page, recorded(FAILED, "run/1"));
    assert_eq!(standing(&page), Standing::Failed);
    assert!(shows(&page, "there is no model /home/user/models/gone"));
    assert!(shows(&page, "Choose a folder with a config.json"));
    asked(&mut page);
    click(&mut page, "Retry");
    let again = asked(&mut page);
    let anew = |effect: &Effect| matches!(effect, Effect::Train { resume: None, .. });
    assert!(again.iter().any(anew), "{again:?}");
}

#[test]
fn a_worker_that_dies_is_told_at_once_with_the_way_on() {
    let mut page = running_to(9);
    page.state_mut()
        .outside()
        .news
        .push_back(event("run/1", died()));
    page.step();
    assert_eq!(standing(&page), Standing::Interrupted);
    assert!(shows(&page, "SIGKILL"));
    page.get_by_label("Resume");
    assert!(page.query_by_label("Retry").is_none());

    // Before a checkpoint there is nothing to go on from.
    let mut page = running_to(1);
    page.state_mut()
        .outside()
        .news
        .push_back(event("run/1", died()));
    page.step();
    page.get_by_label("Retry");
    assert!(page.query_by_label("Resume").is_none());
}

#[test]
fn a_finished_run_is_read_again_and_can_be_exported() {
    let mut page = page_of(vec![RunConfig::default()]);
    let news = recorded(FINISHED, "run/1");
    play(
        &mut page,
        [training_in("run/1", "first")].into_iter().chain(news),
    );
    assert_eq!(standing(&page), Standing::Finished);
    assert!(shows(&page, "24 / 24"));
    page.get_by_label("Export…");
    let asked = asked(&mut page);
    let run = folder().join("first");
    let reads = Effect::Disk(DiskRequest::ReadFigures { run, from: 0 });
    assert!(asked.contains(&reads), "events leave steps out");
    assert!(asked.contains(&Effect::EndWorker(Desk::Training)));
    assert!(shows(&page, "Loss: "), "its curves stay until then");
}

#[test]
fn the_log_tells_what_happened() {
    let mut page = running_to(9);
    click(&mut page, "Show: Log");
    assert!(shows(&page, "Loading the model"));
    assert!(shows(&page, "held-out loss"));
    click(&mut page, "Show: Details");
    assert!(shows(&page, "Batch size"));
    assert!(shows(&page, "Optimizer"));
}

#[test]
fn runs_are_paused_together_waiting_ones_first() {
    let mut page = page_of(vec![RunConfig::default(), config(Method::Lora)]);
    let running = { recorded(FINISHED, "run/1").into_iter() }.take(20);
    play(&mut page, running);
    play(
        &mut page,
        [event("run/2", Event::Queued { ahead: 1 }), News::CloseAsked],
    );
    asked(&mut page);
    click(&mut page, "Pause and close");
    let jobs: Vec<String> = { sent(&mut page, Desk::Training).into_iter() }
        .filter_map(|command| match command {
            Command::Stop(job) => Some(job.job.0),
            _ => None,
        })
        .collect();
    assert_eq!(jobs, ["run/2", "run/1"]);
}

#[test]
fn everything_fits_into_the_smallest_window() {
    let mut page = page_with(vec![RunConfig::default()], egui::vec2(1024.0, 700.0));
    let news = recorded(FINISHED, "run/1");
    play(
        &mut page,
        [training_in("run/1", "first")].into_iter().chain(news),
    );
    for tab in ["Show: Curves", "Show: Log", "Show: Details"] {
        if page.query_by_label(tab).is_some() {
            page.get_by_label(tab).click();
        }
        page.run_steps(3);
        for node in page.get_all_by(|node| node.label().is_some()) {
            let rect = node.rect();
            let inside = rect.left() >= -0.5 && rect.right() <= 1024.5;
            assert!(inside, "{} at {rect:?} in {tab}", label(&node));
        }
    }
}
