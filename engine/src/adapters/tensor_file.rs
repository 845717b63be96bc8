//! Named numbers in a safetensors file, written piece by piece: beside what is there already, writing
//! takes a buffer of 64 KiB. The bytes are those that the safetensors crate would write, whose own
//! writers take a copy of all tensors, or of one at a time.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

use candle_core::{DType, Device, Tensor};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::parameters::Parameters;
use crate::ops::cpu;

/// Numbers of f32 that are turned into bytes at a time.
const PIECE: usize = 16 << 10;

/// One entry of a file.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// Its name.
    pub name: String,
    /// Its numbers, f32 or u8. What lies on a card is copied to RAM when its turn comes, and that copy is
    /// gone before the next.
    pub numbers: &'a Tensor,
}

impl Entry<'_> {
    fn dtype(&self) -> io::Result<Dtype> {
        match self.numbers.dtype() {
            DType::F32 => Ok(Dtype::F32),
            DType::U8 => Ok(Dtype::U8),
            other => Err(io::Error::other(format!(
                "tensor {} has type {other:?}, F32 and U8 are written",
                self.name
            ))),
        }
    }

    fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let in_ram = self.numbers.to_device(&Device::Cpu);
        let numbers = in_ram
            .and_then(|numbers| numbers.contiguous())
            .map_err(io::Error::other)?;
        match numbers.dtype() {
            DType::U8 => to.write_all(&cpu::read::<u8>(&numbers).map_err(io::Error::other)?),
            _ => write_floats(&cpu::read::<f32>(&numbers).map_err(io::Error::other)?, to),
        }
    }
}

fn write_floats(floats: &[f32], to: &mut impl Write) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(floats.len().min(PIECE) * size_of::<f32>());
    for piece in floats.chunks(PIECE) {
        bytes.clear();
        bytes.extend(piece.iter().flat_map(|number| number.to_le_bytes()));
        to.write_all(&bytes)?;
    }
    Ok(())
}

/// The tensors of `parameters` as entries.
pub fn entries(parameters: &Parameters) -> Vec<Entry<'_>> {
    let entry = |(name, numbers): (&str, _)| Entry {
        name: name.to_owned(),
        numbers,
    };
    parameters.iter().map(entry).collect()
}

/// Writes a whole file; the same entries give the same bytes.
///
/// # Errors
/// When `to` refuses, a tensor is of another type, or a card does not give its numbers.
pub fn write(
    entries: Vec<Entry<'_>>,
    metadata: Option<HashMap<String, String>>,
    to: &mut impl Write,
) -> io::Result<()> {
    // The crate's order: wide types first, so that all numbers are aligned; then by name.
    let types = entries.iter().map(Entry::dtype);
    let types = types.collect::<io::Result<Vec<_>>>()?;
    let mut entries: Vec<_> = types.into_iter().zip(entries).collect();
    entries.sort_by(|(a_type, a), (b_type, b)| {
        let types = b_type.cmp(a_type);
        types.then_with(|| a.name.cmp(&b.name))
    });
    let mut end = 0;
    let infos = entries.iter().map(|(dtype, entry)| {
        let start = end;
        end += entry.numbers.elem_count() * dtype.bitsize() / 8;
        let info = TensorInfo {
            dtype: *dtype,
            shape: entry.numbers.dims().to_vec(),
            data_offsets: (start, end),
        };
        (entry.name.clone(), info)
    });
    let header = Metadata::new(metadata, infos.collect()).map_err(io::Error::other)?;
    let mut header = serde_json::to_vec(&header).map_err(io::Error::other)?;
    header.resize(header.len().next_multiple_of(8), b' ');
    to.write_all(&(header.len() as u64).to_le_bytes())?;
    to.write_all(&header)?;
    entries.iter().try_for_each(|(_, entry)| entry.write(to))
}

/// A tensor from a file.
///
/// # Errors
/// When it is not of type f32; says so.
pub fn read_f32(name: &str, view: &safetensors::tensor::TensorView<'_>) -> Result<Tensor, String> {
    if view.dtype() != Dtype::F32 {
        return Err(format!(
            "tensor {name} has type {:?}, expected F32",
            view.dtype()
        ));
    }
    Tensor::from_raw_buffer(view.data(), DType::F32, view.shape(), &Device::Cpu)
        .map_err(|error| format!("tensor {name}: {error}"))
}

/// Named f32 tensors from the bytes of a safetensors file.
///
/// # Errors
/// When the file is damaged or a tensor is not f32; says which.
pub fn read(bytes: &[u8]) -> Result<Parameters, String> {
    let mut tensors = BTreeMap::new();
    for (name, view) in parse(bytes)?.iter() {
        tensors.insert(name.to_owned(), read_f32(name, &view)?);
    }
    Ok(Parameters::new(tensors))
}

/// What is in the bytes of a safetensors file.
///
/// # Errors
/// When the file is damaged.
pub fn parse(bytes: &[u8]) -> Result<safetensors::SafeTensors<'_>, String> {
    safetensors::SafeTensors::deserialize(bytes)
        .map_err(|error| format!("not a complete safetensors file ({error})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(values: usize) -> Tensor {
        Tensor::arange(0f32, values as f32, &Device::Cpu).unwrap()
    }

    #[test]
    fn the_bytes_are_those_of_the_safetensors_crate() {
        let tensors = BTreeMap::from([
            (
                "b.weight".to_owned(),
                tensor(3 * PIECE).reshape((3, PIECE)).unwrap(),
            ),
            (
                "a.weight".to_owned(),
                tensor(PIECE + 15).reshape((1, PIECE + 15)).unwrap(),
            ),
            (
                "transposed".to_owned(),
                tensor(6).reshape((2, 3)).unwrap().t().unwrap(),
            ),
            ("empty".to_owned(), tensor(0)),
        ]);
        let parameters = Parameters::new(tensors);
        let codes = Tensor::new(&[3_u8, 1, 200], &Device::Cpu).unwrap();
        let scales = Tensor::new(&[0.5_f32, -1.0], &Device::Cpu).unwrap();
        let mut ours = entries(&parameters);
        ours.push(Entry {
            name: "codes".to_owned(),
            numbers: &codes,
        });
        ours.push(Entry {
            name: "scales".to_owned(),
            numbers: &scales,
        });
        let mut theirs: Vec<(&str, &Tensor)> = parameters.iter().collect();
        theirs.extend([("codes", &codes), ("scales", &scales)]);
        for metadata in [
            None,
            Some(HashMap::from([("format".to_owned(), "pt".to_owned())])),
        ] {
            let mut bytes = Vec::new();
            write(ours.clone(), metadata.clone(), &mut bytes).unwrap();
            assert_eq!(
                bytes,
                safetensors::serialize(theirs.clone(), metadata).unwrap()
            );
        }
    }

    #[test]
    fn other_types_are_refused() {
        let doubles = tensor(2).to_dtype(DType::F64).unwrap();
        let parameters = Parameters::new(BTreeMap::from([("p".to_owned(), doubles)]));
        let error = write(entries(&parameters), None, &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("F64"), "{error}");
        let bytes = safetensors::serialize(parameters.iter(), None).unwrap();
        let error = read(&bytes).unwrap_err();
        assert_eq!(error, "tensor p has type F64, expected F32");
    }
}
