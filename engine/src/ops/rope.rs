//! Rotary position embedding in the half-split ("rotate_half") layout of Hugging Face checkpoints:
//! the pair `(x[i], x[i + r/2])` is turned by the angle `position * inverse_frequency[i]`.
//! Rotations are orthogonal, so the backward is the same turn with the opposite angle.
//! Source: Su et al. 2021 (arXiv 2104.09864).

use candle_core::{Result, Tensor, bail};

use super::cpu::{self, Real, by_float_type};
use super::on_card;

/// Which way to turn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// By the position's angle: the forward pass.
    Forward,
    /// By the opposite angle: the gradient.
    Backward,
}

/// Radians per position of each rotated pair.
#[derive(Clone, Debug, PartialEq)]
pub struct Frequencies(Vec<f64>);

/// One rotary embedding; angles are computed per position when they are needed, so no table limits
/// the context.
#[derive(Clone, Debug)]
pub struct RotaryEmbedding {
    frequencies: Frequencies,
    /// Frequencies of examples longer than so many tokens.
    long: Option<(Frequencies, u32)>,
    /// Factor on cosine and sine.
    amplitude: f64,
}

/// Cosines and sines of every token of a batch, shared by all blocks of a forward pass.
#[derive(Clone, Debug)]
pub struct Angles {
    /// `[tokens, pairs]`
    cosines: Vec<f64>,
    /// `[tokens, pairs]`
    sines: Vec<f64>,
    half: usize,
    /// The same on the card where they were first used, in f32.
    #[cfg(feature = "cuda")]
    on_card: std::sync::Arc<std::sync::OnceLock<Tensor>>,
}

impl Frequencies {
    /// `theta^(-2i / rotated)` for `i` in `0..rotated/2`.
    pub fn plain(theta: f64, rotated: usize) -> Self {
        let frequency = |i| theta.powf(-(2.0 * i as f64) / rotated as f64);
        Self((0..rotated / 2).map(frequency).collect())
    }

    /// Each frequency changed, given its index.
    pub fn map(&self, change: impl Fn(usize, f64) -> f64) -> Self {
        Self(
            self.0
                .iter()
                .enumerate()
                .map(|(i, &frequency)| change(i, frequency))
                .collect(),
        )
    }
}

impl RotaryEmbedding {
    /// The embedding with the frequencies `theta^(-2i / rotated)`.
    pub fn plain(theta: f64, rotated: usize) -> Self {
        Self::new(Frequencies::plain(theta, rotated), 1.0)
    }

    /// An embedding with given frequencies and factor on cosine and sine.
    pub fn new(frequencies: Frequencies, amplitude: f64) -> Self {
        Self {
            frequencies,
            long: None,
            amplitude,
        }
    }

    /// Other frequencies for examples of more than `longer_than` tokens.
    #[must_use]
    pub fn with_long(mut self, frequencies: Frequencies, longer_than: u32) -> Self {
        self.long = Some((frequencies, longer_than));
        self
    }

    /// Radians per position of each pair, for an example of so many tokens.
    pub fn frequencies(&self, tokens: u32) -> &[f64] {
        match &self.long {
            Some((long, longer_than)) if tokens > *longer_than => &long.0,
            _ => &self.frequencies.0,
        }
    }

    /// Factor on cosine and sine.
    pub fn amplitude(&self) -> f64 {
        self.amplitude
    }

    /// Whether an example that grows from `before` to `after` tokens changes its frequencies, so
    /// that keys turned earlier no longer fit.
    pub fn changes_between(&self, before: usize, after: usize) -> bool {
        let is_long = |tokens: usize| match &self.long {
            Some((_, longer_than)) => tokens > *longer_than as usize,
            None => false,
        };
        before > 0 && is_long(before) != is_long(after)
    }

    /// Angles for the given position of each token. Positions that do not ascend begin a new
    /// example.
    pub fn angles(&self, positions: &[u32]) -> Angles {
        self.angles_of_rows(positions, positions.len())
    }

