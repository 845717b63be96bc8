use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Result, Tensor, bail};
use half::f16;

use crate::card_check::{Case, Compared, Place, Random};
use crate::ops::cuda::frozen_matrix as card;
use crate::ops::frozen_matrix::FrozenMatrix;
use crate::ops::ggml_blocks::{GgmlBlocks, KINDS};
use crate::ops::nf4::{DoubleQuantization, Nf4};

// Rows of 75 numbers begin inside blocks and bytes of NF4; 10,240 numbers are more than one block of
// threads makes.
pub(super) const CASES: &[Case] = &[
    Case {
        name: "frozen matrix of floats",
        run: |place| dense(place, 40, 256),
    },
    Case {
        name: "frozen matrix of floats, odd rows",
        run: |place| dense(place, 120, 75),
    },
    Case {
        name: "frozen matrix of floats, long rows",
        run: |place| dense(place, 6, 8208),
    },
    Case {
        name: "frozen matrix in NF4",
        run: |place| nf4(place, 40, 256),
    },
    Case {
        name: "frozen matrix in NF4, odd rows",
        run: |place| nf4(place, 121, 75),
    },
    Case {
        name: "frozen matrix in a GGUF file's blocks",
        run: blocks,
    },
];

fn dense(place: &Place, rows: usize, columns: usize) -> Result<Vec<Compared>> {
    let weight = Random::new(2).tensor((rows, columns), 3.0)?;
    let mut results = Vec::new();
    for stored in [DType::F32, DType::BF16, DType::F16] {
        let matrix = FrozenMatrix::dense(&weight.to_dtype(stored)?)?;
        results.extend(compare(place, &matrix)?);
    }
    Ok(results)
}

fn nf4(place: &Place, rows: usize, columns: usize) -> Result<Vec<Compared>> {
    let values = Random::new(3).tensor(rows * columns, 3.0)?;
    let values = values.to_vec1::<f32>()?;
    let mut results = Vec::new();
    for double in [DoubleQuantization::Off, DoubleQuantization::On] {
        let read =
            |range: std::ops::Range<usize>, out: &mut [f32]| out.copy_from_slice(&values[range]);
        let weight = Nf4::quantize(values.len(), read, double).map_err(candle_core::Error::wrap)?;
        let matrix = FrozenMatrix::nf4(weight, rows, columns)?;
        let compared = compare(place, &matrix)?;
        results.extend(compared.into_iter().map(|result| Compared {
            what: format!("{}, double quantization {double:?}", result.what),
            ..result
        }));
    }
    Ok(results)
}

fn blocks(place: &Place) -> Result<Vec<Compared>> {
    let mut results = Vec::new();
    for kind in KINDS {
        let weight = Random::new(4).tensor((20, 512), 3.0)?;
        let bytes = QTensor::quantize(&weight, kind)?;
        results.extend(of_bytes(place, kind, &bytes.data()?)?);
    }
    // Nothing quantizes to this one: the scales are set by hand.
    let mut random = Random::new(5);
    let mut bytes: Vec<u8> = (0..20 * 16 * 36).map(|_| random.below(256) as u8).collect();
    for block in bytes.chunks_exact_mut(36) {
        let scale = f16::from_f32(random.below(1000) as f32 / 300.0);
        block[..2].copy_from_slice(&scale.to_le_bytes());
    }
    results.extend(of_bytes(place, GgmlDType::Q8_1, &bytes)?);
    Ok(results)
}

fn of_bytes(place: &Place, kind: GgmlDType, bytes: &[u8]) -> Result<Vec<Compared>> {
    let rows = bytes.chunks_exact(bytes.len() / 20);
    let matrix = FrozenMatrix::blocks(GgmlBlocks::new(kind, 512, rows)?, 20, 512);
    compare(place, &matrix)
}

/// Every way to read rows. What is read was stored, so card and CPU agree to the last bit.
fn compare(place: &Place, matrix: &FrozenMatrix) -> Result<Vec<Compared>> {
    let moved = matrix.to_device(&place.device)?;
    if moved.stored_bytes() != matrix.stored_bytes() {
        bail!("{moved:?} has other bytes than {matrix:?}");
    }
    let (rows, dtype) = (matrix.rows(), place.dtype);
    let expected = place.rounded(&matrix.to_f32()?)?;
    let same = |what: &str, card: &Tensor, cpu: &Tensor| {
        let what = format!("{matrix:?} {what}");
        Ok::<_, candle_core::Error>(place.compare(&what, card, cpu, 0.0)?.exactly())
    };
    let indices = [rows as u32 - 1, 0, 3, 3];
    let view = moved.view(1..rows - 1)?;
    let mut tiles = Vec::new();
    card::for_tiles_of(&view, dtype, 7, |first, count, tile| {
        if tile.dims() != [count, matrix.columns()] || first > rows {
            bail!("a tile {tile:?} of {count} rows from {first} on");
        }
        // a copy: the next tile takes its place
        tiles.push(tile.to_device(&candle_core::Device::Cpu)?);
        Ok(())
    })?;
    Ok(vec![
        same("whole", &card::widened(&moved, 0..rows, dtype)?, &expected)?,
        same(
            "some rows of a view",
            &card::widened(&view, 1..4, dtype)?,
            &expected.narrow(0, 2, 3)?,
        )?,
        same(
            "tiles",
            &Tensor::cat(&tiles, 0)?,
            &expected.narrow(0, 1, rows - 2)?,
        )?,
        same(
            "gathered",
            &moved.gather(&indices, dtype)?,
            &place.rounded(&matrix.gather(&indices, DType::F32)?)?,
        )?,
    ])
}
