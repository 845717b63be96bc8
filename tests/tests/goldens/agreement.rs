//! A decoder held against what transformers computed: the output of every block, and the logits.

use std::collections::HashMap;

use candle_core::{IndexOp, Tensor};
use stepladder_engine::models::decoder::{Decoder, TokenInput};
use stepladder_tests::{assert_close, positions, unsigned};

const TOLERANCE: f64 = 1e-4;

/// `golden` has `input_ids` `[batch, seq]`, `hidden` `[layers, batch * seq, d_model]` and `logits`.
pub fn assert_agrees(label: &str, decoder: &Decoder, golden: &HashMap<String, Tensor>) {
    let (batch, seq) = golden["input_ids"].dims2().unwrap();
    let (ids, positions) = (unsigned(&golden["input_ids"]), positions(batch, seq));
    let input = TokenInput {
        ids: &ids,
        positions: &positions,
        first_visible: &[],
        batch,
        seq,
    };
    let mut block = 0;
    let last = decoder
        .forward(input, None, |_, output| {
            let expected = golden["hidden"].i(block)?;
            block += 1;
            assert_close(
                &format!("{label}: block {block}"),
                output,
                &expected,
                TOLERANCE,
            );
            Ok(())
        })
        .unwrap();
    assert_eq!(block, decoder.config().layers, "{label}");
    let logits = decoder.logits(&last).unwrap();
    assert_close(
        &format!("{label}: logits"),
        &logits,
        &golden["logits"],
        TOLERANCE,
    );
}
