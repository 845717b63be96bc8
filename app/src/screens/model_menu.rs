//! The list of models: built-in, found on this machine, or by path.

use egui::{
    Align, Button, Key, Layout, Popup, PopupCloseBehavior, Role, ScrollArea, Sense, Ui, WidgetInfo,
    vec2,
};
use stepladder_protocol::FoundModel;

use crate::state::State;
use crate::state::setup::BUILTIN;
use crate::text::{bytes, excerpt};
use crate::theme::{CONTROL_HEIGHT, Type, icons, palette, space};
use crate::widgets::{button, caption, follow_focus, one_line, styled, text_field};
use crate::words::{fine_tune as words, models};

/// Models that are drawn; a search finds the others.
const MOST: usize = 200;
/// From so many on there is a search.
const MANY: usize = 6;
/// A name's part of the width where a reason stands beside it.
const NAME_SHARE: f32 = 0.55;
/// Characters of a name or a reason.
const CHARACTERS: usize = 200;

/// What a page knows of its model.
pub struct ModelMenu<'a> {
    /// The model that is chosen, by what `--model` takes.
    pub target: &'a str,
    /// What is searched for.
    pub search: &'a str,
    /// A path as it is being typed.
    pub typed: &'a str,
}

/// What the user wants of the list.
pub enum Wanted {
    /// This model.
    Choose(String),
    /// Those with this in their names.
    Search(String),
    /// A path that is being typed.
    Type(String),
    /// The path that was typed.
    UseTyped,
}

/// Draws the button with the model's name over the available width, and the list where it is open.
pub fn show(ui: &mut Ui, state: &State, menu: &ModelMenu<'_>) -> Vec<Wanted> {
    let name = name(state, menu.target);
    let width = ui.available_width();
    let mut wanted = Vec::new();
    let label = styled(&name, Type::Strong);
    let arrow = styled(icons::DOWN, Type::Body).color(palette(ui).muted);
    let response = ui.add(
        Button::new(label)
            .right_text(arrow)
            .truncate()
            .min_size(vec2(width, CONTROL_HEIGHT + 4.0)),
    );
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ComboBox, true, words::CHOOSE_MODEL);
        info.current_text_value = Some(name.clone());
        info
    });
    let response = match menu.target {
        "" | BUILTIN => response,
        path => response.on_hover_text(excerpt(path, 1000)),
    };
    Popup::menu(&response)
        .close_behavior(PopupCloseBehavior::CloseOnClickOutside)
        .width(width)
        .show(|ui| list(ui, state, menu, &mut wanted));
    wanted
}

/// What a model is called that `--model` takes by this.
pub fn name(state: &State, target: &str) -> String {
    if target == BUILTIN {
        return words::BUILTIN_MODEL.to_owned();
    }
    if target.is_empty() {
        return words::CHOOSE_MODEL.to_owned();
    }
    let found = state
        .models
        .found
        .models
        .iter()
        .find(|model| model.target == target);
    match found {
        Some(model) => models::name(model),
        None => excerpt(last_part(target), CHARACTERS),
    }
}

/// The folder or file that a path ends in.
fn last_part(path: &str) -> &str {
    let part = path
        .trim_end_matches(['/', '\\'])
        .rsplit(['/', '\\'])
        .next();
    part.unwrap_or(path)
}

