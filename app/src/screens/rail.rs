//! The rail: the pages, with a mark where something goes on.

use egui::{Align, Button, CornerRadius, Layout, Role, Stroke, Ui, WidgetInfo, vec2};

use super::Actions;
use crate::state::{Action, Page, State};
use crate::theme::{Type, icons, palette, space};
use crate::widgets::styled;
use crate::words;

const PAGES: [(Page, &str); 2] = [
    (Page::FineTune, icons::FINE_TUNE),
    (Page::Runs, icons::RUNS),
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
        let marked = page == Page::Runs && state.runs.is_training();
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
        .corner_radius(CornerRadius::same(8))
        .gap(10.0)
        .min_size(vec2(ui.available_width(), 36.0))
        .frame(true)
        .left_aligned();
    let response = ui.add(button);
    response.widget_info(|| WidgetInfo::selected(Role::Tab, true, current, name));
    if marked {
        let at = egui::pos2(response.rect.right() - 16.0, response.rect.center().y);
        ui.painter().circle_filled(at, 4.0, palette.accent);
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
