//! An opcode taken apart: its name, its types, its other modifiers; and the special registers.

use super::program::Special;
use crate::ptx::types::{Space, Type};

/// How a result is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// To the nearest, ties to even.
    Nearest,
    /// Towards zero.
    Zero,
    /// Towards minus infinity.
    Down,
    /// Towards plus infinity.
    Up,
}

/// An opcode taken apart.
pub struct Opcode<'o> {
    /// What stands before the first dot.
    pub name: &'o str,
    /// Everything behind it.
    pub modifiers: Vec<&'o str>,
    /// The types among it, in order.
    pub types: Vec<Type>,
}

impl<'o> Opcode<'o> {
    /// Takes an opcode apart.
    pub fn new(text: &'o str) -> Self {
        let mut parts = text.split('.');
        let name = parts.next().unwrap_or_default();
        let modifiers: Vec<&str> = parts.collect();
        let types = modifiers
            .iter()
            .filter_map(|part| Type::named(part))
            .collect();
        Self {
            name,
            modifiers,
            types,
        }
    }

    /// Whether a modifier is there.
    pub fn has(&self, modifier: &str) -> bool {
        self.modifiers.contains(&modifier)
    }

    /// The last type.
    pub fn kind(&self) -> Result<Type, String> {
        self.types
            .last()
            .copied()
            .ok_or_else(|| "a type is missing".to_owned())
    }

    /// How it rounds a floating-point result.
    pub fn rounding(&self) -> Rounding {
        if self.has("rz") {
            Rounding::Zero
        } else if self.has("rm") {
            Rounding::Down
        } else if self.has("rp") {
            Rounding::Up
        } else {
            Rounding::Nearest
        }
    }

    /// The state space it works in.
    pub fn space(&self) -> Space {
        self.modifiers
            .iter()
            .find_map(|part| Space::named(part))
            .unwrap_or(Space::Generic)
    }

    /// How many values a vector has.
    pub fn count(&self) -> usize {
        if self.has("v2") {
            2
        } else if self.has("v4") {
            4
        } else {
            1
        }
    }
}

/// The special register of a name.
pub fn special(name: &str) -> Option<Special> {
    let (base, axis) = match name.rsplit_once('.') {
        Some((base, "x")) => (base, 0),
        Some((base, "y")) => (base, 1),
        Some((base, "z")) => (base, 2),
        _ => (name, 0),
    };
    Some(match base {
        "%tid" => Special::Thread(axis),
        "%ntid" => Special::Threads(axis),
        "%ctaid" => Special::Block(axis),
        "%nctaid" => Special::Blocks(axis),
        "%laneid" => Special::Lane,
        "%warpid" => Special::Warp,
        "%nwarpid" => Special::Warps,
        "%smid" => Special::Processor,
        "%gridid" => Special::Zero,
        "%lanemask_eq" => Special::Equal,
        "%lanemask_lt" => Special::Below,
        "%lanemask_le" => Special::UpTo,
        "%lanemask_gt" => Special::Above,
        "%lanemask_ge" => Special::From,
        "%dynamic_smem_size" => Special::DynamicShared,
        "%total_smem_size" => Special::AllShared,
        _ => return None,
    })
}
