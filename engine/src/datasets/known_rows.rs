//! Where the rows of files are, as earlier readings found: so that a row far back is shown at once.

use std::collections::HashMap;
use std::path::PathBuf;

use super::reader::{DataSource, FileStamp, RowIndex};
use super::report::{DatasetReport, SourceReport};

/// Files that are remembered; more than that and all are forgotten.
const MAX_FILES: usize = 256;

/// What is known of files, for as long as they stay as they were.
#[derive(Debug, Default)]
pub struct KnownRows(HashMap<PathBuf, Known>);

#[derive(Debug)]
struct Known {
    stamp: FileStamp,
    rows: usize,
    index: RowIndex,
}

impl KnownRows {
    /// Remembers files that were read to their end.
    pub fn remember(&mut self, report: &DatasetReport) {
        if self.0.len() > MAX_FILES {
            self.0.clear();
        }
        let is_sure = |source: &&SourceReport| source.ended.is_none() && !source.changed_while_read;
        for source in report.sources.iter().filter(is_sure) {
            let path = &source.path;
            if let Some(stamp) = FileStamp::of_path(path) {
                let known = Known {
                    stamp,
                    rows: source.rows,
                    index: source.row_index.clone(),
                };
                self.0.insert(path.clone(), known);
            }
        }
    }

    /// How many rows a source has, and where some of them begin.
    pub(super) fn of(&self, source: &DataSource) -> Option<(usize, &RowIndex)> {
        let known = self.0.get(source.path())?;
        (FileStamp::of_path(source.path())? == known.stamp).then_some((known.rows, &known.index))
    }
}
