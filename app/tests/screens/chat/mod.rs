//! The Chat page, by label, before a worker and a disk that say what these tests let them say.

mod conversations;
pub mod looks;
mod talking;
mod trouble;

use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use stepladder::state::chat::conversation::{Conversation, Exchange, Reply, Stage, Who};
use stepladder::state::chat::stored::{
    ConversationAnswer, ConversationList, ConversationRequest, Entry,
};
use stepladder::state::runs::stored::{DiskAnswer, DiskRequest};
use stepladder::state::settings::{Settings, ThemeChoice};
use stepladder::state::{Desk, Effect, News, Page};
use stepladder_protocol::{
    ChatReady, ChatTurn, Command, Event, FinishReason, JobId, ReplyStats, RunState,
};

use crate::fine_tune::recorded::start;
use crate::runs::{folder, listed, stored};
use crate::support::{NOW, TestWindow, asked, hear, window_of};

pub type Window = Harness<'static, TestWindow>;

pub const SIZE: egui::Vec2 = egui::vec2(1280.0, 860.0);
pub const SMALL: egui::Vec2 = egui::vec2(1024.0, 700.0);
pub const QUESTION: &str =
    "Anna has 345 coins. Ben gives Anna 267 more. How many coins does Anna have now?";
pub const REASONING: &str = "<think>\n345+267:\n5+7=12\n4+6+1=11\n3+2+1=6\n345+267=612\n</think>";

/// The page as it opens, its model asked for, before a run with an adapter and one of another model.
pub fn opened(theme: ThemeChoice, size: egui::Vec2) -> Window {
    let settings = Settings {
        theme,
        runs_folder: Some(folder()),
        data_folder: Some("/home/user/.local/share/stepladder".into()),
        ..Settings::default()
    };
    let mut window = window_of(settings, size);
    start(&mut window);
    // Ages are told.
    window.state_mut().outside().always_at = Some(NOW);
    let mut other = stored("qwen-ladder", RunState::Finished);
    other.config.model = "/models/qwen".to_owned();
    let runs = ["short-thoughts", "xladder-32", "lora"];
    let mut runs: Vec<_> = { runs.iter() }
        .map(|name| stored(name, RunState::Finished))
        .collect();
    runs.push(other);
    hear(&mut window, listed(runs));
    go(&mut window, "Chat");
    assert_eq!(window.state().state().page, Page::Chat);
    window
}

pub fn go(window: &mut Window, page: &str) {
    window
        .get_by_role_and_label(egui::accesskit::Role::Tab, page)
        .click();
    window.run_steps(4);
}

/// The same with its model loaded.
pub fn page() -> Window {
    loaded(ThemeChoice::Light, SIZE)
}

pub fn loaded(theme: ThemeChoice, size: egui::Vec2) -> Window {
    let mut window = opened(theme, size);
    ready(&mut window);
    asked(&mut window);
    window
}

pub fn ready(window: &mut Window) {
    let ready = ChatReady {
        model: "builtin".to_owned(),
        adapter: None,
        device: "CPU, 2 threads".to_owned(),
        context_length: 1024,
    };
    tell(window, Event::Ready(ready));
}

/// An event of the model that was loaded last.
pub fn tell(window: &mut Window, event: Event) {
    let job: JobId = window.state().state().chat.session.job();
    hear(window, News::Event(Desk::Chatting, event.of(&job)));
}

pub fn say(window: &mut Window, text: &str, reasoning: bool) {
    let text = text.to_owned();
    tell(window, Event::Text { text, reasoning });
}

pub fn stats(reasoning: usize, total: usize, finish: FinishReason) -> ReplyStats {
    ReplyStats {
        reasoning_tokens: reasoning,
        total_tokens: total,
        finish,
        tokens_per_second: Some(546.0),
        reasoning_secs: (reasoning > 0).then_some(0.4),
        prompt_tokens: 48,
        context_length: 1024,
    }
}

