//! Where the focus goes, how it is seen, and what a screen reader says of it.

use egui::text::LayoutJob;
use egui_kittest::kittest::NodeT;
use stepladder::state::{Effect, News, Page, Picker};
use stepladder_protocol::{DatasetPreview, Event, ExamplePreview, Segment, TokenUse};

use super::*;
use crate::fine_tune::recorded::{job_about, quiet, say};
use crate::support::{asked, hear, window};

#[test]
fn tab_and_enter_alone_begin_a_run() {
    let mut window = window();
    start(&mut window);
    for _ in 0..60 {
        press(&mut window, Key::Tab);
        if focused_stop(&window).starts_with("Button Fine-tune") {
            break;
        }
    }
    assert!(focused_stop(&window).starts_with("Button Fine-tune"));
    press(&mut window, Key::Enter);
    let begun = |effect: &Effect| matches!(effect, Effect::Train { .. });
    assert!(asked(&mut window).iter().any(begun));
    assert_eq!(window.state().state().page, Page::Runs);
}

#[test]
fn tab_goes_in_the_order_of_reading() {
    let mut window = fine_tune(SMALL);
    let mut passed = Vec::new();
    for _ in 0..stops(&window).len() + 1 {
        press(&mut window, Key::Tab);
        passed.push(focused_stop(&window));
    }
    let place = |name: &str| {
        { passed.iter() }
            .position(|passed| passed.starts_with(name))
            .unwrap_or_else(|| panic!("{name} is not reached: {passed:#?}"))
    };
    let order = [
        "Tab Settings",
        "ComboBox Choose a model",
        "ComboBox Format",
        "RadioButton Method: Ladder",
        "TextInput Seed",
        "RadioButton Memory: Ladder, ",
        "RadioButton Detail: Simple",
        "Button Fine-tune",
        "Button Next",
    ];
    let places: Vec<usize> = order.into_iter().map(place).collect();
    assert!(places.is_sorted(), "{places:?} of {order:?}: {passed:#?}");
}

/// Goes once around and looks at each stop.
fn around(mut window: Window, name: &str) {
    let number = stops(&window).len();
    assert!(number > 5, "{name} has {number} stops");
    for _ in 0..number {
        press(&mut window, Key::Tab);
        let said = focused_label(&window);
        let Some((seen, ring)) = ring(&window) else {
            panic!("{name}: no ring around {said}");
        };
        assert!(
            seen.contains_rect(ring.expand(FOCUS_WIDTH / 2.0)),
            "{name}: {said} at {ring:?} is seen only within {seen:?}"
        );
    }
}

#[test]
fn what_has_the_focus_on_the_fine_tune_page_has_a_ring_and_is_in_sight() {
    around(fine_tune(SMALL), "Fine-tune");
}

#[test]
fn what_has_the_focus_on_the_runs_page_has_a_ring_and_is_in_sight() {
    around(runs(SMALL, 3), "Runs");
}

#[test]
fn what_has_the_focus_on_the_settings_page_has_a_ring_and_is_in_sight() {
    around(settings(SMALL), "Settings");
}

#[test]
fn what_has_the_focus_on_the_chat_page_has_a_ring_and_is_in_sight() {
    around(chat(SMALL), "Chat");
}

#[test]
fn what_has_the_focus_on_the_compare_page_has_a_ring_and_is_in_sight() {
    around(comparing(SMALL), "Compare");
    around(compared(SMALL, "Findings"), "Findings");
    around(compared(SMALL, "Questions"), "Questions");
}

#[test]
fn every_stop_has_a_name() {
    let mut menu = fine_tune(SMALL);
    focus(&mut menu, Role::ComboBox, "Choose a model");
    press(&mut menu, Key::Enter);
    let mut export = runs(SMALL, 3);
    focus(&mut export, Role::Button, "Export…");
    press(&mut export, Key::Enter);
    let mut comparison = runs(SMALL, 3);
    for name in ["Compare run 00", "Compare run 01"] {
        let node = nodes(&comparison).into_iter();
        let mut boxes = node.filter(|node| node.accesskit_node().role() == Role::CheckBox);
        let tick = boxes.find(|node| label(node).contains(&name[8..]));
        let tick = label(&tick.expect("a box to tick"));
        focus(&mut comparison, Role::CheckBox, &tick);
        press(&mut comparison, Key::Space);
    }
    assert!(comparison.state().state().runs.view.compares());
    let pages = [
        fine_tune(egui::vec2(1280.0, 4400.0)),
        menu,
        runs(egui::vec2(1280.0, 1600.0), 12),
        export,
        comparison,
        settings(egui::vec2(1280.0, 2000.0)),
        chat(egui::vec2(1280.0, 1600.0)),
        comparing(egui::vec2(1280.0, 1600.0)),
        compared(egui::vec2(1280.0, 1600.0), "Findings"),
        compared(egui::vec2(1280.0, 1600.0), "Questions"),
    ];
    for page in pages {
        let stops = stops(&page);
        assert!(stops.len() > 5);
        for stop in stops {
            let name = label(&stop);
            assert!(!name.trim().is_empty(), "no name: {stop:#?}");
        }
    }
}

