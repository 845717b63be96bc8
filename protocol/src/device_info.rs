//! What can compute on this machine.

use serde::{Deserialize, Serialize};

/// All devices, and why others are not among them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceReport {
    /// Usable devices; the first is what `auto` takes.
    pub devices: Vec<DeviceInfo>,
    /// Sentences for the user.
    pub notices: Vec<String>,
}

/// One device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// The name `--device` knows it by.
    pub id: String,
    /// The name its maker gave it.
    pub name: String,
    /// Physical cores, where the system tells.
    pub cores: Option<usize>,
    /// Threads that computing would use.
    pub threads: usize,
    /// All memory it can use.
    pub memory_total_bytes: u64,
    /// Memory that is free now.
    pub memory_free_bytes: u64,
}
