use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::models::rope_scaling::RopeScaling;

/// The fields of config.json that the catalogue uses, all read by [`DecoderConfig::from_json`]. One
/// that is misspelt would be ignored, and a default taken in its place.
const FIELDS: [&str; 25] = [
    "attention_bias",
    "attn_logit_softcapping",
    "final_logit_softcapping",
    "head_dim",
    "hidden_act",
    "hidden_activation",
    "hidden_size",
    "intermediate_size",
    "max_position_embeddings",
    "model_type",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "original_max_position_embeddings",
    "partial_rotary_factor",
    "query_pre_attn_scalar",
    "rms_norm_eps",
    "rope_local_base_freq",
    "rope_scaling",
    "rope_theta",
    "sliding_window",
    "sliding_window_pattern",
    "tie_word_embeddings",
    "use_sliding_window",
    "vocab_size",
];

fn named(name: &str) -> &'static Entry {
    find(name).unwrap()
}

fn unknown(name: &str) -> (Error, Vec<String>) {
    let error = find(name).unwrap_err();
    match &error {
        Error::ModelUnknown { nearest, .. } => {
            let nearest = nearest.clone();
            (error, nearest)
        }
        other => panic!("{name}: {other}"),
    }
}

#[test]
fn all_families_are_there_in_number() {
    let entries = entries().unwrap();
    assert!(entries.len() >= 45, "{} entries", entries.len());
    let families: BTreeSet<&str> = entries.iter().map(|entry| entry.config.family).collect();
    let expected = [
        "gemma2", "gemma3", "llama", "mistral", "phi3", "qwen2", "qwen3",
    ];
    assert_eq!(families, BTreeSet::from(expected));
}

/// The published counts were taken from elsewhere, not computed from these sizes (for Gemma 3's three
/// larger models: the whole model's less vision tower and projector), so they hold them to account.
#[test]
fn sizes_give_the_published_number_of_parameters_exactly() {
    for entry in entries().unwrap() {
        assert_eq!(
            entry.config.parameters(),
            entry.parameters,
            "{}",
            entry.name
        );
    }
}

#[test]
fn configs_have_only_fields_that_are_read() {
    let records: Vec<Record> = serde_json::from_str(JSON).unwrap();
    let used: BTreeSet<String> = records
        .into_iter()
        .flat_map(|record| record.config.into_keys())
        .collect();
    assert_eq!(used, FIELDS.map(str::to_owned).into());
}

#[test]
fn every_name_is_in_lower_case_and_means_one_model() {
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    let mut hub_ids = BTreeSet::new();
    for entry in entries().unwrap() {
        for name in entry.names() {
            assert_eq!(name, name.to_lowercase());
            assert!(!name.is_empty() && !name.contains(['/', ' ']), "{name:?}");
            if let Some(other) = owners.insert(name, &entry.name) {
                panic!("{name} is {other} and {}", entry.name);
            }
            assert_eq!(named(name).name, entry.name, "{name}");
        }
        let hub_id = entry.hub_id.to_lowercase();
        assert_eq!(hub_id.matches('/').count(), 1, "{hub_id}");
        assert_eq!(named(&hub_id).name, entry.name, "{hub_id}");
        assert!(hub_ids.insert(hub_id), "{} twice", entry.hub_id);
        assert!(!entry.title.is_empty() && !entry.license.is_empty());
    }
}

#[test]
fn a_model_is_found_by_any_of_its_names_in_any_case() {
    for name in [
        "llama-3.1-8b",
        "LLAMA-3.1-8B",
        "meta-llama-3.1-8b",
        "llama-3.1-8b-instruct",
        "meta-llama/Llama-3.1-8B",
        "meta-llama/Meta-Llama-3.1-8B-Instruct",
    ] {
        assert_eq!(named(name).name, "llama-3.1-8b", "{name}");
    }
    assert_eq!(named("Llama-2-7b-hf").name, "llama-2-7b");
    assert_eq!(named("microsoft/Phi-4-mini-instruct").name, "phi-4-mini");
    assert_eq!(named("mistral-7b").name, "mistral-7b-v0.3");
}

#[test]
fn a_hub_id_of_another_owner_is_another_model() {
    let (error, nearest) = unknown("someone/Llama-3.1-8B");
    assert_eq!(nearest[0], "llama-3.1-8b");
    assert!(error.to_string().contains("someone/Llama-3.1-8B"));
}

