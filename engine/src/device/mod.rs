//! What can compute here, and what `--device` means.
//!
//! A program computes on the processor, or, where it is built with the feature `cuda`, on NVIDIA cards too.
//! Which of the two programs a job needs is decided before either is started, by [`presence`]; a card
//! that is asked for and cannot be had is answered with the reason, never with a silent fallback.

mod card;
mod cpu;
mod driver;
mod family;
mod loading;
mod nvml;
mod places;
pub mod presence;
pub mod spill;
mod visible;

use std::str::FromStr;

use candle_core::Device;
use stepladder_protocol::DeviceReport;

pub use self::card::{Card, CardMemory, ComputeCapability};
pub use self::driver::CudaVersion;
pub use self::loading::load;
pub use self::places::{REFUSED_VARIABLE, Surroundings, WORKER_VARIABLE};
use crate::{Error, Result};

/// What this program was built to compute on.
pub const BUILT_FOR: &str = if cfg!(feature = "cuda") {
    "CUDA"
} else {
    "CPU"
};

/// How CUDA is to count cards, as an environment variable for whoever computes: by their slots, as NVML
/// does and as `--device cuda:N` means it.
pub const CARD_ORDER: (&str, &str) = ("CUDA_DEVICE_ORDER", "PCI_BUS_ID");

/// A device as asked for by `--device auto|cpu|cuda[:N]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceRequest {
    /// The best there is.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// The N-th NVIDIA card.
    Cuda(usize),
}

impl FromStr for DeviceRequest {
    type Err = Error;

    fn from_str(asked: &str) -> Result<Self> {
        let invalid = || Error::ConfigInvalid {
            field: "device",
            problem: format!("{asked:?} names no device"),
            hint: "use auto, cpu, cuda or cuda:N".to_owned(),
        };
        match asked {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => {
                let number = asked.strip_prefix("cuda:").ok_or_else(invalid)?;
                number.parse().map(Self::Cuda).map_err(|_| invalid())
            }
        }
    }
}

/// Opens the device that was asked for.
pub fn open(asked: &str) -> Result<Device> {
    match asked.parse()? {
        DeviceRequest::Cpu => Ok(Device::Cpu),
        DeviceRequest::Auto => best(),
        DeviceRequest::Cuda(number) => open_card(asked, number),
    }
}

#[cfg(not(feature = "cuda"))]
fn best() -> Result<Device> {
    Ok(Device::Cpu)
}

#[cfg(feature = "cuda")]
fn best() -> Result<Device> {
    match presence::here() {
        Ok(cuda) => match cuda.cards.first() {
            Some(card) => open_card("auto", card.number),
            None => Ok(Device::Cpu),
        },
        Err(_) => Ok(Device::Cpu),
    }
}

#[cfg(not(feature = "cuda"))]
fn open_card(asked: &str, _number: usize) -> Result<Device> {
    let hint = "leave --device out, or run `stepladder devices` to see what is here";
    Err(unavailable(
        asked,
        "this program computes on the processor alone",
        hint,
    ))
}

#[cfg(feature = "cuda")]
fn open_card(asked: &str, number: usize) -> Result<Device> {
    let cuda = presence::here().as_ref();
    let cuda = cuda.map_err(|missing| unavailable(asked, &missing.to_string(), &missing.hint()))?;
    card_of(cuda, asked, number)?;
    let used_bytes = || {
        let cards = presence::cards_now(cuda);
        let card = cards.iter().find(|card| card.number == number)?;
        Some(
            card.memory
                .total_bytes
                .saturating_sub(card.memory.free_bytes),
        )
    };
    crate::ops::cuda::opened::opened(number, used_bytes).map_err(|error| {
        let problem = error.to_string();
        let first_line = problem.lines().next().unwrap_or_default();
        unavailable(asked, first_line, "see whether nvidia-smi shows the card")
    })
}

