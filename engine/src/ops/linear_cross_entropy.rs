//! The head and the loss as one operation: logits exist for a chunk of tokens at a time, never as
//! `[tokens, vocabulary]`. The gradient with respect to the hidden states is made in the same pass,
//! so the head is multiplied once forward and once backward per chunk.
//!
//! With logits `z = h W^T + b`, soft-capped `l = c tanh(z / c)` where the model says so (Gemma 2),
//! the loss of a token is `logsumexp(l) - l[target]`, and
//! `dz = (softmax(l) - onehot(target)) (1 - (l / c)^2)`, `dh = dz W`.

use candle_core::{Device, Result, Tensor, bail};

use super::cpu::{self, Real, by_float_type};
use super::elementwise::{cat_rows, zeros};
use super::frozen_linear::FrozenLinear;
use super::on_card;

/// Numbers in one chunk of logits.
pub const CHUNK_NUMBERS: usize = 1 << 21;
/// The same on a card, where the head is read anew for each chunk and a product of a few tokens takes as
/// long as that of many.
pub const CARD_CHUNK_NUMBERS: usize = 1 << 24;
/// Tokens in one chunk, at most and at least.
const CHUNK_TOKENS: std::ops::RangeInclusive<usize> = 16..=512;

/// Sum of the tokens' cross-entropies in nats, and its gradient.
pub struct CrossEntropy {
    /// Sum over tokens, in nats.
    pub loss_sum: f64,
    /// `gradient_scale * d loss_sum / d hidden`, `[tokens, d_model]`, if asked for.
    pub hidden_gradient: Option<Tensor>,
}

/// Whether, and how large, the gradient is wanted.
#[derive(Clone, Copy, Debug)]
pub enum Gradient {
    /// Loss only.
    Skip,
    /// The gradient of `factor * loss_sum`.
    Scaled(f64),
}

/// Tokens per chunk for a vocabulary of this size, on this device.
pub fn chunk_tokens(vocabulary: usize, device: &Device) -> usize {
    chunk_of(
        vocabulary,
        match device {
            Device::Cpu => CHUNK_NUMBERS,
            _ => CARD_CHUNK_NUMBERS,
        },
    )
}

/// Tokens per chunk of so many numbers.
pub fn chunk_of(vocabulary: usize, numbers: usize) -> usize {
    (numbers / vocabulary.max(1)).clamp(*CHUNK_TOKENS.start(), *CHUNK_TOKENS.end())
}

/// `hidden` `[tokens, d_model]` after the final norm, `targets` one id per token. On a card `hidden` is
/// f32, and so are the logits and the gradient that is returned; the products round their factors.
///
/// # Errors
/// When shapes do not fit together or a target lies outside the vocabulary.
pub fn linear_cross_entropy(
    hidden: &Tensor,
    head: &FrozenLinear,
    soft_cap: Option<f64>,
    targets: &[u32],
    gradient: Gradient,
) -> Result<CrossEntropy> {
    let (tokens, _) = hidden.dims2()?;
    let vocabulary = head.outputs();
    if targets.len() != tokens {
        bail!("{} targets for {tokens} hidden states", targets.len());
    }
    if let Some(target) = targets
        .iter()
        .find(|&&target| target as usize >= vocabulary)
    {
        bail!("target {target} outside a vocabulary of {vocabulary}");
    }
    let chunk = chunk_tokens(vocabulary, hidden.device());
    let mut loss_sum = 0.0;
    let mut gradients = Vec::new();
    for first in (0..tokens).step_by(chunk) {
        let count = chunk.min(tokens - first);
        let logits = head.forward(&hidden.narrow(0, first, count)?)?;
        let targets = &targets[first..first + count];
        let (loss, d_logits) = reduce_logits(logits, head, targets, soft_cap, gradient)?;
        loss_sum += loss;
        if let Some(d_logits) = d_logits {
            let d_hidden = zeros((count, head.inputs()), hidden.dtype(), hidden.device())?;
            head.accumulate_backward_input(&d_logits, &d_hidden)?;
            gradients.push(d_hidden);
        }
    }
    let hidden_gradient = match gradient {
        Gradient::Skip => None,
        Gradient::Scaled(_) if gradients.is_empty() => {
            Some(zeros(hidden.shape(), hidden.dtype(), hidden.device())?)
        }
        Gradient::Scaled(_) => Some(cat_rows(&gradients)?),
    };
    Ok(CrossEntropy {
        loss_sum,
        hidden_gradient,
    })
}

