//! The Chat page without a window.

use std::path::PathBuf;

use stepladder_protocol::{
    AdapterChoice, ChatReady, ChatTurn, Command, ErrorReport, Event, FinishReason, JobId,
    ReplyStats, Role,
};

use super::conversation::{Conversation, Stage as ReplyStage, Who};
use super::kept::KeptAction;
use super::sampling::{SamplerField, SamplerWrong, Sampling};
use super::session::Stage;
use super::stored::{ConversationAnswer, ConversationRequest};
use super::{Beside, CannotSend, Chat, ChatAction};
use crate::state::runs::DiskRequest;
use crate::state::settings::Settings;
use crate::state::{Desk, Effect};

struct Page {
    chat: Chat,
    effects: Vec<Effect>,
    now: f64,
}

impl Page {
    fn new() -> Self {
        let settings = Settings {
            data_folder: Some("/home/user/stepladder".into()),
            ..Settings::default()
        };
        Self {
            chat: Chat::new(&settings),
            effects: Vec::new(),
            now: 1000.0,
        }
    }

    /// Opened, with the model loaded.
    fn ready() -> Self {
        let mut page = Self::new();
        page.chat.opened(&mut page.effects);
        page.load();
        page
    }

    fn load(&mut self) {
        self.hear(Event::Ready(ChatReady {
            model: "builtin".to_owned(),
            adapter: None,
            device: "CPU, 2 threads".to_owned(),
            context_length: 1024,
        }));
        self.effects.clear();
    }

    fn act(&mut self, action: ChatAction) {
        self.chat.act(action, self.now, &mut self.effects);
    }

    fn hear(&mut self, event: Event) {
        let job = self.chat.session.job();
        self.hear_of(&job, event);
    }

    fn hear_of(&mut self, job: &JobId, event: Event) {
        self.chat.hear(job, event, self.now, &mut self.effects);
    }

    fn send(&mut self, text: &str) {
        self.act(ChatAction::Draft(text.to_owned()));
        self.act(ChatAction::Send);
    }

    fn say(&mut self, text: &str, reasoning: bool) {
        let text = text.to_owned();
        self.hear(Event::Text { text, reasoning });
    }

    /// Says a reply and ends it.
    fn reply(&mut self, text: &str) {
        self.say(text, false);
        self.hear(Event::Reply(stats(FinishReason::Stop)));
    }

    /// What was sent to the worker since the last time.
    fn sent(&mut self) -> Vec<Command> {
        { self.effects.drain(..) }
            .filter_map(|effect| match effect {
                Effect::Send(Desk::Chatting, command) => Some(*command),
                _ => None,
            })
            .collect()
    }

    fn turns(&mut self) -> Vec<ChatTurn> {
        { self.sent().into_iter() }
            .filter_map(|command| match command {
                Command::ChatTurn(turn) => Some(turn),
                _ => None,
            })
            .collect()
    }

    fn kept(&mut self) -> Vec<(String, Conversation)> {
        { self.effects.drain(..) }
            .filter_map(|effect| match effect {
                Effect::Disk(DiskRequest::Conversations(ConversationRequest::Keep {
                    id,
                    conversation,
                    ..
                })) => Some((id, *conversation)),
                _ => None,
            })
            .collect()
    }
}

fn stats(finish: FinishReason) -> ReplyStats {
    ReplyStats {
        reasoning_tokens: 3,
        total_tokens: 5,
        finish,
        tokens_per_second: Some(40.0),
        reasoning_secs: None,
        prompt_tokens: 20,
        context_length: 1024,
    }
}

fn adapter(name: &str) -> Who {
    Who::Adapter {
        path: PathBuf::from("/runs").join(name),
        name: name.to_owned(),
    }
}

fn contents(turn: &ChatTurn) -> Vec<(Role, &str)> {
    { turn.messages.iter() }
        .map(|message| (message.role, message.content.as_str()))
        .collect()
}

#[test]
fn the_first_look_at_the_page_loads_the_model_and_no_other() {
    let mut page = Page::new();
    page.chat.opened(&mut page.effects);
    let sent = page.sent();
    let [Command::Chat(chat)] = &sent[..] else {
        panic!("{sent:?}");
    };
    assert_eq!((chat.model.as_str(), &chat.adapter), ("builtin", &None));
    page.load();
    page.act(ChatAction::Free);
    assert!(page.effects.contains(&Effect::EndWorker(Desk::Chatting)));
    page.effects.clear();
    page.chat.opened(&mut page.effects);
    assert_eq!(page.sent(), [], "what was let go stays so");
    assert_eq!(page.chat.session.stage, Stage::Off);
}

