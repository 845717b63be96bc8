//! What a comparison is to ask, in cards, with the one button below.

use egui::emath::GuiRounding as _;
use egui::{
    Align, Checkbox, Layout, Rect, Role, ScrollArea, Sense, Ui, UiBuilder, Vec2, WidgetInfo, vec2,
};

use super::super::model_menu::{self, ModelMenu, Wanted};
use super::super::{Actions, beside_a_run};
use super::act;
use crate::state::State;
use crate::state::chat::sampling::{SamplerField, SamplerWrong};
use crate::state::compare::CompareAction;
use crate::state::compare::asking::{AskingAction, Questions, Way, name_of};
use crate::state::compare::matched::MatchedAction;
use crate::state::runs::run::Run;
use crate::text::{excerpt, visible};
use crate::theme::size::PRIMARY_HEIGHT;
use crate::theme::{CONTROL_HEIGHT, Type, icons, palette, space};
use crate::widgets::{
    Choice, Hint, button, caption, card, dropdown, field, follow_focus, number_field, one_line,
    primary_button, quiet_button, segmented, styled, switch,
};
use crate::words::chat::{sampler_empty, sampler_help, sampler_label, sampler_wrong};
use crate::words::compare as words;

/// What a run that trains means for a comparison.
const BESIDE: (&str, &str) = (words::SLOWER, words::NOT_NOW_HELP);
/// Runs of other models that are named.
const OTHERS: usize = 12;
/// Wider than this a line of text is hard to follow.
const WIDEST: f32 = 900.0;
/// Fields of the sampler beside each other.
const COLUMNS: usize = 3;
/// The list of runs is scrolled where it is taller.
const RUNS: f32 = 240.0;

/// Draws it.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let page = ui.available_rect_before_wrap();
    let (above, below) = page.split_top_bottom_at_y(page.bottom() - PRIMARY_HEIGHT - space::M);
    part(ui, "asking", above, |ui| {
        ScrollArea::vertical()
            .id_salt("asking")
            .auto_shrink(false)
            .show(ui, |ui| {
                ui.set_width((ui.available_width() - space::XS).min(WIDEST));
                ui.spacing_mut().item_spacing.y = space::M;
                caption(ui, words::TEXT);
                beside_a_run::show(ui, state.compare.beside, BESIDE, actions);
                way(ui, state, actions);
                model(ui, state, actions);
                match state.compare.asking.way {
                    Way::Runs => runs(ui, state, actions),
                    Way::Matched => training(ui, state, actions),
                }
                questions(ui, state, actions);
                settings(ui, state, actions);
                follow_focus(ui);
            });
    });
    let below = below.with_min_y(below.top() + space::M);
    part(ui, "start", below, |ui| {
        let label = words::primary(state.compare.ready());
        let label = label
            .as_ref()
            .map(String::as_str)
            .map_err(|missing| *missing);
        let width = (ui.available_width() - space::XS).min(WIDEST);
        if primary_button(ui, label, width).clicked() {
            act(actions, CompareAction::Start);
        }
    });
    ui.advance_cursor_after_rect(page);
}

/// Draws in this part of the page.
fn part(ui: &mut Ui, name: &str, rect: egui::Rect, content: impl FnOnce(&mut Ui)) {
    let rect = rect.round_ui();
    let layout = Layout::top_down(Align::Min);
    let mut ui = ui.new_child(UiBuilder::new().id_salt(name).max_rect(rect).layout(layout));
    ui.shrink_clip_rect(rect);
    content(&mut ui);
}

fn set(actions: &mut Actions, action: AskingAction) {
    act(actions, CompareAction::Asking(action));
}

fn way(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let [runs, matched] = words::WAYS;
    let choices = [
        Choice::new(Way::Runs, runs).with_help(words::RUNS_HELP),
        Choice::new(Way::Matched, matched).with_help(words::MATCHED_HELP),
    ];
    if let Some(way) = segmented(ui, words::WAY, &state.compare.asking.way, &choices) {
        set(actions, AskingAction::Way(way));
    }
    if state.compare.asking.way == Way::Matched {
        caption(ui, words::MATCHED_HELP);
    }
}

fn model(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let asking = &state.compare.asking;
    card(ui, icons::MODEL, words::MODEL, |ui| {
        let menu = ModelMenu {
            target: &asking.model,
            search: &asking.search,
            typed: &asking.typed,
        };
        for wanted in model_menu::show(ui, state, &menu) {
            let action = match wanted {
                Wanted::Choose(target) => AskingAction::Model(target),
                Wanted::Search(text) => AskingAction::SearchModels(text),
                Wanted::Type(path) => AskingAction::TypeModel(path),
                Wanted::UseTyped => AskingAction::UseTypedModel,
            };
            set(actions, action);
        }
    });
}

