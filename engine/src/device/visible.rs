//! `CUDA_VISIBLE_DEVICES`: which of the machine's cards a program that computes with CUDA sees, and by
//! which numbers. NVML sees all of them.

/// A card's place in the order of the machine's slots, and its name for life.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    /// Its place.
    pub place: usize,
    /// "GPU-8932f937-...".
    pub uuid: String,
}

/// The places of those cards that CUDA sees, in the order in which it counts them.
pub(super) fn visible(variable: Option<&str>, slots: &[Slot]) -> Vec<usize> {
    let Some(named) = variable else {
        return slots.iter().map(|slot| slot.place).collect();
    };
    let mut seen = Vec::new();
    for name in named.split(',') {
        let name = name.trim();
        let found = match name.parse::<usize>() {
            Ok(place) => slots.iter().find(|slot| slot.place == place),
            Err(_) if name.starts_with("GPU-") => {
                let mut matching = slots.iter().filter(|slot| slot.uuid.starts_with(name));
                matching.next().filter(|_| matching.next().is_none())
            }
            Err(_) => None,
        };
        match found {
            // CUDA sees what stands before the first name that it does not know, and no card where one
            // is named twice.
            None => break,
            Some(slot) if seen.contains(&slot.place) => return Vec::new(),
            Some(slot) => seen.push(slot.place),
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_are_counted_as_cuda_counts_them() {
        let uuids = ["GPU-aa11", "GPU-ab22", "GPU-cc33"];
        let slots: Vec<Slot> = { uuids.iter().enumerate() }
            .map(|(place, uuid)| Slot {
                place,
                uuid: (*uuid).to_owned(),
            })
            .collect();
        let seen = |variable: &str| visible(Some(variable), &slots);
        assert_eq!(visible(None, &slots), [0, 1, 2]);
        assert_eq!(seen("2, 0"), [2, 0]);
        assert_eq!(seen("GPU-c,GPU-aa11"), [2, 0]);
        assert_eq!(seen("1,7,0"), [1], "the rest is not read");
        assert_eq!(seen("GPU-a"), [0; 0], "two begin so");
        for nothing in ["", "-1", "none", "1,1", "MIG-1"] {
            assert!(seen(nothing).is_empty(), "{nothing}");
        }
    }
}
