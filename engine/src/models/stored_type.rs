//! How the numbers of a tensor are stored, whichever file format says so.

use candle_core::quantized::GgmlDType;

/// A storage type. Those that can be computed with are named; any other keeps its name, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredType {
    /// 32-bit floats.
    F32,
    /// IEEE half precision.
    F16,
    /// bfloat16.
    BF16,
    /// Blocks of quantized numbers, as GGML lays them out.
    Blocks(GgmlDType),
    /// A type that cannot be computed with, by name.
    Other(String),
}

impl StoredType {
    /// The type's usual name, such as `BF16` or `Q4_K`.
    pub fn name(&self) -> String {
        match self {
            Self::F32 => "F32".to_owned(),
            Self::F16 => "F16".to_owned(),
            Self::BF16 => "BF16".to_owned(),
            // candle calls them Q4K, llama.cpp and users Q4_K
            Self::Blocks(kind) => match format!("{kind:?}") {
                name if name.ends_with('K') => format!("{}_K", name.trim_end_matches('K')),
                name => name,
            },
            Self::Other(name) => name.clone(),
        }
    }

    /// Numbers that are stored together; a row is a whole number of blocks. None if unknown.
    pub fn block_size(&self) -> Option<usize> {
        match self {
            Self::F32 | Self::F16 | Self::BF16 => Some(1),
            Self::Blocks(kind) => Some(kind.block_size()),
            Self::Other(_) => None,
        }
    }

    /// Bytes of one block. None if unknown.
    pub fn block_bytes(&self) -> Option<usize> {
        match self {
            Self::F32 => Some(4),
            Self::F16 | Self::BF16 => Some(2),
            Self::Blocks(kind) => Some(kind.type_size()),
            Self::Other(_) => None,
        }
    }

    /// By the number that a GGUF file gives a type.
    pub fn from_ggml(number: u32) -> Self {
        use GgmlDType::{Q2K, Q3K, Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0, Q8_1, Q8K};
        let other = |name: &str| Self::Other(name.to_owned());
        match number {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Blocks(Q4_0),
            3 => Self::Blocks(Q4_1),
            6 => Self::Blocks(Q5_0),
            7 => Self::Blocks(Q5_1),
            8 => Self::Blocks(Q8_0),
            9 => Self::Blocks(Q8_1),
            10 => Self::Blocks(Q2K),
            11 => Self::Blocks(Q3K),
            12 => Self::Blocks(Q4K),
            13 => Self::Blocks(Q5K),
            14 => Self::Blocks(Q6K),
            15 => Self::Blocks(Q8K),
            30 => Self::BF16,
            16 => other("IQ2_XXS"),
            17 => other("IQ2_XS"),
            18 => other("IQ3_XXS"),
            19 => other("IQ1_S"),
            20 => other("IQ4_NL"),
            21 => other("IQ3_S"),
            22 => other("IQ2_S"),
            23 => other("IQ4_XS"),
            24 => other("I8"),
            25 => other("I16"),
            26 => other("I32"),
            27 => other("I64"),
            28 => other("F64"),
            29 => other("IQ1_M"),
            34 => other("TQ1_0"),
            35 => other("TQ2_0"),
            39 => other("MXFP4"),
            number => Self::Other(format!("GGML type {number}")),
        }
    }

    /// By the name that a safetensors file gives a type.
    pub fn from_safetensors(dtype: safetensors::Dtype) -> Self {
        match dtype {
            safetensors::Dtype::F32 => Self::F32,
            safetensors::Dtype::F16 => Self::F16,
            safetensors::Dtype::BF16 => Self::BF16,
            other => Self::Other(format!("{other:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_users_know() {
        assert_eq!(StoredType::from_ggml(12).name(), "Q4_K");
        assert_eq!(StoredType::from_ggml(2).name(), "Q4_0");
        assert_eq!(StoredType::from_ggml(23).name(), "IQ4_XS");
        assert_eq!(StoredType::from_ggml(99).name(), "GGML type 99");
        assert_eq!(StoredType::BF16.name(), "BF16");
    }
}