#[test]
fn a_question_is_answered_with_its_reasoning_apart() {
    let mut page = Page::ready();
    page.send(" How many? ");
    assert_eq!(page.chat.draft, "");
    let turns = page.turns();
    assert_eq!(contents(&turns[0]), [(Role::User, "How many?")]);
    assert_eq!(turns[0].adapter, AdapterChoice::Base);
    assert_eq!(page.chat.can_send(), Err(CannotSend::Answering));
    page.say("<think>\n1+1", true);
    page.now += 2.5;
    page.say("\n</think>", true);
    page.say("\n\nTwo.", false);
    let reply = &page.chat.conversation.exchanges[0].replies[0];
    assert_eq!(reply.thought(), "1+1");
    assert_eq!(reply.reasoning_secs, Some(2.5));
    assert_eq!(reply.stage, ReplyStage::Answering);
    page.hear(Event::Reply(stats(FinishReason::Length)));
    let reply = &page.chat.conversation.exchanges[0].replies[0];
    assert_eq!(reply.finish(), Some(FinishReason::Length));
    assert_eq!(page.chat.context_tokens(), Some(25));
    // The next question takes it along, exactly as it was said.
    page.effects.clear();
    page.send("And then?");
    let turns = page.turns();
    let said = "<think>\n1+1\n</think>\n\nTwo.";
    let all = [
        (Role::User, "How many?"),
        (Role::Assistant, said),
        (Role::User, "And then?"),
    ];
    assert_eq!(contents(&turns[0]), all);
}

#[test]
fn variants_answer_side_by_side_each_with_its_own_past() {
    let mut page = Page::ready();
    page.act(ChatAction::AddAdapter(adapter("a")));
    page.send("One?");
    let turns = page.turns();
    let choices: Vec<_> = turns.iter().map(|turn| turn.adapter.clone()).collect();
    let at = AdapterChoice::At("/runs/a".into());
    assert_eq!(choices, [AdapterChoice::Base, at]);
    page.reply("base one");
    page.reply("a one");
    page.act(ChatAction::AddAdapter(adapter("b")));
    page.act(ChatAction::Switch(Who::Base));
    page.effects.clear();
    page.send("Two?");
    let turns = page.turns();
    assert_eq!(turns.len(), 2);
    assert_eq!(contents(&turns[0])[1].1, "a one");
    assert_eq!(contents(&turns[1])[1].1, "base one", "b was not there");
    let loads = |command: &Command| matches!(command, Command::Chat(_));
    assert!(!page.sent().iter().any(loads), "nothing is loaded again");
}

#[test]
fn there_are_three_adapters_at_most_and_each_once() {
    let mut page = Page::ready();
    for name in ["a", "a", "b", "c", "d"] {
        page.act(ChatAction::AddAdapter(adapter(name)));
    }
    assert_eq!(page.chat.adapters(), 3);
    page.act(ChatAction::RemoveVariant(adapter("b")));
    page.act(ChatAction::RemoveVariant(Who::Base));
    assert_eq!((page.chat.adapters(), page.chat.variants.len()), (2, 3));
    for variant in page.chat.variants.clone() {
        page.act(ChatAction::Switch(variant.who));
    }
    page.act(ChatAction::Draft("Hello".to_owned()));
    assert_eq!(page.chat.can_send(), Err(CannotSend::Nobody));
}

#[test]
fn a_failed_turn_fails_one_column_only() {
    let mut page = Page::ready();
    page.act(ChatAction::AddAdapter(adapter("a")));
    page.send("One?");
    let problem = ErrorReport::new("adapter_for_another_base", "made for another", "");
    page.reply("fine");
    page.hear(Event::TurnFailed(problem.clone()));
    let replies = &page.chat.conversation.exchanges[0].replies;
    assert_eq!(replies[0].answer, "fine");
    assert_eq!(replies[1].problem, Some(problem));
    assert!(!page.chat.conversation.is_open());
    // Its column has nothing to take along: the other's answer stands in.
    page.effects.clear();
    page.send("Two?");
    assert_eq!(contents(&page.turns()[1])[1].1, "fine");
}

