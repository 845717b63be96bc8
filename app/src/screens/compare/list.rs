//! The list of comparisons: the latest first; the one that is shown can be deleted.

use std::path::Path;

use egui::{
    Align, Color32, CornerRadius, Layout, Role, ScrollArea, Sense, Ui, UiBuilder, WidgetInfo, vec2,
};

use super::super::Actions;
use super::act;
use crate::state::State;
use crate::state::compare::asking::name_of;
use crate::state::compare::{CompareAction, KeptAction, Shown};
use crate::text::visible;
use crate::theme::size::COMPARISON_HEIGHT;
use crate::theme::{ROW_RADIUS, Type, icons, palette, space};
use crate::widgets::{
    Tone, banner, caption, follow_focus, icon_button, one_line, quiet_button, ring_radius, styled,
};
use crate::words::{compare as words, runs};

/// Draws it.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let compare = &state.compare;
    let kept = &compare.kept;
    ui.spacing_mut().item_spacing.y = space::XS;
    ui.horizontal(|ui| {
        ui.add_space(space::S);
        ui.heading(styled(words::LIST, Type::Heading));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if icon_button(ui, icons::REFRESH, words::REREAD).clicked() {
                act(actions, CompareAction::Kept(KeptAction::Reread));
            }
        });
    });
    if compare.shown != Shown::Asking && quiet_button(ui, icons::ADD, words::NEW).clicked() {
        act(actions, CompareAction::Kept(KeptAction::New));
    }
    if let Some(problem) = &kept.problem {
        banner(ui, Tone::Warning, words::LIST_FAILED, problem, |_| {});
    }
    ScrollArea::vertical()
        .id_salt("comparisons")
        .auto_shrink(false)
        .show(ui, |ui| {
            let at_work = compare.at_work.as_ref();
            let at_folder = at_work.and_then(|found| found.folder.as_deref());
            let shown = compare
                .comparison()
                .and_then(|found| found.folder.as_deref());
            let is_listed = |folder: Option<&Path>| {
                folder.is_some_and(|folder| kept.entries.iter().any(|entry| entry.folder == folder))
            };
            if let Some(found) = at_work.filter(|_| !is_listed(at_folder)) {
                let row = Row {
                    folder: None,
                    name: short(super::name(found)).to_owned(),
                    state: words::standing(&found.standing),
                    tone: super::head::tone(&found.standing),
                    about: words::variants(found.variants.len()),
                    is_shown: compare.shown == Shown::AtWork,
                };
                show_row(ui, &row, actions);
            }
            for entry in &kept.entries {
                let live = at_work.filter(|_| at_folder == Some(entry.folder.as_path()));
                let (standing, tone) = match live {
                    Some(found) => (
                        words::standing(&found.standing),
                        super::head::tone(&found.standing),
                    ),
                    None => (words::entry_state(entry.state), tone_of(entry.state)),
                };
                let age = runs::age(state.now - entry.changed_at);
                let about = match words::variants(entry.variants.len()) {
                    none if none.is_empty() => age,
                    variants => format!("{variants} · {age}"),
                };
                let row = Row {
                    folder: Some(&entry.folder),
                    name: visible(short(&name_of(&entry.folder))),
                    state: standing,
                    tone,
                    about,
                    is_shown: shown == Some(entry.folder.as_path()),
                };
                show_row(ui, &row, actions);
            }
            if kept.entries.is_empty() && at_work.is_none() {
                ui.add_space(space::S);
                caption(ui, words::NONE_KEPT);
            }
            if kept.left_out > 0 {
                caption(ui, words::left_out(kept.left_out));
            }
            follow_focus(ui);
        });
}

fn tone_of(state: crate::state::compare::stored::EntryState) -> Tone {
    use crate::state::compare::stored::EntryState;
    match state {
        EntryState::Finished => Tone::Success,
        EntryState::Stopped => Tone::Warning,
        EntryState::Elsewhere => Tone::Accent,
    }
}

/// A name of ours without what all of them end in: there is no room for both.
fn short(name: &str) -> &str {
    let endings = ["-compare", "-matched"];
    { endings.iter() }
        .find_map(|ending| name.strip_suffix(ending))
        .filter(|name| !name.is_empty())
        .unwrap_or(name)
}

struct Row<'a> {
    /// None: the one that the worker is at.
    folder: Option<&'a Path>,
    name: String,
    state: &'static str,
    tone: Tone,
    about: String,
    is_shown: bool,
}

fn show_row(ui: &mut Ui, row: &Row<'_>, actions: &mut Actions) {
    let colors = palette(ui);
    let size = vec2(ui.available_width(), COMPARISON_HEIGHT);
    let (rect, _) = ui.allocate_exact_size(size, Sense::hover());
    let id = ui.scope_id().with(("comparison", row.folder));
    let response = ui.interact(rect, id, Sense::click());
    ring_radius(&response, ROW_RADIUS);
    response.widget_info(|| {
        let label = words::entry(&row.name, row.state, &row.about);
        WidgetInfo::selected(Role::ListItem, true, row.is_shown, label)
    });
    let fill = match (row.is_shown, response.hovered()) {
        (true, _) => colors.accent_soft,
        (false, true) => colors.hover,
        (false, false) => Color32::TRANSPARENT,
    };
    ui.painter()
        .rect_filled(rect, CornerRadius::same(ROW_RADIUS), fill);
    let inside = rect.shrink2(vec2(space::S, space::XS));
    let layout = Layout::top_down(Align::Min);
    // A child of its own: the next row stands below this one, not below its words.
    let mut place = ui.new_child(UiBuilder::new().max_rect(inside).layout(layout));
    place.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        ui.style_mut().interaction.selectable_labels = false;
        one_line(ui, styled(&row.name, Type::Strong));
        one_line(
            ui,
            styled(row.state, Type::Caption).color(row.tone.color(colors)),
        );
        one_line(ui, styled(&row.about, Type::Caption).color(colors.muted));
    });
    if response.on_hover_text(&row.name).clicked() {
        let action = match row.folder {
            Some(folder) => KeptAction::Open(folder.to_path_buf()),
            None => KeptAction::AtWork,
        };
        act(actions, CompareAction::Kept(action));
    }
}
