//! The search over folders that look like those of other programs, harmless and hostile.

use std::fs::{create_dir_all, write};
use std::io::Cursor;
use std::path::Path;

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Device, Tensor};
use stepladder_protocol::FoundModel;

use super::*;

const CONFIG: &str = include_str!("../../../../assets/builtin-model/config.json");

fn found(places: &Places) -> ModelList {
    find(places, &|| ControlFlow::Continue(())).unwrap()
}

/// All but the built-in model.
fn others(list: &ModelList) -> &[FoundModel] {
    assert_eq!(list.models[0].source, ModelSource::Builtin);
    &list.models[1..]
}

fn names(list: &ModelList) -> Vec<&str> {
    { others(list).iter() }
        .map(|model| model.name.as_str())
        .collect()
}

fn file(path: &Path, content: impl AsRef<[u8]>) {
    create_dir_all(path.parent().unwrap()).unwrap();
    write(path, content).unwrap();
}

/// A GGUF file with the keys that a model needs, and its embedding.
fn gguf(path: &Path) {
    let sizes = [
        ("llama.block_count", 1),
        ("llama.embedding_length", 32),
        ("llama.feed_forward_length", 64),
        ("llama.attention.head_count", 1),
        ("llama.attention.head_count_kv", 1),
        ("llama.context_length", 128),
    ];
    let mut metadata: Vec<(&str, Value)> = { sizes.into_iter() }
        .map(|(key, size)| (key, Value::U32(size)))
        .collect();
    let epsilon = "llama.attention.layer_norm_rms_epsilon";
    metadata.push(("general.architecture", Value::String("llama".to_owned())));
    metadata.push((epsilon, Value::F32(1e-5)));
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(key, value)| (*key, value)).collect();
    let embedding = Tensor::zeros((16, 32), DType::F32, &Device::Cpu).unwrap();
    let embedding = QTensor::quantize(&embedding, GgmlDType::F32).unwrap();
    let mut bytes = Cursor::new(Vec::new());
    let tensors = [("token_embd.weight", &embedding)];
    gguf_file::write(&mut bytes, &metadata, &tensors).unwrap();
    file(path, bytes.into_inner());
}

/// A Hugging Face folder with weights of so many bytes.
fn hugging_face_folder(folder: &Path, bytes: usize) {
    file(&folder.join("config.json"), CONFIG);
    file(&folder.join("tokenizer.json"), "{}");
    file(&folder.join("model.safetensors"), vec![0; bytes]);
}

fn in_folder(folder: &Path) -> ModelList {
    found(&Places {
        folders: vec![folder.to_path_buf()],
        ..Places::default()
    })
}

#[test]
fn the_builtin_model_is_always_there() {
    let list = found(&Places::default());
    assert!(others(&list).is_empty() && list.notices.is_empty());
    assert_eq!(list.models[0].target, "builtin");
    assert_eq!(list.models[0].architecture.as_deref(), Some("qwen3"));
    assert!(list.models[0].bytes > 1 << 20);
}

#[test]
fn a_folder_is_searched_to_a_depth() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    hugging_face_folder(&root.join("one"), 100);
    gguf(&root.join("a/b/c/d/deep.gguf"));
    gguf(&root.join("a/b/c/d/e/deeper.gguf"));
    file(&root.join("notes.txt"), "no model");
    let list = in_folder(root);
    assert_eq!(names(&list), ["a/b/c/d/deep.gguf", "one"]);
    assert!(list.notices.is_empty(), "{list:?}");
    let [deep, one] = others(&list) else {
        panic!("{list:?}")
    };
    assert_eq!(
        (deep.file_format.as_str(), deep.source),
        ("GGUF", ModelSource::Folder)
    );
    assert_eq!(deep.problem, None);
    assert_eq!(deep.architecture.as_deref(), Some("llama"));
    assert_eq!((one.file_format.as_str(), one.bytes), ("safetensors", 100));
    assert_eq!(one.architecture.as_deref(), Some("qwen3"));
    assert_eq!(one.problem, None);
    assert_eq!(Path::new(&one.target), root.join("one"));
    // The folder may be the model, and a file may be named.
    assert_eq!(names(&in_folder(&root.join("one"))), ["one"]);
    assert_eq!(names(&in_folder(Path::new(&deep.target))), ["deep.gguf"]);
    // The same model is told once, by whoever is asked first.
    let list = found(&Places {
        own_folder: Some(root.to_path_buf()),
        folders: vec![root.join("one")],
        ..Places::default()
    });
    assert!(
        others(&list)
            .iter()
            .all(|model| model.source == ModelSource::Stepladder)
    );
    assert_eq!(others(&list).len(), 2);
}

