//! What to do about a problem, for whoever has the window before them and no command line: the
//! engine's hints name flags, the window has fields, pages and buttons.

use super::config;
use crate::text::excerpt;

/// Characters of the engine's own words.
const CHARACTERS: usize = 600;

const CHOOSE_MODEL: &str = "Choose a folder with a config.json and its weights, or a .gguf file.";
const CHOOSE_BASE: &str = "Choose the base model that it was trained on.";
const CHOOSE_TEMPLATE: &str =
    "Choose a chat template under Dataset, or the instruction-tuned version of this model.";
const CHOOSE_COLUMNS: &str = "Say under Columns which column each field is read from.";
const CHOOSE_DEVICE: &str = "Choose Auto or another device under Settings.";
const CHOOSE_OUT: &str = "Choose another folder.";
const GO_ON: &str = "A run goes on from its last checkpoint with Resume.";

/// What to do about a problem with this code, of which the engine says this; nothing, if it says
/// nothing.
pub fn hint(code: &str, hint: &str) -> String {
    match of_code(code).filter(|_| !hint.is_empty()) {
        Some(sentence) => sentence.to_owned(),
        None => in_the_window(hint),
    }
}

/// Problems about which the window has more to say than the engine.
fn of_code(code: &str) -> Option<&'static str> {
    Some(match code {
        "model_folder_missing" | "model_file_missing" | "model_unknown" => CHOOSE_MODEL,
        "chat_template_missing" => CHOOSE_TEMPLATE,
        "dataset_missing" => "Take it off the list, or add it from where it lies now.",
        "dataset_changed" => {
            "Put the old file back, or run again with changes: that takes the files as they are now."
        }
        "disk_full" => "Free some space. A run goes on from its last checkpoint with Resume.",
        "tensor" => {
            "If memory ran out, lower the batch size or the context. Otherwise please report this."
        }
        "worker_died" => {
            "If memory ran out, lower the batch size or the context. A run goes on from its last checkpoint with Resume."
        }
        "worker_protocol" | "internal" => {
            "Please report this. A run goes on from its last checkpoint with Resume."
        }
        "stopped" => "Start it again.",
        "diverged" => "Lower the learning rate, and look at the examples of that step.",
        "run_in_use" => "Wait until the other program is done with it.",
        "device_unavailable" => CHOOSE_DEVICE,
        "adapter_invalid" => {
            "Its adapter is damaged or incomplete: resume the run, or run it again."
        }
        "adapter_for_another_base" => CHOOSE_BASE,
        "line_too_long" => "Take a smaller part of the dataset.",
        _ => return None,
    })
}

/// A sentence of the engine with the window's words in place of flags: `--learning-rate` is
/// `Learning rate`, `--quantize nf4` is `Model weights: Four bits`.
pub fn in_the_window(text: &str) -> String {
    let flags = || text.split_whitespace().filter_map(flag_of);
    if let Some(sentence) = flags().find_map(sentence_for) {
        return sentence.to_owned();
    }
    match flags().any(|flag| key_of(flag).is_some()) {
        true => excerpt(&relabeled(text), CHARACTERS),
        false => excerpt(text, CHARACTERS),
    }
}

/// The flag in a word such as `(--template)` or `--context,`.
fn flag_of(word: &str) -> Option<&str> {
    let from = word.find("--")?;
    let name = &word[from + 2..];
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let end = name.find(|c| !is_part(c)).unwrap_or(name.len());
    let is_flag = name.starts_with(|c: char| c.is_ascii_lowercase());
    is_flag.then(|| &word[from..from + 2 + end])
}

/// What stands for a whole sentence about a flag that no field of the window is like.
fn sentence_for(flag: &str) -> Option<&'static str> {
    Some(match flag {
        "--map" => CHOOSE_COLUMNS,
        "--model" => CHOOSE_MODEL,
        "--adapter" => CHOOSE_BASE,
        "--out" => CHOOSE_OUT,
        "--resume" => GO_ON,
        "--accept-changed-data" | "--config" => of_code("dataset_changed")?,
        "--show" => of_code("line_too_long")?,
        "--device" => CHOOSE_DEVICE,
        "--answer-pattern" => "Give a pattern with one group around the answer, or none.",
        "--memory" | "--other-programs" => {
            "Set the memory limit to what the run may take, or leave it empty."
        }
        _ => return None,
    })
}

/// The field of the run config that a flag sets.
fn key_of(flag: &str) -> Option<String> {
    let key = flag.strip_prefix("--")?.replace('-', "_");
    let in_data = format!("data_options.{key}");
    [key, in_data]
        .into_iter()
        .find(|key| config::known_label(key).is_some())
}

