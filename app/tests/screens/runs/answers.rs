//! What a run's model says to held-out prompts.

use egui::accesskit::Role;
use egui_kittest::kittest::Queryable;
use stepladder::state::Effect;
use stepladder::state::runs::answers::{Answers, AnswersRead};
use stepladder::state::runs::stored::DiskRequest;
use stepladder_protocol::{FinishReason, RunStarted, SampleRow};

use super::*;
use crate::support::asked;

pub fn row(step: usize, number: usize, answer: &str) -> SampleRow {
    let question = [
        "Anna has 345 coins. Ben gives Anna 267 more. How many coins does Anna have now?",
        "A train leaves at 9:40 and arrives at 11:05. How many minutes is it under way?",
    ][number];
    let reference = ["612", "85"][number];
    SampleRow {
        step,
        number,
        prompt: format!("user\n{question}\nassistant\n<think>\n"),
        answer: answer.to_owned(),
        reference: format!("{number}+1\n</think>\n\nThe answer is {reference}."),
        tokens: Some(64),
        reasoning_tokens: Some(40),
        finish: Some(FinishReason::Stop),
    }
}

/// Two prompts at three evaluations.
pub fn rows() -> Vec<SampleRow> {
    let mut rows = Vec::new();
    for (step, sum, minutes) in [(10, "511", "125"), (20, "602", "95"), (30, "612", "85")] {
        for (number, said) in [sum, minutes].into_iter().enumerate() {
            let answer = format!("thought of {said}\n</think>\n\nThe answer is {said}.");
            rows.push(row(step, number, &answer));
        }
    }
    let last = rows.len() - 1;
    rows[last].finish = Some(FinishReason::Length);
    rows
}

/// What the disk says of a run's answers.
pub fn answers(run: &Path, rows: Vec<SampleRow>) -> News {
    let mut answers = Answers::default();
    rows.into_iter().for_each(|row| answers.take(row));
    let read = AnswersRead {
        to: 5000,
        answers,
        ..AnswersRead::default()
    };
    News::Disk(DiskAnswer::Answers {
        run: run.to_path_buf(),
        found: Ok(Box::new(read)),
    })
}

/// How often answers were asked of the disk since the last time.
fn reads(page: &mut Page_) -> usize {
    let is_read = |effect: &Effect| {
        matches!(
            effect,
            Effect::Disk(DiskRequest::ReadAnswers { from: 0, .. })
        )
    };
    asked(page).iter().filter(|effect| is_read(effect)).count()
}

fn finished() -> Page_ {
    let mut page = page_of(Vec::new());
    hear(&mut page, listed(vec![stored("a", RunState::Finished)]));
    hear(&mut page, figures(&folder().join("a"), 2.0, 30));
    page
}

fn shows_now(page: &Page_, there: &[&str], not_there: &[&str]) {
    for words in there {
        assert!(shows(page, words), "{words}");
    }
    for words in not_there {
        assert!(!shows(page, words), "{words}");
    }
}

#[test]
fn a_stored_run_s_answers_are_read_once_and_stepped_through() {
    let mut page = finished();
    assert_eq!(reads(&mut page), 0, "nobody looks at them yet");
    click(&mut page, "Show: Answers");
    assert_eq!(reads(&mut page), 1);
    assert!(shows(&page, "Reading answers"));
    hear(&mut page, answers(&folder().join("a"), rows()));
    shows_now(
        &page,
        &[
            "Step 30 · evaluation 3 of 3",
            "Prompt 1",
            "Prompt 2",
            "Anna has 345 coins.",
            "The answer is 612.",
            "Answer at step 30",
            "64 tokens, cut off there",
        ],
        &["assistant", "thought of", "0+1", "The answer is 602."],
    );
    page.get_by_role_and_label(Role::Button, "Earlier evaluation")
        .click();
    page.run_steps(3);
    shows_now(
        &page,
        &["Step 20 · evaluation 2 of 3", "The answer is 602."],
        &[],
    );
    click(&mut page, "Earlier evaluation");
    assert!(shows(&page, "The answer is 511."));
    click(&mut page, "Newest");
    assert!(shows(&page, "Step 30"));
    // Elsewhere and back: they are known.
    click(&mut page, "Show: Log");
    click(&mut page, "Show: Answers");
    assert!(shows(&page, "Step 30"));
    assert_eq!(reads(&mut page), 0);
}

#[test]
fn thoughts_and_whole_prompts_are_unfolded_by_keyboard_too() {
    let mut page = finished();
    click(&mut page, "Show: Answers");
    hear(&mut page, answers(&folder().join("a"), rows()));
    let thought = "Reasoning · 40 tokens, Answer at step 30, Prompt 1";
    page.get_by_label(thought).focus();
    page.run_steps(2);
    page.key_press(egui::Key::Enter);
    page.run_steps(3);
    shows_now(&page, &["thought of 612"], &["thought of 85"]);
    click(&mut page, thought);
    assert!(!shows(&page, "thought of 612"));
    click(&mut page, "Whole prompt, Prompt 1, Prompt 1");
    assert!(shows(&page, "assistant"));
    click(&mut page, "Reasoning, Reference answer, Prompt 1");
    assert!(shows(&page, "0+1"));
}

