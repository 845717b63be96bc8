//! Token by token with caches gives what the whole sequence at once gives.

use candle_core::Tensor;
use stepladder_engine::generation::generator::{AdapterInUse, Generator};
use stepladder_engine::models::decoder::TokenInput;
use stepladder_engine::ops::elementwise::gather_rows;
use stepladder_protocol::TapDtype;
use stepladder_tests::{assert_close, positions};

use super::ladders::{CASES, Case};

fn argmax(logits: &Tensor) -> u32 {
    logits.argmax(0).unwrap().to_scalar::<u32>().unwrap()
}

#[test]
fn greedy_tokens_and_logits_are_the_same_cached_and_uncached() {
    for name in CASES {
        let case = Case::load(name);
        let network = case.network();
        for adapter in [
            None,
            Some((&network, TapDtype::F32)),
            Some((&network, TapDtype::Bf16)),
        ] {
            let in_use = adapter.map(|(network, dtype)| AdapterInUse::Side(network, dtype));
            let mut generator = Generator::new(&case.backbone, in_use);
            let mut ids: Vec<u32> = case.tokens().ids[..9].to_vec();
            let mut logits = generator.push(&ids).unwrap();
            for _ in 0..40 {
                let positions = positions(1, ids.len());
                let input = TokenInput {
                    ids: &ids,
                    positions: &positions,
                    first_visible: &[],
                    batch: 1,
                    seq: ids.len(),
                };
                let last = [(ids.len() - 1) as u32];
                let hidden = match adapter {
                    None => {
                        let hidden = case.backbone.forward(input, None, |_, _| Ok(())).unwrap();
                        gather_rows(&hidden, &last).unwrap()
                    }
                    Some((network, tap_dtype)) => {
                        let (hidden, side) =
                            network.run(&case.backbone, input, None, tap_dtype).unwrap();
                        let rows = |x: &Tensor| gather_rows(x, &last).unwrap();
                        network.upsample(&rows(&hidden), &rows(&side)).unwrap()
                    }
                };
                let uncached = case.backbone.logits(&hidden).unwrap().squeeze(0).unwrap();
                // bf16 taps may round to the other side of a step where the last bits differ.
                let tolerance = match adapter {
                    Some((_, TapDtype::Bf16)) => 2e-2,
                    _ => 1e-4,
                };
                assert_close(
                    &format!("{name}: {} tokens", ids.len()),
                    &logits,
                    &uncached,
                    tolerance,
                );
                if tolerance < 1e-3 {
                    assert_eq!(
                        argmax(&logits),
                        argmax(&uncached),
                        "{name}: {} tokens",
                        ids.len()
                    );
                }
                ids.push(argmax(&uncached));
                logits = generator.push(&ids[ids.len() - 1..]).unwrap();
            }
            assert_eq!(generator.tokens(), ids.len());
        }
    }
}
