//! Who was right at a question, by color and by shape.

use egui::{Color32, Role, Sense, Ui, WidgetInfo, vec2};

use crate::state::compare::figures::{Dot, Who};
use crate::theme::{Palette, Type, palette, space};
use crate::widgets::{DotShape, paint_dot, styled};
use crate::words::compare as words;

/// The color and the shape of a dot.
pub fn look(palette: &Palette, who: Who) -> (Color32, DotShape) {
    match who {
        Who::Both => (palette.series[0], DotShape::Circle),
        Who::OnlyThis => (palette.series[2], DotShape::Up),
        Who::OnlyBaseline => (palette.series[1], DotShape::Down),
        Who::Neither => (palette.series[4], DotShape::Cross),
        Who::NotJudged => (palette.series[7], DotShape::Ring),
    }
}

/// What the shapes say, with how many there are of each.
pub fn legend(ui: &mut Ui, dots: &[Dot]) {
    let colors = palette(ui);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(space::XS, space::XS);
        for who in Who::ALL {
            let number = dots.iter().filter(|dot| dot.who == who).count();
            if number == 0 {
                continue;
            }
            let (color, shape) = look(colors, who);
            let (rect, response) = ui.allocate_exact_size(vec2(12.0, 16.0), Sense::hover());
            response.widget_info(|| WidgetInfo::new(Role::GenericContainer));
            paint_dot(ui.painter(), rect.center(), shape, color);
            ui.label(styled(words::legend(who, number), Type::Caption).color(colors.muted));
            ui.add_space(space::S);
        }
    });
}
