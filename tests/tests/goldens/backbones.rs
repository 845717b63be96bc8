//! Hidden states after every block and logits, against transformers.

use candle_core::{IndexOp, Tensor};
use stepladder_engine::models::checkpoint::Checkpoint;
use stepladder_engine::models::config::{Activation, DecoderConfig};
use stepladder_engine::models::decoder::{Decoder, TokenInput};
use stepladder_engine::models::kv_cache::KvCache;
use stepladder_engine::models::quantization::BackboneQuantization;
use stepladder_engine::models::rope_scaling::RopeScaling;
use stepladder_tests::{
    assert_close, difference, golden, golden_path, numbers, positions, unsigned,
};

const ALL: [&str; 16] = [
    "llama2",
    "llama3",
    "llama3-f16-sharded",
    "qwen2",
    "qwen2-tied-bf16",
    "qwen3",
    "mistral",
    "qwen2-window",
    "gemma2",
    "gemma3-text",
    "gemma3-nested",
    "phi3",
    "phi4-mini",
    "llama-yarn",
    "llama-linear",
    "smollm",
];
const TOLERANCE: f64 = 1e-4;

pub fn config(name: &str) -> DecoderConfig {
    let path = golden_path("backbones").join(name).join("config.json");
    DecoderConfig::from_json(&path, &std::fs::read(&path).unwrap()).unwrap()
}

pub fn decoder(name: &str, config: DecoderConfig) -> Decoder {
    let checkpoint = Checkpoint::open(&golden_path("backbones").join(name)).unwrap();
    Decoder::load(config, &checkpoint, BackboneQuantization::AS_STORED).unwrap()
}

/// Layers with a window lose it, the others get it.
fn swap_windows(windows: &mut [Option<usize>]) {
    let window = windows.iter().copied().flatten().next();
    for layer in windows {
        *layer = if layer.is_some() { None } else { window };
    }
}

pub fn logits_of(name: &str, decoder: &Decoder) -> (Vec<Tensor>, Tensor, Tensor) {
    let golden = golden(&format!("backbones/{name}/golden.safetensors"));
    let (batch, seq) = golden["input_ids"].dims2().unwrap();
    let ids = unsigned(&golden["input_ids"]);
    let positions = positions(batch, seq);
    let input = TokenInput {
        ids: &ids,
        positions: &positions,
        first_visible: &[],
        batch,
        seq,
    };
    let mut hidden = Vec::new();
    let last = decoder
        .forward(input, None, |_, output| {
            hidden.push(output.copy()?);
            Ok(())
        })
        .unwrap();
    let logits = decoder.logits(&last).unwrap();
    (hidden, logits, golden["logits"].clone())
}

#[test]
fn every_block_and_the_logits_agree_with_transformers() {
    for name in ALL {
        let decoder = decoder(name, config(name));
        let golden = golden(&format!("backbones/{name}/golden.safetensors"));
        let (hidden, logits, expected) = logits_of(name, &decoder);
        for (layer, ours) in hidden.iter().enumerate() {
            let label = format!("{name}: block {}", layer + 1);
            assert_close(&label, ours, &golden["hidden"].i(layer).unwrap(), TOLERANCE);
        }
        assert_close(&format!("{name}: logits"), &logits, &expected, TOLERANCE);
        let rows = expected.dim(2).unwrap();
        let argmax = |tensor: &Tensor| {
            let flat = tensor.reshape(((), rows)).unwrap();
            flat.argmax(1).unwrap().to_vec1::<u32>().unwrap()
        };
        assert_eq!(argmax(&logits), argmax(&expected), "{name}: argmax");
    }
}

