//! `mov` in all its forms, and addresses from one space to another.

use super::opcode::{self, Opcode};
use super::program::PureAction;
use super::{Compiler, unknown};
use crate::execute::memory::{LOCAL_WINDOW, PARAMETER_WINDOW, SHARED_WINDOW};
use crate::execute::registers::{LANES, Lane, Registers, Slot};
use crate::ptx::types::{Operand, Space, Type, Width};
use std::time::Instant;

/// A slot with the width it is read or written in.
type Sized = (Slot, Width);

impl Compiler<'_> {
    pub(super) fn moves(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
    ) -> Result<PureAction, String> {
        match opcode.name {
            "cvta" => return self.address(opcode, operands),
            "isspacep" => return self.in_space(opcode, operands),
            _ => {}
        }
        let kind = opcode.kind()?;
        let [into, from] = operands else {
            return unknown();
        };
        match (into, from) {
            (_, Operand::Vector(parts)) => self.pack(into, parts, kind),
            (Operand::Vector(parts), _) => self.unpack(parts, from, kind),
            (_, Operand::Special(name)) if opcode::special(name).is_none() => {
                self.clock(into, name, kind)
            }
            (_, Operand::Special(_)) if kind.bytes() == 8 => {
                let (into, from) = (self.write_as::<u64>(into)?, self.read_as::<u32>(from)?);
                Ok(Box::new(move |registers: &mut Registers, mask| {
                    let values = u32::load(registers, from).map(u64::from);
                    u64::store(registers, into, mask, &values);
                }))
            }
            _ if kind == Type::Pred => {
                let (into, from) = (self.write_predicate(into)?, self.predicate(from)?);
                Ok(Box::new(move |registers: &mut Registers, mask| {
                    let bits = registers.predicate(from);
                    registers.set_predicate(into, mask, bits);
                }))
            }
            _ if kind.bytes() == 8 => self.map1(operands, |a: u64| a),
            _ if kind.bytes() == 2 => self.map1(operands, |a: u16| a),
            _ => self.map1(operands, |a: u32| a),
        }
    }

    fn clock(&mut self, into: &Operand, name: &str, kind: Type) -> Result<PureAction, String> {
        if !matches!(
            name,
            "%clock" | "%clock64" | "%clock_hi" | "%globaltimer" | "%globaltimer_lo"
        ) {
            return Err(format!("the special register {name} is not known"));
        }
        let start = Instant::now();
        if kind.bytes() == 8 {
            let into = self.write_as::<u64>(into)?;
            return Ok(Box::new(move |registers: &mut Registers, mask| {
                let now = start.elapsed().as_nanos() as u64;
                u64::store(registers, into, mask, &[now; LANES]);
            }));
        }
        let into = self.write_as::<u32>(into)?;
        Ok(Box::new(move |registers: &mut Registers, mask| {
            let now = start.elapsed().as_nanos() as u32;
            u32::store(registers, into, mask, &[now; LANES]);
        }))
    }

    fn part_width(kind: Type, parts: usize) -> Result<Width, String> {
        match kind.bytes() / parts {
            4 => Ok(Width::Bits32),
            2 => Ok(Width::Bits16),
            _ => unknown(),
        }
    }

    fn pack(
        &mut self,
        into: &Operand,
        parts: &[Operand],
        kind: Type,
    ) -> Result<PureAction, String> {
        let width = Self::part_width(kind, parts.len())?;
        let bits = if width == Width::Bits32 { 32 } else { 16 };
        let parts = parts
            .iter()
            .map(|part| self.read_as::<u32>(part))
            .collect::<Result<Vec<_>, _>>()?;
        let is_wide = kind.bytes() == 8;
        let into = self.write(into, is_wide)?;
        Ok(Box::new(move |registers: &mut Registers, mask| {
            let mut values = [0_u64; LANES];
            for (at, &part) in parts.iter().enumerate() {
                let part = u32::load(registers, part);
                for lane in 0..LANES {
                    let value = u64::from(part[lane]) & ((1 << bits) - 1);
                    values[lane] |= value << (at * bits);
                }
            }
            store_integer(
                registers,
                (
                    into,
                    if is_wide {
                        Width::Bits64
                    } else {
                        Width::Bits32
                    },
                ),
                mask,
                &values,
            );
        }))
    }

    fn unpack(
        &mut self,
        parts: &[Operand],
        from: &Operand,
        kind: Type,
    ) -> Result<PureAction, String> {
        let width = Self::part_width(kind, parts.len())?;
        let bits = if width == Width::Bits32 { 32 } else { 16 };
        let is_wide = kind.bytes() == 8;
        let from = self.read(from, is_wide)?;
        let parts = parts
            .iter()
            .map(|part| self.write_as::<u32>(part))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Box::new(move |registers: &mut Registers, mask| {
            let values = if is_wide {
                u64::load(registers, from)
            } else {
                u32::load(registers, from).map(u64::from)
            };
            for (at, &part) in parts.iter().enumerate() {
                let values =
                    values.map(|value| (value >> (at * bits)) as u32 & (u32::MAX >> (32 - bits)));
                u32::store(registers, part, mask, &values);
            }
        }))
    }

    fn address(&mut self, opcode: &Opcode<'_>, operands: &[Operand]) -> Result<PureAction, String> {
        // Addresses in parameters of device functions lie in local memory.
        let space = match (opcode.space(), operands) {
            (Space::Parameter, [_, Operand::Name(name, _)]) => self
                .place_of(name)
                .map_or(Space::Parameter, |place| place.space),
            (space, _) => space,
        };
        let window = match space {
            Space::Shared => SHARED_WINDOW,
            Space::Local => LOCAL_WINDOW,
            Space::Parameter => PARAMETER_WINDOW,
            _ => 0,
        };
        let to = opcode.has("to");
        self.map1(operands, move |a: u64| {
            if to {
                a.wrapping_sub(window)
            } else {
                a.wrapping_add(window)
            }
        })
    }

    fn in_space(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
    ) -> Result<PureAction, String> {
        let [into, address] = operands else {
            return unknown();
        };
        let (into, address) = (self.write_predicate(into)?, self.read_as::<u64>(address)?);
        let space = opcode.space();
        Ok(Box::new(move |registers: &mut Registers, mask| {
            let addresses = u64::load(registers, address);
            let mut bits = 0;
            for (lane, address) in addresses.iter().enumerate() {
                let found = match address >> 56 << 56 {
                    SHARED_WINDOW => Space::Shared,
                    LOCAL_WINDOW => Space::Local,
                    PARAMETER_WINDOW => Space::Parameter,
                    _ => Space::Global,
                };
                bits |= u32::from(found == space) << lane;
            }
            registers.set_predicate(into, mask, bits);
        }))
    }

    /// A register that any whole number goes into, cut to its width.
    pub(super) fn integer_target(&mut self, operand: &Operand) -> Result<Sized, String> {
        match self.width_of(operand) {
            Some(Width::Bits64) => Ok((self.write(operand, true)?, Width::Bits64)),
            Some(width) => Ok((self.write(operand, false)?, width)),
            None => Ok((self.write(operand, true)?, Width::Bits64)),
        }
    }
}

/// Stores whole numbers into a register of any width.
pub(super) fn store_integer(
    registers: &mut Registers,
    (slot, width): Sized,
    mask: u32,
    values: &[u64; LANES],
) {
    match width {
        Width::Bits64 => u64::store(registers, slot, mask, values),
        Width::Bits16 => u16::store(registers, slot, mask, &values.map(|value| value as u16)),
        _ => u32::store(registers, slot, mask, &values.map(|value| value as u32)),
    }
}
