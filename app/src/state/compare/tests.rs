//! Figures, orders and what can go on, without a window.

use stepladder_protocol::{
    AnswerOutcome, AnswerVerdict, BASE, ComparedAnswer, ComparedVariant, FinishReason, TraceState,
};

use super::asking::{Asking, AskingAction, Missing, Questions, Way, whole};
use super::figures::{Charts, Lengths, Who, so_far};
use super::found::{Comparison, Row};
use super::stored::{Opened, SavedAs};
use super::table::{Column, Order, Table};
use super::view::{View, ViewAction};

fn answer(tokens: usize, outcome: AnswerOutcome, verdict: AnswerVerdict) -> ComparedAnswer {
    ComparedAnswer {
        text: String::new(),
        answer_start: 0,
        reasoning_tokens: tokens,
        total_tokens: tokens + 2,
        trace: match tokens {
            0 => TraceState::Empty,
            _ => TraceState::Complete,
        },
        outcome,
        answer: None,
        verdict,
        finish: FinishReason::Stop,
        distinct_3: (tokens > 5).then_some(0.5),
    }
}

fn right(tokens: usize) -> ComparedAnswer {
    answer(tokens, AnswerOutcome::Answered, AnswerVerdict::Right)
}

fn wrong(tokens: usize) -> ComparedAnswer {
    answer(tokens, AnswerOutcome::Answered, AnswerVerdict::Wrong)
}

fn cut(tokens: usize) -> ComparedAnswer {
    answer(tokens, AnswerOutcome::Truncated, AnswerVerdict::Wrong)
}

/// An unfinished comparison of the base and an adapter.
fn comparison(pairs: Vec<[Option<ComparedAnswer>; 2]>) -> Comparison {
    let names = [BASE.to_owned(), "a".to_owned()];
    let mut answers = Vec::new();
    for (place, pair) in pairs.into_iter().enumerate() {
        for (name, answer) in names.iter().zip(pair) {
            answers.extend(answer.map(|answer| (place + 1, name.clone(), answer)));
        }
    }
    let opened = Opened {
        variants: names.to_vec(),
        answers,
        ..Opened::default()
    };
    Comparison::opened("/c/one".as_ref(), opened)
}

#[test]
fn what_was_cut_off_is_counted_and_not_averaged() {
    let found = comparison(vec![
        [Some(right(10)), Some(right(4))],
        [Some(right(20)), Some(cut(500))],
        [Some(wrong(30)), Some(right(0))],
        [Some(right(40)), None],
    ]);
    let figures = &found.figures[1];
    assert_eq!((figures.right, figures.wrong, figures.truncated), (2, 1, 1));
    assert_eq!(figures.median_reasoning_tokens, Some(2.0));
    assert_eq!((figures.empty_trace, figures.no_trace), (1, 1));
    let difference = figures.difference.unwrap();
    assert_eq!((difference.mean, difference.pairs), (-18.0, 2));
    assert_eq!((difference.low, difference.high), (None, None));
    let both_right = figures.difference_both_right.unwrap();
    assert_eq!((both_right.mean, both_right.pairs), (-6.0, 1));
    assert!(found.figures[0].difference.is_none());
    assert_eq!(found.figures[0].mean_reasoning_tokens, Some(25.0));
    assert_eq!(so_far(&[], &found.variants, 0)[0].accuracy, None);
}

#[test]
fn questions_without_a_figure_come_last_either_way() {
    let found = comparison(vec![
        [Some(right(10)), Some(right(40))],
        [Some(right(20)), Some(cut(500))],
        [Some(wrong(30)), Some(right(5))],
    ]);
    let mut order = Order::default();
    let numbers = |order: Order| -> Vec<usize> {
        let table = Table::of(&found, 1, order);
        table.rows.iter().map(|row| row.number).collect()
    };
    assert_eq!(numbers(order), [3, 1, 2]);
    order.by(Column::Difference);
    assert_eq!(numbers(order), [1, 3, 2]);
    order.by(Column::This);
    assert_eq!(numbers(order), [3, 1, 2]);
    order.by(Column::Number);
    assert_eq!(numbers(order), [1, 2, 3]);
}

