//! Owns the measurement: greedy answers to held-out problems, in left-padded batches.

use crate::Outcome;
use crate::chat::Chat;
use crate::model::{Cache, Model};
use crate::problems::Problem;
use crate::vocabulary::{THINK_END, TURN_END, encode, token_id};
use crate::workers::in_parallel;
use candle_core::{D, Device, Tensor};
use std::sync::Arc;
use tokenizers::Tokenizer;

const BATCH: usize = 25;
const NEW_TOKENS: usize = 420;

/// What the model did with a set of problems.
pub struct Report {
    pub right: usize,
    pub asked: usize,
    pub median_trace_tokens: usize,
    /// The texts of wrong answers.
    pub mistakes: Vec<String>,
}

/// Asks every problem greedily.
pub fn evaluate(
    model: &Model,
    tokenizer: &Tokenizer,
    chat: &Chat,
    problems: &[Problem],
) -> Outcome<Report> {
    let think_end = token_id(tokenizer, THINK_END)?;
    let turn_end = token_id(tokenizer, TURN_END)?;
    let mut trace_lengths = Vec::new();
    let mut mistakes = Vec::new();
    let batches: Vec<&[Problem]> = problems.chunks(BATCH).collect();
    let responses = in_parallel(&batches, |batch| {
        let prompts = batch
            .iter()
            .map(|problem| encode(tokenizer, &chat.prompt(&problem.question)?))
            .collect::<Outcome<Vec<_>>>()?;
        generate(model, &prompts, turn_end)
    })?;
    for (problem, response) in problems.iter().zip(responses.into_iter().flatten()) {
        let trace = response.iter().position(|token| *token == think_end);
        trace_lengths.push(trace.unwrap_or(response.len()));
        let text = tokenizer.decode(&response, true)?;
        let expected = format!("</think>\n\nThe answer is {}.", problem.answer());
        if !text.ends_with(&expected) {
            mistakes.push(format!(
                "{} [{}]\n{text}",
                problem.question,
                problem.answer()
            ));
        }
    }
    trace_lengths.sort_unstable();
    Ok(Report {
        right: problems.len() - mistakes.len(),
        asked: problems.len(),
        median_trace_tokens: trace_lengths
            .get(trace_lengths.len() / 2)
            .copied()
            .unwrap_or(0),
        mistakes,
    })
}

/// Greedy continuations up to the end of the turn, which is left out.
fn generate(model: &Model, prompts: &[Vec<u32>], turn_end: u32) -> Outcome<Vec<Vec<u32>>> {
    let longest = prompts.iter().map(Vec::len).max().unwrap_or(0);
    let padding: Arc<Vec<usize>> = Arc::new(
        prompts
            .iter()
            .map(|prompt| longest - prompt.len())
            .collect(),
    );
    let mut input: Vec<u32> = Vec::with_capacity(prompts.len() * longest);
    for (prompt, padding) in prompts.iter().zip(padding.iter()) {
        input.extend(std::iter::repeat_n(0, *padding));
        input.extend(prompt);
    }
    let mut input = Tensor::from_vec(input, (prompts.len(), longest), &Device::Cpu)?;
    let mut responses = vec![Vec::new(); prompts.len()];
    let mut finished = vec![false; prompts.len()];
    let mut cache = Cache::default();
    for _ in 0..NEW_TOKENS {
        let logits = model.next_logits(&input, &padding, &mut cache)?.detach();
        let next = logits.argmax(D::Minus1)?.to_vec1::<u32>()?;
        for (index, token) in next.iter().enumerate() {
            finished[index] |= *token == turn_end;
            if !finished[index] {
                responses[index].push(*token);
            }
        }
        if finished.iter().all(|finished| *finished) {
            break;
        }
        input = Tensor::from_vec(next, (prompts.len(), 1), &Device::Cpu)?;
    }
    Ok(responses)
}
