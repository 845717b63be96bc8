//! A word in a tinted pill: a state, a verdict, a count.

use egui::{
    Color32, CornerRadius, Response, Role, Sense, TextWrapMode, Ui, Vec2, WidgetInfo, WidgetText,
    vec2,
};

use super::styled;
use crate::theme::size::PILL_RADIUS;
use crate::theme::{Palette, Type, palette};

/// Around its text.
const PADDING: Vec2 = vec2(8.0, 2.0);

/// What something means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tone {
    /// Nothing in particular.
    Neutral,
    /// It is chosen, or under way.
    Accent,
    /// Good.
    Success,
    /// Take care.
    Warning,
    /// Bad.
    Danger,
}

impl Tone {
    /// Its color for text and icons.
    pub fn color(self, palette: &Palette) -> Color32 {
        match self {
            Self::Neutral => palette.muted,
            Self::Accent => palette.accent,
            Self::Success => palette.success,
            Self::Warning => palette.warning,
            Self::Danger => palette.danger,
        }
    }

    /// Its tint for what is behind.
    pub fn soft(self, palette: &Palette) -> Color32 {
        match self {
            Self::Neutral => palette.hover,
            Self::Accent => palette.accent_soft,
            Self::Success => palette.success_soft,
            Self::Warning => palette.warning_soft,
            Self::Danger => palette.danger_soft,
        }
    }
}

/// Shows it, as tall as its text wherever it stands.
pub fn badge(ui: &mut Ui, text: impl Into<String>, tone: Tone) -> Response {
    let palette = palette(ui);
    let text = text.into();
    let label = WidgetText::from(styled(&text, Type::Caption));
    let width = (ui.available_width() - 2.0 * PADDING.x).max(0.0);
    let wrap = Some(TextWrapMode::Truncate);
    let galley = label.into_galley(ui, wrap, width, Type::Caption.style());
    let size = galley.size() + 2.0 * PADDING;
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &text));
    if ui.is_rect_visible(rect) {
        let painter = ui.painter();
        painter.rect_filled(rect, CornerRadius::same(PILL_RADIUS), tone.soft(palette));
        painter.galley(rect.min + PADDING, galley, tone.color(palette));
    }
    response
}
