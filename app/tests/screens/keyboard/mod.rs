//! The whole window without a pointer.

mod focus;
mod keys;

use egui::accesskit::{Action as AccessAction, Role};
use egui::{Key, Modifiers, Rect, Shape};
use egui_kittest::kittest::{NodeT, Queryable};
use egui_kittest::{Harness, Node};
use stepladder::state::Page;
use stepladder::state::settings::{Detail, Settings, ThemeChoice};
use stepladder::theme::{DARK, FOCUS_GAP, FOCUS_WIDTH, LIGHT};
use stepladder_protocol::RunState;

use crate::chat::loaded;
use crate::chat::looks::beside;
use crate::fine_tune::recorded::start;
use crate::runs::{figures, folder, listed, page_with, play, stored};
use crate::support::{TestWindow, window_of};

type Window = Harness<'static, TestWindow>;

/// As small as it can be: much of each page has to be scrolled to.
const SMALL: egui::Vec2 = egui::vec2(1024.0, 700.0);

fn press(window: &mut Window, key: Key) {
    press_with(window, Modifiers::NONE, key);
}

fn press_with(window: &mut Window, modifiers: Modifiers, key: Key) {
    window.key_press_modifiers(modifiers, key);
    window.step();
    // What is gone gives the focus back, and scrolled things come to rest.
    window.run_steps(3);
}

/// Every node of the window but its root.
fn nodes(window: &Window) -> Vec<Node<'_>> {
    window.root().children_recursive().collect()
}

fn label(node: &Node<'_>) -> String {
    node.accesskit_node().label().unwrap_or_default()
}

fn focused(window: &Window) -> Option<Node<'_>> {
    { nodes(window).into_iter() }.find(|node| node.is_focused())
}

/// What a screen reader says of what has the focus.
fn focused_label(window: &Window) -> String {
    focused(window).map_or_else(String::new, |node| label(&node))
}

/// The same with its role before it.
fn focused_stop(window: &Window) -> String {
    let Some(node) = focused(window) else {
        return String::new();
    };
    format!("{:?} {}", node.accesskit_node().role(), label(&node))
}

/// Gives the focus to the first with this role and label, as the Tab key would.
fn focus(window: &mut Window, role: Role, name: &str) {
    let node = { nodes(window).into_iter() }
        .find(|node| node.accesskit_node().role() == role && label(node) == name)
        .unwrap_or_else(|| panic!("there is no {role:?} {name}"));
    node.focus();
    window.run_steps(4);
    assert_eq!(focused_label(window), name);
}

/// The Fine-tune page with everything on it.
fn fine_tune(size: egui::Vec2) -> Window {
    let settings = Settings {
        detail: Detail::Advanced,
        ..Settings::default()
    };
    let mut window = window_of(settings, size);
    start(&mut window);
    window
}

/// The Runs page with so many runs, whose first has curves.
fn runs(size: egui::Vec2, number: usize) -> Window {
    let mut page = page_with(Vec::new(), size);
    let names: Vec<String> = (0..number).map(|place| format!("run {place:02}")).collect();
    let all = { names.iter().enumerate() }.map(|(place, name)| {
        let mut run = stored(name, RunState::Finished);
        run.written_at -= place as f64;
        run
    });
    play(&mut page, [listed(all.collect())]);
    play(&mut page, [figures(&folder().join(&names[0]), 2.0, 100)]);
    page
}

fn settings(size: egui::Vec2) -> Window {
    let mut window = fine_tune(size);
    press_with(&mut window, Modifiers::COMMAND, Key::Num5);
    assert_eq!(window.state().state().page, Page::Settings);
    window
}

/// The Chat page with replies beside each other, and all there is beside them.
fn chat(size: egui::Vec2) -> Window {
    let mut window = loaded(ThemeChoice::Light, size);
    beside(&mut window);
    crate::chat::click(&mut window, "Sampling and instructions");
    window
}

/// The Compare page with everything that can be set.
fn comparing(size: egui::Vec2) -> Window {
    let mut window = crate::compare::opened(ThemeChoice::Light, size);
    crate::compare::entries(&mut window);
    crate::compare::click(&mut window, "Compare short-thoughts");
    crate::compare::click(&mut window, "How answers are drawn");
    window
}

/// The same with a comparison that is done.
fn compared(size: egui::Vec2, part: &str) -> Window {
    let mut window = crate::compare::done(ThemeChoice::Light, size);
    if part == "Questions" {
        crate::compare::click(&mut window, "Show: Questions");
    }
    window
}

/// The ring around what has the focus: how far it can be seen, and where it is.
fn ring(window: &Window) -> Option<(Rect, Rect)> {
    fn find(shape: &Shape, around: Rect) -> Option<Rect> {
        match shape {
            Shape::Vec(shapes) => shapes.iter().find_map(|shape| find(shape, around)),
            Shape::Rect(drawn) => {
                let is_ring = drawn.stroke.width == FOCUS_WIDTH
                    && [LIGHT.accent, DARK.accent].contains(&drawn.stroke.color)
                    && (drawn.rect.min - around.min).length() < 1.0
                    && (drawn.rect.max - around.max).length() < 1.0;
                is_ring.then_some(drawn.rect)
            }
            _ => None,
        }
    }
    let around = focused(window)?.rect().expand(FOCUS_GAP);
    let mut shapes = window.output().shapes.iter();
    shapes.find_map(|clipped| Some((clipped.clip_rect, find(&clipped.shape, around)?)))
}

/// Every node that the Tab key may stop at.
fn stops(window: &Window) -> Vec<Node<'_>> {
    let mut stops = nodes(window);
    stops.retain(|node| {
        let data = node.accesskit_node();
        data.data().supports_action(AccessAction::Focus) && !data.is_disabled()
    });
    stops
}
