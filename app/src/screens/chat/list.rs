//! The list of conversations: the latest first. Each can be opened, renamed and deleted: with the buttons
//! on it, its menu, or the keys that do the same to a run.

use egui::{
    Align, Color32, CornerRadius, Key, Layout, Modifiers, Response, Role, ScrollArea, Sense, Ui,
    UiBuilder, WidgetInfo, vec2,
};

use super::super::Actions;
use super::act;
use crate::state::State;
use crate::state::chat::ChatAction;
use crate::state::chat::kept::{KeptAction, Naming};
use crate::state::chat::stored::Entry;
use crate::text::visible;
use crate::theme::size::CONVERSATION_HEIGHT;
use crate::theme::{ROW_RADIUS, Type, icons, palette, space};
use crate::widgets::{
    caption, follow_focus, icon_button, one_line, quiet_button, ring_radius, styled, text_field,
};
use crate::words::{chat as words, runs};

/// Draws it.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let kept = &state.chat.kept;
    ui.spacing_mut().item_spacing.y = space::XS;
    ui.horizontal(|ui| {
        ui.add_space(space::S);
        ui.heading(styled(words::CONVERSATIONS, Type::Heading));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if icon_button(ui, icons::WRITE, words::NEW).clicked() {
                act(actions, ChatAction::Kept(KeptAction::New));
            }
        });
    });
    if kept.reading.is_some() {
        caption(ui, words::READING);
    }
    ScrollArea::vertical()
        .id_salt("conversations")
        .auto_shrink(false)
        .show(ui, |ui| {
            if kept.open.is_none() {
                let entry = Entry {
                    id: String::new(),
                    title: words::NEW.to_owned(),
                    changed_at: state.now,
                };
                row(ui, state, &entry, actions);
            }
            for entry in &kept.entries {
                let naming_it = |naming: &&Naming| naming.id == entry.id;
                match kept.naming.as_ref().filter(naming_it) {
                    Some(name) => naming(ui, &name.text, actions),
                    None => row(ui, state, entry, actions),
                }
            }
            if kept.entries.is_empty() {
                ui.add_space(space::S);
                caption(ui, words::NONE_KEPT);
            }
            if kept.left_out > 0 {
                caption(ui, words::left_out(kept.left_out));
            }
            follow_focus(ui);
        });
}

fn row(ui: &mut Ui, state: &State, entry: &Entry, actions: &mut Actions) {
    let colors = palette(ui);
    let is_open = match &state.chat.kept.open {
        Some(open) => *open == entry.id,
        None => entry.id.is_empty(),
    };
    let is_kept = !entry.id.is_empty();
    let title = visible(&entry.title);
    let age = match is_kept {
        true => runs::age(state.now - entry.changed_at),
        false => String::new(),
    };
    let size = vec2(ui.available_width(), CONVERSATION_HEIGHT);
    let (rect, _) = ui.allocate_exact_size(size, Sense::hover());
    let response = ui.interact(
        rect,
        ui.scope_id().with(("conversation", &entry.id)),
        Sense::click(),
    );
    ring_radius(&response, ROW_RADIUS);
    response.widget_info(|| {
        let label = match is_kept {
            true => words::entry(&title, &age),
            false => title.clone(),
        };
        WidgetInfo::selected(Role::ListItem, true, is_open, label)
    });
    let fill = match (is_open, response.hovered()) {
        (true, _) => colors.accent_soft,
        (false, true) => colors.hover,
        (false, false) => Color32::TRANSPARENT,
    };
    ui.painter()
        .rect_filled(rect, CornerRadius::same(ROW_RADIUS), fill);
    let inside = rect.shrink2(vec2(space::S, space::XS));
    let layout = Layout::right_to_left(Align::Center);
    // A child of its own: the next row stands below this one, not below its words.
    let mut place = ui.new_child(UiBuilder::new().max_rect(inside).layout(layout));
    place.scope(|ui| {
        ui.spacing_mut().item_spacing.x = 0.0;
        ui.style_mut().interaction.selectable_labels = false;
        let was_within = ui.data(|data| data.get_temp(response.id)).unwrap_or(false);
        let mut is_within = response.has_focus();
        let pointed = ui.rect_contains_pointer(rect);
        if is_kept && (is_open || pointed || is_within || was_within) {
            for what in [Offered::Delete, Offered::Rename] {
                let button = icon_button(ui, what.icon(), &what.label(is_open, &title));
                is_within |= button.has_focus();
                if button.clicked() {
                    act(actions, what.of(entry));
                }
            }
        }
        // The keyboard leads from a row to its buttons, which are there a moment longer for it.
        ui.data_mut(|data| data.insert_temp(response.id, is_within));
        ui.with_layout(Layout::top_down(Align::Min), |ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            let mut lines = ui.text_style_height(&Type::Strong.style());
            if is_kept {
                lines += ui.text_style_height(&Type::Caption.style());
            }
            ui.add_space(((inside.height() - lines) / 2.0).max(0.0));
            one_line(ui, styled(&title, Type::Strong));
            if is_kept {
                one_line(ui, styled(&age, Type::Caption).color(colors.muted));
            }
        });
    });
    if is_kept {
        keys_and_menu(&response, entry, actions);
    }
    if response.clicked() && is_kept {
        let id = entry.id.clone();
        act(actions, ChatAction::Kept(KeptAction::Open(id)));
    }
}

