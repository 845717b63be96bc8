//! The list of runs: those that are on first, then the latest.

use egui::text::{LayoutJob, TextWrapping};
use egui::{
    Align2, Checkbox, Color32, CornerRadius, Direction, EventFilter, Id, Layout, Rect, Role,
    ScrollArea, Sense, TextFormat, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};

use super::{Actions, look, name};
use crate::state::runs::RunsAction;
use crate::state::runs::run::{Run, RunKey, Standing};
use crate::state::runs::view::ViewAction;
use crate::state::{Action, State};
use crate::theme::size::{
    PILL_HEIGHT, PILL_RADIUS, RUN_ROW_HEIGHT as ROW, RUN_ROW_LINE, RUN_ROW_MARGIN, RUN_TICK,
    SPARKLINE_WIDTH,
};
use crate::theme::{ROW_RADIUS, Type, icons, palette, space};
use crate::widgets::{
    Tone, bring_into_sight, caption, focus_arrived, follow_focus, icon_button, paint_sparkline,
    ring_radius, styled, text_field,
};
use crate::words::runs as words;

/// Lists that are longer can be filtered.
const FILTER_FROM: usize = 8;

/// Draws it.
pub fn show(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let runs = &state.runs;
    ui.spacing_mut().item_spacing.y = space::XS;
    ui.horizontal(|ui| {
        ui.add_space(space::S);
        ui.heading(styled(words::LIST, Type::Heading));
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if icon_button(ui, icons::REFRESH, words::REREAD).clicked() {
                actions.push(Action::Runs(RunsAction::Reread));
            }
        });
    });
    if runs.runs.len() > FILTER_FROM {
        let mut filter = runs.view.filter.clone();
        let width = ui.available_width() - 16.0;
        if text_field(ui, words::FILTER, &mut filter, words::FILTER, width).changed() {
            actions.push(look(ViewAction::Filter(filter)));
        }
    }
    let found: Vec<&Run> = runs.found().collect();
    if found.is_empty() && !runs.runs.is_empty() {
        caption(ui, words::NOT_FOUND);
    }
    let alone = runs.view.ticked.len() == 1;
    let below = match (runs.left_out, runs.unreadable.len(), alone) {
        (0, 0, false) => 0.0,
        _ => 40.0,
    };
    let height = (ui.available_height() - below).max(ROW);
    ScrollArea::vertical()
        .id_salt("runs")
        .auto_shrink(false)
        // A run that keys lead to is drawn in the next frame, or it would lose the focus.
        .animated(false)
        .max_height(height)
        .show_rows(ui, ROW, found.len(), |ui, rows| {
            let (first, top) = (rows.start, ui.max_rect().min);
            for run in &found[rows.clone()] {
                row(ui, state, run, actions);
            }
            follow_focus(ui);
            // Keys may lead to a run that is too far away to be drawn.
            let arrived = focus_arrived(ui.ctx());
            let place = arrived.and_then(|id| found.iter().position(|run| row_id(run.key) == id));
            if let Some(place) = place.filter(|place| !rows.contains(place)) {
                let rows_down = place as f32 - first as f32;
                let down = rows_down * (ROW + ui.spacing().item_spacing.y);
                let size = vec2(ui.available_width(), ROW);
                bring_into_sight(ui, Rect::from_min_size(top + vec2(0.0, down), size));
            }
        });
    if alone {
        caption(ui, words::TICK_ANOTHER);
    }
    if runs.left_out > 0 {
        caption(ui, words::left_out(runs.left_out));
    }
    if !runs.unreadable.is_empty() {
        let response = caption(ui, words::unreadable(runs.unreadable.len()));
        response.on_hover_ui(|ui| {
            for (name, reason) in runs.unreadable.iter().take(12) {
                ui.label(styled(format!("{name}: {reason}"), Type::Caption));
            }
        });
    }
}

/// The name of a run's row among all controls.
pub fn row_id(key: RunKey) -> Id {
    Id::unique(("run", key))
}

/// What a standing means, by color.
pub fn tone(standing: Standing) -> Tone {
    match standing {
        Standing::Queued | Standing::Starting | Standing::Running | Standing::Elsewhere => {
            Tone::Accent
        }
        Standing::Pausing | Standing::Keeping | Standing::Paused | Standing::Interrupted => {
            Tone::Warning
        }
        Standing::Finished => Tone::Success,
        Standing::Failed => Tone::Danger,
    }
}

