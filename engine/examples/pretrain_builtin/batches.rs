//! Owns the pretraining stream: fresh problems with their traces, tokenized and bucketed.
//!
//! Most traces are long; some are terse, as any corpus holds some. So the model reasons at length,
//! but can compute without retelling, and fine-tuning has something to bring out.

use crate::Outcome;
use crate::chat::Chat;
use crate::problems::ProblemSource;
use crate::traces::{long_trace, short_trace};
use crate::vocabulary::encode;
use candle_core::{Device, Tensor};
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use tokenizers::Tokenizer;

/// The pieces of a batch that can be worked on side by side; small ones stay in the caches.
const PIECES: usize = 4;

/// One trace in this many is terse.
const TERSE_ONE_IN: u32 = 4;

/// A piece of a batch, padded on the right. Only the response is learned.
pub struct Batch {
    pub tokens: Tensor,
    /// Flat positions whose next token is part of a response, and those tokens.
    pub rows: Vec<u32>,
    pub targets: Vec<u32>,
    pub token_count: usize,
}

struct Example {
    tokens: Vec<u32>,
    prompt_length: usize,
}

/// Draws problems and gives batches without end.
pub struct Batches<'a> {
    pub source: ProblemSource,
    pub rng: ChaCha8Rng,
    pub chat: &'a Chat,
    pub tokenizer: &'a Tokenizer,
    pub batch_size: usize,
    /// Batches are cut from this many at a time after sorting by length: with many, little is
    /// padded, but short traces fill batches of their own, where each of their tokens weighs more;
    /// with one, every token of the stream weighs alike.
    pub bucketing: usize,
    ready: Vec<Vec<Batch>>,
}

impl<'a> Batches<'a> {
    pub fn new(
        source: ProblemSource,
        rng: ChaCha8Rng,
        chat: &'a Chat,
        tokenizer: &'a Tokenizer,
        batch_size: usize,
        bucketing: usize,
    ) -> Self {
        Self {
            source,
            rng,
            chat,
            tokenizer,
            batch_size,
            bucketing,
            ready: Vec::new(),
        }
    }

    /// The next batch, in pieces.
    pub fn next(&mut self) -> Outcome<Vec<Batch>> {
        loop {
            if let Some(batch) = self.ready.pop() {
                return Ok(batch);
            }
            let count = self.batch_size * self.bucketing;
            let mut examples = (0..count)
                .map(|_| self.example())
                .collect::<Outcome<Vec<_>>>()?;
            examples.sort_by_key(|example| example.tokens.len());
            let piece_size = self.batch_size.div_ceil(PIECES);
            self.ready = examples
                .chunks(self.batch_size)
                .map(|examples| examples.chunks(piece_size).map(batch).collect())
                .collect::<Outcome<_>>()?;
            self.ready.shuffle(&mut self.rng);
        }
    }

    fn example(&mut self) -> Outcome<Example> {
        let problem = self.source.next();
        let trace = if self.rng.random_ratio(1, TERSE_ONE_IN) {
            short_trace(&problem)
        } else {
            long_trace(&problem, &mut self.rng)
        };
        let (prompt, response) = self.chat.conversation(&problem, &trace)?;
        let prompt_length = encode(self.tokenizer, &prompt)?.len();
        let tokens = encode(self.tokenizer, &(prompt + &response))?;
        Ok(Example {
            tokens,
            prompt_length,
        })
    }
}

fn batch(examples: &[Example]) -> Outcome<Batch> {
    let length = examples
        .iter()
        .map(|example| example.tokens.len())
        .max()
        .unwrap_or(0);
    let mut tokens = vec![0_u32; examples.len() * length];
    let (mut rows, mut targets) = (Vec::new(), Vec::new());
    let mut token_count = 0;
    for (index, example) in examples.iter().enumerate() {
        let start = index * length;
        tokens[start..start + example.tokens.len()].copy_from_slice(&example.tokens);
        token_count += example.tokens.len();
        for position in example.prompt_length..example.tokens.len() {
            rows.push((start + position - 1) as u32);
            targets.push(example.tokens[position]);
        }
    }
    let tokens = Tensor::from_vec(tokens, (examples.len(), length), &Device::Cpu)?;
    Ok(Batch {
        tokens,
        rows,
        targets,
        token_count,
    })
}
