//! Reads a GGUF file's header: key-value pairs and the list of tensors. Every length in it is a claim
//! of a foreign file, so nothing is allocated or sliced before the claim was held against the bytes
//! that are there. Format: the GGUF specification in ggml's documentation, versions 2 and 3.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use super::metadata::{Array, Metadata, Value};
use crate::models::stored_type::StoredType;

/// What a GGUF file says of itself.
#[derive(Clone, Debug)]
pub struct GgufHeader {
    /// Key-value pairs.
    pub metadata: Metadata,
    /// Tensors in the file's order.
    pub tensors: Vec<GgufTensor>,
}

/// One tensor of a GGUF file.
#[derive(Clone, Debug, PartialEq)]
pub struct GgufTensor {
    /// The name that llama.cpp uses.
    pub name: String,
    /// Slowest dimension first, as everywhere else; the file has it the other way round.
    pub shape: Vec<usize>,
    /// How its numbers are stored.
    pub stored: StoredType,
    /// Where its bytes lie in the file; empty if the type's size is not known.
    pub bytes: Range<usize>,
}

/// The first bytes of every GGUF file.
pub const MAGIC: [u8; 4] = *b"GGUF";
const DEFAULT_ALIGNMENT: usize = 32;
/// Dimensions of a tensor, at most.
const MAX_DIMENSIONS: u32 = 4;

impl GgufHeader {
    /// Reads the header of a whole file.
    ///
    /// # Errors
    /// Says what is wrong, naming the key or tensor.
    pub fn parse(file: &[u8]) -> Result<Self, String> {
        Self::parse_beginning(file, file.len())
    }

    /// Reads the header in the first bytes of a file that is `file_len` bytes long.
    ///
    /// # Errors
    /// As [`Self::parse`], and when the header is longer than these bytes.
    pub fn parse_beginning(beginning: &[u8], file_len: usize) -> Result<Self, String> {
        let mut reader = Reader {
            file: beginning,
            position: 0,
            doing: "the file's first bytes".to_owned(),
        };
        if reader.take(4)? != MAGIC {
            return Err("not a GGUF file".to_owned());
        }
        match reader.u32()? {
            2 | 3 => {}
            1 => return Err("GGUF version 1 is too old; convert the model again".to_owned()),
            version if matches!(version.swap_bytes(), 1..=3) => {
                return Err("a big-endian GGUF file cannot be read".to_owned());
            }
            version => return Err(format!("GGUF version {version} is not known")),
        }
        // The smallest tensor entry is a length, a dimension count, a type and an offset; the
        // smallest pair is a length, a type and one byte.
        let tensors = reader.count("tensors", 24)?;
        let pairs = reader.count("key-value pairs", 13)?;
        let metadata = read_pairs(&mut reader, pairs)?;
        let alignment = match metadata.size("general.alignment")? {
            None => DEFAULT_ALIGNMENT,
            Some(alignment) if alignment.is_power_of_two() => alignment,
            Some(other) => {
                return Err(format!("general.alignment is {other}, not a power of two"));
            }
        };
        let parts = metadata.size("split.count")?.unwrap_or(1);
        if parts > 1 {
            return Err(format!(
                "this is one of {parts} parts of a model; join them with `llama-gguf-split --merge`"
            ));
        }
        let claims = (0..tensors)
            .map(|number| read_tensor(&mut reader, number))
            .collect::<Result<Vec<_>, _>>()?;
        let data_start = reader.position.next_multiple_of(alignment);
        let tensors = claims
            .into_iter()
            .map(|claim| claim.located(data_start, alignment, file_len))
            .collect::<Result<Vec<_>, _>>()?;
        refuse_clashes(&tensors)?;
        Ok(Self { metadata, tensors })
    }
}

fn read_pairs(reader: &mut Reader<'_>, pairs: usize) -> Result<Metadata, String> {
    let mut values = BTreeMap::new();
    for number in 0..pairs {
        reader.doing = format!("key {} of {pairs}", number + 1);
        let key = reader.text()?;
        reader.doing = format!("the value of {key:?}");
        let kind = reader.u32()?;
        let value = reader.value(kind)?;
        if values.insert(key.clone(), value).is_some() {
            return Err(format!("the key {key:?} occurs twice"));
        }
    }
    Ok(Metadata(values))
}

/// A tensor entry before it is known where the data begins.
struct TensorClaim {
    name: String,
    shape: Vec<usize>,
    stored: StoredType,
    offset: u64,
}

