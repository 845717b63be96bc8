//! A run config in words: what each field of `run.json` is called and what its value means, as the
//! Fine-tune page says it.

use serde::de::DeserializeOwned;
use serde_json::Value;
use stepladder_protocol::{
    DataFormat, Downsample, Inject, LossOn, Method, Optimizer, Quantize, Switch, TapDtype, TooLong,
    Traces,
};

use super::{fine_tune, settings};
use crate::state::setup::BUILTIN;
use crate::state::setup::choice::Switched;
use crate::state::setup::field::Field;
use crate::text::{bytes, thousands, visible};

/// A limit of memory, whose value says its unit.
const MEMORY_LIMIT: &str = "Memory limit";
/// A value that follows from model and method.
const DEFAULT: &str = "default";
/// Columns of which none was mapped by hand.
const AS_RECOGNIZED: &str = "as recognized";

/// A field's name; none for one that this version does not know.
pub fn known_label(key: &str) -> Option<&'static str> {
    if key == Field::MemoryBytes.key() {
        return Some(MEMORY_LIMIT);
    }
    let typed = { Field::ALL.into_iter() }.find(|field| field.key() == key);
    let switched = { Switched::ALL.into_iter() }.find(|field| field.key() == key);
    { typed.map(fine_tune::field_label) }
        .or_else(|| switched.map(fine_tune::switch_label))
        .or_else(|| chosen_label(key))
}

fn chosen_label(key: &str) -> Option<&'static str> {
    Some(match key {
        "model" => fine_tune::MODEL,
        "data" => fine_tune::DATASET,
        "data_options.format" => fine_tune::FORMAT,
        "data_options.map" => fine_tune::COLUMNS,
        "data_options.template" => fine_tune::TEMPLATE,
        "data_options.loss_on" => fine_tune::LOSS_ON,
        "data_options.traces" => fine_tune::TRACES,
        "data_options.too_long" => fine_tune::TOO_LONG,
        "method" => fine_tune::METHOD,
        "optimizer" => fine_tune::OPTIMIZER,
        "downsample" => fine_tune::DOWNSAMPLE,
        "inject" => fine_tune::INJECT,
        "quantize" => fine_tune::QUANTIZE,
        "recompute" => fine_tune::RECOMPUTE,
        "tap_dtype" => fine_tune::TAP_DTYPE,
        "device" => settings::DEVICE,
        "threads" => settings::THREADS,
        _ => return None,
    })
}

/// A field's name, in any case: one of a later version is made readable.
pub fn label(key: &str) -> String {
    if let Some(known) = known_label(key) {
        return known.to_owned();
    }
    let (_, name) = key.rsplit_once('.').unwrap_or(("", key));
    let name = visible(&name.replace('_', " "));
    let mut letters = name.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => name,
    }
}

/// What a field is set to; none where that is left to model and method.
pub fn value(key: &str, value: &Value) -> Option<String> {
    if let Some(chosen) = chosen(key, value) {
        return Some(chosen);
    }
    match (key, value) {
        (_, Value::Null) => None,
        ("memory_bytes", Value::Number(number)) => Some(bytes(number.as_u64()?)),
        // A name by which the same stream is drawn again, and no amount.
        ("seed", Value::Number(number)) => Some(number.to_string()),
        (_, Value::Number(number)) => Some(match (number.as_u64(), number.as_f64()) {
            (Some(whole), _) => thousands(whole),
            (None, Some(part)) => part.to_string(),
            (None, None) => number.to_string(),
        }),
        ("data_options.map", Value::Object(map)) if map.is_empty() => {
            Some(AS_RECOGNIZED.to_owned())
        }
        (_, Value::String(text)) => Some(visible(text)),
        (_, Value::Bool(flag)) => Some(flag.to_string()),
        (_, Value::Array(items)) => {
            let items = items.iter().filter_map(|item| self::value(key, item));
            Some(items.collect::<Vec<_>>().join(", "))
        }
        (_, Value::Object(map)) => {
            let pairs = map.iter().map(|(name, inner)| {
                let inner = self::value("", inner).unwrap_or_default();
                format!("{} = {inner}", visible(name))
            });
            Some(pairs.collect::<Vec<_>>().join(", "))
        }
    }
}

