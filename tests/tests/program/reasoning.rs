//! The point of it all: `stepladder train` without flags, and with `--method xladder`, gives a
//! model that reasons in at most half the tokens and is still right.

use std::path::Path;
use std::sync::OnceLock;

use serde_json::Value;
use stepladder_engine::generation::{ChatSession, SamplerSettings};
use stepladder_engine::models::compute::Compute;
use stepladder_engine::training::stop_flag::StopFlag;
use stepladder_tests::root;

use super::program::{Home, of_kind};

struct Score {
    right: usize,
    questions: usize,
    median_reasoning_tokens: usize,
}

impl Score {
    fn accuracy(&self) -> f64 {
        self.right as f64 / self.questions as f64
    }
}

/// The last number of an answer.
fn number(answer: &str) -> Option<String> {
    answer
        .rsplit(|c: char| !c.is_ascii_digit())
        .find(|digits| !digits.is_empty())
        .map(str::to_owned)
}

fn score(adapter: Option<&Path>) -> Score {
    let session = ChatSession::open("builtin", adapter, Compute::cpu()).unwrap();
    let text = std::fs::read_to_string(root().join("assets/questions.jsonl")).unwrap();
    let questions: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let settings = SamplerSettings {
        temperature: Some(0.0),
        ..SamplerSettings::default()
    };
    let ask = |question: &Value| {
        let mut answer = String::new();
        let stats = session
            .reply(
                &[("user", question["question"].as_str().unwrap())],
                &settings,
                &StopFlag::default(),
                &mut |piece| {
                    if !piece.is_reasoning {
                        answer.push_str(piece.text);
                    }
                },
            )
            .unwrap();
        (
            number(&answer).as_deref() == question["answer"].as_str(),
            stats.reasoning_tokens,
        )
    };
    let mut right = 0;
    let mut lengths = Vec::new();
    for (is_right, reasoning_tokens) in questions.iter().map(ask) {
        right += usize::from(is_right);
        lengths.push(reasoning_tokens);
    }
    lengths.sort_unstable();
    Score {
        right,
        questions: questions.len(),
        median_reasoning_tokens: lengths[lengths.len() / 2],
    }
}

fn base() -> &'static Score {
    static BASE: OnceLock<Score> = OnceLock::new();
    BASE.get_or_init(|| score(None))
}

/// Trains with these flags and compares the adapter with the base model.
fn reasons_shorter_and_right(flags: &[&str]) {
    let home = Home::new();
    let run = home.path().join("run");
    let mut arguments = vec!["train", "--json", "--out", run.to_str().unwrap()];
    arguments.extend(flags);
    let answer = home.run(&arguments);
    assert_eq!(answer.code(), Some(0), "{}", answer.stderr());
    let events = answer.events();
    let steps = of_kind(&events, "step");
    let started = of_kind(&events, "started")[0];
    let finished = events.last().unwrap();
    // Early stopping may end a run before all its steps are made; every step made is told.
    assert_eq!(steps.len(), finished["step"].as_u64().unwrap() as usize);
    assert!(steps.len() <= started["total_steps"].as_u64().unwrap() as usize);
    for field in [
        "loss",
        "learning_rate",
        "gradient_norm",
        "tokens_per_second",
    ] {
        assert!(
            steps
                .iter()
                .all(|step| step[field].as_f64().unwrap() >= 0.0),
            "{field}"
        );
    }
    assert_eq!(finished["event"], "finished");
    assert_eq!(finished["run"], run.to_str().unwrap());
    let lowest = of_kind(&events, "evaluation")
        .iter()
        .map(|event| event["loss"].as_f64().unwrap())
        .fold(f64::INFINITY, f64::min);
    assert_eq!(finished["best_evaluation_loss"].as_f64(), Some(lowest));
    assert!(finished["measured_peak_bytes"].as_u64().unwrap() > 1 << 20);
    let ends = ["finished", "stopped", "failed"];
    let ended = events
        .iter()
        .filter(|event| ends.contains(&event["event"].as_str().unwrap()));
    assert_eq!(ended.count(), 1, "a run ends exactly once");

    let (base, tuned) = (base(), score(Some(&run)));
    println!(
        "{flags:?}: base {} of {} right, median {} reasoning tokens; tuned {} right, median {}",
        base.right,
        base.questions,
        base.median_reasoning_tokens,
        tuned.right,
        tuned.median_reasoning_tokens
    );
    assert_eq!(base.questions, 200);
    assert!(
        base.accuracy() >= 0.95,
        "the base model answers {} of 200",
        base.right
    );
    assert!(
        tuned.accuracy() >= 0.90,
        "the tuned model answers {} of 200",
        tuned.right
    );
    assert!(2 * tuned.median_reasoning_tokens <= base.median_reasoning_tokens);
}

#[test]
fn a_ladder_shortens_the_built_in_models_reasoning() {
    reasons_shorter_and_right(&[]);
}

#[test]
fn an_xladder_shortens_the_built_in_models_reasoning() {
    reasons_shorter_and_right(&["--method", "xladder"]);
}
