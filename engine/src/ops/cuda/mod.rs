//! The operations on an NVIDIA card: each file launches the kernels of one operation, whose source is
//! in `kernels/` and whose PTX, made from it by `installers/cuda/kernels`, is in `ptx/`. A function here
//! has the name and arguments of its twin on the CPU, which calls it for tensors that lie on a card.
//!
//! Activations are f32 (for comparison with the CPU), bf16, or f16 where a card has no bf16; trained
//! parameters, their gradients and moments, norms and biases are f32. Kernels read any of these types,
//! compute in f32 and round once, when they write. Sums are made in a fixed order: no atomics.
//!
//! Everything runs in order on the device's one stream, so memory that is given back while a kernel is
//! still to run is used by later ones alone.

mod gated;
mod launch;

pub mod adamw;
pub mod attention;
pub mod bias;
pub mod elementwise;
pub mod frozen_linear;
pub mod frozen_matrix;
pub mod geglu;
pub mod linear;
pub mod linear_cross_entropy;
pub mod matmul;
pub mod opened;
pub mod pool;
pub mod rms_norm;
pub mod rope;
pub mod swiglu;

pub use launch::{
    Argument, Grid, Kernel, Kernels, address, capability, device_of, fresh, fresh_of, kernel,
    last_refused_bytes, memory, name, same_kind, same_shape, type_name, zeros,
};
