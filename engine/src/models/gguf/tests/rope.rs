//! The rotary embedding: keys, and tensors of divisors.

use std::path::Path;

use serde_json::{Value as Json, json};

use super::Fixture;
use crate::models::config::DecoderConfig;
use crate::models::rope_scaling::RopeScaling;

/// What a config.json says.
fn published(json: Json) -> DecoderConfig {
    DecoderConfig::from_json(Path::new("config.json"), json.to_string().as_bytes()).unwrap()
}

/// Llama 3's divisors in f32, as the converter computes them.
fn llama3_divisors(theta: f32, original: f32, factor: f32, pairs: usize) -> Vec<f32> {
    let divisor = |pair: usize| {
        let frequency = 1.0 / theta.powf(pair as f32 / pairs as f32);
        let turns = original * frequency / (2.0 * std::f32::consts::PI);
        if turns > 4.0 {
            1.0
        } else if turns < 1.0 {
            factor
        } else {
            let smooth = (turns - 1.0) / 3.0;
            1.0 / ((1.0 - smooth) / factor + smooth)
        }
    };
    (0..pairs).map(divisor).collect()
}

#[test]
fn llama_3_1_comes_back_as_published() {
    let header = Fixture::new(
        "llama",
        json!({"rope.freq_base": 500_000.0, "rope.dimension_count": 128, "vocab_size": 128_256}),
    )
    .with("tokenizer.ggml.eos_token_id", &json!(128_009))
    .with("tokenizer.ggml.eom_token_id", &json!(128_008))
    .tensor("output.weight", &[128_256, 4096])
    .numbers(
        "rope_freqs.weight",
        llama3_divisors(500_000.0, 8192.0, 8.0, 64),
    );
    let expected = published(json!({
        "model_type": "llama", "vocab_size": 128_256, "hidden_size": 4096,
        "num_hidden_layers": 4, "num_attention_heads": 32, "num_key_value_heads": 8,
        "intermediate_size": 14336, "rms_norm_eps": 1e-5, "max_position_embeddings": 131_072,
        "rope_theta": 500_000.0, "tie_word_embeddings": false, "eos_token_id": [128_009, 128_008],
        "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 8192},
    }));
    assert_eq!(header.config(), expected);
}

#[test]
fn other_divisors_divide_at_every_length() {
    let divisors = llama3_divisors(500_000.0, 512.0, 8.0, 64);
    let header = Fixture::new("llama", json!({"rope.freq_base": 500_000.0}))
        .numbers("rope_freqs.weight", divisors.clone());
    let rotary = header.config().rope.rotary_embedding(128);
    for tokens in [1, 131_072, 1_000_000] {
        for (pair, divisor) in divisors.iter().enumerate() {
            let expected = 500_000_f64.powf(-(pair as f64) / 64.0) / f64::from(*divisor);
            let error = (rotary.frequencies(tokens)[pair] / expected - 1.0).abs();
            assert!(error < 1e-12, "pair {pair} at {tokens}: {error}");
        }
    }
    assert_eq!(rotary.amplitude(), 1.0);
    let wrong = Fixture::new("llama", json!({})).numbers("rope_freqs.weight", vec![1.0; 63]);
    let problem = wrong.problem();
    assert!(problem.contains("\"rope_freqs.weight\" is not a list of 64"));
}

#[test]
fn phi_has_a_fraction_of_the_head_two_sets_of_divisors_and_a_window() {
    let published_amplitude = (1.0 + 32f64.ln() / 4096f64.ln()).sqrt();
    let keys = json!({
        "embedding_length": 3072, "attention.head_count": 24, "rope.dimension_count": 96,
        "rope.scaling.original_context_length": 4096, "attention.sliding_window": 262_144,
        "rope.scaling.attn_factor": f64::from(published_amplitude as f32),
    });
    let header = Fixture::new("phi3", keys)
        .numbers("rope_factors_long.weight", vec![2.5; 48])
        .numbers("rope_factors_short.weight", vec![1.25; 48]);
    let config = header.config();
    assert_eq!(config.rope.rotated_fraction, 0.75);
    assert_eq!(config.windows, [Some(262_144); 4]);
    let expected = RopeScaling::LongRope {
        short: vec![1.25; 48],
        long: vec![2.5; 48],
        amplitude: published_amplitude,
        original_max_positions: 4096.0,
    };
    assert_eq!(config.rope.scaling, expected);
    let key = "phi3.rope.scaling.attn_factor";
    let RopeScaling::LongRope { amplitude, .. } =
        header.clone().with(key, &json!(1.5)).config().rope.scaling
    else {
        panic!("not longrope");
    };
    assert_eq!(amplitude, 1.5);
    let no_window = header.with("phi3.attention.sliding_window", &json!(0));
    assert_eq!(no_window.config().windows, [None; 4]);
    let half = Fixture::new("phi3", json!({}))
        .numbers("rope_factors_long.weight", vec![2.0; 64])
        .problem();
    assert!(half.contains("must both be there"), "{half}");
}

#[test]
fn linear_and_yarn_scaling_come_back() {
    let linear = |keys| Fixture::new("llama", keys).config().rope.scaling;
    let expected = RopeScaling::Linear { factor: 4.0 };
    assert_eq!(linear(json!({"rope.scale_linear": 4.0})), expected);
    assert_eq!(linear(json!({"rope.scaling.factor": 4.0})), expected);
    let none = json!({"rope.scaling.type": "none", "rope.scaling.factor": 4.0});
    assert_eq!(linear(none), RopeScaling::None);
    let yarn = |more: Json| {
        let keys = json!({
            "context_length": 131_072, "rope.scaling.type": "yarn", "rope.scaling.factor": 4.0,
            "rope.scaling.original_context_length": 32_768,
        });
        let header = Fixture::new("qwen3", keys);
        let more = more.as_object().unwrap().clone();
        more.into_iter()
            .fold(header, |header, (key, value)| {
                header.with(&format!("qwen3.rope.scaling.{key}"), &value)
            })
            .config()
            .rope
            .scaling
    };
    let usual = 0.1 * 4f64.ln() + 1.0;
    for (more, expected_amplitude, expected_beta) in [
        (json!({}), usual, 32.0),
        (json!({"yarn_attn_factor": 1.5}), 1.5, 32.0),
        (
            json!({"attn_factor": 0.5, "yarn_beta_fast": 16.0}),
            usual * 0.5,
            16.0,
        ),
    ] {
        let RopeScaling::Yarn {
            factor,
            beta_fast,
            amplitude,
            original_max_positions,
            ..
        } = yarn(more)
        else {
            panic!("not yarn");
        };
        assert_eq!((factor, original_max_positions), (4.0, 32_768.0));
        assert_eq!((amplitude, beta_fast), (expected_amplitude, expected_beta));
    }
}
