//! What stands where there is nothing yet.

use egui::Ui;

use super::{caption, styled};
use crate::theme::size::EMPTY_ICON;
use crate::theme::{Type, palette, space};

/// An icon, what would be here, and how it comes.
pub fn empty<R>(
    ui: &mut Ui,
    icon: &str,
    title: &str,
    text: &str,
    actions: impl FnOnce(&mut Ui) -> R,
) -> R {
    ui.vertical_centered(|ui| {
        ui.add_space(space::XXL);
        ui.label(
            styled(icon, Type::Title)
                .size(EMPTY_ICON)
                .color(palette(ui).faint),
        );
        ui.label(styled(title, Type::Heading));
        caption(ui, text);
        ui.add_space(space::S);
        let inner = actions(ui);
        ui.add_space(space::XXL);
        inner
    })
    .inner
}
