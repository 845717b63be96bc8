//! Batched answers beside answers one by one, with the built-in model and adapters of every kind.

use std::collections::BTreeMap;

use candle_core::Device;
use stepladder_protocol::{Method, RunConfig, TapDtype};

use super::*;
use crate::adapters::network::Network;
use crate::adapters::parameters::Parameters;
use crate::generation::generator::Generator;
use crate::models::chat_template::{Dialog, GenerationPrompt, Message, Role};
use crate::models::model::ModelFiles;
use crate::models::quantization::BackboneQuantization;
use crate::training::plan::ModelPlan;

/// Numbers between -1 and 1, the same every time.
fn noise(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
}

/// An adapter that says something else than the base model: what begins at zero is not.
fn adapter(files: &ModelFiles, method: Method, seed: u64) -> Network {
    let request = RunConfig {
        method,
        ..RunConfig::default()
    };
    let shape = ModelPlan::resolve(&request, &files.config).unwrap().shape;
    let fresh = Network::initialize(shape.clone(), seed).unwrap();
    let mut next = noise(seed);
    let tensors = fresh.parameters().iter().map(|(name, tensor)| {
        let size = match name {
            _ if name.starts_with("upsample") => 1.0,
            _ if name.ends_with("lora_b") => 0.3,
            _ => 0.0,
        };
        let numbers: Vec<f32> = { tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap() }
            .into_iter()
            .map(|number| number + size * next())
            .collect();
        let tensor = Tensor::from_vec(numbers, tensor.shape(), &Device::Cpu).unwrap();
        (name.to_owned(), tensor)
    });
    let tensors: BTreeMap<String, Tensor> = tensors.collect();
    Network::from_parameters(shape, Parameters::new(tensors)).unwrap()
}

struct Stage {
    files: ModelFiles,
    backbone: Decoder,
    networks: Vec<Network>,
}

impl Stage {
    fn new() -> Self {
        let files = ModelFiles::open("builtin").unwrap();
        let backbone = files.load_decoder(BackboneQuantization::AS_STORED).unwrap();
        let methods = [Method::Ladder, Method::Xladder, Method::Lora];
        let networks = { methods.into_iter().zip(5..) }
            .map(|(method, seed)| adapter(&files, method, seed))
            .collect();
        Self {
            files,
            backbone,
            networks,
        }
    }

    /// The base model and every adapter.
    fn variants(&self) -> Vec<Variant<'_>> {
        let adapters = self.networks.iter().map(Some);
        { std::iter::once(None).chain(adapters) }
            .map(|network| Variant {
                adapter: network.map(|network| AdapterInUse::new(network, TapDtype::F32)),
                stop_tokens: self.files.tokenizer.stop_tokens().to_vec(),
            })
            .collect()
    }

    fn prompts(&self, variants: &[usize], settings: &SamplerSettings) -> Vec<Prompt> {
        let questions = include_str!("../../../../assets/questions.jsonl")
            .lines()
            .take(8);
        let ids = questions.map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let question = Message::new(Role::User, line["question"].as_str().unwrap());
            let template = self.files.template().unwrap();
            let dialog = [question];
            let dialog = Dialog::new(&dialog);
            let prompt = template
                .render(&dialog, GenerationPrompt::Assistant)
                .unwrap();
            self.files.tokenizer.encode(&prompt).unwrap().ids
        });
        ids.enumerate()
            .map(|(number, ids)| Prompt {
                ids,
                variants: variants.to_vec(),
                settings: SamplerSettings {
                    seed: Some(number as u64),
                    ..settings.clone()
                },
            })
            .collect()
    }

    fn generator(&self, rows: usize) -> BatchGenerator<'_> {
        let defaults = self.files.tokenizer.generation_defaults();
        BatchGenerator::new(&self.backbone, self.variants(), defaults).with_rows(rows)
    }

    /// Without any batch.
    fn alone(&self, prompt: &Prompt, variant: usize) -> (Vec<u32>, FinishReason) {
        let Variant {
            adapter,
            stop_tokens,
        } = self.variants().swap_remove(variant);
        let mut sampler =
            Sampler::new(&prompt.settings, self.files.tokenizer.generation_defaults());
        let mut generator = Generator::new(&self.backbone, adapter);
        let mut logits = generator.push(&prompt.ids).unwrap();
        let mut said = Vec::new();
        loop {
            let token = sampler.sample(&logits, &said).unwrap();
            if stop_tokens.contains(&token) {
                return (said, FinishReason::Stop);
            }
            said.push(token);
            if said.len() == prompt.settings.max_tokens.unwrap() {
                return (said, FinishReason::Length);
            }
            logits = generator.push(&[token]).unwrap();
        }
    }
}

