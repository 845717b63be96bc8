//! `atom` and `red`: a value in memory is changed at once, whoever else changes it.

use super::memory::Address;
use super::opcode::Opcode;
use super::program::MemoryAction;
use super::{Compiler, unknown};
use crate::execute::memory::update;
use crate::execute::registers::{LANES, Lane, Registers, Slot, lanes};
use crate::ptx::types::{Operand, Type, Width};
use half::{bf16, f16};

/// The new value, from the old one and one or two others.
type Change = fn(u64, u64, u64) -> u64;

const OPERATIONS: [&str; 10] = [
    "add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec",
];

fn change(operation: &str, kind: Type) -> Option<Change> {
    fn single(bits: u64) -> f32 {
        f32::from_bits(bits as u32)
    }
    fn half(bits: u64) -> f32 {
        f16::from_bits(bits as u16).to_f32()
    }
    fn brain(bits: u64) -> f32 {
        bf16::from_bits(bits as u16).to_f32()
    }
    fn half_sum(a: u64, b: u64) -> u64 {
        u64::from(f16::from_f32(half(a) + half(b)).to_bits())
    }
    fn brain_sum(a: u64, b: u64) -> u64 {
        u64::from(bf16::from_f32(brain(a) + brain(b)).to_bits())
    }
    Some(match (operation, kind) {
        ("exch", _) => |_, b, _| b,
        ("cas", Type::B16 | Type::U16) => |old, b, c| if old == b & 0xFFFF { c } else { old },
        ("cas", _) if kind.bytes() == 4 => |old, b, c| if old as u32 == b as u32 { c } else { old },
        ("cas", _) => |old, b, c| if old == b { c } else { old },
        ("and", _) => |old, b, _| old & b,
        ("or", _) => |old, b, _| old | b,
        ("xor", _) => |old, b, _| old ^ b,
        ("add", Type::U32 | Type::S32 | Type::U64 | Type::S64) => |old, b, _| old.wrapping_add(b),
        ("add", Type::F32) => |old, b, _| u64::from((single(old) + single(b)).to_bits()),
        ("add", Type::F64) => |old, b, _| (f64::from_bits(old) + f64::from_bits(b)).to_bits(),
        ("add", Type::F16) => |old, b, _| half_sum(old, b),
        ("add", Type::Bf16) => |old, b, _| brain_sum(old, b),
        ("add", Type::F16x2) => |old, b, _| half_sum(old, b) | half_sum(old >> 16, b >> 16) << 16,
        ("add", Type::Bf16x2) => {
            |old, b, _| brain_sum(old, b) | brain_sum(old >> 16, b >> 16) << 16
        }
        ("min", Type::U32) => |old, b, _| u64::from((old as u32).min(b as u32)),
        ("max", Type::U32) => |old, b, _| u64::from((old as u32).max(b as u32)),
        ("min", Type::S32) => |old, b, _| (old as i32).min(b as i32) as u64,
        ("max", Type::S32) => |old, b, _| (old as i32).max(b as i32) as u64,
        ("min", Type::U64) => |old, b, _| old.min(b),
        ("max", Type::U64) => |old, b, _| old.max(b),
        ("min", Type::S64) => |old, b, _| (old as i64).min(b as i64) as u64,
        ("max", Type::S64) => |old, b, _| (old as i64).max(b as i64) as u64,
        ("inc", Type::U32) => |old, b, _| if old as u32 >= b as u32 { 0 } else { old + 1 },
        ("dec", Type::U32) => |old, b, _| {
            if old as u32 == 0 || old as u32 > b as u32 {
                b
            } else {
                old - 1
            }
        },
        _ => return None,
    })
}

impl Compiler<'_> {
    pub(super) fn atomic(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
    ) -> Result<MemoryAction, String> {
        let kind = opcode.kind()?;
        let operation = opcode
            .modifiers
            .iter()
            .find(|part| OPERATIONS.contains(part));
        let operation = *operation.ok_or("the operation is missing")?;
        let Some(change) = change(operation, kind) else {
            return unknown();
        };
        if kind == Type::Bf16 || kind == Type::Bf16x2 {
            self.needs(90)?;
        }
        if opcode.count() != 1 {
            return unknown();
        }
        let is_wide = kind.bytes() == 8;
        let (into, operands) = match operands {
            [Operand::Discarded, rest @ ..] if opcode.name == "atom" => (None, rest),
            [into, rest @ ..] if opcode.name == "atom" => (Some(self.write(into, is_wide)?), rest),
            _ => (None, operands),
        };
        let (address, b, c) = match operands {
            [address, b] => (address, self.read(b, is_wide)?, None),
            [address, b, c] => (
                address,
                self.read(b, is_wide)?,
                Some(self.read(c, is_wide)?),
            ),
            _ => return unknown(),
        };
        let address: Address = self.address_of(address, opcode.space())?;
        let bytes = kind.bytes();
        let load = move |registers: &Registers, slot: Slot| {
            if is_wide {
                u64::load(registers, slot)
            } else {
                u32::load(registers, slot).map(u64::from)
            }
        };
        let width = match bytes {
            8 => Width::Bits64,
            4 => Width::Bits32,
            _ => Width::Bits16,
        };
        Ok(Box::new(move |warp, mask, site| {
            let addresses = address.load(&warp.registers);
            let b = load(&warp.registers, b);
            let c = c.map_or(b, |c| load(&warp.registers, c));
            let mut found = [0_u64; LANES];
            for lane in lanes(mask) {
                let place = addresses[lane];
                let pointer =
                    warp.memory
                        .resolve(address.space, lane, place, bytes as u64, site)?;
                // SAFETY: `resolve` has checked bounds and alignment.
                found[lane] =
                    unsafe { update(pointer, bytes, |old| change(old, b[lane], c[lane])) };
            }
            if let Some(into) = into {
                super::moves::store_integer(&mut warp.registers, (into, width), mask, &found);
            }
            Ok(())
        }))
    }
}
