//! LoRA: a low-rank addition to linear maps of the frozen backbone,
//! `y = W x + scale B A dropout(x)`, with `A` `[rank, inputs]` and `B` `[outputs, rank]` (Hu et al.,
//! arXiv 2106.09685; QLoRA, arXiv 2305.14314, is the same beside a backbone in four bits). `scale` is
//! `alpha / rank`, or `alpha / sqrt(rank)` with rsLoRA (arXiv 2312.03732).

mod dropout;
mod low_rank;
pub mod peft;
pub mod shape;
mod training_pass;

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use rand::Rng;

pub use low_rank::LowRank;
pub use shape::{LoraRequest, LoraShape};
pub use training_pass::LoraTraining;

use super::ladder::initialization::stream;
use super::parameters::Parameters;
use crate::Result;

/// A LoRA adapter.
pub struct Lora {
    shape: LoraShape,
    parameters: Parameters,
}

impl Lora {
    /// A fresh adapter: `A` uniform in `+-1/sqrt(inputs)` (Kaiming with `a = sqrt(5)`, as PEFT has
    /// it), `B` zero, so that the model still is the base model.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn initialize(shape: LoraShape, seed: u64) -> Result<Self> {
        let mut tensors = BTreeMap::new();
        for (name, dims) in shape.tensors() {
            let count = dims.iter().product();
            let values = if name.ends_with("lora_a") {
                let bound = (dims[1] as f64).sqrt().recip();
                let mut random = stream(&name, seed);
                let mut draw = |_| ((random.random::<f64>() * 2.0 - 1.0) * bound) as f32;
                (0..count).map(&mut draw).collect()
            } else {
                vec![0f32; count]
            };
            let tensor = Tensor::from_vec(values, dims.to_vec(), &Device::Cpu)?;
            tensors.insert(name, tensor);
        }
        let parameters = Parameters::new(tensors);
        Ok(Self { shape, parameters })
    }

    /// An adapter with given parameters.
    ///
    /// # Errors
    /// Names the first tensor that is missing, unknown or of another shape.
    pub fn from_parameters(shape: LoraShape, parameters: Parameters) -> Result<Self, String> {
        parameters.expect(&shape.tensors())?;
        Ok(Self { shape, parameters })
    }

    /// The same adapter with its tensors on a device.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        Ok(Self {
            shape: self.shape.clone(),
            parameters: self.parameters.to_device(device)?,
        })
    }

    /// What is added where.
    pub fn shape(&self) -> &LoraShape {
        &self.shape
    }

    /// The trained tensors.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }
}