/// What can be done with a conversation.
#[derive(Clone, Copy)]
enum Offered {
    Rename,
    Delete,
}

impl Offered {
    fn icon(self) -> &'static str {
        match self {
            Self::Rename => icons::RENAME,
            Self::Delete => icons::DELETE,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Rename => words::RENAME,
            Self::Delete => words::DELETE,
        }
    }

    /// Which conversation it is about is said unless it is the open one.
    fn label(self, is_open: bool, title: &str) -> String {
        match is_open {
            true => self.words().to_owned(),
            false => words::about(self.words(), title),
        }
    }

    fn of(self, entry: &Entry) -> ChatAction {
        let id = entry.id.clone();
        ChatAction::Kept(match self {
            Self::Rename => KeptAction::Rename(id),
            Self::Delete => KeptAction::AskToDelete(id),
        })
    }
}

/// What the pointer's other button shows, and the keys that do the same to the row they are on.
fn keys_and_menu(response: &Response, entry: &Entry, actions: &mut Actions) {
    if response.has_focus() {
        let pressed = |key| {
            response
                .ctx
                .input_mut(|input| input.consume_key(Modifiers::NONE, key))
        };
        if pressed(Key::F2) {
            act(actions, Offered::Rename.of(entry));
        } else if pressed(Key::Delete) {
            act(actions, Offered::Delete.of(entry));
        }
    }
    response.context_menu(|ui| {
        for what in [Offered::Rename, Offered::Delete] {
            if quiet_button(ui, what.icon(), what.words()).clicked() {
                act(actions, what.of(entry));
                ui.close();
            }
        }
    });
}

fn naming(ui: &mut Ui, name: &str, actions: &mut Actions) {
    let kept = |action| ChatAction::Kept(action);
    let mut typed = name.to_owned();
    let width = ui.available_width() - 2.0 * space::S;
    let response = text_field(ui, words::NAME, &mut typed, "", width);
    if typed != name {
        act(actions, kept(KeptAction::Typed(typed)));
    }
    let pressed = |key| ui.input(|input| input.key_pressed(key));
    if response.lost_focus() {
        let action = match pressed(Key::Escape) {
            true => KeptAction::Never,
            false => KeptAction::Done,
        };
        act(actions, kept(action));
    } else if pressed(Key::Escape) {
        act(actions, kept(KeptAction::Never));
    } else if !response.has_focus() {
        response.request_focus();
    }
}
