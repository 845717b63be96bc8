//! The head of a run: what it is, how it stands, its figures, and what can be done with it.

use egui::{Align, Frame, Label, Layout, Margin, Ui, vec2};

use super::super::shortcuts::{self, Shortcut};
use super::list::tone;
use super::{Actions, model_and_data, name};
use crate::state::runs::live::{End, LiveRun, Stage};
use crate::state::runs::run::{Offer, Run, Standing};
use crate::state::runs::{NamingAction, RunsAction};
use crate::state::{Action, State};
use crate::text::{bytes, clock, rate, visible};
use crate::theme::{Type, icons, palette, space};
use crate::widgets::{
    Tone, badge, banner, button, caption, figure, icon_button, primary_button, progress,
    quiet_button, sheet, styled, text_field,
};
use crate::words::{self as all_words, runs as words};

const TITLE_HEIGHT: f32 = 30.0;

/// Draws it.
pub fn show(ui: &mut Ui, state: &State, run: &Run, actions: &mut Actions) {
    sheet(ui)
        .inner_margin(Margin::same(space::L as i8))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.spacing_mut().item_spacing.y = space::M;
            title(ui, state, run, actions);
            trouble(ui, run, actions);
            if run.is_on() {
                way(ui, run);
            }
            figures(ui, run);
            buttons(ui, run, actions);
        });
}

fn title(ui: &mut Ui, state: &State, run: &Run, actions: &mut Actions) {
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = space::XS;
        match &state.runs.naming {
            Some(naming) if naming.key == run.key => {
                naming_field(ui, &naming.text, naming.problem.as_deref(), actions);
            }
            _ => {
                let standing = run.standing();
                let line = vec2(ui.available_width(), TITLE_HEIGHT);
                let from_right = Layout::right_to_left(Align::Center);
                ui.allocate_ui_with_layout(line, from_right, |ui| {
                    badge(ui, words::standing(standing), tone(standing));
                    ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                        let pencil = run.offers_to(Offer::Rename);
                        let width = ui.available_width() - if pencil { 36.0 } else { 0.0 };
                        ui.scope(|ui| {
                            ui.set_max_width(width);
                            ui.add(Label::new(styled(name(run), Type::Title)).truncate());
                        });
                        if pencil
                            && icon_button(ui, icons::RENAME, words::offer(Offer::Rename))
                                .on_hover_text(shortcuts::keys(ui, Shortcut::Rename))
                                .clicked()
                        {
                            actions.push(offer(run, Offer::Rename));
                        }
                    });
                });
            }
        }
        let age = words::age(state.now - run.time());
        let about = format!(
            "{} · {} · {age}",
            run.config.method.title(),
            model_and_data(run)
        );
        ui.add(Label::new(styled(about, Type::Caption).color(palette(ui).muted)).truncate());
    });
}

fn naming_field(ui: &mut Ui, text: &str, problem: Option<&str>, actions: &mut Actions) {
    let act = |action| Action::Runs(RunsAction::Naming(action));
    ui.horizontal(|ui| {
        let mut typed = text.to_owned();
        let width = (ui.available_width() - 200.0).max(120.0);
        let response = text_field(ui, words::NAME, &mut typed, "", width);
        if typed != text {
            actions.push(act(NamingAction::Typed(typed)));
        }
        let (enter, escape) = ui.input(|input| {
            (
                input.key_pressed(egui::Key::Enter),
                input.key_pressed(egui::Key::Escape),
            )
        });
        let done = button(ui, icons::CHECK, words::NAME_DONE).clicked();
        let never = quiet_button(ui, "", words::CANCEL).clicked();
        if done || (response.lost_focus() && enter) {
            actions.push(act(NamingAction::Done));
        } else if never || escape {
            actions.push(act(NamingAction::Never));
        } else if !response.has_focus() && !response.lost_focus() && problem.is_none() {
            let nothing_else = ui.memory(|memory| memory.focused().is_none());
            if nothing_else {
                response.request_focus();
            }
        }
    });
    if let Some(problem) = problem {
        let color = palette(ui).danger;
        ui.label(styled(problem, Type::Caption).color(color));
    }
}

