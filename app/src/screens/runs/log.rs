//! What happened in a run, line by line with the time.

use egui::{Margin, ScrollArea, Ui};

use super::super::copy_icon;
use super::Actions;
use crate::state::runs::live::Note;
use crate::state::runs::run::Run;
use crate::state::{Action, State};
use crate::text::visible;
use crate::theme::{Type, palette, space};
use crate::widgets::{button, caption, sheet, styled};
use crate::words::runs as words;

const LEAST_HEIGHT: f32 = 220.0;

/// One line: when, and what.
enum Line<'a> {
    Noted(&'a Note),
    Written(&'a (f64, String)),
}

impl Line<'_> {
    fn at(&self) -> f64 {
        match self {
            Self::Noted(note) => note.at,
            Self::Written((at, _)) => *at,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Noted(note) => words::note(note),
            Self::Written((_, text)) => visible(text),
        }
    }
}

/// Draws it down to `bottom`.
pub fn show(ui: &mut Ui, state: &State, run: &Run, actions: &mut Actions, bottom: f32) {
    let lines = Lines::of(run);
    sheet(ui)
        .inner_margin(Margin::same(space::M as i8))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            if lines.len() == 0 {
                caption(ui, words::NO_LOG);
                return;
            }
            if button(ui, copy_icon(state), words::COPY_LOG).clicked() {
                actions.push(Action::Copy(lines.whole()));
            }
            let height = (bottom - ui.cursor().top() - space::XL).max(LEAST_HEIGHT);
            let start = lines.start();
            let row = ui.text_style_height(&Type::Code.style());
            ui.spacing_mut().item_spacing.y = space::XS;
            ScrollArea::vertical()
                .id_salt("log")
                .auto_shrink(false)
                .max_height(height)
                .stick_to_bottom(true)
                .show_rows(ui, row, lines.len(), |ui, rows| {
                    for place in rows {
                        let Some(line) = lines.get(place) else {
                            continue;
                        };
                        ui.horizontal(|ui| {
                            let when = words::note_time(line.at() - start);
                            let when = styled(when, Type::Code).color(palette(ui).faint);
                            ui.label(when);
                            let text = egui::Label::new(styled(line.text(), Type::Code));
                            ui.add(text.truncate());
                        });
                    }
                });
        });
}

/// The lines of the log file that this window did not hear itself, then those that it heard.
struct Lines<'a> {
    written: &'a [(f64, String)],
    noted: Vec<&'a Note>,
}

impl<'a> Lines<'a> {
    fn of(run: &'a Run) -> Self {
        let noted: Vec<&Note> = { run.live.iter() }.flat_map(|live| &live.notes).collect();
        let written = { run.details.as_ref() }.map_or(&[][..], |details| &details.log);
        // The file counts whole seconds.
        let heard_from = noted.first().map_or(f64::INFINITY, |note| note.at.floor());
        let before = written.partition_point(|(at, _)| *at < heard_from);
        Self {
            written: &written[..before],
            noted,
        }
    }

    fn len(&self) -> usize {
        self.written.len() + self.noted.len()
    }

    fn get(&self, place: usize) -> Option<Line<'a>> {
        match self.written.get(place) {
            Some(line) => Some(Line::Written(line)),
            None => { self.noted.get(place - self.written.len()) }.map(|note| Line::Noted(note)),
        }
    }

    fn start(&self) -> f64 {
        self.get(0).map_or(0.0, |line| line.at())
    }

    fn whole(&self) -> String {
        let start = self.start();
        let lines = { (0..self.len()).filter_map(|place| self.get(place)) }
            .map(|line| format!("{} {}", words::note_time(line.at() - start), line.text()));
        lines.collect::<Vec<_>>().join("\n")
    }
}
