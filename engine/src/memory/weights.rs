//! Bytes of a backbone's weights by the forms they are kept in.

use crate::adapters::lora::shape::linear_maps;
use crate::models::config::DecoderConfig;
use crate::models::stored_type::StoredType;

/// How one weight is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// As a file stores it.
    Stored(StoredType),
    /// 4-bit NormalFloat with an f32 scale for every 64 numbers.
    Nf4,
    /// The same with scales in 8 bits.
    Nf4DoubleQuantized,
}

impl Form {
    /// Bytes of `[rows, columns]` in this form.
    pub fn bytes(&self, rows: u64, columns: u64) -> u64 {
        let numbers = rows * columns;
        match self {
            Self::Stored(stored) => {
                let (size, bytes) = match (stored.block_size(), stored.block_bytes()) {
                    (Some(size), Some(bytes)) => (size as u64, bytes as u64),
                    // Refused when it is loaded; counted as floats until then.
                    _ => (1, 4),
                };
                rows * columns.div_ceil(size) * bytes
            }
            Self::Nf4 => numbers.div_ceil(2) + 4 * numbers.div_ceil(64),
            Self::Nf4DoubleQuantized => {
                let scales = numbers.div_ceil(64);
                numbers.div_ceil(2) + scales + 4 * scales.div_ceil(256) + 4
            }
        }
    }

    /// Whether products read it in tiles widened to floats of `float_bytes`.
    pub fn is_widened(&self, float_bytes: u64) -> bool {
        match self {
            Self::Stored(StoredType::F32) => float_bytes != 4,
            Self::Stored(StoredType::BF16 | StoredType::F16) => float_bytes != 2,
            _ => true,
        }
    }
}

/// How every weight of a backbone is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightForms {
    /// The embedding.
    pub embedding: Form,
    /// The head; absent where the embedding is the head.
    pub head: Option<Form>,
    /// The form of most linear maps of the blocks.
    pub blocks: Form,
    /// Bytes of all linear maps of the blocks.
    pub blocks_bytes: u64,
}

/// `[outputs, inputs]` of a block's linear maps as they are stored.
pub fn linear_shapes(model: &DecoderConfig) -> Vec<(u64, u64)> {
    let maps = linear_maps(model).into_iter();
    maps.map(|(_, [inputs, outputs])| (outputs as u64, inputs as u64))
        .collect()
}

/// Bytes of norms and biases, which are kept in f32.
pub fn small_bytes(model: &DecoderConfig) -> u64 {
    let linear: u64 = linear_shapes(model)
        .iter()
        .map(|(rows, columns)| rows * columns)
        .sum();
    let tables = model.vocabulary as u64 * model.d_model as u64;
    let head = if model.tied_head { 0 } else { tables };
    4 * (model.parameters() as u64 - model.layers as u64 * linear - tables - head)
}
