//! Runs that a worker of this window is at.

use egui_kittest::kittest::Queryable;
use stepladder::state::closing::Closing;
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

/// The run that was asked of the training worker since the last time.
fn trained(page: &mut Page_) -> Vec<(String, Option<std::path::PathBuf>)> {
    { asked(page).into_iter() }
        .filter_map(|effect| match effect {
            Effect::Train { job, resume, .. } => Some((job.0, resume)),
            _ => None,
        })
        .collect()
}

#[test]
fn runs_wait_for_each_other_and_each_gets_a_worker_of_its_own() {
    let three = vec![
        RunConfig::default(),
        config(Method::Lora),
        config(Method::Qlora),
    ];
    let mut page = page_of(three);
    assert_eq!(trained(&mut page), [("run/1".to_owned(), None)]);
    page.step();
    assert!(shows(&page, "Waiting for 2 runs before it"));
    click(&mut page, "Remove from queue");
    assert_eq!(page.state().state().runs.runs.len(), 2);
    assert_eq!(
        asked(&mut page).len(),
        1,
        "the list is read, no worker asked"
    );

    // The first one's worker dies; the next run knows nothing of it.
    hear(&mut page, event("run/1", died()));
    let effects = asked(&mut page);
    let place = |wanted: &dyn Fn(&Effect) -> bool| effects.iter().position(wanted).unwrap();
    let ended = place(&|effect| *effect == Effect::EndWorker(Desk::Training));
    let next = place(&|effect| matches!(effect, Effect::Train { job, .. } if job.0 == "run/2"));
    assert!(ended < next, "{effects:?}");
    let standings = { page.state().state().runs.runs.iter() }
        .map(|run| (run.config.method, run.standing()))
        .collect::<Vec<_>>();
    assert_eq!(
        standings,
        [
            (Method::Lora, Standing::Queued),
            (Method::Ladder, Standing::Interrupted)
        ]
    );
}

#[test]
fn a_run_that_was_sent_and_says_nothing_yet_is_stopped_by_its_worker() {
    let mut page = page_of(vec![RunConfig::default()]);
    asked(&mut page);
    click(&mut page, "Remove from queue");
    let stops = sent(&mut page, Desk::Training);
    assert!(matches!(&stops[..], [Command::Stop(job)] if job.job.0 == "run/1"));
    let stopped = Event::Stopped { run: None, step: 0 };
    hear(&mut page, event("run/1", stopped));
    assert!(page.state().state().runs.runs.is_empty());
}

#[test]
fn a_worker_that_takes_too_long_to_save_can_be_ended() {
    let mut page = running_to(9);
    click(&mut page, "Pause");
    asked(&mut page);
    click(&mut page, "End now");
    assert!(asked(&mut page).contains(&Effect::KillWorker(Desk::Training)));
    hear(&mut page, event("run/1", died()));
    assert_eq!(standing(&page), Standing::Interrupted);
    assert!(shows(&page, "it was ended before it was saved"));
    assert!(!shows(&page, "SIGKILL"));
    page.get_by_label("Resume");
}

#[test]
fn a_run_of_which_nothing_is_on_disk_can_only_leave_the_list() {
    let mut page = page_of(vec![RunConfig::default()]);
    play(&mut page, [training_in("run/1", "first")]);
    let gone = ErrorReport::new("model_folder_missing", "there is no model", "");
    play(
        &mut page,
        [event("run/1", Event::Failed(gone)), listed(Vec::new())],
    );
    for button in ["Show in folder", "Rename", "Delete"] {
        assert!(page.query_by_label(button).is_none(), "{button}");
    }
    click(&mut page, "Remove from list");
    assert!(page.state().state().runs.runs.is_empty());
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

    // Before a checkpoint it starts over, in its own folder.
    let mut page = running_to(1);
    page.state_mut()
        .outside()
        .news
        .push_back(event("run/1", died()));
    page.step();
    page.get_by_label("Resume");
    assert!(page.query_by_label("Retry").is_none());

    // While it was loaded, there may be no folder.
    let mut page = page_of(vec![RunConfig::default()]);
    play(&mut page, [training_in("run/1", "first")]);
    play(&mut page, [event("run/1", died())]);
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
    // What was copied is said for a moment.
    assert!(!page.state().state().has_just_copied());
    click(&mut page, "Copy log");
    assert!(page.state().state().has_just_copied());
    click(&mut page, "Show: Details");
    assert!(shows(&page, "Batch size"));
    assert!(shows(&page, "Optimizer"));
}

#[test]
fn closing_pauses_the_run_and_keeps_those_that_wait() {
    let mut page = page_of(vec![RunConfig::default(), config(Method::Lora)]);
    let running = { recorded(FINISHED, "run/1").into_iter() }.take(20);
    play(&mut page, running);
    play(&mut page, [News::CloseAsked]);
    asked(&mut page);
    click(&mut page, "Pause and close");
    let effects = asked(&mut page);
    let kept = { effects.iter() }.find_map(|effect| match effect {
        Effect::Disk(DiskRequest::SetAside { configs, .. }) => Some(configs),
        _ => None,
    });
    assert_eq!(kept, Some(&vec![config(Method::Lora)]));
    let is_stop = |effect: &&Effect| match effect {
        Effect::Send(Desk::Training, command) => {
            matches!(&**command, Command::Stop(job) if job.job.0 == "run/1")
        }
        _ => false,
    };
    assert_eq!(effects.iter().filter(is_stop).count(), 1);
    assert!(
        !effects
            .iter()
            .any(|effect| matches!(effect, Effect::Train { .. }))
    );
    let stopped = Event::Stopped {
        run: Some("/runs/first".to_owned()),
        step: 9,
    };
    // The window is closed as soon as it is saved.
    assert_eq!(page.state().state().closing, Closing::WhenSaved);
    page.state_mut()
        .outside()
        .news
        .push_back(event("run/1", stopped));
    page.step();
    assert!(!page.state().state().runs.is_training());
    assert!(
        !asked(&mut page)
            .iter()
            .any(|effect| matches!(effect, Effect::Train { .. }))
    );
}

#[test]
fn a_window_stays_open_where_the_run_could_not_be_saved() {
    let mut page = running_to(9);
    play(&mut page, [News::CloseAsked]);
    click(&mut page, "Pause and close");
    let full = ErrorReport::new("io", "cannot write: no space left on device", "");
    hear(&mut page, event("run/1", Event::Failed(full)));
    assert_eq!(page.state().state().closing, Closing::No);
    assert!(shows(&page, "no space left on device"));
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
