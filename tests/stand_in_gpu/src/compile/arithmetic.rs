//! Whole numbers: sums, products, quotients, carries.

use super::opcode::Opcode;
use super::program::PureAction;
use super::{Compiler, unknown};
use crate::execute::registers::{LANES, Lane, Registers};
use crate::ptx::types::{Operand, Type};

/// One closure per type of whole number.
macro_rules! by_type {
    ($self:ident, $kind:expr, $operands:expr, $map:ident, |$($argument:ident),+| $result:expr) => {
        match $kind {
            Type::U16 | Type::B16 => $self.$map($operands, |$($argument: u16),+| $result),
            Type::S16 => $self.$map($operands, |$($argument: i16),+| $result),
            Type::U32 | Type::B32 => $self.$map($operands, |$($argument: u32),+| $result),
            Type::S32 => $self.$map($operands, |$($argument: i32),+| $result),
            Type::U64 | Type::B64 => $self.$map($operands, |$($argument: u64),+| $result),
            Type::S64 => $self.$map($operands, |$($argument: i64),+| $result),
            _ => unknown(),
        }
    };
}

macro_rules! by_signed_type {
    ($self:ident, $kind:expr, $operands:expr, $map:ident, |$($argument:ident),+| $result:expr) => {
        match $kind {
            Type::S16 => $self.$map($operands, |$($argument: i16),+| $result),
            Type::S32 => $self.$map($operands, |$($argument: i32),+| $result),
            Type::S64 => $self.$map($operands, |$($argument: i64),+| $result),
            _ => unknown(),
        }
    };
}

/// What a quotient by zero is: all ones.
trait Whole: Copy + PartialEq + Default {
    fn quotient(self, by: Self) -> Self;
    fn remainder(self, by: Self) -> Self;
    fn high(self, by: Self) -> Self;
}

macro_rules! whole {
    ($($kind:ty, $wide:ty, $ones:expr);+) => {
        $(impl Whole for $kind {
            fn quotient(self, by: Self) -> Self {
                if by == 0 { $ones } else { self.wrapping_div(by) }
            }
            fn remainder(self, by: Self) -> Self {
                if by == 0 { self } else { self.wrapping_rem(by) }
            }
            fn high(self, by: Self) -> Self {
                ((<$wide>::from(self) * <$wide>::from(by)) >> (8 * size_of::<Self>())) as Self
            }
        })+
    };
}
whole!(u16, u32, u16::MAX; i16, i32, -1; u32, u64, u32::MAX; i32, i64, -1; u64, u128, u64::MAX; i64, i128, -1);

