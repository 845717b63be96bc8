//! Ladder side-tuning: one small causal network beside the frozen backbone, in two wirings (`ladder`
//! and `xladder`). Defined in docs/method.md; from "Ladder Up, Memory Down" (arXiv 2512.14237).

pub mod initialization;
pub mod ladder_connection;
pub mod side_block;
pub mod side_network;
pub mod training_pass;
pub mod wiring;

pub use side_network::SideNetwork;
pub use wiring::Wiring;
