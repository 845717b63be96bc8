//! Sources into rows: files of any container, packed or not, or a dataset inside the executable.
//!
//! Bytes pass `source` (counted, hashed), `unpacked` (gzip, Zstandard), `encoding` (to UTF-8)
//! and `stream` (in windows); then a cutter, one file per `container`, takes rows off the front.
//! `parquet` stands beside that, since its rows lie in columns all over the file.
//!
//! This is the part of loading that cannot be done in parallel. So it cuts and leaves JSON unread, and
//! whatever the size of a file, it holds a window of it and one row. A row that cannot be read is a
//! row too ([`RowContent::Broken`](super::row::RowContent::Broken)); an error is what ends the reading.

mod container;
mod csv;
mod encoding;
mod found;
mod json_brackets;
mod json_lines;
mod json_object;
mod json_values;
mod parquet;
mod parquet_checks;
mod parquet_columns;
mod parquet_lists;
mod parquet_thrift;
mod row_index;
mod source;
mod stop;
mod stream;
mod text;
mod unpacked;

pub use container::{Container, is_dataset_name};
pub use found::{FoundSources, find_sources};
pub use row_index::RowIndex;
pub use source::DataSource;
pub(super) use source::FileStamp;

use std::path::PathBuf;

use container::{JsonShape, Named};
use encoding::SAMPLE_BYTES;
use row_index::Place;
use source::{FILE_CHANGED, RawInput};
use stop::Stop;
use stream::TextStream;
use unpacked::{Packing, Unpacked};

use super::row::Row;
use crate::{Error, Result};

/// A row longer than this is no row of a dataset; it is passed over without being held.
pub const MAX_ROW_BYTES: usize = 32 << 20;

/// Cuts the next row off a text.
trait Cutter: Send {
    fn next_row(&mut self, stream: &mut TextStream<'_>) -> Result<Option<Row>, Stop>;
}

/// Reads a source row by row.
pub struct RowReader<'a> {
    path: PathBuf,
    container: Container,
    rows: Rows<'a>,
    /// Rows given so far, and the line of the last.
    given: usize,
    last_line: usize,
    ended: bool,
    changed: bool,
    index: RowIndex,
}

enum Rows<'a> {
    Text {
        stream: Box<TextStream<'a>>,
        cutter: Box<dyn Cutter>,
    },
    Parquet(Box<parquet::ParquetRows>),
}

impl<'a> RowReader<'a> {
    /// Opens a source and finds out what it is.
    pub fn open(source: &'a DataSource) -> Result<Self> {
        let path = source.path();
        let mut raw = RawInput::open(source)?;
        let first = raw.first_bytes(4).map_err(Error::io("read", path))?;
        let named = Named::of(path);
        let (container, rows) = if first == b"PAR1" || first == b"PARE" {
            let rows = parquet::ParquetRows::open(source)?;
            (Container::Parquet, Rows::Parquet(Box::new(rows)))
        } else {
            Self::open_text(raw, Packing::of(&first), named)
                .map_err(|stop| stop.into_error(path, 1))?
        };
        Ok(Self {
            path: path.to_path_buf(),
            container,
            rows,
            given: 0,
            last_line: 1,
            ended: false,
            changed: false,
            index: RowIndex::default(),
        })
    }

    fn open_text(
        raw: RawInput<'a>,
        packing: Packing,
        named: Named,
    ) -> Result<(Container, Rows<'a>), Stop> {
        let mut stream = Box::new(TextStream::new(Unpacked::new(raw, packing)?)?);
        let sample = stream.look_ahead(SAMPLE_BYTES);
        let whole = sample.len() < SAMPLE_BYTES;
        let shape = |sample| JsonShape::of(sample, whole, named);
        let looks_like_json = matches!(sample.trim_ascii_start(), [b'{' | b'[', ..]);
        let empty = whole && sample.trim_ascii().is_empty();
        let (container, cutter): (_, Box<dyn Cutter>) = match named {
            _ if empty => (Container::Empty, Box::<json_lines::JsonLines>::default()),
            Named::Parquet => {
                return Err(Stop::new(
                    "the file is no Parquet file: it does not begin with PAR1",
                    "download it again, or name it after what it is",
                ));
            }
            Named::Csv(usual) => match csv::Csv::open(&mut stream, usual)? {
                Some(csv) => (Container::Csv, Box::new(csv)),
                None => (Container::Empty, Box::<json_lines::JsonLines>::default()),
            },
            Named::Jsonl | Named::Json => {
                let shape = shape(sample);
                open_json(&mut stream, shape)?
            }
            Named::Unknown if looks_like_json => {
                let shape = shape(sample);
                open_json(&mut stream, shape)?
            }
            Named::Text | Named::Unknown => (Container::Text, Box::<text::Text>::default()),
        };
        Ok((container, Rows::Text { stream, cutter }))
    }

