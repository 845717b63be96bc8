//! Loads, stores, copies to shared memory, fences.

use super::conversion::widen;
use super::moves::store_integer;
use super::opcode::Opcode;
use super::program::MemoryAction;
use super::{Compiler, unknown};
use crate::execute::memory::{Problem, Wrong, read, write};
use crate::execute::registers::{LANES, Lane, Registers, Slot, lanes};
use crate::execute::warp::Pending;
use crate::ptx::types::{Operand, Space, Type, Width};

/// An address: a space, a register of 64 or 32 bits, and an offset.
#[derive(Clone, Copy)]
pub(super) struct Address {
    pub space: Space,
    slot: Slot,
    is_wide: bool,
    offset: u64,
}

impl Address {
    /// The addresses of all threads.
    #[inline]
    pub(super) fn load(&self, registers: &Registers) -> [u64; LANES] {
        if self.is_wide {
            u64::load(registers, self.slot).map(|address| address.wrapping_add(self.offset))
        } else {
            u32::load(registers, self.slot)
                .map(|address| u64::from(address).wrapping_add(self.offset))
        }
    }
}

impl Compiler<'_> {
    /// The address an operand names in the opcode's space.
    pub(super) fn address_of(
        &mut self,
        operand: &Operand,
        space: Space,
    ) -> Result<Address, String> {
        match operand {
            &Operand::AtRegister(register, offset) => {
                let is_wide = self.widths[register as usize] == Width::Bits64;
                let slot = self.slots[register as usize];
                Ok(Address {
                    space,
                    slot,
                    is_wide,
                    offset: offset as u64,
                })
            }
            Operand::AtName(name, offset) if name.is_empty() => {
                let slot = self.constant(true, *offset as u64);
                Ok(Address {
                    space,
                    slot,
                    is_wide: true,
                    offset: 0,
                })
            }
            Operand::AtName(name, offset) => {
                let place = self
                    .place_of(name)
                    .ok_or_else(|| format!("{name} is not known"))?;
                let slot = self.constant(true, place.address.wrapping_add(*offset as u64));
                // Parameters of device functions lie in local memory.
                Ok(Address {
                    space: place.space,
                    slot,
                    is_wide: true,
                    offset: 0,
                })
            }
            other => Err(format!("{other:?} is no address")),
        }
    }

    /// What an instruction does that works with memory; nothing for another.
    pub(super) fn memory(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
    ) -> Result<Option<MemoryAction>, String> {
        Ok(Some(match opcode.name {
            "ld" | "ldu" => self.load(opcode, operands)?,
            "st" => self.store(opcode, operands)?,
            "atom" | "red" => self.atomic(opcode, operands)?,
            "cp" if opcode.has("async") => self.copy(opcode, operands)?,
            "membar" | "fence" | "prefetch" | "prefetchu" | "nanosleep" | "discard"
            | "applypriority" => Box::new(|_, _, _| Ok(())),
            "activemask" => {
                let [into] = operands else { return unknown() };
                let into = self.write_as::<u32>(into)?;
                Box::new(move |warp, mask, _| {
                    u32::store(&mut warp.registers, into, mask, &[mask; LANES]);
                    Ok(())
                })
            }
            _ => return Ok(None),
        }))
    }

    fn load(&mut self, opcode: &Opcode<'_>, operands: &[Operand]) -> Result<MemoryAction, String> {
        let [into, from] = operands else {
            return unknown();
        };
        let kind = opcode.kind()?;
        let from = self.address_of(from, opcode.space())?;
        let single = std::slice::from_ref(into);
        let targets = match into {
            Operand::Vector(parts) => &parts[..],
            _ => single,
        };
        if targets.len() != opcode.count() {
            return unknown();
        }
        let targets = targets
            .iter()
            .map(|target| self.integer_target(target))
            .collect::<Result<Vec<_>, _>>()?;
        let bytes = kind.bytes();
        let all = (bytes * targets.len()) as u64;
        if let [target] = targets[..] {
            return Ok(Box::new(move |warp, mask, site| {
                let addresses = from.load(&warp.registers);
                let mut values = [0_u64; LANES];
                for lane in lanes(mask) {
                    let pointer =
                        warp.memory
                            .resolve(from.space, lane, addresses[lane], all, site)?;
                    // SAFETY: `resolve` has checked bounds and alignment.
                    values[lane] = unsafe { read(pointer, bytes) };
                }
                if kind.is_signed() {
                    values = values.map(|value| widen(value, kind));
                }
                store_integer(&mut warp.registers, target, mask, &values);
                Ok(())
            }));
        }
        Ok(Box::new(move |warp, mask, site| {
            let addresses = from.load(&warp.registers);
            let mut values = [[0_u64; LANES]; 4];
            for lane in lanes(mask) {
                let pointer = warp
                    .memory
                    .resolve(from.space, lane, addresses[lane], all, site)?;
                for (at, values) in values.iter_mut().enumerate().take(targets.len()) {
                    // SAFETY: `resolve` has checked all of the vector.
                    values[lane] = unsafe { read(pointer.add(at * bytes), bytes) };
                }
            }
            for (&target, values) in targets.iter().zip(values) {
                let values = values.map(|value| widen(value, kind));
                store_integer(&mut warp.registers, target, mask, &values);
            }
            Ok(())
        }))
    }

    /// A value that is stored, whatever its width.
    fn stored(&mut self, operand: &Operand, kind: Type) -> Result<(Slot, bool), String> {
        let is_wide = match self.width_of(operand) {
            Some(width) => width == Width::Bits64,
            None => kind.bytes() == 8,
        };
        Ok((self.read(operand, is_wide)?, is_wide))
    }

    fn store(&mut self, opcode: &Opcode<'_>, operands: &[Operand]) -> Result<MemoryAction, String> {
        let [to, from] = operands else {
            return unknown();
        };
        let kind = opcode.kind()?;
        let to = self.address_of(to, opcode.space())?;
        let single = std::slice::from_ref(from);
        let sources = match from {
            Operand::Vector(parts) => &parts[..],
            _ => single,
        };
        if sources.len() != opcode.count() {
            return unknown();
        }
        let sources = sources
            .iter()
            .map(|source| self.stored(source, kind))
            .collect::<Result<Vec<_>, _>>()?;
        let bytes = kind.bytes();
        let all = (bytes * sources.len()) as u64;
        Ok(Box::new(move |warp, mask, site| {
            let addresses = to.load(&warp.registers);
            let mut values = [[0_u64; LANES]; 4];
            for (&(slot, is_wide), values) in sources.iter().zip(&mut values) {
                *values = if is_wide {
                    u64::load(&warp.registers, slot)
                } else {
                    u32::load(&warp.registers, slot).map(u64::from)
                };
            }
            for lane in lanes(mask) {
                let address = addresses[lane];
                let pointer = warp.memory.resolve(to.space, lane, address, all, site)?;
                if matches!(to.space, Space::Constant | Space::Parameter) {
                    let wrong = Wrong::ReadOnly;
                    return Err(Problem {
                        lane,
                        space: to.space,
                        address,
                        bytes: all,
                        wrong,
                    });
                }
                for (at, values) in values.iter().enumerate().take(sources.len()) {
                    // SAFETY: `resolve` has checked all of the vector.
                    unsafe { write(pointer.add(at * bytes), bytes, values[lane]) };
                }
            }
            Ok(())
        }))
    }

    /// `cp.async`: the bytes arrive when the thread waits for them, so that a kernel that reads
    /// them without waiting finds what was there before.
    fn copy(&mut self, opcode: &Opcode<'_>, operands: &[Operand]) -> Result<MemoryAction, String> {
        self.needs(80)?;
        if opcode.has("commit_group") {
            return Ok(Box::new(|warp, mask, _| {
                for lane in lanes(mask) {
                    warp.copy_group[lane] += 1;
                }
                Ok(())
            }));
        }
        if opcode.has("wait_all") {
            return Ok(Box::new(|warp, mask, _| {
                for lane in lanes(mask) {
                    warp.copy_group[lane] += 1;
                }
                warp.complete_copies(mask, 0);
                Ok(())
            }));
        }
        if opcode.has("wait_group") {
            let [Operand::Integer(but)] = operands else {
                return unknown();
            };
            let but = *but as u32;
            return Ok(Box::new(move |warp, mask, _| {
                warp.complete_copies(mask, but);
                Ok(())
            }));
        }
        if opcode.has("bulk") || opcode.has("mbarrier") {
            return unknown();
        }
        let (to, from, bytes, source) = match operands {
            [to, from, Operand::Integer(bytes)] => (to, from, *bytes, None),
            [to, from, Operand::Integer(bytes), source] => {
                (to, from, *bytes, Some(self.read_as::<u32>(source)?))
            }
            _ => return unknown(),
        };
        let to = self.address_of(to, Space::Shared)?;
        let from = self.address_of(from, Space::Global)?;
        Ok(Box::new(move |warp, mask, site| {
            let (target, origin) = (to.load(&warp.registers), from.load(&warp.registers));
            let wanted = source.map(|slot| u32::load(&warp.registers, slot));
            for lane in lanes(mask) {
                let target = warp
                    .memory
                    .resolve(to.space, lane, target[lane], bytes, site)?;
                let copied = wanted.map_or(bytes, |wanted| u64::from(wanted[lane]).min(bytes));
                // Nothing is read where nothing is wanted, and then the address may be any.
                let mut origin_pointer = std::ptr::dangling();
                if copied > 0 {
                    let address = origin[lane];
                    if address % bytes != 0 {
                        let wrong = Wrong::Misaligned;
                        return Err(Problem {
                            lane,
                            space: from.space,
                            address,
                            bytes,
                            wrong,
                        });
                    }
                    let first = warp.memory.resolve(from.space, lane, address, 1, site)?;
                    warp.memory
                        .resolve(from.space, lane, address + copied - 1, 1, site)?;
                    origin_pointer = first.cast_const();
                }
                warp.pending.push(Pending {
                    lane,
                    group: warp.copy_group[lane],
                    from: origin_pointer,
                    to: target,
                    bytes: copied as usize,
                    zeros: (bytes - copied) as usize,
                });
            }
            Ok(())
        }))
    }
}