fn read_tensor(reader: &mut Reader<'_>, number: usize) -> Result<TensorClaim, String> {
    reader.doing = format!("the name of tensor {}", number + 1);
    let name = reader.text()?;
    reader.doing = format!("the entry of tensor {name:?}");
    let dimensions = reader.u32()?;
    if dimensions == 0 || dimensions > MAX_DIMENSIONS {
        return Err(format!("tensor {name:?} has {dimensions} dimensions"));
    }
    let mut shape = (0..dimensions)
        .map(|_| {
            let size = reader.u64()?;
            usize::try_from(size).map_err(|_| format!("tensor {name:?} has a dimension of {size}"))
        })
        .collect::<Result<Vec<_>, _>>()?;
    shape.reverse();
    Ok(TensorClaim {
        stored: StoredType::from_ggml(reader.u32()?),
        offset: reader.u64()?,
        name,
        shape,
    })
}

impl TensorClaim {
    fn located(
        self,
        data_start: usize,
        alignment: usize,
        file_len: usize,
    ) -> Result<GgufTensor, String> {
        let Self {
            name,
            shape,
            stored,
            offset,
        } = self;
        let elements = shape
            .iter()
            .try_fold(1usize, |product, &size| product.checked_mul(size))
            .filter(|&elements| elements > 0)
            .ok_or_else(|| format!("tensor {name:?} has the impossible shape {shape:?}"))?;
        let start = usize::try_from(offset)
            .ok()
            .and_then(|offset| data_start.checked_add(offset))
            .filter(|start| *start <= file_len)
            .ok_or_else(|| past_the_end(&name, file_len))?;
        if !offset.is_multiple_of(alignment as u64) {
            return Err(format!(
                "tensor {name:?} begins at {offset}, not at a multiple of {alignment}"
            ));
        }
        let bytes = match (stored.block_size(), stored.block_bytes()) {
            (Some(block), Some(block_bytes)) => {
                let width = shape.last().copied().unwrap_or(0);
                if !width.is_multiple_of(block) {
                    return Err(format!(
                        "tensor {name:?} has rows of {width} numbers, which {} stores in blocks of {block}",
                        stored.name()
                    ));
                }
                let end = (elements / block)
                    .checked_mul(block_bytes)
                    .and_then(|length| start.checked_add(length))
                    .filter(|end| *end <= file_len)
                    .ok_or_else(|| past_the_end(&name, file_len))?;
                start..end
            }
            // Its bytes are never looked at: it is refused by name when it is needed.
            _ => start..start,
        };
        Ok(GgufTensor {
            name,
            shape,
            stored,
            bytes,
        })
    }
}

fn past_the_end(name: &str, file_len: usize) -> String {
    format!(
        "tensor {name:?} reaches past the end of the file ({file_len} bytes); the file is incomplete"
    )
}

fn refuse_clashes(tensors: &[GgufTensor]) -> Result<(), String> {
    let mut names = HashSet::new();
    if let Some(twice) = tensors.iter().find(|tensor| !names.insert(&tensor.name)) {
        return Err(format!("tensor {:?} occurs twice", twice.name));
    }
    let mut by_place: Vec<&GgufTensor> = tensors.iter().collect();
    by_place.sort_by_key(|tensor| (tensor.bytes.start, tensor.bytes.end));
    match by_place
        .array_windows()
        .find(|[a, b]| b.bytes.start < a.bytes.end)
    {
        Some([a, b]) => Err(format!("tensors {:?} and {:?} overlap", a.name, b.name)),
        None => Ok(()),
    }
}

