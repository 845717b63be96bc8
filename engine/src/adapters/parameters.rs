//! Named tensors of one adapter: its parameters, their gradients, an optimizer's moments. Sorted by
//! name, so that every walk over them has the same order.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};

use crate::ops::elementwise;
use crate::{Error, Result};

/// Tensors by name.
#[derive(Clone, Debug, Default)]
pub struct Parameters(BTreeMap<String, Tensor>);

impl Parameters {
    /// From tensors that nobody else changes.
    pub fn new(tensors: BTreeMap<String, Tensor>) -> Self {
        Self(tensors)
    }

    /// The tensor of this name.
    ///
    /// # Errors
    /// When there is none: the adapter and its wiring disagree.
    pub fn get(&self, name: &str) -> Result<&Tensor> {
        self.0.get(name).ok_or_else(|| {
            Error::Tensor(candle_core::Error::Msg(format!(
                "no adapter tensor named {name}"
            )))
        })
    }

    /// Checks that these are the tensors of `shapes` and no others.
    ///
    /// # Errors
    /// Names the first tensor that is missing, unknown or of another shape.
    pub fn expect(&self, shapes: &BTreeMap<String, Vec<usize>>) -> Result<(), String> {
        for (name, shape) in shapes {
            match self.0.get(name) {
                None => return Err(format!("tensor {name} is missing")),
                Some(tensor) if tensor.dims() != shape => {
                    return Err(format!(
                        "tensor {name} has shape {:?}, the wiring promises {shape:?}",
                        tensor.dims()
                    ));
                }
                Some(_) => {}
            }
        }
        match self.0.keys().find(|name| !shapes.contains_key(*name)) {
            Some(name) => Err(format!("tensor {name} does not belong to the wiring")),
            None => Ok(()),
        }
    }

    /// All tensors, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.0.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Numbers in all tensors together.
    pub fn count(&self) -> usize {
        self.0.values().map(Tensor::elem_count).sum()
    }

    /// The same numbers on a device; tensors that lie there already are shared.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        let moved =
            |(name, tensor): (&String, &Tensor)| Ok((name.clone(), tensor.to_device(device)?));
        Ok(Self(self.0.iter().map(moved).collect::<Result<_>>()?))
    }

    /// Zeros of the same names and shapes.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn zeros_like(&self) -> Result<Self> {
        let zeros = |(name, tensor): (&String, &Tensor)| {
            Ok((
                name.clone(),
                elementwise::zeros(tensor.shape(), tensor.dtype(), tensor.device())?,
            ))
        };
        Ok(Self(self.0.iter().map(zeros).collect::<Result<_>>()?))
    }

    /// Copies that share no storage with these.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn deep_copy(&self) -> Result<Self> {
        let copy = |(name, tensor): (&String, &Tensor)| Ok((name.clone(), tensor.copy()?));
        Ok(Self(self.0.iter().map(copy).collect::<Result<_>>()?))
    }

    /// L2 norm over all numbers.
    ///
    /// # Errors
    /// When a tensor cannot be read.
    pub fn norm(&self) -> Result<f64> {
        let mut total = 0.0;
        for tensor in self.0.values() {
            total += elementwise::inner_product(tensor, tensor)?;
        }
        Ok(total.sqrt())
    }

    /// Multiplies every number in place.
    ///
    /// # Errors
    /// When a tensor cannot be changed.
    pub fn scale(&self, factor: f64) -> Result<()> {
        for tensor in self.0.values() {
            elementwise::scale(tensor, factor)?;
        }
        Ok(())
    }

    /// The tensors themselves.
    pub fn tensors(&self) -> &BTreeMap<String, Tensor> {
        &self.0
    }
}
