//! The models on this machine: found where other programs keep them, listed, and used from there.

use std::path::Path;
use std::process::Command;

use candle_core::quantized::GgmlDType;
use serde_json::{Value, json};
use stepladder_tests::{builtin_gguf, root};

use super::program::{Answer, Home};

/// The program for a user whose home is `home`.
fn command(home: &Home, arguments: &[&str]) -> Command {
    let mut command = home.command(arguments);
    command
        .env("HOME", home.path())
        .env("USERPROFILE", home.path())
        .env("HF_HOME", home.path().join("hf"))
        .env_remove("HF_HUB_CACHE")
        .env_remove("HUGGINGFACE_HUB_CACHE")
        .env("OLLAMA_MODELS", home.path().join("ollama"));
    command
}

fn run(home: &Home, arguments: &[&str]) -> Answer {
    Answer(command(home, arguments).output().unwrap())
}

fn write(path: &Path, content: impl AsRef<[u8]>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// The built-in model as Ollama would have it.
fn ollama(models: &Path) {
    let hash = "0123456789abcdef".repeat(4);
    let blob = models.join(format!("blobs/sha256-{hash}"));
    std::fs::create_dir_all(blob.parent().unwrap()).unwrap();
    builtin_gguf::write(&blob, GgmlDType::Q8_0).unwrap();
    let manifest = json!({"layers": [{
        "mediaType": "application/vnd.ollama.image.model",
        "digest": format!("sha256:{hash}"),
    }]});
    let place = "manifests/registry.ollama.ai/library/tiny/latest";
    write(&models.join(place), manifest.to_string());
}

/// The built-in model as a Hugging Face folder.
fn hugging_face_folder(folder: &Path) {
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let content = std::fs::read(root().join("assets/builtin-model").join(name)).unwrap();
        write(&folder.join(name), content);
    }
}

#[test]
fn models_of_other_programs_are_listed_and_used_where_they_lie() {
    let home = Home::new();
    ollama(&home.path().join("ollama"));
    let snapshot = "hf/hub/models--org--tiny/snapshots/r";
    hugging_face_folder(&home.path().join(snapshot));
    hugging_face_folder(&home.path().join("models/own"));
    let named = home.path().join("named\u{1b}[31m");
    hugging_face_folder(&named.join("mine"));
    write(
        &home.path().join(".lmstudio/models/p/r/broken.gguf"),
        "GGUF",
    );
    let named = named.to_str().unwrap();

    let answer = run(&home, &["models", "--json", named]);
    assert_eq!(answer.code(), Some(0), "{}", answer.stderr());
    let events = answer.events();
    let [list] = &events[..] else {
        panic!("{events:?}")
    };
    // Ollama's folder of the whole system is not this user's.
    let models: Vec<&Value> = { list["models"].as_array().unwrap().iter() }
        .filter(|model| {
            let target = model["target"].as_str().unwrap();
            target == "builtin" || target.contains(home.path().to_str().unwrap())
        })
        .collect();
    let told: Vec<_> = { models.iter() }
        .map(|model| {
            (
                model["name"].as_str().unwrap(),
                model["source"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("builtin", "builtin"),
            ("own", "stepladder"),
            ("mine", "folder"),
            ("org/tiny", "hugging_face"),
            ("p/r/broken.gguf", "lm_studio"),
            ("tiny:latest", "ollama"),
        ]
    );
    for model in &models {
        let is_broken = model["source"] == "lm_studio";
        assert_eq!(model["problem"].is_string(), is_broken, "{model}");
    }

    let table = run(&home, &["models", named]).stdout();
    assert!(
        table.contains("tiny:latest") && table.contains("Ollama"),
        "{table}"
    );
    assert!(!table.contains('\u{1b}'), "{table:?}");

    // A file without an ending is a model all the same.
    let blob = models[5]["target"].as_str().unwrap();
    let inspected = run(&home, &["inspect", "--json", blob]);
    assert_eq!(inspected.code(), Some(0), "{}", inspected.stderr());
    let estimated = run(&home, &["estimate", "--json", "--model", blob]);
    assert_eq!(estimated.code(), Some(0), "{}", estimated.stderr());
    let out = home.path().join("run");
    let out = out.to_str().unwrap();
    let small = ["--steps", "2", "--context", "64", "--batch-size", "1"];
    let mut arguments = vec!["train", "--json", "--model", blob, "--out", out];
    arguments.extend(small);
    let trained = run(&home, &arguments);
    assert_eq!(trained.code(), Some(0), "{}", trained.stderr());
    assert_eq!(trained.events().last().unwrap()["event"], "finished");
}

#[test]
fn a_folder_that_is_not_there_is_a_note() {
    let home = Home::new();
    let missing = home.path().join("missing");
    let answer = run(&home, &["models", missing.to_str().unwrap()]);
    assert_eq!(answer.code(), Some(0), "{}", answer.stderr());
    assert!(
        answer.stdout().contains("note: there is no folder"),
        "{}",
        answer.stdout()
    );
}
