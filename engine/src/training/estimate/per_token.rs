//! What a token takes, by hand, on a card that computes in 16 bits. Llama-3.1-8B has 32 blocks of
//! width 4096, 32 heads of 128, 8 of them for keys and values (1024 together); its xLadder has 8 side
//! layers of width 512 in 8 heads and 4 taps, its LoRA rank 16.

use stepladder_protocol::{Method, RunConfig, Switch, TapDtype};

use super::*;

/// Bytes per token of one long row.
fn per_token(config: &RunConfig) -> u64 {
    let model = EstimatedModel::open("llama-3.1-8b").unwrap();
    let total = |seq| {
        let shape = BatchShape { batch: 1, seq };
        let device = DeviceClass::cuda();
        let plan = estimate(config, &model, device, shape).unwrap();
        (plan.total_bytes, plan.peak_moment, plan.offloaded_bytes)
    };
    let (low, high) = (total(90_000), total(100_000));
    assert_eq!(low.1, high.1, "one moment is the peak at both");
    (high.0 - low.0) / 10_000
}

fn config(method: Method, recompute: Switch) -> RunConfig {
    RunConfig {
        method,
        recompute: Some(recompute),
        ..RunConfig::default()
    }
}

#[test]
fn an_xladder_that_recomputes_keeps_taps_and_states() {
    // In the last side layer's forward pass: 4 taps; 8 inputs of side layers; x_L; the layer's queries,
    // keys, values and output; side angles (cosine and sine of 32 pairs in 32 bits).
    let by_hand = 2 * (4 * 4096 + 8 * 512 + 4096 + 4 * 512) + 2 * 32 * 4;
    assert_eq!(per_token(&config(Method::Xladder, Switch::On)), by_hand);
    // Taps in RAM are not there.
    let offloaded = RunConfig {
        offload_activations: Switch::On,
        tap_dtype: TapDtype::Bf16,
        ..config(Method::Xladder, Switch::On)
    };
    assert!(per_token(&offloaded) < by_hand - 2 * 3 * 4096);
}

#[test]
fn an_xladder_that_recomputes_its_taps_keeps_no_width_of_the_backbone() {
    let config = RunConfig {
        recompute_taps: Switch::On,
        ..config(Method::Xladder, Switch::On)
    };
    // In a block of the forward pass with the most side states there are before the last tap (3 inputs
    // and s_3): x, queries (4096), keys and values (1024 each), angles of backbone (64 pairs) and side.
    let forward = 2 * (4096 + 4096 + 2 * 1024 + 3 * 512 + 512) + 2 * (64 + 32) * 4;
    // In the second forward pass: 4 gradients of joined states instead, and no side angles.
    let second = 2 * (4096 + 4096 + 2 * 1024 + 4 * 512) + 2 * 64 * 4;
    assert_eq!(per_token(&config), forward.max(second));
}

#[test]
fn a_qlora_that_recomputes_keeps_the_blocks_inputs() {
    // In the last block's backward: 32 inputs; the gradient; queries, keys, values, what attention made,
    // its gradient, and those of queries, keys and values; for each of 32 heads in f32 the log-sum-exp and
    // the sum of what attention made and its gradient.
    let attention = (4096 + 2 * 1024) + 4096 + 4096 + (4096 + 2 * 1024);
    let by_hand = 2 * (32 * 4096 + 4096 + attention) + 2 * 32 * 4 + 2 * 64 * 4;
    assert_eq!(per_token(&config(Method::Qlora, Switch::On)), by_hand);
}
