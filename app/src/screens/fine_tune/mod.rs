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
mod preview;
mod start;

use egui::emath::GuiRounding as _;
use egui::{Align, CornerRadius, Frame, Layout, Rect, ScrollArea, Stroke, Ui, UiBuilder};

use super::Actions;
use crate::state::setup::SetupAction;
use crate::state::{Action, State};
use crate::theme::size::PRIMARY_HEIGHT;
use crate::theme::{CARD_RADIUS, palette, space};
use crate::widgets::follow_focus;

/// The preview's part of the width.
const PREVIEW_SHARE: f32 = 0.38;

/// Draws it, in the order it is read: that is the order of the Tab key as well.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let colors = palette(ui);
    let page = ui.available_rect_before_wrap();
    let preview_width = (page.width() * PREVIEW_SHARE).floor();
    let (left, right) = page.split_left_right_at_x(page.right() - preview_width);
    let (cards, below) = left.split_top_bottom_at_y(left.bottom() - PRIMARY_HEIGHT - space::M);
    part(ui, "cards", cards, |ui| {
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
                follow_focus(ui);
            });
    });
    let below = below.with_min_y(below.top() + space::M);
    part(ui, "start", below, |ui| start::show(ui, state, actions));
    let right = right.with_min_x(right.left() + space::L);
    part(ui, "preview", right, |ui| {
        let card = Frame::NONE
            .fill(colors.surface)
            .stroke(Stroke::new(1.0, colors.border))
            .corner_radius(CornerRadius::same(CARD_RADIUS));
        card.show(ui, |ui| {
            ui.set_min_size(ui.available_size());
            preview::show(ui, state, actions);
        });
    });
    ui.advance_cursor_after_rect(page);
}

/// Draws in this part of the page.
fn part(ui: &mut Ui, name: &str, rect: Rect, content: impl FnOnce(&mut Ui)) {
    let rect = rect.round_ui();
    let layout = Layout::top_down(Align::Min);
    let builder = UiBuilder::new().id_salt(name).max_rect(rect).layout(layout);
    let mut ui = ui.new_child(builder);
    ui.shrink_clip_rect(rect);
    content(&mut ui);
}

fn act(actions: &mut Actions, action: SetupAction) {
    actions.push(Action::Setup(action));
}
