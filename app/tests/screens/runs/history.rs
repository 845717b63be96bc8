//! Runs that lie on disk.

use egui_kittest::kittest::Queryable;
use stepladder::state::Effect;
use stepladder::state::runs::stored::{Details, DiskRequest};
use stepladder_protocol::{RunFailure, RunState};

use super::*;
use crate::support::asked;

/// Presses the run of the list whose label begins so.
fn choose(page: &mut Page_, entry: &str) {
    page.get_by_label_contains(entry).click();
    page.run_steps(3);
}

fn page_with_runs(runs: Vec<StoredRun>) -> Page_ {
    let mut page = page_of(Vec::new());
    hear(&mut page, listed(runs));
    page
}

fn three() -> Vec<StoredRun> {
    let mut better = stored("better", RunState::Finished);
    better.best = Some(0.25);
    let mut interrupted = stored("interrupted", RunState::Running);
    interrupted.written_at = NOW - 60.0;
    vec![interrupted, stored("worse", RunState::Finished), better]
}

#[test]
fn runs_are_listed_with_how_they_stand() {
    let mut page = page_with_runs(three());
    page.get_by_label_contains("interrupted, Ladder, Interrupted");
    page.get_by_label_contains("worse, Ladder, Finished");
    // The latest is looked at first: a crash is seen at the next start.
    assert!(shows(&page, "This run was interrupted"));
    page.get_by_label("Resume");
    let wanted = DiskRequest::ReadFigures {
        run: folder().join("interrupted"),
        from: 0,
    };
    assert!(asked(&mut page).contains(&Effect::Disk(wanted)));
    let runs = &page.state().state().runs.runs;
    let best: Vec<bool> = runs.iter().map(|run| run.is_best).collect();
    assert_eq!(best.iter().filter(|best| **best).count(), 1);
    let of = |name: &str| runs.iter().find(|run| run.name == name).unwrap();
    assert!(of("better").is_best);
}

#[test]
fn a_chosen_run_shows_its_figures_log_and_dataset() {
    let mut page = page_with_runs(three());
    choose(&mut page, "better, Ladder, Finished");
    hear(&mut page, figures(&folder().join("better"), 2.0, 400));
    let details = Details {
        log: vec![(NOW - 100.0, "step 0 of 400 \u{202e}evil".to_owned())],
        dataset: Some(stepladder_protocol::DatasetPreview {
            rows: 600,
            examples: 590,
            skipped: 10,
            ..Default::default()
        }),
    };
    let answer = DiskAnswer::Details {
        run: folder().join("better"),
        found: Box::new(details),
    };
    hear(&mut page, News::Disk(answer));
    page.get_by_label_contains("Loss: 0 at step 400 of 100, lowest 0 at step 400");
    click(&mut page, "Show: Log");
    let line = label(&page.get_by_label_contains("step 0 of 400"));
    assert!(!line.contains('\u{202e}'), "{line:?}");
    click(&mut page, "Show: Details");
    assert!(shows(&page, "600 rows, 590 examples, 10 skipped"));
    asked(&mut page);
    click(&mut page, "Copy as command");
}

#[test]
fn figures_of_a_run_that_is_no_longer_looked_at_are_dropped() {
    let mut page = page_with_runs(three());
    choose(&mut page, "better, Ladder, Finished");
    hear(&mut page, figures(&folder().join("worse"), 2.0, 10));
    let runs = &page.state().state().runs.runs;
    let worse = runs.iter().find(|run| run.name == "worse").unwrap();
    assert!(worse.figures().is_none());
}

#[test]
fn deleting_asks_and_names_the_bin() {
    let mut page = page_with_runs(three());
    choose(&mut page, "worse, Ladder, Finished");
    click(&mut page, "Delete");
    assert!(shows(&page, "bin"));
    asked(&mut page);
    click(&mut page, "Cancel");
    assert!(!shows(&page, "Move this run to the bin?"));
    assert_eq!(asked(&mut page), []);

    click(&mut page, "Delete");
    click(&mut page, "Move to bin");
    let delete = Effect::Disk(DiskRequest::DeleteRun {
        run: folder().join("worse"),
        folder: folder(),
    });
    assert!(asked(&mut page).contains(&delete));
    let gone = DiskAnswer::Deleted {
        run: folder().join("worse"),
        result: Ok(()),
    };
    hear(&mut page, News::Disk(gone));
    assert!(!shows(&page, "worse, Ladder, Finished"));
    // It is read again, and another one is looked at.
    assert!(page.state().state().runs.chosen().is_some());
}