fn runs(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let asking = &state.compare.asking;
    card(ui, icons::RUNS, words::RUNS, |ui| {
        ui.spacing_mut().item_spacing.y = space::S;
        let (fit, others): (Vec<&Run>, Vec<&Run>) =
            { state.runs.runs.iter() }.partition(|run| asking.unfit(run).is_none());
        match fit.is_empty() {
            true => caption(ui, words::NO_RUNS),
            false => caption(ui, words::RUNS_HELP),
        };
        ScrollArea::vertical()
            .id_salt("compared-runs")
            .max_height(RUNS)
            .auto_shrink([false, true])
            .show(ui, |ui| {
                for run in fit {
                    tick(ui, state, run, actions);
                }
                for run in others.into_iter().take(OTHERS) {
                    if let Some(unfit) = asking.unfit(run) {
                        cannot(ui, run, words::unfit(unfit));
                    }
                }
                follow_focus(ui);
            });
        baseline(ui, state, actions);
    });
}

fn tick(ui: &mut Ui, state: &State, run: &Run, actions: &mut Actions) {
    let Some(folder) = &run.folder else {
        return;
    };
    let mut ticked = state.compare.asking.ticked.contains(folder);
    // Wherever in the line it is pressed; by keyboard it is the box.
    let place = Rect::from_min_size(ui.cursor().min, line_size(ui));
    let pressed = ui.interact(place, ui.scope_id().with(("tick", folder)), Sense::CLICK);
    if pressed.clicked() {
        set(actions, AskingAction::Tick(folder.clone()));
    }
    line(ui, |ui| {
        ui.style_mut().interaction.selectable_labels = false;
        let label = words::tick(&run.name);
        let checkbox = ui.add(Checkbox::without_text(&mut ticked));
        checkbox.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, ticked, &label));
        if checkbox.clicked() {
            set(actions, AskingAction::Tick(folder.clone()));
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let method = run.config.method.title();
            ui.label(styled(method, Type::Caption).color(palette(ui).muted));
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                one_line(ui, styled(&run.name, Type::Body));
            });
        });
    });
}

fn cannot(ui: &mut Ui, run: &Run, reason: &str) {
    let faint = palette(ui).faint;
    let name = match run.name.is_empty() {
        true => crate::words::runs::NEW_RUN,
        false => &run.name,
    };
    line(ui, |ui| {
        ui.add_enabled_ui(false, |ui| {
            let checkbox = ui.add(Checkbox::without_text(&mut false));
            let label = words::cannot_tick(name, reason);
            checkbox.widget_info(|| WidgetInfo::selected(Role::CheckBox, false, false, &label));
        });
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.label(styled(reason, Type::Caption).color(faint));
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                one_line(ui, styled(name, Type::Body).color(faint));
            });
        });
    });
}

fn line(ui: &mut Ui, content: impl FnOnce(&mut Ui)) {
    let layout = Layout::left_to_right(Align::Center);
    ui.allocate_ui_with_layout(line_size(ui), layout, content);
}

fn line_size(ui: &Ui) -> Vec2 {
    vec2(ui.available_width() - space::S, CONTROL_HEIGHT - 6.0)
}

fn baseline(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let asking = &state.compare.asking;
    if asking.ticked.is_empty() {
        return;
    }
    let mut choices = vec![Choice::new(
        stepladder_protocol::BASE.to_owned(),
        words::BASE,
    )];
    choices.extend({ asking.ticked.iter() }.map(|folder| {
        let name = name_of(folder);
        Choice::new(name.clone(), visible(&name))
    }));
    field(
        ui,
        words::BASELINE,
        Hint::Help(words::BASELINE_HELP),
        |ui| {
            let width = ui.available_width().min(360.0);
            if let Some(name) = dropdown(ui, words::BASELINE, &asking.baseline, &choices, width) {
                set(actions, AskingAction::Baseline(name));
            }
        },
    );
}

/// A field that is typed, with what is wrong beside it.
fn typed(
    ui: &mut Ui,
    (label, help, empty): (&str, &str, &str),
    text: &str,
    wrong: Option<SamplerWrong>,
) -> Option<String> {
    let wrong = wrong.map(sampler_wrong);
    let hint = match &wrong {
        Some(problem) => Hint::ProblemAndHelp(problem, help),
        None => Hint::Help(help),
    };
    field(ui, label, hint, |ui| {
        let width = ui.available_width() - 2.0 * space::S;
        number_field(ui, label, text, empty, width)
    })
}

