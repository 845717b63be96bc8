use std::collections::BTreeMap;

use safetensors::Dtype;

use super::*;
use crate::models::checkpoint::Layout;
use crate::ops::nf4::DoubleQuantization;

const NAME: &str = "layer.weight";
const ROWS: usize = 300;
const COLUMNS: usize = 66;

/// The tensors of one stored weight, to be spoilt one at a time.
#[derive(Clone)]
struct Stored(BTreeMap<String, (StoredType, Vec<usize>, Vec<u8>)>);

impl Stored {
    /// As bitsandbytes stores a matrix of `ROWS` x `COLUMNS`.
    fn new(double: DoubleQuantization) -> (Self, Nf4) {
        let nf4 = Nf4::quantize(
            ROWS * COLUMNS,
            |range, to| {
                for (index, to) in range.zip(to) {
                    *to = ((index * 7919 % 1013) as f32 - 506.0) / (1.0 + (index / BLOCK) as f32);
                }
            },
            double,
        )
        .unwrap();
        let mut stored = Self(BTreeMap::new());
        stored.put("", Dtype::U8, nf4.packed().to_vec());
        stored.put_floats(".quant_map", &CODES);
        let mut nested = String::new();
        match nf4.scales() {
            Scales::Plain(scales) => stored.put_floats(".absmax", scales),
            Scales::Double {
                codes,
                absmax,
                offset,
            } => {
                stored.put(".absmax", Dtype::U8, codes.clone());
                stored.put_floats(".nested_absmax", absmax);
                stored.put_floats(".nested_quant_map", &SIGNED.values);
                nested = format!(
                    r#", "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": {}"#,
                    f64::from(*offset)
                );
            }
        }
        stored.put_state(&format!(
            r#"{{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [{ROWS}, {COLUMNS}]{nested}}}"#
        ));
        (stored, nf4)
    }

    fn put(&mut self, suffix: &str, dtype: Dtype, bytes: Vec<u8>) {
        let shape = vec![bytes.len() * 8 / dtype.bitsize(), 1];
        let stored = StoredType::from_safetensors(dtype);
        self.0
            .insert(format!("{NAME}{suffix}"), (stored, shape, bytes));
    }

    fn put_floats(&mut self, suffix: &str, numbers: &[f32]) {
        let bytes = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.put(suffix, Dtype::F32, bytes);
    }

    fn put_state(&mut self, json: &str) {
        self.put(
            ".quant_state.bitsandbytes__nf4",
            Dtype::U8,
            json.as_bytes().to_vec(),
        );
    }

    fn state(&self) -> String {
        let (_, _, bytes) = &self.0[&format!("{NAME}.quant_state.bitsandbytes__nf4")];
        String::from_utf8(bytes.clone()).unwrap()
    }

    fn read(&self) -> Result<Option<(Nf4, [usize; 2])>> {
        let find = |name: &str| {
            let (name, (stored, shape, bytes)) = self.0.get_key_value(name)?;
            Some(TensorView {
                name,
                stored,
                shape,
                bytes,
                layout: Layout::CHECKPOINT,
                path: Path::new("model.safetensors"),
            })
        };
        nf4_weight(Path::new("model.safetensors"), NAME, &find)
    }

    /// The message after `change`.
    fn message(&self, change: impl FnOnce(&mut Self)) -> String {
        let mut spoilt = self.clone();
        change(&mut spoilt);
        spoilt.read().unwrap_err().to_string()
    }

    /// The message after replacing a part of the JSON.
    fn message_of_state(&self, from: &str, to: &str) -> String {
        assert!(self.state().contains(from));
        self.message(|stored| stored.put_state(&stored.state().replace(from, to)))
    }
}

#[test]
fn a_stored_weight_is_read_as_it_was_quantized() {
    for double in [DoubleQuantization::Off, DoubleQuantization::On] {
        let (stored, nf4) = Stored::new(double);
        assert_eq!(stored.read().unwrap(), Some((nf4, [ROWS, COLUMNS])));
    }
}

#[test]
fn codes_may_be_stored_as_another_type() {
    let (mut stored, nf4) = Stored::new(DoubleQuantization::On);
    stored.put("", Dtype::BF16, nf4.packed().to_vec());
    assert_eq!(stored.read().unwrap(), Some((nf4, [ROWS, COLUMNS])));
}

#[test]
fn a_code_book_may_differ_in_its_last_bits() {
    let (mut stored, nf4) = Stored::new(DoubleQuantization::On);
    let neighbors: Vec<f32> = SIGNED.values.iter().map(|x| x.next_up()).collect();
    stored.put_floats(".nested_quant_map", &neighbors);
    assert_eq!(stored.read().unwrap(), Some((nf4, [ROWS, COLUMNS])));
}

