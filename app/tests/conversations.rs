//! What the window keeps of conversations, on a real disk.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "tests fail by panicking"
)]

use std::fs;
use std::path::Path;

use stepladder::disk::conversations::{answer, check_deletion};
use stepladder::state::chat::conversation::{Conversation, Exchange, Reply, Stage, Who};
use stepladder::state::chat::stored::{ConversationAnswer, ConversationList, ConversationRequest};
use stepladder_protocol::{ErrorReport, FinishReason, ReplyStats, SamplerSettings};
use tempfile::TempDir;

fn conversation(question: &str) -> Conversation {
    let base = Reply {
        reasoning: "<think>\na\n</think>".to_owned(),
        answer: "\n\n42 \u{202e}".to_owned(),
        stats: Some(ReplyStats {
            reasoning_tokens: 3,
            total_tokens: 5,
            finish: FinishReason::Length,
            tokens_per_second: Some(12.5),
            reasoning_secs: Some(0.5),
            prompt_tokens: 9,
            context_length: 1024,
        }),
        reasoning_secs: Some(0.5),
        stage: Stage::Ended,
        ..Reply::asked_of(Who::Base)
    };
    let who = Who::Adapter {
        path: "/runs/a".into(),
        name: "a".to_owned(),
    };
    let failed = Reply {
        problem: Some(ErrorReport::new("tensor", "it broke", "again")),
        stage: Stage::Ended,
        ..Reply::asked_of(who)
    };
    Conversation {
        system: "Be short.".to_owned(),
        settings: SamplerSettings {
            temperature: Some(0.7),
            seed: Some(7),
            ..SamplerSettings::default()
        },
        exchanges: vec![Exchange {
            question: question.to_owned(),
            replies: vec![base, failed],
        }],
        changed_at: 1_795_521_600.5,
        ..Conversation::default()
    }
}

fn keep(folder: &Path, id: &str, conversation: &Conversation) -> Result<(), String> {
    let request = ConversationRequest::Keep {
        folder: folder.to_path_buf(),
        id: id.to_owned(),
        conversation: Box::new(conversation.clone()),
    };
    match answer(request) {
        ConversationAnswer::Kept { result, .. } => result,
        other => panic!("{other:?}"),
    }
}

fn read(folder: &Path, id: &str) -> Result<Conversation, String> {
    let request = ConversationRequest::Read {
        folder: folder.to_path_buf(),
        id: id.to_owned(),
    };
    match answer(request) {
        ConversationAnswer::Read { found, .. } => found.map(|found| *found),
        other => panic!("{other:?}"),
    }
}

fn list(folder: &Path) -> ConversationList {
    match answer(ConversationRequest::List(folder.to_path_buf())) {
        ConversationAnswer::List(list) => *list,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_kept_is_read_and_listed_the_latest_first() {
    let home = TempDir::new().unwrap();
    let folder = home.path().join("conversations");
    assert_eq!(list(&folder).entries, [], "nothing was said yet");
    let first = conversation("How many are there?");
    keep(&folder, "1", &first).unwrap();
    let second = Conversation {
        title: Some("Mine".to_owned()),
        changed_at: first.changed_at + 10.0,
        ..conversation("Which?")
    };
    keep(&folder, "2", &second).unwrap();
    assert_eq!(read(&folder, "1"), Ok(first));
    assert_eq!(read(&folder, "2"), Ok(second));
    let list = list(&folder);
    let titles: Vec<_> = list
        .entries
        .iter()
        .map(|entry| entry.title.as_str())
        .collect();
    assert_eq!(titles, ["Mine", "How many are there?"]);
    assert_eq!(list.notices, Vec::<String>::new());
    let names: Vec<_> = { fs::read_dir(&folder).unwrap() }
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.len(), 2, "nothing half-written is left: {names:?}");
}

#[test]
fn a_broken_file_is_set_aside_and_told() {
    let home = TempDir::new().unwrap();
    let folder = home.path();
    keep(folder, "1", &conversation("Good?")).unwrap();
    for (id, text) in [
        ("2", ""),
        ("3", "{\"model\":\"builtin\"}"),
        ("4", "[]"),
        ("5", "\u{202e}"),
    ] {
        fs::write(folder.join(format!("{id}.json")), text).unwrap();
    }
    fs::write(folder.join("notes.json"), "mine").unwrap();
    fs::create_dir(folder.join("6.json")).unwrap();
    let found = list(folder);
    assert_eq!(found.entries.len(), 1);
    assert_eq!(found.notices.len(), 4, "{:?}", found.notices);
    assert!(
        found
            .notices
            .iter()
            .all(|notice| notice.contains("json.broken"))
    );
    assert!(folder.join("2.json.broken").is_file() && folder.join("notes.json").is_file());
    assert_eq!(list(folder).notices.len(), 0, "told once");
    fs::write(folder.join("7.json"), "{").unwrap();
    assert!(read(folder, "7").unwrap_err().contains("7.json.broken"));
    assert!(read(folder, "8").is_err());
}

#[test]
fn names_lead_nowhere_else() {
    let home = TempDir::new().unwrap();
    let folder = home.path().join("conversations");
    let good = conversation("Good?");
    for id in [
        "",
        "..",
        "../1",
        "/etc/passwd",
        "a",
        "1/2",
        "1.json",
        &"1".repeat(50),
    ] {
        assert!(keep(&folder, id, &good).is_err(), "{id}");
        assert!(read(&folder, id).is_err(), "{id}");
        assert!(check_deletion(&folder, id).is_err(), "{id}");
    }
    assert!(!home.path().join("1.json").exists());
}

#[test]
fn only_conversations_go_to_the_bin() {
    let home = TempDir::new().unwrap();
    let folder = home.path();
    keep(folder, "1", &conversation("Good?")).unwrap();
    assert_eq!(check_deletion(folder, "1"), Ok(folder.join("1.json")));
    fs::write(folder.join("2.json"), "something else").unwrap();
    assert!(check_deletion(folder, "2").is_err());
    assert!(check_deletion(folder, "3").is_err(), "it is not there");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(folder.join("1.json"), folder.join("4.json")).unwrap();
        assert!(check_deletion(folder, "4").unwrap_err().contains("link"));
    }
}

#[test]
fn a_disk_that_refuses_is_told() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = keep(&file, "1", &conversation("Good?"));
    assert!(refused.unwrap_err().contains("cannot be kept"));
    assert_eq!(list(&file).notices.len(), 1);
}

#[test]
fn another_name_changes_nothing_else() {
    let home = TempDir::new().unwrap();
    let folder = home.path().join("conversations");
    let first = conversation("How many are there?");
    keep(&folder, "1", &first).unwrap();
    let rename = |id: &str, title: Option<&str>| {
        let request = ConversationRequest::Rename {
            folder: folder.clone(),
            id: id.to_owned(),
            title: title.map(ToOwned::to_owned),
        };
        match answer(request) {
            ConversationAnswer::Kept { result, .. } => result,
            other => panic!("{other:?}"),
        }
    };
    rename("1", Some("Mine")).unwrap();
    let named = Conversation {
        title: Some("Mine".to_owned()),
        ..first.clone()
    };
    assert_eq!(read(&folder, "1"), Ok(named));
    rename("1", None).unwrap();
    assert_eq!(read(&folder, "1"), Ok(first));
    assert!(rename("2", Some("Other")).is_err());
    assert!(rename("../1", Some("Other")).is_err());
}
