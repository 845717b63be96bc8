//! How fast a frozen linear map is in each form its weight may have, beside dense f32, in one run:
//! GFLOP/s forward and backward for a few numbers of tokens, the median of some repeats.
//!
//! ```text
//! cargo run --release -p stepladder-engine --example bench_frozen_linear -- [OUTPUTS INPUTS]
//! ```

#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use std::time::Instant;

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Device, Result, Tensor};
use stepladder_engine::ops::frozen_linear::FrozenLinear;
use stepladder_engine::ops::frozen_matrix::FrozenMatrix;
use stepladder_engine::ops::ggml_blocks::GgmlBlocks;
use stepladder_engine::ops::nf4::{DoubleQuantization, Nf4};

const TOKENS: [usize; 3] = [1, 64, 1024];

fn main() -> Result<()> {
    let sizes: Vec<usize> = std::env::args()
        .skip(1)
        .filter_map(|word| word.parse().ok())
        .collect();
    let (outputs, inputs) = match *sizes.as_slice() {
        [outputs, inputs] => (outputs, inputs),
        _ => (4864, 1024),
    };
    let weight = Tensor::randn(0f32, 0.02, (outputs, inputs), &Device::Cpu)?;
    let forms = [
        ("F32", FrozenMatrix::dense(&weight)?),
        ("BF16", FrozenMatrix::dense(&weight.to_dtype(DType::BF16)?)?),
        ("F16", FrozenMatrix::dense(&weight.to_dtype(DType::F16)?)?),
        ("NF4", nf4(&weight, DoubleQuantization::Off)?),
        ("NF4, double", nf4(&weight, DoubleQuantization::On)?),
        ("Q8_0", blocks(&weight, GgmlDType::Q8_0)?),
        ("Q4_0", blocks(&weight, GgmlDType::Q4_0)?),
        ("Q4_K", blocks(&weight, GgmlDType::Q4K)?),
        ("Q6_K", blocks(&weight, GgmlDType::Q6K)?),
    ];
    println!("[{outputs}, {inputs}]; GFLOP/s forward / backward (as a part of F32's)");
    let mut dense = Vec::new();
    for (name, matrix) in forms {
        let linear = FrozenLinear::new(matrix, None)?;
        let mut line = format!("{name:12}");
        for (index, tokens) in TOKENS.into_iter().enumerate() {
            let x = Tensor::randn(0f32, 1.0, (tokens, inputs), &Device::Cpu)?;
            let grad = Tensor::randn(0f32, 1.0, (tokens, outputs), &Device::Cpu)?;
            let work = 2e-9 * (tokens * outputs * inputs) as f64;
            let forward = work / median_secs(|| linear.forward(&x).map(drop))?;
            let backward = work / median_secs(|| linear.backward_input(&grad).map(drop))?;
            if name == "F32" {
                dense.push((forward, backward));
            }
            let (full_forward, full_backward) = dense[index];
            line.push_str(&format!(
                "  {tokens:4}: {forward:6.1} ({:.2}) / {backward:6.1} ({:.2})",
                forward / full_forward,
                backward / full_backward
            ));
        }
        println!("{line}");
    }
    Ok(())
}

fn nf4(weight: &Tensor, double: DoubleQuantization) -> Result<FrozenMatrix> {
    let (rows, columns) = weight.dims2()?;
    let values = weight.flatten_all()?.to_vec1::<f32>()?;
    let read = |range: std::ops::Range<usize>, out: &mut [f32]| out.copy_from_slice(&values[range]);
    let weight = Nf4::quantize(rows * columns, read, double).map_err(candle_core::Error::wrap)?;
    FrozenMatrix::nf4(weight, rows, columns)
}

fn blocks(weight: &Tensor, kind: GgmlDType) -> Result<FrozenMatrix> {
    let (rows, columns) = weight.dims2()?;
    let quantized = QTensor::quantize(weight, kind)?;
    let bytes = quantized.data()?;
    let rows_of_bytes = bytes.chunks_exact(bytes.len() / rows);
    let blocks = GgmlBlocks::new(kind, columns, rows_of_bytes)?;
    Ok(FrozenMatrix::blocks(blocks, rows, columns))
}

fn median_secs(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    work()?;
    let mut times = Vec::new();
    for _ in 0..7 {
        let start = Instant::now();
        work()?;
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}
