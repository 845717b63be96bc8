//! What a comparison is to ask.

use super::*;
use egui_kittest::kittest::Queryable;
use stepladder::state::chat::ChatAction;
use stepladder::state::{Action, Picker};

#[test]
fn the_button_says_what_is_missing_and_then_what_will_happen() {
    let mut window = page();
    let button = window.get_by_label("Choose a run");
    assert!(button.accesskit_node().is_disabled());
    click(&mut window, "Compare short-thoughts");
    click(&mut window, "Compare: 2 variants, 200 questions");
    let (command, go_on) = begun(&mut window).expect("a comparison");
    assert_eq!(go_on, None);
    assert_eq!(command.model, "builtin");
    assert_eq!(command.adapters, [folder().join("short-thoughts")]);
    assert_eq!(command.data.as_deref(), Some("builtin"));
    assert_eq!((command.baseline.as_str(), command.limit), ("base", None));
    assert_eq!(command.settings, SamplerSettings::default());
    assert!(command.train_matched.is_none());
}

#[test]
fn control_and_enter_start_what_is_set_up() {
    let mut window = page();
    window.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Enter);
    window.run_steps(3);
    assert!(begun(&mut window).is_none(), "no run is chosen");
    click(&mut window, "Compare short-thoughts");
    window.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Enter);
    window.run_steps(3);
    let (command, _) = begun(&mut window).expect("a comparison");
    assert_eq!(command.adapters, [folder().join("short-thoughts")]);
}

#[test]
fn runs_that_cannot_be_compared_say_why() {
    let mut window = page();
    for said in [
        "qwen-ladder: trained on another model",
        "overnight: has no adapter yet",
    ] {
        assert!(window.get_by_label(said).accesskit_node().is_disabled());
    }
    click(&mut window, "Compare short-thoughts");
    let action = stepladder::state::compare::asking::AskingAction::Model("/models/qwen".to_owned());
    let action = stepladder::state::compare::CompareAction::Asking(action);
    window.state_mut().act(Action::Compare(action));
    window.run_steps(3);
    assert!(
        shows(&window, "Choose a run"),
        "another model has other runs"
    );
    click(&mut window, "Compare qwen-ladder");
    click(&mut window, "Compare: 2 variants, all questions");
    let (command, _) = begun(&mut window).expect("a comparison");
    assert_eq!(command.data, None, "what the run held out");
}

#[test]
fn what_is_wrong_stands_beside_its_field() {
    let mut window = page();
    click(&mut window, "Compare short-thoughts");
    type_in(&mut window, "Number of questions", "many");
    assert!(shows(&window, "This is no whole number."));
    let button = window.get_by_label("Check the marked fields");
    assert!(button.accesskit_node().is_disabled());
}

#[test]
fn everything_that_is_set_is_asked() {
    let mut window = page();
    click(&mut window, "Compare short-thoughts");
    click(&mut window, "Compare xladder-32");
    type_in(&mut window, "Number of questions", "50");
    type_in(&mut window, "Seed", "7");
    type_in(&mut window, "Token limit", "300");
    click(&mut window, "How answers are drawn");
    type_in(&mut window, "Temperature", "0");
    click(&mut window, "Baseline");
    window
        .get_by_role_and_label(egui::accesskit::Role::Button, "xladder-32")
        .click();
    window.run_steps(4);
    click(&mut window, "Compare: 3 variants, 50 questions");
    let (command, _) = begun(&mut window).expect("a comparison");
    assert_eq!(command.limit, Some(50));
    assert_eq!(command.baseline, "xladder-32");
    let settings = SamplerSettings {
        seed: Some(7),
        max_tokens: Some(300),
        temperature: Some(0.0),
        ..SamplerSettings::default()
    };
    assert_eq!(command.settings, settings);
}

#[test]
fn a_file_of_questions_is_chosen_or_dropped() {
    let mut window = page();
    click(&mut window, "Compare short-thoughts");
    click(&mut window, "Questions: From a file");
    assert!(shows(&window, "Choose a file of questions"));
    click(&mut window, "Choose file…");
    assert!(asked(&mut window).contains(&Effect::Pick(Picker::Questions)));
    hear(
        &mut window,
        News::Picked(Picker::Questions, vec!["/data/q.jsonl".into()]),
    );
    assert!(shows(&window, "/data/q.jsonl"));
    hear(&mut window, News::Dropped(vec!["/data/other.csv".into()]));
    assert_eq!(
        window.state().state().page,
        Page::Compare,
        "it is for this page"
    );
    click(&mut window, "Compare: 2 variants, all questions");
    let (command, _) = begun(&mut window).expect("a comparison");
    assert_eq!(command.data.as_deref(), Some("/data/other.csv"));
}

#[test]
fn a_run_that_trains_on_a_card_comes_first() {
    let mut window = page();
    click(&mut window, "Compare short-thoughts");
    window.state_mut().act(Action::Chat(ChatAction::Load));
    super::under_way::train(&mut window, "cuda:0");
    assert!(shows(
        &window,
        "A run is training and needs the device's memory."
    ));
    let button = window.get_by_label("After the run that trains");
    assert!(button.accesskit_node().is_disabled());
    assert!(window.query_by_label("Pause the run").is_some());
}

#[test]
fn a_run_is_ticked_by_its_name_as_well() {
    let mut window = page();
    let name = window.get_by_label("short-thoughts").rect().center();
    for (expected, button) in [
        (1, "Compare: 2 variants, 200 questions"),
        (0, "Choose a run"),
    ] {
        window.drag_at(name);
        window.drop_at(name);
        window.run_steps(3);
        assert_eq!(window.state().state().compare.asking.ticked.len(), expected);
        assert!(shows(&window, button), "{button}");
    }
}
