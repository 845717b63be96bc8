//! What screens are put together from. Each knows the theme and none knows the state.

mod axis;
mod badge;
mod banner;
mod button;
mod card;
mod chart;
mod choice;
mod dialog;
mod empty;
mod field;
mod figure;
mod focus;
mod fold;
mod histogram;
mod markdown;
mod memory_bar;
mod option_row;
mod progress;
mod rows;
mod scatter;
mod sparkline;
mod strips;
mod token_text;

pub use badge::{Tone, badge};
pub use banner::banner;
pub use button::{button, icon_button, link_button, primary_button, quiet_button};
pub use card::{card, card_with, sheet};
pub use chart::{Chart, ChartLine, ChartResponse, chart, no_chart};
pub use choice::{Choice, dropdown, segmented, switch};
pub use dialog::dialog;
pub use empty::empty;
pub use field::{Hint, field, number_field, text_field};
pub use figure::figure;
pub use focus::{
    bring_into_sight, focus_arrived, focus_when_opened, follow_focus, ring_radius, show_focus,
};
pub use fold::{Fold, fold};
pub use histogram::{Bar, histogram};
pub use markdown::{MarkdownPressed, MarkdownWords, markdown};
pub use memory_bar::{MemoryBar, memory_bar, swatch};
pub use option_row::{Chosen, option_row};
pub use progress::{progress, share_bar};
pub use rows::rows;
pub use scatter::{DotShape, Scatter, ScatterDot, paint_dot, scatter};
pub use sparkline::paint_sparkline;
pub use strips::{Strip, strips, strips_height};
pub use token_text::{TokenLook, TokenMark, token_sample, token_text};

use egui::{RichText, Ui};

use crate::theme::{Type, palette};

/// Text that explains.
pub fn caption(ui: &mut Ui, text: impl Into<String>) -> egui::Response {
    let color = palette(ui).muted;
    ui.label(styled(text, Type::Caption).color(color))
}

/// Text in a style.
pub fn styled(text: impl Into<String>, kind: Type) -> RichText {
    RichText::new(text).text_style(kind.style())
}

/// Text on one line that is shortened where there is no room, whole under the pointer.
pub fn one_line(ui: &mut Ui, text: impl Into<RichText>) -> egui::Response {
    ui.add(egui::Label::new(text.into()).truncate())
}
