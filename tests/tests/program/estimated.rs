//! What `stepladder estimate` answers, from outside: it is the engine's report, its numbers add up,
//! and wrong questions are told apart.

use candle_core::quantized::GgmlDType;
use serde_json::Value;
use stepladder_engine::memory::DeviceClass;
use stepladder_engine::training::estimate::{EstimatedModel, ReportRequest, report};
use stepladder_protocol::{MemoryReport, Method, RunConfig};
use stepladder_tests::{builtin_gguf, root};

use super::program::Home;

fn estimate(home: &Home, flags: &[&str]) -> Value {
    let mut arguments = vec!["estimate", "--json"];
    arguments.extend(flags);
    let answer = home.run(&arguments);
    assert_eq!(answer.code(), Some(0), "{}", answer.stderr());
    let lines = answer.events();
    assert_eq!(lines.len(), 1);
    lines.into_iter().next().unwrap()
}

#[test]
fn the_answer_is_the_engines_report_and_adds_up() {
    let home = Home::new();
    for (name, memory, gib) in [
        ("qwen2.5-7b", "12GiB", 12),
        ("meta-llama/Llama-3.1-8B", "8 GiB", 8),
        ("gemma-3-4b", "6gib", 6),
        ("phi-3.5-mini", "24GiB", 24),
        ("smollm2-135m", "4GiB", 4),
    ] {
        let answer = estimate(
            &home,
            &["--model", name, "--memory", memory, "--other-programs", "0"],
        );
        let model = EstimatedModel::open(name).unwrap();
        let expected = report(
            &model,
            ReportRequest {
                config: &RunConfig::default(),
                methods: &[Method::Ladder, Method::Xladder, Method::Qlora, Method::Lora],
                device: DeviceClass::cuda(),
                memory_bytes: Some(gib << 30),
                other_programs_bytes: 0,
                operations_per_second: None,
            },
        );
        let found: MemoryReport = serde_json::from_value(answer.clone()).unwrap();
        assert_eq!(found, expected.unwrap());

        let methods = answer["methods"].as_array().unwrap();
        assert_eq!(methods.len(), 4);
        for method in methods {
            let sum = |object: &Value| -> u64 {
                let values = object.as_object().unwrap().values();
                values.map(|bytes| bytes.as_u64().unwrap()).sum()
            };
            let total = method["total_bytes"].as_u64().unwrap();
            assert_eq!(method["parts"].as_object().unwrap().len(), 7);
            assert_eq!(sum(&method["parts"]), total);
            assert_eq!(sum(&method["breakdown"]), total);
            assert_eq!(method["fits"], total <= gib << 30);
        }
    }
}

