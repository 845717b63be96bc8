//! Methods that are trained alike before they are compared.

use super::*;
use stepladder_protocol::{
    EvaluationRow, Interval, MatchedReport, MatchedRun, MatchedRunBegun, MatchedRuns, MethodPair,
    MethodPeak, MethodReport, Phase, StepRow, Switch, TrainMatched,
};

const METHODS: [Method; 3] = [Method::Ladder, Method::Xladder, Method::Qlora];

fn begin(window: &mut Window) {
    click(window, "Compare: Methods, trained alike");
    click(window, "Train 9 runs, then compare: 200 questions");
    let job = window.state().state().compare.at_work.as_ref();
    let job = job.expect("a comparison").job.clone();
    hear(window, News::ComparingIn(job, out()));
}

fn runs() -> Event {
    let run = |(method, seed): (Method, u64)| MatchedRun {
        name: format!("{}-seed-{seed}", method.name()),
        method,
        seed,
        parameters: 268_640,
        taps: Vec::new(),
        rank: None,
        learning_rate: 5e-4,
    };
    let all = METHODS
        .into_iter()
        .flat_map(|method| (42..45).map(move |seed| (method, seed)));
    Event::MatchedRuns(MatchedRuns {
        runs: all.map(run).collect(),
        steps: Some(120),
        parameters_match: true,
    })
}

fn step(step: usize) -> Event {
    Event::Step(StepRow {
        step,
        loss: Some(0.731),
        learning_rate: Some(5e-4),
        gradient_norm: Some(0.4),
        tokens_per_second: Some(900.0),
        tokens: 900,
        target_tokens: 400,
        elapsed_secs: Some(3.0),
        remaining_secs: Some(30.0),
        peak_bytes: None,
    })
}

fn interval(mean: f64, width: f64) -> Option<Interval> {
    Some(Interval {
        mean,
        low: Some(mean - width),
        high: Some(mean + width),
        replies: 600,
    })
}

fn methods() -> MatchedReport {
    let method = |(place, method): (usize, Method)| MethodReport {
        method,
        runs: Vec::new(),
        parameters: 268_640,
        taps: Vec::new(),
        rank: None,
        learning_rate: 5e-4,
        accuracy: interval(0.78, 0.02),
        reasoning_tokens: interval(70.0 - 9.0 * place as f64, 1.5),
        difference: interval(-2.0 - 9.0 * place as f64, 1.5),
        difference_both_right: interval(-1.0 - 9.0 * place as f64, 1.5),
        truncated: 4,
        no_trace: 0,
        best_evaluation_loss: vec![Some(0.3)],
        peaks: vec![
            MethodPeak {
                recompute: Switch::Off,
                measured_bytes: Some(33_505_060),
                estimated_bytes: 33_460_992,
            },
            MethodPeak {
                recompute: Switch::On,
                measured_bytes: Some(15 << 20),
                estimated_bytes: 15 << 20,
            },
        ],
    };
    MatchedReport {
        data: vec!["builtin".to_owned()],
        steps: 120,
        parameters_match: true,
        methods: METHODS.into_iter().enumerate().map(method).collect(),
        pairs: vec![MethodPair {
            method: Method::Xladder,
            against: Method::Ladder,
            accuracy: interval(0.004, 0.02),
            reasoning_tokens: interval(-9.0, 1.5),
            reasoning_tokens_both_right: interval(-8.7, 1.5),
        }],
    }
}

/// A comparison of methods that is done.
pub fn done(window: &mut Window) {
    begin(window);
    tell(window, runs());
    tell(window, started(200, 0));
    tell_all(window, answers(1..=40));
    let mut report = report(200);
    report.matched = Some(methods());
    tell(window, finished(report));
}

#[test]
fn methods_are_trained_alike_and_each_run_is_followed() {
    let mut window = page();
    begin(&mut window);
    let (command, _) = begun(&mut window).expect("a comparison");
    assert!(command.adapters.is_empty());
    assert_eq!(command.train_matched, Some(TrainMatched::default()));
    tell(&mut window, runs());
    let remembered = disk(&mut window);
    assert!(
        matches!(&remembered[0], CompareRequest::Remember { .. }),
        "it can go on from here"
    );
    let begun = |run, was_finished| Event::MatchedRun(MatchedRunBegun { run, was_finished });
    tell(&mut window, begun(0, true));
    tell(&mut window, begun(3, false));
    tell(
        &mut window,
        Event::Phase {
            phase: Phase::LoadingModel,
        },
    );
    tell(&mut window, step(48));
    let evaluation = EvaluationRow {
        step: 40,
        loss: Some(0.812),
        best: true,
    };
    tell(&mut window, Event::Evaluation(evaluation));
    for said in [
        "Run 4 of 9: xladder-seed-42",
        "step 48 of 120",
        "loss 0.731",
        "held out 0.812",
    ] {
        assert!(shows(&window, said), "{said}");
    }
    tell(&mut window, begun(4, false));
    assert!(!shows(&window, "loss 0.731"), "that was the run before");
    click(&mut window, "Cancel");
    tell(&mut window, Event::Stopped { run: None, step: 0 });
    asked(&mut window);
    click(&mut window, "Continue");
    let (command, go_on) = super::begun(&mut window).expect("it goes on");
    assert_eq!(go_on, Some(out()));
    assert_eq!(command.train_matched, Some(TrainMatched::default()));
}

#[test]
fn what_is_set_is_trained() {
    let mut window = page();
    click(&mut window, "Compare: Methods, trained alike");
    type_in(&mut window, "Seeds", "x");
    assert!(shows(&window, "Check the marked fields"));
    window.key_press(egui::Key::Backspace);
    window.run_steps(2);
    type_in(&mut window, "Seeds", "2");
    type_in(&mut window, "Steps", "60");
    click(&mut window, "Quick");
    click(&mut window, "Train 6 runs, then compare: 100 questions");
    let (command, _) = begun(&mut window).expect("a comparison");
    let wanted = TrainMatched {
        data: vec!["builtin".to_owned()],
        seeds: 2,
        steps: Some(60),
        quick: true,
    };
    assert_eq!(command.train_matched, Some(wanted));
}

#[test]
fn methods_stand_beside_each_other_with_intervals_and_memory() {
    let mut window = page();
    done(&mut window);
    for said in [
        "All methods train as many parameters as each other",
        "78.0 % [76.0, 80.0]",
        "61.0 [59.5, 62.5]",
        "−11.0 [−12.5, −9.5]",
        "32.0 MiB",
        "15.0 MiB",
        "xLadder minus Ladder",
        "−8.7 [−10.2, −7.2]",
    ] {
        assert!(shows(&window, said), "{said}");
    }
}
