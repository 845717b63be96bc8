//! Above the conversation: which model, how it stands, and who answers.

use egui::{Align, Layout, Ui, vec2};

use super::super::model_menu::{self, ModelMenu, Wanted};
use super::super::{Actions, beside_a_run};
use super::{act, variants};
use crate::state::State;
use crate::state::chat::session::Stage;
use crate::state::chat::{Beside, ChatAction, Shown};
use crate::text::{excerpt, visible};
use crate::theme::size::CHAT_MODEL_WIDTH;
use crate::theme::{CONTROL_HEIGHT, Type, icons, palette, space};
use crate::widgets::{Tone, banner, button, icon_button, link_button, one_line, styled};
use crate::words::chat as words;

/// Characters of the engine's own words.
const MOST: usize = 600;

/// Draws it; `list` is whether the conversations stand beside it.
pub fn show(ui: &mut Ui, state: &State, list: Shown, actions: &mut Actions) {
    ui.spacing_mut().item_spacing.y = space::S;
    let line = vec2(ui.available_width(), CONTROL_HEIGHT + space::XS);
    let from_left = Layout::left_to_right(Align::Center);
    ui.allocate_ui_with_layout(line, from_left, |ui| {
        if icon_button(ui, icons::SIDE, words::LIST).clicked() {
            let view = state.chat.view;
            if list == Shown::No && view.list == Shown::Yes && view.drawer == Shown::Yes {
                // The drawer hides it: there is room for one of them.
                act(actions, ChatAction::Drawer);
            } else {
                act(actions, ChatAction::List);
            }
        }
        model(ui, state, actions);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if icon_button(ui, icons::SAMPLER, words::DRAWER).clicked() {
                act(actions, ChatAction::Drawer);
            }
            if state.chat.session.is_on() {
                let free = icon_button(ui, icons::FREE, words::FREE);
                if free.on_hover_text(words::FREE_HELP).clicked() {
                    act(actions, ChatAction::Free);
                }
            }
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                standing(ui, state, actions);
            });
        });
    });
    variants::show(ui, state, actions);
    troubles(ui, state, actions);
}

fn model(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let chat = &state.chat;
    let menu = ModelMenu {
        target: &chat.model,
        search: &chat.search,
        typed: &chat.typed,
    };
    let wanted = ui.scope(|ui| {
        ui.set_max_width(CHAT_MODEL_WIDTH.min(ui.available_width() * 0.5));
        model_menu::show(ui, state, &menu)
    });
    for wanted in wanted.inner {
        let action = match wanted {
            Wanted::Choose(target) => ChatAction::Model(target),
            Wanted::Search(text) => ChatAction::SearchModels(text),
            Wanted::Type(path) => ChatAction::TypeModel(path),
            Wanted::UseTyped => ChatAction::UseTypedModel,
        };
        act(actions, action);
    }
}

fn standing(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let chat = &state.chat;
    let muted = palette(ui).muted;
    match &chat.session.stage {
        Stage::Off if chat.beside == Beside::NotNow => {}
        Stage::Off => {
            if link_button(ui, words::LOAD).clicked() {
                act(actions, ChatAction::Load);
            }
            one_line(ui, styled(words::NOT_LOADED, Type::Caption).color(muted));
        }
        Stage::Loading => {
            ui.spinner();
            one_line(ui, styled(words::LOADING, Type::Caption).color(muted));
        }
        Stage::Ready(ready) => {
            let text = words::ready(&visible(&ready.device));
            one_line(ui, styled(text, Type::Caption).color(muted));
        }
        Stage::Failed(_) => {}
    }
}

fn troubles(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let chat = &state.chat;
    let told = (words::SLOWER, words::NOT_NOW_HELP);
    beside_a_run::show(ui, chat.beside, told, actions);
    if let Stage::Failed(problem) = &chat.session.stage {
        let message = excerpt(&problem.message, MOST);
        banner(ui, Tone::Danger, &message, &words::hint(problem), |ui| {
            if button(ui, icons::AGAIN, words::LOAD_AGAIN).clicked() {
                act(actions, ChatAction::Load);
            }
        });
    }
    for notice in &chat.session.notices {
        banner(ui, Tone::Neutral, &excerpt(notice, MOST), "", |_| {});
    }
}