#[test]
fn what_cannot_be_trained_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let config = |name: &str, content: &str| {
        hugging_face_folder(&root.join(name), 1);
        file(&root.join(name).join("config.json"), content);
    };
    config("a-bert", r#"{"model_type": "bert"}"#);
    config("b-damaged", "{");
    let gptq = CONFIG.replacen(
        '{',
        r#"{"quantization_config": {"quant_method": "gptq"},"#,
        1,
    );
    config("c-gptq", &gptq);
    hugging_face_folder(&root.join("d-half"), 1);
    std::fs::remove_file(root.join("d-half/model.safetensors")).unwrap();
    hugging_face_folder(&root.join("e-shards"), 1);
    let index = r#"{"weight_map": {"a": "a.safetensors", "b": "model.safetensors"}}"#;
    file(&root.join("e-shards/model.safetensors.index.json"), index);
    hugging_face_folder(&root.join("f-outside"), 1);
    let index = r#"{"weight_map": {"a": "../d-half/model.safetensors"}}"#;
    file(&root.join("f-outside/model.safetensors.index.json"), index);
    file(&root.join("g.gguf"), "not one");
    file(&root.join("h.gguf"), "");
    let list = in_folder(root);
    let problems: Vec<_> = { others(&list).iter() }
        .map(|model| model.problem.clone().unwrap_or_default())
        .collect();
    for (problem, expected) in problems.iter().zip([
        "model_type is \"bert\", which is not supported",
        "config.json is damaged",
        "quant_method is \"gptq\"",
        "model.safetensors is missing",
        "a.safetensors is missing",
        "expected a file name in this folder",
        "not a GGUF file",
        "",
    ]) {
        assert!(problem.contains(expected), "{problems:?}");
    }
    assert_eq!(problems.len(), 8);
    assert!(!problems[7].is_empty());
    assert_eq!(others(&list)[0].architecture.as_deref(), Some("bert"));
}

#[test]
fn parts_are_one_model_and_projectors_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for number in 1..=3 {
        file(
            &root.join(format!("big-0000{number}-of-00003.gguf")),
            [0; 10],
        );
    }
    gguf(&root.join("small-00001-of-2.gguf"));
    gguf(&root.join("MMPROJ-small.GGUF"));
    let list = in_folder(root);
    assert_eq!(
        names(&list),
        ["big-00001-of-00003.gguf", "small-00001-of-2.gguf"]
    );
    assert_eq!(others(&list)[0].bytes, 30);
    assert!(others(&list)[0].problem.is_some());
}

#[test]
fn a_folder_that_is_not_there_is_told_and_a_search_can_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let list = in_folder(&missing);
    assert_eq!(
        list.notices,
        [format!("there is no folder {}", missing.display())]
    );
    let places = Places {
        folders: vec![folder.path().to_path_buf()],
        ..Places::default()
    };
    let stopped = find(&places, &|| ControlFlow::Break(()));
    assert!(matches!(stopped, Err(crate::Error::Stopped)));
}

#[test]
fn lm_studio_keeps_models_by_publisher_or_where_its_settings_say() {
    let home = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    gguf(&home.path().join("models/publisher/repository/a.gguf"));
    gguf(
        &home
            .path()
            .join("models/publisher/repository/mmproj-a.gguf"),
    );
    gguf(&elsewhere.path().join("other/repository/b.gguf"));
    let settings = |text: String| file(&home.path().join("settings.json"), text);
    let places = Places {
        lm_studio: vec![home.path().to_path_buf()],
        ..Places::default()
    };
    settings(serde_json::json!({"downloadsFolder": elsewhere.path()}).to_string());
    let list = found(&places);
    assert_eq!(
        names(&list),
        ["other/repository/b.gguf", "publisher/repository/a.gguf"]
    );
    assert!(
        others(&list)
            .iter()
            .all(|model| model.source == ModelSource::LmStudio)
    );
    for useless in [
        "{",
        "[]",
        r#"{"downloadsFolder": "models"}"#,
        r#"{"downloadsFolder": 7}"#,
    ] {
        settings(useless.to_owned());
        assert_eq!(names(&found(&places)), ["publisher/repository/a.gguf"]);
    }
}

