//! Where the keyboard is: a ring around what has it, the same everywhere, and always in sight.
//!
//! Both are done from outside, for whatever has the focus: no control can forget them, those of egui
//! included.

use egui::style::ScrollAnimation;
use egui::{Context, CornerRadius, Id, Rect, Response, Stroke, StrokeKind, Ui};

use crate::theme::{CONTROL_RADIUS, FOCUS_GAP, FOCUS_WIDTH, palette};

/// Passes in which what got the focus may move into sight: lists within lists take one each.
const PASSES: u8 = 3;
/// Rows deeper than this are in no page.
const DEEPEST: usize = 64;

/// The way the focus took.
#[derive(Clone, Copy, Debug, Default)]
struct Trail {
    /// What has it.
    id: Option<Id>,
    /// Passes since it got it.
    passes: u8,
    /// What had it on the page before a menu or a dialog took it.
    on_page: Option<Id>,
    /// Whether a menu or a dialog has it.
    away: bool,
}

impl Trail {
    fn of(context: &Context) -> Self {
        context.data(|data| data.get_temp(Id::NULL).unwrap_or_default())
    }

    fn keep(self, context: &Context) {
        context.data_mut(|data| data.insert_temp(Id::NULL, self));
    }
}

/// Rounding of the control of this id, where it is not that of most.
#[derive(Clone, Copy, Debug)]
struct Rounding(Id, u8);

/// Tells how round a control is, for its ring.
pub fn ring_radius(response: &Response, radius: u8) {
    if response.has_focus() {
        let rounding = Rounding(response.id, radius);
        let context = &response.ctx;
        context.data_mut(|data| data.insert_temp(Id::NULL, rounding));
    }
}

/// What has just got the focus.
pub fn focus_arrived(context: &Context) -> Option<Id> {
    let focused = context.memory(|memory| memory.focused())?;
    let trail = Trail::of(context);
    (trail.id != Some(focused) || trail.passes < PASSES).then_some(focused)
}

/// Brings what has just got the focus into sight; to be called at the end of what is scrolled.
pub fn follow_focus(ui: &Ui) {
    let arrived = focus_arrived(ui.ctx()).and_then(|id| drawn(ui.ctx(), id));
    if let Some(response) = arrived.filter(|response| is_within(response, ui)) {
        bring_into_sight(ui, response.rect);
    }
}

/// Scrolls to this place at once: whoever goes by keyboard waits for nothing.
pub fn bring_into_sight(ui: &Ui, rect: Rect) {
    ui.scroll_to_rect_animation(rect, None, ScrollAnimation::none());
}

/// A control, if it was drawn in this pass.
fn drawn(context: &Context, id: Id) -> Option<Response> {
    let is_there = context.viewport(|viewport| viewport.this_pass.widgets.contains(id));
    is_there.then(|| context.read_response(id)).flatten()
}

/// Whether a control belongs to this part of the page.
fn is_within(response: &Response, ui: &Ui) -> bool {
    let mut parent = response.parent_id();
    for _ in 0..DEEPEST {
        if parent == ui.unique_id() {
            return true;
        }
        let Some(above) = ui.ctx().read_response(parent) else {
            return false;
        };
        let next = above.parent_id();
        if next == parent {
            return false;
        }
        parent = next;
    }
    false
}

/// Draws the ring and notes the way of the focus; to be called once, after everything is drawn.
pub fn show_focus(ui: &Ui) {
    let context = ui.ctx();
    let focused = context.memory(|memory| memory.focused());
    let response = focused.and_then(|id| drawn(context, id));
    note(ui, focused, response.as_ref());
    if let Some(response) = response.filter(Response::has_focus) {
        ring(ui, &response);
    }
}

fn ring(ui: &Ui, response: &Response) {
    let context = ui.ctx();
    let own = context.data(|data| data.get_temp::<Rounding>(Id::NULL));
    let radius = { own.filter(|Rounding(id, _)| *id == response.id) }
        .map_or(CONTROL_RADIUS, |Rounding(_, radius)| radius);
    // What is scrolled out of sight has no ring beside it.
    let in_sight = response.interact_rect.expand(FOCUS_GAP + FOCUS_WIDTH);
    let painter = context.layer_painter(response.layer_id);
    painter.with_clip_rect(in_sight).rect_stroke(
        response.rect.expand(FOCUS_GAP),
        CornerRadius::same(radius.saturating_add(FOCUS_GAP as u8)),
        Stroke::new(FOCUS_WIDTH, palette(ui).accent),
        StrokeKind::Outside,
    );
}

/// Notes where the focus is. When the menu or the dialog that had it is gone, it goes back to where it
/// was before.
fn note(ui: &Ui, focused: Option<Id>, response: Option<&Response>) {
    let context = ui.ctx();
    let before = Trail::of(context);
    let mut trail = before;
    match (focused, response) {
        (Some(id), Some(response)) => {
            trail.away = response.layer_id != ui.layer_id();
            if !trail.away {
                trail.on_page = Some(id);
            }
        }
        // It is not drawn yet.
        (Some(_), None) => {}
        (None, _) => {
            let pointed = context.input(|input| {
                input.pointer.any_pressed() || input.pointer.any_down() || input.pointer.any_click()
            });
            // A dialog keeps the page out for a pass after it is gone.
            let kept_out = context.memory(|memory| memory.top_modal_layer().is_some());
            match trail.on_page.filter(|_| trail.away && !pointed) {
                Some(_) if kept_out => {
                    if before.passes < PASSES || before.id.is_some() {
                        context.request_repaint();
                    }
                }
                Some(id) => {
                    context.memory_mut(|memory| memory.request_focus(id));
                    context.request_repaint();
                    trail.away = false;
                }
                None => {
                    trail.on_page = None;
                    trail.away = false;
                }
            }
        }
    }
    let in_sight = response.is_some_and(|response| response.interact_rect == response.rect);
    trail.passes = match (focused == before.id, in_sight) {
        (_, true) => PASSES,
        (true, false) => before.passes.saturating_add(1),
        (false, false) => 1,
    };
    trail.id = focused;
    trail.keep(context);
}

/// When a dialog was last drawn, and since when it is.
#[derive(Clone, Copy, Debug)]
struct Shown {
    first: u64,
    last: u64,
}

/// Gives the focus to this control of a dialog when the dialog opens. It takes a few passes: an area
/// measures itself before it can be used.
pub fn focus_when_opened(response: &Response) {
    let context = &response.ctx;
    let now = context.cumulative_pass_nr();
    let before = context.data(|data| data.get_temp::<Shown>(response.id));
    let first = match before {
        Some(shown) if shown.last + 1 >= now => shown.first,
        _ => now,
    };
    let shown = Shown { first, last: now };
    context.data_mut(|data| data.insert_temp(response.id, shown));
    if now - first < u64::from(PASSES) {
        response.request_focus();
        context.request_repaint();
    }
}
