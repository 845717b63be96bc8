//! The page in both themes and at several sizes: nothing lies outside the window, and every state can
//! be drawn. With `STEPLADDER_LOOKS=FOLDER` the pictures are kept.

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use stepladder::state::settings::{Detail, Settings, ThemeChoice};

use super::recorded::{self, job_about, play, quiet, start};
use crate::support::{TestWindow, hear, window_of};
use stepladder::state::{News, Picker};
use stepladder_protocol::{Event, Finished, FoundModel, JobId, ModelList, ModelSource};

/// Names the folder that pictures are kept in.
pub const KEPT_IN: &str = "STEPLADDER_LOOKS";
const SIZES: [(f32, f32); 2] = [(1280.0, 860.0), (1024.0, 700.0)];

fn open(
    theme: ThemeChoice,
    detail: Detail,
    (width, height): (f32, f32),
) -> Harness<'static, TestWindow> {
    let settings = Settings {
        theme,
        detail,
        ..Settings::default()
    };
    window_of(settings, egui::vec2(width, height))
}

/// Draws a picture, and keeps it where that is wanted.
pub fn keep(harness: &mut Harness<'static, TestWindow>, name: &str) {
    harness.step();
    let image = harness.render().expect("a picture");
    let first = image.pixels().next().copied();
    assert!(
        image.pixels().any(|pixel| Some(*pixel) != first),
        "{name} is empty"
    );
    if let Some(folder) = std::env::var_os(KEPT_IN) {
        let path = std::path::Path::new(&folder).join(format!("{name}.png"));
        image.save(path).expect("a picture is kept");
    }
}

#[test]
fn every_state_can_be_drawn() {
    for (theme, mark) in [(ThemeChoice::Light, "light"), (ThemeChoice::Dark, "dark")] {
        for size in SIZES {
            // A picture takes a second without a GPU: the other two are for whoever looks at them.
            let is_usual = (theme == ThemeChoice::Light) == (size == SIZES[0]);
            if !is_usual && std::env::var_os(KEPT_IN).is_none() {
                continue;
            }
            let name = |state: &str| format!("{state}-{mark}-{}", size.0);
            let mut harness = open(theme, Detail::Simple, size);
            harness.step();
            keep(&mut harness, &name("looking"));
            start(&mut harness);
            keep(&mut harness, &name("ready"));

            let data = vec!["/data/support.jsonl".into()];
            hear(&mut harness, News::Picked(Picker::DataFiles, data));
            let asked = quiet(&mut harness);
            play(
                &mut harness,
                recorded::BROKEN_ROWS,
                &job_about(&asked, "data"),
            );
            keep(&mut harness, &name("broken-rows"));

            let mut harness = open(theme, Detail::Simple, size);
            start(&mut harness);
            let found = |name: &str, source, problem: Option<&str>| FoundModel {
                name: name.to_owned(),
                target: format!("/models/{name}"),
                source,
                file_format: "safetensors".to_owned(),
                bytes: 3 << 30,
                architecture: None,
                problem: problem.map(str::to_owned),
            };
            let reason = "Q2_K weights are not supported";
            let models = ModelList {
                models: vec![
                    found("builtin", ModelSource::Builtin, None),
                    found("Qwen/Qwen3-0.6B", ModelSource::HuggingFace, None),
                    found(
                        "HuggingFaceTB/SmolLM2-1.7B-Instruct",
                        ModelSource::HuggingFace,
                        None,
                    ),
                    found("lmstudio/gemma-3-4b-it-q4", ModelSource::LmStudio, None),
                    found(
                        "lmstudio/a-very-long-name-of-a-model-that-goes-on-and-on-and-on-q2",
                        ModelSource::LmStudio,
                        Some(reason),
                    ),
                    found("llama3.2:3b", ModelSource::Ollama, None),
                    found("phi4-mini:latest", ModelSource::Ollama, None),
                ],
                notices: Vec::new(),
            };
            let job = JobId::new("models/1");
            recorded::say(
                &mut harness,
                &job,
                Event::Finished(Finished::Models(models)),
            );
            harness.get_by_label("Choose a model").click();
            harness.step();
            harness.step();
            keep(&mut harness, &name("models"));

            let mut harness = open(theme, Detail::Advanced, (size.0, size.1 * 3.8));
            start(&mut harness);
            let model = vec!["/models/qwen2.5-7b".into()];
            hear(&mut harness, News::Picked(Picker::ModelFolder, model));
            let asked = quiet(&mut harness);
            play(
                &mut harness,
                recorded::DOES_NOT_FIT,
                &job_about(&asked, "memory"),
            );
            recorded::fail(
                &mut harness,
                &job_about(&asked, "data"),
                "io",
                "cannot read /data",
            );
            keep(&mut harness, &name("advanced"));

            let mut harness = open(theme, Detail::Simple, (size.0, size.1 * 1.9));
            start(&mut harness);
            let model = vec!["/models/qwen2.5-7b".into()];
            hear(&mut harness, News::Picked(Picker::ModelFolder, model));
            let asked = quiet(&mut harness);
            play(
                &mut harness,
                recorded::DOES_NOT_FIT,
                &job_about(&asked, "memory"),
            );
            harness.get_by_label("Method: LoRA").click();
            harness.step();
            keep(&mut harness, &name("does-not-fit"));

            let mut harness = open(theme, Detail::Simple, (size.0, size.1 * 1.7));
            start(&mut harness);
            let data = vec!["/data/strange.csv".into()];
            hear(&mut harness, News::Picked(Picker::DataFiles, data));
            let asked = quiet(&mut harness);
            play(
                &mut harness,
                recorded::UNKNOWN_FORMAT,
                &job_about(&asked, "data"),
            );
            keep(&mut harness, &name("unknown-format"));
        }
    }
}
