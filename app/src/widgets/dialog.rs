//! Questions that stand before everything else.

use egui::{Frame, Id, Margin, Modal, ModalResponse, Ui};

use crate::theme::space;

/// Shows one, this wide; what is behind it is out of reach until it is answered.
pub fn dialog<R>(
    ui: &Ui,
    name: &str,
    width: f32,
    content: impl FnOnce(&mut Ui) -> R,
) -> ModalResponse<R> {
    let frame = Frame::window(ui.style()).inner_margin(Margin::same(space::XL as i8));
    Modal::new(Id::unique(name))
        .frame(frame)
        .show(ui.ctx(), |ui| {
            ui.set_width(width);
            content(ui)
        })
}
