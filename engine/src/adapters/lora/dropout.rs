//! Dropout on the input of LoRA's `A`. Which numbers are zeroed is a pure function of the run's seed,
//! the micro-batch and the place, so the backward (and a recomputed forward) draws the same again and
//! nothing has to be kept.

use candle_core::Tensor;
use rand::Rng;

use crate::Result;
use crate::adapters::ladder::initialization::stream;
use crate::models::layers::Place;
use crate::ops::elementwise;

/// The dropout of one micro-batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dropout {
    pub(super) fraction: f64,
    pub(super) seed: u64,
    /// Which micro-batch of the run it is.
    pub(super) draw: u64,
}

impl Dropout {
    /// `x` with the drawn numbers zeroed and the others scaled up; also its own backward.
    pub(super) fn apply(&self, place: Place<'_>, x: &Tensor) -> Result<Tensor> {
        let Place { layer, map, tile } = place;
        let (draw, module, start) = (self.draw, map.module(), tile.start);
        let name = format!("dropout.{draw}.{layer}.{module}.{start}");
        let mut random = stream(&name, self.seed);
        let scale = (1.0 - self.fraction).recip();
        let limit = (self.fraction * 2f64.powi(32)) as u32;
        let kept = || random.random::<u32>() >= limit;
        Ok(elementwise::masked(x, scale, kept)?)
    }
}
