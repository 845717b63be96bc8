//! A few pictures of the window, compared pixel by pixel with those that were looked at and found good.
//! Whoever changes them looks at the new ones and keeps them: `UPDATE_SNAPSHOTS=1 cargo test`.

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use stepladder::state::settings::{Settings, ThemeChoice};
use stepladder_protocol::{Method, RunState};

use crate::chat::looks::beside;
use crate::chat::{SMALL, loaded};
use crate::fine_tune::recorded::start;
use crate::runs::answers::{answers, rows};
use crate::runs::{figures, folder, listed, play, stored};
use crate::support::{NOW, TestWindow, drawn, window_of};

type Window = Harness<'static, TestWindow>;

fn open(theme: ThemeChoice) -> Window {
    open_at(theme, 700.0)
}

fn open_at(theme: ThemeChoice, height: f32) -> Window {
    let settings = Settings {
        theme,
        runs_folder: Some(folder()),
        ..Settings::default()
    };
    window_of(settings, egui::vec2(1024.0, height))
}

fn open_page(window: &mut Window, page: &str) {
    // Ages of runs are told.
    window.state_mut().outside().always_at = Some(NOW);
    window.step();
    window
        .get_by_role_and_label(egui::accesskit::Role::Tab, page)
        .click();
    window.run_steps(3);
}

fn compare(window: &mut Window, name: &str) {
    // The pointer rests nowhere, and what moves has come to its place.
    window.event(egui::Event::PointerGone);
    window.run_steps(12);
    if let Some(image) = drawn(window) {
        egui_kittest::image_snapshot(&image, name);
    }
}

#[test]
fn the_page_as_it_opens() {
    for (theme, name) in [
        (ThemeChoice::Light, "fine-tune-light"),
        (ThemeChoice::Dark, "fine-tune-dark"),
    ] {
        let mut window = open(theme);
        start(&mut window);
        compare(&mut window, name);
    }
}

#[test]
fn a_finished_run() {
    let mut window = open(ThemeChoice::Dark);
    open_page(&mut window, "Runs");
    let runs = ["ladder", "qlora", "xladder"].map(|name| stored(name, RunState::Finished));
    play(&mut window, [listed(runs.to_vec())]);
    play(&mut window, [figures(&folder().join("ladder"), 2.0, 100)]);
    compare(&mut window, "run-dark");
}

#[test]
fn answers_to_held_out_prompts() {
    for (theme, name) in [
        (ThemeChoice::Light, "answers-light"),
        (ThemeChoice::Dark, "answers-dark"),
    ] {
        let mut window = open_at(theme, 1240.0);
        open_page(&mut window, "Runs");
        let run = folder().join("ladder");
        let finished = stored("ladder", RunState::Finished);
        play(&mut window, [listed(vec![finished])]);
        play(&mut window, [figures(&run, 2.0, 30)]);
        window.get_by_label("Show: Answers").click();
        window.run_steps(3);
        play(&mut window, [answers(&run, rows())]);
        let thought = "Reasoning · 40 tokens, Answer at step 30, Prompt 1";
        window.get_by_label(thought).click();
        window.run_steps(2);
        compare(&mut window, name);
    }
}

#[test]
fn runs_over_each_other() {
    let mut window = open(ThemeChoice::Light);
    open_page(&mut window, "Runs");
    let mut other = stored("lora", RunState::Interrupted);
    other.config.method = Method::Lora;
    let one = stored("ladder", RunState::Finished);
    play(&mut window, [listed(vec![one, other])]);
    for name in ["ladder", "lora"] {
        window.get_by_label(&format!("Compare {name}")).click();
        window.run_steps(2);
    }
    let figures = [("ladder", 2.0), ("lora", 1.5)]
        .map(|(name, from)| figures(&folder().join(name), from, 100));
    play(&mut window, figures);
    compare(&mut window, "comparison-light");
}

#[test]
fn the_settings() {
    let mut window = open(ThemeChoice::Light);
    open_page(&mut window, "Settings");
    compare(&mut window, "settings-light");
}

#[test]
fn a_comparison_that_is_done() {
    for (theme, name) in [
        (ThemeChoice::Light, "compare-light"),
        (ThemeChoice::Dark, "compare-dark"),
    ] {
        let mut window = crate::compare::done(theme, egui::vec2(1024.0, 1000.0));
        if theme == ThemeChoice::Dark {
            crate::compare::click(&mut window, "Show: Questions");
        }
        compare(&mut window, name);
    }
}

#[test]
fn replies_beside_each_other() {
    for (theme, name) in [
        (ThemeChoice::Light, "chat-light"),
        (ThemeChoice::Dark, "chat-dark"),
    ] {
        let mut window = loaded(theme, SMALL);
        beside(&mut window);
        compare(&mut window, name);
    }
}
