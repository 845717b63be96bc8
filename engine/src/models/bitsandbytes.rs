//! Weights that bitsandbytes stored in NF4 (`load_in_4bit`, then `save_pretrained`). Beside
//! `NAME.weight`, which holds the packed codes, lie
//!
//! - `NAME.weight.quant_state.bitsandbytes__nf4`: JSON as bytes, with the shape and the block size
//! - `NAME.weight.absmax`: the scales, in f32 or as 8-bit codes
//! - `NAME.weight.quant_map`: the code book
//! - `NAME.weight.nested_absmax`, `NAME.weight.nested_quant_map`: for 8-bit scales; their offset is
//!   in the JSON
//!
//! [`nf4_weight`] reads such a weight, [`parts`] is what to write.

use std::path::Path;

use safetensors::Dtype;
use serde::Deserialize;
use serde_json::Value;

use super::checkpoint::TensorView;
use super::quantization::Quantization;
use super::stored_type::StoredType;
use crate::ops::dynamic_map::SIGNED;
use crate::ops::nf4::{BLOCK, CODES, Nf4, SCALE_BLOCK, Scales};
use crate::{Error, Result};

/// What `quant_state` says. `dtype`, the type before quantization, does not matter to us.
#[derive(Deserialize)]
struct QuantState {
    quant_type: String,
    blocksize: usize,
    shape: Vec<usize>,
    nested_blocksize: Option<usize>,
    nested_offset: Option<f64>,
}

/// torch computes the code books, and their last bits differ from processor to processor.
const CODE_BOOK_TOLERANCE: f32 = 1e-6;

/// How a `quantization_config` in the config.json at `path` says that the linear maps of the blocks
/// are stored.
///
/// # Errors
/// When it is not by bitsandbytes in four bits.
pub fn declared(path: &Path, quantized: &Value) -> Result<Quantization> {
    let is_on = |name: &str| quantized.get(name).and_then(Value::as_bool) == Some(true);
    let method = quantized.get("quant_method").and_then(Value::as_str);
    match (method, is_on("load_in_4bit")) {
        (Some("bitsandbytes"), true) => Ok(match is_on("bnb_4bit_use_double_quant") {
            true => Quantization::Nf4DoubleQuantized,
            false => Quantization::Nf4,
        }),
        (method, _) => Err(Error::ModelUnsupported {
            path: path.to_path_buf(),
            field: "quantization_config.quant_method",
            found: method.unwrap_or("").to_owned(),
            supported: vec!["bitsandbytes with load_in_4bit"],
        }),
    }
}

/// The weight `name` (`model.layers.0.mlp.up_proj.weight`) and its `[rows, columns]`, or `None`
/// when bitsandbytes did not store it in four bits. `find` looks a tensor up by name, `path` is
/// the file or folder to name in an error.
///
/// # Errors
/// When it is stored in fp4, with other block sizes or other code books than ours, is no matrix, or
/// is damaged.
pub fn nf4_weight<'a>(
    path: &Path,
    name: &str,
    find: &dyn Fn(&str) -> Option<TensorView<'a>>,
) -> Result<Option<(Nf4, [usize; 2])>> {
    let reader = Reader { path, name, find };
    if find(&format!("{name}.quant_state.bitsandbytes__fp4")).is_some() {
        return Err(reader.unsupported("quant_type", "fp4", "nf4"));
    }
    let Some(state) = find(&format!("{name}.quant_state.bitsandbytes__nf4")) else {
        return Ok(None);
    };
    let state: QuantState = serde_json::from_slice(state.bytes)
        .map_err(|error| reader.invalid(format!("quant_state: {error}")))?;
    if state.quant_type != "nf4" {
        return Err(reader.unsupported("quant_type", &state.quant_type, "nf4"));
    }
    reader.check_block_size("blocksize", state.blocksize, BLOCK, "64")?;
    reader.check_code_book("quant_map", &CODES)?;
    let &[rows, columns] = state.shape.as_slice() else {
        return Err(reader.invalid(format!("shape {:?} is not a matrix's", state.shape)));
    };
    let elements = rows
        .checked_mul(columns)
        .filter(|&elements| elements > 0)
        .ok_or_else(|| reader.invalid(format!("shape {:?} is impossible", state.shape)))?;

    // `bnb_4bit_quant_storage` lets the codes be stored as another type; the bytes are the same.
    let packed = reader.part("")?.bytes.to_vec();
    let scales = match reader.part(".absmax")?.stored.name().as_str() {
        "F32" => Scales::Plain(reader.floats("absmax")?),
        "U8" => reader.double_scales(&state)?,
        other => return Err(reader.invalid(format!("absmax has type {other}"))),
    };
    let nf4 = Nf4::from_parts(elements, packed, scales)
        .map_err(|error| reader.invalid(error.to_string()))?;
    Ok(Some((nf4, [rows, columns])))
}

