//! What is trained: small networks beside or inside a frozen backbone.

pub mod adapter_folder;
pub mod kept;
pub mod ladder;
pub mod lora;
pub mod network;
pub mod parameters;
pub mod targets;
pub mod tensor_file;
