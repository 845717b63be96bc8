//! Training LoRA and QLoRA, on a folder and on a GGUF file, and exporting what was trained.

use candle_core::quantized::GgmlDType;
use serde_json::Value;
use stepladder_tests::builtin_gguf;

use super::program::{Answer, Home, of_kind};

fn train(home: &Home, name: &str, flags: &[&str]) -> String {
    let run = home.path().join(name).to_str().unwrap().to_owned();
    let mut arguments = vec!["train", "--json", "--steps", "4", "--out", &run];
    arguments.extend(flags);
    let answer = home.run(&arguments);
    assert_eq!(answer.code(), Some(0), "{}", answer.stderr());
    assert_eq!(of_kind(&answer.events(), "finished").len(), 1);
    run
}

fn export(home: &Home, run: &str, to: &str, name: &str) -> Answer {
    let out = home.path().join(name);
    let out = out.to_str().unwrap();
    home.run(&[
        "export",
        "--adapter",
        run,
        "--to",
        to,
        "--out",
        out,
        "--json",
    ])
}

fn chat(home: &Home, adapter: &str) -> (String, String) {
    let prompt = ["--prompt", "What is 3 + 4?", "--temperature", "0"];
    let arguments = [
        &["chat", "--adapter", adapter, "--model", "builtin"],
        &prompt[..],
    ]
    .concat();
    let answer = home.run(&arguments);
    assert_eq!(answer.code(), Some(0), "{}", answer.stderr());
    (answer.stdout(), answer.stderr())
}

#[test]
fn a_lora_goes_to_peft_and_comes_back() {
    let home = Home::new();
    let flags = [
        "--method",
        "lora",
        "--learning-rate",
        "1e-3",
        "--rank",
        "4",
        "--alpha",
        "8",
    ];
    let run = train(&home, "lora", &flags);
    let answer = export(&home, &run, "peft", "exported");
    assert_eq!(answer.code(), Some(0), "{}", answer.stderr());
    let report: Value = serde_json::from_str(&answer.stdout()).unwrap();
    assert_eq!(report["format"], "peft");
    assert_eq!(report["notices"].as_array().unwrap().len(), 0);
    assert!(
        report["usage"]
            .as_str()
            .unwrap()
            .contains("PeftModel.from_pretrained")
    );
    let exported = home.path().join("exported");
    let config = std::fs::read(exported.join("adapter_config.json")).unwrap();
    let config: Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(
        (&config["r"], &config["lora_alpha"]),
        (&4.into(), &8.into())
    );
    assert_eq!(config["target_modules"].as_array().unwrap().len(), 7);
    // Chat takes the folder as it would one that was made elsewhere, and says that it cannot know.
    let (own, quiet) = chat(&home, &run);
    let (peft, warned) = chat(&home, exported.to_str().unwrap());
    assert_eq!(own, peft);
    assert!(warned.contains("made by PEFT for builtin"), "{warned}");
    assert!(!quiet.contains("PEFT"), "{quiet}");
    // A folder that is there is not overwritten.
    let again = export(&home, &run, "peft", "exported");
    assert_eq!(again.code(), Some(2));
    assert!(
        again.stderr().contains("is there already"),
        "{}",
        again.stderr()
    );
}

#[test]
fn a_lora_on_a_gguf_file_is_the_one_on_its_folder() {
    let home = Home::new();
    let model = home.path().join("model.gguf");
    builtin_gguf::write(&model, GgmlDType::BF16).unwrap();
    let flags = [
        "--method",
        "lora",
        "--learning-rate",
        "1e-3",
        "--threads",
        "2",
    ];
    let folder = train(&home, "folder", &flags);
    let on_gguf = [&flags[..], &["--model", model.to_str().unwrap()]].concat();
    let gguf = train(&home, "gguf", &on_gguf);
    for (run, name) in [(&folder, "of-folder"), (&gguf, "of-gguf")] {
        assert_eq!(export(&home, run, "peft", name).code(), Some(0));
    }
    let tensors = |name: &str| {
        std::fs::read(home.path().join(name).join("adapter_model.safetensors")).unwrap()
    };
    assert!(
        tensors("of-folder") == tensors("of-gguf"),
        "the exports differ"
    );
}

#[test]
fn qlora_trains_in_four_bits_and_side_networks_export_their_own_way() {
    let home = Home::new();
    let run = train(&home, "qlora", &["--method", "qlora"]);
    let config = std::fs::read(std::path::Path::new(&run).join("adapter/adapter_config.json"));
    let config: Value = serde_json::from_slice(&config.unwrap()).unwrap();
    assert_eq!(config["quantization"], "nf4_double_quantized");
    assert_eq!(config["lora"]["rank"], 16);
    let refused = export(&home, &run, "adapter", "wrong");
    assert_eq!(refused.code(), Some(2));
    let said = refused.stderr();
    assert!(
        said.contains("QLoRA does not give the format adapter"),
        "{said}"
    );
    assert!(said.contains("QLoRA gives: peft"), "{said}");

    let ladder = train(&home, "ladder", &[]);
    let refused = export(&home, &ladder, "peft", "wrong");
    assert!(
        refused
            .stderr()
            .contains("Ladder does not give the format peft")
    );
    let answer = export(&home, &ladder, "adapter", "for-python");
    assert_eq!(answer.code(), Some(0), "{}", answer.stderr());
    let folder = home.path().join("for-python");
    for file in [
        "adapter.safetensors",
        "adapter_config.json",
        "stepladder_adapter.py",
    ] {
        assert!(folder.join(file).is_file(), "{file}");
    }
    let (own, _) = chat(&home, &ladder);
    assert_eq!(own, chat(&home, folder.to_str().unwrap()).0);

    let contradiction = ["train", "--method", "qlora", "--quantize", "none"];
    let answer = home.run(&contradiction);
    assert!(
        answer
            .stderr()
            .contains("QLoRA means a backbone in four bits")
    );
}

