//! Both charts for a picture of their own.

use egui::{CentralPanel, Frame, Margin, Ui};

use super::charts;
use crate::state::compare::figures::Charts;
use crate::theme::{Type, palette, space};
use crate::widgets::{caption, one_line, styled};
use crate::words::compare as words;

/// Draws them over everything.
pub fn show(ui: &mut Ui, shown: &Charts) {
    let frame = Frame::NONE
        .fill(palette(ui).surface)
        .inner_margin(Margin::same(space::XL as i8));
    CentralPanel::default().frame(frame).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = space::M;
        one_line(ui, styled(&shown.title, Type::Title));
        ui.columns(2, |columns| {
            let [left, right] = columns else {
                return;
            };
            left.spacing_mut().item_spacing.y = space::M;
            right.spacing_mut().item_spacing.y = space::M;
            left.heading(styled(words::LENGTHS, Type::Heading));
            let height = left.available_height();
            charts::lengths(left, shown, height);
            right.heading(styled(words::PAIRS, Type::Heading));
            caption(right, words::against(&shown.against, &shown.baseline));
            let height = (right.available_height() - space::XXL - space::S).max(100.0);
            charts::pairs(right, shown, None, height);
        });
    });
}
