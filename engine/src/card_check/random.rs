//! Numbers that are the same on every machine.

use candle_core::{Device, Result, Shape, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A stream of numbers.
pub struct Random(ChaCha8Rng);

impl Random {
    /// The stream of this number.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A tensor in RAM with numbers between `-size` and `size`.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn tensor(&mut self, shape: impl Into<Shape>, size: f32) -> Result<Tensor> {
        let shape = shape.into();
        let values: Vec<f32> = (0..shape.elem_count())
            .map(|_| self.0.random_range(-size..=size))
            .collect();
        Tensor::from_vec(values, shape, &Device::Cpu)
    }

    /// A whole number below `end`.
    pub fn below(&mut self, end: u32) -> u32 {
        self.0.random_range(0..end)
    }
}