#[test]
fn a_live_run_s_answers_come_with_its_events_and_the_newest_is_followed() {
    let mut page = page_of(vec![RunConfig {
        sample_answers: 2,
        ..RunConfig::default()
    }]);
    play(&mut page, [training_in("run/1", "first")]);
    click(&mut page, "Show: Answers");
    assert!(shows(&page, "The first is yet to come."));
    let mut rows = rows().into_iter();
    let tell = |page: &mut Page_, rows: &mut dyn Iterator<Item = SampleRow>| {
        let news: Vec<News> = { rows.take(2) }
            .map(|row| event("run/1", Event::Sample(row)))
            .collect();
        play(page, news);
    };
    tell(&mut page, &mut rows);
    shows_now(
        &page,
        &["Step 10 · evaluation 1 of 1", "The answer is 511."],
        &[],
    );
    tell(&mut page, &mut rows);
    assert!(shows(&page, "Step 20 · evaluation 2 of 2"));
    // Who looks at an earlier one is left there.
    click(&mut page, "Earlier evaluation");
    tell(&mut page, &mut rows);
    assert!(shows(&page, "Step 10 · evaluation 1 of 3"));
    click(&mut page, "Newest");
    assert!(shows(&page, "Step 30 · evaluation 3 of 3"));
    assert_eq!(reads(&mut page), 0, "all of it was told");
}

#[test]
fn a_run_that_goes_on_shows_what_was_said_before_its_pause() {
    let mut page = page_of(Vec::new());
    hear(&mut page, listed(vec![stored("a", RunState::Paused)]));
    hear(&mut page, figures(&folder().join("a"), 2.0, 20));
    click(&mut page, "Resume");
    let started = RunStarted {
        total_steps: 30,
        first_step: 20,
        training_examples: 570,
        held_out_examples: 30,
        trainable_parameters: 1,
        backbone_parameters: 2,
        device: "CPU".to_owned(),
    };
    play(&mut page, [event("run/1", Event::Started(started))]);
    click(&mut page, "Show: Answers");
    assert_eq!(reads(&mut page), 1);
    let (before, after): (Vec<_>, Vec<_>) = rows().into_iter().partition(|row| row.step <= 20);
    let told = after
        .into_iter()
        .map(|row| event("run/1", Event::Sample(row)));
    // One is told while the file is read.
    play(&mut page, told.collect::<Vec<_>>());
    hear(&mut page, answers(&folder().join("a"), before));
    shows_now(
        &page,
        &["Step 30 · evaluation 3 of 3", "The answer is 612."],
        &[],
    );
    assert_eq!(reads(&mut page), 0);
}

#[test]
fn a_long_run_lays_out_what_is_seen() {
    let mut page = finished();
    click(&mut page, "Show: Answers");
    let mut many = Vec::new();
    for step in (10..=10_000).step_by(10) {
        many.push(row(step, 0, &"word ".repeat(100)));
    }
    let long: Vec<SampleRow> = { 0..40 }
        .map(|number| SampleRow {
            number,
            ..row(10_000, 0, &"word ".repeat(400))
        })
        .collect();
    many.extend(long);
    hear(&mut page, answers(&folder().join("a"), many));
    page.run_steps(3);
    assert!(shows(&page, "Step 10,000 · evaluation 1,000 of 1,000"));
    assert!(shows(&page, "Prompt 1"));
    let prompts = page.query_all_by_label_contains("Answer at step").count();
    assert!((1..20).contains(&prompts), "{prompts}");
}

#[test]
fn foreign_answers_steer_nothing() {
    let evil = "\u{202e}\u{1b}[2Jevil\nline";
    let mut page = finished();
    click(&mut page, "Show: Answers");
    let rows = vec![SampleRow {
        prompt: evil.to_owned(),
        reference: evil.to_owned(),
        ..row(10, 0, evil)
    }];
    hear(&mut page, answers(&folder().join("a"), rows));
    assert!(shows(&page, "evil"));
    for node in page.get_all_by(|node| node.label().is_some()) {
        let label = label(&node);
        assert!(!label.contains(['\u{202e}', '\u{1b}']), "{label:?}");
    }
}

#[test]
fn a_run_without_answers_says_how_to_have_some() {
    let mut page = finished();
    click(&mut page, "Show: Answers");
    hear(&mut page, answers(&folder().join("a"), Vec::new()));
    assert!(shows(&page, "This run kept no answers."));
    let mut page = finished();
    click(&mut page, "Show: Answers");
    let found = Err("samples.jsonl cannot be read: disk".to_owned());
    let run = folder().join("a");
    hear(&mut page, News::Disk(DiskAnswer::Answers { run, found }));
    assert!(shows(&page, "The answers cannot be read"));
}
