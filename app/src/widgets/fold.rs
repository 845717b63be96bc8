//! A line that is pressed to unfold what stands below it, and to fold it again.

use egui::{Button, Response, Role, Ui, WidgetInfo, vec2};

use super::styled;
use crate::theme::{CONTROL_HEIGHT, Type, icons, palette, space};

/// What such a line says.
#[derive(Clone, Copy)]
pub struct Fold<'a> {
    /// Before its words; none: words alone.
    pub icon: Option<&'static str>,
    /// Its words.
    pub title: &'a str,
    /// Its name for whoever does not see what stands around it.
    pub name: &'a str,
    /// Whether what it folds is there.
    pub is_unfolded: bool,
}

/// Draws it. It begins where the text around it does.
pub fn fold(ui: &mut Ui, fold: Fold<'_>) -> Response {
    let colors = palette(ui);
    let chevron = match fold.is_unfolded {
        true => icons::DOWN,
        false => icons::RIGHT,
    };
    let title = styled(fold.title, Type::Caption).color(colors.muted);
    let chevron = styled(chevron, Type::Caption).color(colors.faint);
    let button = match fold.icon {
        Some(icon) => {
            let icon = styled(icon, Type::Caption).color(colors.muted);
            Button::new((icon, title, chevron))
        }
        None => Button::new((title, chevron)),
    };
    let scope = ui.scope(|ui| {
        ui.spacing_mut().button_padding.x = space::XS;
        let least = vec2(0.0, CONTROL_HEIGHT - space::XS);
        ui.add(button.frame_when_inactive(false).min_size(least))
    });
    let response = scope.inner;
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, fold.is_unfolded, fold.name));
    response
}
