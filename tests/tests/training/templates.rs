//! A run with another chat template than the model's own: the adapter brings it along, wherever it
//! goes.

use std::ops::ControlFlow;
use std::path::Path;

use stepladder_engine::adapters::adapter_folder::{self, CHAT_TEMPLATE};
use stepladder_engine::export::export;
use stepladder_engine::models::chat_template::NamedTemplate;
use stepladder_engine::training::{RunTarget, start};
use stepladder_protocol::{DataOptions, ExportFormat, Method, RunConfig};

use super::recorder::{Recorder, train};

fn config(template: &str) -> RunConfig {
    RunConfig {
        method: Method::Lora,
        data_options: DataOptions {
            template: template.to_owned(),
            ..DataOptions::default()
        },
        steps: Some(2),
        held_out_fraction: 0.0,
        ..RunConfig::default()
    }
}

fn template_in(folder: &Path) -> Option<String> {
    std::fs::read_to_string(folder.join(CHAT_TEMPLATE)).ok()
}

#[test]
fn an_adapter_brings_its_template_along() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let config = config("alpaca");
    let mut recorder = Recorder {
        stop_after: Some(1),
        ..Recorder::default()
    };
    let stop = recorder.stop.clone();
    let outcome = start(&config, RunTarget::Fresh(run.clone()), &mut recorder, &stop);
    assert!(!outcome.unwrap().finished);
    let told = "the chat template alpaca takes the place of the model's own chat template";
    assert!(recorder.notices.iter().any(|notice| notice == told));

    // What is trained on is the same text when the run goes on.
    let mut recorder = Recorder::default();
    let stop = recorder.stop.clone();
    let resumed = RunTarget::Resume(run.clone());
    let outcome = start(&RunConfig::default(), resumed, &mut recorder, &stop).unwrap();
    assert!(outcome.finished);

    let alpaca = NamedTemplate::find("alpaca").unwrap().source;
    assert_eq!(template_in(&run.join("adapter")).as_deref(), Some(alpaca));
    let stored = adapter_folder::read(&run).unwrap();
    assert_eq!(stored.config.chat_template.as_deref(), Some(alpaca));

    let out = folder.path().join("peft");
    let report = export(&run, ExportFormat::Peft, &out, &mut |_| {
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(report.files.iter().any(|file| file == CHAT_TEMPLATE));
    assert_eq!(template_in(&out).as_deref(), Some(alpaca));
}

#[test]
fn the_models_own_template_stays_with_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let (outcome, recorder) = train(&config("auto"), &run);
    assert!(outcome.finished);
    assert!(
        !recorder
            .notices
            .iter()
            .any(|text| text.contains("template"))
    );
    assert_eq!(template_in(&run.join("adapter")), None);
    assert_eq!(
        adapter_folder::read(&run).unwrap().config.chat_template,
        None
    );
}