struct Reader<'a> {
    file: &'a [u8],
    position: usize,
    /// What is being read, for messages.
    doing: String,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let end = self.position.checked_add(length);
        match end.and_then(|end| self.file.get(self.position..end)) {
            Some(bytes) => {
                self.position += length;
                Ok(bytes)
            }
            None => Err(format!(
                "the file ends inside {}; it is incomplete or damaged",
                self.doing
            )),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let bytes = self.take(N)?;
        let mut array = [0; N];
        array.copy_from_slice(bytes);
        Ok(array)
    }

    fn u32(&mut self) -> Result<u32, String> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, String> {
        self.array().map(u64::from_le_bytes)
    }

    /// A number of things that follow, each of which takes at least `smallest` bytes.
    fn count(&mut self, what: &str, smallest: usize) -> Result<usize, String> {
        let count = self.u64()?;
        let left = self.file.len() - self.position;
        usize::try_from(count)
            .ok()
            .filter(|count| {
                count
                    .checked_mul(smallest)
                    .is_some_and(|bytes| bytes <= left)
            })
            .ok_or_else(|| {
                format!("the file promises {count} {what}, but only {left} bytes follow")
            })
    }

    fn text(&mut self) -> Result<String, String> {
        let what = format!("bytes of text in {}", self.doing);
        let length = self.count(&what, 1)?;
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(|_| format!("{} is not UTF-8", self.doing))
    }

    fn value(&mut self, kind: u32) -> Result<Value, String> {
        Ok(match kind {
            8 => Value::Text(self.text()?),
            9 => Value::Array(self.values()?),
            7 => Value::Bool(self.flag()?),
            6 => Value::Float(f64::from(f32::from_le_bytes(self.array()?))),
            12 => Value::Float(f64::from_le_bytes(self.array()?)),
            10 => Value::Integer(i128::from(self.u64()?)),
            _ => Value::Integer(i128::from(self.integer(kind)?)),
        })
    }

    fn flag(&mut self) -> Result<bool, String> {
        Ok(self.array::<1>()? != [0])
    }

    fn integer(&mut self, kind: u32) -> Result<i64, String> {
        Ok(match kind {
            0 => i64::from(u8::from_le_bytes(self.array()?)),
            1 => i64::from(i8::from_le_bytes(self.array()?)),
            2 => i64::from(u16::from_le_bytes(self.array()?)),
            3 => i64::from(i16::from_le_bytes(self.array()?)),
            4 => i64::from(u32::from_le_bytes(self.array()?)),
            5 => i64::from(i32::from_le_bytes(self.array()?)),
            10 => {
                i64::try_from(self.u64()?).map_err(|_| format!("{} is beyond 2^63", self.doing))?
            }
            11 => i64::from_le_bytes(self.array()?),
            other => return Err(format!("{} has the unknown type {other}", self.doing)),
        })
    }

    fn values(&mut self) -> Result<Array, String> {
        let kind = self.u32()?;
        let what = format!("values in {}", self.doing);
        Ok(match kind {
            6 | 12 => {
                let count = self.count(&what, if kind == 6 { 4 } else { 8 })?;
                let float = |_| match kind {
                    6 => self.array().map(f32::from_le_bytes),
                    _ => self.array().map(|bytes| f64::from_le_bytes(bytes) as f32),
                };
                Array::Floats((0..count).map(float).collect::<Result<_, _>>()?)
            }
            7 => {
                let count = self.count(&what, 1)?;
                Array::Bools((0..count).map(|_| self.flag()).collect::<Result<_, _>>()?)
            }
            8 => {
                let count = self.count(&what, 8)?;
                Array::Texts((0..count).map(|_| self.text()).collect::<Result<_, _>>()?)
            }
            9 => return Err(format!("{} is a list of lists", self.doing)),
            _ => {
                let count = self.count(&what, integer_bytes(kind))?;
                let integers = (0..count).map(|_| self.integer(kind));
                Array::Integers(integers.collect::<Result<_, _>>()?)
            }
        })
    }
}

