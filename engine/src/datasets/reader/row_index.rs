//! Places in a source at which a reading can begin, so that a row far back is found without reading
//! everything before it. Its size does not grow with the source: when it is full, every second place
//! goes and the others stand twice as far apart.

/// Places that are kept.
const MAX_PLACES: usize = 4096;

/// A place at which a row begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Rows before it.
    pub(super) row: usize,
    /// Bytes before it.
    pub(super) offset: u64,
    /// The line it begins in.
    pub(super) line: usize,
}

/// Some rows of a source and where they begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowIndex {
    places: Vec<Place>,
    stride: usize,
}

impl Default for RowIndex {
    fn default() -> Self {
        Self {
            places: Vec::new(),
            stride: 1,
        }
    }
}

impl RowIndex {
    /// Whether this row's place is one to keep. Rows are asked about in their order.
    pub(super) fn wants(&self, row: usize) -> bool {
        row == self.places.len() * self.stride
    }

    pub(super) fn keep(&mut self, place: Place) {
        self.places.push(place);
        if self.places.len() > MAX_PLACES {
            let mut kept = 0..;
            self.places
                .retain(|_| kept.next().is_some_and(|at| at % 2 == 0));
            self.stride *= 2;
        }
    }

    /// The last place at or before a row.
    pub(super) fn before(&self, row: usize) -> Option<Place> {
        let behind = self.places.partition_point(|place| place.row <= row);
        self.places[..behind].last().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_place_nearby_and_the_size_is_bounded() {
        let mut index = RowIndex::default();
        for row in 0..100_000 {
            if index.wants(row) {
                index.keep(Place {
                    row,
                    offset: row as u64 * 10,
                    line: row + 1,
                });
            }
            assert!(index.places.len() <= MAX_PLACES);
        }
        assert_eq!(index.stride, 32);
        for row in [0, 1, 31, 32, 54_321, 99_999] {
            let place = index.before(row).unwrap();
            assert_eq!(
                (place.row, place.offset),
                (row / 32 * 32, (row / 32 * 320) as u64)
            );
        }
        assert_eq!(RowIndex::default().before(5), None);
    }
}