/// A witness that does not notice a missing feature proves nothing: each one, switched off, must
/// move the logits by a hundred tolerances.
#[test]
fn every_feature_is_noticed_when_it_is_off() {
    type Change = fn(&mut DecoderConfig);
    let cases: [(&str, &str, Change); 32] = [
        ("llama3", "rope scaling", |c| {
            c.rope.scaling = RopeScaling::None
        }),
        ("llama3-f16-sharded", "rope scaling", |c| {
            c.rope.scaling = RopeScaling::None
        }),
        ("llama3", "rope theta", |c| c.rope.theta = 10_000.0),
        ("qwen2", "rope theta", |c| c.rope.theta = 10_000.0),
        ("qwen2", "qkv bias", |c| c.qkv_bias = false),
        ("qwen2-tied-bf16", "qkv bias", |c| c.qkv_bias = false),
        ("qwen3", "q and k norms", |c| c.qk_norm = false),
        ("qwen3", "norm eps", |c| c.norm_eps = 1e-6),
        ("llama2", "rope", |c| c.rope.theta = 1e30),
        ("mistral", "window", |c| c.windows.fill(None)),
        ("mistral", "window of 7", |c| c.windows.fill(Some(8))),
        ("qwen2-window", "window", |c| c.windows.fill(None)),
        ("qwen2-window", "full layer", |c| c.windows.fill(Some(7))),
        ("gemma2", "attention soft-cap", |c| {
            c.attention_soft_cap = None
        }),
        ("gemma2", "final soft-cap", |c| c.final_soft_cap = None),
        ("gemma2", "score scale", |c| c.attention_scale = 0.25),
        ("gemma2", "embedding scale", |c| c.embedding_scale = None),
        ("gemma2", "1 + w", |c| c.norms_around_one = false),
        ("gemma2", "alternating windows", |c| {
            swap_windows(&mut c.windows)
        }),
        ("gemma2", "gelu", |c| c.activation = Activation::Silu),
        ("gemma3-text", "window's rope", |c| c.window_rope = None),
        ("gemma3-text", "linear scaling", |c| {
            c.rope.scaling = RopeScaling::None
        }),
        ("gemma3-text", "q and k norms", |c| c.qk_norm = false),
        ("gemma3-text", "pattern of windows", |c| {
            swap_windows(&mut c.windows)
        }),
        ("gemma3-text", "embedding scale", |c| {
            c.embedding_scale = None
        }),
        ("gemma3-nested", "window's rope", |c| c.window_rope = None),
        ("gemma3-nested", "1 + w", |c| c.norms_around_one = false),
        ("phi3", "window", |c| c.windows.fill(None)),
        ("phi4-mini", "longrope", |c| {
            c.rope.scaling = RopeScaling::None
        }),
        ("llama-yarn", "yarn", |c| c.rope.scaling = RopeScaling::None),
        ("llama-linear", "linear scaling", |c| {
            c.rope.scaling = RopeScaling::None
        }),
        ("smollm", "rope theta", |c| c.rope.theta = 10_000.0),
    ];
    for (name, feature, change) in cases {
        let mut changed = config(name);
        change(&mut changed);
        let (_, logits, expected) = logits_of(name, &decoder(name, changed));
        let moved = difference(&logits, &expected) / TOLERANCE;
        assert!(
            moved > 100.0,
            "{name} without {feature}: only {moved:.1} tolerances"
        );
    }
}

#[test]
fn cached_equals_uncached() {
    // LongRoPE turns the keys of a longer example otherwise; the generator then starts over.
    for name in ALL.into_iter().filter(|name| *name != "phi4-mini") {
        let decoder = decoder(name, config(name));
        let golden = golden(&format!("backbones/{name}/golden.safetensors"));
        let (batch, seq) = golden["input_ids"].dims2().unwrap();
        let ids = unsigned(&golden["input_ids"]);
        let mut cache = KvCache::new(decoder.config().layers);
        // prompt of 7, then chunks of uneven size, so that a chunk meets a filled cache
        let mut rows: Vec<Vec<Tensor>> = vec![Vec::new(); batch];
        for (start, end) in [(0, 7), (7, 8), (8, 9), (9, 30), (30, seq)] {
            let count = end - start;
            let chunk: Vec<u32> = (0..batch)
                .flat_map(|b| ids[b * seq + start..b * seq + end].to_vec())
                .collect();
            let positions: Vec<u32> = (0..batch).flat_map(|_| start as u32..end as u32).collect();
            let input = TokenInput {
                ids: &chunk,
                positions: &positions,
                first_visible: &[],
                batch,
                seq: count,
            };
            let hidden = decoder
                .forward(input, Some(&mut cache), |_, _| Ok(()))
                .unwrap();
            let logits = decoder.logits(&hidden).unwrap();
            for (row, parts) in rows.iter_mut().enumerate() {
                parts.push(logits.narrow(0, row * count, count).unwrap());
            }
        }
        let rows: Vec<Tensor> = rows
            .iter()
            .map(|parts| Tensor::cat(parts, 0).unwrap())
            .collect();
        let logits = Tensor::cat(&rows, 0).unwrap();
        assert_close(
            &format!("{name}: cached"),
            &logits,
            &golden["logits"],
            TOLERANCE,
        );
    }
}

