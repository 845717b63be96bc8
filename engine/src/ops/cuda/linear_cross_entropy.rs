//! What [`crate::ops::linear_cross_entropy`] does with logits, on the card: a block of threads per token.

use candle_core::{DType, Result, Tensor, bail};

use super::launch::kernels;
use super::{Argument, Grid, Kernels, device_of, fresh, fresh_of, kernel, type_name};

const KERNELS: Kernels = kernels!("linear_cross_entropy");
/// Threads per token, at most.
const THREADS: usize = 1024;

/// The sum of the tokens' losses in nats for `logits` `[tokens, vocabulary]` of f32, and, for `gradient`
/// times that sum, the gradient of the logits before they are capped, in `gradient_type`.
pub fn reduce(
    logits: &Tensor,
    targets: &[u32],
    soft_cap: Option<f64>,
    gradient: Option<f64>,
    gradient_type: DType,
) -> Result<(f64, Option<Tensor>)> {
    let (tokens, vocabulary) = logits.dims2()?;
    if logits.dtype() != DType::F32 || targets.len() != tokens {
        bail!("{} targets for logits {logits:?}", targets.len());
    }
    if let Some(target) = targets
        .iter()
        .find(|&&target| target as usize >= vocabulary)
    {
        bail!("target {target} outside a vocabulary of {vocabulary}");
    }
    let device = device_of(logits)?;
    let target_ids = Tensor::from_slice(targets, tokens, logits.device())?;
    let losses = fresh(logits, tokens)?;
    let threads = vocabulary.next_multiple_of(32).min(THREADS) as u32;
    let grid = Grid::rows(tokens, threads)?;
    let cap = Argument::F32(soft_cap.unwrap_or(0.0) as f32);
    let read = [
        Argument::Tensor(logits),
        Argument::Tensor(&target_ids),
        Argument::Tensor(&losses),
    ];
    let vocabulary = Argument::size(vocabulary)?;
    let gradient = match gradient {
        None => {
            let [logits, targets, losses] = read;
            let arguments = [logits, targets, losses, vocabulary, cap];
            kernel(device, KERNELS, "token_losses")?.launch(grid, &arguments)?;
            None
        }
        Some(factor) => {
            let made = fresh_of(logits.shape(), gradient_type, logits.device())?;
            let name = format!("token_losses_and_gradient_{}", type_name(gradient_type)?);
            let [logits, targets, losses] = read;
            let arguments = [
                logits,
                targets,
                losses,
                Argument::Tensor(&made),
                vocabulary,
                cap,
                Argument::F32(factor as f32),
            ];
            kernel(device, KERNELS, &name)?.launch(grid, &arguments)?;
            Some(made)
        }
    };
    let losses = losses.to_vec1::<f32>()?;
    Ok((losses.into_iter().map(f64::from).sum(), gradient))
}
