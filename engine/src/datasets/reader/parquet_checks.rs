//! What a Parquet file says of itself, checked before the library believes it: the library reserves
//! what headers ask for and follows the schema by recursion.

use std::io::{self, Read};

use parquet::basic::Compression;
use parquet::errors::Result as ParquetResult;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::reader::ChunkReader;

use super::parquet_thrift::{PageHeader, Thrift};
use super::stop::Stop;

const MAGIC: &[u8] = b"PAR1";
/// Magic and length of the footer.
const TAIL_BYTES: usize = 8;
const MAX_FOOTER_BYTES: usize = 256 << 20;
const MAX_SCHEMA_DEPTH: usize = 48;
/// A page may be this large whatever it is compressed in ..
const HARMLESS_PAGE_BYTES: u64 = 4 << 20;
/// .. and a larger one as many times its compressed size ..
const MAX_PAGE_RATIO: u64 = 200;
/// .. up to this.
const MAX_PAGE_BYTES: u64 = 1 << 30;
/// Values of a page of lists. Its rows are made whole.
const MAX_PAGE_VALUES: u64 = 64 << 20;
const UNPACK_BUFFER_BYTES: usize = 64 << 10;
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
        if let Some(unpack) = unpacking(column.compression()) {
            check_unpacked_size(file, at, &header, unpack)?;
        }
        at += header.compressed_bytes;
        values = values.saturating_add(header.values);
    }
    Ok(values)
}

/// Unpacks while it is read.
type Unpack = fn(&[u8]) -> Box<dyn Read + '_>;

/// How a page is unpacked whose size the library takes from the data and not from the header.
fn unpacking(compression: Compression) -> Option<Unpack> {
    match compression {
        Compression::GZIP(_) => Some(|packed| Box::new(flate2::read::MultiGzDecoder::new(packed))),
        Compression::BROTLI(_) => {
            Some(|packed| Box::new(brotli::Decompressor::new(packed, UNPACK_BUFFER_BYTES)))
        }
        _ => None,
    }
}

/// Unpacks a page without keeping it, up to what its header says.
fn check_unpacked_size(
    file: &impl ChunkReader,
    at: u64,
    header: &PageHeader,
    unpack: Unpack,
) -> Result<(), Stop> {
    let length = usize::try_from(header.compressed_bytes).unwrap_or(usize::MAX);
    let page = file.get_bytes(at, length);
    let page = page.map_err(|error| damaged(&error.to_string()))?;
    let levels = usize::try_from(header.level_bytes).unwrap_or(usize::MAX);
    let packed = page.get(levels..).unwrap_or_default();
    let mut unpacked = unpack(packed).take(header.bytes + 1);
    // What cannot be unpacked is an error of the library's, if it unpacks it at all.
    let count = io::copy(&mut unpacked, &mut io::sink()).unwrap_or(0);
    if count > header.bytes {
        return Err(damaged("a page is larger than it says"));
    }
    Ok(())
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