/// Each model's config in the style of published checkpoints and in that of transformers 5.
#[test]
fn both_styles_of_config_say_the_same() {
    let mut compared = 0;
    for name in ALL {
        for other in ["config.published.json", "config.transformers5.json"] {
            let path = golden_path("backbones").join(name).join(other);
            if let Ok(json) = std::fs::read(&path) {
                let parsed = DecoderConfig::from_json(&path, &json).unwrap();
                assert_eq!(parsed, config(name), "{name}: {other}");
                compared += 1;
            }
        }
    }
    assert!(compared >= 10, "only {compared} configs in another style");
}

/// Up to the trained length, LongRoPE's short divisors hold.
#[test]
fn longrope_changes_its_divisors_with_the_length() {
    let decoder = decoder("phi4-mini", config("phi4-mini"));
    let golden = golden("backbones/phi4-mini/golden.safetensors");
    for case in ["short", "boundary"] {
        let tensor = |name: &str| &golden[&format!("{case}.{name}")];
        let (batch, seq) = tensor("input_ids").dims2().unwrap();
        let (ids, positions) = (unsigned(tensor("input_ids")), positions(batch, seq));
        let input = TokenInput {
            ids: &ids,
            positions: &positions,
            first_visible: &[],
            batch,
            seq,
        };
        let hidden = decoder.forward(input, None, |_, _| Ok(())).unwrap();
        let logits = decoder.logits(&hidden).unwrap();
        assert_close(
            &format!("phi4-mini: {case}"),
            &logits,
            tensor("logits"),
            TOLERANCE,
        );
        assert!(!decoder.outgrows_cache(seq - 1, seq));
    }
    assert!(decoder.outgrows_cache(16, 17));
}

/// Frequencies at the sizes of real models, relative to each: small ones matter far out.
#[test]
fn rotary_frequencies_are_transformers() {
    let cases: serde_json::Value =
        serde_json::from_slice(&std::fs::read(golden_path("frequencies.json")).unwrap()).unwrap();
    let tensors = golden("frequencies.safetensors");
    let mut compared = 0;
    for (name, fragment) in cases.as_object().unwrap() {
        let mut json = serde_json::json!({
            "vocab_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "rms_norm_eps": 1e-5,
            "max_position_embeddings": 131_072,
        });
        let fields = json.as_object_mut().unwrap();
        fields.extend(fragment.as_object().unwrap().clone());
        let bytes = serde_json::to_vec(&json).unwrap();
        let config = DecoderConfig::from_json(std::path::Path::new(name), &bytes).unwrap();
        for which in [
            "every_layer",
            "full_attention",
            "sliding_attention",
            "short",
            "long",
        ] {
            let Some(frequencies) = tensors.get(&format!("{name}.{which}.inverse_frequencies"))
            else {
                continue;
            };
            let rope = match which {
                "sliding_attention" => config.window_rope.as_ref().unwrap(),
                _ => &config.rope,
            };
            let rotary = rope.rotary_embedding(config.head_dim);
            let tokens = if which == "long" { 100_000 } else { 1 };
            let expected = numbers(frequencies);
            let ours = rotary.frequencies(tokens);
            assert_eq!(ours.len(), expected.len(), "{name}.{which}");
            for (ours, expected) in ours.iter().zip(&expected) {
                let error = (ours / expected - 1.0).abs();
                assert!(error < 2e-6, "{name}.{which}: {ours} / {expected}");
            }
            let amplitude = numbers(&tensors[&format!("{name}.{which}.attention_factor")])[0];
            assert!(
                (rotary.amplitude() - amplitude).abs() < 1e-9,
                "{name}.{which}: {amplitude}"
            );
            compared += 1;
        }
    }
    assert!(compared >= 14, "only {compared} cases compared");
}