/// What was in four bits while an adapter was trained may be in another form where it goes.
#[test]
fn an_export_says_what_was_in_four_bits() {
    let home = Home::new();
    let head = ["--quantize-head", "on"];
    let notices = |name: &str, to: &str, flags: &[&str]| -> Vec<String> {
        let run = train(&home, name, flags);
        let answer = export(&home, &run, to, &format!("{name}-exported"));
        assert_eq!(answer.code(), Some(0), "{}", answer.stderr());
        let report: Value = serde_json::from_str(&answer.stdout()).unwrap();
        serde_json::from_value(report["notices"].clone()).unwrap()
    };
    let of_head = "a head kept in NF4 with double quantization";
    let of_blocks = "blocks kept in NF4 with double quantization";
    let lora = notices("lora", "peft", &[&["--method", "lora"][..], &head].concat());
    assert!(lora.len() == 1 && lora[0].contains(of_head), "{lora:?}");
    let qlora = notices("qlora", "peft", &["--method", "qlora"]);
    assert!(
        qlora.len() == 1 && qlora[0].contains(of_blocks),
        "{qlora:?}"
    );
    let flags = [&["--method", "qlora"][..], &head].concat();
    let both = notices("qlora-head", "peft", &flags);
    assert_eq!(both, [qlora, lora].concat());
    let ladder = notices("ladder-head", "adapter", &head);
    assert!(
        ladder.len() == 1 && ladder[0].contains(of_head),
        "{ladder:?}"
    );
    // In words too.
    let (run, out) = (home.path().join("lora"), home.path().join("in-words"));
    let (run, out) = (run.to_str().unwrap(), out.to_str().unwrap());
    let answer = home.run(&["export", "--adapter", run, "--to", "peft", "--out", out]);
    assert!(answer.stdout().contains(of_head), "{}", answer.stdout());
}

/// In one chat the base model, the adapter it was opened with and another answer in turn, each as it
/// does alone; the weights are loaded once.
#[test]
fn adapters_are_switched_within_a_chat() {
    let home = Home::new();
    let flags = ["--learning-rate", "3e-3", "--steps", "12"];
    let train = |name: &str, method: &str| {
        let run = home.path().join(name).to_str().unwrap().to_owned();
        let arguments = [&["train", "--out", &run, "--method", method][..], &flags].concat();
        let answer = home.run(&arguments);
        assert_eq!(answer.code(), Some(0), "{}", answer.stderr());
        run
    };
    let (ladder, lora) = (train("ladder", "ladder"), train("lora", "lora"));
    let question = "Anna has 3 apples. Ben gives Anna 4 more. How many apples does Anna have now?";
    let alone = |adapter: &[&str]| {
        let base = ["chat", "--json", "--prompt", question, "--temperature", "0"];
        let answer = home.run(&[&base[..], adapter].concat());
        assert_eq!(answer.code(), Some(0), "{}", answer.stderr());
        answer.events().last().unwrap()["text"].clone()
    };
    let expected = [
        alone(&["--adapter", &ladder]),
        alone(&[]),
        alone(&["--adapter", &lora]),
        alone(&["--adapter", &ladder]),
    ];
    assert!(
        expected[0] != expected[1] && expected[1] != expected[2],
        "{expected:?}"
    );
    let typed = [
        question.to_owned(),
        "/base\n/reset".to_owned(),
        question.to_owned(),
        format!("/adapter {lora}\n/reset"),
        question.to_owned(),
        "/adapter\n/reset".to_owned(),
        question.to_owned(),
    ];
    let said = chat_with(&home, &["--adapter", &ladder], &typed.join("\n"));
    assert_eq!(said, expected);
    // What cannot be used is said, and the chat goes on.
    let typed = format!(
        "/adapter {}\n{question}\n/base\n{question}",
        home.path().display()
    );
    assert_eq!(chat_with(&home, &[], &typed), expected[1..2]);
}

/// The replies to lines that are typed.
fn chat_with(home: &Home, flags: &[&str], typed: &str) -> Vec<Value> {
    use std::io::Write;
    let arguments = [&["chat", "--json", "--temperature", "0"][..], flags].concat();
    let mut command = home.command(&arguments);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(typed.as_bytes())
        .unwrap();
    let answer = Answer(child.wait_with_output().unwrap());
    assert_eq!(answer.code(), Some(0), "{}", answer.stderr());
    let events = answer.events();
    let replies = of_kind(&events, "reply");
    replies
        .into_iter()
        .map(|event| event["text"].clone())
        .collect()
}