/// The name of what was chosen of several.
fn chosen(key: &str, value: &Value) -> Option<String> {
    let is = |name: &str| value.as_str() == Some(name);
    let name = match key {
        "model" if is(BUILTIN) => fine_tune::BUILTIN_MODEL,
        "data" if is(BUILTIN) => fine_tune::SAMPLE_NAME,
        "data_options.template" if is("auto") => fine_tune::TEMPLATE_AUTO,
        "device" if is("auto") => settings::DEVICE_AUTO,
        "method" => read::<Method>(value)?.title(),
        "data_options.format" => fine_tune::format(read::<DataFormat>(value)?),
        "data_options.loss_on" => loss_on(read(value)?),
        "data_options.traces" => traces(read(value)?),
        "data_options.too_long" => too_long(read(value)?),
        "optimizer" => optimizer(read(value)?),
        "downsample" => downsample(read(value)?),
        "inject" => inject(read(value)?),
        "quantize" => quantize(read(value)?),
        "tap_dtype" => tap_dtype(read(value)?),
        "recompute" => switch(read(value)?),
        key if Switched::ALL.iter().any(|field| field.key() == key) => switch(read(value)?),
        _ => return None,
    };
    Some(name.to_owned())
}

fn read<T: DeserializeOwned>(value: &Value) -> Option<T> {
    T::deserialize(value).ok()
}

fn switch(switch: Switch) -> &'static str {
    match switch {
        Switch::On => fine_tune::ON,
        Switch::Off => fine_tune::OFF,
    }
}

fn loss_on(chosen: LossOn) -> &'static str {
    let [responses, everything, last_turn] = fine_tune::LOSS_ONS;
    match chosen {
        LossOn::Responses => responses,
        LossOn::Everything => everything,
        LossOn::LastTurn => last_turn,
    }
}

fn traces(chosen: Traces) -> &'static str {
    let [keep, drop, insert_empty] = fine_tune::TRACE_CHOICES;
    match chosen {
        Traces::Keep => keep,
        Traces::Drop => drop,
        Traces::InsertEmpty => insert_empty,
    }
}

fn too_long(chosen: TooLong) -> &'static str {
    let [_, cut_right, cut_left, drop, split] = fine_tune::TOO_LONGS;
    match chosen {
        TooLong::CutRight => cut_right,
        TooLong::CutLeft => cut_left,
        TooLong::Drop => drop,
        TooLong::Split => split,
    }
}

fn optimizer(chosen: Optimizer) -> &'static str {
    let [adamw, adamw_8bit] = fine_tune::OPTIMIZERS;
    match chosen {
        Optimizer::AdamW => adamw,
        Optimizer::AdamW8bit => adamw_8bit,
    }
}

fn downsample(chosen: Downsample) -> &'static str {
    let [linear, shared, adapter] = fine_tune::DOWNSAMPLES;
    match chosen {
        Downsample::Linear => linear,
        Downsample::Shared => shared,
        Downsample::Adapter => adapter,
    }
}

fn inject(chosen: Inject) -> &'static str {
    let [sum, gate] = fine_tune::INJECTS;
    match chosen {
        Inject::Sum => sum,
        Inject::Gate => gate,
    }
}

fn quantize(chosen: Quantize) -> &'static str {
    let [auto, nf4, none] = fine_tune::QUANTIZES;
    match chosen {
        Quantize::Auto => auto,
        Quantize::Nf4 => nf4,
        Quantize::None => none,
    }
}

