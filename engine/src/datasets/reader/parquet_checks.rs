//! What a Parquet file says of itself, checked before the library believes it: the library reserves
//! what headers ask for and follows the schema by recursion.
//!
//! Headers are Thrift structs in the compact protocol, of which a few numbers are wanted here.

use parquet::errors::Result as ParquetResult;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::reader::ChunkReader;

use super::stop::Stop;

const MAGIC: &[u8] = b"PAR1";
/// Magic and length of the footer.
const TAIL_BYTES: usize = 8;
const MAX_FOOTER_BYTES: usize = 256 << 20;
const MAX_SCHEMA_DEPTH: usize = 48;
const MAX_SCHEMA_ELEMENTS: usize = 1 << 16;
/// A page may be this large whatever it is compressed in ..
const HARMLESS_PAGE_BYTES: u64 = 4 << 20;
/// .. and a larger one as many times its compressed size ..
const MAX_PAGE_RATIO: u64 = 200;
/// .. up to this.
const MAX_PAGE_BYTES: u64 = 1 << 30;
/// Values of a page of lists. Its rows are made whole.
const MAX_PAGE_VALUES: u64 = 64 << 20;
const MAX_PAGE_HEADER_BYTES: usize = 8 << 20;

/// Checks the footer of a file.
pub(super) fn check_footer(file: &impl ChunkReader) -> Result<(), Stop> {
    let size = file.len();
    let tail = match size.checked_sub(TAIL_BYTES as u64) {
        Some(start) if start >= MAGIC.len() as u64 => file.get_bytes(start, TAIL_BYTES),
        _ => return Err(cut_off("the file is too short to be a Parquet file")),
    };
    let tail = tail.map_err(|error| damaged(&error.to_string()))?;
    let (length, magic) = tail.split_at(4);
    if magic == b"PARE" {
        return Err(Stop::new(
            "the Parquet file is encrypted",
            "write it without encryption",
        ));
    }
    if magic != MAGIC {
        return Err(cut_off("the Parquet file has no end"));
    }
    let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize;
    let room = size - TAIL_BYTES as u64 - MAGIC.len() as u64;
    if length > MAX_FOOTER_BYTES || length as u64 > room {
        return Err(damaged("its footer is larger than the file"));
    }
    let footer = file.get_bytes(size - (TAIL_BYTES + length) as u64, length);
    let footer = footer.map_err(|error| damaged(&error.to_string()))?;
    match Thrift(&footer).schema_depth() {
        Some(depth) if depth <= MAX_SCHEMA_DEPTH => Ok(()),
        Some(_) => Err(damaged("its columns are nested too deep")),
        None => Err(damaged("its footer cannot be read")),
    }
}

/// Checks the sizes in the headers of every page of some columns of a row group.
pub(super) fn check_row_group(
    file: &impl ChunkReader,
    group: &RowGroupMetaData,
    wanted: impl Fn(&ColumnChunkMetaData) -> bool,
) -> Result<(), Stop> {
    let rows = u64::try_from(group.num_rows()).map_err(|_| damaged("a row count is negative"))?;
    for column in group.columns().iter().filter(|column| wanted(column)) {
        let values = check_column(file, column)?;
        if rows > values {
            return Err(damaged("a column has fewer values than rows"));
        }
    }
    Ok(())
}

