//! The processor and its memory.

use stepladder_protocol::DeviceInfo;
use sysinfo::{CpuRefreshKind, System};

/// What there is to say of it.
pub(super) fn info() -> DeviceInfo {
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
        threads: super::threads(),
        memory_total_bytes: total,
        memory_free_bytes: free,
        card: None,
    }
}