/// A whole reply to the question that is due.
pub fn answer(window: &mut Window, reasoning: &str, text: &str) {
    if !reasoning.is_empty() {
        say(window, reasoning, true);
    }
    say(window, text, false);
    let tokens = reasoning.len() / 3;
    let stats = stats(tokens, tokens + 12, FinishReason::Stop);
    tell(window, Event::Reply(stats));
}

/// Types a message and sends it with Enter.
pub fn send(window: &mut Window, text: &str) {
    type_message(window, text);
    press(window, egui::Key::Enter);
}

pub fn type_message(window: &mut Window, text: &str) {
    let field = window.get_by_label("Message");
    field.focus();
    window.run_steps(2);
    window.get_by_label("Message").type_text(text);
    window.run_steps(2);
}

pub fn press(window: &mut Window, key: egui::Key) {
    window.key_press(key);
    window.run_steps(4);
}

pub fn click(window: &mut Window, label: &str) {
    window.get_by_label(label).click();
    window.run_steps(4);
}

pub fn shows(window: &Window, words: &str) -> bool {
    let said = |node: egui_kittest::Node<'_>| {
        let node = node.accesskit_node();
        let label = node.label().unwrap_or_default();
        label.contains(words) || node.value().is_some_and(|value| value.contains(words))
    };
    window.root().children_recursive().any(said)
}

/// The turns that were asked for since the last time.
pub fn turns(window: &mut Window) -> Vec<ChatTurn> {
    { sent(window).into_iter() }
        .filter_map(|command| match command {
            Command::ChatTurn(turn) => Some(turn),
            _ => None,
        })
        .collect()
}

pub fn sent(window: &mut Window) -> Vec<Command> {
    { asked(window).into_iter() }
        .filter_map(|effect| match effect {
            Effect::Send(Desk::Chatting, command) => Some(*command),
            _ => None,
        })
        .collect()
}

/// What the disk was asked about conversations since the last time.
pub fn disk(window: &mut Window) -> Vec<ConversationRequest> {
    { asked(window).into_iter() }
        .filter_map(|effect| match effect {
            Effect::Disk(DiskRequest::Conversations(request)) => Some(request),
            _ => None,
        })
        .collect()
}

pub fn from_disk(window: &mut Window, answer: ConversationAnswer) {
    hear(window, News::Disk(DiskAnswer::Conversations(answer)));
    window.run_steps(2);
}

pub fn entries(window: &mut Window, titles: &[&str]) {
    let entries = { titles.iter().enumerate() }
        .map(|(place, title)| Entry {
            id: (100 - place).to_string(),
            title: (*title).to_owned(),
            changed_at: NOW - 3600.0 * place as f64 - 120.0,
        })
        .collect();
    let list = ConversationList {
        folder: "/home/user/.local/share/stepladder/conversations".into(),
        entries,
        ..ConversationList::default()
    };
    from_disk(window, ConversationAnswer::List(Box::new(list)));
}

/// A conversation with one reply of the base model.
pub fn conversation(question: &str, answer: &str) -> Conversation {
    let reply = Reply {
        reasoning: REASONING.to_owned(),
        answer: answer.to_owned(),
        stats: Some(stats(40, 60, FinishReason::Stop)),
        reasoning_secs: Some(0.4),
        stage: Stage::Ended,
        ..Reply::asked_of(Who::Base)
    };
    Conversation {
        exchanges: vec![Exchange {
            question: question.to_owned(),
            replies: vec![reply],
        }],
        changed_at: NOW - 120.0,
        ..Conversation::default()
    }
}

/// Lets this run's adapter answer as well.
pub fn add(window: &mut Window, name: &str) {
    click(window, "Add adapter");
    window
        .get_by_role_and_label(egui::accesskit::Role::Button, name)
        .click();
    window.run_steps(4);
}

/// Unfolds what the last reply thought, or folds it.
pub fn unfold(window: &mut Window) {
    let folds = window.query_all_by_label_contains("Thought for");
    folds.last().expect("reasoning").click();
    window.run_steps(4);
}
