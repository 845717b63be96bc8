//! Sizes and weights of text. Everything that is written takes one of these styles.

use std::collections::BTreeMap;
use std::sync::Arc;

use egui::{FontFamily, FontId, TextStyle};

/// The family of medium weight.
pub const MEDIUM: &str = "medium";
/// The family of semibold weight.
pub const SEMIBOLD: &str = "semibold";

/// A style of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// The name of a page.
    Title,
    /// A figure that is looked at from a distance.
    Figure,
    /// The name of a card.
    Heading,
    /// What is emphasized within text: labels of fields, names.
    Strong,
    /// What a text itself emphasizes.
    Bold,
    /// Text.
    Body,
    /// What explains, axes, badges.
    Caption,
    /// Tokens, paths, logs.
    Code,
}

impl Type {
    /// Height of a line of running text, in heights of its letters.
    pub const LINE_HEIGHT: f32 = 1.5;

    const ALL: [Self; 8] = [
        Self::Title,
        Self::Figure,
        Self::Heading,
        Self::Strong,
        Self::Bold,
        Self::Body,
        Self::Caption,
        Self::Code,
    ];

    /// As egui names it.
    pub fn style(self) -> TextStyle {
        match self {
            Self::Body => TextStyle::Body,
            Self::Caption => TextStyle::Small,
            Self::Code => TextStyle::Monospace,
            Self::Heading => TextStyle::Heading,
            Self::Title => TextStyle::Name("title".into()),
            Self::Figure => TextStyle::Name("figure".into()),
            Self::Strong => TextStyle::Name("strong".into()),
            Self::Bold => TextStyle::Name("bold".into()),
        }
    }

    fn font(self) -> FontId {
        let named = |name: &str| FontFamily::Name(Arc::from(name));
        let (size, family) = match self {
            Self::Title => (22.0, named(SEMIBOLD)),
            Self::Figure => (20.0, named(SEMIBOLD)),
            Self::Heading => (15.0, named(SEMIBOLD)),
            Self::Strong => (13.5, named(MEDIUM)),
            Self::Bold => (13.5, named(SEMIBOLD)),
            Self::Body => (13.5, FontFamily::Proportional),
            Self::Caption => (12.0, FontFamily::Proportional),
            Self::Code => (12.5, FontFamily::Monospace),
        };
        FontId::new(size, family)
    }
}

/// Every style, as egui wants them.
pub fn text_styles() -> BTreeMap<TextStyle, FontId> {
    let mut styles: BTreeMap<_, _> = { Type::ALL.into_iter() }
        .map(|kind| (kind.style(), kind.font()))
        .collect();
    styles.insert(TextStyle::Button, Type::Strong.font());
    styles
}
