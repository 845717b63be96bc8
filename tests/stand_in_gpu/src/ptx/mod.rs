//! The text of a PTX module and what it says: tokens, declarations, instructions with their operands
//! resolved to registers and names. Knows no semantics of instructions.

pub mod lexer;
pub mod parser;
pub mod types;
