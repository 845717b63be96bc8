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
    /// What only a graphics card has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<CardInfo>,
}

/// What there is to say of a graphics card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardInfo {
    /// What it can compute, as its maker counts: "8.9".
    pub compute_capability: String,
    /// The version of its driver: "580.65.06"; `null` where that is not told.
    pub driver: Option<String>,
    /// The version of CUDA that its driver supports: "13.0".
    pub cuda: String,
    /// Memory held by programs other than this Stepladder and its workers.
    pub other_programs_bytes: u64,
    /// Those of them that the system names; the largest first.
    pub other_programs: Vec<ProgramOnCard>,
}

/// A program that holds memory of a card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramOnCard {
    /// Its name.
    pub name: String,
    /// Its number among the system's processes.
    pub process: u32,
    /// What it holds; `null` where the system tells only what all hold together.
    pub bytes: Option<u64>,
}