/// The blob of a hash, and the manifest that names it.
fn ollama(root: &Path, manifest: &str, digest: &str, media_type: &str) {
    let content = serde_json::json!({"layers": [
        {"mediaType": "application/vnd.ollama.image.license", "digest": "sha256:1", "size": 1},
        {"mediaType": media_type, "digest": digest, "size": 1},
    ]});
    file(&root.join("manifests").join(manifest), content.to_string());
}

#[test]
fn ollama_names_blobs_in_manifests() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let model = "application/vnd.ollama.image.model";
    let hash = "ab".repeat(32);
    let digest = format!("sha256:{hash}");
    let blob = root.join(format!("blobs/sha256-{hash}"));
    gguf(&blob);
    ollama(
        root,
        "registry.ollama.ai/library/llama3.2/3b",
        &digest,
        model,
    );
    ollama(
        root,
        "registry.ollama.ai/library/llama3.2/latest",
        &digest,
        model,
    );
    ollama(root, "registry.ollama.ai/me/mine/latest", &digest, model);
    ollama(root, "hf.co/org/name/Q4_K_M", &digest, model);
    ollama(
        root,
        "registry.ollama.ai/library/cloud/latest",
        &digest,
        "application/other",
    );
    // What else a manifest may say leads nowhere.
    let secret = root.join("secret");
    gguf(&secret);
    ollama(
        root,
        "registry.ollama.ai/library/evil/1",
        "sha256:../secret",
        model,
    );
    ollama(
        root,
        "registry.ollama.ai/library/evil/2",
        &format!("sha256:{}", "cd".repeat(32)),
        model,
    );
    file(
        &root.join("manifests/registry.ollama.ai/library/evil/3"),
        "{\"layers\": 1}",
    );
    file(
        &root.join("manifests/registry.ollama.ai/library/evil/4"),
        vec![b' '; (1 << 20) + 1],
    );
    let list = found(&Places {
        ollama: vec![root.to_path_buf()],
        ..Places::default()
    });
    assert_eq!(
        names(&list),
        [
            "hf.co/org/name:Q4_K_M",
            "llama3.2:3b",
            "llama3.2:latest",
            "me/mine:latest"
        ]
    );
    assert!(others(&list).iter().all(|found| {
        Path::new(&found.target).file_name() == blob.file_name() && found.problem.is_none()
    }));
    assert_eq!(list.notices.len(), 4, "{:?}", list.notices);
    assert!(
        list.notices[1].contains("not downloaded whole"),
        "{:?}",
        list.notices
    );
}

#[cfg(unix)]
mod links {
    use super::*;
    use std::os::unix::fs::symlink;

    fn link(target: &Path, at: &Path) {
        create_dir_all(at.parent().unwrap()).unwrap();
        symlink(target, at).unwrap();
    }

    /// A repository as huggingface_hub lays it out.
    fn repository(cache: &Path, name: &str, revision: &str, bytes: usize) {
        let repository = cache.join(name);
        let files = [
            ("config.json", CONFIG.as_bytes().to_vec()),
            ("tokenizer.json", b"{}".to_vec()),
            ("model.safetensors", vec![0; bytes]),
        ];
        for (name, content) in files {
            let blob = format!("{revision}-{}", content.len());
            file(&repository.join("blobs").join(&blob), content);
            let at = repository.join("snapshots").join(revision).join(name);
            link(&Path::new("../../blobs").join(&blob), &at);
        }
    }

