//! The table of questions. Only rows in sight are drawn.

use egui::text::{LayoutJob, TextWrapping};
use egui::{
    Align, Align2, Color32, CornerRadius, EventFilter, Id, Key, Layout, Modifiers, Rect, Role,
    ScrollArea, Sense, TextFormat, Ui, WidgetInfo, pos2, vec2,
};

use super::super::Actions;
use super::{act, charts};
use crate::state::State;
use crate::state::compare::CompareAction;
use crate::state::compare::found::Comparison;
use crate::state::compare::table::{Cell, Column, TableRow};
use crate::state::compare::view::ViewAction;
use crate::text::{excerpt, thousands};
use crate::theme::{CONTROL_RADIUS, Type, icons, palette, space};
use crate::widgets::{bring_into_sight, card, focus_arrived, follow_focus, styled};
use crate::words::compare as words;

const ROW: f32 = 28.0;
const HEIGHT: f32 = 260.0;
/// Widths of number, baseline, variant and difference.
const WIDTHS: [f32; 4] = [52.0, 108.0, 108.0, 96.0];
/// Characters of a variant's name.
const NAME: usize = 60;

/// Draws it.
pub fn show(ui: &mut Ui, state: &State, found: &Comparison, actions: &mut Actions) {
    card(ui, icons::TABLE, words::QUESTIONS_CARD, |ui| {
        charts::against(ui, state, found, actions);
        ui.spacing_mut().item_spacing.y = space::XS;
        let name = |place: usize| {
            { found.variants.get(place) }
                .map_or_else(String::new, |variant| excerpt(&variant.name, NAME))
        };
        let names = (name(found.baseline), name(state.compare.view.against));
        header(ui, state, &names, actions);
        rows(ui, state, &names, actions);
    });
}

/// The name of a question's row among all controls.
fn row_id(question: usize) -> Id {
    Id::unique(("compared-question", question))
}

/// Where the columns are: number, question, baseline, variant, difference.
fn columns(rect: Rect) -> [Rect; 5] {
    let [number, baseline, this, difference] = WIDTHS;
    let right = rect.right() - space::S;
    let ends = [
        rect.left() + number,
        right - difference - this - baseline,
        right - difference - this,
        right - difference,
        right,
    ];
    let mut from = rect.left();
    ends.map(|end| {
        let column = Rect::from_min_max(pos2(from, rect.top()), pos2(end, rect.bottom()));
        from = end;
        column
    })
}

fn header(ui: &mut Ui, state: &State, (baseline, this): &(String, String), actions: &mut Actions) {
    let colors = palette(ui);
    let size = vec2(ui.available_width(), ROW);
    let (rect, _) = ui.allocate_exact_size(size, Sense::hover());
    ui.painter()
        .rect_filled(rect, CornerRadius::same(CONTROL_RADIUS), colors.sunken);
    let places = columns(rect);
    let order = state.compare.view.order;
    for (column, place) in Column::ALL.into_iter().zip([0, 2, 3, 4]) {
        let name = words::column(column, baseline, this);
        let place = places[place];
        let id = ui.scope_id().with(("sort", column));
        let response = ui.interact(place, id, Sense::click());
        let is_sorted = order.column == column;
        response.widget_info(|| {
            WidgetInfo::selected(Role::ColumnHeader, true, is_sorted, words::sort_by(&name))
        });
        let arrow = match (is_sorted, order.falling) {
            (true, true) => icons::DOWN,
            (true, false) => icons::UP,
            (false, _) => "",
        };
        let color = match is_sorted || response.hovered() {
            true => colors.text,
            false => colors.muted,
        };
        let inside = place.shrink2(vec2(space::XS, 0.0));
        let layout = match column {
            Column::Number => Layout::left_to_right(Align::Center),
            _ => Layout::right_to_left(Align::Center),
        };
        let builder = egui::UiBuilder::new().max_rect(inside).layout(layout);
        let mut cell = ui.new_child(builder);
        cell.spacing_mut().item_spacing.x = space::XS;
        cell.style_mut().interaction.selectable_labels = false;
        if !arrow.is_empty() {
            cell.label(styled(arrow, Type::Caption).color(color));
        }
        cell.add(egui::Label::new(styled(&name, Type::Caption).color(color)).truncate());
        if response.on_hover_text(words::sort_by(&name)).clicked() {
            act(actions, CompareAction::View(ViewAction::Sort(column)));
        }
    }
}