/// Walks from page to page; the number of values in them.
fn check_column(file: &impl ChunkReader, column: &ColumnChunkMetaData) -> Result<u64, Stop> {
    let wrong = || damaged("a column lies outside of the file");
    let first = column.dictionary_page_offset().filter(|offset| *offset > 0);
    let start = first.map_or(column.data_page_offset(), |dictionary| {
        dictionary.min(column.data_page_offset())
    });
    let mut at = u64::try_from(start).map_err(|_| wrong())?;
    let length = u64::try_from(column.compressed_size()).map_err(|_| wrong())?;
    let end = at.checked_add(length).filter(|end| *end <= file.len());
    let end = end.ok_or_else(wrong)?;
    let has_lists = column.column_descr().max_rep_level() > 0;
    let mut values = 0_u64;
    while at < end {
        let header = read_page_header(file, at, end)?;
        at += header.header_bytes;
        let plausible = header.bytes <= MAX_PAGE_BYTES
            && header.bytes <= HARMLESS_PAGE_BYTES + MAX_PAGE_RATIO * header.compressed_bytes;
        if header.compressed_bytes > end - at || !plausible {
            return Err(damaged("a page says that it is larger than it can be"));
        }
        if has_lists && header.values > MAX_PAGE_VALUES {
            return Err(damaged("a page says that it holds more lists than it can"));
        }
        at += header.compressed_bytes;
        values = values.saturating_add(header.values);
    }
    Ok(values)
}

fn read_page_header(file: &impl ChunkReader, at: u64, end: u64) -> Result<PageHeader, Stop> {
    let mut length = 4 << 10;
    loop {
        let length_here = length.min(usize::try_from(end - at).unwrap_or(length));
        let bytes: ParquetResult<_> = file.get_bytes(at, length_here);
        let bytes = bytes.map_err(|error| damaged(&error.to_string()))?;
        if let Some(header) = Thrift(&bytes).page_header() {
            return Ok(header);
        }
        if length_here < length || length >= MAX_PAGE_HEADER_BYTES {
            return Err(damaged("the header of a page cannot be read"));
        }
        length *= 8;
    }
}

pub(super) fn damaged(what: &str) -> Stop {
    Stop::new(
        format!("the Parquet file is damaged: {what}"),
        "download or write it again",
    )
}

fn cut_off(what: &str) -> Stop {
    Stop::new(
        what,
        "a Parquet file begins and ends with PAR1; download it again, it may be cut off",
    )
}

/// The numbers of a page's header that matter.
#[derive(Debug, Default, PartialEq, Eq)]
struct PageHeader {
    header_bytes: u64,
    bytes: u64,
    compressed_bytes: u64,
    /// 0 for a dictionary.
    values: u64,
}

/// Bytes of Thrift's compact protocol that are not read yet. `None` is what cannot be read.
struct Thrift<'b>(&'b [u8]);

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
/// Headers are not nested deeper.
const MAX_NESTING: usize = 32;

impl<'b> Thrift<'b> {
    fn page_header(&mut self) -> Option<PageHeader> {
        let before = self.0.len();
        let mut header = PageHeader::default();
        let mut last = 0;
        while let Some((field, kind)) = self.field(&mut last)? {
            match (field, kind) {
                (2, I32) => header.bytes = u64::try_from(self.integer()?).ok()?,
                (3, I32) => header.compressed_bytes = u64::try_from(self.integer()?).ok()?,
                (5 | 8, STRUCT) => header.values = u64::try_from(self.first_integer()?).ok()?,
                _ => self.skip(kind, MAX_NESTING)?,
            }
        }
        header.header_bytes = (before - self.0.len()) as u64;
        Some(header)
    }

    /// Of a struct whose field 1 is an integer, that one.
    fn first_integer(&mut self) -> Option<i64> {
        let (mut last, mut first) = (0, None);
        while let Some((field, kind)) = self.field(&mut last)? {
            match (field, kind) {
                (1, I32) => first = Some(self.integer()?),
                _ => self.skip(kind, MAX_NESTING)?,
            }
        }
        first
    }

    /// How deep the columns of a file's footer are nested.
    fn schema_depth(&mut self) -> Option<usize> {
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
                let children = self.children()?;
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

    /// Children of a schema element.
    fn children(&mut self) -> Option<u64> {
        let (mut last, mut children) = (0, 0);
        while let Some((field, kind)) = self.field(&mut last)? {
            match (field, kind) {
                (5, I32) => children = u64::try_from(self.integer()?).ok()?,
                _ => self.skip(kind, MAX_NESTING)?,
            }
        }
        Some(children)
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