#[test]
fn a_run_that_could_not_be_deleted_stays_and_says_why() {
    let mut page = page_with_runs(three());
    let refused = DiskAnswer::Deleted {
        run: folder().join("worse"),
        result: Err("it is in use".to_owned()),
    };
    hear(&mut page, News::Disk(refused));
    assert!(shows(&page, "it is in use"));
    page.get_by_label_contains("worse, Ladder, Finished");
}

#[test]
fn renaming_tells_what_is_wrong_beside_the_field() {
    let mut page = page_with_runs(three());
    choose(&mut page, "worse, Ladder, Finished");
    page.get_by_role_and_label(egui::accesskit::Role::Button, "Rename")
        .click();
    page.run_steps(3);
    page.get_by_label("Name").focus();
    page.step();
    page.get_by_label("Name").type_text("/2");
    page.run_steps(2);
    asked(&mut page);
    click(&mut page, "Rename");
    let wanted = DiskRequest::RenameRun {
        run: folder().join("worse"),
        name: "worse/2".to_owned(),
    };
    let asked = asked(&mut page);
    assert!(asked.contains(&Effect::Disk(wanted)), "{asked:?}");
    let refused = DiskAnswer::Renamed {
        run: folder().join("worse"),
        result: Err("A name cannot have / in it.".to_owned()),
    };
    hear(&mut page, News::Disk(refused));
    assert!(shows(&page, "A name cannot have / in it."));
    let done = DiskAnswer::Renamed {
        run: folder().join("worse"),
        result: Ok(folder().join("worse 2")),
    };
    hear(&mut page, News::Disk(done));
    assert!(shows(&page, "worse 2"));
    assert!(page.query_by_label("Name").is_none());
}

#[test]
fn a_failed_run_keeps_its_reason() {
    let mut failed = stored("failed", RunState::Failed);
    failed.has_checkpoint = false;
    failed.failure = Some(RunFailure {
        code: "out_of_memory".to_owned(),
        message: "9 GiB are needed and 8 GiB are free".to_owned(),
        hint: "lower the context".to_owned(),
    });
    let page = page_with_runs(vec![failed]);
    assert!(shows(&page, "9 GiB are needed and 8 GiB are free"));
    assert!(shows(&page, "lower the context"));
    page.get_by_label("Retry");
}

#[test]
fn a_run_of_another_program_is_left_alone() {
    let mut run = stored("elsewhere", RunState::Running);
    run.in_use = true;
    let page = page_with_runs(vec![run]);
    page.get_by_label_contains("elsewhere, Ladder, Running elsewhere");
    for offer in ["Resume", "Delete", "Rename", "Pause", "Export…"] {
        assert!(page.query_by_label(offer).is_none(), "{offer}");
    }
}

#[test]
fn hostile_names_cannot_steer_and_do_not_spread() {
    let name = format!("a\u{202e}b\u{1b}[2J{}", "x".repeat(200));
    let mut page = page_with_runs(vec![stored(&name, RunState::Finished)]);
    page.run_steps(2);
    for node in page.get_all_by(|node| node.label().is_some()) {
        let label = label(&node);
        assert!(!label.contains(['\u{202e}', '\u{1b}']), "{label:?}");
        assert!(node.rect().right() <= 1280.5, "{label:?}");
    }
}

#[test]
fn long_lists_can_be_filtered() {
    let runs = (0..9)
        .map(|n| stored(&format!("run-{n}"), RunState::Finished))
        .collect();
    let mut page = page_with_runs(runs);
    page.get_by_label("Filter runs").focus();
    page.step();
    page.get_by_label("Filter runs").type_text("run-7");
    page.run_steps(3);
    page.get_by_label_contains("run-7, Ladder, Finished");
    assert!(!shows(&page, "run-3, Ladder, Finished"));
}

#[test]
fn what_cannot_be_read_is_named() {
    let mut page = page_of(Vec::new());
    let listing = Listing {
        folder: folder(),
        runs: vec![stored("good", RunState::Finished)],
        unreadable: vec![("bad".to_owned(), "run.json: expected value".to_owned())],
        left_out: 3,
        problem: None,
    };
    hear(&mut page, News::Disk(DiskAnswer::Runs(Box::new(listing))));
    assert!(shows(&page, "1 run cannot be read"));
    assert!(shows(&page, "3 runs more"));
}