fn training(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let training = &state.compare.asking.matched;
    let matched = |action| AskingAction::Matched(action);
    card(ui, icons::METHOD, words::TRAINING, |ui| {
        field(ui, words::DATA, Hint::Help(words::DATA_HELP), |ui| {
            let name = match &training.data {
                Some(path) => excerpt(path, 300),
                None => words::BUILTIN_DATA.to_owned(),
            };
            one_line(ui, styled(name, Type::Body));
            ui.horizontal(|ui| {
                if button(ui, icons::FILE, words::CHOOSE_FILE).clicked() {
                    set(actions, matched(MatchedAction::PickData));
                }
                if training.data.is_some()
                    && quiet_button(ui, icons::RESET, words::BUILTIN_DATA).clicked()
                {
                    set(actions, matched(MatchedAction::BuiltinData));
                }
            });
        });
        ui.columns(COLUMNS, |columns| {
            let [seeds, steps, quick] = columns else {
                return;
            };
            let what = (words::SEEDS, words::SEEDS_HELP, words::SEEDS_EMPTY);
            if let Some(text) = typed(seeds, what, &training.seeds, training.seeds().err()) {
                set(actions, matched(MatchedAction::Seeds(text)));
            }
            let what = (words::STEPS, words::STEPS_HELP, words::STEPS_EMPTY);
            if let Some(text) = typed(steps, what, &training.steps, training.steps().err()) {
                set(actions, matched(MatchedAction::Steps(text)));
            }
            field(quick, words::QUICK, Hint::Help(words::QUICK_HELP), |ui| {
                if let Some(quick) = switch(ui, words::QUICK, training.quick) {
                    set(actions, matched(MatchedAction::Quick(quick)));
                }
            });
        });
    });
}

fn questions(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let asking = &state.compare.asking;
    card(ui, icons::DATASET, words::QUESTIONS, |ui| {
        let [builtin, held_out, file] = words::QUESTION_CHOICES;
        let path = match &asking.questions {
            Questions::File(path) => path.clone(),
            _ => String::new(),
        };
        let mut choices = vec![Choice::new(Questions::Builtin, builtin)];
        if !asking.is_builtin() {
            choices.push(Choice::new(Questions::HeldOut, held_out));
        }
        choices.push(Choice::new(Questions::File(path), file));
        if let Some(questions) = segmented(ui, words::QUESTIONS, &asking.questions, &choices) {
            set(actions, AskingAction::Questions(questions));
        }
        let place = match &asking.questions {
            Questions::Builtin => 0,
            Questions::HeldOut => 1,
            Questions::File(_) => 2,
        };
        caption(ui, words::QUESTION_HELP[place]);
        if asking.is_builtin() {
            caption(ui, words::NO_HELD_OUT);
        }
        if let Questions::File(path) = &asking.questions {
            ui.horizontal(|ui| {
                if button(ui, icons::FILE, words::CHOOSE_FILE).clicked() {
                    set(actions, AskingAction::PickQuestions);
                }
                let (text, color) = match path.is_empty() {
                    true => (words::NO_FILE.to_owned(), palette(ui).muted),
                    false => (excerpt(path, 300), palette(ui).text),
                };
                one_line(ui, styled(text, Type::Body).color(color));
            });
        }
    });
}

fn settings(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let asking = &state.compare.asking;
    card(ui, icons::SAMPLER, words::SETTINGS, |ui| {
        ui.columns(COLUMNS, |columns| {
            let [limit, seed, tokens] = columns else {
                return;
            };
            let what = (words::LIMIT, words::LIMIT_HELP, words::LIMIT_EMPTY);
            if let Some(text) = typed(limit, what, &asking.limit, asking.limit().err()) {
                set(actions, AskingAction::Limit(text));
            }
            let what = (words::SEED, words::SEED_HELP, words::SEED_EMPTY);
            sampler(seed, state, SamplerField::Seed, what, actions);
            let what = (
                words::MOST_TOKENS,
                words::MOST_TOKENS_HELP,
                words::MOST_TOKENS_EMPTY,
            );
            sampler(tokens, state, SamplerField::MaxTokens, what, actions);
        });
        let is_wrong = |which: &SamplerField| asking.sampling.wrong(*which).is_some();
        let folded = SamplerField::ALL
            .into_iter()
            .filter(|which| !matches!(which, SamplerField::Seed | SamplerField::MaxTokens));
        let folded: Vec<SamplerField> = folded.collect();
        // What is wrong is not hidden.
        let unfolded = asking.unfolded || folded.iter().any(is_wrong);
        let icon = match unfolded {
            true => icons::DOWN,
            false => icons::RIGHT,
        };
        if quiet_button(ui, icon, words::SAMPLER).clicked() {
            set(actions, AskingAction::Fold);
        }
        if unfolded {
            for row in folded.chunks(COLUMNS) {
                ui.columns(COLUMNS, |columns| {
                    for (ui, which) in columns.iter_mut().zip(row) {
                        let what = (
                            sampler_label(*which),
                            sampler_help(*which),
                            sampler_empty(*which),
                        );
                        sampler(ui, state, *which, what, actions);
                    }
                });
            }
        }
    });
}

fn sampler(
    ui: &mut Ui,
    state: &State,
    which: SamplerField,
    what: (&str, &str, &str),
    actions: &mut Actions,
) {
    let sampling = &state.compare.asking.sampling;
    if let Some(text) = typed(ui, what, sampling.text(which), sampling.wrong(which)) {
        set(actions, AskingAction::Sample(which, text));
    }
}
