//! The head of a comparison: what it is, how it stands, how far it has come, and what can be done.

use egui::{Align, Label, Layout, Margin, Ui, vec2};

use super::super::Actions;
use super::{act, name};
use crate::state::compare::found::{Comparison, Standing};
use crate::state::compare::matched::MatchedProgress;
use crate::state::compare::stored::SavedAs;
use crate::state::compare::{CompareAction, KeptAction};
use crate::state::{Action, State};
use crate::text::{excerpt, visible};
use crate::theme::{Type, icons, palette, space};
use crate::widgets::{
    Tone, badge, banner, button, caption, icon_button, one_line, primary_button, progress,
    quiet_button, sheet, styled,
};
use crate::words::{compare as words, in_the_window, runs};

const TITLE_HEIGHT: f32 = 30.0;
/// A variant's name beside its bar.
const NAME: f32 = 150.0;
/// What stands behind its bar.
const SPEED: f32 = 190.0;
/// Characters of the engine's own words.
const MOST: usize = 600;

/// Draws it.
pub fn show(ui: &mut Ui, state: &State, found: &Comparison, actions: &mut Actions) {
    sheet(ui)
        .inner_margin(Margin::same(space::L as i8))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.spacing_mut().item_spacing.y = space::S;
            title(ui, found);
            trouble(ui, state, found, actions);
            if found.is_on() {
                way(ui, found);
            }
            for notice in &found.notices {
                caption(ui, in_the_window(&excerpt(notice, MOST)));
            }
            if found.left_out > 0 {
                caption(ui, words::trained_on(found.left_out));
            }
            buttons(ui, state, found, actions);
        });
}

/// What a standing means, by color.
pub fn tone(standing: &Standing) -> Tone {
    match standing {
        Standing::Preparing | Standing::Training | Standing::Answering => Tone::Accent,
        Standing::Stopping | Standing::Stopped => Tone::Warning,
        Standing::Finished => Tone::Success,
        Standing::Failed(_) => Tone::Danger,
    }
}

fn title(ui: &mut Ui, found: &Comparison) {
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = space::XS;
        let line = vec2(ui.available_width(), TITLE_HEIGHT);
        ui.allocate_ui_with_layout(line, Layout::right_to_left(Align::Center), |ui| {
            badge(ui, words::standing(&found.standing), tone(&found.standing));
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                ui.add(Label::new(styled(name(found), Type::Title)).truncate());
            });
        });
        let model = visible(
            found
                .model
                .rsplit(['/', '\\'])
                .next()
                .unwrap_or(&found.model),
        );
        let about = words::about(&model, &visible(&found.source), found.questions);
        one_line(ui, styled(about, Type::Caption).color(palette(ui).muted));
    });
}

fn trouble(ui: &mut Ui, state: &State, found: &Comparison, actions: &mut Actions) {
    let can = state.compare.can_go_on();
    let mut go_on = |ui: &mut Ui| {
        if can {
            let pressed = primary_button(ui, Ok(words::GO_ON), 0.0);
            if pressed.on_hover_text(words::GO_ON_HELP).clicked() {
                act(actions, CompareAction::GoOn);
            }
        }
    };
    match &found.standing {
        Standing::Failed(problem) => {
            let message = excerpt(&problem.message, MOST);
            banner(ui, Tone::Danger, &message, &words::hint(problem), go_on);
        }
        Standing::Stopped => {
            let message = match found.made_way {
                true => words::MADE_WAY,
                false => words::STOPPED,
            };
            let help = match (found.can_go_on(), state.compare.beside) {
                (false, _) => words::STOPPED_ELSEWHERE,
                (true, crate::state::chat::Beside::NotNow) => words::NOT_NOW_HELP,
                (true, _) => words::STOPPED_HELP,
            };
            banner(ui, Tone::Warning, message, help, &mut go_on);
        }
        _ => {}
    }
}