/// Every known flag with the name of its field, and what is chosen there with the name of that.
fn relabeled(text: &str) -> String {
    let mut said = String::with_capacity(text.len());
    let mut words = text.split_whitespace().peekable();
    let mut was_field = false;
    while let Some(word) = words.next() {
        let field = flag_of(word).and_then(|flag| Some((flag, key_of(flag)?)));
        let Some((flag, key)) = field else {
            push(&mut said, word);
            was_field = false;
            continue;
        };
        // Two flags behind each other are two fields.
        if was_field {
            push(&mut said, "and");
        }
        push(&mut said, &word.replacen(flag, &config::label(&key), 1));
        was_field = word.ends_with(flag);
        let Some(next) = words.peek().filter(|_| was_field) else {
            continue;
        };
        let bare = next.trim_end_matches(['.', ',', ';', ')']);
        let behind = &next[bare.len()..];
        let value = serde_json::Value::String(bare.to_owned());
        match config::value(&key, &value).filter(|name| name != bare) {
            Some(name) => {
                said.push(':');
                push(&mut said, &format!("{name}{behind}"));
            }
            None if bare.parse::<f64>().is_ok() => push(&mut said, next),
            None => continue,
        }
        was_field = behind.is_empty();
        words.next();
    }
    said
}

fn push(text: &mut String, word: &str) {
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(word);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn flags_become_fields() {
        for (engine, window) in [
            ("lower --learning-rate now", "lower Learning rate now"),
            ("use --context 512 or less", "use Context 512 or less"),
            (
                "--batch-size 1 --recompute on helps",
                "Batch size 1 and Recompute activations: On helps",
            ),
            (
                "use --method lora, or leave --quantize out",
                "use Method: LoRA, or leave Model weights out",
            ),
            (
                "With --recompute on --offload-embeddings on, Ladder fits: 9.0 GiB.",
                "With Recompute activations: On and Embeddings in RAM: On, Ladder fits: 9.0 GiB.",
            ),
            (
                "other templates end their turns (--template)",
                "other templates end their turns (Chat template)",
            ),
            (
                "; --traces drop leaves it out",
                "; Think blocks: Leave out leaves it out",
            ),
            ("a -- b", "a -- b"),
            ("no flag\u{202e} at all", "no flag\\u{202e} at all"),
        ] {
            assert_eq!(in_the_window(engine), window);
        }
    }

    #[test]
    fn a_hint_without_flags_is_the_engine_s_own() {
        assert_eq!(hint("config_invalid", "use a fraction"), "use a fraction");
        let one = hint("model_folder_missing", "give --model the path of a folder");
        assert_eq!(one, CHOOSE_MODEL);
    }

    /// Sources under a folder, without those of tests and of the check on a card, which has a command
    /// line of its own.
    fn sources(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            // Programs of the engine's own have flags of their own, and say them to a terminal.
            if path.is_dir() && !["tests", "bin", "card_check"].contains(&name.as_str()) {
                sources(&path, found);
            } else if name.ends_with(".rs") && name != "tests.rs" {
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                let is_code = |line: &&str| !line.trim_start().starts_with("//");
                found.push(code.lines().filter(is_code).collect::<Vec<_>>().join("\n"));
            }
        }
    }

    /// Every flag that the engine or the link can name, and every code of the engine's errors.
    fn named() -> (BTreeSet<String>, BTreeSet<String>) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut texts = Vec::new();
        sources(&root.join("../engine/src"), &mut texts);
        sources(&root.join("src/link"), &mut texts);
        // llama.cpp's own tool has the first; the others are colors of a comparison's report.
        let others = [
            "--merge",
            "--both",
            "--line",
            "--neither",
            "--one",
            "--other",
            "--quiet",
            "--unjudged",
        ];
        let is_ours = |flag: &&str| !others.contains(flag);
        let flags = { texts.iter() }
            .flat_map(|text| text.split_whitespace())
            .filter_map(flag_of)
            .filter(is_ours)
            .map(str::to_owned)
            .collect();
        let errors = std::fs::read_to_string(root.join("../engine/src/error.rs")).unwrap();
        let codes = { errors.lines() }
            .filter_map(|line| line.trim().split_once("=> \"")?.1.strip_suffix("\","))
            .map(str::to_owned)
            .collect();
        (flags, codes)
    }

    #[test]
    fn no_flag_of_the_engine_reaches_the_window() {
        let (flags, codes) = named();
        assert!(flags.len() > 25, "{flags:?}");
        assert!(codes.len() > 20, "{codes:?}");
        for flag in &flags {
            for text in [
                format!("use {flag} 1 or more"),
                format!("use another {flag}"),
                format!("put it back, or train with {flag}."),
            ] {
                let said = in_the_window(&text);
                assert!(!said.contains("--") && !said.is_empty(), "{text}: {said}");
                for code in &codes {
                    let said = hint(code, &text);
                    assert!(!said.contains("--") && !said.is_empty(), "{code}: {said}");
                }
            }
        }
    }
}
