//! Hidden states that wait for the backward: taps of a ladder, block inputs of LoRA. They may be
//! stored in 16 bits, and in RAM while everything else is on a card.

use candle_core::{DType, Device, Tensor};
use stepladder_protocol::{Switch, TapDtype};

use crate::Result;
use crate::models::compute::Compute;
use crate::ops::elementwise;

/// How such states are stored.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeptStates {
    /// Their type; computed with in f32.
    pub dtype: TapDtype,
    /// In RAM, whatever the device.
    pub in_ram: Switch,
}

/// The candle type of a tap. `f32` is as it was computed: on a card in 16 bits anyway.
fn stored_type(dtype: TapDtype, computed: DType) -> DType {
    match dtype {
        TapDtype::F32 => computed,
        TapDtype::Bf16 => DType::BF16,
        TapDtype::F16 => DType::F16,
    }
}

impl KeptStates {
    /// A copy of `x` that outlives it.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn keep(self, x: &Tensor) -> Result<Tensor> {
        let dtype = stored_type(self.dtype, x.dtype());
        let device = match self.in_ram {
            Switch::On => &Device::Cpu,
            Switch::Off => x.device(),
        };
        Ok(match x.dtype() == dtype && x.device().same_device(device) {
            true => x.copy()?,
            false => elementwise::to_type(x, dtype)?.to_device(device)?,
        })
    }

    /// What [`Self::keep`] stored, on the device and in the type that it is computed with.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn read(self, kept: &Tensor, compute: &Compute) -> Result<Tensor> {
        let kept = kept.to_device(compute.device())?;
        Ok(elementwise::to_type(&kept, compute.activations())?)
    }
}

/// `x` in the type it is stored in; whoever reads it widens it again.
///
/// # Errors
/// When memory runs out.
pub fn narrowed(x: &Tensor, dtype: TapDtype) -> Result<Tensor> {
    Ok(elementwise::to_type(x, stored_type(dtype, x.dtype()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_a_copy_and_reads_as_rounded() {
        let x = Tensor::new(&[1.0f32 / 3.0, 2.5], &Device::Cpu).unwrap();
        for dtype in [TapDtype::F32, TapDtype::Bf16, TapDtype::F16] {
            let states = KeptStates {
                dtype,
                in_ram: Switch::On,
            };
            let kept = states.keep(&x).unwrap();
            // What was kept does not change with what it was kept of.
            crate::ops::elementwise::scale(&x, 3.0).unwrap();
            let read = states.read(&kept, &Compute::cpu()).unwrap();
            crate::ops::elementwise::scale(&x, 1.0 / 3.0).unwrap();
            let third = match dtype {
                TapDtype::F32 => 1.0 / 3.0,
                TapDtype::Bf16 => 0.333_984_38,
                TapDtype::F16 => 0.333_251_95,
            };
            assert_eq!(read.to_vec1::<f32>().unwrap(), [third, 2.5], "{dtype:?}");
            let narrow = narrowed(&x, dtype).unwrap();
            let narrow = narrow.to_dtype(DType::F32).unwrap();
            assert_eq!(narrow.to_vec1::<f32>().unwrap(), [third, 2.5], "{dtype:?}");
        }
    }
}
