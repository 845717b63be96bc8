//! Times what answering with several variants takes beside answering with one, and answering many
//! prompts at once beside one by one. Prints a table each.
//!
//! ```text
//! cargo run --release -p stepladder --example bench_prefill -- [PROMPT_TOKENS [ROUNDS]]
//! ```

#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use std::time::Instant;

use mimalloc::MiMalloc;
use stepladder_engine::adapters::network::Network;
use stepladder_engine::generation::generator::{AdapterInUse, Generator};
use stepladder_engine::generation::prefill::{Prefill, Readers};
use stepladder_engine::generation::{BatchGenerator, Prompt, SamplerSettings, SideInUse, Variant};
use stepladder_engine::models::decoder::Decoder;
use stepladder_engine::models::model::ModelFiles;
use stepladder_engine::models::quantization::BackboneQuantization;
use stepladder_engine::models::tokenizer::GenerationDefaults;
use stepladder_engine::training::check::RandomModel;
use stepladder_engine::training::plan::ModelPlan;
use stepladder_engine::training::stop_flag::StopFlag;
use stepladder_protocol::{Method, RunConfig, TapDtype};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

type Failure = Box<dyn std::error::Error>;

/// 290 million parameters.
const MODEL: RandomModel = RandomModel {
    layers: 20,
    d_model: 1024,
    heads: 16,
    kv_heads: 8,
    d_ff: 2816,
    vocabulary: 32000,
    tied_head: true,
};

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn secs<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<f64, Failure> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64())
}

fn prompt(tokens: usize, vocabulary: usize) -> Vec<u32> {
    (0..tokens)
        .map(|at| ((at * 7919 + 13) % vocabulary) as u32)
        .collect()
}

/// Fresh side networks: a number that is zero takes as long as any other.
fn ladders(backbone: &Decoder) -> Result<Vec<Network>, Failure> {
    let methods = [Method::Ladder, Method::Xladder, Method::Ladder];
    let network = |(seed, method)| {
        let request = RunConfig {
            method,
            ..RunConfig::default()
        };
        let plan = ModelPlan::resolve(&request, backbone.config())?;
        Ok(Network::initialize(plan.shape, seed)?)
    };
    (1..).zip(methods).map(network).collect()
}

/// Time to the first token of the base model, and of it with three side networks.
fn first_tokens(backbone: &Decoder, tokens: usize, rounds: usize) -> Result<(), Failure> {
    let networks = ladders(backbone)?;
    let sides: Vec<SideInUse<'_>> = { networks.iter() }
        .filter_map(|network| AdapterInUse::new(network, TapDtype::F32).side())
        .collect();
    let ids = prompt(tokens, backbone.config().vocabulary);
    let time = |sides: &[SideInUse<'_>]| {
        secs(|| {
            let mut prefill = Prefill::of(backbone, Readers::Sides(sides), &ids)?;
            let variants = { sides.iter().enumerate() }
                .map(|(place, side)| (place, Some(AdapterInUse::Side(side.0, side.1))));
            for (place, adapter) in std::iter::once((0, None)).chain(variants) {
                let (_, logits) = Generator::after(backbone, adapter, &mut prefill, place)?;
                logits.argmax(0)?.to_scalar::<u32>()?;
            }
            Ok(())
        })
    };
    time(&sides)?;
    let (mut alone, mut together) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        alone.push(time(&[])?);
        together.push(time(&sides)?);
    }
    let ratios = alone.iter().zip(&together).map(|(alone, all)| all / alone);
    println!("base alone, s: {alone:.3?}\nbase + 3 side networks, s: {together:.3?}");
    println!("ratio, median: {:.3}", median(ratios.collect()));
    Ok(())
}

/// Tokens per second of greedy answers, one by one and in batches.
fn batches(
    name: &str,
    backbone: &Decoder,
    prompts: usize,
    new_tokens: usize,
) -> Result<(), Failure> {
    let vocabulary = backbone.config().vocabulary;
    let prompts: Vec<Prompt> = (0..prompts)
        .map(|number| Prompt {
            ids: prompt(40 + number % 16, vocabulary),
            variants: vec![0],
            settings: SamplerSettings {
                temperature: Some(0.0),
                max_tokens: Some(new_tokens + number % 16),
                ..SamplerSettings::default()
            },
        })
        .collect();
    let said: usize = { prompts.iter() }
        .filter_map(|prompt| prompt.settings.max_tokens)
        .sum();
    let alone = secs(|| {
        for prompt in &prompts {
            let mut generator = Generator::new(backbone, None);
            let mut logits = generator.push(&prompt.ids)?;
            for _ in 1..prompt.settings.max_tokens.unwrap_or(1) {
                let token = logits.argmax(0)?.to_scalar::<u32>()?;
                logits = generator.push(&[token])?;
            }
        }
        Ok(())
    })?;
    println!("{name}, one by one: {:.1} tokens/s", said as f64 / alone);
    for rows in [1, 4, 8, 16, 32, 64] {
        let base = Variant {
            adapter: None,
            stop_tokens: Vec::new(),
        };
        let defaults = GenerationDefaults::default();
        let generator = BatchGenerator::new(backbone, vec![base], &defaults).with_rows(rows);
        let taken = secs(|| {
            generator.answer(&prompts, &StopFlag::default(), &mut |_| ())?;
            Ok(())
        })?;
        let speed = said as f64 / taken;
        println!(
            "{name}, {rows} rows: {speed:.1} tokens/s, {:.2} times",
            alone / taken
        );
    }
    Ok(())
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<usize> = { std::env::args().skip(1) }
        .map(|argument| argument.parse())
        .collect::<Result<_, _>>()?;
    let tokens = arguments.first().copied().unwrap_or(1500);
    let rounds = arguments.get(1).copied().unwrap_or(3);
    let files = ModelFiles::open("builtin")?;
    let builtin = files.load_decoder(BackboneQuantization::AS_STORED)?;
    batches("built-in", &builtin, 64, 80)?;
    let quantization = BackboneQuantization::AS_STORED;
    let backbone = Decoder::load(MODEL.config()?, &MODEL.checkpoint()?, quantization)?;
    first_tokens(&backbone, tokens, rounds)?;
    batches("290 M", &backbone, 16, 16)
}
