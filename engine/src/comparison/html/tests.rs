use super::*;
use crate::comparison::summary::summarize;
use stepladder_protocol::{
    AnswerOutcome, ComparedQuestion, ComparedVariant, ComparisonReport, FinishReason,
    SamplerSettings, TraceState,
};

const HOSTILE: &str = "</pre><script>alert(1)</script>\"'&\u{1b}[2J\u{202e}";

fn document() -> ComparisonDocument {
    let answer = |tokens: usize| ComparedAnswer {
        text: format!("<think>{HOSTILE}</think>{HOSTILE}"),
        answer_start: 0,
        reasoning_tokens: tokens,
        total_tokens: tokens,
        trace: TraceState::Complete,
        outcome: AnswerOutcome::Answered,
        answer: Some(HOSTILE.to_owned()),
        verdict: AnswerVerdict::Right,
        finish: FinishReason::Stop,
        distinct_3: Some(1.0),
    };
    let rows: Vec<ComparedRow> = (1..=3)
        .map(|number| ComparedRow {
            question: ComparedQuestion {
                number,
                question: HOSTILE.to_owned(),
                reference: Some(HOSTILE.to_owned()),
            },
            answers: vec![answer(40 * number), answer(10 * (4 - number))],
        })
        .collect();
    let variants = ["base", HOSTILE].map(|name| ComparedVariant {
        name: name.to_owned(),
        method: None,
        parameters: 0,
    });
    ComparisonDocument {
        report: ComparisonReport {
            questions: 3,
            baseline: "base".to_owned(),
            variants: summarize(&rows, &variants, 0),
            model: format!("/home/me/{HOSTILE}"),
            question_source: HOSTILE.to_owned(),
            left_out_trained_on: 1,
            settings: SamplerSettings::default(),
            answer_pattern: Some(HOSTILE.to_owned()),
            notices: vec![HOSTILE.to_owned()],
            matched: None,
        },
        rows,
    }
}

#[test]
fn foreign_text_is_text() {
    let page = html(&document(), 0);
    assert!(!page.contains("<script"), "a script came through");
    assert!(!page.contains(['\u{1b}', '\u{202e}']));
    assert!(page.contains("&lt;/pre&gt;&lt;script&gt;"));
    assert!(page.contains("default-src 'none'"));
    assert!(!page.contains("/home/me"), "folders stay at home");
    // Attributes hold no quotation mark of a stranger's.
    for label in page.split("aria-label=\"").skip(1) {
        let label = label.split('"').next().unwrap();
        assert!(!label.contains(['<', '>']), "{label}");
    }
}

#[test]
fn the_table_is_sorted_by_difference() {
    let page = html(&document(), 0);
    let table = page.split("Questions by difference").nth(1).unwrap();
    let order: Vec<&str> = table
        .split("<a href=\"#q")
        .skip(1)
        .map(|rest| &rest[..1])
        .collect();
    assert_eq!(order, ["3", "2", "1"], "-110, -60, -10");
    assert_eq!(
        page.matches("<details>").count(),
        0,
        "no trace, nothing folded"
    );
    assert_eq!(page.matches("<circle class=\"both\"").count(), 3 + 1);
}

#[test]
fn methods_that_were_trained_alike_have_a_section() {
    use stepladder_protocol::{
        Interval, MatchedReport, Method, MethodPair, MethodPeak, MethodReport, Switch,
    };
    assert!(!html(&document(), 0).contains("Methods trained alike"));
    let interval = |mean: f64| {
        Some(Interval {
            mean,
            low: Some(mean - 0.001),
            high: Some(mean + 0.001),
            replies: 6,
        })
    };
    let mut found = document();
    found.report.matched = Some(MatchedReport {
        data: vec![format!("/home/me/{HOSTILE}")],
        steps: 7,
        parameters_match: true,
        methods: vec![MethodReport {
            method: Method::Xladder,
            runs: vec!["xladder-seed-42".to_owned()],
            parameters: 10,
            taps: vec![3, 4],
            rank: None,
            learning_rate: 5e-4,
            accuracy: interval(0.5),
            reasoning_tokens: interval(80.0),
            difference: None,
            difference_both_right: interval(-0.01),
            truncated: 0,
            no_trace: 0,
            best_evaluation_loss: vec![Some(0.25), None],
            peaks: vec![MethodPeak {
                recompute: Switch::On,
                measured_bytes: Some(3 << 20),
                estimated_bytes: 2 << 20,
            }],
        }],
        pairs: vec![MethodPair {
            method: Method::Xladder,
            against: Method::Ladder,
            accuracy: None,
            reasoning_tokens: interval(1.0),
            reasoning_tokens_both_right: None,
        }],
    });
    let page = html(&found, 0);
    for said in [
        "Each for 7 steps",
        "50.0&nbsp;% [49.9, 50.1]",
        // What rounds to nothing has no minus.
        "<td>+0.0 [+0.0, +0.0]",
        "xLadder minus Ladder",
        "<td>0.2500 –</td><td>–</td><td><b>3.0&nbsp;MiB</b> <small>(2.0&nbsp;MiB planned)</small></td>",
    ] {
        assert!(page.contains(said), "{said}");
    }
    assert!(!page.contains("<script") && !page.contains("/home/me"));
}
