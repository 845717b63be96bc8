//! A graphics card, its memory, and who holds it.

use std::fmt;

use stepladder_protocol::{CardInfo, DeviceInfo, ProgramOnCard};

/// What a card can compute, as NVIDIA counts: 8.9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ComputeCapability {
    /// The generation.
    pub major: u32,
    /// Within it.
    pub minor: u32,
}

/// What the kernels need: that of the first RTX cards.
pub const NEEDED_CAPABILITY: ComputeCapability = ComputeCapability { major: 7, minor: 5 };

impl fmt::Display for ComputeCapability {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}.{}", self.major, self.minor)
    }
}

/// A card that CUDA sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// CUDA's number for it, where cards are counted by their slots.
    pub number: usize,
    /// Its name.
    pub name: String,
    /// What it can compute.
    pub capability: ComputeCapability,
    /// The version of its driver, where that is told.
    pub driver: Option<String>,
    /// Its memory.
    pub memory: CardMemory,
}

/// The memory of a card.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CardMemory {
    /// What programs may have; what the driver keeps for itself is not in it.
    pub total_bytes: u64,
    /// What nobody has.
    pub free_bytes: u64,
    /// What programs have that are not this Stepladder or its workers.
    pub others_bytes: u64,
    /// Those programs, the largest first.
    pub others: Vec<ProgramOnCard>,
}

impl Card {
    /// Whether our kernels run on it.
    pub fn is_usable(&self) -> bool {
        self.capability >= NEEDED_CAPABILITY
    }

    /// The card as a device among others.
    pub(super) fn info(&self, cuda: impl fmt::Display, threads: usize) -> DeviceInfo {
        DeviceInfo {
            id: format!("cuda:{}", self.number),
            name: self.name.clone(),
            cores: None,
            threads,
            memory_total_bytes: self.memory.total_bytes,
            memory_free_bytes: self.memory.free_bytes,
            card: Some(CardInfo {
                compute_capability: self.capability.to_string(),
                driver: self.driver.clone(),
                cuda: cuda.to_string(),
                other_programs_bytes: self.memory.others_bytes,
                other_programs: self.memory.others.clone(),
            }),
        }
    }
}

/// What a process holds, as the driver tells; under Windows it does not know how much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    /// The process.
    pub process: u32,
    /// How much, if that is known.
    pub bytes: Option<u64>,
}

/// Shares what is used between us and others: what is used and not ours is the others', whether or
/// not the driver can name them.
pub(super) fn shared(
    used_bytes: u64,
    holders: &[Holder],
    is_ours: impl Fn(u32) -> bool,
    ours_otherwise: u64,
    name: impl Fn(u32) -> String,
) -> (u64, Vec<ProgramOnCard>) {
    let mut ours = None;
    let mut others = Vec::<ProgramOnCard>::new();
    for holder in holders {
        if is_ours(holder.process) {
            if let Some(bytes) = holder.bytes {
                ours = Some(ours.unwrap_or(0) + bytes);
            }
        } else {
            others.push(ProgramOnCard {
                name: name(holder.process),
                process: holder.process,
                bytes: holder.bytes,
            });
        }
    }
    others.sort_by_key(|program| (std::cmp::Reverse(program.bytes), program.process));
    (
        used_bytes.saturating_sub(ours.unwrap_or(ours_otherwise)),
        others,
    )
}

/// One entry per process: a program that both computes and draws is told of twice.
pub(super) fn each_once(holders: impl IntoIterator<Item = Holder>) -> Vec<Holder> {
    let mut once = Vec::<Holder>::new();
    for holder in holders {
        match once
            .iter_mut()
            .find(|known| known.process == holder.process)
        {
            Some(known) => known.bytes = known.bytes.max(holder.bytes),
            None => once.push(holder),
        }
    }
    once
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(process: u32, bytes: Option<u64>) -> Holder {
        Holder { process, bytes }
    }

    #[test]
    fn what_is_used_and_not_ours_is_the_others() {
        let holders = each_once([
            holder(1, Some(100)),
            holder(2, Some(300)),
            holder(1, Some(90)),
            holder(7, Some(2000)),
        ]);
        assert_eq!(holders.len(), 3);
        let name = |process| format!("p{process}");
        let (bytes, others) = shared(2500, &holders, |process| process == 7, 0, name);
        assert_eq!(bytes, 500, "100 of it by nobody who is named");
        let named: Vec<_> = { others.iter() }
            .map(|program| (program.name.as_str(), program.bytes))
            .collect();
        assert_eq!(named, [("p2", Some(300)), ("p1", Some(100))]);
    }

    #[test]
    fn where_no_process_has_a_figure_ours_comes_from_elsewhere() {
        let holders = [holder(1, None), holder(7, None)];
        let name = |_| String::new();
        let (bytes, others) = shared(2500, &holders, |process| process == 7, 1500, name);
        assert_eq!((bytes, others.len()), (1000, 1));
        assert_eq!(others[0].bytes, None);
        let (bytes, _) = shared(1000, &holders, |process| process == 7, 1500, name);
        assert_eq!(bytes, 0, "the two were not measured at the same moment");
    }

    #[test]
    fn cards_older_than_the_first_rtx_are_of_no_use() {
        let card = |major, minor| Card {
            number: 0,
            name: String::new(),
            capability: ComputeCapability { major, minor },
            driver: None,
            memory: CardMemory::default(),
        };
        assert!(card(7, 5).is_usable() && card(8, 0).is_usable() && card(12, 0).is_usable());
        assert!(!card(7, 0).is_usable() && !card(6, 1).is_usable());
    }
}