/// What happened, and the way on.
fn trouble(ui: &mut Ui, run: &Run, actions: &mut Actions) {
    let way_on = match (run.offers_to(Offer::Resume), run.offers_to(Offer::Retry)) {
        (true, _) => Some((Offer::Resume, words::INTERRUPTED_RESUME)),
        (_, true) => Some((Offer::Retry, words::INTERRUPTED_RETRY)),
        _ => None,
    };
    let mut go_on = |ui: &mut Ui| {
        if let Some((way, _)) = way_on
            && primary_button(ui, Ok(words::offer(way)), 0.0)
                .on_hover_text(words::offer_help(way))
                .clicked()
        {
            actions.push(offer(run, way));
        }
    };
    let help = way_on.map_or("", |(_, help)| help);
    let failure = run.failure();
    let told = failure.as_ref().map(|failure| visible(&failure.message));
    let hint = { failure.as_ref() }.map_or(String::new(), |failure| {
        all_words::hint(&failure.code, &failure.hint)
    });
    match (run.standing(), told) {
        (Standing::Failed, told) => {
            let message = told.unwrap_or_else(|| words::standing(Standing::Failed).to_owned());
            banner(ui, Tone::Danger, &message, &hint, go_on);
        }
        (Standing::Interrupted, told) => {
            let message = match told {
                Some(told) => format!("{}: {told}.", words::INTERRUPTED),
                None => format!("{}.", words::INTERRUPTED),
            };
            banner(ui, Tone::Warning, &message, help, go_on);
        }
        (Standing::Paused, _) => {
            banner(ui, Tone::Warning, words::PAUSED, "", &mut go_on);
        }
        (Standing::Finished, _) => {
            if let Some(reason) = run.ended_early() {
                banner(ui, Tone::Neutral, &visible(reason), "", |_| {});
            }
        }
        _ => {}
    }
}

/// The stage it is in, and how far that and the whole have come.
fn way(ui: &mut Ui, run: &Run) {
    let Some(live) = &run.live else {
        return;
    };
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = space::XS + 2.0;
        let (step, total) = run.steps();
        let whole = { total }.map(|total| step as f32 / total.max(1) as f32);
        let trains = live.latest.is_some();
        let (stage, share) = match &live.stage {
            Stage::Asked => (words::queued(0), None),
            Stage::Queued { ahead } => (words::queued(*ahead), None),
            Stage::In(phase) => {
                let part = live.progress.as_ref().map(|progress| progress.share());
                (
                    words::phase(*phase).to_owned(),
                    if trains { whole } else { part },
                )
            }
            Stage::Ended(_) => return,
        };
        ui.horizontal(|ui| {
            ui.label(styled(&stage, Type::Strong));
            let detail = match (&live.progress, whole) {
                (Some(progress), _) => words::progress(progress),
                (None, Some(whole)) if trains => words::percent(whole),
                _ => String::new(),
            };
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                caption(ui, detail)
            });
        });
        progress(ui, &stage, share);
    });
}

