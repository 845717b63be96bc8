//! Text with a look for each stretch that says what training does with it, also to those who tell no
//! colors apart.

use std::ops::Range;

use egui::text::{LayoutJob, TextFormat, TextWrapping};
use egui::{Color32, FontId, Label, Response, Stroke, Ui};

use crate::theme::{Type, space};

/// A line that marks a stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenMark {
    /// None.
    Plain,
    /// Through the text.
    Through,
}

/// How a stretch looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenLook {
    /// Of the text.
    pub color: Color32,
    /// Behind it.
    pub behind: Color32,
    /// The line.
    pub mark: TokenMark,
}

impl TokenLook {
    fn format(self, font: FontId) -> TextFormat {
        let strikethrough = match self.mark {
            TokenMark::Plain => Stroke::NONE,
            TokenMark::Through => Stroke::new(1.0, self.color),
        };
        TextFormat {
            line_height: Some(font.size * 1.5),
            font_id: font,
            color: self.color,
            background: self.behind,
            strikethrough,
            ..TextFormat::default()
        }
    }
}

/// Draws text that wraps anywhere; `spans` cover it without gaps.
pub fn token_text(
    ui: &mut Ui,
    text: &str,
    spans: impl Iterator<Item = (Range<usize>, TokenLook)>,
) -> Response {
    let font = Type::Code.style().resolve(ui.style());
    let mut job = LayoutJob {
        wrap: TextWrapping {
            max_width: ui.available_width(),
            break_anywhere: false,
            ..TextWrapping::default()
        },
        ..LayoutJob::default()
    };
    for (bytes, look) in spans {
        let text = text.get(bytes).unwrap_or_default();
        job.append(text, 0.0, look.format(font.clone()));
    }
    ui.add(Label::new(job).selectable(true))
}

/// A word for a legend that looks like what it names.
pub fn token_sample(ui: &mut Ui, name: &str, look: TokenLook) -> Response {
    let font = Type::Caption.style().resolve(ui.style());
    let format = TextFormat {
        expand_bg: space::XS,
        line_height: None,
        ..look.format(font)
    };
    let job = LayoutJob::single_section(name.to_owned(), format);
    ui.add(Label::new(job).selectable(false))
}
