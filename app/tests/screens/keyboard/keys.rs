//! Keys that do something wherever one is on a page.

use stepladder::state::{Effect, Page, Picker};

use super::*;
use crate::support::{asked, window};

fn chosen(window: &Window) -> String {
    let runs = &window.state().state().runs;
    runs.chosen()
        .map_or_else(String::new, |run| run.name.clone())
}

#[test]
fn numbers_open_the_pages_also_from_a_text_field() {
    let mut window = fine_tune(SMALL);
    focus(&mut window, Role::TextInput, "Context");
    for (key, page) in [
        (Key::Num2, Page::Runs),
        (Key::Num3, Page::Compare),
        (Key::Num4, Page::Chat),
        (Key::Num5, Page::Settings),
        (Key::Num1, Page::FineTune),
    ] {
        press_with(&mut window, Modifiers::COMMAND, key);
        assert_eq!(window.state().state().page, page);
    }
    press(&mut window, Key::Num2);
    assert_eq!(window.state().state().page, Page::FineTune, "alone, no");
}

#[test]
fn enter_begins_a_run_that_is_ready_and_no_other() {
    let begun = |effect: &Effect| matches!(effect, Effect::Train { .. });
    let mut window = window();
    window.step();
    press_with(&mut window, Modifiers::COMMAND, Key::Enter);
    assert!(
        !asked(&mut window).iter().any(begun),
        "nothing is known yet"
    );
    start(&mut window);
    press_with(&mut window, Modifiers::COMMAND, Key::Enter);
    assert!(asked(&mut window).iter().any(begun));
    press_with(&mut window, Modifiers::COMMAND, Key::Enter);
    assert!(!asked(&mut window).iter().any(begun), "it is another page");
}

#[test]
fn files_are_added_from_every_page() {
    let mut window = settings(SMALL);
    asked(&mut window);
    press_with(&mut window, Modifiers::COMMAND, Key::O);
    assert_eq!(window.state().state().page, Page::FineTune);
    let picks = Effect::Pick(Picker::DataFiles);
    assert!(asked(&mut window).contains(&picks));
}

#[test]
fn arrows_lead_through_the_runs_however_many() {
    let mut window = runs(SMALL, 40);
    assert_eq!(chosen(&window), "run 00");
    press(&mut window, Key::ArrowUp);
    assert_eq!(chosen(&window), "run 00");
    for place in 1..40 {
        press(&mut window, Key::ArrowDown);
        assert_eq!(chosen(&window), format!("run {place:02}"));
        let said = focused_label(&window);
        assert!(said.starts_with(&chosen(&window)), "{place}: {said}");
        let (seen, ring) = ring(&window).expect("a ring");
        assert!(
            seen.contains_rect(ring),
            "{place}: {ring:?} within {seen:?}"
        );
    }
    press(&mut window, Key::ArrowDown);
    press(&mut window, Key::ArrowUp);
    assert_eq!(chosen(&window), "run 38");
    // On other controls arrows are theirs.
    focus(&mut window, Role::RadioButton, "Show: Curves");
    press(&mut window, Key::ArrowUp);
    assert_eq!(chosen(&window), "run 38");
}

#[test]
fn runs_of_the_list_stand_below_each_other() {
    let window = runs(SMALL, 5);
    let mut rows = nodes(&window);
    rows.retain(|node| node.accesskit_node().role() == Role::ListItem);
    assert_eq!(rows.len(), 5);
    for two in rows.windows(2) {
        let (above, below) = (two[0].rect(), two[1].rect());
        assert!(above.bottom() <= below.top(), "{above:?} {below:?}");
    }
}

#[test]
fn a_run_is_renamed_and_deleted_with_keys() {
    let mut window = runs(SMALL, 3);
    press(&mut window, Key::ArrowDown);
    press(&mut window, Key::F2);
    let naming = |window: &Window| window.state().state().runs.naming.is_some();
    assert!(naming(&window));
    assert_eq!(focused_label(&window), "Name");
    let deleting = |window: &Window| window.state().state().runs.deleting.is_some();
    press(&mut window, Key::Delete);
    assert!(!deleting(&window), "the text field has the key");
    press(&mut window, Key::Escape);
    assert!(!naming(&window));
    press(&mut window, Key::Delete);
    assert!(deleting(&window));
    assert_eq!(focused_label(&window), "Cancel");
    press(&mut window, Key::Num2);
    press_with(&mut window, Modifiers::COMMAND, Key::Num1);
    let page = window.state().state().page;
    assert_eq!(page, Page::Runs, "a dialog is answered first");
    press(&mut window, Key::Escape);
    assert!(!deleting(&window));
    assert_eq!(chosen(&window), "run 01");
}

#[test]
fn escape_closes_dialogs() {
    let mut window = runs(SMALL, 3);
    focus(&mut window, Role::Button, "Export…");
    press(&mut window, Key::Enter);
    assert!(window.state().state().runs.export.is_some());
    press(&mut window, Key::Escape);
    assert!(window.state().state().runs.export.is_none());
    assert_eq!(focused_label(&window), "Export…");
}

#[test]
fn a_chart_is_zoomed_and_moved_with_keys() {
    let mut window = runs(egui::vec2(1280.0, 1600.0), 3);
    let range = |window: &Window| window.state().state().runs.view.window.range;
    let chart = { nodes(&window).into_iter() }
        .map(|node| label(&node))
        .find(|label| label.starts_with("Tokens per second: "))
        .expect("a chart");
    focus(&mut window, Role::Image, &chart);
    assert_eq!(range(&window), None);
    press(&mut window, Key::Plus);
    press(&mut window, Key::Equals);
    let [from, to] = range(&window).expect("a part");
    assert!(from > 1.0 && to < 100.0 && to - from < 50.0, "{from} {to}");
    press(&mut window, Key::ArrowRight);
    let [later, end] = range(&window).expect("a part");
    assert!(later > from && end > to);
    assert!((end - later - (to - from)).abs() < 1e-6);
    for _ in 0..20 {
        press(&mut window, Key::ArrowRight);
    }
    let [_, end] = range(&window).expect("a part");
    assert!((end - 100.0).abs() < 1e-6, "it ends with the curves: {end}");
    press(&mut window, Key::Minus);
    assert!(range(&window).is_some());
    press(&mut window, Key::Num0);
    assert_eq!(range(&window), None);
    assert_eq!(focused_label(&window), chart, "it keeps the focus");
}

#[test]
fn keys_are_told_under_the_pointer() {
    let mut window = fine_tune(SMALL);
    for (name, told) in [
        ("Runs", "Runs (Ctrl+2)"),
        ("Add files…", "Adds files to the dataset. (Ctrl+O)"),
    ] {
        { nodes(&window).into_iter() }
            .find(|node| label(node) == name)
            .expect("a control")
            .hover();
        window.run_steps(40);
        window.get_by_label(told);
    }
}
