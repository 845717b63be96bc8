//! How fast NF4 weights are made and unpacked: a 4096 x 4096 matrix at one and two threads.
//! `cargo run --release -p stepladder-engine --example bench_nf4`

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::hint::black_box;
use std::time::Instant;

use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;
use stepladder_engine::ops::nf4::{DoubleQuantization, Nf4};

const WIDTH: usize = 4096;
const ELEMENTS: usize = WIDTH * WIDTH;
const REPEATS: usize = 9;

/// Rows that a thread unpacks at a time: 64 KiB, as a matrix product would.
const TILE_ROWS: usize = 4;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let weight: Vec<half::bf16> = (0..ELEMENTS as u32)
        .map(|index| {
            let hash = index.wrapping_mul(0x9e37_79b1);
            let sum = (hash & 0xffff) + (hash >> 16) + (hash.rotate_left(8) & 0xffff);
            half::bf16::from_f32((sum as f32 - 98_304.0) / 2_000_000.0)
        })
        .collect();
    let read =
        |range: std::ops::Range<usize>, to: &mut [f32]| weight[range].convert_to_f32_slice(to);
    println!("threads  scales  quantize s  dequantize GB/s of f32: to memory / in cache");
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()?;
        for double_quantization in [DoubleQuantization::Off, DoubleQuantization::On] {
            let nf4 = Nf4::quantize(ELEMENTS, read, double_quantization)?;
            let quantize = fastest(|| {
                pool.install(|| {
                    black_box(Nf4::quantize(ELEMENTS, read, double_quantization).is_ok())
                });
            });
            let mut whole = vec![0_f32; ELEMENTS];
            let memory = fastest(|| {
                pool.install(|| {
                    whole
                        .par_chunks_mut(TILE_ROWS * WIDTH)
                        .enumerate()
                        .for_each(|(tile, out)| {
                            let start = tile * TILE_ROWS * WIDTH;
                            nf4.dequantize(start..start + out.len(), out);
                        });
                });
            });
            let cache = fastest(|| {
                pool.install(|| {
                    (0..WIDTH / TILE_ROWS).into_par_iter().for_each_init(
                        || vec![0_f32; TILE_ROWS * WIDTH],
                        |out, tile| {
                            let start = tile * TILE_ROWS * WIDTH;
                            nf4.dequantize(start..start + out.len(), out);
                            black_box(&mut *out);
                        },
                    );
                });
            });
            let rate = |seconds: f64| (4 * ELEMENTS) as f64 / seconds / 1e9;
            println!(
                "{threads:7}  {:6}  {quantize:10.3}  {:.1} / {:.1}",
                match double_quantization {
                    DoubleQuantization::Off => "f32",
                    DoubleQuantization::On => "8-bit",
                },
                rate(memory),
                rate(cache),
            );
        }
    }
    Ok(())
}

/// Seconds of the fastest of several runs: the machine may be shared.
fn fastest(mut work: impl FnMut()) -> f64 {
    (0..REPEATS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min)
}
