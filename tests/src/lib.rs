//! What the whole-program tests share: where fixtures lie, and how tensors are compared with
//! goldens.

pub mod builtin_gguf;
pub mod nf4;

use std::collections::HashMap;
use std::path::PathBuf;

use candle_core::{DType, Device, Tensor};

/// The project's root folder.
pub fn root() -> PathBuf {
    let mut path = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    path.pop();
    path
}

/// A file or folder of `tests/goldens`.
pub fn golden_path(name: &str) -> PathBuf {
    root().join("tests/goldens").join(name)
}

/// The tensors of a golden safetensors file.
///
/// # Panics
/// When the file is not there: it is committed.
pub fn golden(name: &str) -> HashMap<String, Tensor> {
    let path = golden_path(name);
    match candle_core::safetensors::load(&path, &Device::Cpu) {
        Ok(tensors) => tensors,
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

/// All numbers of a tensor, as f64.
///
/// # Panics
/// When the tensor cannot be read.
pub fn numbers(tensor: &Tensor) -> Vec<f64> {
    let read = || tensor.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>();
    match read() {
        Ok(numbers) => numbers,
        Err(error) => panic!("{error}"),
    }
}

/// `max|a - b| / max(1, max|b|)`.
///
/// # Panics
/// When the two have different lengths.
pub fn difference(ours: &Tensor, golden: &Tensor) -> f64 {
    let (a, b) = (numbers(ours), numbers(golden));
    assert_eq!(
        a.len(),
        b.len(),
        "shapes {:?} and {:?}",
        ours.shape(),
        golden.shape()
    );
    let worst = a
        .iter()
        .zip(&b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f64::max);
    let size = b.iter().map(|b| b.abs()).fold(1.0, f64::max);
    if a.iter().any(|a| !a.is_finite()) {
        f64::INFINITY
    } else {
        worst / size
    }
}

/// Fails, naming the tensor, the first five pairs and the largest difference.
///
/// # Panics
/// When the difference exceeds `tolerance * max(1, max|golden|)`.
pub fn assert_close(name: &str, ours: &Tensor, golden: &Tensor, tolerance: f64) {
    let difference = difference(ours, golden);
    if difference <= tolerance {
        return;
    }
    let pairs: Vec<String> = numbers(ours)
        .iter()
        .zip(numbers(golden))
        .take(5)
        .map(|(a, b)| format!("{a:.6} / {b:.6}"))
        .collect();
    panic!(
        "{name}: differs by {difference:.2e} (tolerance {tolerance:e}); {}",
        pairs.join(", ")
    );
}

/// An integer tensor as token ids or positions.
///
/// # Panics
/// When a number is negative.
pub fn unsigned(tensor: &Tensor) -> Vec<u32> {
    numbers(tensor)
        .into_iter()
        .map(|value| {
            assert!(value >= 0.0, "negative index {value}");
            value as u32
        })
        .collect()
}

/// Positions `0..seq` for each of `batch` rows.
pub fn positions(batch: usize, seq: usize) -> Vec<u32> {
    (0..batch).flat_map(|_| 0..seq as u32).collect()
}
