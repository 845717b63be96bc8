//! What a run was asked to do, in the words of the Fine-tune page, and what became of its dataset.

use egui_kittest::kittest::Queryable;
use stepladder::state::runs::stored::Details;
use stepladder::state::{Effect, Picker};
use stepladder_protocol::{
    Command, DatasetFile, DatasetPreview, ErrorReport, Quantize, RunFailure, RunState,
};

use super::*;
use crate::support::asked;

fn details_of(run: StoredRun, dataset: Option<DatasetPreview>) -> Page_ {
    let mut page = page_with(Vec::new(), egui::vec2(1280.0, 2400.0));
    let folder = run.folder.clone();
    hear(&mut page, listed(vec![run]));
    hear(&mut page, figures(&folder, 2.0, 10));
    let found = Box::new(Details {
        log: Vec::new(),
        dataset,
    });
    let answer = DiskAnswer::Details { run: folder, found };
    hear(&mut page, News::Disk(answer));
    click(&mut page, "Show: Details");
    page
}

#[test]
fn a_config_is_told_in_the_words_of_the_fine_tune_page() {
    let mut run = stored("a", RunState::Finished);
    run.config.memory_bytes = Some(12_884_901_888);
    run.config.quantize = Quantize::Nf4;
    run.config.context = Some(2048);
    let page = details_of(run, None);
    for words in [
        "Memory limit",
        "12.00 GiB",
        "Four bits",
        "Side network width",
        "2,048",
        "Sample dataset",
        "Built-in model",
        "Early stopping",
    ] {
        assert!(shows(&page, words), "{words}");
    }
    for raw in ["nf4", "12884901888", "D side", "Memory bytes", "builtin"] {
        assert!(!shows(&page, raw), "{raw}");
    }
}

#[test]
fn another_run_is_told_as_soon_as_it_is_chosen() {
    let mut page = page_with(Vec::new(), egui::vec2(1280.0, 2400.0));
    let (mut one, mut other) = (
        stored("one", RunState::Finished),
        stored("other", RunState::Finished),
    );
    one.config.seed = 1111;
    other.config.seed = 2222;
    hear(&mut page, listed(vec![one, other]));
    hear(&mut page, figures(&folder().join("one"), 2.0, 10));
    click(&mut page, "one, Ladder, Finished");
    hear(&mut page, figures(&folder().join("one"), 2.0, 10));
    click(&mut page, "Show: Details");
    assert!(shows(&page, "1111") && !shows(&page, "2222"));
    click(&mut page, "other, Ladder, Finished");
    hear(&mut page, figures(&folder().join("other"), 2.0, 10));
    page.run_steps(2);
    assert!(shows(&page, "2222") && !shows(&page, "1111"));
}

#[test]
fn a_foreign_account_of_a_dataset_steers_nothing_and_names_no_flags() {
    let evil = "\u{202e}\u{1b}[2Jevil".to_owned();
    let account = DatasetPreview {
        rows: 3,
        examples: 1,
        files: vec![DatasetFile {
            path: evil.clone(),
            container: evil.clone(),
            ..DatasetFile::default()
        }],
        notices: vec![
            evil,
            "answers do not end; other templates end their turns (--template)".to_owned(),
        ],
        ..DatasetPreview::default()
    };
    let page = details_of(stored("a", RunState::Finished), Some(account));
    assert!(shows(&page, "evil"));
    assert!(shows(&page, "(Chat template)"));
    for node in page.get_all_by(|node| node.label().is_some()) {
        let label = label(&node);
        assert!(
            !label.contains(['\u{202e}', '\u{1b}']) && !label.contains("--"),
            "{label:?}"
        );
    }
}

#[test]
fn what_to_do_about_a_failure_names_no_flag() {
    let mut failed = stored("failed", RunState::Failed);
    failed.failure = Some(RunFailure {
        code: "diverged".to_owned(),
        message: "training diverged at step 7: the loss is not a number".to_owned(),
        hint: "lower --learning-rate, and look at the examples of that step".to_owned(),
    });
    let mut page = page_of(Vec::new());
    hear(&mut page, listed(vec![failed]));
    assert!(shows(&page, "Lower the learning rate"));
    assert!(!shows(&page, "--"));
}

#[test]
fn what_to_do_about_an_export_names_no_flag() {
    let mut page = page_of(Vec::new());
    hear(&mut page, listed(vec![stored("a", RunState::Finished)]));
    click(&mut page, "Export…");
    let picked = vec!["/home/user/out".into()];
    hear(&mut page, News::Picked(Picker::ExportFolder, picked));
    click(&mut page, "Export");
    let job = { asked(&mut page).into_iter() }.find_map(|effect| match effect {
        Effect::Send(_, command) => match *command {
            Command::Export(export) => Some(export.job),
            _ => None,
        },
        _ => None,
    });
    let hint = "name a new folder with --out";
    let taken = ErrorReport::new("config_invalid", "out: /home/user/out is there", hint);
    let failed = Event::Failed(taken).of(&job.unwrap());
    hear(&mut page, News::Event(Desk::Looking, failed));
    assert!(shows(&page, "Choose another folder."));
    assert!(!shows(&page, "--"));
}