#[test]
fn a_misspelt_name_is_answered_with_the_nearest() {
    for (misspelt, meant) in [
        ("qwen25-7b", "qwen2.5-7b"),
        ("Qwen/Qwen2.5-7B-Instuct", "qwen2.5-7b-instruct"),
        ("llama3.1-8b", "llama-3.1-8b"),
        ("gemma3-27b", "gemma-3-27b"),
        ("pih-4-mini", "phi-4-mini"),
        ("smollm2_135m", "smollm2-135m"),
    ] {
        let (error, nearest) = unknown(misspelt);
        assert_eq!(nearest[0], meant, "{misspelt}: {nearest:?}");
        assert!(nearest.len() <= SUGGESTIONS, "{nearest:?}");
        assert!(error.to_string().contains(misspelt), "{error}");
        assert!(error.hint().contains(meant), "{}", error.hint());
        assert_eq!(error.code(), "model_unknown");
    }
}

#[test]
fn a_name_that_is_near_to_none_gets_no_suggestion() {
    for name in ["", "/", "my-own-experiment", &"qwen2.5-7b".repeat(100_000)] {
        let (error, nearest) = unknown(name);
        assert!(nearest.is_empty(), "{nearest:?}");
        assert!(error.hint().contains("--model"), "{}", error.hint());
    }
}

#[test]
fn the_decoder_is_the_one_that_config_json_describes() {
    let qwen = named("qwen2.5-7b");
    let config = &qwen.config;
    assert_eq!(
        (config.layers, config.d_model, config.d_ff),
        (28, 3584, 18944)
    );
    assert_eq!(
        (config.heads, config.kv_heads, config.head_dim),
        (28, 4, 128)
    );
    assert!(config.qkv_bias && !config.tied_head);
    assert_eq!(config.max_positions, 131_072);
    assert_eq!((qwen.license.as_str(), qwen.gated), ("apache-2.0", false));

    let windows = |name: &str| {
        let windows = &named(name).config.windows;
        let with: BTreeSet<usize> = windows.iter().flatten().copied().collect();
        (
            windows.iter().filter(|window| window.is_some()).count(),
            with,
        )
    };
    assert_eq!(windows("qwen2.5-7b"), (0, BTreeSet::new()));
    assert_eq!(windows("mistral-7b-v0.1"), (32, BTreeSet::from([4096])));
    assert_eq!(windows("mistral-7b-v0.3"), (0, BTreeSet::new()));
    assert_eq!(windows("gemma-2-9b"), (21, BTreeSet::from([4096])));
    assert_eq!(windows("gemma-3-4b"), (29, BTreeSet::from([1024])));
    assert_eq!(windows("phi-3-mini-4k"), (32, BTreeSet::from([2047])));

    assert!(matches!(
        named("llama-3.1-8b").config.rope.scaling,
        RopeScaling::Llama3 { factor: 8.0, .. }
    ));
    let long = &named("phi-4-mini").config.rope.scaling;
    assert!(matches!(long, RopeScaling::LongRope { short, .. } if short.len() == 48));
}

#[test]
fn weights_are_of_the_published_type() {
    for (name, stored) in [
        ("llama-2-13b", StoredType::F16),
        ("llama-3-8b", StoredType::BF16),
        ("gemma-2-9b", StoredType::F32),
        ("gemma-2-9b-it", StoredType::BF16),
    ] {
        assert_eq!(named(name).stored, stored, "{name}");
    }
}

#[test]
fn a_field_that_no_entry_has_is_refused() {
    let entry = |extra: &str, stored: &str| {
        format!(
            r#"[{{"name": "tiny", "title": "Tiny", "hub_id": "some/Tiny", "license": "mit",
            "gated": false, "parameters": 1, "stored": "{stored}"{extra}, "config":
            {{"model_type": "llama", "vocab_size": 8, "hidden_size": 8, "num_hidden_layers": 1,
            "num_attention_heads": 2, "intermediate_size": 8, "rms_norm_eps": 1e-5,
            "max_position_embeddings": 8}}}}]"#
        )
    };
    let read_one = read(&entry("", "F32")).unwrap();
    assert_eq!(read_one[0].names().collect::<Vec<_>>(), ["tiny"]);
    for (json, named) in [
        (entry(r#", "alias": ["t"]"#, "F32"), "alias"),
        (entry("", "I8"), "I8"),
        (entry("", "F32").replace("llama", "mamba"), "mamba"),
    ] {
        let message = read(&json).unwrap_err().to_string();
        assert!(message.contains(named), "{message}");
    }
}
