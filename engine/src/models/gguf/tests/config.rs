//! Sizes, switches and windows.

use serde_json::{Value as Json, json};

use super::Fixture;
use crate::models::config::DecoderConfig;
use crate::models::gguf::{Architecture, Metadata};
use crate::models::rope_scaling::RopeScaling;

#[test]
fn a_decimal_number_comes_back_as_it_was_written() {
    for written in [1e-5, 1e-6, 0.05, 1e-12] {
        let stored = f64::from(written as f32);
        let keys = json!({"attention.layer_norm_rms_epsilon": stored});
        assert_eq!(Fixture::new("llama", keys).config().norm_eps, written);
    }
}

#[test]
fn gemmas_scale_of_scores_follows_the_size() {
    let cases = [
        ("gemma2", 42, 3584, 16, 256),
        ("gemma2", 46, 4608, 32, 144),
        ("gemma3", 34, 2560, 8, 256),
        ("gemma3", 62, 5376, 32, 168),
    ];
    for (architecture, blocks, width, heads, scalar) in cases {
        let header = Fixture::new(
            architecture,
            json!({
                "block_count": blocks, "embedding_length": width, "attention.head_count": heads,
                "attention.key_length": 256, "attention.value_length": 256,
                "attention.head_count_kv": heads / 2, "attention.sliding_window": 1024,
            }),
        );
        let config = header.config();
        let expected = f64::from(scalar).sqrt().recip();
        assert_eq!(
            config.attention_scale, expected,
            "{architecture}, {blocks} blocks"
        );
        assert!(config.tied_head && config.norms_around_one && config.sandwich_norms);
    }
}

#[test]
fn gemma_2_has_its_caps_and_windows_where_the_file_is_silent() {
    let config = Fixture::new("gemma2", json!({"attention.key_length": 128})).config();
    assert_eq!(config.attention_soft_cap, Some(50.0));
    assert_eq!(config.final_soft_cap, Some(30.0));
    assert_eq!(config.windows, [Some(4096), None, Some(4096), None]);
    assert_eq!(config.rope.theta, 10_000.0);
    let given = json!({
        "attn_logit_softcapping": 4.0, "final_logit_softcapping": 10.0,
        "attention.sliding_window": 7,
    });
    let config = Fixture::new("gemma2", given).config();
    assert_eq!(config.attention_soft_cap, Some(4.0));
    assert_eq!(config.final_soft_cap, Some(10.0));
    assert_eq!(config.windows, [Some(7), None, Some(7), None]);
}

#[test]
fn gemma_3_sees_everything_in_one_block_of_six() {
    let keys = json!({
        "block_count": 7, "attention.sliding_window": 512, "rope.freq_base": 1e6,
        "rope.scaling.type": "linear", "rope.scaling.factor": 8.0,
    });
    let header = Fixture::new("gemma3", keys);
    let full = |config: &DecoderConfig| -> Vec<usize> {
        let windows = config.windows.iter().enumerate();
        let full = windows.filter(|(_, window)| window.is_none());
        full.map(|(block, _)| block).collect()
    };
    let config = header.config();
    assert_eq!(full(&config), [5]);
    assert_eq!(config.rope.theta, 1e6);
    assert_eq!(config.rope.scaling, RopeScaling::Linear { factor: 8.0 });
    let local = config.window_rope.unwrap();
    assert_eq!((local.theta, local.scaling), (10_000.0, RopeScaling::None));

    let key = "gemma3.attention.sliding_window_pattern";
    let three = header.clone().with(key, &json!(3));
    assert_eq!(full(&three.config()), [2, 5]);
    let flags = [true, false, true, true, false, true, true];
    let listed = header.clone().with(key, &json!(flags));
    assert_eq!(full(&listed.config()), [1, 4]);
    let short = header.clone().with(key, &json!([true, false]));
    assert!(
        short
            .problem()
            .contains("pattern has 2 entries for 7 blocks")
    );
    let local = header
        .clone()
        .with("gemma3.rope.freq_base_swa", &json!(300.0));
    assert_eq!(local.config().window_rope.unwrap().theta, 300.0);
    let without = header.with("gemma3.attention.sliding_window", &Json::Null);
    assert_eq!(full(&without.config()).len(), 7);
}