/// The loss sum of logits `[tokens, vocabulary]`, and their gradient if it is wanted.
fn reduce_logits(
    logits: Tensor,
    head: &FrozenLinear,
    targets: &[u32],
    soft_cap: Option<f64>,
    gradient: Gradient,
) -> Result<(f64, Option<Tensor>)> {
    on_card!(logits, {
        let factor = match gradient {
            Gradient::Skip => None,
            Gradient::Scaled(factor) => Some(factor),
        };
        let to = head.computes_in();
        super::cuda::linear_cross_entropy::reduce(&logits, targets, soft_cap, factor, to)
    });
    let vocabulary = head.outputs();
    let loss = by_float_type!(logits, T => cpu::update::<T, _>(&logits, |logits| {
        reduce(logits, vocabulary, targets, soft_cap, gradient)
    }))?;
    Ok(match gradient {
        Gradient::Skip => (loss, None),
        Gradient::Scaled(_) => (loss, Some(logits)),
    })
}

/// Turns logits into their gradient in place (if wanted) and returns the loss sum.
fn reduce<T: Real>(
    logits: &mut [T],
    vocabulary: usize,
    targets: &[u32],
    soft_cap: Option<f64>,
    gradient: Gradient,
) -> f64 {
    use rayon::prelude::*;
    let losses: Vec<f64> = logits
        .par_chunks_mut(vocabulary)
        .zip(targets)
        .map(|(logits, &target)| {
            cpu::vectorized(|| reduce_token(logits, target as usize, soft_cap, gradient))
        })
        .collect();
    losses.iter().sum()
}

#[inline(always)]
fn reduce_token<T: Real>(
    logits: &mut [T],
    target: usize,
    soft_cap: Option<f64>,
    gradient: Gradient,
) -> f64 {
    if let Some(cap) = soft_cap {
        let cap = T::real(cap);
        logits.iter_mut().for_each(|z| *z = cap * (*z / cap).tanh());
    }
    let most = cpu::max(logits);
    let at_target = logits[target];
    let Gradient::Scaled(factor) = gradient else {
        logits.iter_mut().for_each(|l| *l = (*l - most).exp_fast());
        return loss_of(cpu::sum(logits), most, at_target);
    };
    let factor = T::real(factor);
    let total = match soft_cap {
        None => {
            logits.iter_mut().for_each(|l| *l = (*l - most).exp_fast());
            let total = cpu::sum(logits);
            let share = factor / total;
            logits.iter_mut().for_each(|p| *p *= share);
            logits[target] -= factor;
            total
        }
        Some(cap) => {
            let cap = T::real(cap);
            let total = cpu::sum(
                &logits
                    .iter()
                    .map(|&l| (l - most).exp_fast())
                    .collect::<Vec<T>>(),
            );
            for (index, l) in logits.iter_mut().enumerate() {
                let hot = if index == target { T::one() } else { T::zero() };
                let slope = T::one() - (*l / cap) * (*l / cap);
                *l = factor * ((*l - most).exp_fast() / total - hot) * slope;
            }
            total
        }
    };
    loss_of(total, most, at_target)
}

#[inline(always)]
fn loss_of<T: Real>(total: T, most: T, at_target: T) -> f64 {
    candle_core::WithDType::to_f64(total.ln() + most - at_target)
}
