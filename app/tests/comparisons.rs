//! What the window reads of folders of comparisons, and what it changes of them: made-up folders, good
//! and bad.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "tests fail by panicking"
)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use stepladder::disk::comparisons::{answer, check_deletion};
use stepladder::state::compare::asking::{Asking, BUILTIN_QUESTIONS};
use stepladder::state::compare::stored::{
    CompareAnswer, CompareList, CompareRequest, EntryState, Opened,
};
use stepladder_protocol::JobId;
use tempfile::TempDir;

const HEADER: &str = r#"{"comparison":{"model":"builtin","weights":"w","variants":[["base","x"],["a","y"]],"questions":"q","sampling":{},"answer_pattern":null}}"#;

fn line(question: usize, variant: &str) -> String {
    format!(
        r#"{{"question":{question},"variant":"{variant}","elapsed_secs":0.1,"text":"7","answer_start":0,"reasoning_tokens":3,"total_tokens":4,"trace":"unmarked","outcome":"answered","answer":"7","verdict":"right","finish":"stop","distinct_3":null}}"#
    )
}

fn comparison(home: &Path, name: &str, lines: &[String]) -> PathBuf {
    let folder = home.join(name);
    fs::create_dir_all(&folder).unwrap();
    let mut text = HEADER.to_owned();
    for line in lines {
        text.push('\n');
        text.push_str(line);
    }
    fs::write(folder.join("answers.jsonl"), text + "\n").unwrap();
    folder
}

fn list(home: &Path, ours: Option<PathBuf>) -> CompareList {
    let folder = home.to_path_buf();
    match answer(CompareRequest::List { folder, ours }) {
        CompareAnswer::List(list) => *list,
        other => panic!("{other:?}"),
    }
}

fn read(folder: &Path) -> Result<Opened, String> {
    match answer(CompareRequest::Read(folder.to_path_buf())) {
        CompareAnswer::Read { found, .. } => found.map(|found| *found),
        other => panic!("{other:?}"),
    }
}

#[test]
fn comparisons_are_listed_and_other_folders_are_not() {
    let home = TempDir::new().unwrap();
    assert!(list(&home.path().join("none"), None).entries.is_empty());
    let one = comparison(home.path(), "one", &[line(1, "base")]);
    let two = comparison(home.path(), "two", &[]);
    fs::write(two.join("report.json"), "{}").unwrap();
    fs::create_dir(home.path().join("empty")).unwrap();
    fs::create_dir(home.path().join("foreign")).unwrap();
    fs::write(
        home.path().join("foreign/answers.jsonl"),
        "{\"prompt\":1}\n",
    )
    .unwrap();
    let found = list(home.path(), None);
    let states: Vec<_> = { found.entries.iter() }
        .map(|entry| (entry.folder.clone(), entry.state))
        .collect();
    assert_eq!(states.len(), 2, "{states:?}");
    assert!(states.contains(&(one.clone(), EntryState::Stopped)));
    assert!(states.contains(&(two, EntryState::Finished)));
    assert_eq!(found.entries[0].variants, ["base", "a"]);
    // One that is being made: by another program, and by this one.
    let lock = File::create(one.join(".lock")).unwrap();
    lock.try_lock().unwrap();
    let state = |ours: Option<PathBuf>| {
        let found = list(home.path(), ours);
        { found.entries.iter() }
            .find(|entry| entry.folder == one)
            .unwrap()
            .state
    };
    assert_eq!(state(None), EntryState::Elsewhere);
    assert_eq!(state(Some(one.clone())), EntryState::Stopped);
}

#[test]
fn what_was_asked_is_remembered_and_answers_are_read_up_to_a_torn_line() {
    let home = TempDir::new().unwrap();
    let lines = [
        line(1, "base"),
        line(1, "a"),
        "{\"question\":2,".to_owned(),
        line(3, "a"),
    ];
    let folder = comparison(home.path(), "one", &lines);
    let found = read(&folder).unwrap();
    assert!(found.asked.is_none() && found.document.is_none());
    assert_eq!(found.answers.len(), 2);
    let asked = Box::new(Asking::default().command(JobId::new("compare/1"), "auto"));
    let remember = CompareRequest::Remember {
        folder: folder.clone(),
        asked: asked.clone(),
    };
    assert_eq!(answer(remember), CompareAnswer::Remembered(Ok(())));
    assert_eq!(read(&folder).unwrap().asked, Some(asked.clone()));
    // Where runs are still trained there are no answers yet.
    let matched = home.path().join("matched");
    fs::create_dir(&matched).unwrap();
    let remember = CompareRequest::Remember {
        folder: matched.clone(),
        asked,
    };
    answer(remember);
    assert!(read(&matched).unwrap().answers.is_empty());
    assert_eq!(list(home.path(), None).entries.len(), 2);
    fs::write(folder.join("report.json"), "{\"questions\":").unwrap();
    assert!(read(&folder).unwrap_err().contains("cannot be read"));
    assert!(
        read(&home.path().join("none"))
            .unwrap_err()
            .contains("is no comparison")
    );
}

#[test]
fn files_are_copied_whole_or_not_at_all() {
    let home = TempDir::new().unwrap();
    let folder = comparison(home.path(), "one", &[]);
    let from = folder.join("answers.csv");
    let to = home.path().join("mine.csv");
    let copy = || CompareRequest::Copy {
        from: from.clone(),
        to: to.clone(),
    };
    assert!(matches!(answer(copy()), CompareAnswer::Saved(Err(_))));
    assert!(!to.exists());
    fs::write(&from, "a,b\n").unwrap();
    fs::write(&to, "old").unwrap();
    assert_eq!(answer(copy()), CompareAnswer::Saved(Ok(to.clone())));
    assert_eq!(fs::read_to_string(&to).unwrap(), "a,b\n");
}

#[test]
fn only_a_comparison_of_ours_goes_to_the_bin() {
    let home = TempDir::new().unwrap();
    let kept = home.path().join("comparisons");
    let one = comparison(&kept, "one", &[]);
    assert_eq!(check_deletion(&one, &kept), Ok(()));
    let elsewhere = comparison(home.path(), "elsewhere", &[]);
    assert!(check_deletion(&elsewhere, &kept).is_err());
    assert!(check_deletion(&kept.join("one/.."), &kept).is_err());
    let bare = kept.join("bare");
    fs::create_dir(&bare).unwrap();
    assert!(check_deletion(&bare, &kept).is_err());
    #[cfg(unix)]
    {
        let link = kept.join("link");
        std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
        assert!(check_deletion(&link, &kept).is_err());
    }
    let lock = File::create(one.join(".lock")).unwrap();
    lock.try_lock().unwrap();
    assert!(check_deletion(&one, &kept).unwrap_err().contains("in use"));
}

#[test]
fn the_page_knows_how_many_questions_are_inside_the_program() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/questions.jsonl");
    let text = fs::read_to_string(file).unwrap();
    let questions = text.lines().filter(|line| !line.trim().is_empty()).count();
    assert_eq!(questions, BUILTIN_QUESTIONS);
}