    /// The same for rows of `seq` tokens. An example does not go on in the next row, even where
    /// positions ascend, as those of one token per row may.
    pub fn angles_of_rows(&self, positions: &[u32], seq: usize) -> Angles {
        let half = self.frequencies.0.len();
        let mut cosines = Vec::with_capacity(positions.len() * half);
        let mut sines = Vec::with_capacity(positions.len() * half);
        let rows = positions.chunks(seq.max(1));
        for example in rows.flat_map(|row| row.chunk_by(|a, b| a < b)) {
            let tokens = example.last().map_or(0, |&position| position + 1);
            let frequencies = self.frequencies(tokens);
            for &position in example {
                for &frequency in frequencies {
                    let (sine, cosine) = (f64::from(position) * frequency).sin_cos();
                    cosines.push(cosine * self.amplitude);
                    sines.push(sine * self.amplitude);
                }
            }
        }
        Angles {
            cosines,
            sines,
            half,
            #[cfg(feature = "cuda")]
            on_card: std::sync::Arc::default(),
        }
    }
}

#[cfg(feature = "cuda")]
impl Angles {
    /// Pairs that are turned in each head.
    pub fn half(&self) -> usize {
        self.half
    }

    /// Cosines, then sines, `[2, tokens, pairs]` of f32 on the card; kept for the next who asks.
    ///
    /// # Errors
    /// When the card has no room.
    pub fn on_card(&self, device: &candle_core::Device) -> Result<Tensor> {
        let kept = self.on_card.get();
        if let Some(kept) = kept.filter(|kept| kept.device().same_device(device)) {
            return Ok(kept.clone());
        }
        let numbers = self.cosines.iter().chain(&self.sines);
        let numbers: Vec<f32> = numbers.map(|&number| number as f32).collect();
        let tokens = self.cosines.len() / self.half.max(1);
        let table = Tensor::from_vec(numbers, (2, tokens, self.half), device)?;
        self.on_card.get_or_init(|| table.clone());
        Ok(table)
    }
}

/// Turns `x` `[tokens, heads * head_dim]` in place. Only the first `2 * half` of each head's
/// numbers are rotated.
///
/// # Errors
/// When `x` does not have one row per token of `angles`.
pub fn rotate(x: &Tensor, head_dim: usize, angles: &Angles, rotation: Rotation) -> Result<()> {
    on_card!(x, super::cuda::rope::rotate(x, head_dim, angles, rotation));
    by_float_type!(x, T => rotate_typed::<T>(x, head_dim, angles, rotation))
}

fn rotate_typed<T: Real>(
    x: &Tensor,
    head_dim: usize,
    angles: &Angles,
    rotation: Rotation,
) -> Result<()> {
    let (tokens, width) = x.dims2()?;
    let half = angles.half;
    if angles.cosines.len() != tokens * half || 2 * half > head_dim || width % head_dim != 0 {
        bail!("angles do not fit {tokens} tokens with heads of {head_dim}");
    }
    let sign = if rotation == Rotation::Forward {
        1.0
    } else {
        -1.0
    };
    cpu::update::<T, _>(x, |values| {
        cpu::for_row_blocks(values, width, |first, rows| {
            let mut cosines = vec![T::zero(); half];
            let mut sines = vec![T::zero(); half];
            cpu::vectorized(|| {
                for (offset, row) in rows.chunks_exact_mut(width).enumerate() {
                    let span = (first + offset) * half..(first + offset + 1) * half;
                    for (to, &from) in cosines.iter_mut().zip(&angles.cosines[span.clone()]) {
                        *to = T::real(from);
                    }
                    for (to, &from) in sines.iter_mut().zip(&angles.sines[span]) {
                        *to = T::real(from * sign);
                    }
                    for head in row.chunks_exact_mut(head_dim) {
                        let (low, high) = head[..2 * half].split_at_mut(half);
                        for (((low, high), &cosine), &sine) in
                            low.iter_mut().zip(high).zip(&cosines).zip(&sines)
                        {
                            let (a, b) = (*low, *high);
                            *low = a * cosine - b * sine;
                            *high = b * cosine + a * sine;
                        }
                    }
                }
            });
        });
    })
}
