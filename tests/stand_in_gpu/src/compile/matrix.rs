//! `mma.sync`, `ldmatrix`, `movmatrix`: small matrix products whose operands lie spread over the
//! warp. Which thread holds which elements is the table of the PTX ISA's chapter on `mma`; with
//! `group = lane / 4` and `pair = lane % 4`:
//!
//! | | row | column |
//! |---|---|---|
//! | A 16x16, element i of 8 | group, and 8 more where i & 2 | 2 pair + (i & 1), and 8 more where i & 4 |
//! | A 16x8, element i of 4 | group, and 8 more where i & 2 | 2 pair + (i & 1) |
//! | B 16x8, element i of 4 | 2 pair + (i & 1), and 8 more where i & 2 | group |
//! | B 8x8, element i of 2 | 2 pair + i | group |
//! | C and D 16x8, element i of 4 | group, and 8 more where i & 2 | 2 pair + (i & 1) |
//!
//! Two 16-bit elements share a register, the first in its lower half. Products and sums are exact
//! in double precision and rounded once, which a tensor core does not promise.

use super::opcode::Opcode;
use super::program::MemoryAction;
use super::{Compiler, unknown};
use crate::execute::memory::read;
use crate::execute::memory::{Problem, Wrong};
use crate::execute::registers::{LANES, Lane, Registers, Slot};
use crate::ptx::types::{Operand, Space, Type};
use half::{bf16, f16};

fn parts(operand: &Operand) -> &[Operand] {
    match operand {
        Operand::Vector(parts) => parts,
        single => std::slice::from_ref(single),
    }
}

fn widened(bits: u32, kind: Type) -> f64 {
    match kind {
        Type::F16 => f16::from_bits(bits as u16).to_f64(),
        Type::Bf16 => bf16::from_bits(bits as u16).to_f64(),
        // tf32 takes the upper 19 bits.
        _ => f64::from(f32::from_bits(bits & !0x1FFF)),
    }
}

/// Element `at` of a thread's fragment whose 16-bit elements share registers.
fn element(registers: &[[u32; LANES]], lane: usize, at: usize) -> u32 {
    registers[at / 2][lane] >> (16 * (at % 2)) & 0xFFFF
}

/// All threads of the warp take part, or it is undefined.
fn whole_warp(mask: u32, what: &'static str) -> Result<(), Problem> {
    if mask == u32::MAX {
        return Ok(());
    }
    let lane = mask.trailing_zeros() as usize;
    let wrong = Wrong::Trapped(what);
    Err(Problem {
        lane,
        space: Space::Generic,
        address: 0,
        bytes: 0,
        wrong,
    })
}

