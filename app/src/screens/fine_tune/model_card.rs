//! The model: which, what is known of it, and why it cannot be used.

use egui::Ui;
use stepladder_protocol::ModelInfo;

use super::super::Actions;
use super::super::model_menu::{self, ModelMenu, Wanted};
use super::{act, columns};
use crate::state::setup::SetupAction;
use crate::state::{Picker, State};
use crate::text::{bytes, excerpt};
use crate::theme::{Type, icons, palette, space};
use crate::widgets::{
    Tone, banner, card_with, link_button, one_line, progress, quiet_button, styled,
};
use crate::words::fine_tune as words;

/// Characters of a model's own words that are shown.
const MOST: usize = 200;

/// Draws the card.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let mut asked = None;
    let files = |ui: &mut Ui| {
        if quiet_button(ui, icons::FILE, words::MODEL_FILE).clicked() {
            asked = Some(SetupAction::Pick(Picker::ModelFile));
        }
        if quiet_button(ui, icons::FOLDER_OPEN, words::MODEL_FOLDER).clicked() {
            asked = Some(SetupAction::Pick(Picker::ModelFolder));
        }
    };
    card_with(ui, icons::MODEL, words::MODEL, files, |ui| {
        let model = &state.setup.model;
        let menu = ModelMenu {
            target: &state.setup.config.model,
            search: &model.search,
            typed: &model.typed,
        };
        for wanted in model_menu::show(ui, state, &menu) {
            let action = match wanted {
                Wanted::Choose(target) => SetupAction::Model(target),
                Wanted::Search(text) => SetupAction::SearchModels(text),
                Wanted::Type(path) => SetupAction::TypeModel(path),
                Wanted::UseTyped => SetupAction::UseTypedModel,
            };
            act(actions, action);
        }
        if let Some(info) = &model.info {
            facts(ui, info);
        } else if let Some(problem) = &model.problem {
            let message = excerpt(&problem.message, 600);
            banner(ui, Tone::Danger, &message, &words::hint(problem), |ui| {
                if link_button(ui, words::TRY_AGAIN).clicked() {
                    act(actions, SetupAction::AskAgain);
                }
            });
        } else if state.setup.is_looking_at_model() {
            progress(ui, words::LOOKING_AT_MODEL, None);
        }
    });
    actions.extend(asked.map(crate::state::Action::Setup));
}

fn facts(ui: &mut Ui, info: &ModelInfo) {
    let weights = match &info.quantization {
        Some(quantization) => format!(
            "{}, {}",
            excerpt(quantization, MOST),
            bytes(info.weight_bytes)
        ),
        None => format!(
            "{}, {}",
            excerpt(&info.weight_dtype.to_uppercase(), MOST),
            bytes(info.weight_bytes)
        ),
    };
    let license = { info.license.as_ref() }.map(|license| excerpt(license, MOST));
    let values = [
        Some(excerpt(&info.architecture, MOST)),
        Some(words::parameters(info.parameters)),
        Some(words::tokens(info.context_length)),
        Some(excerpt(&info.file_format, MOST)),
        Some(weights),
        license,
    ];
    let facts: Vec<(&str, String)> = { words::FACTS.into_iter().zip(values) }
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    columns::grid(ui, 3, &facts, |ui, (name, value)| {
        ui.spacing_mut().item_spacing.y = space::XS / 2.0;
        let faint = palette(ui).faint;
        ui.label(styled(*name, Type::Caption).color(faint));
        one_line(ui, styled(value, Type::Body));
    });
}
