//! Whether a card computes what the CPU computes: every operation and whole training steps, on both,
//! with the tolerance that the type of the numbers allows. `stepladder-cuda check` runs it on the card
//! at hand, and measures there what a run takes of memory and time.

mod arguments;
mod bench;
pub mod command;
mod context;
mod memory;
mod model;
#[cfg(feature = "cuda")]
mod ops;
mod random;
pub mod report;
mod speed;
mod steps;
mod table;

use std::fmt;

use candle_core::{DType, Device, Result, Tensor, bail};

pub use random::Random;

/// Where and in which type a case computes.
#[derive(Clone, Debug)]
pub struct Place {
    /// The card.
    pub device: Device,
    /// The type of activations there.
    pub dtype: DType,
}

/// Something that is computed on the card and on the CPU.
#[derive(Clone, Copy)]
pub struct Case {
    /// Its name: the operation, and what is special about it.
    pub name: &'static str,
    /// Computes it on both.
    pub run: fn(&Place) -> Result<Vec<Compared>>,
}

/// One result, compared.
#[derive(Clone, Debug)]
pub struct Compared {
    /// Which result of the case.
    pub what: String,
    /// `max |card - cpu| / max(1, max |cpu|)`; infinite where a number is none.
    pub error: f64,
    /// What it may be.
    pub tolerance: f64,
    /// The first numbers that differ too much, of the card and of the CPU.
    pub pairs: Vec<(f32, f32)>,
}

/// How many numbers are told that differ too much.
const PAIRS: usize = 5;

impl Compared {
    /// Compares numbers of the card with the CPU's: `max |card - cpu| / scale`, where the scale is the
    /// largest of the CPU's numbers, or `smallest_scale` where that is larger.
    pub fn numbers(
        what: &str,
        (card, cpu): (&[f32], &[f32]),
        smallest_scale: f64,
        tolerance: f64,
    ) -> Self {
        let size = |size: f64, number: &f32| size.max(f64::from(*number).abs());
        let scale = cpu.iter().fold(smallest_scale, size);
        let error = |a: f32, b: f32| match f64::from(a - b).abs() {
            _ if a == b => 0.0,
            difference if difference.is_finite() => difference / scale,
            _ => f64::INFINITY,
        };
        let pairs = || card.iter().copied().zip(cpu.iter().copied());
        Self {
            what: what.to_owned(),
            error: pairs().map(|(a, b)| error(a, b)).fold(0.0, f64::max),
            tolerance,
            pairs: pairs()
                .filter(|&(a, b)| error(a, b) > tolerance)
                .take(PAIRS)
                .collect(),
        }
    }

    /// Whether the error is within the tolerance.
    pub fn holds(&self) -> bool {
        self.error <= self.tolerance
    }

    /// The same where both should agree to the last bit.
    #[must_use]
    pub fn exactly(self) -> Self {
        Self {
            tolerance: 0.0,
            ..self
        }
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, error, tolerance) = (&self.what, self.error, self.tolerance);
        write!(to, "{what}: {error:.2e} of {tolerance:.2e}")?;
        let pairs = self.pairs.iter().filter(|_| !self.holds());
        for (index, (card, cpu)) in pairs.enumerate() {
            let before = if index == 0 { "; card, CPU: " } else { ", " };
            write!(to, "{before}({card:e}, {cpu:e})")?;
        }
        Ok(())
    }
}

/// The numbers of a tensor, wherever it is and in whichever type.
fn numbers(x: &Tensor) -> Result<Vec<f32>> {
    let x = x.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
    x.flatten_all()?.to_vec1::<f32>()
}

impl Place {
    /// Numbers of the CPU, rounded to the type of activations, on the card.
    ///
    /// # Errors
    /// When the card refuses.
    pub fn activations(&self, x: &Tensor) -> Result<Tensor> {
        x.to_dtype(self.dtype)?.to_device(&self.device)
    }

    /// Numbers of the CPU as they are, on the card: parameters, norms, moments.
    ///
    /// # Errors
    /// When the card refuses.
    pub fn exact(&self, x: &Tensor) -> Result<Tensor> {
        x.to_device(&self.device)
    }

    /// What the CPU should compute with: `x` rounded as [`Self::activations`] rounds it, in f32.
    ///
    /// # Errors
    /// When `x` has no such type.
    pub fn rounded(&self, x: &Tensor) -> Result<Tensor> {
        x.to_dtype(self.dtype)?.to_dtype(DType::F32)
    }

    /// The error that one rounding to the type of activations makes, times `factor`; for f32, what
    /// another order of sums does.
    pub fn tolerance(&self, factor: f64) -> f64 {
        factor
            * match self.dtype {
                DType::BF16 => 1.0 / 256.0,
                DType::F16 => 1.0 / 2048.0,
                _ => 2e-6,
            }
    }

    /// Compares a result of the card with the CPU's.
    ///
    /// # Errors
    /// When the shapes differ or the card refuses.
    pub fn compare(
        &self,
        what: &str,
        card: &Tensor,
        cpu: &Tensor,
        factor: f64,
    ) -> Result<Compared> {
        if card.shape() != cpu.shape() {
            bail!(
                "{what}: {:?} on the card, {:?} on the CPU",
                card.shape(),
                cpu.shape()
            );
        }
        let (card, cpu) = (numbers(card)?, numbers(cpu)?);
        let tolerance = self.tolerance(factor);
        Ok(Compared::numbers(what, (&card, &cpu), 1.0, tolerance))
    }
}

/// Every case there is: the operations, then whole training steps.
pub fn cases() -> Vec<Case> {
    // Some of the operations have no name where there is no card.
    #[cfg(feature = "cuda")]
    let operations = ops::cases();
    #[cfg(not(feature = "cuda"))]
    let operations = Vec::new();
    [operations, steps::cases()].concat()
}

/// Cases whose names begin with this take long where a card is played by the CPU.
pub const LARGE: &str = "large ";
