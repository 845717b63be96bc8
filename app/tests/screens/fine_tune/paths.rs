//! Paths through the page, by what a screen reader would find.

use egui::accesskit::Role;
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use stepladder::outside::Replay;
use stepladder::state::settings::{Detail, Settings};
use stepladder::state::{Desk, Effect, News, Page, Picker};
use stepladder_protocol::{
    DatasetPreview, Event, ExamplePreview, Finished, FoundModel, ModelList, ModelSource, Segment,
    Switch, TokenUse,
};

use super::recorded::{self, fail, job_about, play, quiet, say, start};
use crate::support::{TestWindow, asked, hear, window, window_of};

/// What the primary button says of the built-in model and dataset, as they were recorded.
const FINE_TUNE: &str = "Fine-tune: about 20 seconds, 34.3 MiB";

type Window = Harness<'static, TestWindow>;

/// Presses what has this label.
fn press(harness: &mut Window, label: &str) {
    harness.get_by_label(label).click();
    harness.step();
    harness.step();
}

/// Types into the field of this label.
fn write(harness: &mut Window, label: &str, text: &str) {
    harness
        .get_by_role_and_label(Role::TextInput, label)
        .focus();
    harness.step();
    harness
        .get_by_role_and_label(Role::TextInput, label)
        .type_text(text);
    harness.step();
    harness.step();
}

fn pick(harness: &mut Window, picker: Picker, path: &str) {
    hear(harness, News::Picked(picker, vec![path.into()]));
}

/// The whole page without scrolling.
fn tall(detail: Detail) -> Window {
    let settings = Settings {
        detail,
        ..Settings::default()
    };
    window_of(settings, egui::vec2(1280.0, 4400.0))
}

#[test]
fn one_click_trains_the_built_in_model() {
    let mut harness = window();
    harness.step();
    harness.get_by_role_and_label(Role::Button, "Looking at the model…");
    start(&mut harness);
    harness.get_by_label_contains("Row 1 of 600");
    harness.get_by_label_contains("Lengths from 80 to 147 tokens");
    press(&mut harness, FINE_TUNE);
    let started = asked(&mut harness).into_iter().any(|effect| match effect {
        Effect::Train { config, resume, .. } => {
            config.model == "builtin" && config.data == ["builtin"] && resume.is_none()
        }
        _ => false,
    });
    assert!(started);
    assert_eq!(harness.state().state().page, Page::Runs);
    harness
        .get_by_role_and_label(Role::Tab, "Fine-tune")
        .click();
    harness.step();
    harness.step();
    harness.get_by_label("Queue: about 20 seconds, 34.3 MiB");
}

#[test]
fn a_missing_model_is_named_and_another_chosen_from_the_list() {
    let mut harness = window();
    start(&mut harness);
    pick(&mut harness, Picker::ModelFolder, "/models/gone");
    let commands = quiet(&mut harness);
    let job = job_about(&commands, "model");
    fail(
        &mut harness,
        &job,
        "model_folder_missing",
        "there is no model /models/gone",
    );
    harness.get_by_label_contains("there is no model /models/gone");
    harness.get_by_label_contains("Choose a folder with a config.json");
    harness.get_by_label("Choose a model that can be trained");

    let models = ModelList {
        models: vec![
            found("builtin", "builtin", ModelSource::Builtin, None),
            found(
                "Qwen/Qwen3-0.6B",
                "/hub/qwen",
                ModelSource::HuggingFace,
                None,
            ),
            found(
                "old:7b",
                "/ollama/old",
                ModelSource::Ollama,
                Some("architecture is not supported"),
            ),
        ],
        notices: Vec::new(),
    };
    let job = stepladder_protocol::JobId::new("models/1");
    say(
        &mut harness,
        &job,
        Event::Finished(Finished::Models(models)),
    );
    press(&mut harness, "Choose a model");
    harness.get_by_label("Hugging Face cache");
    harness.get_by_label("architecture is not supported");
    // What cannot be trained cannot be chosen.
    harness
        .get_by_role_and_label(Role::Button, "old:7b")
        .click();
    harness.step();
    assert_eq!(harness.state().state().setup.config.model, "/models/gone");
    harness
        .get_by_role_and_label(Role::Button, "Qwen/Qwen3-0.6B")
        .click();
    harness.step();
    harness.step();
    assert_eq!(harness.state().state().setup.config.model, "/hub/qwen");
    harness.get_by_role_and_label(Role::Button, "Looking at the model…");
}

