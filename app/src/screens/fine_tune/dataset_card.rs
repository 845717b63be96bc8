//! The dataset: its files, how they are read, and what became of their rows.

use egui::{Align, Layout, Ui};
use stepladder_engine::models::chat_template::NamedTemplate;
use stepladder_protocol::{DataFormat, LossOn, ReadingProgress, Switch, TooLong, Traces};

use super::super::Actions;
use super::super::shortcuts::{Shortcut, hint};
use super::{act, columns, data_files, fields, left_out};
use crate::state::settings::Detail;
use crate::state::setup::SetupAction;
use crate::state::setup::choice::{Choice as Chosen, Switched};
use crate::state::{Action, Picker, State};
use crate::text::excerpt;
use crate::theme::{icons, space};
use crate::widgets::{
    Choice, Hint, Tone, banner, caption, card_with, dropdown, field, link_button, progress,
    quiet_button,
};
use crate::words::fine_tune as words;

/// Draws the card.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let mut asked = None;
    let add = |ui: &mut Ui| {
        if quiet_button(ui, icons::FOLDER_OPEN, words::ADD_FOLDER).clicked() {
            asked = Some(SetupAction::Pick(Picker::DataFolder));
        }
        let help = hint(ui, words::ADD_FILES_HELP, Shortcut::AddFiles);
        let files = quiet_button(ui, icons::ADD, words::ADD_FILES).on_hover_text(help);
        if files.clicked() {
            asked = Some(SetupAction::Pick(Picker::DataFiles));
        }
    };
    card_with(ui, icons::DATASET, words::DATASET, add, |ui| {
        not_taken(ui, state, actions);
        data_files::show(ui, state, actions);
        reading(ui, state, actions);
        problem(ui, state, actions);
        how_it_is_read(ui, state, actions);
        super::mapping::show(ui, state, actions);
        if state.settings.detail == Detail::Advanced {
            wishes(ui, state, actions);
        }
        left_out::show(ui, state);
    });
    actions.extend(asked.map(Action::Setup));
}

fn not_taken(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let not_taken = &state.setup.dataset.not_taken;
    if not_taken.is_empty() {
        return;
    }
    let mut sentences: Vec<String> = not_taken
        .iter()
        .take(4)
        .map(|one| excerpt(one, 200))
        .collect();
    if not_taken.len() > sentences.len() {
        sentences.push(words::more(not_taken.len() - sentences.len()));
    }
    banner(ui, Tone::Warning, &sentences.join(" "), "", |ui| {
        if link_button(ui, words::DISMISS).clicked() {
            act(actions, SetupAction::ForgetNotTaken);
        }
    });
}

fn reading(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let setup = &state.setup;
    if setup.dataset.canceled {
        banner(ui, Tone::Warning, words::CANCELED, "", |ui| {
            if link_button(ui, words::READ_AGAIN).clicked() {
                act(actions, SetupAction::AskAgain);
            }
        });
    }
    if !setup.is_reading() || setup.config.data.is_empty() {
        return;
    }
    let (text, share) = match &setup.dataset.reading {
        Some(reading) => told(reading),
        None => (words::READING.to_owned(), None),
    };
    progress(ui, words::READING, share);
    ui.horizontal(|ui| {
        caption(ui, text);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if link_button(ui, words::CANCEL).clicked() {
                act(actions, SetupAction::CancelReading);
            }
        });
    });
}

fn told(reading: &ReadingProgress) -> (String, Option<f32>) {
    let (read, total) = (reading.bytes_read as f64, reading.bytes_total as f64);
    let rate = reading.bytes_per_second;
    let left = (rate > 0.0).then(|| (total - read).max(0.0) / rate);
    let share = (total > 0.0).then(|| (read / total) as f32);
    (words::reading(reading.rows, rate, left), share)
}

fn problem(ui: &mut Ui, state: &State, actions: &mut Actions) {
    if let Some(problem) = &state.setup.dataset.problem {
        let message = excerpt(&problem.message, 600);
        banner(ui, Tone::Danger, &message, &words::hint(problem), |ui| {
            if link_button(ui, words::TRY_AGAIN).clicked() {
                act(actions, SetupAction::AskAgain);
            }
        });
    }
}

