//! Where a backbone and its adapter compute, and in which type.

use candle_core::{DType, Device};
use stepladder_protocol::Switch;

use crate::{Result, device};

/// A device, and the type of activations there. Trained parameters are f32 everywhere.
#[derive(Clone, Debug)]
pub struct Compute {
    device: Device,
    activations: DType,
    embeddings_in_ram: Switch,
}

impl Compute {
    /// The processor, in f32.
    pub fn cpu() -> Self {
        Self {
            device: Device::Cpu,
            activations: DType::F32,
            embeddings_in_ram: Switch::Off,
        }
    }

    /// The device that was asked for, in the type that suits it.
    ///
    /// # Errors
    /// When it is not here.
    pub fn open(asked: &str) -> Result<Self> {
        Self::on(device::open(asked)?)
    }

    /// A device in the type that suits it: on a card bf16, or f16 where there is no bf16 (compute
    /// capability below 8.0).
    ///
    /// # Errors
    /// When the driver does not tell what the card can do.
    pub fn on(device: Device) -> Result<Self> {
        let activations = match &device {
            #[cfg(feature = "cuda")]
            Device::Cuda(card) => match crate::ops::cuda::capability(card)? {
                (8.., _) => DType::BF16,
                _ => DType::F16,
            },
            _ => DType::F32,
        };
        Ok(Self {
            device,
            activations,
            embeddings_in_ram: Switch::Off,
        })
    }

    /// The same in another type: f32 on a card compares it with the CPU.
    #[must_use]
    pub fn in_type(self, activations: DType) -> Self {
        Self {
            activations,
            ..self
        }
    }

    /// The same with an embedding by itself left in RAM, row by row fetched from there.
    #[must_use]
    pub fn with_embeddings_in_ram(self, embeddings_in_ram: Switch) -> Self {
        Self {
            embeddings_in_ram,
            ..self
        }
    }

    /// Whether it is a card.
    pub fn is_card(&self) -> bool {
        !self.device.is_cpu()
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Bytes of the device's memory, all and free, where they are told.
    ///
    /// # Errors
    /// When the driver refuses.
    pub fn memory(&self) -> Result<(Option<u64>, Option<u64>)> {
        match &self.device {
            #[cfg(feature = "cuda")]
            Device::Cuda(card) => {
                let (total, free) = crate::ops::cuda::memory(card)?;
                Ok((Some(total), Some(free)))
            }
            _ => Ok(device::memory()),
        }
    }

    /// Bytes that a card takes for context and libraries; none where that is not known.
    pub fn own_bytes(&self) -> Option<u64> {
        match &self.device {
            #[cfg(feature = "cuda")]
            Device::Cuda(card) => crate::ops::cuda::opened::own_bytes(card),
            _ => None,
        }
    }

    /// The type of activations.
    pub fn activations(&self) -> DType {
        self.activations
    }

    /// The device in words, for people: "CPU, 8 threads", "NVIDIA GeForce RTX 3060".
    pub fn in_words(&self) -> String {
        match &self.device {
            #[cfg(feature = "cuda")]
            Device::Cuda(card) => crate::ops::cuda::name(card),
            _ => device::in_words(),
        }
    }

    /// Answers that are made side by side, one on each thread: a card has one stream.
    pub fn answers_at_once(&self) -> usize {
        match self.device {
            Device::Cpu => device::threads(),
            _ => 1,
        }
    }

    /// Whether an embedding that is not the head stays in RAM.
    pub fn embeddings_in_ram(&self) -> Switch {
        self.embeddings_in_ram
    }

    /// Whether gradients of activations need to be scaled up to be seen: those of f16 do.
    pub fn needs_loss_scale(&self) -> bool {
        self.activations == DType::F16
    }
}
