//! Exports.

use egui_kittest::kittest::{NodeT, Queryable};
use stepladder::state::{Desk, Effect, Picker};
use stepladder_protocol::{
    Command, ErrorReport, ExportFormat, ExportReport, Finished, Method, RunState,
};

use super::*;
use crate::support::asked;

fn dialog() -> Page_ {
    let mut page = page_of(Vec::new());
    let mut run = stored("tuned", RunState::Finished);
    run.config.method = Method::Lora;
    hear(&mut page, listed(vec![run]));
    click(&mut page, "Export…");
    page
}

/// The export that was asked of the worker.
fn export(page: &mut Page_) -> Option<stepladder_protocol::ExportCommand> {
    asked(page).into_iter().find_map(|effect| match effect {
        Effect::Send(Desk::Looking, command) => match *command {
            Command::Export(command) => Some(command),
            _ => None,
        },
        _ => None,
    })
}

#[test]
fn the_method_says_which_formats_there_are() {
    let page = dialog();
    assert!(
        !page
            .get_by_label("PEFT folder")
            .accesskit_node()
            .is_disabled()
    );
    assert!(
        page.get_by_label("Stepladder adapter")
            .accesskit_node()
            .is_disabled()
    );
    assert!(shows(
        &page,
        "LoRA gives no such adapter; Ladder and xLadder do."
    ));
    assert!(shows(&page, "Choose a folder first"));
}

#[test]
fn an_export_says_where_it_went_and_how_it_is_used() {
    let mut page = dialog();
    click(&mut page, "Choose folder…");
    assert!(asked(&mut page).contains(&Effect::Pick(Picker::ExportFolder)));
    hear(
        &mut page,
        News::Picked(Picker::ExportFolder, vec!["/home/user/out".into()]),
    );
    assert!(shows(&page, "/home/user/out/tuned-peft"));
    click(&mut page, "Export");
    let command = export(&mut page).unwrap();
    assert!(command.job.0.starts_with("run/export/"));
    assert_eq!(command.to, ExportFormat::Peft);
    assert_eq!(command.adapter, folder().join("tuned"));
    assert_eq!(command.out, Path::new("/home/user/out/tuned-peft"));
    let report = ExportReport {
        format: ExportFormat::Peft,
        path: "/home/user/out/tuned-peft".to_owned(),
        files: Vec::new(),
        usage: "PeftModel.from_pretrained(model, \"/home/user/out/tuned-peft\")".to_owned(),
        notices: vec!["it was trained beside weights in four bits".to_owned()],
    };
    let done = Event::Finished(Finished::Export(report)).of(&command.job);
    hear(&mut page, News::Event(Desk::Looking, done));
    assert!(shows(&page, "Exported"));
    assert!(shows(&page, "PeftModel.from_pretrained"));
    assert!(shows(&page, "it was trained beside weights in four bits"));
    click(&mut page, "Close");
    assert!(!shows(&page, "Exported"));
}

#[test]
fn an_export_that_fails_says_why_and_can_be_tried_again() {
    let mut page = dialog();
    hear(
        &mut page,
        News::Picked(Picker::ExportFolder, vec!["/home/user/out".into()]),
    );
    click(&mut page, "Export");
    let command = export(&mut page).unwrap();
    let problem = ErrorReport::new("io", "the folder is there already", "choose another");
    let failed = Event::Failed(problem).of(&command.job);
    hear(&mut page, News::Event(Desk::Looking, failed));
    assert!(shows(&page, "the folder is there already"));
    click(&mut page, "Export");
    let again = export(&mut page).unwrap();
    assert_ne!(again.job, command.job, "each has a name of its own");
}
