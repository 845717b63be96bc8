//! Batched answers of random models of every family: prompts of different lengths, more of them than
//! rows, sliding windows, and LongRoPE's change in the middle of an answer.

use candle_core::Tensor;
use stepladder_engine::generation::generator::{AdapterInUse, Generator};
use stepladder_engine::generation::{BatchGenerator, Prompt, SamplerSettings, Variant};
use stepladder_engine::models::decoder::Decoder;
use stepladder_engine::models::tokenizer::GenerationDefaults;
use stepladder_engine::training::stop_flag::StopFlag;
use stepladder_protocol::TapDtype;
use stepladder_tests::{assert_close, numbers};

use super::backbones;
use super::ladders::Case;

const NEW_TOKENS: usize = 24;

/// Prompts of uneven lengths; the answers to some go beyond a window of 7 and past the 16 tokens at
/// which the LongRoPE model turns its keys otherwise.
fn prompts(vocabulary: usize, variants: &[usize]) -> Vec<Prompt> {
    let lengths = [30, 3, 17, 1, 9, 36, 5];
    let prompt = |(number, length): (usize, usize)| Prompt {
        ids: (0..length)
            .map(|at| ((at * 31 + number * 17 + 5) % vocabulary) as u32)
            .collect(),
        variants: variants.to_vec(),
        settings: SamplerSettings {
            temperature: Some(0.0),
            max_tokens: Some(NEW_TOKENS),
            ..SamplerSettings::default()
        },
    };
    lengths.into_iter().enumerate().map(prompt).collect()
}

/// Difference between the two largest logits.
fn top_2_gap(logits: &Tensor) -> f64 {
    let mut sorted = numbers(logits);
    sorted.sort_by(|a, b| b.total_cmp(a));
    sorted[0] - sorted[1]
}

/// Every token of every batched answer was drawn from the logits that a generator alone has there.
fn assert_as_alone(name: &str, backbone: &Decoder, adapters: &[Option<AdapterInUse<'_>>]) {
    let variants = adapters.iter().map(|adapter| Variant {
        adapter: *adapter,
        stop_tokens: Vec::new(),
    });
    let defaults = GenerationDefaults::default();
    let numbers: Vec<usize> = (0..adapters.len()).collect();
    let prompts = prompts(backbone.config().vocabulary, &numbers);
    let generator = BatchGenerator::new(backbone, variants.collect(), &defaults);
    for rows in [1, 3, 8] {
        let mut said = vec![Vec::new(); prompts.len() * adapters.len()];
        let generator = generator.clone().with_rows(rows);
        let answers = generator.answer(&prompts, &StopFlag::default(), &mut |token| {
            let place = token.prompt * adapters.len() + token.variant;
            said[place].push((token.token, token.logits.copy().unwrap()));
        });
        for (answer, said) in answers.unwrap().iter().zip(&said) {
            let ids: Vec<u32> = said.iter().map(|(token, _)| *token).collect();
            assert_eq!(answer.ids, ids);
            assert_eq!(ids.len(), NEW_TOKENS);
            let label = format!("{name}, {rows} rows, prompt {}", answer.prompt);
            let mut alone = Generator::new(backbone, adapters[answer.variant]);
            let mut expected = alone.push(&prompts[answer.prompt].ids).unwrap();
            for (token, logits) in said {
                assert_close(&label, logits, &expected, 1e-4);
                let likeliest = expected.argmax(0).unwrap().to_scalar::<u32>().unwrap();
                assert!(
                    *token == likeliest || top_2_gap(&expected) < 1e-4,
                    "{label}"
                );
                expected = alone.push(&[*token]).unwrap();
            }
        }
    }
}

#[test]
fn batched_logits_are_those_of_a_generator_alone() {
    for name in [
        "llama3",
        "mistral",
        "gemma2",
        "gemma3-text",
        "phi3",
        "phi4-mini",
        "qwen2-window",
        "qwen3",
    ] {
        let backbone = backbones::decoder(name, backbones::config(name));
        assert_as_alone(name, &backbone, &[None]);
    }
}

#[test]
fn the_change_of_longrope_falls_into_these_answers() {
    let backbone = backbones::decoder("phi4-mini", backbones::config("phi4-mini"));
    let prompts = prompts(backbone.config().vocabulary, &[0]);
    let changes = |prompt: &&Prompt| {
        let tokens = prompt.ids.len();
        (tokens..tokens + NEW_TOKENS - 1).any(|seen| backbone.outgrows_cache(seen, seen + 1))
    };
    assert!(prompts.iter().filter(changes).count() >= 2);
}

#[test]
fn base_and_side_network_in_one_batch_are_as_alone() {
    for name in ["ladder-linear-gate-qwen3", "xladder-shared-sum-qwen2"] {
        let case = Case::load(name);
        let network = case.network();
        let side = Some(AdapterInUse::Side(&network, TapDtype::F32));
        assert_as_alone(name, &case.backbone, &[None, side]);
    }
}