    /// Opens a source so that the next row is the one of this number, counted from 0. With places of
    /// an earlier reading most rows before it are left out; without, they are read and passed over.
    /// Such a reading has no [`fingerprint`](Self::fingerprint).
    pub fn open_near(source: &'a DataSource, index: &RowIndex, row: usize) -> Result<Self> {
        let mut reader = Self::open(source)?;
        if let Rows::Text { stream, .. } = &mut reader.rows
            && let Some(place) = index.before(row)
            && place.row > 0
        {
            stream
                .jump(place.offset, place.line)
                .map_err(|stop| stop.into_error(source.path(), place.line))?;
            reader.given = place.row;
        }
        while reader.given < row && reader.next_row()?.is_some() {}
        Ok(reader)
    }

    /// The next row, or `None` at the end. After an error there is none.
    pub fn next_row(&mut self) -> Result<Option<Row>> {
        if self.ended {
            return Ok(None);
        }
        let next = match &mut self.rows {
            Rows::Parquet(rows) => rows.next_row(),
            Rows::Text { stream, cutter } => {
                let has_places = matches!(self.container, Container::Jsonl | Container::Csv);
                let place = Place {
                    row: self.given,
                    offset: stream.offset(),
                    line: stream.line,
                };
                let wanted = has_places && self.index.wants(self.given) && stream.has_places();
                let next = cutter.next_row(stream);
                if wanted && matches!(next, Ok(Some(_))) {
                    self.index.keep(place);
                }
                next
            }
        };
        match next {
            Ok(Some(row)) => {
                self.given += 1;
                self.last_line = row.line;
                Ok(Some(row))
            }
            Ok(None) => {
                self.end();
                Ok(None)
            }
            Err(stop) => {
                let line = self.line_reached();
                self.end();
                Err(stop.into_error(&self.path, line))
            }
        }
    }

    /// Where the reading stands, for the error that ends it.
    fn line_reached(&self) -> usize {
        match &self.rows {
            Rows::Text { stream, .. } => stream.line.max(self.last_line),
            Rows::Parquet(_) => self.given + 1,
        }
    }

    fn end(&mut self) {
        self.ended = true;
        let notices = match &mut self.rows {
            Rows::Text { stream, .. } => {
                self.changed = stream.raw().has_changed();
                if stream.replaced() {
                    stream.notices.push(
                        "some characters are none in the text's encoding and became `\u{fffd}`"
                            .to_owned(),
                    );
                }
                &mut stream.notices
            }
            Rows::Parquet(rows) => {
                self.changed = rows.has_changed();
                &mut rows.notices
            }
        };
        if self.changed {
            notices.push(FILE_CHANGED.to_owned());
        }
    }

    /// Whether the file became another one while it was read, as far as the system tells. Known at the
    /// end of the reading.
    pub fn changed_while_read(&self) -> bool {
        self.changed
    }

    /// Bytes of the source that were read so far, packed as they are, to be compared with
    /// [`DataSource::size_bytes`].
    pub fn bytes_read(&self) -> u64 {
        match &self.rows {
            Rows::Text { stream, .. } => stream.raw().bytes_read(),
            Rows::Parquet(rows) => rows.bytes_read(),
        }
    }

    /// How the source holds its rows.
    pub fn container(&self) -> Container {
        self.container
    }

    /// What the user should know of the source, one sentence each; complete at the end.
    pub fn notices(&self) -> &[String] {
        match &self.rows {
            Rows::Text { stream, .. } => &stream.notices,
            Rows::Parquet(rows) => &rows.notices,
        }
    }

    /// Recognizes the source: the BLAKE3 hash of its bytes. Known after the last row, if every byte
    /// was read.
    pub fn fingerprint(&self) -> Option<String> {
        match &self.rows {
            Rows::Text { stream, .. } => stream.raw().fingerprint(),
            Rows::Parquet(rows) => rows.fingerprint(),
        }
    }

    /// Places of rows that were given so far, for [`open_near`](Self::open_near). It is empty where a
    /// reading can begin at the front alone: in JSON lists, packed files, Parquet.
    pub fn index(&self) -> &RowIndex {
        &self.index
    }
}

fn open_json(
    stream: &mut TextStream<'_>,
    shape: JsonShape,
) -> Result<(Container, Box<dyn Cutter>), Stop> {
    Ok(match shape {
        JsonShape::Lines => (Container::Jsonl, Box::<json_lines::JsonLines>::default()),
        JsonShape::Documents => {
            let values = json_values::JsonValues::one_after_the_other();
            (Container::JsonDocuments, Box::new(values))
        }
        JsonShape::List(start) | JsonShape::LaterList(start) => {
            if matches!(shape, JsonShape::LaterList(_)) {
                stream
                    .notices
                    .push("a list that stands before the list of rows was not read".to_owned());
            }
            stream.line += json_lines::newlines(&stream.window()[..start]);
            stream.take(start);
            let values = json_values::JsonValues::in_list();
            (Container::JsonList, Box::new(values))
        }
        JsonShape::Object => {
            let object = json_object::JsonObject::read(stream)?;
            let container = match object.is_columns() {
                true => Container::JsonColumns,
                false => Container::JsonRow,
            };
            (container, Box::new(object))
        }
    })
}

#[cfg(test)]
mod tests;
