//! Owns the training loop.

use crate::Outcome;
use crate::batches::{Batch, Batches};
use crate::files::write_weights;
use crate::model::Model;
use crate::optimizer::{AdamW, collect_gradients, learning_rate};
use crate::workers::in_parallel;
use std::path::Path;
use std::time::Instant;

const STEPS_PER_LINE: usize = 25;
const STEPS_PER_SAVE: usize = 250;

/// A stretch of training with a learning-rate schedule of its own.
pub struct Phase {
    pub steps: usize,
    pub peak_learning_rate: f64,
}

/// Trains all parameters for a phase; the weights so far are saved now and then.
pub fn pretrain(
    model: &Model,
    batches: &mut Batches,
    phase: &Phase,
    weights: &Path,
) -> Outcome<()> {
    let steps = phase.steps;
    let mut optimizer = AdamW::new(&model.parameters);
    let start = Instant::now();
    let (mut losses, mut counted, mut tokens) = (0.0, 0, 0);
    for step in 0..steps {
        let pieces = batches.next()?;
        let results = in_parallel(&pieces, |piece| piece_gradients(model, piece))?;
        let predictions: usize = pieces.iter().map(|piece| piece.targets.len()).sum();
        let mut loss = 0.0;
        let mut gradients: Vec<Vec<f32>> = model
            .parameters
            .iter()
            .map(|parameter| vec![0.0; parameter.var.elem_count()])
            .collect();
        for (piece, (piece_loss, piece_gradients)) in pieces.iter().zip(results) {
            let share = piece.targets.len() as f32 / predictions as f32;
            loss += share * piece_loss;
            for (sum, gradient) in gradients.iter_mut().zip(&piece_gradients) {
                sum.iter_mut()
                    .zip(gradient)
                    .for_each(|(sum, number)| *sum += share * number);
            }
            tokens += piece.token_count;
        }
        let norm = optimizer.step(
            &model.parameters,
            &gradients,
            learning_rate(step, steps, phase.peak_learning_rate),
        )?;
        counted += 1;
        losses += loss;
        if (step + 1) % STEPS_PER_LINE == 0 || step < 2 {
            let elapsed = start.elapsed().as_secs_f64();
            println!(
                "step {}/{steps} loss {:.4} gradient norm {norm:.2} tokens {tokens} {:.0} tokens/s {elapsed:.0} s",
                step + 1,
                losses / counted as f32,
                tokens as f64 / elapsed,
            );
            (losses, counted) = (0.0, 0);
        }
        if (step + 1) % STEPS_PER_SAVE == 0 {
            write_weights(weights, model)?;
        }
    }
    Ok(())
}

/// The mean loss of a piece of a batch, and its gradients in the order of the parameters.
fn piece_gradients(model: &Model, piece: &Batch) -> Outcome<(f32, Vec<Vec<f32>>)> {
    let loss = model.loss(&piece.tokens, piece.rows.clone(), piece.targets.clone())?;
    let gradients = collect_gradients(&model.parameters, &loss.backward()?)?;
    Ok((loss.to_scalar::<f32>()?, gradients))
}