#[test]
fn a_weight_without_a_quant_state_is_not_ours() {
    let mut stored = Stored::new(DoubleQuantization::Off).0;
    stored
        .0
        .remove(&format!("{NAME}.quant_state.bitsandbytes__nf4"));
    assert!(stored.read().unwrap().is_none());
}

#[test]
fn what_we_cannot_compute_with_is_named() {
    let stored = Stored::new(DoubleQuantization::On).0;
    let place = "(tensor layer.weight, stored by bitsandbytes)";
    for (message, field, found) in [
        (
            stored.message(|stored| {
                stored.put(".quant_state.bitsandbytes__fp4", Dtype::U8, b"{}".to_vec());
            }),
            "quant_type",
            "fp4",
        ),
        (stored.message_of_state("nf4", "af4"), "quant_type", "af4"),
        (
            stored.message_of_state("\"blocksize\": 64", "\"blocksize\": 128"),
            "blocksize",
            "128",
        ),
        (
            stored.message_of_state("256", "64"),
            "nested_blocksize",
            "64",
        ),
        (
            stored.message(|stored| {
                let mut codes = CODES;
                codes[3] += 1e-4;
                stored.put_floats(".quant_map", &codes);
            }),
            "quant_map",
            "another code book",
        ),
        (
            stored.message(|stored| {
                let mut map = SIGNED.values;
                map[0] = -1.0;
                stored.put_floats(".nested_quant_map", &map);
            }),
            "nested_quant_map",
            "another code book",
        ),
        (
            stored.message(|stored| stored.put_floats(".quant_map", &[f32::NAN; 16])),
            "quant_map",
            "another code book",
        ),
    ] {
        assert_eq!(
            message,
            format!("model.safetensors: {field} is \"{found} {place}\", which is not supported")
        );
    }
}

#[test]
fn what_is_damaged_is_named() {
    let double = Stored::new(DoubleQuantization::On).0;
    let plain = Stored::new(DoubleQuantization::Off).0;
    let shape = format!("[{ROWS}, {COLUMNS}]");
    for (message, expected) in [
        (
            double.message(|stored| stored.put("", Dtype::U8, vec![0; 9899])),
            "9899 bytes of codes for 19800 elements, expected 9900",
        ),
        (
            plain.message(|stored| stored.put_floats(".absmax", &[1.0; 309])),
            "309 scales for 19800 elements, expected 310",
        ),
        (
            double.message(|stored| stored.put(".absmax", Dtype::U8, vec![0; 311])),
            "311 codes of scales for 19800 elements, expected 310",
        ),
        (
            double.message(|stored| stored.put_floats(".nested_absmax", &[1.0])),
            "1 second-level scales for 19800 elements, expected 2",
        ),
        (
            double.message(|stored| stored.put(".absmax", Dtype::BF16, vec![0; 620])),
            "absmax has type BF16",
        ),
        (
            double.message(|stored| stored.put(".nested_absmax", Dtype::U8, vec![0; 8])),
            "nested_absmax has type U8",
        ),
        (
            plain.message_of_state(&shape, "[19800]"),
            "shape [19800] is not a matrix's",
        ),
        (
            plain.message_of_state(&shape, "[0, 66]"),
            "shape [0, 66] is impossible",
        ),
        (
            plain.message_of_state(&shape, "[18446744073709551615, 2]"),
            "shape [18446744073709551615, 2] is impossible",
        ),
        (
            double.message_of_state("nested_offset", "offset"),
            "quant_state: missing field `nested_offset`",
        ),
        (
            double.message_of_state("nested_blocksize", "blocks"),
            "quant_state: missing field `nested_blocksize`",
        ),
        (
            double.message_of_state("\"nested_offset\": ", "\"nested_offset\": 1e300, \"x\": "),
            "quant_state: nested_offset does not fit f32",
        ),
        (
            plain.message(|stored| stored.put_state("{\"quant_type\": \"nf4\"}")),
            "quant_state: missing field `blocksize` at line 1 column 21",
        ),
    ] {
        assert_eq!(
            message,
            format!("model.safetensors: tensor {NAME}, stored by bitsandbytes: {expected}")
        );
    }
    for suffix in [
        "",
        ".absmax",
        ".quant_map",
        ".nested_absmax",
        ".nested_quant_map",
    ] {
        let name = format!("{NAME}{suffix}");
        let message = double.message(|stored| {
            stored.0.remove(&name);
        });
        assert_eq!(
            message,
            format!("tensor {name} is missing from model.safetensors")
        );
    }
}
