//! One of several that are told apart by a sentence each: a row to be pressed.

use egui::{CornerRadius, Frame, Margin, Role, Sense, Stroke, Ui, WidgetInfo};

use super::{caption, styled};
use crate::theme::{CONTROL_RADIUS, Type, palette, space};

/// A row with a name, what it is good for, and a remark; whether it was pressed. `label` is what all
/// of them choose.
pub fn option_row(
    ui: &mut Ui,
    label: &str,
    (name, text, remark): (&str, &str, &str),
    chosen: Chosen,
) -> bool {
    let palette = palette(ui);
    let (fill, border, mark) = match chosen {
        Chosen::Yes => (palette.accent_soft, palette.accent, palette.accent),
        Chosen::No => (palette.surface, palette.border, palette.border_strong),
    };
    let frame = Frame::NONE
        .fill(fill)
        .stroke(Stroke::new(1.0, border))
        .corner_radius(CornerRadius::same(CONTROL_RADIUS))
        .inner_margin(Margin::symmetric(12, 8));
    let drawn = frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        // The whole row is pressed, its words are not selected.
        ui.style_mut().interaction.selectable_labels = false;
        ui.horizontal_top(|ui| {
            let size = egui::Vec2::splat(16.0);
            let (dot, _) = ui.allocate_exact_size(size, Sense::hover());
            let center = dot.center() + egui::vec2(0.0, 1.0);
            ui.painter()
                .circle_stroke(center, 6.5, Stroke::new(1.5, mark));
            if chosen == Chosen::Yes {
                ui.painter().circle_filled(center, 3.5, mark);
            }
            ui.add_space(space::XS);
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = 2.0;
                ui.label(styled(name, Type::Strong));
                caption(ui, text);
                if !remark.is_empty() {
                    ui.label(styled(remark, Type::Caption).color(palette.faint));
                }
            });
        });
    });
    let id = ui.scope_id().with((label, name));
    let response = ui.interact(drawn.response.rect, id, Sense::click());
    response.widget_info(|| {
        let selected = chosen == Chosen::Yes;
        WidgetInfo::selected(
            Role::RadioButton,
            true,
            selected,
            format!("{label}: {name}"),
        )
    });
    let response = response.on_hover_cursor(egui::CursorIcon::PointingHand);
    response.clicked() && chosen == Chosen::No
}

/// Whether a row is the one that is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// It is.
    Yes,
    /// It is not.
    No,
}

impl Chosen {
    /// Whether what is chosen is this.
    pub fn of<T: PartialEq>(current: &T, this: &T) -> Self {
        match current == this {
            true => Self::Yes,
            false => Self::No,
        }
    }
}
