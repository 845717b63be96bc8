//! Adapters for another base, and damaged ones.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use stepladder_engine::adapters::adapter_folder::{self, AdapterConfig};
use stepladder_engine::adapters::ladder::wiring::{BackboneShape, WiringRequest};
use stepladder_engine::adapters::ladder::{SideNetwork, Wiring};
use stepladder_engine::adapters::network::AdapterShape;
use stepladder_engine::models::fingerprint::Likeness;
use stepladder_engine::models::model::ModelFiles;
use stepladder_engine::models::quantization::BackboneQuantization;
use stepladder_protocol::TapDtype;

use super::models::model_folder;

fn files(folder: &Path) -> ModelFiles {
    ModelFiles::open(folder.to_str().unwrap()).unwrap()
}

/// Rewrites the weights of a model folder.
fn change_weights(folder: &Path, change: impl Fn(&str, &Tensor) -> Tensor) {
    let path = folder.join("model.safetensors");
    let tensors: HashMap<String, Tensor> =
        candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    let changed: HashMap<String, Tensor> = tensors
        .iter()
        .map(|(name, tensor)| (name.clone(), change(name, tensor)))
        .collect();
    candle_core::safetensors::save(&changed, &path).unwrap();
}

fn save_adapter(files: &ModelFiles, folder: &Path) {
    let shape = BackboneShape {
        d_model: files.config.d_model,
        layers: files.config.layers,
        norm_eps: files.config.norm_eps,
    };
    let wiring = Wiring::resolve(&WiringRequest::default(), shape).unwrap();
    let network = SideNetwork::initialize(wiring.clone(), 3).unwrap();
    let config = AdapterConfig::new(
        "base".to_owned(),
        files.fingerprint(),
        AdapterShape::Wiring(wiring),
        TapDtype::F32,
        BackboneQuantization::AS_STORED,
    );
    adapter_folder::save(folder, &config, network.parameters()).unwrap();
}

#[test]
fn an_adapter_opens_on_its_own_base_alone() {
    let base = model_folder();
    let adapter = base.path().join("run/adapter");
    save_adapter(&files(base.path()), &adapter);
    let load = |model: &Path| {
        let files = files(model);
        adapter_folder::load(
            &base.path().join("run"),
            &files.fingerprint(),
            &files.config,
        )
        .map(|adapter| adapter.warning)
    };
    assert_eq!(load(base.path()).unwrap(), None);

    let wider = model_folder();
    let config = fs::read_to_string(wider.path().join("config.json")).unwrap();
    fs::write(
        wider.path().join("config.json"),
        config.replace("\"rope_theta\": 10000.0", "\"rope_theta\": 20000.0"),
    )
    .unwrap();
    let error = load(wider.path()).unwrap_err();
    assert_eq!(error.code(), "adapter_for_another_base");
    assert!(error.to_string().contains("theta: 10000.0"), "{error}");

    let tuned = model_folder();
    change_weights(tuned.path(), |name, tensor| {
        if name == "model.layers.3.mlp.up_proj.weight" {
            (tensor * 1.5).unwrap()
        } else {
            tensor.clone()
        }
    });
    let error = load(tuned.path()).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("same architecture, other weights"),
        "{error}"
    );
    assert!(error.hint().contains("--model"));

    // The same weights in another type: another quantization, which is a warning.
    let widened = model_folder();
    change_weights(widened.path(), |_, tensor| {
        tensor.to_dtype(DType::F32).unwrap()
    });
    let warning = load(widened.path()).unwrap().unwrap();
    assert!(warning.contains("stored in other types"), "{warning}");

    // Other weights in another type are still other weights.
    let random = model_folder();
    change_weights(random.path(), |_, tensor| {
        Tensor::randn(0f32, 0.02, tensor.shape(), &Device::Cpu).unwrap()
    });
    assert_eq!(
        load(random.path()).unwrap_err().code(),
        "adapter_for_another_base"
    );
}

#[test]
fn coarse_rounding_is_still_the_same_model() {
    let base = model_folder();
    let before = files(base.path()).fingerprint();
    change_weights(base.path(), |_, tensor| {
        // four bits: fifteen levels up to the largest entry
        let tensor = tensor.to_dtype(DType::F32).unwrap();
        let largest = tensor.abs().unwrap().flatten_all().unwrap().max(0).unwrap();
        let step = f64::from(largest.to_scalar::<f32>().unwrap()) / 7.0;
        ((tensor / step).unwrap().round().unwrap() * step).unwrap()
    });
    assert_eq!(
        before.compare(&files(base.path()).fingerprint()),
        Likeness::OtherTypes
    );
}

#[test]
fn damaged_adapters_name_their_file() {
    let base = model_folder();
    let adapter = base.path().join("adapter");
    let load = || {
        let files = files(base.path());
        let error = adapter_folder::load(&adapter, &files.fingerprint(), &files.config)
            .err()
            .unwrap();
        assert_eq!(error.code(), "adapter_invalid");
        error
            .to_string()
            .replace(&format!("{}/", adapter.display()), "")
    };
    assert!(load().ends_with("no adapter_config.json in here"));
    save_adapter(&files(base.path()), &adapter);
    let config_path = adapter.join("adapter_config.json");
    let config = fs::read_to_string(&config_path).unwrap();
    for (from, to, message) in [
        ("\"version\": 1", "\"version\": 9", "version 9"),
        ("\"d_side\": 64", "\"d_side\": 0", "wiring.d_side is 0"),
        (
            "\"heads\": 1",
            "\"heads\": 3",
            "wiring.heads is 3 for d_side 64",
        ),
        ("\"d_ff\": 192", "\"d_ff\": 96", "the wiring promises"),
        ("\"taps\"", "\"tips\"", "missing field `taps`"),
        ("\"free_layers\": 0", "\"free_layers\": 1", "is missing"),
    ] {
        assert!(config.contains(from), "{from}");
        fs::write(&config_path, config.replacen(from, to, 1)).unwrap();
        let found = load();
        assert!(found.contains(message), "{found}");
    }
    fs::write(&config_path, &config).unwrap();
    let tensors = adapter.join("adapter.safetensors");
    let bytes = fs::read(&tensors).unwrap();
    fs::write(&tensors, &bytes[..bytes.len() / 2]).unwrap();
    assert!(load().starts_with("adapter.safetensors: not a complete safetensors file"));
}
