//! The cards as NVML sees them, live: NVIDIA's library for watching, which comes with the driver and
//! neither computes nor takes memory of a card.
//!
//! CUDA by itself counts cards the fastest first; where `CUDA_DEVICE_ORDER` is `PCI_BUS_ID`, as it is for
//! every worker that we start, it counts them by their slots, as is done here.

use std::sync::OnceLock;

use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::struct_wrappers::device::ProcessInfo;
use nvml_wrapper::{Device, Nvml};

use super::card::{Card, CardMemory, ComputeCapability, Holder, each_once, shared};
use super::family::Family;
use super::loading::in_one_line;
use super::places::{Surroundings, VISIBLE_VARIABLE, find, names};
use super::visible::{Slot, visible};

/// The longest name of a process that is told.
const NAME_BYTES: usize = 1024;

/// The cards that CUDA sees, by its numbers; none where NVML is not here.
pub(super) fn cards(surroundings: &Surroundings) -> Option<Result<Vec<Card>, String>> {
    let nvml = nvml(surroundings)?;
    Some(
        (nvml.as_ref().map_err(Clone::clone))
            .and_then(|nvml| ask(nvml, surroundings).map_err(|error| in_one_line(&error))),
    )
}

/// NVML, opened once in a process's life.
fn nvml(surroundings: &Surroundings) -> Option<&'static Result<Nvml, String>> {
    static NVML: OnceLock<Option<Result<Nvml, String>>> = OnceLock::new();
    NVML.get_or_init(|| {
        let path = find(&surroundings.driver_folders(), names::NVML)?;
        let opened = Nvml::builder().lib_path(path.as_os_str()).init();
        Some(opened.map_err(|error| in_one_line(&error)))
    })
    .as_ref()
}

fn ask(nvml: &Nvml, surroundings: &Surroundings) -> Result<Vec<Card>, NvmlError> {
    let mut found = Vec::new();
    for index in 0..nvml.device_count()? {
        let device = nvml.device_by_index(index)?;
        let pci = device.pci_info()?;
        found.push(((pci.domain, pci.bus, pci.device), device));
    }
    found.sort_by_key(|(slot, _)| *slot);
    let slots = { found.iter().enumerate() }
        .map(|(place, (_, device))| {
            let uuid = device.uuid()?;
            Ok(Slot { place, uuid })
        })
        .collect::<Result<Vec<_>, NvmlError>>()?;
    let variable = { surroundings.variable(VISIBLE_VARIABLE) }.map(|value| value.to_string_lossy());
    let driver = nvml.sys_driver_version().ok();
    { visible(variable.as_deref(), &slots).into_iter().enumerate() }
        .filter_map(|(number, place)| Some((number, &found.get(place)?.1)))
        .map(|(number, device)| card(nvml, number, device, driver.clone()))
        .collect()
}

fn card(
    nvml: &Nvml,
    number: usize,
    device: &Device<'_>,
    driver: Option<String>,
) -> Result<Card, NvmlError> {
    let capability = device.cuda_compute_capability()?;
    let part = |part: i32| u32::try_from(part).unwrap_or(0);
    let memory = device.memory_info()?;
    let holders = holders(device);
    let processes: Vec<u32> = holders.iter().map(|holder| holder.process).collect();
    let family = Family::of_this_process(&processes);
    let name = |process| {
        family
            .name(process)
            .or_else(|| nvml.sys_process_name(process, NAME_BYTES).ok())
            .map_or_else(|| format!("process {process}"), |name| file_name(&name))
    };
    let ours_otherwise = super::spill::this_process().map_or(0, |held| held.dedicated_bytes);
    let (others_bytes, others) = shared(
        memory.used,
        &holders,
        |process| family.has(process),
        ours_otherwise,
        name,
    );
    Ok(Card {
        number,
        name: device.name()?,
        capability: ComputeCapability {
            major: part(capability.major),
            minor: part(capability.minor),
        },
        driver,
        memory: CardMemory {
            total_bytes: memory.total.saturating_sub(memory.reserved),
            free_bytes: memory.free,
            others_bytes,
            others,
        },
    })
}

/// Who holds memory of a card; nobody where the driver does not tell.
fn holders(device: &Device<'_>) -> Vec<Holder> {
    let computing = device.running_compute_processes().unwrap_or_default();
    let drawing = device.running_graphics_processes().unwrap_or_default();
    let told = computing.into_iter().chain(drawing);
    each_once(told.map(|process: ProcessInfo| Holder {
        process: process.pid,
        bytes: match process.used_gpu_memory {
            UsedGpuMemory::Used(bytes) => Some(bytes),
            UsedGpuMemory::Unavailable => None,
        },
    }))
}

/// The last part of a path of either kind of system, without what follows it.
fn file_name(command: &str) -> String {
    let path = command.trim();
    path.rsplit(['/', '\\']).next().unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_named_by_its_file() {
        assert_eq!(file_name("/usr/bin/game"), "game");
        assert_eq!(file_name(r"C:\Games\game.exe"), "game.exe");
        assert_eq!(file_name("game"), "game");
    }
}
