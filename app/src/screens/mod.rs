//! What is drawn: the rail, the device chip, and a page. Screens read the state and collect actions;
//! they know no link, no disk and no clock.

mod beside_a_run;
mod chat;
mod closing;
mod compare;
mod drop_overlay;
mod fine_tune;
mod model_menu;
mod notices;
mod rail;
mod runs;
mod settings;
mod shortcuts;
mod top_bar;

pub use self::compare::picture as compare_picture;

use egui::{CentralPanel, Frame, Margin, Panel, Ui};

use crate::state::{Action, Page, State};
use crate::theme::{icons, palette, space};
use crate::widgets::show_focus;

/// The icon of a button that copies, which says for a moment that it has.
fn copy_icon(state: &State) -> &'static str {
    match state.has_just_copied() {
        true => icons::CHECK,
        false => icons::COPY,
    }
}

/// What the user did in this frame.
pub type Actions = Vec<Action>;

const RAIL_WIDTH: f32 = 184.0;
const TOP_HEIGHT: f32 = 48.0;

/// Draws everything.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    shortcuts::take(ui, state, actions);
    let colors = palette(ui);
    Panel::left("rail")
        .exact_size(RAIL_WIDTH)
        .resizable(false)
        .show_separator_line(false)
        .frame(Frame::NONE.fill(colors.rail).inner_margin(Margin::same(12)))
        .show(ui, |ui| rail::show(ui, state, actions));
    Panel::top("top")
        .exact_size(TOP_HEIGHT)
        .resizable(false)
        .show_separator_line(false)
        .frame(
            Frame::NONE
                .fill(colors.background)
                .inner_margin(Margin::symmetric(space::XL as i8, 8)),
        )
        .show(ui, |ui| top_bar::show(ui, state, actions));
    let page = Frame::NONE.fill(colors.background).inner_margin(Margin {
        left: space::XL as i8,
        right: space::XL as i8,
        top: 0,
        bottom: space::L as i8,
    });
    CentralPanel::default().frame(page).show(ui, |ui| {
        notices::show(ui, state, actions);
        match state.page {
            Page::FineTune => fine_tune::show(ui, state, actions),
            Page::Runs => runs::show(ui, state, actions),
            Page::Compare => compare::show(ui, state, actions),
            Page::Chat => chat::show(ui, state, actions),
            Page::Settings => settings::show(ui, state, actions),
        }
    });
    closing::show(ui, state, actions);
    drop_overlay::show(ui, state);
    show_focus(ui);
}
