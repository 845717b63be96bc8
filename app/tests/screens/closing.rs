//! Closing the window while a run is on.

use egui::{ViewportCommand, ViewportId};
use egui_kittest::kittest::Queryable;
use stepladder::state::closing::Closing;
use stepladder::state::{Desk, Effect, News};
use stepladder_protocol::{Command, Event, RunConfig};

use crate::runs::{FINISHED, Page_, event, page_of, play, recorded, shows, training_in};
use crate::support::asked;

/// A window whose run is on.
fn training() -> Page_ {
    let mut page = page_of(vec![RunConfig::default()]);
    let running = { recorded(FINISHED, "run/1").into_iter() }.take(20);
    play(
        &mut page,
        [training_in("run/1", "first")].into_iter().chain(running),
    );
    asked(&mut page);
    page
}

/// The same, asked to close.
fn asking() -> Page_ {
    let mut page = training();
    play(&mut page, [News::CloseAsked]);
    // A dialog takes its measure for a frame before it is shown.
    page.step();
    page
}

/// Draws some frames; what the system's window was told in them.
fn told(page: &mut Page_) -> Vec<ViewportCommand> {
    let mut commands = Vec::new();
    for _ in 0..4 {
        page.step();
        let outputs = &page.output().viewport_output;
        commands.extend(outputs[&ViewportId::ROOT].commands.clone());
    }
    commands
}

fn press(page: &mut Page_, label: &str) -> Vec<ViewportCommand> {
    page.get_by_label(label).click();
    told(page)
}

#[test]
fn without_a_run_it_closes_at_once() {
    let mut page = page_of(Vec::new());
    page.step();
    page.state_mut().outside().news.push_back(News::CloseAsked);
    assert!(told(&mut page).contains(&ViewportCommand::Close));
    assert!(!shows(&page, "A run is still training"));
}

#[test]
fn a_run_makes_it_ask() {
    let mut page = training();
    page.state_mut().outside().news.push_back(News::CloseAsked);
    assert!(!told(&mut page).contains(&ViewportCommand::Close));
    page.get_by_label("A run is still training");
    for answer in ["Pause and close", "Keep running", "Cancel"] {
        page.get_by_label(answer);
    }
}

#[test]
fn cancel_leaves_everything_as_it_is() {
    let mut page = asking();
    let told = press(&mut page, "Cancel");
    assert!(!told.contains(&ViewportCommand::Close), "{told:?}");
    assert!(!told.contains(&ViewportCommand::Minimized(true)));
    assert!(!shows(&page, "A run is still training"));
    assert!(page.state().state().runs.is_training());
    assert_eq!(stops(&mut page), 0);
}

#[test]
fn keep_running_minimizes() {
    let mut page = asking();
    let told = press(&mut page, "Keep running");
    assert!(told.contains(&ViewportCommand::Minimized(true)), "{told:?}");
    assert!(!told.contains(&ViewportCommand::Close));
    assert!(!shows(&page, "A run is still training"));
    assert!(page.state().state().runs.is_training());
    assert_eq!(stops(&mut page), 0);
}

#[test]
fn pause_and_close_waits_until_the_run_is_saved() {
    let mut page = asking();
    let told_then = press(&mut page, "Pause and close");
    assert!(!told_then.contains(&ViewportCommand::Close));
    assert_eq!(stops(&mut page), 1);
    assert_eq!(page.state().state().closing, Closing::WhenSaved);
    assert!(shows(&page, "Saving the run…"));
    assert!(page.query_by_label("Keep running").is_none());
    let stopped = Event::Stopped { run: None, step: 7 };
    page.state_mut()
        .outside()
        .news
        .push_back(event("run/1", stopped));
    assert!(told(&mut page).contains(&ViewportCommand::Close));
}

#[test]
fn a_run_that_ends_while_it_asks_answers_the_question() {
    let mut page = asking();
    play(
        &mut page,
        { recorded(FINISHED, "run/1") }.into_iter().skip(20),
    );
    page.step();
    assert!(!page.state().state().runs.is_training());
    assert!(!shows(&page, "A run is still training"));
    assert!(!told(&mut page).contains(&ViewportCommand::Close));
}

/// Runs that were asked to stop since the last time.
fn stops(page: &mut Page_) -> usize {
    let asked = asked(page);
    { asked.iter() }
        .filter(|effect| match effect {
            Effect::Send(Desk::Training, command) => matches!(**command, Command::Stop(_)),
            _ => false,
        })
        .count()
}