#[test]
fn dots_are_questions_that_both_answered() {
    let found = comparison(vec![
        [Some(right(10)), Some(right(40))],
        [Some(right(20)), Some(cut(500))],
        [Some(wrong(30)), Some(right(5))],
        [Some(right(7)), Some(wrong(7))],
    ]);
    let charts = Charts::of(&found, 1);
    let dots: Vec<_> = { charts.dots.iter() }
        .map(|dot| (dot.question, dot.who))
        .collect();
    let wanted = [(1, Who::Both), (3, Who::OnlyThis), (4, Who::OnlyBaseline)];
    assert_eq!(dots, wanted);
    assert_eq!(charts.lengths[1].tokens, [5, 7, 40]);
}

#[test]
fn quarters_lie_between_values() {
    let lengths = |tokens: Vec<usize>| Lengths {
        name: String::new(),
        place: 0,
        tokens,
    };
    assert_eq!(lengths(vec![]).quantile(0.5), None);
    assert_eq!(lengths(vec![3]).quantile(0.25), Some(3.0));
    assert_eq!(lengths(vec![0, 10]).quantile(0.25), Some(2.5));
    assert_eq!(lengths(vec![1, 2, 3, 9]).quantile(0.5), Some(2.5));
}

#[test]
fn unequal_sizes_are_those_beyond_a_thousandth() {
    let mut found = comparison(vec![]);
    let mut sizes = |sizes: &[u64]| {
        found.variants = { sizes.iter() }
            .map(|parameters| ComparedVariant {
                name: String::new(),
                method: None,
                parameters: *parameters,
            })
            .collect();
        found.sizes_differ()
    };
    assert!(!sizes(&[0, 100_000]));
    assert!(!sizes(&[0, 100_000, 100_100]));
    assert!(sizes(&[0, 100_000, 100_200]));
    assert!(!sizes(&[0]));
}

#[test]
fn what_nobody_wrote_down_cannot_go_on() {
    let mut found = comparison(vec![[Some(right(1)), None]]);
    assert!(!found.can_go_on() && !found.is_on());
    let command = Asking::default().command(found.job.clone(), "auto");
    found.asked = Some(Box::new(command));
    assert!(found.can_go_on());
    assert!(!found.can_save(SavedAs::Csv), "that file comes at the end");
    assert!(found.can_save(SavedAs::Png));
}

#[test]
fn a_question_beside_the_chosen_one_is_found_in_the_table_s_order() {
    let found = comparison(vec![
        [Some(right(10)), Some(right(40))],
        [Some(right(20)), Some(right(10))],
    ]);
    let mut view = View::default();
    view.refresh(&found);
    assert_eq!(view.against, 1);
    assert_eq!(view.chosen, Some(2), "the shortest");
    assert_eq!(view.beside(true), Some(1));
    assert_eq!(view.beside(false), Some(2), "it is the first");
    view.act(ViewAction::Choose(1));
    assert_eq!(view.beside(true), Some(1), "it is the last");
    let none: Vec<Row> = Vec::new();
    assert!(so_far(&none, &[], 0).is_empty());
    assert_eq!(View::default().beside(true), None);
}

#[test]
fn numbers_are_whole_and_not_nothing() {
    assert_eq!(whole(" 12 "), Ok(Some(12)));
    assert_eq!(whole(""), Ok(None));
    for wrong in ["0", "-1", "1.5", "many"] {
        assert!(whole(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn what_is_missing_is_told_one_by_one() {
    let mut asking = Asking::default();
    let act = |asking: &mut Asking, action| asking.act(action, &[], &mut Vec::new());
    assert_eq!(asking.ready(), Err(Missing::Run));
    act(&mut asking, AskingAction::Way(Way::Matched));
    let ready = asking.ready().unwrap();
    assert_eq!(
        (ready.trained, ready.variants, ready.questions),
        (9, 10, Some(200))
    );
    let file = Questions::File(String::new());
    act(&mut asking, AskingAction::Questions(file));
    assert_eq!(asking.ready(), Err(Missing::Questions));
    asking.questions_from("/q.jsonl".as_ref());
    assert_eq!(asking.ready().unwrap().questions, None);
    act(&mut asking, AskingAction::Limit("0".to_owned()));
    assert_eq!(asking.ready(), Err(Missing::Field));
    // Another model has other questions, but a file stays.
    act(&mut asking, AskingAction::Model("/m".to_owned()));
    assert_eq!(asking.questions, Questions::File("/q.jsonl".to_owned()));
    act(&mut asking, AskingAction::Questions(Questions::HeldOut));
    act(&mut asking, AskingAction::Model("builtin".to_owned()));
    assert_eq!(asking.questions, Questions::Builtin);
}
