//! The list of conversations.

use egui::Key;
use egui_kittest::kittest::Queryable;

use super::*;

#[test]
fn conversations_are_opened_renamed_and_moved_to_the_bin() {
    let mut window = page();
    entries(&mut window, &["Coins", "Apples"]);
    assert!(shows(&window, "Coins, 2 minutes ago") && shows(&window, "Apples, 1 hour ago"));
    click(&mut window, "Apples, 1 hour ago");
    let requests = disk(&mut window);
    assert!(matches!(&requests[..], [ConversationRequest::Read { id, .. }] if id == "99"));
    let found = Ok(Box::new(conversation("How many apples?", "Twelve.")));
    let id = "99".to_owned();
    from_disk(&mut window, ConversationAnswer::Read { id, found });
    assert!(shows(&window, "How many apples?") && shows(&window, "Twelve."));
    assert!(shows(&window, "Thought for 0.4 s · 40 tokens"));

    click(&mut window, "Rename conversation");
    window
        .get_by_label("Name of the conversation")
        .type_text(" My");
    window.run_steps(2);
    press(&mut window, Key::Enter);
    let requests = disk(&mut window);
    let named = |request: &ConversationRequest| {
        matches!(request, ConversationRequest::Keep { id, conversation, .. }
            if id == "99" && conversation.title.as_ref().is_some_and(|title| title.contains("My")))
    };
    assert!(requests.iter().any(named), "{requests:?}");

    click(&mut window, "Delete conversation");
    assert!(shows(&window, "Move this conversation to the bin?"));
    press(&mut window, Key::Escape);
    assert!(disk(&mut window).is_empty());
    click(&mut window, "Delete conversation");
    click(&mut window, "Move to bin");
    let requests = disk(&mut window);
    assert!(matches!(&requests[..], [ConversationRequest::Delete { id, .. }] if id == "99"));
    assert!(!shows(&window, "How many apples?"));
    assert!(shows(&window, "Coins, 2 minutes ago"));
}

#[test]
fn a_new_conversation_is_kept_once_something_is_asked() {
    let mut window = page();
    send(&mut window, QUESTION);
    answer(&mut window, "", "612.");
    let requests = disk(&mut window);
    let keeps =
        |request: &&ConversationRequest| matches!(request, ConversationRequest::Keep { .. });
    assert_eq!(requests.iter().filter(keeps).count(), 2);
    assert!(shows(&window, "Anna has 345 coins."));
    click(&mut window, "New conversation");
    assert!(shows(&window, "Ask something"));
    assert!(disk(&mut window).is_empty());
}

#[test]
fn what_the_disk_has_to_say_is_a_notice() {
    let mut window = page();
    let list = ConversationList {
        folder: "/home/user/.local/share/stepladder/conversations".into(),
        notices: vec!["A conversation could not be read and is left out.".to_owned()],
        ..ConversationList::default()
    };
    from_disk(&mut window, ConversationAnswer::List(Box::new(list)));
    assert!(shows(&window, "could not be read and is left out"));
    click(&mut window, "Dismiss");
    let id = "7".to_owned();
    let result = Err("This conversation cannot be kept: disk full".to_owned());
    from_disk(&mut window, ConversationAnswer::Kept { id, result });
    assert!(shows(&window, "cannot be kept: disk full"));
}

#[test]
fn the_list_makes_room() {
    let mut window = loaded(ThemeChoice::Light, SMALL);
    assert!(shows(&window, "Conversations"));
    click(&mut window, "Show or hide conversations");
    assert!(!window.query_all_by_label("Conversations").any(|_| true));
}

#[test]
fn any_conversation_is_renamed_and_deleted_from_the_list() {
    let mut window = page();
    entries(&mut window, &["Coins", "Apples"]);
    // Nothing but the row under the pointer has buttons.
    assert!(!shows(&window, "Rename conversation"));
    window.get_by_label("Apples, 1 hour ago").hover();
    window.run_steps(4);
    assert!(!shows(&window, "Rename conversation: Coins"));
    click(&mut window, "Rename conversation: Apples");
    window
        .get_by_label("Name of the conversation")
        .type_text(" and pears");
    window.run_steps(2);
    press(&mut window, Key::Enter);
    let requests = disk(&mut window);
    assert!(
        matches!(&requests[..], [ConversationRequest::Rename { id, title: Some(title), .. }]
            if id == "99" && title.contains(" and pears")),
        "{requests:?}"
    );
    assert!(shows(&window, "and pears"));
}

#[test]
fn the_keyboard_reaches_what_a_conversation_offers() {
    let mut window = page();
    entries(&mut window, &["Coins", "Apples"]);
    window.get_by_label("Coins, 2 minutes ago").focus();
    window.run_steps(2);
    press(&mut window, Key::Delete);
    assert!(shows(&window, "Move this conversation to the bin?"));
    press(&mut window, Key::Escape);
    // From the row to its buttons.
    window.get_by_label("Coins, 2 minutes ago").focus();
    window.run_steps(2);
    press(&mut window, Key::Tab);
    assert!(
        window
            .get_by_label("Delete conversation: Coins")
            .is_focused()
    );
    press(&mut window, Key::Tab);
    press(&mut window, Key::Enter);
    assert!(shows(&window, "Name of the conversation"));
    press(&mut window, Key::Escape);
    window.get_by_label("Apples, 1 hour ago").focus();
    window.run_steps(2);
    press(&mut window, Key::F2);
    assert!(shows(&window, "Name of the conversation"));
    assert!(disk(&mut window).is_empty());
}

#[test]
fn a_long_conversation_is_laid_out_where_it_is_seen() {
    let mut window = page();
    entries(&mut window, &["Long"]);
    click(&mut window, "Long, 2 minutes ago");
    let mut long = conversation("Question 0", "Answer 0");
    for place in 1..200 {
        let one = conversation(&format!("Question {place}"), &"An answer. ".repeat(60));
        long.exchanges.extend(one.exchanges);
    }
    let id = "100".to_owned();
    let found = Ok(Box::new(long));
    from_disk(&mut window, ConversationAnswer::Read { id, found });
    window.run_steps(4);
    let asked = |window: &Window| -> Vec<String> {
        { window.query_all_by_label_contains("Question ") }
            .filter_map(|node| node.accesskit_node().value())
            .collect()
    };
    // It opens at its end.
    let laid_out = asked(&window);
    assert!(laid_out.contains(&"Question 199".to_owned()));
    assert!(laid_out.len() < 30, "{laid_out:?}");
    // And what is scrolled to is there.
    let middle = egui::pos2(SIZE.x / 2.0, SIZE.y / 2.0);
    window.event(egui::Event::PointerMoved(middle));
    for _ in 0..8 {
        window.event(egui::Event::MouseWheel {
            source: egui::MouseWheelSource::Wheel,
            unit: egui::MouseWheelUnit::Point,
            delta: egui::vec2(0.0, 20_000.0),
            phase: egui::TouchPhase::Move,
            modifiers: egui::Modifiers::NONE,
        });
        window.run_steps(16);
    }
    let laid_out = asked(&window);
    assert!(laid_out.contains(&"Question 0".to_owned()), "{laid_out:?}");
    assert!(laid_out.len() < 30, "{laid_out:?}");
}