fn integer_bytes(kind: u32) -> usize {
    match kind {
        2 | 3 => 2,
        4 | 5 => 4,
        10 | 11 => 8,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Puts a file together piece by piece.
    #[derive(Default)]
    struct Writer(Vec<u8>);

    impl Writer {
        fn start(tensors: u64, pairs: u64) -> Self {
            let mut file = Self(b"GGUF".to_vec());
            file.0.extend(3u32.to_le_bytes());
            file.0.extend(tensors.to_le_bytes());
            file.0.extend(pairs.to_le_bytes());
            file
        }

        fn text(mut self, text: &str) -> Self {
            self.0.extend((text.len() as u64).to_le_bytes());
            self.0.extend(text.as_bytes());
            self
        }

        fn u32(mut self, number: u32) -> Self {
            self.0.extend(number.to_le_bytes());
            self
        }

        fn u64(mut self, number: u64) -> Self {
            self.0.extend(number.to_le_bytes());
            self
        }

        fn tensor(self, name: &str, dimensions: &[u64], kind: u32, offset: u64) -> Self {
            let entry = self.text(name).u32(dimensions.len() as u32);
            let entry = dimensions
                .iter()
                .fold(entry, |entry, &size| entry.u64(size));
            entry.u32(kind).u64(offset)
        }

        fn data(mut self, bytes: usize) -> Vec<u8> {
            self.0.resize(self.0.len().next_multiple_of(32) + bytes, 7);
            self.0
        }
    }

    fn problem(file: &[u8]) -> String {
        GgufHeader::parse(file).unwrap_err()
    }

    #[test]
    fn pairs_and_tensors_are_read() {
        let file = Writer::start(2, 3)
            .text("general.architecture")
            .u32(8)
            .text("llama")
            .text("llama.block_count")
            .u32(4)
            .u32(12)
            .text("tokenizer.ggml.tokens")
            .u32(9)
            .u32(8)
            .u64(2)
            .text("a")
            .text("\u{2581}b")
            .tensor("token_embd.weight", &[32, 3], 8, 0)
            .tensor("output_norm.weight", &[4], 0, 128)
            .data(144);
        let header = GgufHeader::parse(&file).unwrap();
        let metadata = &header.metadata;
        assert_eq!(metadata.text("general.architecture"), Ok(Some("llama")));
        assert_eq!(metadata.size("llama.block_count"), Ok(Some(12)));
        assert_eq!(metadata.size("llama.none"), Ok(None));
        assert_eq!(
            metadata.text("llama.block_count").unwrap_err(),
            "llama.block_count is 12, expected a text"
        );
        let tokens = metadata.texts("tokenizer.ggml.tokens").unwrap().unwrap();
        assert_eq!(tokens, ["a", "\u{2581}b"]);
        let start = file.len() - 144;
        assert_eq!(header.tensors[0].shape, [3, 32]);
        assert_eq!(header.tensors[0].bytes, start..start + 3 * 34);
        assert_eq!(header.tensors[1].bytes, start + 128..start + 144);
    }

    #[test]
    fn lying_headers_are_refused_by_name() {
        let one = |name: &str, dimensions: &[u64], kind, offset| {
            problem(
                &Writer::start(1, 0)
                    .tensor(name, dimensions, kind, offset)
                    .data(64),
            )
        };
        assert_eq!(problem(b"PK\x03\x04abcdefg"), "not a GGUF file");
        assert!(problem(b"GGUF\x03\0\0\0\x01").contains("the file ends inside"));
        assert!(
            problem(&Writer::start(1 << 60, 0).data(64))
                .contains("promises 1152921504606846976 tensors")
        );
        let long = Writer::start(0, 1).u64(1 << 40).data(64);
        assert!(problem(&long).contains("promises 1099511627776 bytes of text in key 1 of 1"));
        assert_eq!(one("w", &[], 0, 0), "tensor \"w\" has 0 dimensions");
        assert!(one("w", &[1 << 40, 1 << 40], 0, 0).contains("impossible shape"));
        assert!(one("w", &[0, 2], 0, 0).contains("impossible shape"));
        assert!(one("w", &[64], 0, 0).contains("reaches past the end"));
        assert!(one("w", &[4], 0, u64::MAX - 31).contains("reaches past the end"));
        assert!(one("w", &[4], 0, 8).contains("not at a multiple of 32"));
        assert!(one("w", &[33], 8, 0).contains("Q8_0 stores in blocks of 32"));
        let twice = Writer::start(2, 0)
            .tensor("w", &[4], 0, 0)
            .tensor("w", &[4], 0, 32);
        assert_eq!(problem(&twice.data(64)), "tensor \"w\" occurs twice");
        let over = Writer::start(2, 0)
            .tensor("a", &[12], 0, 0)
            .tensor("b", &[4], 0, 32);
        assert_eq!(problem(&over.data(64)), "tensors \"a\" and \"b\" overlap");
        let parts = Writer::start(0, 1)
            .text("split.count")
            .u32(4)
            .u32(3)
            .data(0);
        assert!(problem(&parts).contains("one of 3 parts"));
        let version = [b"GGUF".as_slice(), &[9, 0, 0, 0], &[0; 16]].concat();
        assert_eq!(problem(&version), "GGUF version 9 is not known");
    }

    #[test]
    fn a_type_that_cannot_be_computed_with_keeps_its_name() {
        let file = Writer::start(1, 0)
            .tensor("blk.0.ffn_up.weight", &[256, 4], 23, 0)
            .data(600);
        let header = GgufHeader::parse(&file).unwrap();
        assert_eq!(header.tensors[0].stored.name(), "IQ4_XS");
    }
}
