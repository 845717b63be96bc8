//! The configs in `assets/configs`: complete, accepted, and what README.md says they are.

use std::collections::BTreeSet;

use serde_json::Value;
use stepladder_engine::adapters::ladder::Wiring;
use stepladder_engine::adapters::network::{AdapterShape, Network};
use stepladder_engine::models::model::ModelFiles;
use stepladder_engine::training::plan::{ModelPlan, RunPlan};
use stepladder_protocol::{Downsample, Inject, Method, RunConfig};
use stepladder_tests::root;

use super::program::{Home, of_kind};

/// Every file of the folder: its name, its text, and what it asks for.
fn shipped() -> Vec<(String, String, RunConfig)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(root().join("assets/configs")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(name.ends_with(".json"), "{name} is no config");
        let text = std::fs::read_to_string(&path).unwrap();
        let config = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        files.push((name, text, config));
    }
    files
}

fn named(name: &str) -> RunConfig {
    let mut files = shipped().into_iter();
    let (_, _, config) = files.find(|(file, ..)| file == name).unwrap();
    config
}

fn plan(config: &RunConfig) -> ModelPlan {
    let model = ModelFiles::open(&config.model).unwrap();
    ModelPlan::resolve(config, &model.config).unwrap()
}

fn wiring(config: &RunConfig) -> Wiring {
    match plan(config).shape {
        AdapterShape::Wiring(wiring) => wiring,
        AdapterShape::Lora(shape) => panic!("{shape:?} is no side network"),
    }
}

fn parameters(config: &RunConfig) -> usize {
    let network = Network::initialize(plan(config).shape, config.seed).unwrap();
    network.parameters().count()
}

/// The fields that a config names.
fn fields(config: &Value) -> BTreeSet<String> {
    config.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn every_shipped_config_names_every_field_and_is_a_plan() {
    let all = fields(&serde_json::to_value(RunConfig::default()).unwrap());
    let files = shipped();
    assert!(files.len() >= 5, "only {} configs", files.len());
    for (name, text, config) in files {
        assert_eq!(fields(&serde_json::from_str(&text).unwrap()), all, "{name}");
        RunPlan::resolve(&config, &plan(&config), &[20; 573])
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn shipped_configs_are_what_the_readme_says() {
    let default = RunConfig::default();
    assert_eq!(named("ladder.json"), default);
    let xladder = RunConfig {
        method: Method::Xladder,
        ..default.clone()
    };
    assert_eq!(named("xladder.json"), xladder);

    let side_tuning = wiring(&named("ladder-lst.json"));
    let layers = ModelFiles::open("builtin").unwrap().config.layers;
    assert_eq!(side_tuning.taps, (1..=layers).collect::<Vec<_>>());
    assert_eq!(
        (side_tuning.inject, side_tuning.free_layers),
        (Inject::Gate, 0)
    );

    let (ladder, xladder) = (named("ladder-shared.json"), named("xladder-shared.json"));
    assert_eq!(
        (ladder.method, xladder.method),
        (Method::Ladder, Method::Xladder)
    );
    let side = wiring(&ladder);
    assert_eq!(side.downsample, Downsample::Shared);
    assert_eq!(side.side_layers(), wiring(&xladder).side_layers());
    assert_eq!(parameters(&ladder), parameters(&xladder));
    // What makes them equal is the one downsample: with one per tap they are not.
    assert_ne!(parameters(&default), parameters(&named("xladder.json")));
    let method = xladder.method;
    assert_eq!(RunConfig { method, ..ladder }, xladder);
}

#[test]
fn every_shipped_config_trains() {
    let home = Home::new();
    for (name, _, config) in shipped() {
        let file = root().join("assets/configs").join(&name);
        let run = home.path().join(&name);
        let (file, folder) = (file.to_str().unwrap(), run.to_str().unwrap());
        let answer = home.run(&[
            "train", "--json", "--config", file, "--out", folder, "--steps", "1",
        ]);
        assert_eq!(answer.code(), Some(0), "{name}: {}", answer.stderr());
        let events = answer.events();
        let started = of_kind(&events, "started")[0];
        assert_eq!(
            started["trainable_parameters"].as_u64(),
            Some(parameters(&config) as u64),
            "{name}"
        );
        let kept = std::fs::read(run.join("run.json")).unwrap();
        let mut kept: RunConfig = serde_json::from_slice(&kept).unwrap();
        assert_eq!(std::mem::take(&mut kept.data_fingerprints).len(), 1);
        let steps = Some(1);
        assert_eq!(kept, RunConfig { steps, ..config }, "{name}");
    }
}
