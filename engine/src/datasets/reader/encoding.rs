//! Which encoding a text is in, decided from its first bytes, and the text in UTF-8.
//!
//! UTF-8 passes through as it is, unchecked, because readers check it row by row: one damaged line
//! must not lose the others.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::stop::Stop;
use super::unpacked::Unpacked;

/// Bytes that decide.
pub(super) const SAMPLE_BYTES: usize = 64 << 10;

/// What a sample tells of a text.
struct Told {
    encoding: &'static Encoding,
    mark_bytes: usize,
    notice: Option<String>,
}

/// Bytes of UTF-8 out of a source in any encoding.
pub(super) struct Decoded<'a> {
    unpacked: Unpacked<'a>,
    /// Bytes that are read and not yet handed on, from `taken` on.
    held: Vec<u8>,
    taken: usize,
    at_end: bool,
    /// Why there is no more, which is told when everything before it is handed on.
    failure: Option<Stop>,
    /// `None` for UTF-8.
    decoder: Option<Decoder>,
    /// A decoder that has seen the end may not be asked again.
    finished: bool,
    replaced: bool,
}

impl<'a> Decoded<'a> {
    /// Reads the sample; returns what should be told besides.
    pub(super) fn new(mut unpacked: Unpacked<'a>) -> Result<(Self, Option<String>), Stop> {
        let mut held = vec![0; SAMPLE_BYTES];
        let (mut filled, mut at_end, mut failure) = (0, false, None);
        while filled < held.len() && !at_end {
            match unpacked.read(&mut held[filled..]) {
                Ok(count) => (at_end, filled) = (count == 0, filled + count),
                Err(stop) => (at_end, failure) = (true, Some(stop)),
            }
        }
        held.truncate(filled);
        let told = tell(&held, at_end)?;
        let utf8 = told.encoding == UTF_8;
        let decoded = Self {
            unpacked,
            held,
            taken: told.mark_bytes,
            at_end,
            failure,
            decoder: (!utf8).then(|| told.encoding.new_decoder_without_bom_handling()),
            finished: false,
            replaced: false,
        };
        Ok((decoded, told.notice))
    }

    pub(super) fn unpacked(&self) -> &Unpacked<'a> {
        &self.unpacked
    }

    pub(super) fn is_utf8(&self) -> bool {
        self.decoder.is_none()
    }

    /// Whether something was no text in the encoding and became U+FFFD.
    pub(super) fn replaced(&self) -> bool {
        self.replaced
    }

    /// Bytes in front of the text.
    pub(super) fn mark_bytes(&self) -> usize {
        self.taken
    }

    /// Goes on at another place of a UTF-8 source that is not packed.
    pub(super) fn jump(&mut self, offset: u64) -> Result<(), Stop> {
        self.held.clear();
        self.taken = 0;
        self.at_end = false;
        self.unpacked.jump(offset)
    }

    /// Some more bytes of UTF-8, none at the end; `buffer` has room for a few characters.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Stop> {
        let Some(decoder) = &mut self.decoder else {
            if self.taken == self.held.len() {
                return match self.failure.take() {
                    Some(stop) => Err(stop),
                    None => self.unpacked.read(buffer),
                };
            }
            let rest = &self.held[self.taken..];
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            self.taken += count;
            if self.taken == self.held.len() {
                (self.held, self.taken) = (Vec::new(), 0);
            }
            return Ok(count);
        };
        while !self.finished {
            if self.taken == self.held.len() && !self.at_end {
                self.held.resize(SAMPLE_BYTES, 0);
                let count = match self.unpacked.read(&mut self.held) {
                    Ok(count) => count,
                    Err(stop) => {
                        self.failure = Some(stop);
                        0
                    }
                };
                self.at_end = count == 0;
                self.held.truncate(count);
                self.taken = 0;
            }
            let (result, read, written, replaced) =
                decoder.decode_to_utf8(&self.held[self.taken..], buffer, self.at_end);
            self.taken += read;
            self.replaced |= replaced;
            self.finished = self.at_end && result == CoderResult::InputEmpty;
            if written > 0 {
                return Ok(written);
            }
        }
        self.failure.take().map_or(Ok(0), Err)
    }
}

