//! A comparison while it goes on: progress, figures that grow, and every way it can end.

use super::*;
use egui_kittest::kittest::Queryable;
use stepladder::state::Action;
use stepladder::state::setup::SetupAction;
use stepladder_protocol::{Command, DeviceInfo, DeviceReport, ErrorReport, JobRef};

/// A run begins to train on the only device there is.
pub fn train(window: &mut Window, device: &str) {
    let report = DeviceReport {
        devices: vec![DeviceInfo {
            id: device.to_owned(),
            name: "a device".to_owned(),
            cores: None,
            threads: 2,
            memory_total_bytes: 12 << 30,
            memory_free_bytes: 10 << 30,
            card: None,
        }],
        notices: Vec::new(),
    };
    let event = Event::Finished(Finished::Devices(report));
    hear(
        window,
        News::Event(Desk::Looking, event.of(&JobId::new("device"))),
    );
    window.state_mut().act(Action::Setup(SetupAction::Start));
    window.state_mut().act(Action::Go(Page::Compare));
    window.run_steps(3);
}

#[test]
fn figures_grow_with_the_answers() {
    let mut window = page();
    begin(&mut window);
    assert!(shows(&window, "Preparing"));
    asked(&mut window);
    tell(&mut window, started(200, 0));
    let remembered = disk(&mut window);
    assert!(
        matches!(&remembered[0], CompareRequest::Remember { folder, .. } if *folder == out()),
        "{remembered:?}"
    );
    assert!(shows(&window, "No answers yet"));
    tell_all(&mut window, answers(1..=8));
    tell(&mut window, comparing(8, 200));
    assert!(shows(&window, "base: 8 of 200"));
    assert!(shows(&window, "1,204 tokens/s"));
    assert!(shows(&window, "1:40 left"));
    assert!(shows(&window, "3 questions are left out"));
    let accuracy = |window: &Window| {
        let found = window.state().state().compare.at_work.as_ref().unwrap();
        (found.figures[0].right, found.figures[0].answered)
    };
    let (right, answered) = accuracy(&window);
    assert!(shows(&window, &format!("{right} of 8")));
    tell_all(&mut window, answers(9..=40));
    assert!(accuracy(&window).1 > answered);
    assert!(shows(&window, "over the"), "a sentence");
    assert!(shows(&window, "Of the answers so far"));
}

#[test]
fn canceling_keeps_the_answers_and_continuing_asks_in_the_same_folder() {
    let mut window = page();
    begin(&mut window);
    tell(&mut window, started(200, 0));
    tell_all(&mut window, answers(1..=24));
    let (first, _) = begun(&mut window).expect("a comparison");
    click(&mut window, "Cancel");
    let stop = Command::Stop(JobRef {
        job: first.job.clone(),
    });
    assert!(asked(&mut window).contains(&Effect::Send(Desk::Comparing, Box::new(stop))));
    assert!(shows(&window, "Stopping…"));
    let run = Some(out().display().to_string());
    tell(&mut window, Event::Stopped { run, step: 72 });
    assert!(shows(&window, "The answers so far are kept."));
    assert!(asked(&mut window).contains(&Effect::EndWorker(Desk::Comparing)));
    assert!(
        window.query_by_label("CSV…").is_none(),
        "there is no such file yet"
    );
    click(&mut window, "Continue");
    let (command, go_on) = begun(&mut window).expect("it goes on");
    assert_eq!(go_on, Some(out()));
    assert_ne!(command.job, first.job);
    assert_eq!(command.adapters, first.adapters);
    // What the old job still says is old.
    let late = News::Event(Desk::Comparing, comparing(200, 200).of(&first.job));
    hear(&mut window, late);
    assert!(!shows(&window, "200 of 200"));
    tell(&mut window, started(200, 72));
    assert!(shows(&window, "72 answers are from before."));
}

#[test]
fn a_failure_is_told_and_nothing_is_lost() {
    for (code, hint) in [
        ("worker_died", "If memory ran out"),
        ("adapter_for_another_base", "leave the run out"),
        ("dataset_empty", "Choose other questions"),
    ] {
        let mut window = page();
        begin(&mut window);
        tell(&mut window, started(200, 0));
        tell_all(&mut window, answers(1..=8));
        let problem = ErrorReport::new(code, "it broke\u{202e} here", "with --data");
        tell(&mut window, Event::Failed(problem));
        assert!(shows(&window, "it broke"), "{code}");
        assert!(!shows(&window, "\u{202e}"), "{code}");
        assert!(shows(&window, hint), "{code}");
        assert!(shows(&window, " of 8"), "{code}");
        asked(&mut window);
        click(&mut window, "Continue");
        assert_eq!(begun(&mut window).expect("it goes on").1, Some(out()));
    }
}

#[test]
fn what_is_refused_can_be_set_up_again() {
    let mut window = page();
    begin(&mut window);
    let problem = ErrorReport::new("dataset_empty", "holds no questions", "name another");
    tell(&mut window, Event::Failed(problem));
    assert!(shows(&window, "holds no questions"));
    click(&mut window, "New comparison");
    assert!(
        shows(&window, "Compare: 3 variants, 200 questions"),
        "as it was"
    );
}

#[test]
fn a_run_that_needs_the_card_stops_the_comparison_which_keeps_its_answers() {
    let mut window = page();
    begin(&mut window);
    tell(&mut window, started(200, 0));
    tell_all(&mut window, answers(1..=8));
    asked(&mut window);
    train(&mut window, "cuda:0");
    let sent = asked(&mut window);
    let stops = |effect: &Effect| matches!(effect, Effect::Send(Desk::Comparing, command) if matches!(**command, Command::Stop(_)));
    assert!(sent.iter().any(stops), "{sent:?}");
    tell(
        &mut window,
        Event::Stopped {
            run: None,
            step: 24,
        },
    );
    assert!(shows(
        &window,
        "Stopped for a run that needs the device's memory."
    ));
    assert!(window.query_by_label("Continue").is_none(), "not now");
}

#[test]
fn on_the_processor_both_go_on() {
    let mut window = page();
    train(&mut window, "cpu");
    assert!(shows(&window, "both slower"));
    begin(&mut window);
    assert!(begun(&mut window).is_some());
}

#[test]
fn another_waits_until_the_first_is_done() {
    let mut window = page();
    begin(&mut window);
    tell(&mut window, started(200, 0));
    click(&mut window, "New comparison");
    let button = window.get_by_label("Another comparison is under way");
    assert!(button.accesskit_node().is_disabled());
    entries(&mut window);
    window
        .get_by_label_contains("2026-11-24T11-20-31, Answering")
        .click();
    window.run_steps(3);
    assert!(
        disk(&mut window)
            .iter()
            .all(|asked| !matches!(asked, CompareRequest::Read(_)))
    );
    assert!(
        shows(&window, "No answers yet"),
        "the one that is under way"
    );
}