impl Compiler<'_> {
    pub(super) fn matrix(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
    ) -> Result<MemoryAction, String> {
        match opcode.name {
            "ldmatrix" => self.load_matrices(opcode, operands),
            "movmatrix" => self.transpose(opcode, operands),
            _ => self.product(opcode, operands),
        }
    }

    fn reads(&mut self, operand: &Operand) -> Result<Vec<Slot>, String> {
        parts(operand)
            .iter()
            .map(|part| self.read_as::<u32>(part))
            .collect()
    }

    fn writes(&mut self, operand: &Operand) -> Result<Vec<Slot>, String> {
        parts(operand)
            .iter()
            .map(|part| self.write_as::<u32>(part))
            .collect()
    }

    fn product(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
    ) -> Result<MemoryAction, String> {
        let [d, a, b, c] = operands else {
            return unknown();
        };
        if !opcode.has("row") || !opcode.has("col") {
            return unknown();
        }
        let tf32 = opcode.has("tf32");
        let depth = match opcode
            .modifiers
            .iter()
            .find(|part| part.starts_with("m16n8k"))
            .copied()
        {
            Some("m16n8k16") if !tf32 => 16,
            Some("m16n8k8") => 8,
            Some("m16n8k4") if tf32 => 4,
            _ => return unknown(),
        };
        let [d_kind, a_kind, b_kind, c_kind] = opcode.types[..] else {
            return unknown();
        };
        let accepted = a_kind == b_kind
            && d_kind == c_kind
            && match (a_kind, d_kind) {
                (Type::F16, Type::F16 | Type::F32) | (Type::Bf16, Type::F32) => !tf32,
                (Type::F32, Type::F32) => tf32,
                _ => false,
            };
        if !accepted {
            return unknown();
        }
        self.needs(if depth == 16 || a_kind != Type::F16 {
            80
        } else {
            75
        })?;
        let (a, b) = (self.reads(a)?, self.reads(b)?);
        let (c, d) = (self.reads(c)?, self.writes(d)?);
        let per_register = if tf32 { 1 } else { 2 };
        let accumulators = if d_kind == Type::F32 { 4 } else { 2 };
        if a.len() * per_register != depth / 2
            || b.len() * per_register != depth / 4
            || c.len() != accumulators
            || d.len() != accumulators
        {
            return Err("the fragments have another size".to_owned());
        }
        Ok(Box::new(move |warp, mask, _| {
            whole_warp(mask, "mma.sync without all threads of the warp")?;
            let registers = &mut warp.registers;
            let load = |slots: &[Slot]| -> Vec<[u32; LANES]> {
                slots
                    .iter()
                    .map(|&slot| u32::load(registers, slot))
                    .collect()
            };
            let (a, b, c) = (load(&a), load(&b), load(&c));
            let mut left = [[0.0_f64; 16]; 16];
            let mut right = [[0.0_f64; 8]; 16];
            for lane in 0..LANES {
                let (group, pair) = (lane / 4, lane % 4);
                for at in 0..depth / 2 {
                    let row = group
                        + if at & if tf32 { 1 } else { 2 } != 0 {
                            8
                        } else {
                            0
                        };
                    let (column, bits) = if tf32 {
                        (pair + if at & 2 != 0 { 4 } else { 0 }, a[at][lane])
                    } else {
                        (
                            2 * pair + (at & 1) + if at & 4 != 0 { 8 } else { 0 },
                            element(&a, lane, at),
                        )
                    };
                    left[row][column] = widened(bits, a_kind);
                }
                for at in 0..depth / 4 {
                    let (row, bits) = if tf32 {
                        (pair + 4 * at, b[at][lane])
                    } else {
                        (
                            2 * pair + (at & 1) + if at & 2 != 0 { 8 } else { 0 },
                            element(&b, lane, at),
                        )
                    };
                    right[row][group] = widened(bits, a_kind);
                }
            }
            let mut results = [[0_u32; LANES]; 4];
            for lane in 0..LANES {
                let (group, pair) = (lane / 4, lane % 4);
                for at in 0..4 {
                    let row = group + if at & 2 != 0 { 8 } else { 0 };
                    let column = 2 * pair + (at & 1);
                    let start = if d_kind == Type::F32 {
                        f64::from(f32::from_bits(c[at][lane]))
                    } else {
                        widened(element(&c, lane, at), Type::F16)
                    };
                    let sum: f64 = (0..depth).map(|k| left[row][k] * right[k][column]).sum();
                    if d_kind == Type::F32 {
                        results[at][lane] = ((start + sum) as f32).to_bits();
                    } else {
                        let bits = u32::from(f16::from_f32((start + sum) as f32).to_bits());
                        results[at / 2][lane] |= bits << (16 * (at % 2));
                    }
                }
            }
            for (&slot, result) in d.iter().zip(&results) {
                u32::store(registers, slot, mask, result);
            }
            Ok(())
        }))
    }

    /// Each thread of the first eight, sixteen or all 32 has the address of a row of eight 16-bit
    /// elements; then thread `l` holds elements `2 (l % 4)` and the next of row `l / 4` of each
    /// matrix, or with `.trans` of its column.
    fn load_matrices(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
    ) -> Result<MemoryAction, String> {
        let [into, from] = operands else {
            return unknown();
        };
        let count = match () {
            () if opcode.has("x1") => 1,
            () if opcode.has("x2") => 2,
            () if opcode.has("x4") => 4,
            () => return unknown(),
        };
        if !opcode.has("m8n8") || opcode.kind()? != Type::B16 {
            return unknown();
        }
        let transposed = opcode.has("trans");
        let into = self.writes(into)?;
        if into.len() != count {
            return Err("the fragments have another size".to_owned());
        }
        let space = match opcode.space() {
            Space::Generic => Space::Generic,
            _ => Space::Shared,
        };
        let from = self.address_of(from, space)?;
        Ok(Box::new(move |warp, mask, site| {
            whole_warp(mask, "ldmatrix.sync without all threads of the warp")?;
            let addresses = from.load(&warp.registers);
            for (number, &slot) in into.iter().enumerate() {
                let mut matrix = [[0_u32; 8]; 8];
                for (row, elements) in matrix.iter_mut().enumerate() {
                    let lane = 8 * number + row;
                    let row = warp
                        .memory
                        .resolve(from.space, lane, addresses[lane], 16, site)?;
                    for (at, element) in elements.iter_mut().enumerate() {
                        // SAFETY: `resolve` has checked the sixteen bytes of the row.
                        *element = unsafe { read(row.add(2 * at), 2) } as u32;
                    }
                }
                u32::store(
                    &mut warp.registers,
                    slot,
                    mask,
                    &spread(&matrix, transposed),
                );
            }
            Ok(())
        }))
    }

    fn transpose(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
    ) -> Result<MemoryAction, String> {
        let [into, from] = operands else {
            return unknown();
        };
        if !opcode.has("m8n8") || !opcode.has("trans") {
            return unknown();
        }
        let (into, from) = (self.write_as::<u32>(into)?, self.read_as::<u32>(from)?);
        Ok(Box::new(move |warp, mask, _| {
            whole_warp(mask, "movmatrix.sync without all threads of the warp")?;
            let registers: &mut Registers = &mut warp.registers;
            let held = u32::load(registers, from);
            let mut matrix = [[0_u32; 8]; 8];
            for (lane, bits) in held.iter().enumerate() {
                matrix[lane / 4][2 * (lane % 4)] = bits & 0xFFFF;
                matrix[lane / 4][2 * (lane % 4) + 1] = bits >> 16;
            }
            u32::store(registers, into, mask, &spread(&matrix, true));
            Ok(())
        }))
    }
}

/// What each thread holds of a matrix of 8 by 8.
fn spread(matrix: &[[u32; 8]; 8], transposed: bool) -> [u32; LANES] {
    std::array::from_fn(|lane| {
        let (row, column) = (lane / 4, 2 * (lane % 4));
        if transposed {
            matrix[column][row] | matrix[column + 1][row] << 16
        } else {
            matrix[row][column] | matrix[row][column + 1] << 16
        }
    })
}
