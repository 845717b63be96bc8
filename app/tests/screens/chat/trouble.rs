//! What can go wrong, and the way on.

use egui_kittest::kittest::Queryable;
use stepladder::state::Effect;
use stepladder_protocol::{Command, DeviceInfo, DeviceReport, ErrorReport, Event, Finished, JobId};

use super::*;

#[test]
fn a_model_that_cannot_chat_says_so_and_is_tried_again() {
    let mut window = opened(ThemeChoice::Light, SMALL);
    let problem = ErrorReport::new(
        "chat_template_missing",
        "/models/base has no chat template",
        "give --template chatml",
    );
    tell(&mut window, Event::Failed(problem));
    assert!(shows(&window, "has no chat template"));
    assert!(shows(&window, "instruction-tuned version"));
    assert!(!shows(&window, "--template"));
    asked(&mut window);
    click(&mut window, "Load again");
    assert!(matches!(sent(&mut window)[..], [Command::Chat(_)]));
}

#[test]
fn a_worker_that_dies_is_told_and_the_question_is_asked_again() {
    let mut window = page();
    send(&mut window, QUESTION);
    say(&mut window, "The ans", false);
    let died = ErrorReport::new(
        "worker_died",
        "the worker ended unexpectedly (signal 9)",
        "x",
    );
    tell(&mut window, Event::Failed(died));
    assert!(shows(&window, "ended unexpectedly") && shows(&window, "The ans"));
    assert!(shows(&window, "The conversation is kept."));
    asked(&mut window);
    click(&mut window, "Load again");
    ready(&mut window);
    click(&mut window, "Answer again");
    answer(&mut window, "", "The answer is 612.");
    assert!(shows(&window, "The answer is 612."));
    assert!(!shows(&window, "ended unexpectedly"));
}

#[test]
fn an_adapter_that_does_not_fit_fails_in_its_column() {
    let mut window = page();
    add(&mut window, "short-thoughts");
    send(&mut window, QUESTION);
    answer(&mut window, "", "The answer is 612.");
    let problem = ErrorReport::new(
        "adapter_for_another_base",
        "it was trained on another model",
        "use --model",
    );
    tell(&mut window, Event::TurnFailed(problem));
    assert!(shows(&window, "The answer is 612."));
    assert!(shows(&window, "Take this adapter out"));
}

#[test]
fn an_adapter_of_another_form_offers_to_load_the_model_for_it() {
    let mut window = page();
    add(&mut window, "short-thoughts");
    click(&mut window, "Base model answers");
    send(&mut window, QUESTION);
    let problem = ErrorReport::new(
        "config_invalid",
        "adapter: trained beside another form",
        "open another chat",
    );
    tell(&mut window, Event::TurnFailed(problem));
    asked(&mut window);
    click(&mut window, "Load the model for this adapter");
    let sent = sent(&mut window);
    let path = Some(folder().join("short-thoughts"));
    assert!(
        matches!(&sent[0], Command::Chat(chat) if chat.adapter == path),
        "{sent:?}"
    );
    assert!(matches!(sent[1], Command::ChatTurn(_)));
}

#[test]
fn a_conversation_that_is_too_long_says_so() {
    let mut window = page();
    send(&mut window, QUESTION);
    let problem = ErrorReport::new(
        "config_invalid",
        "messages: the conversation has 1,100 tokens, the model's context holds 1024",
        "start a new conversation, or shorten the message",
    );
    tell(&mut window, Event::TurnFailed(problem));
    assert!(shows(&window, "the model's context holds 1024"));
    assert!(shows(&window, "start a new conversation"));
    assert!(
        window
            .query_by_label("Load the model for this adapter")
            .is_none()
    );
}

#[test]
fn memory_is_given_back_and_the_next_message_loads_the_model() {
    let mut window = page();
    click(&mut window, "Free memory");
    assert!(asked(&mut window).contains(&Effect::EndWorker(Desk::Chatting)));
    assert!(shows(&window, "Not loaded"));
    send(&mut window, QUESTION);
    let sent = sent(&mut window);
    assert!(matches!(sent[..], [Command::Chat(_), Command::ChatTurn(_)]));
}

fn device(window: &mut Window, id: &str) {
    let report = DeviceReport {
        devices: vec![DeviceInfo {
            id: id.to_owned(),
            name: id.to_uppercase(),
            cores: None,
            threads: 2,
            memory_total_bytes: 12 << 30,
            memory_free_bytes: 8 << 30,
            card: None,
        }],
        notices: Vec::new(),
    };
    let event = Event::Finished(Finished::Devices(report));
    let line = event.of(&JobId::new("device/1"));
    hear(window, News::Event(Desk::Looking, line));
}

fn train(window: &mut Window) {
    go(window, "Fine-tune");
    window.get_by_label_contains("Fine-tune: ").click();
    window.run_steps(3);
    go(window, "Chat");
}

#[test]
fn beside_a_run_on_the_processor_both_are_slower() {
    let mut window = page();
    device(&mut window, "cpu");
    train(&mut window);
    assert!(shows(&window, "both slower"));
    asked(&mut window);
    send(&mut window, QUESTION);
    assert_eq!(turns(&mut window).len(), 1);
}

#[test]
fn a_run_on_a_card_comes_first_and_can_be_paused() {
    let mut window = page();
    device(&mut window, "cuda:0");
    asked(&mut window);
    train(&mut window);
    let ends = Effect::EndWorker(Desk::Chatting);
    assert!(asked(&mut window).contains(&ends), "its memory is needed");
    assert!(shows(&window, "Chat after this run, or pause it"));
    type_message(&mut window, QUESTION);
    press(&mut window, egui::Key::Enter);
    assert!(turns(&mut window).is_empty());
    click(&mut window, "Pause the run");
    let stops = |effect: &Effect| matches!(effect, Effect::Send(Desk::Training, command) if matches!(**command, Command::Stop(_)));
    assert!(asked(&mut window).iter().any(stops));
}

#[test]
fn what_the_engine_has_to_say_is_told() {
    let mut window = page();
    let text = "this adapter was made for the model in another type".to_owned();
    tell(&mut window, Event::Notice { text });
    assert!(shows(&window, "made for the model in another type"));
}
