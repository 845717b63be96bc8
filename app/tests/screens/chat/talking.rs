//! Asking and being answered.

use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;
use stepladder::state::Effect;
use stepladder_protocol::{AdapterChoice, Command, Event, FinishReason, Role};

use super::*;

#[test]
fn the_page_loads_its_model_and_says_what_it_is_for() {
    let mut window = opened(ThemeChoice::Light, SMALL);
    let sent = sent(&mut window);
    assert!(matches!(&sent[..], [Command::Chat(chat)] if chat.model == "builtin"));
    assert!(shows(&window, "Loading the model"));
    assert!(shows(&window, "Ask something"));
    ready(&mut window);
    assert!(shows(&window, "Ready · CPU, 2 threads"));
    assert!(shows(&window, "Context: 1,024 tokens"));
    click(&mut window, "Try an example");
    assert_eq!(window.state().state().chat.draft, QUESTION);
}

#[test]
fn enter_sends_and_shift_enter_begins_a_line() {
    let mut window = page();
    type_message(&mut window, "One");
    window.key_press_modifiers(Modifiers::SHIFT, Key::Enter);
    window.run_steps(2);
    window.get_by_label("Message").type_text("two");
    window.run_steps(2);
    assert_eq!(window.state().state().chat.draft, "One\ntwo");
    press(&mut window, Key::Enter);
    let turns = turns(&mut window);
    assert_eq!(turns.len(), 1);
    assert_eq!(turns[0].messages[0].role, Role::User);
    assert_eq!(turns[0].messages[0].content, "One\ntwo");
    assert_eq!(window.state().state().chat.draft, "");
    assert!(shows(&window, "Waiting for its first word"));
    press(&mut window, Key::Enter);
    assert!(super::turns(&mut window).is_empty(), "nothing is typed");
}

#[test]
fn a_reply_streams_and_folds_what_it_thought() {
    let mut window = page();
    send(&mut window, QUESTION);
    say(&mut window, "<think>\n345+267", true);
    assert!(shows(&window, "Thinking…"));
    assert!(!shows(&window, "345+267"), "it is folded");
    say(&mut window, "=612\n</think>", true);
    say(&mut window, "\n\nThe answer is **612**.", false);
    assert!(shows(&window, "The answer is 612."));
    let stats = stats(82, 93, FinishReason::Stop);
    tell(&mut window, Event::Reply(stats));
    assert!(shows(&window, "93 tokens · 546 tokens/s"));
    assert!(shows(&window, "141 of 1,024 tokens"));
    assert!(shows(&window, "Thought for 0.4 s · 82 tokens"));
    unfold(&mut window);
    assert!(shows(&window, "345+267=612"));
    assert!(!shows(&window, "<think>"));
    unfold(&mut window);
    assert!(!shows(&window, "345+267=612"));
}

#[test]
fn why_a_reply_ended_is_said() {
    let mut window = page();
    send(&mut window, "Count.");
    say(&mut window, "1, 2", false);
    let end = stats(0, 4, FinishReason::Length);
    tell(&mut window, Event::Reply(end));
    assert!(shows(&window, "cut off at the limit"));
    send(&mut window, "Think.");
    say(&mut window, "<think>\nwell", true);
    let end = stats(4, 4, FinishReason::Length);
    tell(&mut window, Event::Reply(end));
    assert!(shows(
        &window,
        "It ended while thinking, without an answer."
    ));
}

#[test]
fn escape_and_the_button_stop_a_reply() {
    for by_key in [true, false] {
        let mut window = page();
        send(&mut window, QUESTION);
        say(&mut window, "The ans", false);
        asked(&mut window);
        match by_key {
            true => press(&mut window, Key::Escape),
            false => click(&mut window, "Stop"),
        }
        let sent = sent(&mut window);
        assert!(matches!(sent[..], [Command::ChatInterrupt(_)]), "{sent:?}");
        let end = stats(0, 2, FinishReason::Cancelled);
        tell(&mut window, Event::Reply(end));
        assert!(shows(&window, "The ans") && shows(&window, "stopped"));
        assert!(!shows(&window, "Stop"));
    }
}