/// A tensor of a stored weight.
pub struct Part {
    /// Its type.
    pub dtype: Dtype,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Part {
    fn bytes(bytes: Vec<u8>) -> Self {
        Self {
            dtype: Dtype::U8,
            shape: vec![bytes.len()],
            bytes,
        }
    }

    fn floats(numbers: &[f32]) -> Self {
        Self {
            dtype: Dtype::F32,
            shape: vec![numbers.len()],
            bytes: numbers.iter().flat_map(|x| x.to_le_bytes()).collect(),
        }
    }
}

/// The tensors that bitsandbytes would save for the weight `name` of this shape: what
/// [`nf4_weight`] reads.
pub fn parts(name: &str, weight: &Nf4, shape: &[usize]) -> Vec<(String, Part)> {
    let mut state = serde_json::json!({
        "quant_type": "nf4", "blocksize": BLOCK, "dtype": "float32", "shape": shape,
    });
    let packed = Part {
        shape: vec![weight.packed().len(), 1],
        ..Part::bytes(weight.packed().to_vec())
    };
    let mut parts = vec![
        (name.to_owned(), packed),
        (format!("{name}.quant_map"), Part::floats(&CODES)),
    ];
    let mut add = |part: &str, tensor: Part| parts.push((format!("{name}.{part}"), tensor));
    match weight.scales() {
        Scales::Plain(scales) => add("absmax", Part::floats(scales)),
        Scales::Double {
            codes,
            absmax,
            offset,
        } => {
            add("absmax", Part::bytes(codes.clone()));
            add("nested_absmax", Part::floats(absmax));
            add("nested_quant_map", Part::floats(&SIGNED.values));
            state["nested_blocksize"] = SCALE_BLOCK.into();
            state["nested_dtype"] = "float32".into();
            state["nested_offset"] = f64::from(*offset).into();
        }
    }
    let state = Part::bytes(state.to_string().into_bytes());
    add("quant_state.bitsandbytes__nf4", state);
    parts
}

/// Looks up the parts of one weight and phrases what is wrong with them.
struct Reader<'r, 'a> {
    path: &'r Path,
    name: &'r str,
    find: &'r dyn Fn(&str) -> Option<TensorView<'a>>,
}

impl<'a> Reader<'_, 'a> {
    fn double_scales(&self, state: &QuantState) -> Result<Scales> {
        let needed = |field| self.invalid(format!("quant_state: missing field `{field}`"));
        let block = state
            .nested_blocksize
            .ok_or_else(|| needed("nested_blocksize"))?;
        self.check_block_size("nested_blocksize", block, SCALE_BLOCK, "256")?;
        self.check_code_book("nested_quant_map", &SIGNED.values)?;
        // Written from an f32, so this gives that number back.
        let offset = state.nested_offset.ok_or_else(|| needed("nested_offset"))? as f32;
        if !offset.is_finite() {
            return Err(self.invalid("quant_state: nested_offset does not fit f32".to_owned()));
        }
        Ok(Scales::Double {
            codes: self.part(".absmax")?.bytes.to_vec(),
            absmax: self.floats("nested_absmax")?,
            offset,
        })
    }

    fn check_block_size(
        &self,
        field: &'static str,
        found: usize,
        ours: usize,
        supported: &'static str,
    ) -> Result<()> {
        if found == ours {
            return Ok(());
        }
        Err(self.unsupported(field, &found.to_string(), supported))
    }

    fn check_code_book(&self, part: &'static str, ours: &[f32]) -> Result<()> {
        let stored = self.floats(part)?;
        let same = stored.len() == ours.len()
            && stored
                .iter()
                .zip(ours)
                .all(|(stored, ours)| (stored - ours).abs() <= CODE_BOOK_TOLERANCE);
        if same {
            return Ok(());
        }
        Err(self.unsupported(
            part,
            "another code book",
            "the one bitsandbytes has for nf4",
        ))
    }

    fn part(&self, suffix: &str) -> Result<TensorView<'a>> {
        let name = format!("{}{suffix}", self.name);
        (self.find)(&name).ok_or_else(|| Error::TensorMissing {
            path: self.path.to_path_buf(),
            name,
        })
    }

    fn floats(&self, part: &str) -> Result<Vec<f32>> {
        let view = self.part(&format!(".{part}"))?;
        if *view.stored != StoredType::F32 {
            return Err(self.invalid(format!("{part} has type {}", view.stored.name())));
        }
        let (numbers, rest) = view.bytes.as_chunks();
        if !rest.is_empty() {
            return Err(self.invalid(format!("{part} has {} bytes", view.bytes.len())));
        }
        Ok(numbers
            .iter()
            .map(|&bytes| f32::from_le_bytes(bytes))
            .collect())
    }

    fn invalid(&self, problem: String) -> Error {
        Error::ModelFileInvalid {
            path: self.path.to_path_buf(),
            problem: format!("tensor {}, stored by bitsandbytes: {problem}", self.name),
        }
    }

    fn unsupported(&self, field: &'static str, found: &str, supported: &'static str) -> Error {
        Error::ModelUnsupported {
            path: self.path.to_path_buf(),
            field,
            found: format!("{found} (tensor {}, stored by bitsandbytes)", self.name),
            supported: vec![supported],
        }
    }
}

#[cfg(test)]
mod tests;
