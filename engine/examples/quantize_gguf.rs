//! Quantizes the matrices of a GGUF file, to make fixtures in types that Python's `gguf` package can
//! read but not write (`tests/witness/gguf_models.py`):
//!
//! ```text
//! cargo run --release -p stepladder-engine --example quantize_gguf -- INPUT OUTPUT TYPE...
//! ```
//!
//! The types take turns, in the order of the file's matrices; vectors are copied as F32. INPUT holds
//! F32 or F16. Rows must be as long as the types' blocks ask for (256 for the K-quants).

#![allow(
    clippy::print_stdout,
    reason = "a program for the terminal, not part of the product"
)]

use std::fs::File;
use std::io::BufWriter;

use candle_core::quantized::{GgmlDType, QTensor, gguf_file};
use candle_core::{DType, Device, Tensor};
use stepladder_engine::models::gguf::{GgufHeader, GgufTensor};
use stepladder_engine::models::stored_type::StoredType;

type Failure = Box<dyn std::error::Error>;

/// A type by the name that users know, such as `Q4_K`.
fn by_name(name: &str) -> Result<GgmlDType, String> {
    use GgmlDType::{BF16, F16, F32, Q2K, Q3K, Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0};
    match name {
        "F32" => return Ok(F32),
        "F16" => return Ok(F16),
        "BF16" => return Ok(BF16),
        _ => {}
    }
    let blocks = [Q2K, Q3K, Q4K, Q5K, Q6K, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0];
    blocks
        .into_iter()
        .find(|kind| StoredType::Blocks(*kind).name() == name)
        .ok_or_else(|| format!("{name:?} is no type that can be written"))
}

fn load(file: &[u8], tensor: &GgufTensor) -> Result<Tensor, Failure> {
    let dtype = match tensor.stored {
        StoredType::F32 => DType::F32,
        StoredType::F16 => DType::F16,
        ref other => return Err(format!("{} is stored in {}", tensor.name, other.name()).into()),
    };
    let bytes = &file[tensor.bytes.clone()];
    Ok(Tensor::from_raw_buffer(
        bytes,
        dtype,
        &tensor.shape,
        &Device::Cpu,
    )?)
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, output, names @ ..] = arguments.as_slice() else {
        return Err("quantize_gguf INPUT OUTPUT TYPE...".into());
    };
    let types: Vec<GgmlDType> = names
        .iter()
        .map(|name| by_name(name))
        .collect::<Result<_, _>>()?;
    let mut turns = types.iter().copied().cycle();
    let file = std::fs::read(input)?;
    let header = GgufHeader::parse(&file)?;
    let mut tensors = Vec::new();
    for tensor in &header.tensors {
        let kind = match tensor.shape.len() {
            1 => GgmlDType::F32,
            _ => turns.next().ok_or("no TYPE was given")?,
        };
        let quantized = QTensor::quantize(&load(&file, tensor)?, kind)?;
        println!("{} {:?} {kind:?}", tensor.name, tensor.shape);
        tensors.push((tensor.name.as_str(), quantized));
    }
    let content = gguf_file::Content::read(&mut std::io::Cursor::new(&file))?;
    let mut metadata: Vec<(&str, &gguf_file::Value)> = content
        .metadata
        .iter()
        .map(|(key, value)| (key.as_str(), value))
        // the writer below has an alignment of its own
        .filter(|(key, _)| *key != "general.alignment")
        .collect();
    metadata.sort_by_key(|(key, _)| *key);
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, data)| (*name, data)).collect();
    gguf_file::write(
        &mut BufWriter::new(File::create(output)?),
        &metadata,
        &tensors,
    )?;
    Ok(())
}
