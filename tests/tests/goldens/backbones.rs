//! Hidden states after every block and logits, against transformers.

use candle_core::{IndexOp, Tensor};
use stepladder_engine::models::checkpoint::Checkpoint;
use stepladder_engine::models::config::DecoderConfig;
use stepladder_engine::models::decoder::{Decoder, TokenInput};
use stepladder_engine::models::kv_cache::KvCache;
use stepladder_engine::models::rope_scaling::RopeScaling;
use stepladder_tests::{assert_close, difference, golden, golden_path, positions, unsigned};

const ALL: [&str; 6] = [
    "llama2",
    "llama3",
    "llama3-f16-sharded",
    "qwen2",
    "qwen2-tied-bf16",
    "qwen3",
];
const TOLERANCE: f64 = 1e-4;

pub fn config(name: &str) -> DecoderConfig {
    let path = golden_path("backbones").join(name).join("config.json");
    DecoderConfig::from_json(&path, &std::fs::read(&path).unwrap()).unwrap()
}

pub fn decoder(name: &str, config: DecoderConfig) -> Decoder {
    let checkpoint = Checkpoint::open(&golden_path("backbones").join(name)).unwrap();
    Decoder::load(config, &checkpoint).unwrap()
}

fn logits_of(name: &str, decoder: &Decoder) -> (Vec<Tensor>, Tensor, Tensor) {
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
            hidden.push(output.clone());
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
    let cases: [(&str, &str, Change); 9] = [
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
    for name in ALL {
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