fn figures(ui: &mut Ui, run: &Run) {
    let (step, total) = run.steps();
    let live = run.live.as_ref();
    let latest = live.and_then(|live| live.latest.as_ref());
    let unknown = || words::UNKNOWN.to_owned();
    let last_loss = { latest.and_then(|row| row.loss) }.or_else(|| {
        let summary = run
            .figures()?
            .summary(crate::state::runs::columns::Figure::Loss)?;
        Some(f64::from(summary.last.1))
    });
    let best_step = { run.figures() }
        .and_then(|figures| figures.evaluation_summary())
        .map(|summary| summary.lowest.0 as usize);
    let speed = { latest.and_then(|row| row.tokens_per_second) }.or_else(|| {
        let summary = run
            .figures()?
            .summary(crate::state::runs::columns::Figure::Speed)?;
        Some(f64::from(summary.last.1))
    });
    let elapsed = run.elapsed();
    let time = match (run.is_on(), latest.and_then(|row| row.remaining_secs)) {
        (true, remaining) => (
            words::LEFT,
            remaining.map_or_else(unknown, clock),
            elapsed.map_or(String::new(), words::elapsed),
        ),
        (false, _) => (
            words::TOOK,
            elapsed.map_or_else(unknown, clock),
            String::new(),
        ),
    };
    let memory = run.memory();
    let measured = { latest.and_then(|row| row.peak_bytes) }
        .max(memory.and_then(|memory| memory.measured_peak_bytes))
        .or_else(|| finished_peak(live));
    let share = total.map(|total| words::percent(step as f32 / total.max(1) as f32));
    let shown = [
        (
            words::STEP,
            words::step_of(step, total),
            share.unwrap_or_default(),
        ),
        (
            words::LOSS,
            last_loss.map_or_else(unknown, words::short),
            String::new(),
        ),
        (
            words::BEST,
            run.best().map_or_else(unknown, words::short),
            best_step.map_or(String::new(), words::at_step),
        ),
        (
            words::SPEED,
            speed.map_or_else(unknown, rate),
            String::new(),
        ),
        time,
        (
            words::MEMORY,
            measured.map_or_else(unknown, bytes),
            memory.map_or(String::new(), |memory| {
                words::planned(memory.estimated_peak_bytes)
            }),
        ),
    ];
    let columns = if ui.available_width() >= 640.0 { 6 } else { 3 };
    let width = (ui.available_width() - space::S * (columns - 1) as f32) / columns as f32;
    for line in shown.chunks(columns) {
        ui.horizontal_top(|ui| {
            for (name, value, note) in line {
                figure(ui, name, value, note, width);
            }
        });
    }
}

fn finished_peak(live: Option<&LiveRun>) -> Option<u64> {
    match &live?.stage {
        Stage::Ended(End::Finished(summary)) => summary.measured_peak_bytes,
        _ => None,
    }
}

fn buttons(ui: &mut Ui, run: &Run, actions: &mut Actions) {
    // Resume and Retry stand where it is told why; the pencil renames.
    let elsewhere = [Offer::Resume, Offer::Retry, Offer::Rename];
    Frame::NONE.show(ui, |ui| {
        ui.horizontal_wrapped(|ui| {
            for way in run.offers() {
                if elsewhere.contains(&way) {
                    continue;
                }
                let label = words::offer(way);
                let response = match way {
                    Offer::Delete => quiet_button(ui, icons::DELETE, label),
                    Offer::EndNow | Offer::Forget => quiet_button(ui, icon(way), label),
                    _ => button(ui, icon(way), label),
                };
                let response = match (way, words::offer_help(way)) {
                    (_, "") => response,
                    (Offer::Delete, help) => {
                        response.on_hover_text(shortcuts::hint(ui, help, Shortcut::Delete))
                    }
                    (_, help) => response.on_hover_text(help),
                };
                if response.clicked() {
                    actions.push(offer(run, way));
                }
            }
        });
    });
}

fn icon(offer: Offer) -> &'static str {
    match offer {
        Offer::Withdraw | Offer::EndNow | Offer::Forget => icons::CLOSE,
        Offer::Pause => icons::PAUSE,
        Offer::Keep => icons::STOP,
        Offer::Resume => icons::PLAY,
        Offer::Retry | Offer::AgainWithChanges => icons::AGAIN,
        Offer::Export => icons::EXPORT,
        Offer::Show => icons::FOLDER_OPEN,
        Offer::Rename => icons::RENAME,
        Offer::Delete => icons::DELETE,
    }
}

fn offer(run: &Run, offer: Offer) -> Action {
    match (offer, &run.folder) {
        (Offer::AgainWithChanges, _) => {
            Action::Runs(RunsAction::AgainWithChanges(Box::new(run.config.clone())))
        }
        (Offer::Show, Some(folder)) => Action::Show(folder.clone()),
        _ => Action::Runs(RunsAction::Do(run.key, offer)),
    }
}
