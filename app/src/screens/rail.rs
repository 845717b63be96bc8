//! The rail: the pages, with a mark where something goes on.

use egui::{Align, Button, CornerRadius, Layout, Role, Stroke, Ui, WidgetInfo, vec2};

use super::Actions;
use super::shortcuts::{Shortcut, hint};
use crate::state::{Action, Page, State};
use crate::theme::size::{MARK_INSET, MARK_RADIUS, RAIL_ENTRY_HEIGHT, RAIL_GAP};
use crate::theme::{ROW_RADIUS, Type, icons, palette, space};
use crate::widgets::{ring_radius, styled};
use crate::words;

const PAGES: [(Page, &str); 4] = [
    (Page::FineTune, icons::FINE_TUNE),
    (Page::Runs, icons::RUNS),
    (Page::Compare, icons::COMPARE),
    (Page::Chat, icons::CHAT),
];

/// Draws it.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    ui.spacing_mut().item_spacing.y = space::XS;
    ui.horizontal(|ui| {
        ui.add_space(space::S);
        ui.label(styled(icons::METHOD, Type::Heading).color(palette(ui).accent));
        ui.label(styled(words::PROGRAM, Type::Heading));
    });
    ui.add_space(space::M);
    for (page, icon) in PAGES {
        let marked = match page {
            Page::Runs => state.runs.is_training(),
            Page::Compare => state.compare.is_on(),
            _ => false,
        };
        entry(ui, state, page, icon, marked, actions);
    }
    ui.with_layout(Layout::bottom_up(Align::Min), |ui| {
        entry(ui, state, Page::Settings, icons::SETTINGS, false, actions);
    });
}

fn entry(ui: &mut Ui, state: &State, page: Page, icon: &str, marked: bool, actions: &mut Actions) {
    let palette = palette(ui);
    let current = state.page == page;
    let (fill, color, icon_color) = match current {
        true => (palette.accent_soft, palette.text, palette.accent),
        false => (egui::Color32::TRANSPARENT, palette.muted, palette.muted),
    };
    let name = words::page(page);
    let label = (
        styled(icon, Type::Body).color(icon_color),
        styled(name, Type::Strong).color(color),
    );
    let button = Button::new(label)
        .fill(fill)
        .stroke(Stroke::NONE)
        .corner_radius(CornerRadius::same(ROW_RADIUS))
        .gap(RAIL_GAP)
        .min_size(vec2(ui.available_width(), RAIL_ENTRY_HEIGHT))
        .frame(true)
        .left_aligned();
    let response = ui.add(button);
    response.widget_info(|| WidgetInfo::selected(Role::Tab, true, current, name));
    ring_radius(&response, ROW_RADIUS);
    let response = response.on_hover_text(hint(ui, name, Shortcut::Open(page)));
    if marked {
        let at = egui::pos2(response.rect.right() - MARK_INSET, response.rect.center().y);
        ui.painter().circle_filled(at, MARK_RADIUS, palette.accent);
    }
    if response.clicked() {
        actions.push(Action::Go(page));
    }
}

trait LeftAligned {
    fn left_aligned(self) -> Self;
}

impl LeftAligned for Button<'_> {
    /// Icon and name begin at the left; what remains of the width stays empty.
    fn left_aligned(self) -> Self {
        self.right_text("")
    }
}