#[test]
fn stopping_keeps_what_was_said_and_a_late_word_is_no_other_reply_s() {
    let mut page = Page::ready();
    page.send("One?");
    page.say("so f", false);
    page.effects.clear();
    page.act(ChatAction::Stop);
    assert!(matches!(page.sent()[..], [Command::ChatInterrupt(_)]));
    page.hear(Event::Reply(stats(FinishReason::Cancelled)));
    assert_eq!(
        page.chat.conversation.exchanges[0].replies[0].answer,
        "so f"
    );
    // A new conversation while one is answered: that reply's words go nowhere.
    page.send("Two?");
    page.act(ChatAction::Kept(KeptAction::New));
    assert!(page.chat.conversation.exchanges.is_empty());
    page.send("Three?");
    page.say("to two", false);
    page.hear(Event::Reply(stats(FinishReason::Cancelled)));
    page.reply("to three");
    let replies = &page.chat.conversation.exchanges[0].replies;
    assert_eq!(replies[0].answer, "to three");
}

#[test]
fn regenerating_and_changing_a_question_drop_what_follows() {
    let mut page = Page::ready();
    for question in ["One?", "Two?", "Three?"] {
        page.send(question);
        page.reply("yes");
    }
    page.effects.clear();
    page.act(ChatAction::Regenerate);
    let turns = page.turns();
    assert_eq!(contents(&turns[0]).len(), 5);
    assert_eq!(page.chat.conversation.exchanges.len(), 3);
    page.act(ChatAction::Edit(0));
    assert_eq!(page.chat.editing, None, "not while it answers");
    page.reply("again");
    page.act(ChatAction::Edit(1));
    page.act(ChatAction::Edited(" ".to_owned()));
    page.act(ChatAction::Resend);
    assert_eq!(
        page.chat.conversation.exchanges.len(),
        3,
        "not with nothing"
    );
    page.act(ChatAction::Edited("Zwei?".to_owned()));
    page.effects.clear();
    page.act(ChatAction::Resend);
    let asked: Vec<_> = { page.chat.conversation.exchanges.iter() }
        .map(|exchange| exchange.question.as_str())
        .collect();
    assert_eq!(asked, ["One?", "Zwei?"]);
    assert_eq!(contents(&page.turns()[0]).len(), 3);
}

#[test]
fn a_worker_that_dies_fails_what_is_due_and_is_loaded_again() {
    let mut page = Page::ready();
    page.send("One?");
    page.say("half", false);
    let died = ErrorReport::new("worker_died", "the worker ended unexpectedly", "");
    page.hear(Event::Failed(died.clone()));
    assert_eq!(page.chat.session.stage, Stage::Failed(died.clone()));
    let reply = &page.chat.conversation.exchanges[0].replies[0];
    assert_eq!(
        (reply.answer.as_str(), &reply.problem),
        ("half", &Some(died))
    );
    let old = page.chat.session.job();
    page.effects.clear();
    page.act(ChatAction::Load);
    assert!(matches!(page.sent()[..], [Command::Chat(_)]));
    page.hear_of(&old, Event::Stopped { run: None, step: 0 });
    assert_eq!(
        page.chat.session.stage,
        Stage::Loading,
        "that was the old one"
    );
    page.load();
    page.act(ChatAction::Regenerate);
    page.reply("whole");
    assert_eq!(
        page.chat.conversation.exchanges[0].replies[0].answer,
        "whole"
    );
}

#[test]
fn another_model_ends_the_worker_and_its_adapters() {
    let mut page = Page::ready();
    page.act(ChatAction::AddAdapter(adapter("a")));
    page.act(ChatAction::Model("builtin".to_owned()));
    assert_eq!(page.effects, [], "it is there");
    page.act(ChatAction::Model("/models/qwen".to_owned()));
    assert_eq!(page.effects[0], Effect::EndWorker(Desk::Chatting));
    let sent = page.sent();
    assert!(matches!(&sent[..], [Command::Chat(chat)] if chat.model == "/models/qwen"));
    assert_eq!(page.chat.adapters(), 0);
}

#[test]
fn an_adapter_of_another_form_has_the_model_loaded_for_it() {
    let mut page = Page::ready();
    page.act(ChatAction::AddAdapter(adapter("a")));
    page.act(ChatAction::Switch(Who::Base));
    page.send("One?");
    page.hear(Event::TurnFailed(ErrorReport::new(
        "config_invalid",
        "another form",
        "",
    )));
    page.effects.clear();
    page.act(ChatAction::LoadFor("/runs/a".into()));
    let sent = page.sent();
    let [Command::Chat(chat), Command::ChatTurn(_)] = &sent[..] else {
        panic!("{sent:?}");
    };
    assert_eq!(chat.adapter, Some("/runs/a".into()));
}

