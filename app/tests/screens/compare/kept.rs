//! Comparisons on disk.

use super::*;
use egui_kittest::kittest::Queryable;

const NAME: &str = "2026-11-20T08-02-11-compare";

fn command() -> Box<CompareCommand> {
    let mut window = page();
    begin(&mut window);
    Box::new(begun(&mut window).expect("a comparison").0)
}

#[test]
fn without_any_the_list_says_what_it_is_for() {
    let mut window = page();
    list(&mut window, Vec::new());
    assert!(shows(&window, "Comparisons are kept here"));
}

#[test]
fn one_is_opened_from_disk() {
    let mut window = page();
    entries(&mut window);
    assert!(shows(&window, "2026-11-20T08-02-11, Finished, 3 variants"));
    let found = Opened {
        document: Some(Box::new(document(200))),
        ..Opened::default()
    };
    open(&mut window, NAME, found);
    assert!(shows(&window, "158 of 200"));
    for label in ["CSV…", "JSON…", "Report…", "Charts…"] {
        assert!(window.query_by_label(label).is_some(), "{label}");
    }
    assert!(window.query_by_label("Continue").is_none());
    click(&mut window, "Show in folder");
    let shown = Effect::Show(comparisons().join(NAME));
    assert!(asked(&mut window).contains(&shown));
}

#[test]
fn one_that_was_stopped_shows_its_answers_and_goes_on() {
    let mut window = page();
    entries(&mut window);
    let name = "held-out split of the support tickets";
    let answers = { 1..=9 }.flat_map(|number| {
        (0..3).map(move |variant| (number, NAMES[variant].to_owned(), answer(number, variant)))
    });
    let found = Opened {
        asked: Some(command()),
        variants: NAMES.map(str::to_owned).to_vec(),
        answers: answers.collect(),
        ..Opened::default()
    };
    open(&mut window, name, found);
    assert!(shows(&window, " of 9"), "figures so far");
    click(&mut window, "Show: Questions");
    assert!(shows(&window, "The words of this question are told"));
    click(&mut window, "Continue");
    let (command, go_on) = begun(&mut window).expect("it goes on");
    assert_eq!(go_on, Some(comparisons().join(name)));
    assert_eq!(command.adapters.len(), 2);
}

#[test]
fn one_of_the_command_line_says_how_it_goes_on() {
    let mut window = page();
    entries(&mut window);
    let found = Opened {
        variants: NAMES.map(str::to_owned).to_vec(),
        ..Opened::default()
    };
    open(&mut window, "held-out split of the support tickets", found);
    assert!(shows(&window, "It was begun on the command line"));
    assert!(window.query_by_label("Continue").is_none());
}

#[test]
fn one_that_cannot_be_read_is_told() {
    let mut window = page();
    entries(&mut window);
    window
        .get_by_label_contains("2026-11-20T08-02-11, ")
        .click();
    window.run_steps(3);
    let folder = comparisons().join(NAME);
    let found = Err("The comparison cannot be read: eof".to_owned());
    from_disk(&mut window, CompareAnswer::Read { folder, found });
    assert!(shows(&window, "The comparison cannot be read: eof"));
    assert!(shows(&window, "Choose a run"), "it is still set up");
}

#[test]
fn one_is_deleted_after_a_question() {
    let mut window = page();
    entries(&mut window);
    let found = Opened {
        document: Some(Box::new(document(20))),
        ..Opened::default()
    };
    open(&mut window, NAME, found);
    click(&mut window, "Delete comparison");
    assert!(shows(&window, "Move this comparison to the bin?"));
    click(&mut window, "Move to bin");
    let comparison = comparisons().join(NAME);
    let folder = comparisons();
    let wanted = CompareRequest::Delete {
        comparison: comparison.clone(),
        folder,
    };
    assert_eq!(disk(&mut window), [wanted]);
    let result = Ok(());
    from_disk(&mut window, CompareAnswer::Deleted { comparison, result });
    assert!(shows(&window, "Choose a run"));
    assert!(!shows(&window, "2026-11-20T08-02-11"));
}