    #[test]
    fn the_cache_of_hugging_face_is_read_through_its_links() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path();
        repository(cache, "models--Qwen--Qwen3-0.6B", "old", 100);
        repository(cache, "models--Qwen--Qwen3-0.6B", "new", 200);
        file(&cache.join("models--Qwen--Qwen3-0.6B/refs/main"), "old\n");
        repository(cache, "models--gpt", "only", 300);
        repository(cache, "datasets--Qwen--data", "only", 400);
        let gguf_blob = cache.join("models--org--gguf/blobs/one");
        gguf(&gguf_blob);
        let snapshot = cache.join("models--org--gguf/snapshots/r");
        link(&gguf_blob, &snapshot.join("Q4/model-Q4.gguf"));
        let list = found(&Places {
            hugging_face: Some(cache.to_path_buf()),
            ..Places::default()
        });
        assert_eq!(
            names(&list),
            ["Qwen/Qwen3-0.6B", "gpt", "org/gguf/Q4/model-Q4.gguf"]
        );
        let sizes: Vec<u64> = others(&list).iter().map(|model| model.bytes).collect();
        assert_eq!(sizes[..2], [100, 300]);
        assert!(
            others(&list).iter().all(|model| model.problem.is_none()),
            "{list:?}"
        );
        assert!(others(&list)[0].target.ends_with("snapshots/old"));
    }

    #[test]
    fn no_link_leads_out_of_a_folder() {
        let outside = tempfile::tempdir().unwrap();
        hugging_face_folder(&outside.path().join("model"), 10);
        gguf(&outside.path().join("one.gguf"));
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path();
        // Each file of a snapshot, a snapshot, a reference, and a whole repository.
        let snapshot = cache.join("models--a--files/snapshots/r");
        for name in ["config.json", "tokenizer.json", "model.safetensors"] {
            link(
                &outside.path().join("model").join(name),
                &snapshot.join(name),
            );
        }
        link(&outside.path().join("one.gguf"), &snapshot.join("one.gguf"));
        link(
            &outside.path().join("model"),
            &cache.join("models--b--snapshot/snapshots/r"),
        );
        repository(cache, "models--c--reference", "r", 1);
        let main = cache.join("models--c--reference/refs/main");
        file(&main, format!("../../../../{}", outside.path().display()));
        link(outside.path(), &cache.join("models--d--repository"));
        link(cache, &cache.join("models--e--loop/snapshots/r/loop"));
        let places = Places {
            hugging_face: Some(cache.to_path_buf()),
            folders: vec![cache.to_path_buf()],
            ..Places::default()
        };
        let list = found(&places);
        let inside = cache.canonicalize().unwrap();
        for model in others(&list) {
            let target = Path::new(&model.target).canonicalize().unwrap();
            assert!(target.starts_with(&inside), "{model:?}");
            assert!(model.target.contains("models--c--reference"), "{model:?}");
        }
        assert_eq!(others(&list).len(), 1, "{list:?}");
    }

    #[test]
    fn names_are_kept_as_they_are_or_left_out() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;

        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let hostile = "a\u{1b}[2J\n\u{202e}b.gguf";
        gguf(&root.join(hostile));
        gguf(&root.join(OsStr::from_bytes(b"\xff.gguf")));
        let pipe = root.join("pipe.gguf");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let list = in_folder(root);
        assert_eq!(names(&list), [hostile]);
        assert_eq!(list.notices.len(), 1);
        assert!(list.notices[0].ends_with("has a name that is not UTF-8"));
    }

    #[test]
    fn a_folder_that_cannot_be_read_is_a_notice() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let locked = folder.path().join("locked");
        gguf(&locked.join("a.gguf"));
        let mode = |bits| {
            let permissions = std::fs::Permissions::from_mode(bits);
            std::fs::set_permissions(&locked, permissions).unwrap();
        };
        mode(0);
        // The system's administrator may read everything.
        let is_readable = std::fs::read_dir(&locked).is_ok();
        let list = in_folder(folder.path());
        mode(0o755);
        match is_readable {
            true => assert_eq!(names(&list), ["locked/a.gguf"]),
            false => assert!(
                list.notices[0].contains("locked cannot be read"),
                "{list:?}"
            ),
        }
    }
}
