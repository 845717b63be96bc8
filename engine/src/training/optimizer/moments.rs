//! What AdamW remembers of earlier gradients: two running means per tensor, as f32 tensors or as
//! blocks of 8-bit codes.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use stepladder_protocol::Optimizer;

use crate::Result;
use crate::adapters::parameters::Parameters;
use crate::ops::adamw::Coded;
use crate::ops::dynamic_map::BLOCK;

/// Tensors with fewer numbers keep f32 moments under every optimizer: bitsandbytes' `min_8bit_size`.
pub const MIN_8BIT_ELEMENTS: usize = 4096;

/// The moments of every parameter, by its name.
#[derive(Clone, Debug, Default)]
pub struct Moments(BTreeMap<String, TensorMoments>);

/// Both moments of one parameter.
#[derive(Clone, Debug)]
pub enum TensorMoments {
    /// As they are, in the parameter's shape.
    F32 {
        /// Running mean of the gradients.
        first: Tensor,
        /// Running mean of the squared gradients.
        second: Tensor,
    },
    /// In blocks of [`BLOCK`] numbers of the row-major tensor.
    Codes {
        /// Running mean of the gradients, in the signed dynamic map.
        first: CodedMoment,
        /// Running mean of the squared gradients, in the unsigned dynamic map.
        second: CodedMoment,
    },
}

/// One moment of one tensor: number `i` is `map[codes[i]] * absmax[i / BLOCK]`. Both lie beside the
/// parameter.
#[derive(Clone, Debug)]
pub struct CodedMoment {
    /// One u8 per number, in one dimension.
    pub codes: Tensor,
    /// The largest magnitude of each block, f32.
    pub absmax: Tensor,
}

impl CodedMoment {
    /// `elements` zeros: code 0 under a scale of 0, in either map.
    fn zeros(elements: usize, device: &Device) -> Result<Self> {
        Ok(Self {
            codes: Tensor::zeros(elements, DType::U8, device)?,
            absmax: Tensor::zeros(elements.div_ceil(BLOCK), DType::F32, device)?,
        })
    }

    pub(super) fn parts(&self) -> Coded<'_> {
        Coded {
            codes: &self.codes,
            absmax: &self.absmax,
        }
    }

    fn to_device(&self, device: &Device) -> Result<Self> {
        Ok(Self {
            codes: self.codes.to_device(device)?,
            absmax: self.absmax.to_device(device)?,
        })
    }
}

fn is_coded(elements: usize, optimizer: Optimizer) -> bool {
    match optimizer {
        Optimizer::AdamW => false,
        Optimizer::AdamW8bit => elements >= MIN_8BIT_ELEMENTS,
    }
}

/// Bytes that both moments of one tensor with so many numbers take.
pub fn moment_bytes(elements: usize, optimizer: Optimizer) -> u64 {
    let one = if is_coded(elements, optimizer) {
        elements + elements.div_ceil(BLOCK) * size_of::<f32>()
    } else {
        elements * size_of::<f32>()
    };
    2 * one as u64
}

impl TensorMoments {
    fn zeros(parameter: &Tensor, optimizer: Optimizer) -> Result<Self> {
        let elements = parameter.elem_count();
        if is_coded(elements, optimizer) {
            return Ok(Self::Codes {
                first: CodedMoment::zeros(elements, parameter.device())?,
                second: CodedMoment::zeros(elements, parameter.device())?,
            });
        }
        Ok(Self::F32 {
            first: parameter.zeros_like()?,
            second: parameter.zeros_like()?,
        })
    }

    fn to_device(&self, device: &Device) -> Result<Self> {
        Ok(match self {
            Self::F32 { first, second } => Self::F32 {
                first: first.to_device(device)?,
                second: second.to_device(device)?,
            },
            Self::Codes { first, second } => Self::Codes {
                first: first.to_device(device)?,
                second: second.to_device(device)?,
            },
        })
    }

    /// Checks that these are moments of `parameter` as `optimizer` keeps them.
    fn expect(&self, parameter: &Tensor, optimizer: Optimizer) -> Result<(), String> {
        let elements = parameter.elem_count();
        let coded = is_coded(elements, optimizer);
        match self {
            Self::F32 { .. } if coded => {
                Err("are 32-bit floats, the optimizer keeps 8 bits".to_owned())
            }
            Self::Codes { .. } if !coded => {
                Err("have 8 bits, the optimizer keeps 32-bit floats".to_owned())
            }
            Self::F32 { first, second } => {
                match [first, second]
                    .into_iter()
                    .find(|moment| moment.shape() != parameter.shape())
                {
                    None => Ok(()),
                    Some(other) => Err(format!(
                        "have shape {:?}, it has {:?}",
                        other.dims(),
                        parameter.dims()
                    )),
                }
            }
            Self::Codes { first, second } => {
                let sizes =
                    |moment: &CodedMoment| (moment.codes.elem_count(), moment.absmax.elem_count());
                let expected = (elements, elements.div_ceil(BLOCK));
                match [first, second]
                    .map(sizes)
                    .into_iter()
                    .find(|sizes| *sizes != expected)
                {
                    None => Ok(()),
                    Some((codes, absmax)) => Err(format!(
                        "have {codes} codes and {absmax} scales, it has {elements} numbers"
                    )),
                }
            }
        }
    }
}

impl Moments {
    /// From what was saved.
    pub fn new(moments: BTreeMap<String, TensorMoments>) -> Self {
        Self(moments)
    }

    /// Zeros for these parameters.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn zeros(parameters: &Parameters, optimizer: Optimizer) -> Result<Self> {
        let zeros = |(name, parameter): (&str, &Tensor)| {
            Ok((name.to_owned(), TensorMoments::zeros(parameter, optimizer)?))
        };
        Ok(Self(parameters.iter().map(zeros).collect::<Result<_>>()?))
    }

    /// Checks that these are the moments of `parameters` as `optimizer` keeps them.
    ///
    /// # Errors
    /// Names the first parameter whose moments are missing or others.
    pub fn expect(&self, parameters: &Parameters, optimizer: Optimizer) -> Result<(), String> {
        for (name, parameter) in parameters.iter() {
            let moments = self.0.get(name);
            let moments = moments.ok_or_else(|| format!("tensor {name} has no moments"))?;
            moments
                .expect(parameter, optimizer)
                .map_err(|problem| format!("the moments of tensor {name} {problem}"))?;
        }
        match self.0.keys().find(|name| parameters.get(name).is_err()) {
            Some(name) => Err(format!("there are moments of an unknown tensor {name}")),
            None => Ok(()),
        }
    }

    /// The moments of one parameter.
    pub fn get(&self, name: &str) -> Option<&TensorMoments> {
        self.0.get(name)
    }

    /// The same, each moment on its parameter's device. One that lies there already is not copied.
    ///
    /// # Errors
    /// When a parameter is missing or memory runs out.
    pub(super) fn beside(self, parameters: &Parameters) -> Result<Self> {
        let moved = self.0.into_iter().map(|(name, moments)| {
            let moments = moments.to_device(parameters.get(&name)?.device())?;
            Ok((name, moments))
        });
        Ok(Self(moved.collect::<Result<_>>()?))
    }

    /// All of them, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &TensorMoments)> {
        self.0
            .iter()
            .map(|(name, moments)| (name.as_str(), moments))
    }
}