fn found(name: &str, target: &str, source: ModelSource, problem: Option<&str>) -> FoundModel {
    FoundModel {
        name: name.to_owned(),
        target: target.to_owned(),
        source,
        file_format: "safetensors".to_owned(),
        bytes: 1 << 30,
        architecture: None,
        problem: problem.map(str::to_owned),
    }
}

#[test]
fn a_model_can_be_named_by_its_path_or_a_dialog() {
    let mut harness = window();
    start(&mut harness);
    press(&mut harness, "Folder…");
    press(&mut harness, ".gguf file…");
    let picks: Vec<Effect> = asked(&mut harness);
    assert!(picks.contains(&Effect::Pick(Picker::ModelFolder)));
    assert!(picks.contains(&Effect::Pick(Picker::ModelFile)));
    press(&mut harness, "Choose a model");
    write(&mut harness, "Path of a model", "/models/a.gguf");
    press(&mut harness, "Use path");
    assert_eq!(harness.state().state().setup.config.model, "/models/a.gguf");
}

#[test]
fn an_unknown_format_is_mapped_by_hand() {
    let mut harness = tall(Detail::Simple);
    start(&mut harness);
    pick(&mut harness, Picker::DataFiles, "/data/strange.csv");
    let commands = quiet(&mut harness);
    play(
        &mut harness,
        recorded::UNKNOWN_FORMAT,
        &job_about(&commands, "data"),
    );
    harness.get_by_label_contains("the rows are of no known format");
    harness.get_by_label("Choose a dataset that can be read");
    harness.get_by_label("Inhalt zwei");
    choose(&mut harness, "Format", "Question, answer");
    // The fields are there at once; the columns still are those of the file.
    choose(&mut harness, "question", "Inhalt eins");
    choose(&mut harness, "answer", "Inhalt zwei");
    let commands = quiet(&mut harness);
    let options = &harness.state().state().setup.config.data_options;
    assert_eq!(options.map["Inhalt eins"], "question");
    assert_eq!(options.map["Inhalt zwei"], "answer");
    play(
        &mut harness,
        recorded::MAPPED,
        &job_about(&commands, "data"),
    );
    harness.get_by_label_contains("Row 1 of 50");
    recorded::planned(&mut harness);
    harness.get_by_label("Fine-tune: about 10 seconds, 34.3 MiB");
}

/// Chooses from a menu.
fn choose(harness: &mut Window, menu: &str, entry: &str) {
    harness.get_by_role_and_label(Role::ComboBox, menu).click();
    harness.step();
    harness.step();
    harness.get_by_role_and_label(Role::Button, entry).click();
    harness.step();
    harness.step();
}

#[test]
fn a_dataset_that_cannot_be_read_is_tried_again() {
    let mut harness = tall(Detail::Simple);
    start(&mut harness);
    pick(&mut harness, Picker::DataFolder, "/data/gone");
    let commands = quiet(&mut harness);
    let job = job_about(&commands, "data");
    fail(
        &mut harness,
        &job,
        "dataset_missing",
        "there is no file or folder /data/gone",
    );
    harness.get_by_label_contains("there is no file or folder /data/gone");
    harness.get_by_label("Choose a dataset that can be read");
    press(&mut harness, "Try again");
    job_about(&quiet(&mut harness), "data");
    press(&mut harness, "Remove gone");
    harness.get_by_label("Choose a dataset");
    press(&mut harness, "Use sample");
    harness.get_by_label("Sample dataset");
    job_about(&quiet(&mut harness), "data");
}

#[test]
fn broken_rows_are_counted_and_named() {
    let mut harness = tall(Detail::Simple);
    start(&mut harness);
    pick(&mut harness, Picker::DataFiles, "/data/support.jsonl");
    let commands = quiet(&mut harness);
    play(
        &mut harness,
        recorded::BROKEN_ROWS,
        &job_about(&commands, "data"),
    );
    press(&mut harness, "9 rows are left out");
    for _ in 0..8 {
        harness.step();
    }
    harness.get_by_label_contains("support.jsonl:9: not valid JSON");
    harness.get_by_label_contains("context length of 256 tokens and cut");
    harness.get_by_label_contains("Row 1 of 909");
    press(&mut harness, "Next example");
    harness.get_by_label_contains("Row 2 of 909");
    press(&mut harness, "Change columns");
    choose(&mut harness, "reasoning", "source");
    let options = &harness.state().state().setup.config.data_options;
    assert_eq!(options.map["source"], "reasoning");
}

