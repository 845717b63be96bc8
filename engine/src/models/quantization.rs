//! How the weights of a backbone are kept in memory, and what `--quantize` and `--quantize-head`
//! mean. Norms stay as they are stored, and so does an embedding that is not the head as well;
//! whatever is quantized on disk stays quantized as it is.

use serde::{Deserialize, Serialize};
use stepladder_protocol::{Quantize, Switch};

use crate::ops::nf4::DoubleQuantization;

/// The form of a matrix whose file holds floats.
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

/// How a whole backbone is kept. An adapter's description holds it, so that the adapter is used
/// beside what it was trained beside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackboneQuantization {
    /// The linear maps inside the blocks.
    #[serde(rename = "quantization", default)]
    pub blocks: Quantization,
    /// The head, and with it the embedding where the two are one matrix. Descriptions that say
    /// nothing of it were made beside a head as stored.
    #[serde(rename = "head_quantization", default)]
    pub head: Quantization,
}

/// Parameters from which `auto` quantizes a backbone on the CPU too.
const QUANTIZED_FROM: usize = 1_000_000_000;

impl BackboneQuantization {
    /// Everything as the file stores it.
    pub const AS_STORED: Self = Self::of_blocks(Quantization::AsStored);

    /// The blocks in this form, the head as the file stores it: what bitsandbytes does.
    pub const fn of_blocks(blocks: Quantization) -> Self {
        Self {
            blocks,
            head: Quantization::AsStored,
        }
    }

    /// The same blocks beside a head in this form.
    pub const fn with_head(self, head: Quantization) -> Self {
        Self { head, ..self }
    }

    /// What a request means for a backbone of this size on the CPU. The head is asked for by itself:
    /// it may be quantized beside blocks that are not.
    pub fn resolve(
        blocks: Quantize,
        head: Switch,
        double_quantization: Switch,
        parameters: usize,
    ) -> Self {
        let quantize_blocks = match blocks {
            Quantize::Auto => parameters >= QUANTIZED_FROM,
            Quantize::Nf4 => true,
            Quantize::None => false,
        };
        let form = |quantize| match (quantize, double_quantization) {
            (false, _) => Quantization::AsStored,
            (true, Switch::Off) => Quantization::Nf4,
            (true, Switch::On) => Quantization::Nf4DoubleQuantized,
        };
        Self {
            blocks: form(quantize_blocks),
            head: form(head == Switch::On),
        }
    }
}

impl Quantization {
    /// How floats are quantized, if they are.
    pub(super) fn double_quantization(self) -> Option<DoubleQuantization> {
        match self {
            Self::AsStored => None,
            Self::Nf4 => Some(DoubleQuantization::Off),
            Self::Nf4DoubleQuantized => Some(DoubleQuantization::On),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_quantizes_the_blocks_of_large_backbones() {
        let blocks = |asked, double, parameters| {
            let kept = BackboneQuantization::resolve(asked, Switch::Off, double, parameters);
            assert_eq!(kept.head, Quantization::AsStored);
            kept.blocks
        };
        let (small, large) = (999_999_999, 1_000_000_000);
        assert_eq!(
            blocks(Quantize::Auto, Switch::On, small),
            Quantization::AsStored
        );
        assert_eq!(
            blocks(Quantize::Auto, Switch::On, large),
            Quantization::Nf4DoubleQuantized
        );
        assert_eq!(blocks(Quantize::Nf4, Switch::Off, small), Quantization::Nf4);
        assert_eq!(
            blocks(Quantize::None, Switch::On, large),
            Quantization::AsStored
        );
    }

    #[test]
    fn a_head_is_quantized_whatever_the_blocks_are() {
        for blocks in [Quantize::Auto, Quantize::Nf4, Quantize::None] {
            for (double, head) in [
                (Switch::On, Quantization::Nf4DoubleQuantized),
                (Switch::Off, Quantization::Nf4),
            ] {
                let without = BackboneQuantization::resolve(blocks, Switch::Off, double, 1);
                let with = BackboneQuantization::resolve(blocks, Switch::On, double, 1);
                assert_eq!(with, without.with_head(head));
            }
        }
    }
}
