//! The additions themselves, forward and backward, as the backbone's blocks call them.

use candle_core::Tensor;

use super::Lora;
use super::dropout::Dropout;
use super::shape::tensor_name;
use crate::Result;
use crate::adapters::parameters::Parameters;
use crate::models::layers::{Additions, LinearMap, Place};
use crate::ops::elementwise;
use crate::ops::linear::{
    accumulate_input_gradient, accumulate_linear, accumulate_weight_gradient, linear,
};

/// An adapter in use: for an answer, or for training with gradients to add to.
pub struct LowRank<'a> {
    lora: &'a Lora,
    gradients: Option<&'a Parameters>,
    dropout: Option<Dropout>,
}

impl<'a> LowRank<'a> {
    /// Without gradients and dropout.
    pub fn new(lora: &'a Lora) -> Self {
        Self {
            lora,
            gradients: None,
            dropout: None,
        }
    }

    pub(super) fn training(
        lora: &'a Lora,
        gradients: &'a Parameters,
        dropout: Option<Dropout>,
    ) -> Self {
        Self {
            lora,
            gradients: Some(gradients),
            dropout,
        }
    }

    /// `A` and `B` of a linear map, if it is added to.
    fn weights(&self, layer: usize, map: LinearMap) -> Option<(&'a Tensor, &'a Tensor)> {
        let tensors = self.lora.parameters().tensors();
        let get = |part: &str| tensors.get(&tensor_name(layer, map.module(), part));
        Some((get("lora_a")?, get("lora_b")?))
    }

    fn input(&self, place: Place<'_>, x: &Tensor) -> Result<Tensor> {
        match &self.dropout {
            Some(dropout) => dropout.apply(place, x),
            None => Ok(x.clone()),
        }
    }
}

/// Rows of `B` that make each part of the output.
fn rows_of_parts(b: &Tensor, parts: &[&Tensor]) -> Result<Vec<Tensor>> {
    let mut first = 0;
    let mut rows = Vec::with_capacity(parts.len());
    for part in parts {
        let width = part.dim(1)?;
        rows.push(b.narrow(0, first, width)?);
        first += width;
    }
    Ok(rows)
}

impl Additions for LowRank<'_> {
    fn forward(&self, place: Place<'_>, x: &Tensor, outputs: &[&Tensor]) -> Result<()> {
        let Some((a, b)) = self.weights(place.layer, place.map) else {
            return Ok(());
        };
        let low = linear(&self.input(place, x)?, a, None)?; // [tokens, rank]
        let scale = self.lora.shape().scale();
        for (rows, output) in rows_of_parts(b, outputs)?.iter().zip(outputs) {
            accumulate_linear(output, &low, rows, scale)?;
        }
        Ok(())
    }

    fn backward(
        &self,
        place: Place<'_>,
        x: &Tensor,
        gradients: &[&Tensor],
        input_gradient: &Tensor,
    ) -> Result<()> {
        let Place { layer, map, .. } = place;
        let Some((a, b)) = self.weights(layer, map) else {
            return Ok(());
        };
        let Some(sums) = self.gradients else {
            return Ok(());
        };
        let scale = self.lora.shape().scale();
        let input = self.input(place, x)?;
        let low = linear(&input, a, None)?; // [tokens, rank]
        elementwise::scale(&low, scale)?;
        let d_low = elementwise::zeros_like(&low)?;
        let d_b = sums.get(&tensor_name(layer, map.module(), "lora_b"))?;
        let (b_rows, d_b_rows) = (rows_of_parts(b, gradients)?, rows_of_parts(d_b, gradients)?);
        for ((b, d_b), grad) in b_rows.iter().zip(&d_b_rows).zip(gradients) {
            // `d_b` is a view: the sum arrives in the tensor it is a part of.
            accumulate_weight_gradient(d_b, &low, grad)?;
            accumulate_input_gradient(&d_low, b, grad)?;
        }
        drop(low);
        elementwise::scale(&d_low, scale)?;
        let d_a = sums.get(&tensor_name(layer, map.module(), "lora_a"))?;
        accumulate_weight_gradient(d_a, &input, &d_low)?;
        match &self.dropout {
            None => accumulate_input_gradient(input_gradient, a, &d_low)?,
            Some(dropout) => {
                let through = elementwise::zeros_like(input_gradient)?;
                accumulate_input_gradient(&through, a, &d_low)?;
                elementwise::add(input_gradient, &dropout.apply(place, &through)?)?;
            }
        }
        Ok(())
    }
}
