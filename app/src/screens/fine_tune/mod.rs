//! The Fine-tune page: four cards in a column, the preview that is always true beside them, and the
//! one button below.

mod advanced;
mod columns;
mod data_files;
mod dataset_card;
mod example_view;
mod fields;
mod histogram;
mod left_out;
mod mapping;
mod memory_bars;
mod memory_card;
mod method_card;
mod model_card;
mod model_menu;
mod preview;
mod start;

use egui::{CentralPanel, CornerRadius, Frame, Margin, Panel, ScrollArea, Stroke, Ui};

use super::Actions;
use crate::state::setup::SetupAction;
use crate::state::{Action, State};
use crate::theme::{CARD_RADIUS, palette, space};

/// The preview's part of the width.
const PREVIEW_SHARE: f32 = 0.38;

/// Draws it.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let colors = palette(ui);
    let width = (ui.available_width() * PREVIEW_SHARE).floor();
    let gap = Margin {
        left: space::L as i8,
        ..Margin::ZERO
    };
    Panel::right("preview")
        .exact_size(width)
        .resizable(false)
        .show_separator_line(false)
        .frame(Frame::NONE.outer_margin(gap))
        .show(ui, |ui| {
            let card = Frame::NONE
                .fill(colors.surface)
                .stroke(Stroke::new(1.0, colors.border))
                .corner_radius(CornerRadius::same(CARD_RADIUS));
            card.show(ui, |ui| {
                ui.set_min_size(ui.available_size());
                preview::show(ui, state, actions);
            });
        });
    let above = Margin {
        top: space::M as i8,
        ..Margin::ZERO
    };
    Panel::bottom("start")
        .resizable(false)
        .show_separator_line(false)
        .frame(Frame::NONE.inner_margin(above))
        .show(ui, |ui| start::show(ui, state, actions));
    CentralPanel::default().frame(Frame::NONE).show(ui, |ui| {
        ScrollArea::vertical()
            .id_salt("cards")
            .auto_shrink(false)
            .show(ui, |ui| {
                // The scroll bar floats over what is right of the cards.
                ui.set_width(ui.available_width() - space::XS);
                ui.spacing_mut().item_spacing.y = space::M;
                model_card::show(ui, state, actions);
                dataset_card::show(ui, state, actions);
                method_card::show(ui, state, actions);
                memory_card::show(ui, state, actions);
            });
    });
}

fn act(actions: &mut Actions, action: SetupAction) {
    actions.push(Action::Setup(action));
}
