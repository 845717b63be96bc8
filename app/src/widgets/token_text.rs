//! Text with a color behind each stretch: what training does with it.

use std::ops::Range;

use egui::text::{LayoutJob, TextFormat, TextWrapping};
use egui::{Color32, Label, Response, Ui};

use crate::theme::Type;

/// Draws text that wraps anywhere; `spans` cover it without gaps: bytes, color of the text, color
/// behind it.
pub fn token_text(
    ui: &mut Ui,
    text: &str,
    spans: impl Iterator<Item = (Range<usize>, Color32, Color32)>,
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
    for (bytes, color, behind) in spans {
        let format = TextFormat {
            font_id: font.clone(),
            color,
            background: behind,
            line_height: Some(font.size * 1.5),
            ..TextFormat::default()
        };
        job.append(text.get(bytes).unwrap_or_default(), 0.0, format);
    }
    ui.add(Label::new(job).selectable(true))
}