#[test]
fn a_run_that_needs_the_memory_gets_it() {
    let mut page = Page::ready();
    page.send("One?");
    page.effects.clear();
    let now = page.now;
    page.chat.beside(Beside::NotNow, now, &mut page.effects);
    assert!(page.effects.contains(&Effect::EndWorker(Desk::Chatting)));
    assert!(!page.chat.conversation.is_open());
    page.act(ChatAction::Draft("Two?".to_owned()));
    assert_eq!(page.chat.can_send(), Err(CannotSend::NotNow));
    page.effects.clear();
    page.act(ChatAction::Load);
    assert_eq!(page.sent(), []);
    page.chat.beside(Beside::Slower, now, &mut page.effects);
    assert_eq!(page.chat.can_send(), Ok(()));
}

#[test]
fn a_conversation_is_kept_after_every_change_under_one_name() {
    let mut page = Page::ready();
    page.send("What is the answer to everything there ever was, is, and will be?");
    page.reply("42");
    let kept = page.kept();
    assert_eq!(kept.len(), 2);
    assert_eq!(kept[0].0, kept[1].0);
    assert_eq!(kept[1].1.exchanges[0].replies[0].answer, "42");
    let title = "What is the answer to everything there ever was,…";
    assert_eq!(page.chat.kept.entries[0].title, title);
    let first = page.chat.kept.entries[0].id.clone();
    page.act(ChatAction::Kept(KeptAction::Rename(first)));
    page.act(ChatAction::Kept(KeptAction::Typed(
        " Everything ".to_owned(),
    )));
    page.act(ChatAction::Kept(KeptAction::Done));
    assert_eq!(page.chat.kept.entries[0].title, "Everything");
    assert_eq!(page.kept()[0].1.title.as_deref(), Some("Everything"));
    // Another, and back.
    let first = page.chat.kept.entries[0].id.clone();
    page.act(ChatAction::Kept(KeptAction::New));
    page.send("Other?");
    page.reply("yes");
    assert_eq!(page.chat.kept.entries.len(), 2);
    assert_ne!(page.chat.kept.open, Some(first.clone()));
    page.effects.clear();
    page.act(ChatAction::Kept(KeptAction::Open(first.clone())));
    assert!(matches!(page.effects[..], [Effect::Disk(_)]));
    let found = Ok(Box::new(kept[1].1.clone()));
    let read = ConversationAnswer::Read {
        id: first.clone(),
        found,
    };
    page.chat.disk(read, &mut page.effects);
    assert_eq!(page.chat.kept.open, Some(first.clone()));
    assert_eq!(page.chat.conversation.exchanges[0].replies[0].answer, "42");
    // To the bin.
    page.act(ChatAction::Kept(KeptAction::AskToDelete(first)));
    page.act(ChatAction::Kept(KeptAction::Delete));
    assert_eq!(page.chat.kept.entries.len(), 1);
    assert!(page.chat.conversation.exchanges.is_empty());
}

#[test]
fn any_conversation_can_be_renamed_without_opening_it() {
    let mut page = Page::ready();
    page.send("First?");
    page.reply("yes");
    let first = page.chat.kept.entries[0].id.clone();
    page.act(ChatAction::Kept(KeptAction::New));
    page.send("Second?");
    page.reply("yes");
    page.effects.clear();
    let name = |page: &mut Page, text: &str| {
        page.act(ChatAction::Kept(KeptAction::Rename(first.clone())));
        page.act(ChatAction::Kept(KeptAction::Typed(text.to_owned())));
        page.act(ChatAction::Kept(KeptAction::Done));
        std::mem::take(&mut page.effects)
    };
    let requests = |effects: Vec<Effect>| -> Vec<ConversationRequest> {
        { effects.into_iter() }
            .filter_map(|effect| match effect {
                Effect::Disk(DiskRequest::Conversations(request)) => Some(request),
                _ => None,
            })
            .collect()
    };
    let renamed = requests(name(&mut page, " Mine "));
    assert!(
        matches!(&renamed[..], [ConversationRequest::Rename { id, title, .. }]
        if *id == first && title.as_deref() == Some("Mine"))
    );
    assert_eq!(page.chat.kept.title(&first), "Mine");
    // It stays where it is in the list, and the open one stays open.
    assert_eq!(page.chat.kept.entries[1].id, first);
    assert_eq!(page.chat.conversation.exchanges[0].question, "Second?");
    assert_eq!(name(&mut page, "Mine"), []);
    // Without a name the list says what it is called.
    let cleared = requests(name(&mut page, " "));
    assert!(matches!(
        &cleared[..],
        [
            ConversationRequest::Rename { title: None, .. },
            ConversationRequest::List(_),
        ]
    ));
    // What is being read meanwhile is read with its new name.
    page.act(ChatAction::Kept(KeptAction::Open(first.clone())));
    page.effects.clear();
    let read = requests(name(&mut page, "Ours"));
    assert!(matches!(
        &read[..],
        [
            ConversationRequest::Rename { .. },
            ConversationRequest::Read { .. },
        ]
    ));
}

