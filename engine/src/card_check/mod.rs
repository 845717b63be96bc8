//! Whether a card computes what the CPU computes: every operation and whole training steps, on both,
//! with the tolerance that the type of the numbers allows. `stepladder-cuda check` runs it on the card
//! at hand.

mod ops;
mod random;

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
}

impl Compared {
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
        let numbers = |x: &Tensor| {
            let x = x.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
            x.flatten_all()?.to_vec1::<f32>()
        };
        let (card, cpu) = (numbers(card)?, numbers(cpu)?);
        let (mut largest, mut size) = (0f64, 1f64);
        for (&a, &b) in card.iter().zip(&cpu) {
            let difference = f64::from(a - b).abs();
            largest = match difference.is_finite() || a == b {
                true if a == b => largest,
                true => largest.max(difference),
                false => f64::INFINITY,
            };
            size = size.max(f64::from(b).abs());
        }
        Ok(Compared {
            what: what.to_owned(),
            error: largest / size,
            tolerance: self.tolerance(factor),
        })
    }
}

/// Every case there is.
pub fn cases() -> Vec<Case> {
    ops::cases()
}