/// The card that a job asked for in this way computes on, if it computes on one: as it is now.
pub fn card_here(asked: DeviceRequest) -> Option<Card> {
    let cuda = presence::here().as_ref().ok()?;
    let cards = presence::cards_now(cuda);
    match asked {
        DeviceRequest::Cpu => None,
        DeviceRequest::Auto => cards.into_iter().next(),
        DeviceRequest::Cuda(number) => cards.into_iter().find(|card| card.number == number),
    }
}

/// The card that a number names.
///
/// # Errors
/// When there is none; it says which there are.
pub fn card_of<'a>(cuda: &'a presence::Cuda, asked: &str, number: usize) -> Result<&'a Card> {
    let found = cuda.cards.iter().find(|card| card.number == number);
    found.ok_or_else(|| {
        let here: Vec<String> = { cuda.cards.iter() }
            .map(|card| format!("cuda:{} ({})", card.number, card.name))
            .collect();
        let reason = format!("what can compute here is {}", here.join(", "));
        unavailable(asked, &reason, "name one of those, or leave --device out")
    })
}

fn unavailable(asked: &str, reason: &str, hint: &str) -> Error {
    Error::DeviceUnavailable {
        asked: asked.to_owned(),
        reason: reason.to_owned(),
        hint: hint.to_owned(),
    }
}

/// The device of a job in words, for people: "CPU, 8 threads".
pub fn in_words() -> String {
    match threads() {
        1 => "CPU, 1 thread".to_owned(),
        threads => format!("CPU, {threads} threads"),
    }
}

/// Threads that computing uses. They are settled when the process starts, by `RAYON_NUM_THREADS`.
pub fn threads() -> usize {
    candle_core::utils::get_num_threads()
}

/// Everything that can compute here, the best first, and why a card is not among it.
pub fn list() -> DeviceReport {
    let cpu = cpu::info();
    match presence::here() {
        Ok(cuda) => {
            let cards = presence::cards_now(cuda);
            let cards = cards
                .iter()
                .map(|card| card.info(cuda.version, cpu.threads));
            DeviceReport {
                devices: cards.chain([cpu.clone()]).collect(),
                notices: Vec::new(),
            }
        }
        Err(missing) => DeviceReport {
            devices: vec![cpu],
            notices: vec![missing.notice()],
        },
    }
}

/// Bytes of RAM, all and free, where the system tells.
pub fn memory() -> (Option<u64>, Option<u64>) {
    let cpu = cpu::info();
    let known = |bytes: u64| Some(bytes).filter(|bytes| *bytes > 0);
    (known(cpu.memory_total_bytes), known(cpu.memory_free_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_names_are_understood_or_refused() {
        assert_eq!(
            "auto".parse::<DeviceRequest>().unwrap(),
            DeviceRequest::Auto
        );
        assert_eq!("cpu".parse::<DeviceRequest>().unwrap(), DeviceRequest::Cpu);
        assert_eq!(
            "cuda".parse::<DeviceRequest>().unwrap(),
            DeviceRequest::Cuda(0)
        );
        assert_eq!(
            "cuda:3".parse::<DeviceRequest>().unwrap(),
            DeviceRequest::Cuda(3)
        );
        for wrong in ["", "gpu", "CPU", "cuda:", "cuda:x", "cuda:-1"] {
            assert_eq!(
                wrong.parse::<DeviceRequest>().unwrap_err().code(),
                "config_invalid"
            );
        }
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn a_card_is_refused_with_the_reason() {
        assert!(open("auto").unwrap().is_cpu());
        let error = open("cuda:1").unwrap_err();
        assert_eq!(error.code(), "device_unavailable");
        assert!(error.to_string().contains("processor alone"), "{error}");
    }

    #[test]
    fn the_cpu_is_listed_with_its_memory() {
        let report = list();
        let cpu = report.devices.last().unwrap();
        assert_eq!(cpu.id, "cpu");
        assert!(!cpu.name.is_empty());
        assert!(cpu.threads > 0);
        assert!(cpu.memory_total_bytes >= cpu.memory_free_bytes);
        assert!(cpu.memory_free_bytes > 0);
        assert_eq!(report.notices.is_empty(), report.devices.len() > 1);
    }
}
