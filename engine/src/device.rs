//! What can compute here, and what `--device` means.
//!
//! This build computes on the CPU alone; asking for a GPU is answered with the reason why there is
//! none, never with a silent fallback.

use std::str::FromStr;

use candle_core::Device;
use stepladder_protocol::{DeviceInfo, DeviceReport};
use sysinfo::{CpuRefreshKind, System};

use crate::{Error, Result};

/// Why no GPU is offered.
pub const NO_CUDA: &str = "This build has no GPU support: everything computes on the CPU.";

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
        DeviceRequest::Auto | DeviceRequest::Cpu => Ok(Device::Cpu),
        DeviceRequest::Cuda(_) => Err(Error::DeviceUnavailable {
            asked: asked.to_owned(),
            reason: "this build has no GPU support".to_owned(),
        }),
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

/// Everything that can compute here.
pub fn list() -> DeviceReport {
    DeviceReport {
        devices: vec![cpu()],
        notices: vec![NO_CUDA.to_owned()],
    }
}

/// Bytes of RAM, all and free, where the system tells.
pub fn memory() -> (Option<u64>, Option<u64>) {
    let cpu = cpu();
    let known = |bytes: u64| Some(bytes).filter(|bytes| *bytes > 0);
    (known(cpu.memory_total_bytes), known(cpu.memory_free_bytes))
}

fn cpu() -> DeviceInfo {
    let mut name = String::new();
    let (mut total, mut free) = (0, 0);
    if let Ok(mut system) = System::new() {
        system.refresh_memory();
        system.refresh_cpu_list(CpuRefreshKind::nothing());
        name = system
            .cpus()
            .first()
            .map(|cpu| cpu.brand().trim().to_owned())
            .unwrap_or_default();
        (total, free) = (system.total_memory(), system.available_memory());
        // A container may be allowed less than the machine has.
        if let Some(limits) = system.cgroup_limits() {
            total = total.min(limits.total_memory);
            free = free.min(limits.free_memory);
        }
    }
    if name.is_empty() {
        name = std::env::consts::ARCH.to_owned();
    }
    DeviceInfo {
        id: "cpu".to_owned(),
        name,
        cores: System::physical_core_count().ok(),
        threads: threads(),
        memory_total_bytes: total,
        memory_free_bytes: free,
    }
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
    fn a_gpu_is_refused_with_the_reason() {
        assert!(open("auto").unwrap().is_cpu());
        let error = open("cuda:1").unwrap_err();
        assert_eq!(error.code(), "device_unavailable");
        assert!(error.to_string().contains("no GPU support"), "{error}");
    }

    #[test]
    fn the_cpu_is_listed_with_its_memory() {
        let report = list();
        let cpu = &report.devices[0];
        assert_eq!(cpu.id, "cpu");
        assert!(!cpu.name.is_empty());
        assert!(cpu.threads > 0);
        assert!(cpu.memory_total_bytes >= cpu.memory_free_bytes);
        assert!(cpu.memory_free_bytes > 0);
        assert_eq!(report.notices, [NO_CUDA]);
    }
}
