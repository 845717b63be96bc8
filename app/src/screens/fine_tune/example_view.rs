//! One example as the model will see it, and the way to the others.

use egui::{Align, Color32, CornerRadius, Frame, Key, Layout, Margin, ScrollArea, Stroke, Ui};
use stepladder_protocol::{DatasetPreview, TokenUse};

use super::super::Actions;
use super::act;
use crate::state::State;
use crate::state::setup::SetupAction;
use crate::state::setup::examples::{Browse, ShownExample};
use crate::text::excerpt;
use crate::theme::{CONTROL_RADIUS, Palette, Type, icons, palette, space};
use crate::widgets::{
    TokenLook, TokenMark, caption, icon_button, one_line, progress, styled, text_field,
    token_sample, token_text,
};
use crate::words::fine_tune as words;

/// Draws it, as tall as `height` at most.
pub fn show(
    ui: &mut Ui,
    state: &State,
    preview: &DatasetPreview,
    height: f32,
    actions: &mut Actions,
) {
    let setup = &state.setup;
    let shown = setup.examples.shown();
    browse(ui, state, preview, actions);
    if setup.is_fetching_rows() {
        progress(ui, words::READING, None);
    }
    let Some(example) = shown else {
        caption(ui, words::NO_ROWS);
        return;
    };
    legend(ui, example);
    let colors = palette(ui);
    Frame::NONE
        .fill(colors.sunken)
        .stroke(Stroke::new(1.0, colors.border))
        .corner_radius(CornerRadius::same(CONTROL_RADIUS))
        .inner_margin(Margin::same(space::M as i8))
        .show(ui, |ui| {
            ScrollArea::vertical()
                .id_salt(("example", example.row))
                .max_height(height.max(160.0))
                .auto_shrink([false, true])
                .show(ui, |ui| {
                    let spans = example
                        .spans
                        .iter()
                        .map(|(bytes, used)| (bytes.clone(), look_of(*used, colors)));
                    token_text(ui, &example.text, spans);
                    if example.left_out > 0 {
                        caption(ui, words::left_out(example.left_out));
                    }
                });
        });
    match &example.tokens {
        Some(counts) => {
            let text = words::token_counts(counts.all, counts.trained, counts.cut_off);
            caption(ui, text);
        }
        None => {
            caption(ui, words::WITHOUT_MODEL);
        }
    }
}

fn look_of(used: TokenUse, colors: &Palette) -> TokenLook {
    let (color, behind, mark) = match used {
        TokenUse::Trained => (colors.text, colors.trained_soft, TokenMark::Plain),
        TokenUse::Context => (colors.muted, Color32::TRANSPARENT, TokenMark::Plain),
        TokenUse::CutOff => (colors.text, colors.cut_soft, TokenMark::Through),
    };
    TokenLook {
        color,
        behind,
        mark,
    }
}

fn browse(ui: &mut Ui, state: &State, preview: &DatasetPreview, actions: &mut Actions) {
    let examples = &state.setup.examples;
    let row = examples.shown().map_or(examples.from, |shown| shown.row);
    let rows = preview.complete.then_some(preview.rows);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::XS;
        if icon_button(ui, icons::LEFT, words::PREVIOUS).clicked() {
            act(actions, SetupAction::Browse(Browse::Previous));
        }
        if icon_button(ui, icons::RIGHT, words::NEXT).clicked() {
            act(actions, SetupAction::Browse(Browse::Next));
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let mut typed = examples.jump.clone();
            let field = text_field(ui, words::GO_TO_ROW, &mut typed, words::ROW, 64.0);
            if field.changed() {
                act(actions, SetupAction::TypeRow(typed));
            } else if field.lost_focus()
                && ui.input(|input| input.key_pressed(Key::Enter))
                && let Ok(row) = typed.trim().replace(',', "").parse()
            {
                act(actions, SetupAction::Browse(Browse::Row(row)));
            }
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                ui.spacing_mut().item_spacing.x = space::S;
                ui.label(styled(words::row_of(row, rows), Type::Body));
                if let Some(shown) = examples.shown() {
                    let color = palette(ui).faint;
                    let origin = excerpt(&shown.origin, 200);
                    one_line(ui, styled(origin, Type::Caption).color(color));
                }
            });
        });
    });
}

fn legend(ui: &mut Ui, example: &ShownExample) {
    let colors = palette(ui);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        // What is behind the words is wider than they are.
        ui.add_space(space::XS);
        for used in [TokenUse::Trained, TokenUse::Context, TokenUse::CutOff] {
            let is_there = example.spans.iter().any(|(_, own)| *own == used);
            if used == TokenUse::CutOff && !is_there {
                continue;
            }
            token_sample(ui, words::token_use(used), look_of(used, colors));
        }
    });
}