#[test]
fn reading_shows_progress_and_can_be_canceled() {
    let mut harness = tall(Detail::Simple);
    start(&mut harness);
    pick(&mut harness, Picker::DataFiles, "/data/big.jsonl");
    let commands = quiet(&mut harness);
    let job = job_about(&commands, "data");
    let progress = stepladder_protocol::ReadingProgress {
        rows: 1000,
        bytes_read: 10 << 20,
        bytes_total: 30 << 20,
        bytes_per_second: (2 << 20) as f64,
    };
    say(&mut harness, &job, Event::Reading(progress));
    harness.get_by_label("1,000 rows, 2.0 MiB/s, 0:10 left");
    press(&mut harness, "Cancel");
    harness.get_by_label_contains("Reading was canceled");
    harness.get_by_label("Read the whole dataset first");
    press(&mut harness, "Read again");
    job_about(&quiet(&mut harness), "data");
}

#[test]
fn what_does_not_fit_has_ways_out_to_press() {
    let mut harness = tall(Detail::Simple);
    start(&mut harness);
    press(&mut harness, "Method: LoRA");
    pick(&mut harness, Picker::ModelFile, "/models/large.gguf");
    let commands = quiet(&mut harness);
    play(
        &mut harness,
        recorded::DOES_NOT_FIT,
        &job_about(&commands, "memory"),
    );
    let state = &harness.state().state().setup;
    let model = state.dataset.preview.is_some();
    assert!(model);
    harness.get_by_label("LoRA: 17.15 GiB, does not fit");
    harness.get_by_label("Ladder: 7.62 GiB, fits");
    let start_events = Replay::of_log(Desk::Looking, recorded::START).unwrap();
    for news in start_events.news {
        if let News::Event(_, line) = news {
            let about = match &line.event {
                Event::Finished(Finished::Model(_)) => "model",
                Event::Finished(Finished::Dataset(_)) => "data",
                _ => continue,
            };
            say(&mut harness, &job_about(&commands, about), line.event);
        }
    }
    // Now that its rows are known, the memory is planned anew.
    let commands = quiet(&mut harness);
    let job = job_about(&commands, "memory");
    play(&mut harness, recorded::DOES_NOT_FIT, &job);
    harness.get_by_label("Try it: needs 17.15 GiB, the rehearsal decides");
    press(&mut harness, "QLoRA fits: 8.23 GiB");
    harness.get_by_label("Fine-tune: 8.23 GiB");
}

#[test]
fn a_wrong_number_is_said_beside_its_field() {
    let mut harness = tall(Detail::Simple);
    start(&mut harness);
    write(&mut harness, "Context", "many");
    harness.get_by_label("must be a whole number");
    // What the field is does not go away.
    harness.get_by_label_contains("Tokens of an example at most.");
    harness.get_by_label("Context must be a whole number");
    assert!(
        harness
            .query_by_role_and_label(Role::TextInput, "Seed")
            .is_none()
    );
    press(&mut harness, "Detail: Advanced");
    write(&mut harness, "Seed", "7");
    assert_eq!(harness.state().state().setup.config.seed, 7);
    harness
        .get_by_role_and_label(Role::Switch, "Packing")
        .click();
    // The dataset is read again, and what is below its card moves.
    harness.run_steps(3);
    assert_eq!(
        harness.state().state().setup.config.data_options.packing,
        Switch::On
    );
    press(&mut harness, "Reset settings");
    assert_eq!(
        harness.state().state().setup.config,
        stepladder::state::setup::field::usual_config()
    );
}

#[test]
fn what_is_dropped_is_asked_of_the_disk() {
    let mut harness = window();
    start(&mut harness);
    hear(&mut harness, News::Dropped(vec!["/x/picture.png".into()]));
    assert!(
        asked(&mut harness)
            .iter()
            .any(|effect| matches!(effect, Effect::Disk(_)))
    );
    let dropped = stepladder::state::setup::dropped::Dropped {
        path: "/x/picture.png".into(),
        kind: stepladder::state::setup::dropped::DroppedKind::Unknown,
    };
    let answer = stepladder::state::runs::DiskAnswer::LookedAt(vec![dropped]);
    hear(&mut harness, News::Disk(answer));
    harness.get_by_label_contains("picture.png is neither a model nor a dataset");
    press(&mut harness, "Dismiss");
    assert!(harness.query_by_label_contains("picture.png").is_none());
}

