//! Things beside each other in columns of equal width, row by row.

use egui::Ui;

use crate::theme::space;

/// Draws each in its column; what a row's tallest needs, all of it get.
pub fn grid<T>(ui: &mut Ui, columns: usize, things: &[T], mut show: impl FnMut(&mut Ui, &T)) {
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.x = space::L;
        for row in things.chunks(columns.max(1)) {
            ui.columns(columns.max(1), |columns| {
                for (ui, thing) in columns.iter_mut().zip(row) {
                    show(ui, thing);
                }
            });
        }
    });
}

/// Columns of at least this width that there is room for, `most` of them at most.
pub fn that_fit(ui: &Ui, least_width: f32, most: usize) -> usize {
    let room = (ui.available_width() + space::L) / (least_width + space::L);
    (room as usize).clamp(1, most)
}