fn settings(temperature: f64, max_tokens: usize) -> SamplerSettings {
    SamplerSettings {
        temperature: Some(temperature),
        max_tokens: Some(max_tokens),
        ..SamplerSettings::default()
    }
}

#[test]
fn answers_are_those_given_one_by_one() {
    let stage = Stage::new();
    let mut said_differently = 0;
    for settings in [settings(0.0, 40), settings(1.0, 30)] {
        for variants in [&[0][..], &[1], &[2], &[3], &[0, 1, 2, 3]] {
            let prompts = stage.prompts(variants, &settings);
            let alone: Vec<Answer> = { prompts.iter().enumerate() }
                .flat_map(|(number, prompt)| {
                    let stage = &stage;
                    prompt.variants.iter().map(move |&variant| {
                        let (ids, finish) = stage.alone(prompt, variant);
                        Answer {
                            prompt: number,
                            variant,
                            ids,
                            finish,
                        }
                    })
                })
                .collect();
            let base_says = |answer: &&Answer| answer.ids != alone[0].ids;
            said_differently += alone[..variants.len()].iter().filter(base_says).count();
            for rows in [1, 3, 8] {
                let mut heard = vec![Vec::new(); alone.len()];
                let place = |prompt: usize, variant: usize| {
                    let wanted =
                        |answer: &Answer| (answer.prompt, answer.variant) == (prompt, variant);
                    alone.iter().position(wanted).unwrap()
                };
                let answers = { stage.generator(rows) }
                    .answer(&prompts, &StopFlag::default(), &mut |said| {
                        heard[place(said.prompt, said.variant)].push(said.token);
                    })
                    .unwrap();
                assert_eq!(answers, alone, "{variants:?}, {rows} rows, {settings:?}");
                let ids: Vec<Vec<u32>> = answers.into_iter().map(|answer| answer.ids).collect();
                assert_eq!(heard, ids);
            }
        }
    }
    // Of two settings with three adapters each.
    assert!(said_differently >= 4, "only {said_differently} of 6");
}

#[test]
fn a_prompt_is_taken_in_once_for_all_that_share_the_backbone() {
    let stage = Stage::new();
    let prompts = stage.prompts(&[0, 1, 2], &settings(0.0, 1));
    let tokens: usize = prompts.iter().map(|prompt| prompt.ids.len()).sum();
    let before = stage.backbone.tokens_run();
    let answers = { stage.generator(8) }.answer(&prompts, &StopFlag::default(), &mut |_| ());
    assert_eq!(answers.unwrap().len(), 3 * prompts.len());
    assert_eq!(stage.backbone.tokens_run() - before, tokens);
}

#[test]
fn shared_and_separate_prefills_are_the_same_to_the_bit() {
    let stage = Stage::new();
    let variants = stage.variants();
    let prompt = &stage.prompts(&[], &settings(0.0, 1))[0];
    let adapters: Vec<_> = variants.iter().map(|variant| variant.adapter).collect();
    let sides: Vec<SideInUse<'_>> = { adapters.iter().flatten() }
        .filter_map(|adapter| adapter.side())
        .collect();
    assert_eq!(sides.len(), 2);
    let before = stage.backbone.tokens_run();
    let mut shared = Prefill::of(&stage.backbone, Readers::Sides(&sides), &prompt.ids).unwrap();
    for (adapter, place) in [(None, 0), (adapters[1], 0), (adapters[2], 1)] {
        let (mut after, logits) =
            Generator::after(&stage.backbone, adapter, &mut shared, place).unwrap();
        let run = stage.backbone.tokens_run();
        let mut separate = Generator::new(&stage.backbone, adapter);
        let read = |logits: Tensor| logits.to_vec1::<f32>().unwrap();
        assert_eq!(read(logits), read(separate.push(&prompt.ids).unwrap()));
        assert_eq!(stage.backbone.tokens_run() - run, prompt.ids.len());
        // What follows is each one's own.
        for token in [5, 9, 7] {
            let expected = read(separate.push(&[token]).unwrap());
            assert_eq!(read(after.push(&[token]).unwrap()), expected);
        }
    }
    let own = 3 * (prompt.ids.len() + 6);
    assert_eq!(stage.backbone.tokens_run() - before, prompt.ids.len() + own);
}

