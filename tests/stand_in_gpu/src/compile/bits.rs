//! Bits: logic on numbers and predicates, shifts, fields, permutations of bytes.

use super::opcode::Opcode;
use super::program::PureAction;
use super::{Compiler, unknown};
use crate::execute::registers::Registers;
use crate::ptx::types::{Operand, Type};

impl Compiler<'_> {
    pub(super) fn bits(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
    ) -> Result<PureAction, String> {
        let kind = opcode.kind()?;
        if kind == Type::Pred {
            return self.logic_of_predicates(opcode, operands);
        }
        macro_rules! logic {
            ($map:ident, |$($argument:ident),+| $result:expr) => {
                match kind.bytes() {
                    8 => self.$map(operands, |$($argument: u64),+| $result),
                    4 => self.$map(operands, |$($argument: u32),+| $result),
                    _ => self.$map(operands, |$($argument: u16),+| $result),
                }
            };
        }
        match opcode.name {
            "and" => logic!(map2, |a, b| a & b),
            "or" => logic!(map2, |a, b| a | b),
            "xor" => logic!(map2, |a, b| a ^ b),
            "not" => logic!(map1, |a| !a),
            "cnot" => logic!(map1, |a| if a == 0 { 1 } else { 0 }),
            "shl" | "shr" => self.shift(opcode, operands),
            "shf" => self.funnel(opcode, operands),
            "lop3" => self.table(operands),
            "brev" if kind.bytes() == 8 => self.map1(operands, |a: u64| a.reverse_bits()),
            "brev" => self.map1(operands, |a: u32| a.reverse_bits()),
            "popc" if kind.bytes() == 8 => self.map1(operands, |a: u64| a.count_ones()),
            "popc" => self.map1(operands, |a: u32| a.count_ones()),
            "clz" if kind.bytes() == 8 => self.map1(operands, |a: u64| a.leading_zeros()),
            "clz" => self.map1(operands, |a: u32| a.leading_zeros()),
            "bfind" => self.highest_bit(opcode, operands),
            "bfe" => self.extract(kind, operands),
            "bfi" => self.insert(kind, operands),
            "prmt" if opcode.modifiers.len() == 1 => self.map3(operands, permute),
            _ => unknown(),
        }
    }

    fn logic_of_predicates(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
    ) -> Result<PureAction, String> {
        let Some((into, sources)) = operands.split_first() else {
            return unknown();
        };
        let into = self.write_predicate(into)?;
        let sources = sources
            .iter()
            .map(|one| self.predicate(one))
            .collect::<Result<Vec<_>, _>>()?;
        let compute: fn(u32, u32) -> u32 = match (opcode.name, sources.len()) {
            ("and", 2) => |a, b| a & b,
            ("or", 2) => |a, b| a | b,
            ("xor", 2) => |a, b| a ^ b,
            ("not", 1) => |a, _| !a,
            _ => return unknown(),
        };
        let (first, second) = (sources[0], sources[sources.len() - 1]);
        Ok(Box::new(move |registers: &mut Registers, mask| {
            let bits = compute(registers.predicate(first), registers.predicate(second));
            registers.set_predicate(into, mask, bits);
        }))
    }

    /// A shift by more than the width leaves nothing, or the sign.
    fn shift(&mut self, opcode: &Opcode<'_>, operands: &[Operand]) -> Result<PureAction, String> {
        let left = opcode.name == "shl";
        match (opcode.kind()?, left) {
            (kind, true) => match kind.bytes() {
                8 => self.map2(operands, |a: u64, by: u32| a.checked_shl(by).unwrap_or(0)),
                4 => self.map2(operands, |a: u32, by: u32| a.checked_shl(by).unwrap_or(0)),
                _ => self.map2(operands, |a: u16, by: u32| a.checked_shl(by).unwrap_or(0)),
            },
            (Type::S64, _) => self.map2(operands, |a: i64, by: u32| a >> by.min(63)),
            (Type::S32, _) => self.map2(operands, |a: i32, by: u32| a >> by.min(31)),
            (Type::S16, _) => self.map2(operands, |a: i16, by: u32| a >> by.min(15)),
            (kind, _) => match kind.bytes() {
                8 => self.map2(operands, |a: u64, by: u32| a.checked_shr(by).unwrap_or(0)),
                4 => self.map2(operands, |a: u32, by: u32| a.checked_shr(by).unwrap_or(0)),
                _ => self.map2(operands, |a: u16, by: u32| a.checked_shr(by).unwrap_or(0)),
            },
        }
    }

    fn funnel(&mut self, opcode: &Opcode<'_>, operands: &[Operand]) -> Result<PureAction, String> {
        let (left, wraps) = (opcode.has("l"), opcode.has("wrap"));
        self.map3(operands, move |low: u32, high: u32, by: u32| {
            let by = if wraps { by & 31 } else { by.min(32) };
            let both = u64::from(high) << 32 | u64::from(low);
            if left {
                (both << by >> 32) as u32
            } else {
                (both >> by) as u32
            }
        })
    }

    fn table(&mut self, operands: &[Operand]) -> Result<PureAction, String> {
        let [rest @ .., Operand::Integer(table)] = operands else {
            return unknown();
        };
        let table = *table as u8;
        self.map3(rest, move |a: u32, b: u32, c: u32| {
            (0..8)
                .filter(|row| table >> row & 1 == 1)
                .fold(0, |found, row| {
                    let pick = |bits: u32, bit: u32| if row >> bit & 1 == 1 { bits } else { !bits };
                    found | pick(a, 2) & pick(b, 1) & pick(c, 0)
                })
        })
    }

    fn highest_bit(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
    ) -> Result<PureAction, String> {
        let shift = opcode.has("shiftamt");
        macro_rules! highest {
            ($kind:ty, $unsigned:ty) => {
                self.map1(operands, move |a: $kind| {
                    // For a negative number the highest bit that differs from its sign.
                    #[allow(unused_comparisons)]
                    let bits = (if a < 0 { !a } else { a }) as $unsigned;
                    let zeros = bits.leading_zeros();
                    match <$unsigned>::BITS - zeros {
                        0 => u32::MAX,
                        _ if shift => zeros,
                        width => width - 1,
                    }
                })
            };
        }
        match opcode.kind()? {
            Type::U32 => highest!(u32, u32),
            Type::S32 => highest!(i32, u32),
            Type::U64 => highest!(u64, u64),
            Type::S64 => highest!(i64, u64),
            _ => unknown(),
        }
    }

    fn extract(&mut self, kind: Type, operands: &[Operand]) -> Result<PureAction, String> {
        fn field(value: u64, at: u32, length: u32, width: u32, signed: bool) -> u64 {
            let (at, length) = (at & 0xFF, length & 0xFF);
            if length == 0 {
                return 0;
            }
            // The sign is the field's highest bit, or the number's where the field goes beyond it.
            let top = (at + length - 1).min(width - 1);
            let sign = signed && value >> top & 1 == 1;
            let bits = value.checked_shr(at).unwrap_or(0);
            let kept = (top + 1).saturating_sub(at);
            let low = if kept >= 64 {
                u64::MAX
            } else {
                (1 << kept) - 1
            };
            if sign {
                (bits & low) | !low
            } else {
                bits & low
            }
        }
        let signed = kind.is_signed();
        if kind.bytes() == 8 {
            self.map3(operands, move |a: u64, at: u32, length: u32| {
                field(a, at, length, 64, signed)
            })
        } else {
            self.map3(operands, move |a: u32, at: u32, length: u32| {
                field(u64::from(a), at, length, 32, signed) as u32
            })
        }
    }

    fn insert(&mut self, kind: Type, operands: &[Operand]) -> Result<PureAction, String> {
        fn put(field: u64, into: u64, at: u32, length: u32) -> u64 {
            let (at, length) = (at & 0xFF, length & 0xFF);
            let ones = if length >= 64 {
                u64::MAX
            } else {
                (1 << length) - 1
            };
            let mask = ones.checked_shl(at).unwrap_or(0);
            (into & !mask) | (field.checked_shl(at).unwrap_or(0) & mask)
        }
        let [into, a, b, at, length] = operands else {
            return unknown();
        };
        let first = [into.clone(), a.clone(), b.clone(), at.clone()];
        let length = self.read_as::<u32>(length)?;
        // Four sources: the last is read apart.
        use crate::execute::registers::{LANES, Lane};
        let [into, a, b, at] = &first;
        let at = self.read_as::<u32>(at)?;
        if kind.bytes() == 8 {
            let into = self.write_as::<u64>(into)?;
            let (a, b) = (self.read_as::<u64>(a)?, self.read_as::<u64>(b)?);
            Ok(Box::new(move |registers: &mut Registers, mask| {
                let (a, b) = (u64::load(registers, a), u64::load(registers, b));
                let (at, length) = (u32::load(registers, at), u32::load(registers, length));
                let values: [u64; LANES] =
                    std::array::from_fn(|lane| put(a[lane], b[lane], at[lane], length[lane]));
                u64::store(registers, into, mask, &values);
            }))
        } else {
            let into = self.write_as::<u32>(into)?;
            let (a, b) = (self.read_as::<u32>(a)?, self.read_as::<u32>(b)?);
            Ok(Box::new(move |registers: &mut Registers, mask| {
                let (a, b) = (u32::load(registers, a), u32::load(registers, b));
                let (at, length) = (u32::load(registers, at), u32::load(registers, length));
                let values: [u32; LANES] = std::array::from_fn(|lane| {
                    put(
                        u64::from(a[lane]),
                        u64::from(b[lane]),
                        at[lane],
                        length[lane],
                    ) as u32
                });
                u32::store(registers, into, mask, &values);
            }))
        }
    }
}

/// `prmt`: each nibble of the selector picks one of eight bytes, or repeats its sign.
fn permute(a: u32, b: u32, selector: u32) -> u32 {
    let bytes = (u64::from(b) << 32 | u64::from(a)).to_le_bytes();
    u32::from_le_bytes(std::array::from_fn(|at| {
        let pick = selector >> (4 * at);
        let byte = bytes[(pick & 7) as usize];
        match (pick & 8 != 0, byte & 0x80 != 0) {
            (false, _) => byte,
            (true, true) => 0xFF,
            (true, false) => 0,
        }
    }))
}
