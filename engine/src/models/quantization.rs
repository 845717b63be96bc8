//! How the weights of a backbone's linear maps are kept in memory, and what `--quantize` means.
//! Embeddings, head and norms stay as they are stored, as in bitsandbytes; so does whatever is
//! quantized on disk already.

use serde::{Deserialize, Serialize};
use stepladder_protocol::{Quantize, Switch};

use crate::ops::nf4::DoubleQuantization;

/// The form of the linear maps inside the blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantization {
    /// As the file stores them.
    #[default]
    AsStored,
    /// 4-bit NormalFloat, an f32 scale for every 64 weights.
    Nf4,
    /// The same with scales in 8 bits.
    Nf4DoubleQuantized,
}

/// Parameters from which `auto` quantizes a backbone on the CPU too.
const QUANTIZED_FROM: usize = 1_000_000_000;

impl Quantization {
    /// How floats are quantized, if they are.
    pub(super) fn double_quantization(self) -> Option<DoubleQuantization> {
        match self {
            Self::AsStored => None,
            Self::Nf4 => Some(DoubleQuantization::Off),
            Self::Nf4DoubleQuantized => Some(DoubleQuantization::On),
        }
    }

    /// What a request means for a backbone of this size on the CPU.
    pub fn resolve(asked: Quantize, double_quantization: Switch, parameters: usize) -> Self {
        let quantize = match asked {
            Quantize::Auto => parameters >= QUANTIZED_FROM,
            Quantize::Nf4 => true,
            Quantize::None => false,
        };
        match (quantize, double_quantization) {
            (false, _) => Self::AsStored,
            (true, Switch::Off) => Self::Nf4,
            (true, Switch::On) => Self::Nf4DoubleQuantized,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_quantizes_large_backbones() {
        let resolve = |asked, double, parameters| Quantization::resolve(asked, double, parameters);
        let (small, large) = (999_999_999, 1_000_000_000);
        assert_eq!(
            resolve(Quantize::Auto, Switch::On, small),
            Quantization::AsStored
        );
        assert_eq!(
            resolve(Quantize::Auto, Switch::On, large),
            Quantization::Nf4DoubleQuantized
        );
        assert_eq!(
            resolve(Quantize::Nf4, Switch::Off, small),
            Quantization::Nf4
        );
        assert_eq!(
            resolve(Quantize::None, Switch::On, large),
            Quantization::AsStored
        );
    }
}
