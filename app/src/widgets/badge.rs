//! A word in a tinted pill: a state, a verdict, a count.

use egui::{Color32, CornerRadius, Frame, Margin, Response, Ui};

use super::styled;
use crate::theme::size::PILL_RADIUS;
use crate::theme::{Palette, Type, palette, space};

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

/// Shows it.
pub fn badge(ui: &mut Ui, text: impl Into<String>, tone: Tone) -> Response {
    let palette = palette(ui);
    Frame::NONE
        .fill(tone.soft(palette))
        .corner_radius(CornerRadius::same(PILL_RADIUS))
        .inner_margin(Margin::symmetric(space::S as i8, 2))
        .show(ui, |ui| {
            ui.label(styled(text, Type::Caption).color(tone.color(palette)))
        })
        .inner
}