fn row(ui: &mut Ui, state: &State, run: &Run, actions: &mut Actions) {
    let view = &state.runs.view;
    let size = vec2(ui.available_width(), ROW);
    let (rect, _) = ui.allocate_exact_size(size, Sense::hover());
    let response = ui.interact(rect, row_id(run.key), Sense::click());
    // The arrows lead through the list.
    let arrows = EventFilter {
        vertical_arrows: true,
        ..EventFilter::default()
    };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, arrows));
    ring_radius(&response, ROW_RADIUS);
    let chosen = view.chosen == Some(run.key);
    let standing = run.standing();
    response.widget_info(|| {
        let label = words::entry(name(run), run.config.method, words::standing(standing));
        let best = run.best().map(|loss| words::entry_loss(loss, run.is_best));
        let course = { run.sparkline.first() }
            .zip(run.sparkline.last())
            .map(|(first, last)| words::sparkline(*first, *last));
        let label = { [Some(label), best, course].into_iter().flatten() }
            .collect::<Vec<_>>()
            .join(", ");
        WidgetInfo::selected(Role::ListItem, true, chosen, label)
    });
    if response.clicked() {
        actions.push(look(ViewAction::Choose(run.key)));
    }
    let colors = palette(ui);
    let painter = ui.painter();
    let fill = match (chosen, response.hovered()) {
        (true, _) => colors.accent_soft,
        (false, true) => colors.hover,
        (false, false) => Color32::TRANSPARENT,
    };
    painter.rect_filled(rect, CornerRadius::same(ROW_RADIUS), fill);
    let inside = rect.shrink2(RUN_ROW_MARGIN.into());
    let left = inside.left() + RUN_TICK;
    let right = match run.is_best {
        true => inside.right() - 20.0,
        false => inside.right(),
    };
    let middle = |line: f32| inside.top() + PILL_HEIGHT / 2.0 + line * RUN_ROW_LINE;
    let text = |words: &str, kind: Type, color: Color32, width: f32| {
        let font = kind.style().resolve(ui.style());
        let mut job = LayoutJob::single_section(words.to_owned(), TextFormat::simple(font, color));
        job.wrap = TextWrapping::truncate_at_width(width.max(0.0));
        painter.layout_job(job)
    };
    let put = |galley: std::sync::Arc<egui::Galley>, x: f32, line: f32| {
        let at = pos2(x, middle(line) - galley.size().y / 2.0);
        painter.galley(at, galley.clone(), colors.text);
        x + galley.size().x
    };
    put(
        text(name(run), Type::Strong, colors.text, right - left),
        left,
        0.0,
    );
    if run.is_best {
        let font = Type::Body.style().resolve(ui.style());
        let at = pos2(inside.right(), middle(0.0));
        painter.text(at, Align2::RIGHT_CENTER, icons::BEST, font, colors.warning);
    }
    let mut x = left;
    for (words, tone) in [
        (run.config.method.title(), Tone::Neutral),
        (words::standing(standing), tone(standing)),
    ] {
        let galley = text(words, Type::Caption, tone.color(colors), 130.0);
        let pill = Rect::from_min_size(
            pos2(x, middle(1.0) - PILL_HEIGHT / 2.0),
            vec2(galley.size().x + 14.0, PILL_HEIGHT),
        );
        painter.rect_filled(pill, CornerRadius::same(PILL_RADIUS), tone.soft(colors));
        x = put(galley, x + 7.0, 1.0) + 7.0 + space::XS;
    }
    let spark = Rect::from_min_max(
        pos2(inside.right() - SPARKLINE_WIDTH, middle(1.0) - 2.0),
        pos2(inside.right() - 2.0, inside.bottom() - 2.0),
    );
    let color = match chosen {
        true => colors.accent,
        false => colors.faint,
    };
    if spark.left() > x || run.sparkline.len() > 1 {
        let below = Rect::from_min_max(pos2(spark.left(), middle(1.5)), spark.max);
        paint_sparkline(ui, below, &run.sparkline, color);
    }
    let age = words::age(state.now - run.time());
    let about = match (run.is_on(), run.best()) {
        (true, _) => progress_text(run),
        (false, Some(best)) => format!("{} · {age}", words::short(best)),
        (false, None) => age,
    };
    put(
        text(
            &about,
            Type::Caption,
            colors.muted,
            spark.left() - left - space::S,
        ),
        left,
        2.0,
    );
    let mut ticked = view.ticked.contains(&run.key);
    let tick = Rect::from_min_size(
        pos2(inside.left() - space::XS, middle(0.0) - RUN_TICK / 2.0),
        vec2(RUN_TICK, RUN_TICK),
    );
    // A child of its own: the next row stands below this one, not below its box.
    let layout = Layout::centered_and_justified(Direction::TopDown);
    let mut place = ui.new_child(UiBuilder::new().max_rect(tick).layout(layout));
    let checkbox = place.add(Checkbox::without_text(&mut ticked));
    checkbox
        .widget_info(|| WidgetInfo::selected(Role::CheckBox, true, ticked, words::tick(name(run))));
    if checkbox.clicked() {
        actions.push(look(ViewAction::Tick(run.key)));
    }
    checkbox.on_hover_text(words::TICK_HELP);
    response.on_hover_ui(|ui| {
        ui.label(styled(name(run), Type::Strong));
        caption(ui, super::model_and_data(run));
        if run.is_best {
            caption(ui, words::BEST_OF_DATASET);
        }
        if let (Some(first), Some(last)) = (run.sparkline.first(), run.sparkline.last()) {
            caption(ui, words::sparkline(*first, *last));
        }
    });
}

fn progress_text(run: &Run) -> String {
    let (step, total) = run.steps();
    match total {
        Some(total) => {
            let share = step as f32 / total.max(1) as f32;
            format!(
                "{} · {}",
                words::percent(share),
                words::step_of(step, Some(total))
            )
        }
        None => words::UNKNOWN.to_owned(),
    }
}
