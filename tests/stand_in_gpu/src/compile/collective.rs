//! What the threads of a warp do together: shuffles, votes, reductions, the warp's barrier.

use super::opcode::Opcode;
use super::program::{Action, Members, MemoryAction};
use super::{Compiler, unknown};
use crate::execute::registers::{LANES, Lane, lanes};
use crate::ptx::types::{Operand, Type};

impl Compiler<'_> {
    pub(super) fn members(&mut self, operand: &Operand) -> Result<Members, String> {
        Ok(match operand {
            &Operand::Integer(mask) => Members::All(mask as u32),
            other => Members::Each(self.read_as::<u32>(other)?),
        })
    }

    /// An instruction of all threads of a warp; nothing for another.
    pub(super) fn collective(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
    ) -> Result<Option<Action>, String> {
        let (members, carry_out): (Members, MemoryAction) = match opcode.name {
            "bar" | "barrier" if opcode.has("warp") => {
                let [members] = operands else {
                    return unknown();
                };
                (self.members(members)?, Box::new(|_, _, _| Ok(())))
            }
            "shfl" => self.shuffle(opcode, operands)?,
            "vote" => self.vote(opcode, operands)?,
            "match" => self.matches(opcode, operands)?,
            "redux" => self.reduce(opcode, operands)?,
            "mma" | "ldmatrix" | "movmatrix" => {
                (Members::All(u32::MAX), self.matrix(opcode, operands)?)
            }
            _ => return Ok(None),
        };
        Ok(Some(Action::Collective { members, carry_out }))
    }

    /// A thread that asks one that does not take part gets ones (a NaN), and so it shows.
    fn shuffle(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
    ) -> Result<(Members, MemoryAction), String> {
        let [into, value, by, clamp, members] = operands else {
            return unknown();
        };
        let (into, in_range) = match into {
            Operand::Pair(into, in_range) => (&**into, Some(self.write_predicate(in_range)?)),
            _ => (into, None),
        };
        let members = self.members(members)?;
        let into = self.write_as::<u32>(into)?;
        let value = self.read_as::<u32>(value)?;
        let (by, clamp) = (self.read_as::<u32>(by)?, self.read_as::<u32>(clamp)?);
        #[derive(Clone, Copy, PartialEq)]
        enum Mode {
            Up,
            Down,
            Butterfly,
            Index,
        }
        let mode = if opcode.has("up") {
            Mode::Up
        } else if opcode.has("down") {
            Mode::Down
        } else if opcode.has("bfly") {
            Mode::Butterfly
        } else if opcode.has("idx") {
            Mode::Index
        } else {
            return unknown();
        };
        let carry_out: MemoryAction = Box::new(move |warp, mask, _| {
            let registers = &mut warp.registers;
            let values = u32::load(registers, value);
            let (by, clamp) = (u32::load(registers, by), u32::load(registers, clamp));
            let (mut result, mut valid) = ([0_u32; LANES], 0);
            for lane in lanes(mask) {
                let (segments, clamp, by) =
                    (clamp[lane] >> 8 & 31, clamp[lane] & 31, by[lane] & 31);
                let own = lane as u32;
                let last = (own & segments) | (clamp & !segments);
                let first = own & segments;
                let (from, is_valid) = match mode {
                    Mode::Up => (own.wrapping_sub(by), own as i32 - by as i32 >= last as i32),
                    Mode::Down => (own + by, own + by <= last),
                    Mode::Butterfly => (own ^ by, own ^ by <= last),
                    Mode::Index => {
                        let from = first | (by & !segments);
                        (from, from <= last)
                    }
                };
                let from = if is_valid { from } else { own };
                valid |= u32::from(is_valid) << lane;
                result[lane] = if mask >> from & 1 == 1 {
                    values[from as usize]
                } else {
                    u32::MAX
                };
            }
            u32::store(registers, into, mask, &result);
            if let Some(in_range) = in_range {
                registers.set_predicate(in_range, mask, valid);
            }
            Ok(())
        });
        Ok((members, carry_out))
    }

    fn vote(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
    ) -> Result<(Members, MemoryAction), String> {
        let [into, input, members] = operands else {
            return unknown();
        };
        let members = self.members(members)?;
        let input = self.predicate(input)?;
        let carry_out: MemoryAction = if opcode.has("ballot") {
            let into = self.write_as::<u32>(into)?;
            Box::new(move |warp, mask, _| {
                let ballot = warp.registers.predicate(input) & mask;
                u32::store(&mut warp.registers, into, mask, &[ballot; LANES]);
                Ok(())
            })
        } else {
            let into = self.write_predicate(into)?;
            let holds: fn(u32, u32) -> bool = if opcode.has("all") {
                |bits, mask| bits == mask
            } else if opcode.has("any") {
                |bits, _| bits != 0
            } else if opcode.has("uni") {
                |bits, mask| bits == 0 || bits == mask
            } else {
                return unknown();
            };
            Box::new(move |warp, mask, _| {
                let bits = warp.registers.predicate(input) & mask;
                let all = if holds(bits, mask) { u32::MAX } else { 0 };
                warp.registers.set_predicate(into, mask, all);
                Ok(())
            })
        };
        Ok((members, carry_out))
    }

    /// `match.any.sync`: which threads have the same value.
    fn matches(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
    ) -> Result<(Members, MemoryAction), String> {
        let [into, value, members] = operands else {
            return unknown();
        };
        if !opcode.has("any") {
            return unknown();
        }
        let members = self.members(members)?;
        let is_wide = opcode.kind()?.bytes() == 8;
        let (into, value) = (self.write_as::<u32>(into)?, self.read(value, is_wide)?);
        let carry_out: MemoryAction = Box::new(move |warp, mask, _| {
            let values = if is_wide {
                u64::load(&warp.registers, value)
            } else {
                u32::load(&warp.registers, value).map(u64::from)
            };
            let mut result = [0_u32; LANES];
            for lane in lanes(mask) {
                let alike = lanes(mask).filter(|&other| values[other] == values[lane]);
                result[lane] = alike.fold(0, |bits, other| bits | 1 << other);
            }
            u32::store(&mut warp.registers, into, mask, &result);
            Ok(())
        });
        Ok((members, carry_out))
    }

    fn reduce(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
    ) -> Result<(Members, MemoryAction), String> {
        self.needs(80)?;
        let [into, value, members] = operands else {
            return unknown();
        };
        let signed = opcode.kind()? == Type::S32;
        let operation = opcode
            .modifiers
            .iter()
            .find(|part| matches!(**part, "add" | "min" | "max" | "and" | "or" | "xor"));
        let combine: fn(u32, u32) -> u32 = match (operation.copied(), signed) {
            (Some("add"), _) => u32::wrapping_add,
            (Some("min"), false) => u32::min,
            (Some("max"), false) => u32::max,
            (Some("min"), true) => |a, b| (a as i32).min(b as i32) as u32,
            (Some("max"), true) => |a, b| (a as i32).max(b as i32) as u32,
            (Some("and"), _) => |a, b| a & b,
            (Some("or"), _) => |a, b| a | b,
            (Some("xor"), _) => |a, b| a ^ b,
            _ => return unknown(),
        };
        if opcode.kind()? == Type::F32 {
            return unknown();
        }
        let members = self.members(members)?;
        let (into, value) = (self.write_as::<u32>(into)?, self.read_as::<u32>(value)?);
        let carry_out: MemoryAction = Box::new(move |warp, mask, _| {
            let values = u32::load(&warp.registers, value);
            let result = lanes(mask)
                .map(|lane| values[lane])
                .reduce(combine)
                .unwrap_or(0);
            u32::store(&mut warp.registers, into, mask, &[result; LANES]);
            Ok(())
        });
        Ok((members, carry_out))
    }
}