fn tell(sample: &[u8], whole: bool) -> Result<Told, Stop> {
    let told = |encoding, mark_bytes| Told {
        encoding,
        mark_bytes,
        notice: None,
    };
    let guessed = |encoding: &'static Encoding| Told {
        encoding,
        mark_bytes: 0,
        notice: Some(format!(
            "the text is not UTF-8 and was read as {}; if characters look wrong, save it as UTF-8",
            encoding.name()
        )),
    };
    if sample.starts_with(b"\xff\xfe\0\0") || sample.starts_with(b"\0\0\xfe\xff") {
        return Err(Stop::new(
            "the file is UTF-32 text",
            "save the file as UTF-8",
        ));
    }
    if let Some((encoding, mark_bytes)) = Encoding::for_bom(sample) {
        return Ok(told(encoding, mark_bytes));
    }
    if sample.starts_with(b"PAR1") {
        return Err(Stop::new(
            "the file is a Parquet file inside of gzip or Zstandard",
            "unpack it and use the .parquet file; Parquet is compressed by itself",
        ));
    }
    if let Some(kind) = binary_kind(sample) {
        return Err(Stop::new(
            format!("the file is no text, it seems to be {kind}"),
            "use JSONL, JSON, CSV, Parquet, plain text or Markdown, packed in gzip or Zstandard or not",
        ));
    }
    if let Some(encoding) = utf16_by_pattern(sample) {
        return Ok(guessed(encoding));
    }
    if sample.contains(&0) && !looks_like_json(sample) {
        return Err(Stop::new(
            "the file is no text, it seems to be binary data: it holds NUL bytes",
            "use JSONL, JSON, CSV, Parquet, plain text or Markdown",
        ));
    }
    if is_utf8(sample, whole) {
        return Ok(told(UTF_8, 0));
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(sample, true);
    Ok(guessed(detector.guess(None, Utf8Detection::Deny)))
}

/// Whether a sample is meant to be UTF-8: it may hold damaged places.
fn is_utf8(sample: &[u8], whole: bool) -> bool {
    // This byte is in no UTF-8, and next to never in a text of any other encoding that is guessed.
    if sample.contains(&0xff) {
        return true;
    }
    let (mut characters, mut damaged, mut read) = (0_usize, 0_usize, 0_usize);
    for chunk in sample.utf8_chunks() {
        let leads = chunk.valid().bytes().filter(|byte| *byte >= 0xc0);
        characters += leads.count();
        read += chunk.valid().len() + chunk.invalid().len();
        // The sample may end in the middle of a character.
        let cut = read == sample.len() && !whole;
        damaged += usize::from(!chunk.invalid().is_empty() && !cut);
    }
    damaged == 0 || characters > damaged
}

/// Texts that are mostly ASCII have a zero in every second byte.
fn utf16_by_pattern(sample: &[u8]) -> Option<&'static Encoding> {
    let mut zeros = [0_usize; 2];
    for (at, byte) in sample.iter().enumerate() {
        zeros[at % 2] += usize::from(*byte == 0);
    }
    let pairs = sample.len() / 2;
    let mostly = |count: usize| pairs > 1 && count * 10 >= pairs * 4;
    let hardly = |count: usize| count * 20 <= pairs;
    match zeros {
        [even, odd] if mostly(odd) && hardly(even) => Some(UTF_16LE),
        [even, odd] if mostly(even) && hardly(odd) => Some(UTF_16BE),
        _ => None,
    }
}

fn looks_like_json(sample: &[u8]) -> bool {
    matches!(sample.trim_ascii_start(), [b'{' | b'[', ..])
}

/// What a file is that begins with well-known bytes.
fn binary_kind(sample: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 17] = [
        (b"PK\x03\x04", "a ZIP archive or an Office document"),
        (b"%PDF", "a PDF document"),
        (b"ARROW1", "an Arrow file"),
        (b"SQLite format 3\0", "a SQLite database"),
        (b"\x89HDF", "an HDF5 file"),
        (b"\x93NUMPY", "a NumPy array"),
        (b"\x89PNG", "a PNG image"),
        (b"\xff\xd8\xff", "a JPEG image"),
        (b"GIF8", "a GIF image"),
        (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
        (b"Rar!", "a RAR archive"),
        (b"BZh", "a bzip2 archive"),
        (b"\xfd7zXZ", "an xz archive"),
        (b"\x1f\x8b", "a gzip archive inside of another file"),
        (
            b"\x28\xb5\x2f\xfd",
            "a Zstandard archive inside of another file",
        ),
        (b"\x7fELF", "an executable"),
        (b"GGUF", "a GGUF model"),
    ];
    let known = KINDS
        .into_iter()
        .find(|(magic, _)| sample.starts_with(magic));
    // A pickle says its protocol first; a tar archive begins with a file's name.
    known.map(|(_, kind)| kind).or(match sample {
        [0x80, 2..=5, ..] => Some("a Python pickle"),
        _ if sample.get(257..262) == Some(b"ustar") => Some("a tar archive"),
        _ => None,
    })
}