#[test]
fn biases_are_where_their_tensors_are() {
    let with_biases = |architecture: &str, names: &[&str]| {
        let header = Fixture::new(architecture, json!({}));
        names.iter().fold(header, |header, name| {
            header.tensor(&format!("blk.0.{name}.bias"), &[4096])
        })
    };
    let qkv = ["attn_q", "attn_k", "attn_v"];
    let attention = ["attn_q", "attn_k", "attn_v", "attn_output"];
    let config = with_biases("qwen2", &qkv).config();
    assert!(config.qkv_bias && config.family == "qwen2");
    let config = with_biases("qwen2", &[]).config();
    assert!(!config.qkv_bias && config.family == "llama");
    let config = with_biases("llama", &attention).config();
    assert!(config.qkv_bias && config.output_bias && !config.mlp_bias);
    let config = with_biases("llama", &["ffn_gate", "ffn_up", "ffn_down"]).config();
    assert!(!config.qkv_bias && config.mlp_bias);
    let problem = with_biases("llama", &qkv).problem();
    assert!(problem.contains("\"blk.0.attn_output.bias\" is not"));
}

#[test]
fn a_missing_or_absurd_key_is_named() {
    for key in [
        "block_count",
        "embedding_length",
        "feed_forward_length",
        "attention.head_count",
        "attention.layer_norm_rms_epsilon",
        "context_length",
    ] {
        let problem = Fixture::new("llama", json!({key: null})).problem();
        assert!(
            problem.contains(&format!("llama.{key} is missing")),
            "{problem}"
        );
    }
    let cases = [
        ("block_count", json!(0), "llama.block_count is 0"),
        (
            "block_count",
            json!(1 << 20),
            "llama.block_count is 1048576",
        ),
        (
            "embedding_length",
            json!("wide"),
            "llama.embedding_length is a text",
        ),
        (
            "attention.head_count",
            json!([32, 32, 16, 32]),
            "differs between blocks",
        ),
        (
            "attention.layer_norm_rms_epsilon",
            json!(-1.0),
            "epsilon is -1",
        ),
        (
            "attention.value_length",
            json!(64),
            "llama.attention.value_length differ",
        ),
        (
            "rope.dimension_count",
            json!(64),
            "llama.rope.dimension_count is 64",
        ),
        ("rope.freq_base", json!(0.0), "llama.rope.freq_base is 0"),
        (
            "rope.scaling.type",
            json!("ntk"),
            "rope.scaling.type is \"ntk\"",
        ),
        ("expert_count", json!(8), "expert_count is \"8\""),
    ];
    for (key, value, expected) in cases {
        let problem = Fixture::new("llama", json!({key: value})).problem();
        assert!(problem.contains(expected), "{problem}");
    }
    let heads = json!({"attention.head_count": [32, 32, 32, 32]});
    assert_eq!(Fixture::new("llama", heads).config().heads, 32);
    let mut header = Fixture::new("llama", json!({}));
    header.header.tensors.clear();
    assert!(
        header
            .problem()
            .contains("\"token_embd.weight\" is missing")
    );
}

#[test]
fn an_architecture_that_is_not_supported_is_named_with_those_that_are() {
    let error = Fixture::new("mamba", json!({})).read().unwrap_err();
    assert_eq!(
        error.to_string(),
        "model.gguf: general.architecture is \"mamba\", which is not supported"
    );
    assert_eq!(
        error.hint(),
        "supported: llama, qwen2, qwen3, gemma2, gemma3, phi3"
    );
    assert_eq!(Architecture::ALL.len(), 6);
    let mut silent = Fixture::new("llama", json!({}));
    silent.header.metadata = Metadata::default();
    let problem = silent.problem();
    assert!(problem.contains("general.architecture is missing"));
}
