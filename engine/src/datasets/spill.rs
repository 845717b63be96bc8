//! Lists that may outgrow memory: kept in RAM while they are short, in a nameless temporary file
//! behind that. The file is mapped, so its pages are the system's to drop; what the program itself
//! holds stays the same however long the list becomes.

use std::fs::File;
use std::io::Write;

use bytemuck::Pod;
use memmap2::MmapMut;

use crate::{Error, Result};

/// Bytes of a list that stay in RAM.
const MAX_BYTES_IN_RAM: usize = 16 << 20;

/// A list that is being written.
#[derive(Debug)]
pub struct SpillWriter<T> {
    /// What is not in the file yet.
    recent: Vec<T>,
    /// Items in the file.
    written: usize,
    file: Option<File>,
}

/// A list that is complete.
#[derive(Debug)]
pub enum Spilled<T> {
    /// Short enough.
    InRam(Vec<T>),
    /// In a file that nobody else can open.
    InFile(MmapMut),
}

fn temporary_file_error(source: std::io::Error) -> Error {
    Error::io("keep the dataset in", std::env::temp_dir())(source)
}

impl<T> Default for SpillWriter<T> {
    fn default() -> Self {
        Self {
            recent: Vec::new(),
            written: 0,
            file: None,
        }
    }
}

impl<T: Pod> SpillWriter<T> {
    /// Items so far.
    pub fn len(&self) -> usize {
        self.written + self.recent.len()
    }

    /// Appends items.
    ///
    /// # Errors
    /// When the disk of temporary files is full or cannot be written.
    pub fn extend(&mut self, items: impl IntoIterator<Item = T>) -> Result<()> {
        self.recent.extend(items);
        if size_of_val(self.recent.as_slice()) >= MAX_BYTES_IN_RAM {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile().map_err(temporary_file_error)?),
        };
        file.write_all(bytemuck::cast_slice(&self.recent))
            .map_err(temporary_file_error)?;
        self.written += self.recent.len();
        self.recent.clear();
        Ok(())
    }

    /// The whole list.
    ///
    /// # Errors
    /// As for [`extend`](Self::extend).
    pub fn finish(mut self) -> Result<Spilled<T>> {
        if self.file.is_some() && !self.recent.is_empty() {
            self.flush()?;
        }
        let Some(file) = self.file else {
            self.recent.shrink_to_fit();
            return Ok(Spilled::InRam(self.recent));
        };
        // SAFETY: the file has no name and this is its only handle, so nobody else changes it.
        let map = unsafe { MmapMut::map_mut(&file) }.map_err(temporary_file_error)?;
        Ok(Spilled::InFile(map))
    }
}

impl<T: Pod> Spilled<T> {
    /// The items.
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::InRam(items) => items,
            // A map begins at a page, and holds whole items alone.
            Self::InFile(map) => bytemuck::cast_slice(map),
        }
    }

    /// The items, to be changed in place.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        match self {
            Self::InRam(items) => items,
            Self::InFile(map) => bytemuck::cast_slice_mut(map),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_lists_stay_in_ram_and_long_ones_do_not() {
        let list = |items: u64| {
            let mut writer = SpillWriter::default();
            for item in 0..items {
                writer.extend([item, item * item]).unwrap();
            }
            assert_eq!(writer.len(), 2 * items as usize);
            writer.finish().unwrap()
        };
        for (items, in_ram) in [(0, true), (1000, true), (1_500_000, false)] {
            let mut list = list(items);
            assert_eq!(matches!(list, Spilled::InRam(_)), in_ram, "{items}");
            assert_eq!(list.as_slice().len(), 2 * items as usize);
            let squares = list.as_slice().chunks(2).enumerate();
            assert!({ squares }.all(|(at, pair)| pair == [at as u64, (at * at) as u64]));
            list.as_mut_slice().reverse();
            assert_eq!(list.as_slice().last().copied(), (items > 0).then_some(0));
        }
    }
}
