//! Rows of any height, of which only those near what is seen are laid out. The others take the room they
//! took when they were last drawn.

use std::sync::Arc;

use egui::{Id, Ui, vec2};

/// Rows this far out of sight are laid out as well: the keyboard leads to them.
const AROUND: f32 = 600.0;

/// Heights as they were last drawn, for this width; not a number: not drawn yet.
#[derive(Clone, Debug, Default)]
struct Heights {
    width: f32,
    rows: Vec<f32>,
}

/// Draws `count` rows below each other with `row`; `salt` names them for as long as they are the same
/// rows. The last is always laid out: it is what grows, and what a view that sticks to its end shows.
pub fn rows(
    ui: &mut Ui,
    salt: impl std::hash::Hash + std::fmt::Debug,
    count: usize,
    mut row: impl FnMut(&mut Ui, usize),
) {
    let id = ui.make_persistent_id(salt);
    let width = ui.available_width();
    let mut heights = kept(ui, id, width);
    heights.rows.resize(count, f32::NAN);
    let seen = ui.clip_rect().expand2(vec2(0.0, AROUND));
    for place in 0..count {
        let top = ui.cursor().top();
        let known = heights.rows[place];
        let is_far = known.is_finite() && (top > seen.bottom() || top + known < seen.top());
        if is_far && place + 1 < count && !ui.is_sizing_pass() {
            ui.allocate_space(vec2(width, known));
            continue;
        }
        let drawn = ui.push_id(place, |ui| {
            ui.vertical(|ui| {
                ui.set_width(width);
                row(ui, place);
            })
            .response
            .rect
        });
        heights.rows[place] = drawn.inner.height();
    }
    ui.data_mut(|data| data.insert_temp(id, Arc::new(heights)));
}

fn kept(ui: &Ui, id: Id, width: f32) -> Heights {
    let kept = ui.data(|data| data.get_temp::<Arc<Heights>>(id));
    match kept {
        Some(kept) if kept.width == width => (*kept).clone(),
        _ => Heights {
            width,
            rows: Vec::new(),
        },
    }
}