fn tap_dtype(chosen: TapDtype) -> &'static str {
    let [f32, bf16, f16] = fine_tune::TAP_DTYPES;
    match chosen {
        TapDtype::F32 => f32,
        TapDtype::Bf16 => bf16,
        TapDtype::F16 => f16,
    }
}

/// What a field is if nothing was asked for.
pub fn default_of(key: &str) -> &'static str {
    match key {
        "threads" => "every core",
        "memory_bytes" => "what is free",
        "steps" => "by epochs",
        "context" => "by dataset and model",
        "learning_rate" | "clip_norm" | "recompute" => "the method's",
        "d_side" | "reduction_factor" | "taps" => "by model",
        "target_modules" => "all of a block",
        "evaluate_every" => "about ten times",
        "checkpoint_every" => "at each evaluation",
        "quantized_copy" => "none",
        "data_options.too_long" => "by format",
        _ => DEFAULT,
    }
}

#[cfg(test)]
mod tests {
    use stepladder_protocol::RunConfig;

    use super::*;

    #[test]
    fn every_field_of_a_config_has_a_name_of_the_fine_tune_page() {
        let config = serde_json::to_value(RunConfig::default()).unwrap();
        for (key, field) in config.as_object().unwrap() {
            match field.as_object().filter(|_| key == "data_options") {
                Some(options) => {
                    for key in options.keys() {
                        let key = format!("data_options.{key}");
                        assert!(known_label(&key).is_some(), "{key}");
                    }
                }
                // Follows from the data, and is not shown.
                None if key == "data_fingerprints" => {}
                None => assert!(known_label(key).is_some(), "{key}"),
            }
        }
    }

    #[test]
    fn values_are_said_as_they_are_chosen() {
        for (key, json, expected) in [
            ("d_side", "null", None),
            ("memory_bytes", "12884901888", Some("12.00 GiB")),
            ("quantize", "\"nf4\"", Some("Four bits")),
            ("quantize_head", "\"on\"", Some("On")),
            ("recompute", "null", None),
            ("recompute", "\"off\"", Some("Off")),
            ("method", "\"qlora\"", Some("QLoRA")),
            ("optimizer", "\"adamw-8bit\"", Some("AdamW, 8 bits")),
            ("tap_dtype", "\"bf16\"", Some("bf16")),
            ("model", "\"builtin\"", Some("Built-in model")),
            (
                "data",
                "[\"builtin\",\"a.jsonl\"]",
                Some("Sample dataset, a.jsonl"),
            ),
            ("context", "2048", Some("2,048")),
            ("seed", "2048", Some("2048")),
            ("epochs", "3.0", Some("3")),
            ("learning_rate", "0.0005", Some("0.0005")),
            ("taps", "[4,8]", Some("4, 8")),
            ("data_options.map", "{}", Some("as recognized")),
            (
                "data_options.map",
                "{\"ask\":\"prompt\"}",
                Some("ask = prompt"),
            ),
            (
                "data_options.loss_on",
                "\"last_turn\"",
                Some("Last response"),
            ),
            (
                "data_options.traces",
                "\"insert_empty\"",
                Some("Insert empty ones"),
            ),
            (
                "data_options.too_long",
                "\"cut_left\"",
                Some("Cut the beginning"),
            ),
            (
                "data_options.format",
                "\"question_answer\"",
                Some("Question, answer"),
            ),
            // Of a later version.
            ("quantize", "\"nf3\"", Some("nf3")),
        ] {
            let json = serde_json::from_str(json).unwrap();
            assert_eq!(value(key, &json).as_deref(), expected, "{key}");
        }
    }

    #[test]
    fn a_field_of_a_later_version_is_readable_and_steers_nothing() {
        assert_eq!(label("data_options.new_thing"), "New thing");
        assert!(!label("evil\u{202e}").contains('\u{202e}'));
        let evil = Value::String("\u{1b}[2J".to_owned());
        assert!(!value("model", &evil).unwrap().contains('\u{1b}'));
    }
}
