//! gzip and Zstandard around a text, taken off while it is read. Told by the first bytes and not by
//! the name, since browsers unpack files and leave the name alone.

use std::io::{self, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use super::source::RawInput;
use super::stop::Stop;

/// A file may unpack to this much whatever it was packed in.
const HARMLESS_BYTES: u64 = 64 << 20;
/// No text of a dataset becomes this much smaller.
const MAX_RATIO: u64 = 200;
const BUFFER_BYTES: usize = 128 << 10;

/// What a text is packed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    None,
    Gzip,
    Zstd,
}

impl Packing {
    /// Told by the first four bytes.
    pub(super) fn of(first: &[u8]) -> Self {
        match first {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::None => "file",
            Self::Gzip => "gzip",
            Self::Zstd => "Zstandard",
        }
    }
}

/// The bytes of a source without what they are packed in.
pub(super) struct Unpacked<'a> {
    reader: Reader<'a>,
    bytes_unpacked: u64,
}

enum Reader<'a> {
    Plain(RawInput<'a>),
    Gzip(Box<MultiGzDecoder<BufReader<RawInput<'a>>>>),
    Zstd(zstd::Decoder<'static, BufReader<RawInput<'a>>>),
}

impl<'a> Unpacked<'a> {
    pub(super) fn new(raw: RawInput<'a>, packing: Packing) -> io::Result<Self> {
        let reader = match packing {
            Packing::None => Reader::Plain(raw),
            Packing::Gzip => Reader::Gzip(Box::new(MultiGzDecoder::new(buffered(raw)))),
            Packing::Zstd => Reader::Zstd(zstd::Decoder::with_buffer(buffered(raw))?),
        };
        Ok(Self {
            reader,
            bytes_unpacked: 0,
        })
    }

    pub(super) fn packing(&self) -> Packing {
        match &self.reader {
            Reader::Plain(_) => Packing::None,
            Reader::Gzip(_) => Packing::Gzip,
            Reader::Zstd(_) => Packing::Zstd,
        }
    }

    pub(super) fn raw(&self) -> &RawInput<'a> {
        match &self.reader {
            Reader::Plain(raw) => raw,
            Reader::Gzip(decoder) => decoder.get_ref().get_ref(),
            Reader::Zstd(decoder) => decoder.get_ref().get_ref(),
        }
    }

    /// Goes on at another place of a source that is not packed.
    pub(super) fn jump(&mut self, offset: u64) -> Result<(), Stop> {
        match &mut self.reader {
            Reader::Plain(raw) => Ok(raw.jump(offset)?),
            Reader::Gzip(_) | Reader::Zstd(_) => Err(Stop::new(
                "a packed file has no places to jump to",
                "read it from the front",
            )),
        }
    }

    /// Some more bytes, none at the end.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Stop> {
        let read = loop {
            let read = match &mut self.reader {
                Reader::Plain(raw) => raw.read(buffer),
                Reader::Gzip(decoder) => decoder.read(buffer),
                Reader::Zstd(decoder) => decoder.read(buffer),
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        let count = read.map_err(|error| self.stop(error))?;
        self.bytes_unpacked += count as u64;
        if self.packing() != Packing::None {
            self.check_ratio()?;
        }
        Ok(count)
    }

    fn check_ratio(&self) -> Result<(), Stop> {
        let packed = self.raw().bytes_read().max(1);
        if self.bytes_unpacked <= HARMLESS_BYTES || self.bytes_unpacked / packed <= MAX_RATIO {
            return Ok(());
        }
        Err(Stop::new(
            format!(
                "the {} data unpacks to {} times its size",
                self.packing().name(),
                self.bytes_unpacked / packed
            ),
            "no text of a dataset becomes so small, so this may be made to fill the memory; if it is \
             in order, unpack it yourself and use the unpacked file",
        ))
    }

    fn stop(&self, error: io::Error) -> Stop {
        let packing = self.packing();
        if packing == Packing::None || error.raw_os_error().is_some() {
            return Stop::Io(error);
        }
        let name = packing.name();
        let problem = match error.kind() {
            io::ErrorKind::UnexpectedEof => format!("the {name} data is cut off here"),
            _ => format!("the {name} data is damaged here: {error}"),
        };
        Stop::new(
            problem,
            "download or pack the file again; the rows before this place are in order",
        )
    }
}

fn buffered(raw: RawInput<'_>) -> BufReader<RawInput<'_>> {
    BufReader::with_capacity(BUFFER_BYTES, raw)
}
