//! How large the rows of a list column can become. All values of a row may point to one long text of
//! a dictionary, so that a small file holds a row of terabytes; the library makes rows whole. So the
//! values of each row are counted before, by the levels that tell where a row begins.

use parquet::basic::{Encoding, Type as PhysicalType};
use parquet::column::page::Page;
use parquet::errors::Result as ParquetResult;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::RowGroupReader;

/// What a row of lists may take in memory.
const MAX_ROW_OF_LISTS_BYTES: u64 = 256 << 20;
/// What a value takes besides its text.
const VALUE_BYTES: u64 = 64;

/// The column with which the rows of a group can become too large.
pub(super) fn swelling_column(
    group: &dyn RowGroupReader,
    wanted: impl Fn(&ColumnChunkMetaData) -> bool,
) -> ParquetResult<Option<String>> {
    let mut row_bytes = 0_u64;
    for (index, column) in group.metadata().columns().iter().enumerate() {
        if column.column_descr().max_rep_level() == 0 || !wanted(column) {
            continue;
        }
        row_bytes = row_bytes.saturating_add(largest_row(group, index)?);
        if row_bytes > MAX_ROW_OF_LISTS_BYTES {
            return Ok(Some(column.column_path().string()));
        }
    }
    Ok(None)
}

/// Bytes that a row of a column can take, if each of its values is the longest of the dictionary.
fn largest_row(group: &dyn RowGroupReader, index: usize) -> ParquetResult<u64> {
    let column = group.metadata().column(index).column_descr();
    let holds_texts = column.physical_type() == PhysicalType::BYTE_ARRAY;
    let mut rows = RowLengths::new(column.max_rep_level());
    let mut longest = 0;
    let mut pages = group.get_column_page_reader(index)?;
    while let Some(page) = pages.get_next_page()? {
        match page {
            Page::DictionaryPage { buf, .. } if holds_texts => longest = longest_text(&buf),
            Page::DictionaryPage { .. } => {}
            Page::DataPage {
                buf,
                num_values,
                rep_level_encoding,
                ..
            } => {
                let levels = match rep_level_encoding {
                    Encoding::RLE => split_sized(&buf).map_or(&[][..], |(levels, _)| levels),
                    // Packed as in the format's first years: taken for one row.
                    _ => &[],
                };
                rows.follow(levels, num_values);
            }
            Page::DataPageV2 {
                buf,
                num_values,
                rep_levels_byte_len,
                ..
            } => {
                let levels = buf.get(..rep_levels_byte_len as usize).unwrap_or_default();
                rows.follow(levels, num_values);
            }
        }
    }
    Ok(rows.longest.saturating_mul(longest + VALUE_BYTES))
}

/// Bytes with their number before them, and what stands behind.
fn split_sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (size, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_le_bytes(*size) as usize)
}

fn longest_text(mut dictionary: &[u8]) -> u64 {
    let mut longest = 0;
    while let Some((text, rest)) = split_sized(dictionary) {
        longest = longest.max(text.len());
        dictionary = rest;
    }
    longest as u64
}

/// Counts the values of rows by their repetition levels, of which a 0 begins a row.
struct RowLengths {
    level_bits: usize,
    row: u64,
    longest: u64,
}

impl RowLengths {
    fn new(max_level: i16) -> Self {
        Self {
            level_bits: (u16::BITS - max_level.unsigned_abs().leading_zeros()) as usize,
            row: 0,
            longest: 0,
        }
    }

    /// Follows the levels of a page: runs of one level, and levels packed in bits. Values whose levels
    /// cannot be read go on with the row.
    fn follow(&mut self, mut levels: &[u8], values: u32) {
        let mut left = u64::from(values);
        while left > 0 {
            let Some(count) = self.follow_run(&mut levels, left) else {
                break;
            };
            left -= count;
        }
        self.go_on(left);
    }

    /// The number of levels in the next run, of which at most `left` count.
    fn follow_run(&mut self, levels: &mut &[u8], left: u64) -> Option<u64> {
        let header = varint(levels)?;
        let number = header >> 1;
        if header & 1 == 0 {
            let level = levels.split_off(..self.level_bits.div_ceil(8))?;
            let count = number.min(left);
            match level.iter().all(|byte| *byte == 0) {
                true if count > 0 => self.begin_row(),
                true => {}
                false => self.go_on(count),
            }
            return Some(count);
        }
        let bytes = usize::try_from(number).ok()?.checked_mul(self.level_bits)?;
        let packed = levels.split_off(..bytes.min(levels.len()))?;
        let held = (packed.len() * 8 / self.level_bits) as u64;
        let count = held.min(left);
        let is_set = |bit: usize| packed[bit / 8] >> (bit % 8) & 1 == 1;
        for first_bit in (0..).step_by(self.level_bits).take(count as usize) {
            match (first_bit..first_bit + self.level_bits).any(is_set) {
                true => self.go_on(1),
                false => self.begin_row(),
            }
        }
        // An empty run would not end.
        (count > 0).then_some(count)
    }

    fn begin_row(&mut self) {
        self.row = 0;
        self.go_on(1);
    }

    fn go_on(&mut self, values: u64) {
        self.row = self.row.saturating_add(values);
        self.longest = self.longest.max(self.row);
    }
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = bytes.split_off_first()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