fn rows(ui: &mut Ui, state: &State, names: &(String, String), actions: &mut Actions) {
    let table = &state.compare.view.table.rows;
    ScrollArea::vertical()
        .id_salt("questions")
        .max_height(HEIGHT)
        .min_scrolled_height(HEIGHT)
        .auto_shrink([false, true])
        .animated(false)
        .show_rows(ui, ROW, table.len(), |ui, range| {
            let (first, top) = (range.start, ui.max_rect().min);
            for row in &table[range.clone()] {
                show_row(ui, state, row, names, actions);
            }
            follow_focus(ui);
            // Keys may lead to a row that is too far away to be drawn.
            let arrived = focus_arrived(ui.ctx());
            let place =
                arrived.and_then(|id| table.iter().position(|row| row_id(row.number) == id));
            if let Some(place) = place.filter(|place| !range.contains(place)) {
                let rows_down = place as f32 - first as f32;
                let down = rows_down * (ROW + ui.spacing().item_spacing.y);
                let size = vec2(ui.available_width(), ROW);
                bring_into_sight(ui, Rect::from_min_size(top + vec2(0.0, down), size));
            }
        });
}

fn show_row(
    ui: &mut Ui,
    state: &State,
    row: &TableRow,
    (baseline, this): &(String, String),
    actions: &mut Actions,
) {
    let colors = palette(ui);
    let size = vec2(ui.available_width(), ROW);
    let (rect, _) = ui.allocate_exact_size(size, Sense::hover());
    let response = ui.interact(rect, row_id(row.number), Sense::click());
    let arrows = EventFilter {
        vertical_arrows: true,
        ..EventFilter::default()
    };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, arrows));
    let chosen = state.compare.view.chosen == Some(row.number);
    response.widget_info(|| {
        let label = words::table_row(row, baseline, this);
        WidgetInfo::selected(Role::ListItem, true, chosen, label)
    });
    if response.clicked() {
        choose(actions, row.number);
    }
    if response.has_focus() {
        by_keyboard(ui, state, actions);
    }
    let fill = match (chosen, response.hovered()) {
        (true, _) => colors.accent_soft,
        (false, true) => colors.hover,
        (false, false) => Color32::TRANSPARENT,
    };
    ui.painter()
        .rect_filled(rect, CornerRadius::same(CONTROL_RADIUS), fill);
    let places = columns(rect);
    let font = Type::Body.style().resolve(ui.style());
    let painter = ui.painter();
    let number = places[0].left_center() + vec2(space::XS, 0.0);
    let text = thousands(row.number as u64);
    painter.text(
        number,
        Align2::LEFT_CENTER,
        text,
        font.clone(),
        colors.muted,
    );
    let question = match row.question.is_empty() {
        true => words::question(row.number),
        false => row.question.clone(),
    };
    let format = TextFormat::simple(font.clone(), colors.text);
    let mut job = LayoutJob::single_section(question, format);
    job.wrap = TextWrapping::truncate_at_width((places[1].width() - space::S).max(0.0));
    let galley = painter.layout_job(job);
    let at = pos2(places[1].left(), rect.center().y - galley.size().y / 2.0);
    painter.galley(at, galley, colors.text);
    for (cell, place) in [(row.baseline, places[2]), (row.this, places[3])] {
        paint_cell(ui, cell.as_ref(), place);
    }
    let (text, color) = match row.difference {
        Some(difference) if difference < 0 => (words::signed_whole(difference), colors.accent),
        Some(difference) => (words::signed_whole(difference), colors.text),
        None => (words::UNKNOWN.to_owned(), colors.faint),
    };
    let at = places[4].right_center() - vec2(space::XS, 0.0);
    ui.painter()
        .text(at, Align2::RIGHT_CENTER, text, font, color);
}

fn paint_cell(ui: &Ui, cell: Option<&Cell>, place: Rect) {
    let colors = palette(ui);
    let font = Type::Body.style().resolve(ui.style());
    let at = place.right_center() - vec2(space::XS, 0.0);
    let Some(cell) = cell else {
        let unknown = words::UNKNOWN;
        ui.painter()
            .text(at, Align2::RIGHT_CENTER, unknown, font, colors.faint);
        return;
    };
    let (icon, color) = match (cell.answered, cell.right) {
        (_, Some(true)) => (icons::CHECK, colors.success),
        (false, _) => (icons::CUT, colors.warning),
        (true, Some(false)) => (icons::CLOSE, colors.danger),
        (true, None) => ("", colors.muted),
    };
    ui.painter()
        .text(at, Align2::RIGHT_CENTER, icon, font.clone(), color);
    let at = at - vec2(24.0, 0.0);
    let text = thousands(cell.tokens as u64);
    let color = if cell.answered {
        colors.text
    } else {
        colors.faint
    };
    ui.painter()
        .text(at, Align2::RIGHT_CENTER, text, font, color);
}

/// Arrows lead from question to question, and the focus goes with them.
fn by_keyboard(ui: &Ui, state: &State, actions: &mut Actions) {
    for (key, down) in [(Key::ArrowUp, false), (Key::ArrowDown, true)] {
        if ui.input_mut(|input| input.consume_key(Modifiers::NONE, key))
            && let Some(question) = state.compare.view.beside(down)
        {
            choose(actions, question);
            ui.memory_mut(|memory| memory.request_focus(row_id(question)));
        }
    }
}

fn choose(actions: &mut Actions, question: usize) {
    act(actions, CompareAction::View(ViewAction::Choose(question)));
}
