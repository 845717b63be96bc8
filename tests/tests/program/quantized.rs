//! Training and chatting on a GGUF file with nothing else on disk, and on a backbone in NF4.

use std::path::Path;

use candle_core::quantized::GgmlDType;
use serde_json::Value;
use stepladder_tests::builtin_gguf;

use super::program::{Home, of_kind};

fn gguf(home: &Home, name: &str, kind: GgmlDType) -> String {
    let path = home.path().join(name);
    builtin_gguf::write(&path, kind).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Trains for a few steps; answers the losses and the adapter's bytes.
fn train(home: &Home, name: &str, flags: &[&str]) -> (Vec<Value>, Vec<u8>) {
    let run = home.path().join(name);
    let run_flag = run.to_str().unwrap();
    let mut arguments = vec![
        "train",
        "--json",
        "--steps",
        "6",
        "--threads",
        "2",
        "--out",
        run_flag,
    ];
    arguments.extend(flags);
    let answer = home.run(&arguments);
    assert_eq!(answer.code(), Some(0), "{}", answer.stderr());
    let events = answer.events();
    assert_eq!(events.last().unwrap()["event"], "finished");
    let losses = of_kind(&events, "evaluation")
        .into_iter()
        .map(|event| event["loss"].clone())
        .collect();
    (
        losses,
        std::fs::read(run.join("adapter/adapter.safetensors")).unwrap(),
    )
}

fn chat(home: &Home, flags: &[&str]) -> (String, String) {
    let mut arguments = vec!["chat", "--prompt", "What is 3 + 4?", "--temperature", "0"];
    arguments.extend(flags);
    let answer = home.run(&arguments);
    assert_eq!(answer.code(), Some(0), "{}", answer.stderr());
    (answer.stdout(), answer.stderr())
}

#[test]
fn the_same_numbers_in_a_gguf_file_train_to_the_same_bytes() {
    let home = Home::new();
    let model = gguf(&home, "model.gguf", GgmlDType::BF16);
    let (losses, adapter) = train(&home, "folder", &[]);
    let (gguf_losses, gguf_adapter) = train(&home, "gguf", &["--model", &model]);
    assert_eq!(gguf_losses, losses);
    assert!(gguf_adapter == adapter, "the adapters differ");
    assert_eq!(chat(&home, &["--model", &model]).0, chat(&home, &[]).0);
}

#[test]
fn a_quantized_gguf_file_is_trained_on_and_chatted_with() {
    let home = Home::new();
    let model = gguf(&home, "model.Q8_0.gguf", GgmlDType::Q8_0);
    let (losses, _) = train(&home, "folder", &[]);
    let (gguf_losses, _) = train(&home, "gguf", &["--model", &model, "--method", "ladder"]);
    for (gguf, folder) in gguf_losses.iter().zip(&losses) {
        let (gguf, folder) = (gguf.as_f64().unwrap(), folder.as_f64().unwrap());
        assert!(
            gguf != folder && (gguf / folder - 1.0).abs() < 0.05,
            "{gguf}, {folder}"
        );
    }
    let adapter = home.path().join("gguf");
    let adapter = adapter.to_str().unwrap();
    let (answer, warnings) = chat(&home, &["--model", &model, "--adapter", adapter]);
    assert!(answer.contains('7'), "{answer}");
    assert!(!warnings.contains("other types"), "{warnings}");
    // The folder's weights are the same, but for rounding.
    let (answer, warnings) = chat(&home, &["--model", "builtin", "--adapter", adapter]);
    assert!(answer.contains('7'), "{answer}");
    assert!(warnings.contains("other types"), "{warnings}");

    let inspected = home.run(&["inspect", &model, "--json"]);
    let info: Value = serde_json::from_str(&inspected.stdout()).unwrap();
    assert_eq!(info["file_format"], "gguf");
    assert_eq!(info["quantization"], "Q8_0");
    assert_eq!(info["types"][0]["name"], "Q8_0");
    assert_eq!(info["chat_template"], true);
}

#[test]
fn a_backbone_in_nf4_trains_and_its_adapter_is_used_beside_the_same() {
    let home = Home::new();
    let (losses, _) = train(&home, "as-stored", &["--quantize", "none"]);
    let (nf4_losses, adapter) = train(&home, "nf4", &["--quantize", "nf4"]);
    assert_ne!(nf4_losses, losses);
    let first = |losses: &[Value]| losses[0].as_f64().unwrap();
    assert!(
        first(&nf4_losses) < 2.0 * first(&losses),
        "{nf4_losses:?}, {losses:?}"
    );
    let run = home.path().join("nf4");
    let config = std::fs::read(run.join("adapter/adapter_config.json")).unwrap();
    let config: Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(config["quantization"], "nf4_double_quantized");
    let (_, warnings) = chat(&home, &["--adapter", run.to_str().unwrap()]);
    assert!(!warnings.contains("other types"), "{warnings}");
    assert!(!adapter.is_empty());
}

#[test]
fn a_head_in_nf4_trains_and_its_adapter_is_used_beside_the_same() {
    let home = Home::new();
    let description = |run: &str| {
        let path = home.path().join(run).join("adapter/adapter_config.json");
        serde_json::from_slice::<Value>(&std::fs::read(path).unwrap()).unwrap()
    };
    for (method, blocks) in [("ladder", "as_stored"), ("qlora", "nf4_double_quantized")] {
        let name = |kind: &str| format!("{method}-{kind}");
        let (stored, nf4) = (name("stored"), name("nf4"));
        let (losses, _) = train(&home, &stored, &["--method", method]);
        let flags = ["--method", method, "--quantize-head", "on"];
        let (nf4_losses, _) = train(&home, &nf4, &flags);
        assert_eq!(nf4_losses.len(), losses.len());
        for (nf4, stored) in nf4_losses.iter().zip(&losses) {
            let (nf4, stored) = (nf4.as_f64().unwrap(), stored.as_f64().unwrap());
            assert!(
                nf4 != stored && (nf4 / stored - 1.0).abs() < 0.1,
                "{method}: {nf4}, {stored}"
            );
        }
        assert_eq!(description(&stored)["head_quantization"], "as_stored");
        let description = description(&nf4);
        assert_eq!(description["head_quantization"], "nf4_double_quantized");
        assert_eq!(description["quantization"], blocks, "{method}");
    }
    let run = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    let (answer, warnings) = chat(&home, &["--adapter", &run("ladder-nf4")]);
    assert!(answer.contains('7'), "{answer}");
    assert!(!warnings.contains("other types"), "{warnings}");
}

#[test]
fn a_quantized_copy_serves_a_head_in_nf4_too() {
    let home = Home::new();
    let folder = home.path().join("copies");
    let copy = folder.to_str().unwrap();
    let head = ["--quantize-head", "on"];
    let nf4 = [&["--quantize", "nf4"][..], &head].concat();
    let kept = ["--quantized-copy", copy];
    let (_, plain) = train(&home, "plain", &nf4);
    let (_, first) = train(&home, "first", &[&nf4[..], &kept].concat());
    let (_, second) = train(&home, "second", &[&nf4[..], &kept].concat());
    assert!(first == plain && second == plain, "the adapters differ");
    // A head as stored takes the same copy.
    let (_, stored) = train(&home, "stored", &["--quantize", "nf4"]);
    let (_, from_copy) = train(
        &home,
        "stored-copy",
        &[&["--quantize", "nf4"][..], &kept].concat(),
    );
    assert!(stored == from_copy && stored != plain);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    // Beside blocks as stored there is nothing to keep.
    std::fs::remove_dir_all(&folder).unwrap();
    train(&home, "head-alone", &[&head[..], &kept].concat());
    assert!(!folder.exists());
}

#[test]
fn a_quantized_copy_is_kept_and_gives_the_same_bytes() {
    let home = Home::new();
    let folder = home.path().join("copies");
    let copy = folder.to_str().unwrap();
    let (_, plain) = train(&home, "plain", &["--quantize", "nf4"]);
    let flags = ["--quantize", "nf4", "--quantized-copy", copy];
    let (_, first) = train(&home, "first", &flags);
    assert!(first == plain, "the adapters differ");
    let entries: Vec<_> = std::fs::read_dir(&folder).unwrap().collect();
    assert_eq!(entries.len(), 1);
    let file = entries[0]
        .as_ref()
        .unwrap()
        .path()
        .join("model.safetensors");
    let made = std::fs::metadata(&file).unwrap().modified().unwrap();
    let (_, second) = train(&home, "second", &flags);
    assert!(second == plain, "the adapters differ");
    assert_eq!(std::fs::metadata(&file).unwrap().modified().unwrap(), made);
    // A damaged copy is made again.
    std::fs::write(&file, b"not a model").unwrap();
    let (_, third) = train(&home, "third", &flags);
    assert!(third == plain, "the adapters differ");
    assert!(std::fs::metadata(&file).unwrap().len() > 1_000_000);
}

#[test]
fn what_a_gguf_file_cannot_do_is_said_in_its_words() {
    let home = Home::new();
    let refusal = |path: &Path| {
        let answer = home.run(&["inspect", path.to_str().unwrap()]);
        assert_eq!(answer.code(), Some(1));
        answer.stderr()
    };
    let path = home.path().join("broken.gguf");
    std::fs::write(&path, b"GGUF\x03\0\0\0").unwrap();
    assert!(refusal(&path).contains("broken.gguf: the file ends inside"));
    std::fs::write(&path, b"PK\x03\x04").unwrap();
    assert!(refusal(&path).contains("broken.gguf: not a GGUF file"));
    assert!(refusal(&home.path().join("none.gguf")).contains("none.gguf"));
}
