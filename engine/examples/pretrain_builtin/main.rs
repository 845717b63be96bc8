//! Makes the built-in model and dataset: `assets/builtin-model`, `assets/builtin-dataset.jsonl`
//! and `assets/questions.jsonl`.
//!
//! ```text
//! cargo run --release -p stepladder-engine --example pretrain_builtin -- --out assets
//! ```
//!
//! A small Qwen3 learns, from random weights and with all its parameters on an ordinary candle
//! tape, to solve generated word problems with long-winded reasoning. Seeds are fixed: the same
//! program on the same kind of processor writes the same files. Training has two phases: the first
//! learns quickly from batches of like lengths; the second starts afresh from the first one's
//! rounded weights and weighs every token alike, which settles how often a trace is terse. Options:
//! `--out FOLDER`, `--steps N` (of the first phase; 0 writes random weights), `--second-steps N`,
//! `--batch N` sequences per step, `--phase 2` (starts at the second phase, from the weights that
//! are in the folder).

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal; it reports its progress there"
)]

mod batches;
mod chat;
mod evaluation;
mod files;
mod fused;
mod gradient_check;
mod model;
mod optimizer;
mod pretraining;
mod problems;
mod templates;
mod traces;
mod vocabulary;
mod workers;

use batches::Batches;
use chat::Chat;
use model::Model;
use pretraining::{Phase, pretrain};
use problems::ProblemSource;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::path::PathBuf;
use std::time::Instant;
use tokenizers::Tokenizer;

/// Any error ends the program with its message.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const DATASET_SIZE: usize = 600;
const QUESTIONS: usize = 200;
const HELD_OUT: usize = 200;
const TOKENIZER_CORPUS: usize = 4000;

/// Every random stream has its own seed, so that changing one moves no other.
fn stream(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

struct Options {
    out: PathBuf,
    steps: usize,
    second_steps: usize,
    batch: usize,
    phase: usize,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut options = Self {
            out: PathBuf::from("assets"),
            steps: 1500,
            second_steps: 700,
            batch: 16,
            phase: 1,
        };
        while let Some(name) = arguments.next() {
            let value = arguments
                .next()
                .ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--out" => options.out = PathBuf::from(value),
                "--steps" => options.steps = value.parse()?,
                "--second-steps" => options.second_steps = value.parse()?,
                "--phase" => options.phase = value.parse()?,
                "--batch" => options.batch = value.parse()?,
                _ => return Err(format!("unknown option {name}").into()),
            }
        }
        Ok(options)
    }
}

fn main() -> Outcome<()> {
    workers::ensure_settings()?;
    let options = Options::parse(std::env::args().skip(1))?;
    let start = Instant::now();
    let chat = Chat::new()?;
    let mut source = ProblemSource::new(stream(1));
    let dataset = source.reserve(DATASET_SIZE);
    let questions = source.reserve(QUESTIONS);
    let held_out = source.reserve(HELD_OUT);

    let tokenizer = make_tokenizer(&mut source)?;
    let folder = options.out.join("builtin-model");
    files::write_model_folder(&folder, &tokenizer)?;
    files::write_dataset(&options.out.join("builtin-dataset.jsonl"), &dataset)?;
    files::write_questions(&options.out.join("questions.jsonl"), &questions)?;
    report_lengths(&tokenizer, &dataset)?;

    let model = Model::new(&mut stream(3))?;
    println!("{} parameters", model.parameter_count());
    let weights = folder.join("model.safetensors");
    let second_source = source.with_stream(stream(6));
    if options.phase == 1 {
        let mut batches = Batches::new(source, stream(4), &chat, &tokenizer, options.batch, 16);
        // What the tape must give, before anything is trained on it.
        gradient_check::check(&model, &batches.next()?[0])?;
        let first = Phase {
            steps: options.steps,
            peak_learning_rate: 2e-3,
        };
        pretrain(&model, &mut batches, &first, &weights)?;
        files::round_weights(&model)?;
        files::write_weights(&weights, &model)?;
    } else {
        files::read_weights(&weights, &model)?;
    }
    if options.steps > 0 {
        let mut batches = Batches::new(
            second_source,
            stream(7),
            &chat,
            &tokenizer,
            options.batch,
            1,
        );
        let second = Phase {
            steps: options.second_steps,
            peak_learning_rate: 1.2e-3,
        };
        pretrain(&model, &mut batches, &second, &weights)?;
        files::round_weights(&model)?;
        files::write_weights(&weights, &model)?;
    }
    println!("written after {} s", start.elapsed().as_secs());
    if options.steps == 0 {
        return Ok(());
    }

    let report = evaluation::evaluate(&model, &tokenizer, &chat, &held_out)?;
    for mistake in report.mistakes.iter().take(10) {
        println!("--- wrong: {mistake}");
    }
    println!(
        "{} of {} held-out problems right, median trace {} tokens, {} s in all",
        report.right,
        report.asked,
        report.median_trace_tokens,
        start.elapsed().as_secs()
    );
    Ok(())
}

/// The tokenizer's corpus: both kinds of traces, with their questions and replies.
fn make_tokenizer(source: &mut ProblemSource) -> Outcome<Tokenizer> {
    let mut rng = stream(2);
    let corpus: Vec<String> = (0..TOKENIZER_CORPUS)
        .map(|_| {
            let problem = source.next();
            let trace = traces::long_trace(&problem, &mut rng);
            let reply = traces::reply(&problem);
            format!(
                "user\n{}\nassistant\n{trace}\n\n{reply}\nsystem\n",
                problem.question
            )
        })
        .collect();
    let tokenizer = vocabulary::train_tokenizer(&corpus)?;
    println!(
        "{} tokens in the vocabulary",
        tokenizer.get_vocab_size(true)
    );
    Ok(tokenizer)
}

/// How long both kinds of traces are for the dataset's problems.
fn report_lengths(tokenizer: &Tokenizer, problems: &[problems::Problem]) -> Outcome<()> {
    let mut rng = stream(5);
    let (mut long, mut short) = (Vec::new(), Vec::new());
    for problem in problems {
        long.push(vocabulary::encode(tokenizer, &traces::long_trace(problem, &mut rng))?.len());
        short.push(vocabulary::encode(tokenizer, &traces::short_trace(problem))?.len());
    }
    long.sort_unstable();
    short.sort_unstable();
    for (name, lengths) in [("long", long), ("short", short)] {
        println!(
            "{name} traces: median {} tokens, at most {}",
            lengths[lengths.len() / 2],
            lengths[lengths.len() - 1]
        );
    }
    Ok(())
}