#[test]
fn the_disk_s_troubles_are_told_once() {
    let mut page = Page::ready();
    let kept = |result| ConversationAnswer::Kept {
        id: "1".to_owned(),
        result,
    };
    let full = || Err("The disk is full.".to_owned());
    let mut told = |answer| page.chat.disk(answer, &mut page.effects).len();
    assert_eq!(told(kept(full())), 1);
    assert_eq!(told(kept(full())), 0);
    assert_eq!(told(kept(Ok(()))), 0);
    assert_eq!(told(kept(full())), 1);
}

#[test]
fn the_sampler_reads_what_it_can() {
    let mut sampling = Sampling::default();
    assert_eq!(sampling.settings(), Default::default());
    for (field, text, wrong) in [
        (SamplerField::Temperature, "0,7", None),
        (
            SamplerField::TopP,
            "1.5",
            Some(SamplerWrong::Outside(0.0, 1.0)),
        ),
        (SamplerField::TopK, "2.5", Some(SamplerWrong::NotWhole)),
        (SamplerField::MinP, "few", Some(SamplerWrong::NotANumber)),
        (SamplerField::Seed, " 7 ", None),
    ] {
        sampling.type_in(field, text.to_owned());
        assert_eq!(sampling.wrong(field), wrong, "{field:?}");
    }
    sampling.type_in(SamplerField::MaxTokens, "0".to_owned());
    assert!(sampling.wrong(SamplerField::MaxTokens).is_some());
    let settings = sampling.settings();
    assert_eq!((settings.temperature, settings.seed), (Some(0.7), Some(7)));
    assert_eq!(
        (settings.top_p, settings.top_k, settings.max_tokens),
        (None, None, None)
    );
    let again = Sampling::of(&settings);
    assert_eq!(again.settings(), settings);
    assert_eq!(again.text(SamplerField::Temperature), "0.7");
}

#[test]
fn instructions_and_sampler_go_with_the_question() {
    let mut page = Page::ready();
    page.act(ChatAction::System(" Be short. ".to_owned()));
    page.act(ChatAction::Sample(
        SamplerField::Temperature,
        "0".to_owned(),
    ));
    page.send("One?");
    let turns = page.turns();
    assert_eq!(contents(&turns[0])[0], (Role::System, "Be short."));
    assert_eq!(turns[0].settings.temperature, Some(0.0));
}

#[test]
fn links_are_opened_if_they_are_pages() {
    let mut page = Page::ready();
    page.act(ChatAction::Link("https://example.org".to_owned()));
    page.act(ChatAction::Link("file:///etc/passwd".to_owned()));
    let opened = [Effect::OpenLink("https://example.org".to_owned())];
    assert_eq!(page.effects, opened);
}

#[test]
fn a_message_longer_than_any_context_is_not_sent() {
    let mut page = Page::ready();
    page.act(ChatAction::Draft("a".repeat(super::MOST_BYTES + 1)));
    assert_eq!(page.chat.can_send(), Err(CannotSend::TooLong));
    // A conversation may become too long by and by.
    for _ in 0..2 {
        page.send(&"a".repeat(super::MOST_BYTES / 2 + 10));
        page.reply("yes");
    }
    let replies = &page.chat.conversation.exchanges[1].replies;
    let code = replies[0]
        .problem
        .as_ref()
        .map(|problem| problem.code.as_str());
    assert_eq!(code, Some("message_too_long"));
}
