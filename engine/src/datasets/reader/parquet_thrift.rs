//! A few numbers out of the headers of a Parquet file. They are Thrift structs in the compact protocol;
//! the library's own reader of them reserves what they ask for.

/// The numbers of a page's header that matter.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PageHeader {
    pub(super) header_bytes: u64,
    pub(super) bytes: u64,
    pub(super) compressed_bytes: u64,
    /// 0 for a dictionary.
    pub(super) values: u64,
    /// Bytes before the compressed ones, in pages of version 2.
    pub(super) level_bytes: u64,
}

/// Bytes of Thrift's compact protocol that are not read yet. `None` is what cannot be read.
pub(super) struct Thrift<'b>(pub(super) &'b [u8]);

const BOOL_TRUE: u8 = 1;
const BOOL_FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
const I32: u8 = 5;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
const STRUCT: u8 = 12;
const MAX_SCHEMA_ELEMENTS: usize = 1 << 16;
/// Headers are not nested deeper.
const MAX_NESTING: usize = 32;

impl<'b> Thrift<'b> {
    pub(super) fn page_header(&mut self) -> Option<PageHeader> {
        let before = self.0.len();
        let mut header = PageHeader::default();
        let mut last = 0;
        while let Some((field, kind)) = self.field(&mut last)? {
            match (field, kind) {
                (2, I32) => header.bytes = u64::try_from(self.integer()?).ok()?,
                (3, I32) => header.compressed_bytes = u64::try_from(self.integer()?).ok()?,
                (5, STRUCT) => [header.values] = self.counts([1])?,
                (8, STRUCT) => {
                    let [values, definition, repetition] = self.counts([1, 5, 6])?;
                    header.values = values;
                    header.level_bytes = definition.checked_add(repetition)?;
                }
                _ => self.skip(kind, MAX_NESTING)?,
            }
        }
        header.header_bytes = (before - self.0.len()) as u64;
        Some(header)
    }

    /// Some fields of a struct that are counts, 0 if they are left out.
    fn counts<const N: usize>(&mut self, wanted: [i64; N]) -> Option<[u64; N]> {
        let (mut last, mut counts) = (0, [0; N]);
        while let Some((field, kind)) = self.field(&mut last)? {
            match wanted.iter().position(|wanted| *wanted == field) {
                Some(at) if kind == I32 => counts[at] = u64::try_from(self.integer()?).ok()?,
                _ => self.skip(kind, MAX_NESTING)?,
            }
        }
        Some(counts)
    }

    /// How deep the columns of a file's footer are nested.
    pub(super) fn schema_depth(&mut self) -> Option<usize> {
        let mut last = 0;
        while let Some((field, kind)) = self.field(&mut last)? {
            if (field, kind) != (2, LIST) {
                self.skip(kind, MAX_NESTING)?;
                continue;
            }
            let (kind, count) = self.list()?;
            if kind != STRUCT || count > MAX_SCHEMA_ELEMENTS {
                return None;
            }
            // Children that are still to come, of each group that is open.
            let (mut open, mut deepest) = (Vec::new(), 0);
            for _ in 0..count {
                let [children] = self.counts([5])?;
                while open.last() == Some(&0) {
                    open.pop();
                }
                if let Some(siblings) = open.last_mut() {
                    *siblings -= 1;
                }
                open.push(children);
                deepest = deepest.max(open.len());
            }
            return Some(deepest);
        }
        None
    }

    /// The next field's number and type; the inner `None` is the end of the struct.
    fn field(&mut self, last: &mut i64) -> Option<Option<(i64, u8)>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Some(None);
        }
        *last = match byte >> 4 {
            0 => self.integer()?,
            delta => last.checked_add(i64::from(delta))?,
        };
        Some(Some((*last, byte & 0xf)))
    }

    fn list(&mut self) -> Option<(u8, usize)> {
        let byte = self.byte()?;
        let count = match byte >> 4 {
            15 => usize::try_from(self.varint()?).ok()?,
            count => usize::from(count),
        };
        // Every element takes a byte at least.
        (count <= self.0.len()).then_some((byte & 0xf, count))
    }

    fn skip(&mut self, kind: u8, nesting: usize) -> Option<()> {
        let nesting = nesting.checked_sub(1)?;
        match kind {
            BOOL_TRUE | BOOL_FALSE => {}
            BYTE => drop(self.byte()?),
            I16 | I32 | I64 => drop(self.varint()?),
            DOUBLE => drop(self.bytes(8)?),
            BINARY => {
                let length = usize::try_from(self.varint()?).ok()?;
                self.bytes(length)?;
            }
            LIST | SET => {
                let (kind, count) = self.list()?;
                for _ in 0..count {
                    self.skip_element(kind, nesting)?;
                }
            }
            MAP => {
                let count = self.varint()?;
                if count > self.0.len() as u64 {
                    return None;
                }
                if count > 0 {
                    let kinds = self.byte()?;
                    for _ in 0..count {
                        self.skip_element(kinds >> 4, nesting)?;
                        self.skip_element(kinds & 0xf, nesting)?;
                    }
                }
            }
            STRUCT => {
                let mut last = 0;
                while let Some((_, kind)) = self.field(&mut last)? {
                    self.skip(kind, nesting)?;
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// Within lists and maps a truth value takes a byte.
    fn skip_element(&mut self, kind: u8, nesting: usize) -> Option<()> {
        match kind {
            BOOL_TRUE | BOOL_FALSE => self.byte().map(drop),
            kind => self.skip(kind, nesting),
        }
    }

    fn integer(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn bytes(&mut self, count: usize) -> Option<&'b [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_headers_are_read_and_cut_ones_are_not() {
        // Type 0, 300 bytes, 20 compressed, a data page of 7 values with more fields.
        let bytes = [
            0x15, 0x00, 0x15, 0xd8, 0x04, 0x15, 0x28, 0x2c, 0x15, 0x0e, 0x15, 0x00, 0x00, 0x00,
            0xff,
        ];
        let header = Thrift(&bytes).page_header().unwrap();
        let expected = PageHeader {
            header_bytes: 14,
            bytes: 300,
            compressed_bytes: 20,
            values: 7,
            level_bytes: 0,
        };
        assert_eq!(header, expected);
        for length in 0..14 {
            assert_eq!(Thrift(&bytes[..length]).page_header(), None, "{length}");
        }
    }

    #[test]
    fn a_schema_is_as_deep_as_its_deepest_column() {
        // Field 2 is a list of structs, each with `num_children` in field 5.
        let schema = |children: &[u8]| {
            let mut bytes = vec![0x29, (children.len() as u8) << 4 | 0xc];
            for count in children {
                bytes.extend([0x55, count * 2, 0]);
            }
            Thrift(&bytes).schema_depth()
        };
        assert_eq!(schema(&[2, 0, 0]), Some(2));
        assert_eq!(schema(&[2, 1, 1, 0, 0]), Some(4));
        assert_eq!(schema(&[1; 14]), Some(14));
        assert_eq!(Thrift(&[0x29, 0xfc, 0xff]).schema_depth(), None);
    }
}