#[test]
fn hostile_text_is_shown_and_steers_nothing() {
    let mut harness = tall(Detail::Advanced);
    start(&mut harness);
    let evil = format!("\u{202e}\u{1b}[2J{}\n\0", "x".repeat(10_000));
    pick(
        &mut harness,
        Picker::DataFiles,
        &format!("/data/{evil}.jsonl"),
    );
    pick(
        &mut harness,
        Picker::ModelFolder,
        &format!("/models/{evil}"),
    );
    let commands = quiet(&mut harness);
    let segment = |used| Segment {
        text: evil.clone(),
        used,
        first_token: None,
        tokens: Some(1),
    };
    let preview = DatasetPreview {
        complete: true,
        rows: 1,
        examples: 1,
        skipped: 1,
        skipped_rows: vec![stepladder_protocol::SkippedRow {
            path: evil.clone(),
            line: 1,
            reason: evil.clone(),
            hint: evil.clone(),
        }],
        files: vec![stepladder_protocol::DatasetFile {
            path: format!("/data/{evil}.jsonl"),
            container: evil.clone(),
            reason: evil.clone(),
            found_columns: vec![evil.clone()],
            ended: Some(evil.clone()),
            ..Default::default()
        }],
        notices: vec![evil.clone()],
        shown: vec![ExamplePreview {
            row: 1,
            path: evil.clone(),
            line: 1,
            tokens: Some(3),
            segments: vec![segment(TokenUse::Context), segment(TokenUse::Trained)],
        }],
        ..DatasetPreview::default()
    };
    say(
        &mut harness,
        &job_about(&commands, "data"),
        Event::Preview(Box::new(preview)),
    );
    fail(&mut harness, &job_about(&commands, "model"), "io", &evil);
    fail(&mut harness, &job_about(&commands, "memory"), "io", &evil);
    harness.step();
    let (mut nodes, mut longest) = (vec![harness.root()], 0);
    while let Some(node) = nodes.pop() {
        let own = node.accesskit_node();
        for text in [own.label(), own.value()].into_iter().flatten() {
            let hostile = ['\u{202e}', '\u{1b}', '\0'];
            assert!(
                !text.contains(hostile),
                "{:?}",
                text.chars().take(80).collect::<String>()
            );
            longest = longest.max(text.len());
        }
        nodes.extend(node.children());
    }
    assert!(longest > 10_000, "the example itself is there");
}

#[test]
fn everything_lies_within_the_window() {
    for (width, height) in [(1024.0, 700.0), (1024.0, 4200.0), (1280.0, 860.0)] {
        for detail in [Detail::Simple, Detail::Advanced] {
            let settings = Settings {
                detail,
                ..Settings::default()
            };
            let mut harness = window_of(settings, egui::vec2(width, height));
            start(&mut harness);
            pick(
                &mut harness,
                Picker::DataFiles,
                &format!("/data/{}.jsonl", "long".repeat(100)),
            );
            let commands = quiet(&mut harness);
            play(
                &mut harness,
                recorded::BROKEN_ROWS,
                &job_about(&commands, "data"),
            );
            pick(
                &mut harness,
                Picker::ModelFolder,
                &format!("/m/{}", "wide".repeat(100)),
            );
            let commands = quiet(&mut harness);
            play(
                &mut harness,
                recorded::DOES_NOT_FIT,
                &job_about(&commands, "memory"),
            );
            let (mut nodes, mut seen) = (vec![harness.root()], 0);
            while let Some(node) = nodes.pop() {
                let role = node.accesskit_node().role();
                if matches!(
                    role,
                    Role::Button
                        | Role::ComboBox
                        | Role::TextInput
                        | Role::Switch
                        | Role::RadioButton
                ) {
                    let rect = node.rect();
                    let label = node.accesskit_node().label();
                    assert!(
                        rect.left() >= -0.5 && rect.right() <= width + 0.5,
                        "{label:?} {rect:?}"
                    );
                    seen += 1;
                }
                nodes.extend(node.children());
            }
            assert!(seen > 12, "{seen}");
        }
    }
}
