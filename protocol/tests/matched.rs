//! Methods that are trained alike, as they cross the seam.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use stepladder_protocol::{
    Command, Event, MatchedRun, MatchedRunBegun, MatchedRuns, Method, TrainMatched,
};

#[test]
fn what_is_not_said_has_a_default() {
    let text = r#"{"command":"compare","job":"j","model":"builtin","adapters":[],"train_matched":{"quick":true},"out":"/c"}"#;
    let Command::Compare(command) = serde_json::from_str(text).unwrap() else {
        panic!("not a comparison");
    };
    let train = command.train_matched.unwrap();
    let wanted = TrainMatched {
        quick: true,
        ..TrainMatched::default()
    };
    assert_eq!(train, wanted);
    assert_eq!((wanted.seeds, wanted.steps), (3, None));
    assert_eq!(wanted.data, ["builtin"]);
    let unknown = text.replace("quick", "quik");
    assert!(serde_json::from_str::<Command>(&unknown).is_err());
}

#[test]
fn runs_are_told_before_they_are_made() {
    let runs = Event::MatchedRuns(MatchedRuns {
        runs: vec![MatchedRun {
            name: "xladder-seed-42".to_owned(),
            method: Method::Xladder,
            seed: 42,
            parameters: 10,
            taps: vec![3, 4],
            rank: None,
            learning_rate: 5e-4,
        }],
        steps: None,
        parameters_match: true,
    });
    let line = concat!(
        r#"{"event":"matched_runs","runs":[{"name":"xladder-seed-42","method":"xladder","seed":42,"#,
        r#""parameters":10,"taps":[3,4],"learning_rate":0.0005}],"steps":null,"parameters_match":true}"#
    );
    assert_eq!(serde_json::to_string(&runs).unwrap(), line);
    assert_eq!(serde_json::from_str::<Event>(line).unwrap(), runs);
    let begun = Event::MatchedRun(MatchedRunBegun {
        run: 0,
        was_finished: false,
    });
    let line = r#"{"event":"matched_run","run":0,"was_finished":false}"#;
    assert_eq!(serde_json::to_string(&begun).unwrap(), line);
    assert!(!begun.ends_job() && !runs.ends_job());
}