#[test]
fn a_memory_bar_is_a_choice_that_keys_make() {
    let mut window = fine_tune(SMALL);
    let bar = { nodes(&window).into_iter() }
        .map(|node| label(&node))
        .find(|label| label.starts_with("Memory: LoRA, "))
        .expect("a bar for LoRA");
    assert!(bar.ends_with(", fits"), "{bar}");
    focus(&mut window, Role::RadioButton, &bar);
    press(&mut window, Key::Space);
    let method = window.state().state().setup.config.method;
    assert_eq!(method, stepladder_protocol::Method::Lora);
}

#[test]
fn a_menu_is_used_with_keys_and_gives_the_focus_back() {
    let mut window = fine_tune(SMALL);
    focus(&mut window, Role::ComboBox, "Format");
    press(&mut window, Key::Enter);
    press(&mut window, Key::ArrowDown);
    press(&mut window, Key::ArrowDown);
    assert_eq!(focused_label(&window), "Messages");
    press(&mut window, Key::Enter);
    let format = window.state().state().setup.config.data_options.format;
    assert_eq!(format, stepladder_protocol::DataFormat::Messages);
    assert_eq!(focused_label(&window), "Format");
    press(&mut window, Key::Enter);
    press(&mut window, Key::ArrowDown);
    press(&mut window, Key::Escape);
    assert_eq!(focused_label(&window), "Format");
    assert!(nodes(&window).iter().all(|node| label(node) != "Messages"));
}

#[test]
fn dialogs_begin_at_the_safe_choice_and_give_the_focus_back() {
    let mut window = runs(SMALL, 3);
    for (name, safe) in [("Delete", "Cancel"), ("Export…", "Cancel")] {
        focus(&mut window, Role::Button, name);
        press(&mut window, Key::Enter);
        assert_eq!(focused_label(&window), safe, "{name}");
        assert!(ring(&window).is_some());
        press(&mut window, Key::Enter);
        assert_eq!(focused_label(&window), name);
    }
    let mut window = fine_tune(SMALL);
    press_with(&mut window, Modifiers::COMMAND, Key::Enter);
    hear(&mut window, News::CloseAsked);
    window.run_steps(4);
    assert_eq!(focused_label(&window), "Cancel");
    press(&mut window, Key::Tab);
    assert_ne!(focused_label(&window), "Cancel", "it is left again");
}

#[test]
fn held_files_are_told() {
    let mut window = fine_tune(SMALL);
    let held = egui::HoveredFile::default();
    window.input_mut().hovered_files.push(held);
    window.run_steps(3);
    let told = { nodes(&window).into_iter() }
        .find(|node| label(node).starts_with("Drop to use. "))
        .expect("the overlay has a name");
    assert_eq!(told.accesskit_node().role(), Role::Status);
    assert!(label(&told).contains("JSONL"));
}

/// Text that is drawn with a line through it.
fn struck(window: &Window) -> Vec<String> {
    fn collect(shape: &Shape, struck: &mut Vec<String>) {
        match shape {
            Shape::Vec(shapes) => shapes.iter().for_each(|shape| collect(shape, struck)),
            Shape::Text(text) => {
                let job: &LayoutJob = &text.galley.job;
                let lines = { job.sections.iter() }
                    .filter(|section| section.format.strikethrough.width > 0.0);
                for section in lines {
                    let bytes = section.byte_range.start.0..section.byte_range.end.0;
                    struck.push(job.text[bytes].to_owned());
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    for clipped in &window.output().shapes {
        collect(&clipped.shape, &mut found);
    }
    found
}

#[test]
fn what_is_cut_off_is_told_without_color() {
    let mut window = window();
    start(&mut window);
    let files = vec!["/data/long.jsonl".into()];
    hear(&mut window, News::Picked(Picker::DataFiles, files));
    let commands = quiet(&mut window);
    let segment = |used, text: &str| Segment {
        used,
        text: text.to_owned(),
        first_token: Some(0),
        tokens: Some(1),
    };
    let preview = DatasetPreview {
        complete: true,
        rows: 1,
        examples: 1,
        shown: vec![ExamplePreview {
            row: 1,
            path: "/data/long.jsonl".to_owned(),
            line: 1,
            tokens: Some(3),
            segments: vec![
                segment(TokenUse::Context, "question"),
                segment(TokenUse::Trained, "answer"),
                segment(TokenUse::CutOff, "too long"),
            ],
        }],
        ..DatasetPreview::default()
    };
    let event = Event::Preview(Box::new(preview));
    say(&mut window, &job_about(&commands, "data"), event);
    assert_eq!(struck(&window), ["Cut off", "too long"]);
}