#[test]
fn flags_and_files_of_a_run_change_what_it_takes() {
    let home = Home::new();
    let card = ["--model", "qwen2.5-7b", "--memory", "12GiB"];
    let of = |flags: &[&str]| {
        let flags = [&card, flags].concat();
        let answer = estimate(&home, &flags);
        let methods = answer["methods"].as_array().unwrap();
        assert_eq!(methods.len(), 1, "{answer}");
        assert_eq!(answer["other_programs_bytes"], 429_496_729);
        (
            methods[0]["method"].clone(),
            methods[0]["total_bytes"].as_u64().unwrap(),
        )
    };
    let (_, ladder) = of(&["--method", "ladder"]);
    for (flags, is_less) in [
        ("--batch-size 1", true),
        ("--context 512", true),
        ("--context 8192", false),
        ("--recompute on", true),
        ("--recompute-taps on", true),
        ("--offload-embeddings on", true),
        ("--offload-activations on", true),
        ("--quantize-head on", true),
        ("--optimizer adamw-8bit", true),
        ("--quantize none", false),
        ("--d-side 256", true),
        ("--reduction-factor 2", false),
        ("--taps 27,28", true),
        ("--downsample shared", true),
        ("--downsample adapter", true),
        ("--inject gate", false),
    ] {
        let mut flags: Vec<&str> = flags.split(' ').collect();
        flags.extend(["--method", "ladder"]);
        let (_, total) = of(&flags);
        assert!(
            total != ladder && (total < ladder) == is_less,
            "{flags:?}: {total}, {ladder}"
        );
    }
    let (_, lora) = of(&["--method", "qlora"]);
    let (_, narrow) = of(&["--method", "qlora", "--rank", "4"]);
    let (_, few) = of(&["--method", "qlora", "--target-modules", "q_proj"]);
    assert!(few < narrow && narrow < lora, "{few}, {narrow}, {lora}");

    let file = home.path().join("run.json");
    std::fs::write(&file, r#"{"method": "qlora", "rank": 4}"#).unwrap();
    let from_file = of(&["--config", file.to_str().unwrap()]);
    assert_eq!(from_file, (Value::from("qlora"), narrow));
}

#[test]
fn every_way_to_name_a_model_gives_the_same() {
    let home = Home::new();
    let weights = |model: &str| {
        let answer = estimate(
            &home,
            &["--model", model, "--method", "ladder", "--device", "cpu"],
        );
        assert_eq!(answer["device"], "cpu");
        assert!(answer["memory_bytes"].as_u64().unwrap() > 0);
        let ladder = &answer["methods"][0];
        (
            ladder["parts"]["weights"].as_u64().unwrap(),
            ladder["total_bytes"].clone(),
        )
    };
    let builtin = weights("builtin");
    let folder = root().join("assets/builtin-model");
    assert_eq!(weights(folder.to_str().unwrap()), builtin);

    // Nothing but the configuration.
    let bare = home.path().join("bare");
    std::fs::create_dir(&bare).unwrap();
    let mut config: Value =
        serde_json::from_slice(&std::fs::read(folder.join("config.json")).unwrap()).unwrap();
    config["torch_dtype"] = "bfloat16".into();
    std::fs::write(bare.join("config.json"), config.to_string()).unwrap();
    assert_eq!(weights(bare.to_str().unwrap()), builtin);

    let gguf = home.path().join("model.gguf");
    let gguf = gguf.to_str().unwrap();
    builtin_gguf::write(gguf.as_ref(), GgmlDType::BF16).unwrap();
    assert_eq!(weights(gguf), builtin);
    // Vectors are in F32 there, as they are kept, so the weights take what the file's tensors do.
    builtin_gguf::write(gguf.as_ref(), GgmlDType::Q8_0).unwrap();
    let inspected = home.run(&["inspect", gguf, "--json"]).events().remove(0);
    assert_eq!(weights(gguf).0, inspected["weight_bytes"].as_u64().unwrap());
}

#[test]
fn wrong_questions_are_answered_with_a_hint() {
    let home = Home::new();
    for (flags, code, error, hint) in [
        (
            "--model qwen2.5-7x",
            1,
            "the catalogue has no model \"qwen2.5-7x\"",
            "did you mean qwen2.5-7b",
        ),
        (
            "--model /no/such",
            1,
            "there is no model /no/such",
            "give --model",
        ),
        ("--memory 12g", 2, "say GiB", "--help"),
        ("--memory lots", 2, "say GiB", "--help"),
        (
            "--memory 1GiB --other-programs 2GiB",
            2,
            "leaves nothing",
            "--other-programs",
        ),
        (
            "--method magic",
            2,
            "ladder, xladder, qlora, lora and all",
            "--help",
        ),
        (
            "--method qlora --quantize none",
            2,
            "QLoRA means a backbone in four bits",
            "--method lora",
        ),
        (
            "--d-side 64 --reduction-factor 2",
            2,
            "cannot be used with",
            "--help",
        ),
        (
            "--context 4096",
            2,
            "longer than the model's 1024",
            "--context 1024",
        ),
        ("--device tpu", 2, "tpu", "cuda"),
        ("--method lora --rank 99999999", 2, "rank", "smaller"),
        ("--batch-size 9999999999999999", 2, "batch_size", "smaller"),
    ] {
        let mut arguments = vec!["estimate"];
        arguments.extend(flags.split(' '));
        let answer = home.run(&arguments);
        let text = answer.stderr();
        assert_eq!(answer.code(), Some(code), "{flags}: {text}");
        assert!(
            text.starts_with("error: ") && text.contains(error),
            "{flags}: {text}"
        );
        assert!(text.contains(hint), "{flags}: {text}");
        assert_eq!(answer.stdout(), "");
    }
}

#[test]
fn people_get_a_table() {
    let home = Home::new();
    let answer = home.run(&["estimate", "--model", "qwen2.5-7b", "--memory", "12GiB"]);
    let text = answer.stdout();
    assert_eq!(answer.stderr(), "");
    assert!(!text.contains('\u{1b}'), "{text:?}");
    for row in ["Ladder ", "xLadder ", "QLoRA ", "LoRA "] {
        assert_eq!(
            text.lines().filter(|line| line.starts_with(row)).count(),
            2,
            "{text}"
        );
    }
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
    assert!(
        text.contains("for training\n") && text.contains("is assumed, not measured yet"),
        "{text}"
    );
}

/// The speed that is expected is that of a run, as far as that can be said beside other tests: of many
/// short steps the fastest was disturbed least.
#[test]
fn the_expected_speed_is_that_of_a_run() {
    let home = Home::new();
    let shape = ["--context", "128", "--batch-size", "1", "--threads", "1"];
    for method in ["ladder", "lora"] {
        let flags = [&shape[..], &["--model", "builtin", "--method", method]].concat();
        let expected = estimate(&home, &flags)["methods"][0]["expected_tokens_per_second"].clone();
        let expected = expected.as_f64().unwrap();
        let run = home.path().join(method);
        let mut train = vec!["train", "--json", "--out", run.to_str().unwrap()];
        train.extend(shape);
        train.extend(["--method", method, "--steps", "60"]);
        train.extend(["--effective-batch-size", "1"]);
        let answer = home.run(&train);
        assert_eq!(answer.code(), Some(0), "{}", answer.stderr());
        let rows = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
        let rows = rows
            .lines()
            .map(|row| serde_json::from_str::<Value>(row).unwrap());
        let real = { rows }
            .filter_map(|row| row["tokens_per_second"].as_f64())
            .fold(0.0, f64::max);
        println!("{method}: {expected:.0} expected, {real:.0} real");
        let ratio = expected / real;
        assert!((1.0 / 3.0..3.0).contains(&ratio), "{method}: {ratio}");
    }
}