#[test]
fn adapters_answer_beside_the_base_model_and_are_switched_off() {
    let mut window = page();
    add(&mut window, "short-thoughts");
    add(&mut window, "xladder-32");
    send(&mut window, QUESTION);
    let choices: Vec<_> = { turns(&mut window).into_iter() }
        .map(|turn| turn.adapter)
        .collect();
    let at = |name: &str| AdapterChoice::At(folder().join(name));
    let all = [AdapterChoice::Base, at("short-thoughts"), at("xladder-32")];
    assert_eq!(choices, all);
    assert!(shows(&window, "Answers after the others"));
    answer(&mut window, REASONING, "The answer is 612.");
    answer(&mut window, "", "612, in short.");
    answer(&mut window, "", "Also 612.");
    for said in ["The answer is 612.", "612, in short.", "Also 612."] {
        assert!(shows(&window, said));
    }
    click(&mut window, "Base model answers");
    click(&mut window, "Remove xladder-32");
    asked(&mut window);
    click(&mut window, "Answer again");
    let again = turns(&mut window);
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].adapter, at("short-thoughts"));
    assert_eq!(again[0].messages.len(), 1);
}

#[test]
fn an_adapter_of_another_model_is_named_and_cannot_be_chosen() {
    let mut window = page();
    click(&mut window, "Add adapter");
    assert!(shows(&window, "trained on another model"));
    assert!(
        window
            .get_by_role_and_label(egui::accesskit::Role::Button, "qwen-ladder")
            .accesskit_node()
            .is_disabled()
    );
}

#[test]
fn a_question_is_changed_and_sent_again() {
    let mut window = page();
    send(&mut window, "One?");
    answer(&mut window, "", "Yes.");
    send(&mut window, "Two?");
    answer(&mut window, "", "No.");
    asked(&mut window);
    let edits: Vec<_> = window.query_all_by_label("Edit question").collect();
    assert_eq!(edits.len(), 2);
    edits[0].click();
    drop(edits);
    window.run_steps(4);
    let editing = |window: &Window| window.state().state().chat.editing.is_some();
    assert!(editing(&window));
    press(&mut window, Key::Escape);
    assert!(!editing(&window), "left as it was");
    window
        .query_all_by_label("Edit question")
        .next()
        .unwrap()
        .click();
    window.run_steps(4);
    window.get_by_label("Question").type_text(" Really?");
    window.run_steps(2);
    click(&mut window, "Send again");
    let turns = turns(&mut window);
    assert_eq!(turns[0].messages.len(), 1);
    assert!(turns[0].messages[0].content.contains("Really?"));
    assert!(!shows(&window, "Two?"));
}

#[test]
fn what_was_said_is_copied() {
    let mut window = page();
    send(&mut window, "Code?");
    answer(&mut window, "", "So:\n\n```rust\nlet a = 1;\n```\n");
    for (label, text) in [
        ("Copy code", "let a = 1;"),
        ("Copy question", "Code?"),
        ("Copy answer", "So:\n\n```rust\nlet a = 1;\n```"),
    ] {
        window.get_by_label(label).click();
        window.step();
        let copies = |command: &egui::OutputCommand| matches!(command, egui::OutputCommand::CopyText(copied) if copied == text);
        let now = window.output().platform_output.commands.iter().any(copies);
        window.step();
        let later = window.output().platform_output.commands.iter().any(copies);
        assert!(now || later, "{label}");
        window.run_steps(2);
    }
}