impl Compiler<'_> {
    pub(super) fn integer(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
    ) -> Result<PureAction, String> {
        let kind = opcode.kind()?;
        if opcode.has("cc") || matches!(opcode.name, "addc" | "subc" | "madc") {
            return self.carrying(opcode, operands);
        }
        match opcode.name {
            "add" if opcode.has("sat") => self.map2(operands, |a: i32, b: i32| a.saturating_add(b)),
            "sub" if opcode.has("sat") => self.map2(operands, |a: i32, b: i32| a.saturating_sub(b)),
            "add" => by_type!(self, kind, operands, map2, |a, b| a.wrapping_add(b)),
            "sub" => by_type!(self, kind, operands, map2, |a, b| a.wrapping_sub(b)),
            "mul" if opcode.has("wide") => match kind {
                Type::U16 => self.map2(operands, |a: u16, b: u16| u32::from(a) * u32::from(b)),
                Type::S16 => self.map2(operands, |a: i16, b: i16| i32::from(a) * i32::from(b)),
                Type::U32 => self.map2(operands, |a: u32, b: u32| u64::from(a) * u64::from(b)),
                Type::S32 => self.map2(operands, |a: i32, b: i32| i64::from(a) * i64::from(b)),
                _ => unknown(),
            },
            "mul" if opcode.has("hi") => by_type!(self, kind, operands, map2, |a, b| a.high(b)),
            "mul" => by_type!(self, kind, operands, map2, |a, b| a.wrapping_mul(b)),
            "mad" if opcode.has("wide") => match kind {
                Type::U16 => self.map3(operands, |a: u16, b: u16, c: u32| {
                    (u32::from(a) * u32::from(b)).wrapping_add(c)
                }),
                Type::S16 => self.map3(operands, |a: i16, b: i16, c: i32| {
                    (i32::from(a) * i32::from(b)).wrapping_add(c)
                }),
                Type::U32 => self.map3(operands, |a: u32, b: u32, c: u64| {
                    (u64::from(a) * u64::from(b)).wrapping_add(c)
                }),
                Type::S32 => self.map3(operands, |a: i32, b: i32, c: i64| {
                    (i64::from(a) * i64::from(b)).wrapping_add(c)
                }),
                _ => unknown(),
            },
            "mad" if opcode.has("hi") => {
                by_type!(self, kind, operands, map3, |a, b, c| a
                    .high(b)
                    .wrapping_add(c))
            }
            "mad" => {
                by_type!(self, kind, operands, map3, |a, b, c| a
                    .wrapping_mul(b)
                    .wrapping_add(c))
            }
            "mul24" if opcode.has("lo") => match kind {
                Type::U32 => self.map2(operands, |a: u32, b: u32| {
                    (a & 0xFF_FFFF).wrapping_mul(b & 0xFF_FFFF)
                }),
                _ => self.map2(operands, |a: i32, b: i32| {
                    (a << 8 >> 8).wrapping_mul(b << 8 >> 8)
                }),
            },
            "mad24" if opcode.has("lo") => match kind {
                Type::U32 => self.map3(operands, |a: u32, b: u32, c: u32| {
                    (a & 0xFF_FFFF).wrapping_mul(b & 0xFF_FFFF).wrapping_add(c)
                }),
                _ => self.map3(operands, |a: i32, b: i32, c: i32| {
                    (a << 8 >> 8).wrapping_mul(b << 8 >> 8).wrapping_add(c)
                }),
            },
            "sad" => by_type!(self, kind, operands, map3, |a, b, c| {
                c.wrapping_add(if a < b {
                    b.wrapping_sub(a)
                } else {
                    a.wrapping_sub(b)
                })
            }),
            "div" => by_type!(self, kind, operands, map2, |a, b| a.quotient(b)),
            "rem" => by_type!(self, kind, operands, map2, |a, b| a.remainder(b)),
            "min" => by_type!(self, kind, operands, map2, |a, b| a.min(b)),
            "max" => by_type!(self, kind, operands, map2, |a, b| a.max(b)),
            "abs" => by_signed_type!(self, kind, operands, map1, |a| a.wrapping_abs()),
            "neg" => by_signed_type!(self, kind, operands, map1, |a| a.wrapping_neg()),
            "dp4a" => self.dot_of_bytes(opcode, operands),
            _ => unknown(),
        }
    }

    fn dot_of_bytes(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
    ) -> Result<PureAction, String> {
        let signed = match opcode.types[..] {
            [a, b] => [a.is_signed(), b.is_signed()],
            _ => return unknown(),
        };
        self.map3(operands, move |a: u32, b: u32, c: u32| {
            (0..4).fold(c, |sum, at| {
                let [a, b] = [(a, signed[0]), (b, signed[1])].map(|(bytes, signed)| {
                    let byte = (bytes >> (8 * at)) as u8;
                    if signed {
                        i32::from(byte as i8)
                    } else {
                        i32::from(byte)
                    }
                });
                sum.wrapping_add((a * b) as u32)
            })
        })
    }

    /// `add.cc`, `addc`, `mad.lo.cc`, ... on unsigned numbers, which signed ones share.
    fn carrying(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
    ) -> Result<PureAction, String> {
        let is_wide = opcode.kind()?.bytes() == 8;
        let is_signed = opcode.kind()?.is_signed();
        let sets = opcode.has("cc");
        let takes = matches!(opcode.name, "addc" | "subc" | "madc");
        let subtracts = opcode.name.starts_with("sub");
        let high = opcode.has("hi");
        let bits = if is_wide { 64 } else { 32 };
        let Some((into, sources)) = operands.split_first() else {
            return unknown();
        };
        let into = self.write(into, is_wide)?;
        let sources = sources
            .iter()
            .map(|source| self.read(source, is_wide))
            .collect::<Result<Vec<_>, _>>()?;
        let multiplies = matches!(opcode.name, "mad" | "madc");
        if sources.len() != if multiplies { 3 } else { 2 } {
            return unknown();
        }
        Ok(Box::new(move |registers: &mut Registers, mask| {
            let load = |at: usize| {
                if is_wide {
                    u64::load(registers, sources[at])
                } else {
                    u32::load(registers, sources[at]).map(u64::from)
                }
            };
            let (first, second) = (load(0), load(1));
            let third = if multiplies { load(2) } else { second };
            let (mut values, mut carries) = ([0_u64; LANES], 0);
            for lane in 0..LANES {
                let carry = u128::from(takes && registers.carry >> lane & 1 == 1);
                let whole = 1_u128 << bits;
                let (a, b) = if multiplies {
                    let widen = |value: u64| match (is_signed, is_wide) {
                        (true, true) => i128::from(value as i64),
                        (true, false) => i128::from(value as u32 as i32),
                        _ => i128::from(value),
                    };
                    let product = if is_signed {
                        (widen(first[lane]) * widen(second[lane])) as u128
                    } else {
                        u128::from(first[lane]) * u128::from(second[lane])
                    };
                    let half = if high { product >> bits } else { product };
                    (half & (whole - 1), u128::from(third[lane]))
                } else {
                    (u128::from(first[lane]), u128::from(second[lane]))
                };
                let result = if subtracts {
                    whole + a - b - carry
                } else {
                    a + b + carry
                };
                let overflows = if subtracts {
                    result < whole
                } else {
                    result >= whole
                };
                values[lane] = (result & (whole - 1)) as u64;
                carries |= u32::from(overflows) << lane;
            }
            if is_wide {
                u64::store(registers, into, mask, &values);
            } else {
                u32::store(registers, into, mask, &values.map(|value| value as u32));
            }
            if sets {
                registers.carry = (registers.carry & !mask) | (carries & mask);
            }
        }))
    }
}