fn list(ui: &mut Ui, state: &State, menu: &ModelMenu<'_>, wants: &mut Vec<Wanted>) {
    ui.set_min_width(ui.available_width());
    let found = &state.models.found.models;
    let search = menu.search;
    if found.len() > MANY || !search.is_empty() {
        let mut typed = search.to_owned();
        let width = ui.available_width();
        let field = text_field(
            ui,
            words::SEARCH_MODELS,
            &mut typed,
            words::SEARCH_MODELS,
            width,
        );
        if field.changed() {
            wants.push(Wanted::Search(typed));
        }
    }
    let wanted = search.trim().to_lowercase();
    let is_wanted =
        |model: &&FoundModel| wanted.is_empty() || model.name.to_lowercase().contains(&wanted);
    ScrollArea::vertical().max_height(320.0).show(ui, |ui| {
        let mut source = None;
        let mut shown = 0;
        if !found.iter().any(|model| model.target == BUILTIN) && wanted.is_empty() {
            let is_chosen = menu.target == BUILTIN;
            if row(ui, (words::BUILTIN_MODEL, "", None), is_chosen) {
                choose(ui, BUILTIN.to_owned(), wants);
            }
        }
        for model in found.iter().filter(is_wanted).take(MOST) {
            if source != Some(model.source) {
                source = Some(model.source);
                ui.add_space(space::XS);
                let faint = palette(ui).faint;
                ui.label(styled(words::source(model.source), Type::Caption).color(faint));
            }
            shown += 1;
            let name = models::name(model);
            let problem = { model.problem.as_ref() }.map(|problem| excerpt(problem, CHARACTERS));
            let is_chosen = model.target == menu.target;
            let what = (name.as_str(), &*bytes(model.bytes), problem.as_deref());
            if row(ui, what, is_chosen) {
                choose(ui, model.target.clone(), wants);
            }
        }
        if shown == MOST {
            caption(ui, words::MORE_MODELS);
        } else if shown == 0 && !wanted.is_empty() {
            caption(ui, words::NO_MATCH);
        }
        if state.models.searching {
            caption(ui, words::SEARCHING);
        }
        follow_focus(ui);
    });
    ui.separator();
    path_field(ui, menu, wants);
}

fn choose(ui: &Ui, target: String, wants: &mut Vec<Wanted>) {
    wants.push(Wanted::Search(String::new()));
    wants.push(Wanted::Choose(target));
    ui.close();
}

/// A model's name, its size, and why it cannot be chosen; whether it was.
fn row(ui: &mut Ui, (name, size, problem): (&str, &str, Option<&str>), is_chosen: bool) -> bool {
    let colors = palette(ui);
    let can_be_chosen = problem.is_none();
    let width = ui.available_width();
    let (rect, response) = ui.allocate_exact_size(vec2(width, 28.0), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Button, can_be_chosen, is_chosen, name));
    let fill = match (
        is_chosen,
        can_be_chosen && (response.hovered() || response.has_focus()),
    ) {
        (true, _) => colors.accent_soft,
        (_, true) => colors.hover,
        _ => egui::Color32::TRANSPARENT,
    };
    ui.painter().rect_filled(rect, 4.0, fill);
    let inner = rect.shrink2(vec2(space::S, 0.0));
    let layout = Layout::right_to_left(Align::Center);
    ui.scope_builder(
        egui::UiBuilder::new().max_rect(inner).layout(layout),
        |ui| {
            ui.style_mut().interaction.selectable_labels = false;
            ui.label(styled(size, Type::Caption).color(colors.muted));
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                let color = if can_be_chosen {
                    colors.text
                } else {
                    colors.faint
                };
                let room = ui.available_width();
                ui.scope(|ui| {
                    if problem.is_some() {
                        ui.set_max_width(room * NAME_SHARE);
                    }
                    one_line(ui, styled(name, Type::Body).color(color));
                });
                if let Some(problem) = problem {
                    one_line(ui, styled(problem, Type::Caption).color(colors.faint));
                }
            });
        },
    );
    let response = match problem {
        Some(problem) => response.on_hover_text(problem),
        None => response,
    };
    response.clicked() && can_be_chosen
}

fn path_field(ui: &mut Ui, menu: &ModelMenu<'_>, wants: &mut Vec<Wanted>) {
    ui.horizontal(|ui| {
        let mut typed = menu.typed.to_owned();
        let width = (ui.available_width() - 110.0).max(80.0);
        let field = text_field(ui, words::MODEL_PATH, &mut typed, words::MODEL_PATH, width);
        if field.changed() {
            wants.push(Wanted::Type(typed));
        }
        let entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        if button(ui, "", words::USE_PATH).clicked() || entered {
            wants.push(Wanted::UseTyped);
            ui.close();
        }
    });
}
