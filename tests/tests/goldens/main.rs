//! Our numbers beside PyTorch's: operations, backbones and side networks against goldens that
//! `tests/witness` made.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "tests fail by panicking"
)]

mod adamw8;
mod agreement;
mod backbones;
mod batched;
mod bitsandbytes;
mod comparison;
mod finite_differences;
mod four_bit_heads;
mod generation;
mod gguf;
mod gguf_tokenizers;
mod ladders;
mod lora;
mod nf4;
mod ops;
mod optimizer;
mod packing;
mod second_witness;
mod templates;
mod tiles;
mod tokenizer;
