//! Who answers: the base model and adapters, each switched on and off, and the list that more are
//! taken from.

use egui::{
    Align, Button, Layout, Popup, Role, ScrollArea, Sense, Stroke, Ui, UiBuilder, WidgetInfo, vec2,
};

use super::super::Actions;
use super::act;
use crate::state::State;
use crate::state::chat::conversation::Who;
use crate::state::chat::{Answers, ChatAction, MOST_ADAPTERS, Variant};
use crate::state::runs::run::{Offer, Run};
use crate::text::excerpt;
use crate::theme::size::VARIANT_MOST;
use crate::theme::{CONTROL_HEIGHT, Type, icons, palette, space};
use crate::widgets::{caption, follow_focus, icon_button, one_line, quiet_button, styled};
use crate::words::chat as words;

/// What a run's config calls the model's own template.
const AUTO: &str = "auto";
/// Width of the list.
const LIST: f32 = 340.0;
/// Width of the button that opens it.
const ADD_WIDTH: f32 = 132.0;

/// Draws them.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let chat = &state.chat;
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(space::XS, space::XS);
        for variant in &chat.variants {
            chip(ui, state, variant, actions);
        }
        let is_full = chat.adapters() >= MOST_ADAPTERS;
        let add = together(ui, ADD_WIDTH, |ui| {
            ui.add_enabled_ui(!is_full, |ui| {
                quiet_button(ui, icons::ADD, words::ADD_ADAPTER)
            })
            .inner
        });
        let add = add.on_disabled_hover_text(words::ENOUGH_ADAPTERS);
        Popup::menu(&add)
            .width(LIST)
            .show(|ui| list(ui, state, actions));
    });
}

/// What stays on one line, which it begins where there is no room left.
fn together<R>(ui: &mut Ui, width: f32, content: impl FnOnce(&mut Ui) -> R) -> R {
    let size = vec2(width, CONTROL_HEIGHT);
    let layout = Layout::left_to_right(Align::Center);
    ui.allocate_ui_with_layout(size, layout, |ui| {
        ui.spacing_mut().item_spacing.x = 0.0;
        content(ui)
    })
    .inner
}

fn chip(ui: &mut Ui, state: &State, variant: &Variant, actions: &mut Actions) {
    let colors = palette(ui);
    let name = words::variant(&variant.who);
    let on = variant.answers == Answers::Yes;
    let (fill, border, color, icon) = match on {
        true => (colors.accent_soft, colors.accent, colors.text, icons::CHECK),
        false => (
            colors.surface,
            colors.border_strong,
            colors.muted,
            icons::CLOSE,
        ),
    };
    let label = (
        styled(icon, Type::Caption).color(color),
        styled(&name, Type::Strong).color(color),
    );
    let width = ui.fonts_mut(|fonts| {
        let font = Type::Strong.style().resolve(ui.style());
        fonts.layout_no_wrap(name.clone(), font, color).size().x
    });
    let room = width.min(VARIANT_MOST) + CONTROL_HEIGHT + space::L;
    let button = Button::new(label)
        .fill(fill)
        .stroke(Stroke::new(1.0, border))
        .truncate()
        .min_size(vec2(0.0, CONTROL_HEIGHT));
    let more = match variant.who {
        Who::Base => 0.0,
        Who::Adapter { .. } => CONTROL_HEIGHT,
    };
    together(ui, room + more, |ui| {
        let response = ui.add_sized(vec2(room, CONTROL_HEIGHT), button);
        let said = words::answers(&name);
        response.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, on, &said));
        let hint = words::template(&template(state, &variant.who));
        if response.on_hover_text(hint).clicked() {
            act(actions, ChatAction::Switch(variant.who.clone()));
        }
        if variant.who != Who::Base
            && icon_button(ui, icons::CLOSE, &words::remove(&name)).clicked()
        {
            act(actions, ChatAction::RemoveVariant(variant.who.clone()));
        }
    });
}

/// The chat template that somebody answers with: an adapter's is the one it was trained with.
pub fn template(state: &State, who: &Who) -> String {
    let run = match who {
        Who::Base => None,
        Who::Adapter { path, .. } => {
            { state.runs.runs.iter() }.find(|run| run.folder.as_ref() == Some(path))
        }
    };
    match run.map(|run| run.config.data_options.template.as_str()) {
        None | Some(AUTO) => words::OWN_TEMPLATE.to_owned(),
        Some(other) => excerpt(other, 80),
    }
}

/// The runs whose adapters can answer; those of other models are named, and cannot.
fn list(ui: &mut Ui, state: &State, actions: &mut Actions) {
    ui.set_min_width(ui.available_width());
    let chat = &state.chat;
    let has_adapter = |run: &&Run| run.offers_to(Offer::Export);
    let (fit, others): (Vec<&Run>, Vec<&Run>) = { state.runs.runs.iter() }
        .filter(has_adapter)
        .partition(|run| run.config.model == chat.model);
    if fit.is_empty() {
        caption(ui, words::NO_ADAPTERS);
    }
    let scrolled = ScrollArea::vertical()
        .max_height(LIST)
        .min_scrolled_height(LIST);
    scrolled.show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        for run in fit {
            let Some(path) = run.folder.clone() else {
                continue;
            };
            let who = Who::Adapter {
                path,
                name: run.name.clone(),
            };
            let is_there = chat.variants.iter().any(|variant| variant.who == who);
            if row(ui, &run.name, run.config.method.title(), !is_there) {
                act(actions, ChatAction::AddAdapter(who));
                ui.close();
            }
        }
        for run in others {
            row(ui, &run.name, words::OTHER_MODEL, false);
        }
        follow_focus(ui);
    });
}

fn row(ui: &mut Ui, name: &str, about: &str, can_be_chosen: bool) -> bool {
    let colors = palette(ui);
    let size = vec2(ui.available_width(), CONTROL_HEIGHT);
    let sense = match can_be_chosen {
        true => Sense::click(),
        false => Sense::hover(),
    };
    let (rect, response) = ui.allocate_exact_size(size, sense);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, can_be_chosen, name));
    let is_pointed = can_be_chosen && (response.hovered() || response.has_focus());
    if is_pointed {
        ui.painter().rect_filled(rect, 4.0, colors.hover);
    }
    let inner = rect.shrink2(vec2(space::S, 0.0));
    let layout = Layout::right_to_left(Align::Center);
    ui.scope_builder(UiBuilder::new().max_rect(inner).layout(layout), |ui| {
        ui.style_mut().interaction.selectable_labels = false;
        ui.label(styled(about, Type::Caption).color(colors.muted));
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            let color = match can_be_chosen {
                true => colors.text,
                false => colors.faint,
            };
            one_line(ui, styled(name, Type::Body).color(color));
        });
    });
    response.clicked() && can_be_chosen
}
