//! Differentiable kernels: each file holds one operation, its forward and its hand-written
//! backward, as plain functions on tensors. There is no tape: callers keep what a backward needs
//! and drop it when it has run, so peak memory is what the caller wrote down.
//!
//! Activations are token-major: `[tokens, features]`, where `tokens = batch * seq`. Every function
//! is generic over f32 and f64; f64 exists for finite-difference tests.

pub mod adamw;
pub mod attention;
pub mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
pub mod dynamic_map;
pub mod elementwise;
pub mod frozen_linear;
pub mod frozen_matrix;
pub mod geglu;
pub mod ggml_blocks;
pub mod linear;
pub mod linear_cross_entropy;
pub mod nf4;
pub mod rms_norm;
pub mod rope;
pub mod swiglu;
pub mod token_tiles;

/// Returns what the operation's twin on the card makes, if the tensor lies on one.
macro_rules! on_card {
    ($tensor:expr, $operation:expr) => {
        #[cfg(feature = "cuda")]
        if $tensor.device().is_cuda() {
            return $operation;
        }
    };
}
pub(crate) use on_card;
