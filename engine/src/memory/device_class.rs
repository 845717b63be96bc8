//! What a kind of device takes beside what the plan counts, and in which type it computes.

use candle_core::Device;

use crate::Result;
use crate::models::compute::Compute;
use crate::ops::frozen_matrix::{TILE_ROWS, card_tile_rows};
use crate::ops::linear_cross_entropy::{CARD_CHUNK_NUMBERS, CHUNK_NUMBERS};

/// Constants of a kind of device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeviceClass {
    /// Its name: `cpu` or `cuda`.
    pub name: &'static str,
    /// Bytes of a number of activations.
    pub float_bytes: u64,
    /// Bytes of a number in a table of rotary angles.
    pub angle_bytes: u64,
    /// Numbers in one chunk of logits.
    pub chunk_numbers: usize,
    /// Tiles of attention that work at the same time and hold scores; 0 if they are never stored.
    pub attention_workers: u64,
    /// Rows, as wide as the model, that a matrix product packs.
    pub packed_rows: u64,
    /// Bytes taken whatever the run: context, libraries.
    pub constant_bytes: u64,
    /// Whether that number was measured on such a device.
    pub constant_is_measured: bool,
    /// Whether embeddings and kept states can lie outside its memory.
    pub has_own_memory: bool,
}

/// Fitted on half the cells of `estimate --check`; see docs/memory.md.
const CPU_PACKED_ROWS: u64 = 128;
/// Context and cuBLAS's workspace.
const CUDA_BYTES: u64 = 512 << 20;

impl DeviceClass {
    /// The CPU with so many threads, in f32.
    pub fn cpu(threads: usize) -> Self {
        Self {
            name: "cpu",
            float_bytes: 4,
            angle_bytes: 8,
            chunk_numbers: CHUNK_NUMBERS,
            attention_workers: threads.max(1) as u64,
            packed_rows: CPU_PACKED_ROWS,
            constant_bytes: 0,
            constant_is_measured: true,
            has_own_memory: false,
        }
    }

    /// The one that a job computes on.
    ///
    /// # Errors
    /// When the driver does not tell what it needs for itself.
    pub fn of(compute: &Compute) -> Result<Self> {
        match compute.device() {
            Device::Cpu => Ok(Self::cpu(crate::device::threads())),
            _ => Ok(Self {
                float_bytes: compute.activations().size_in_bytes() as u64,
                constant_bytes: compute.own_bytes().unwrap_or(CUDA_BYTES),
                constant_is_measured: compute.own_bytes().is_some(),
                ..Self::cuda()
            }),
        }
    }

    /// Bytes that are taken whatever the run, and that no tensor's allocator counts.
    pub fn outside_bytes(&self) -> u64 {
        self.constant_bytes
    }

    /// An NVIDIA card that computes in 16 bits.
    pub fn cuda() -> Self {
        Self {
            name: "cuda",
            float_bytes: 2,
            angle_bytes: 4,
            chunk_numbers: CARD_CHUNK_NUMBERS,
            attention_workers: 0,
            packed_rows: 0,
            constant_bytes: CUDA_BYTES,
            constant_is_measured: false,
            has_own_memory: true,
        }
    }

    /// Rows of a weight `[rows, columns]` that are widened at a time.
    pub fn widened_rows(&self, rows: u64, columns: u64) -> u64 {
        match self.has_own_memory {
            true => card_tile_rows(rows as usize, columns as usize) as u64,
            false => rows.min(TILE_ROWS as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_widens_sixteen_million_numbers_in_whole_rows() {
        let card = DeviceClass::cuda();
        assert_eq!(card.widened_rows(4096, 4096), 4096);
        assert_eq!(card.widened_rows(151_936, 4096), 4096);
        assert_eq!(card.widened_rows(896, 4864), 896);
        assert_eq!(card.widened_rows(151_936, 3584), 4681);
        assert_eq!(card.widened_rows(3, 1 << 25), 1);
        assert_eq!(DeviceClass::cpu(2).widened_rows(4096, 4096), 256);
    }
}
