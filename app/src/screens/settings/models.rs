//! The models that were found: what they are, where from, and what can be done with them.

use egui::{Align, Label, Layout, Sense, Ui, vec2};
use stepladder_protocol::{FoundModel, ModelSource};

use super::Actions;
use crate::state::models::ModelsAction;
use crate::state::{Action, State};
use crate::text::{bytes, visible};
use crate::theme::{Type, icons, palette, space};
use crate::widgets::{
    Tone, badge, banner, caption, card_with, icon_button, link_button, quiet_button, styled,
};
use crate::words::models::{name, source};
use crate::words::{hint, settings as words};

const ROW_HEIGHT: f32 = 36.0;
/// Room for the button that deletes, so that all others stand below each other.
const DELETE: f32 = 28.0;

/// Draws them.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let models = &state.models;
    let right = |ui: &mut Ui| {
        if models.searching {
            caption(ui, words::SEARCHING);
        } else if quiet_button(ui, icons::REFRESH, words::SEARCH).clicked() {
            actions.push(Action::Models(ModelsAction::Search));
        }
    };
    let mut chosen = None;
    card_with(ui, icons::MODEL, words::MODELS, right, |ui| {
        ui.spacing_mut().item_spacing.y = space::S;
        if let Some(problem) = &models.problem {
            let message = visible(&problem.message);
            let hint = hint(&problem.code, &problem.hint);
            banner(ui, Tone::Danger, &message, &hint, |_| {});
        }
        let is_known = !models.searching && models.problem.is_none();
        if models.found.models.is_empty() && is_known {
            ui.label(styled(words::NO_MODELS, Type::Strong));
            caption(ui, words::NO_MODELS_HELP);
        }
        let is_ours = |model: &FoundModel| model.source == ModelSource::Stepladder;
        let delete = match models.found.models.iter().any(is_ours) {
            true => DELETE,
            false => 0.0,
        };
        for (place, model) in models.found.models.iter().enumerate() {
            if place > 0 {
                ui.separator();
            }
            if let Some(action) = ui.push_id(place, |ui| row(ui, model, delete)).inner {
                chosen = Some(action);
            }
        }
        for notice in &models.found.notices {
            caption(ui, visible(notice));
        }
    });
    actions.extend(chosen.map(Action::Models));
}

fn row(ui: &mut Ui, model: &FoundModel, delete: f32) -> Option<ModelsAction> {
    let mut action = None;
    let name = name(model);
    let size = vec2(ui.available_width(), ROW_HEIGHT);
    ui.allocate_ui_with_layout(size, Layout::right_to_left(Align::Center), |ui| {
        if model.source == ModelSource::Stepladder {
            let label = words::delete_model(&name);
            if icon_button(ui, icons::DELETE, &label).clicked() {
                action = Some(ModelsAction::AskToDelete(model.target.clone()));
            }
        } else if delete > 0.0 {
            ui.add_space(delete + ui.spacing().item_spacing.x);
        }
        match &model.problem {
            None => {
                let use_it = link_button(ui, words::USE);
                let label = words::use_model(&name);
                use_it.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &label));
                if use_it.clicked() {
                    action = Some(ModelsAction::Use(model.target.clone()));
                }
            }
            Some(problem) => {
                badge(ui, words::UNSUPPORTED, Tone::Warning).on_hover_text(visible(problem));
            }
        }
        caption(ui, bytes(model.bytes));
        ui.allocate_ui_with_layout(ui.available_size(), Layout::top_down(Align::Min), |ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            ui.add(
                Label::new(styled(&name, Type::Strong))
                    .truncate()
                    .sense(Sense::hover()),
            )
            .on_hover_text(visible(&model.target));
            let mut about = vec![source(model.source).to_owned(), visible(&model.file_format)];
            about.extend(model.architecture.as_deref().map(visible));
            let color = palette(ui).muted;
            let text = styled(about.join(" · "), Type::Caption).color(color);
            ui.add(Label::new(text).truncate());
        });
    });
    action
}
