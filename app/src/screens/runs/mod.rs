//! The Runs page: the list at the left, and the chosen run, or several over each other, at the right.

mod answers;
mod comparison;
mod curves;
mod details;
mod dialogs;
mod export;
mod head;
mod list;
mod log;

pub use list::row_id;

use egui::{CentralPanel, Frame, Margin, Panel, ScrollArea, Ui};

use super::Actions;
use crate::state::runs::RunsAction;
use crate::state::runs::run::Run;
use crate::state::runs::view::{Tab, ViewAction};
use crate::state::setup::BUILTIN;
use crate::state::{Action, Page, State};
use crate::text::visible;
use crate::theme::{icons, space};
use crate::widgets::{Choice, Tone, banner, button, empty, follow_focus, segmented, sheet};
use crate::words::fine_tune::{BUILTIN_MODEL, SAMPLE_NAME};
use crate::words::runs as words;

const LIST_WIDTH: f32 = 288.0;

/// Draws it.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let runs = &state.runs;
    if let Some(problem) = &runs.problem {
        banner(ui, Tone::Warning, words::FOLDER_FAILED, problem, |ui| {
            if button(ui, icons::REFRESH, words::REREAD).clicked() {
                actions.push(Action::Runs(RunsAction::Reread));
            }
        });
        ui.add_space(space::S);
    }
    if runs.runs.is_empty() && runs.unreadable.is_empty() {
        return nothing(ui, state, actions);
    }
    Panel::left("runs")
        .exact_size(LIST_WIDTH)
        .resizable(false)
        .show_separator_line(false)
        .frame(sheet(ui))
        .show(ui, |ui| list::show(ui, state, actions));
    let right = Frame::NONE.inner_margin(Margin {
        left: space::L as i8,
        ..Margin::ZERO
    });
    CentralPanel::default().frame(right).show(ui, |ui| {
        if runs.view.compares() {
            comparison::show(ui, state, actions);
        } else if let Some(run) = runs.chosen() {
            one(ui, state, run, actions);
        }
    });
    dialogs::show(ui, state, actions);
    export::show(ui, state, actions);
}

fn nothing(ui: &mut Ui, state: &State, actions: &mut Actions) {
    match state.runs.listed {
        false => empty(ui, icons::RUNS, words::READING_LIST, "", |ui| {
            ui.spinner();
        }),
        true => empty(ui, icons::RUNS, words::NONE_TITLE, words::NONE_TEXT, |ui| {
            if button(ui, icons::FINE_TUNE, words::NONE_ACTION).clicked() {
                actions.push(Action::Go(Page::FineTune));
            }
        }),
    }
}

fn one(ui: &mut Ui, state: &State, run: &Run, actions: &mut Actions) {
    ScrollArea::vertical()
        .id_salt(("run", run.key))
        .auto_shrink(false)
        .show(ui, |ui| {
            let bottom = ui.clip_rect().bottom();
            head::show(ui, state, run, actions);
            ui.add_space(space::M);
            let tab = tabs(ui, state.runs.view.tab, actions);
            ui.add_space(space::S);
            match tab {
                Tab::Curves => curves::show(ui, state, run, actions),
                Tab::Answers => answers::show(ui, state, run, actions),
                Tab::Log => log::show(ui, state, run, actions, bottom),
                Tab::Details => details::show(ui, state, run, actions),
            }
            follow_focus(ui);
        });
}

fn tabs(ui: &mut Ui, current: Tab, actions: &mut Actions) -> Tab {
    let choices = [Tab::Curves, Tab::Answers, Tab::Log, Tab::Details]
        .map(|tab| Choice::new(tab, words::tab(tab)));
    if let Some(tab) = segmented(ui, words::SHOW, &current, &choices) {
        actions.push(look(ViewAction::Tab(tab)));
    }
    current
}

fn look(action: ViewAction) -> Action {
    Action::Runs(RunsAction::View(action))
}

/// A run's name as it is shown.
fn name(run: &Run) -> &str {
    match run.name.is_empty() {
        true => words::NEW_RUN,
        false => &run.name,
    }
}

/// Model and data of a run in a line.
fn model_and_data(run: &Run) -> String {
    let last = |path: &str, builtin: &str| match path {
        BUILTIN => builtin.to_owned(),
        path => visible(path.rsplit(['/', '\\']).next().unwrap_or(path)),
    };
    let data: Vec<String> = { run.config.data.iter() }
        .take(3)
        .map(|path| last(path, SAMPLE_NAME))
        .collect();
    let more = run.config.data.len().saturating_sub(3);
    let data = match more {
        0 => data.join(", "),
        more => format!("{} {}", data.join(", "), words::more(more)),
    };
    format!("{} · {data}", last(&run.config.model, BUILTIN_MODEL))
}
