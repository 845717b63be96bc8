//! A number that is looked at from a distance: what it is, how much, and a note.

use egui::{Label, Ui};

use super::styled;
use crate::theme::{Type, palette};

/// Shows it in `width` points.
pub fn figure(ui: &mut Ui, name: &str, value: &str, note: &str, width: f32) {
    let colors = palette(ui);
    ui.vertical(|ui| {
        ui.set_width(width);
        ui.spacing_mut().item_spacing.y = 1.0;
        let line =
            |text: &str, kind: Type, color| Label::new(styled(text, kind).color(color)).truncate();
        ui.add(line(name, Type::Caption, colors.muted));
        ui.add(line(value, Type::Figure, colors.text));
        // An empty note keeps its line, so that figures beside each other stay level.
        let note = if note.is_empty() { " " } else { note };
        ui.add(line(note, Type::Caption, colors.faint));
    });
}