fn way(ui: &mut Ui, found: &Comparison) {
    match (&found.standing, &found.matched, &found.progress) {
        (Standing::Training | Standing::Stopping, Some(matched), None) => training(ui, matched),
        (_, _, Some(so_far)) => {
            for (variant, so_far) in found.variants.iter().zip(&so_far.variants) {
                let name = visible(&variant.name);
                let mut told = words::done_of(so_far.done, so_far.total);
                if let Some(speed) = so_far.tokens_per_second {
                    told = format!("{told} · {}", words::speed(speed));
                }
                let label = words::variant_progress(&name, so_far.done, so_far.total);
                let share = so_far.done as f32 / so_far.total.max(1) as f32;
                bar(ui, &name, &told, &label, Some(share));
            }
            if let Some(secs) = so_far.remaining_secs {
                caption(ui, words::left(secs));
            }
        }
        _ => {
            progress(ui, words::standing(&found.standing), None);
        }
    }
    if found.kept > 0 {
        caption(ui, words::kept(found.kept));
    }
}

/// A name, how far it is, and what is said of that.
fn bar(ui: &mut Ui, name: &str, told: &str, label: &str, share: Option<f32>) {
    let line = vec2(ui.available_width(), 20.0);
    ui.allocate_ui_with_layout(line, Layout::left_to_right(Align::Center), |ui| {
        ui.allocate_ui_with_layout(
            vec2(NAME, 20.0),
            Layout::left_to_right(Align::Center),
            |ui| {
                ui.set_width(NAME);
                one_line(ui, styled(name, Type::Strong));
            },
        );
        let width = (ui.available_width() - SPEED - space::S).max(40.0);
        ui.scope(|ui| {
            ui.set_width(width);
            progress(ui, label, share);
        });
        one_line(ui, styled(told, Type::Caption).color(palette(ui).muted));
    });
}

fn training(ui: &mut Ui, matched: &MatchedProgress) {
    let runs_ = &matched.runs.runs;
    let (place, name) = match matched.at.and_then(|at| Some((at, runs_.get(at)?))) {
        Some((at, run)) => (at, visible(&run.name)),
        None => (0, String::new()),
    };
    let title = words::run_of((place + 1).min(runs_.len()), runs_.len(), &name);
    one_line(ui, styled(&title, Type::Strong));
    progress(ui, &title, Some(matched.share()));
    let mut parts = Vec::new();
    if let Some(phase) = matched.phase {
        parts.push(runs::phase(phase).to_owned());
    }
    if matched.step > 0 || matched.total > 0 {
        parts.push(words::step_of(matched.step, matched.total));
    }
    parts.extend(matched.loss.map(words::loss));
    parts.extend(matched.held_out.map(words::held_out));
    caption(ui, parts.join(" · "));
    if !matched.runs.parameters_match {
        caption(ui, words::SIZES_DO_NOT_MATCH);
    }
}

fn buttons(ui: &mut Ui, state: &State, found: &Comparison, actions: &mut Actions) {
    ui.horizontal_wrapped(|ui| {
        match &found.standing {
            Standing::Stopping => {
                let end = quiet_button(ui, icons::STOP, words::END_NOW);
                if end.on_hover_text(words::END_NOW_HELP).clicked() {
                    act(actions, CompareAction::EndNow);
                }
            }
            _ if found.is_on() => {
                let stop = button(ui, icons::STOP, words::STOP);
                if stop.on_hover_text(words::STOP_HELP).clicked() {
                    act(actions, CompareAction::Stop);
                }
            }
            _ => {}
        }
        for kind in SavedAs::ALL {
            if found.can_save(kind) {
                let save = button(ui, icons::EXPORT, words::save(kind));
                if save.on_hover_text(words::save_help(kind)).clicked() {
                    act(actions, CompareAction::Save(kind));
                }
            }
        }
        let is_there = found.kept + found.given() > 0 || !found.is_on();
        if let Some(folder) = found.folder.as_ref().filter(|_| is_there) {
            if quiet_button(ui, icons::FOLDER_OPEN, words::SHOW).clicked() {
                actions.push(Action::Show(folder.clone()));
            }
            if !found.is_on() && icon_button(ui, icons::DELETE, words::DELETE).clicked() {
                let ask = KeptAction::AskToDelete(folder.clone());
                act(actions, CompareAction::Kept(ask));
            }
        }
    });
    if let Some(path) = &state.compare.kept.saved {
        let path = visible(&path.display().to_string());
        let color = palette(ui).success;
        ui.horizontal(|ui| {
            ui.label(styled(icons::CHECK, Type::Caption).color(color));
            one_line(ui, styled(words::saved(&path), Type::Caption).color(color));
        });
    }
}