fn how_it_is_read(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let options = &state.setup.config.data_options;
    let count = columns::that_fit(ui, 180.0, 2);
    columns::grid(ui, count, &[true, false], |ui, is_format| {
        let width = ui.available_width();
        if *is_format {
            field(ui, words::FORMAT, Hint::Help(words::FORMAT_HELP), |ui| {
                let formats = [&[DataFormat::Auto], DataFormat::ALL.as_slice()].concat();
                let choices: Vec<_> = { formats.into_iter() }
                    .map(|format| Choice::new(format, words::format(format)))
                    .collect();
                if let Some(format) = dropdown(ui, words::FORMAT, &options.format, &choices, width)
                {
                    act(actions, SetupAction::Choose(Chosen::Format(format)));
                }
            });
        } else {
            template(ui, &options.template, width, actions);
        }
    });
}

/// In the list of templates; no template is called so.
const FROM_FILE: &str = "\n";

fn template(ui: &mut Ui, current: &str, width: f32, actions: &mut Actions) {
    field(
        ui,
        words::TEMPLATE,
        Hint::Help(words::TEMPLATE_HELP),
        |ui| {
            let mut choices = vec![Choice::new("auto".to_owned(), words::TEMPLATE_AUTO)];
            let named = NamedTemplate::ALL.map(|template| template.name);
            choices.extend(named.map(|name| Choice::new(name.to_owned(), name)));
            if !choices.iter().any(|choice| choice.value == current) {
                choices.push(Choice::new(current.to_owned(), excerpt(current, 100)));
            }
            choices.push(Choice::new(FROM_FILE.to_owned(), words::TEMPLATE_FILE));
            let chosen = dropdown(ui, words::TEMPLATE, &current.to_owned(), &choices, width);
            match chosen {
                Some(file) if file == FROM_FILE => {
                    act(actions, SetupAction::Pick(Picker::TemplateFile));
                }
                Some(template) => act(actions, SetupAction::Choose(Chosen::Template(template))),
                None => {}
            }
        },
    );
}

#[derive(Clone, Copy)]
enum Wish {
    LossOn,
    Traces,
    TooLong,
    Switch(Switched),
}

fn wishes(ui: &mut Ui, state: &State, actions: &mut Actions) {
    const WISHES: [Wish; 5] = [
        Wish::LossOn,
        Wish::TooLong,
        Wish::Traces,
        Wish::Switch(Switched::LossOnTraces),
        Wish::Switch(Switched::Packing),
    ];
    let config = &state.setup.config;
    let options = &config.data_options;
    let count = columns::that_fit(ui, 180.0, 2);
    ui.add_space(space::XS);
    columns::grid(ui, count, &WISHES, |ui, wish| {
        let chosen = match wish {
            Wish::LossOn => {
                let values = [LossOn::Responses, LossOn::Everything, LossOn::LastTurn];
                let what = (words::LOSS_ON, words::LOSS_ON_HELP);
                fields::one_of(ui, what, &options.loss_on, values, words::LOSS_ONS)
                    .map(Chosen::LossOn)
            }
            Wish::Traces => {
                let values = [Traces::Keep, Traces::Drop, Traces::InsertEmpty];
                let what = (words::TRACES, words::TRACES_HELP);
                fields::one_of(ui, what, &options.traces, values, words::TRACE_CHOICES)
                    .map(Chosen::Traces)
            }
            Wish::TooLong => {
                let values = [
                    None,
                    Some(TooLong::CutRight),
                    Some(TooLong::CutLeft),
                    Some(TooLong::Drop),
                    Some(TooLong::Split),
                ];
                let what = (words::TOO_LONG, words::TOO_LONG_HELP);
                fields::one_of(ui, what, &options.too_long, values, words::TOO_LONGS)
                    .map(Chosen::TooLong)
            }
            Wish::Switch(switched) => {
                let on = switched.of(config) == Switch::On;
                fields::switched(ui, *switched, on)
            }
        };
        if let Some(choice) = chosen {
            act(actions, SetupAction::Choose(choice));
        }
    });
}