#[test]
fn links_show_where_they_lead_and_only_pages_are_links() {
    let mut window = page();
    send(&mut window, "Links?");
    let links = "[a page](https://example.org/a) and [a file](file:///etc/passwd) and ![a picture](https://example.org/p.png)";
    answer(&mut window, "", links);
    let is_link = |window: &Window, name: &str| {
        let node = window.query_by_role_and_label(egui::accesskit::Role::Link, name);
        node.is_some()
    };
    assert!(is_link(&window, "a page") && is_link(&window, "a picture"));
    assert!(!is_link(&window, "a file"));
    for address in [
        "(https://example.org/a)",
        "(file:///etc/passwd)",
        "(https://example.org/p.png)",
    ] {
        assert!(shows(&window, address), "{address}");
    }
    window.get_by_label("a page").click();
    window.step();
    let opens = |window: &Window| {
        let commands = &window.output().platform_output.commands;
        commands.iter().any(|command| {
            matches!(command, egui::OutputCommand::OpenUrl(open) if open.url == "https://example.org/a")
        })
    };
    let now = opens(&window);
    window.step();
    assert!(now || opens(&window));
}

#[test]
fn foreign_text_cannot_steer_the_page() {
    let mut window = page();
    send(&mut window, "a\u{202e}b");
    answer(
        &mut window,
        "<think>\u{1b}[2J</think>",
        "x\u{202e}y `z\u{7}`",
    );
    unfold(&mut window);
    let hidden = |text: &str| text.contains(['\u{202e}', '\u{1b}', '\u{7}']);
    for node in window.root().children_recursive() {
        let node = node.accesskit_node();
        let label = node.label().unwrap_or_default();
        let value = node.value().unwrap_or_default();
        assert!(!hidden(&label) && !hidden(&value), "{label:?} {value:?}");
    }
}

#[test]
fn the_drawer_has_instructions_and_sampler_and_says_what_is_wrong() {
    let mut window = loaded(ThemeChoice::Dark, egui::vec2(1280.0, 1200.0));
    click(&mut window, "Sampling and instructions");
    window
        .get_by_role_and_label(egui::accesskit::Role::TextInput, "Temperature")
        .focus();
    window.run_steps(2);
    window
        .get_by_role_and_label(egui::accesskit::Role::TextInput, "Temperature")
        .type_text("9");
    window.run_steps(2);
    assert!(shows(&window, "Use 0 to 5."));
    click(&mut window, "As recommended");
    assert!(!shows(&window, "Use 0 to 5."));
    let seed = window.get_by_role_and_label(egui::accesskit::Role::TextInput, "Seed");
    seed.focus();
    window.run_steps(2);
    let seed = window.get_by_role_and_label(egui::accesskit::Role::TextInput, "Seed");
    seed.type_text("7");
    window.run_steps(2);
    let fields: Vec<_> = window.query_all_by_label("Instructions").collect();
    let system = { fields.into_iter() }
        .find(|node| {
            node.accesskit_node().role() == egui::accesskit::Role::MultilineTextInput
                || node.accesskit_node().role() == egui::accesskit::Role::TextInput
        })
        .expect("a field");
    system.focus();
    window.run_steps(2);
    window.event(egui::Event::Text("Be short.".to_owned()));
    window.run_steps(2);
    send(&mut window, "One?");
    let turns = turns(&mut window);
    assert_eq!(turns[0].settings.seed, Some(7));
    assert_eq!(turns[0].messages[0].content, "Be short.");
}

#[test]
fn another_model_is_loaded_in_place_of_this_one() {
    let mut window = page();
    click(&mut window, "Choose a model");
    window.get_by_label("Path of a model").focus();
    window.run_steps(2);
    window
        .get_by_label("Path of a model")
        .type_text("/models/qwen");
    window.run_steps(2);
    click(&mut window, "Use path");
    let effects = asked(&mut window);
    let ends = effects
        .iter()
        .position(|effect| *effect == Effect::EndWorker(Desk::Chatting));
    let loads = effects.iter().position(|effect| {
        matches!(effect, Effect::Send(Desk::Chatting, command) if matches!(&**command, Command::Chat(chat) if chat.model == "/models/qwen"))
    });
    assert!(ends.expect("an end") < loads.expect("a beginning"));
}