#[test]
fn a_prefill_moves_to_another_prompt_from_where_the_two_part() {
    let stage = Stage::new();
    let variants = stage.variants();
    let sides = [variants[1].adapter.unwrap().side().unwrap()];
    let readers = Readers::Sides(&sides);
    let prompts = stage.prompts(&[], &settings(0.0, 1));
    let mut moved = Prefill::of(&stage.backbone, readers, &prompts[0].ids).unwrap();
    let other = [&prompts[0].ids[..20], &prompts[1].ids].concat();
    for ids in [&other[..], &other[..9], &prompts[0].ids] {
        let common = { moved.ids().iter().zip(ids) }
            .take_while(|(a, b)| a == b)
            .count();
        assert!(common > 3);
        let taken = moved.move_to(&stage.backbone, readers, ids).unwrap();
        assert_eq!(taken, ids.len() - common.min(ids.len() - 1));
        assert_eq!(moved.move_to(&stage.backbone, readers, ids).unwrap(), 0);
        let mut fresh = Prefill::of(&stage.backbone, readers, ids).unwrap();
        for adapter in [None, variants[1].adapter] {
            let read = |prefill: &mut Prefill| {
                let after = Generator::after(&stage.backbone, adapter, prefill, 0);
                after.unwrap().1.to_vec1::<f32>().unwrap()
            };
            let (ours, expected) = (read(&mut moved), read(&mut fresh));
            let differences = ours.iter().zip(&expected).map(|(a, b)| (a - b).abs());
            assert!(differences.fold(0.0, f32::max) < 1e-4);
        }
    }
}

#[test]
fn a_prompt_that_does_not_fit_is_named_and_a_full_context_ends_an_answer() {
    let stage = Stage::new();
    let context = stage.files.config.max_positions;
    let mut prompts = stage.prompts(&[0, 1], &settings(0.0, 1));
    prompts.truncate(3);
    let refusal = |prompts: &[Prompt]| {
        let answers = { stage.generator(2) }.answer(prompts, &StopFlag::default(), &mut |_| ());
        answers.unwrap_err().to_string()
    };
    let mut wrong = prompts.clone();
    wrong[1].ids = vec![5; context];
    let said = refusal(&wrong);
    assert!(said.contains("prompt 2 has 1024 tokens"), "{said}");
    wrong[1].ids.clear();
    assert!(refusal(&wrong).contains("prompt 2 has 0 tokens"));
    prompts[2].variants.push(4);
    assert!(refusal(&prompts).contains("prompt 3 asks variant 4"));
    prompts.truncate(2);
    prompts[0].ids = vec![5; context - 2];
    prompts[0].settings.max_tokens = None;
    prompts[1].settings.max_tokens = Some(0);
    let mut generator = stage.generator(4);
    for variant in &mut generator.variants {
        variant.stop_tokens.clear();
    }
    let answers = { generator.answer(&prompts, &StopFlag::default(), &mut |_| ()) }.unwrap();
    let lengths: Vec<usize> = answers.iter().map(|answer| answer.ids.len()).collect();
    assert_eq!(lengths, [2, 2, 0, 0]);
    assert!({ answers.iter() }.all(|answer| answer.finish == FinishReason::Length));
}

#[test]
fn a_raised_flag_ends_all_answers_where_they_are() {
    let stage = Stage::new();
    let prompts = stage.prompts(&[0, 2], &settings(0.0, 20));
    let (stop, mut heard) = (StopFlag::default(), 0);
    let answers = stage.generator(6).answer(&prompts, &stop, &mut |_| {
        heard += 1;
        if heard == 17 {
            stop.raise();
        }
    });
    let answers = answers.unwrap();
    assert_eq!(answers.len(), 16);
    let said: usize = answers.iter().map(|answer| answer.ids.len()).sum();
    assert_eq!(said, heard);
    assert!(heard < 17 + 6, "{heard}");
    assert!({ answers.iter() }.all(|answer| answer.finish == FinishReason::Cancelled));
}
