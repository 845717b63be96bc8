//! The Settings page: looks, computing, folders, and the models of this machine.

mod dialogs;
mod models;

use egui::{ScrollArea, Ui};

use super::Actions;
use crate::state::settings::{SettingsAction, ThemeChoice};
use crate::state::{Action, State};
use crate::text::visible;
use crate::theme::{Type, icons, space};
use crate::widgets::{
    Choice, Hint, button, card, dropdown, field, follow_focus, icon_button, quiet_button,
    segmented, styled, switch,
};
use crate::words::settings as words;

/// Wider than this a line of text is hard to follow.
const WIDEST: f32 = 860.0;
const CONTROL_WIDTH: f32 = 220.0;

/// Draws it.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    ScrollArea::vertical()
        .auto_shrink([false, false])
        .show(ui, |ui| {
            ui.set_max_width(ui.available_width().min(WIDEST));
            ui.spacing_mut().item_spacing.y = space::L;
            appearance(ui, state, actions);
            computing(ui, state, actions);
            folders(ui, state, actions);
            models::show(ui, state, actions);
            follow_focus(ui);
        });
    dialogs::show(ui, state, actions);
}

fn appearance(ui: &mut Ui, state: &State, actions: &mut Actions) {
    card(ui, icons::LIGHT, words::APPEARANCE, |ui| {
        field(ui, words::THEME, Hint::Help(words::THEME_HELP), |ui| {
            let [system, light, dark] = words::THEMES;
            let choices = [
                Choice::new(ThemeChoice::System, system),
                Choice::new(ThemeChoice::Light, light),
                Choice::new(ThemeChoice::Dark, dark),
            ];
            if let Some(theme) = segmented(ui, words::THEME, &state.settings.theme, &choices) {
                actions.push(Action::Settings(SettingsAction::Theme(theme)));
            }
        });
    });
}

fn computing(ui: &mut Ui, state: &State, actions: &mut Actions) {
    card(ui, icons::DEVICE, words::COMPUTING, |ui| {
        let devices = { state.device.report.iter() }.flat_map(|report| &report.devices);
        let mut choices = vec![Choice::new("auto".to_owned(), words::DEVICE_AUTO)];
        choices.extend(devices.clone().map(|device| {
            let label = format!("{} · {}", device.id, visible(&device.name));
            Choice::new(device.id.clone(), label)
        }));
        let current = &state.settings.device;
        if !choices.iter().any(|choice| choice.value == *current) {
            choices.push(Choice::new(current.clone(), visible(current)));
        }
        field(ui, words::DEVICE, Hint::Help(words::DEVICE_HELP), |ui| {
            let width = CONTROL_WIDTH * 1.5;
            if let Some(device) = dropdown(ui, words::DEVICE, current, &choices, width) {
                actions.push(Action::Settings(SettingsAction::Device(device)));
            }
        });
        let most = { devices }
            .filter_map(|device| device.cores)
            .max()
            .or(state.settings.threads)
            .unwrap_or(1);
        let mut choices = vec![Choice::new(None, words::THREADS_ALL)];
        choices.extend((1..=most).map(|threads| Choice::new(Some(threads), threads.to_string())));
        field(ui, words::THREADS, Hint::Help(words::THREADS_HELP), |ui| {
            let current = &state.settings.threads;
            if let Some(threads) = dropdown(ui, words::THREADS, current, &choices, CONTROL_WIDTH) {
                actions.push(Action::Settings(SettingsAction::Threads(threads)));
            }
        });
        field(ui, words::OFFLINE, Hint::Help(words::OFFLINE_HELP), |ui| {
            if let Some(offline) = switch(ui, words::OFFLINE, state.settings.offline) {
                actions.push(Action::Settings(SettingsAction::Offline(offline)));
            }
        });
    });
}

fn folders(ui: &mut Ui, state: &State, actions: &mut Actions) {
    card(ui, icons::FOLDER, words::FOLDERS, |ui| {
        let hint = Hint::Help(words::RUNS_FOLDER_HELP);
        field(ui, words::RUNS_FOLDER, hint, |ui| {
            let folder = state.settings.runs_folder();
            if let Some(folder) = &folder {
                path_line(ui, &folder.display().to_string());
            }
            ui.horizontal(|ui| {
                if button(ui, icons::FOLDER_OPEN, words::CHANGE).clicked() {
                    actions.push(Action::Settings(SettingsAction::PickRunsFolder));
                }
                if let Some(folder) = folder
                    && quiet_button(ui, icons::OPEN, words::SHOW).clicked()
                {
                    actions.push(Action::Show(folder));
                }
                if state.settings.runs_folder.is_some()
                    && quiet_button(ui, icons::RESET, words::USUAL).clicked()
                {
                    actions.push(Action::Settings(SettingsAction::UsualRunsFolder));
                }
            });
        });
        let hint = Hint::Help(words::MODELS_FOLDERS_HELP);
        field(ui, words::MODELS_FOLDERS, hint, |ui| {
            for (place, folder) in state.settings.models_folders.iter().enumerate() {
                let folder = visible(&folder.display().to_string());
                ui.horizontal(|ui| {
                    if icon_button(ui, icons::CLOSE, &words::forget(&folder)).clicked() {
                        let forget = SettingsAction::ForgetModelsFolder(place);
                        actions.push(Action::Settings(forget));
                    }
                    path_line(ui, &folder);
                });
            }
            if button(ui, icons::ADD, words::ADD_FOLDER).clicked() {
                actions.push(Action::Settings(SettingsAction::PickModelsFolder));
            }
        });
    });
}

/// A path on one line, whole under the pointer.
fn path_line(ui: &mut Ui, path: &str) {
    let path = visible(path);
    ui.add(egui::Label::new(styled(&path, Type::Code)).truncate())
        .on_hover_text(&path);
}
