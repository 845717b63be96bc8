//! Comparisons into predicates and numbers, and choices between two values.

use super::opcode::Opcode;
use super::program::PureAction;
use super::{Compiler, unknown};
use crate::execute::registers::{LANES, Lane, Packed, Registers, Slot};
use crate::ptx::types::{Operand, Type};
use half::{bf16, f16};

/// Compares all threads' values: one bit each, or two for packed values.
type Comparison = Box<dyn Fn(&Registers) -> [u32; 2] + Send + Sync>;

const OPERATORS: [&str; 18] = [
    "eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs", "equ", "neu", "ltu", "leu", "gtu",
    "geu", "num", "nan",
];

fn compares<T: PartialOrd + Copy>(operator: &str) -> Option<fn(T, T) -> bool> {
    fn unordered<T: PartialOrd>(a: T, b: T) -> bool {
        a.partial_cmp(&b).is_none()
    }
    Some(match operator {
        "eq" => |a, b| a == b,
        "ne" => |a, b| a != b && !unordered(a, b),
        "lt" | "lo" => |a, b| a < b,
        "le" | "ls" => |a, b| a <= b,
        "gt" | "hi" => |a, b| a > b,
        "ge" | "hs" => |a, b| a >= b,
        "equ" => |a, b| a == b || unordered(a, b),
        "neu" => |a, b| a != b,
        "ltu" => |a, b| a < b || unordered(a, b),
        "leu" => |a, b| a <= b || unordered(a, b),
        "gtu" => |a, b| a > b || unordered(a, b),
        "geu" => |a, b| a >= b || unordered(a, b),
        "num" => |a, b| !unordered(a, b),
        "nan" => |a, b| unordered(a, b),
        _ => return None,
    })
}

fn bits_of(holds: impl Fn(usize) -> bool) -> u32 {
    (0..LANES).fold(0, |bits, lane| bits | u32::from(holds(lane)) << lane)
}

impl Compiler<'_> {
    fn plain<T: Lane + PartialOrd>(
        &mut self,
        operator: &str,
        a: &Operand,
        b: &Operand,
    ) -> Result<Comparison, String> {
        let compare = compares::<T>(operator).ok_or("the comparison is not known")?;
        let (a, b) = (self.read_as::<T>(a)?, self.read_as::<T>(b)?);
        Ok(Box::new(move |registers| {
            let (a, b) = (T::load(registers, a), T::load(registers, b));
            [bits_of(|lane| compare(a[lane], b[lane])); 2]
        }))
    }

    fn packed<T: PartialOrd + Copy + 'static>(
        &mut self,
        operator: &str,
        a: &Operand,
        b: &Operand,
    ) -> Result<Comparison, String>
    where
        Packed<T>: Lane,
    {
        let compare = compares::<T>(operator).ok_or("the comparison is not known")?;
        let (a, b) = (self.read(a, false)?, self.read(b, false)?);
        Ok(Box::new(move |registers| {
            let (a, b) = (
                Packed::<T>::load(registers, a),
                Packed::<T>::load(registers, b),
            );
            [
                bits_of(|lane| compare(a[lane].0, b[lane].0)),
                bits_of(|lane| compare(a[lane].1, b[lane].1)),
            ]
        }))
    }

    fn compared(
        &mut self,
        opcode: &Opcode<'_>,
        a: &Operand,
        b: &Operand,
    ) -> Result<Comparison, String> {
        let operator = opcode
            .modifiers
            .iter()
            .find(|part| OPERATORS.contains(part));
        let operator = *operator.ok_or("the comparison is missing")?;
        match opcode.kind()? {
            Type::U16 | Type::B16 => self.plain::<u16>(operator, a, b),
            Type::S16 => self.plain::<i16>(operator, a, b),
            Type::U32 | Type::B32 => self.plain::<u32>(operator, a, b),
            Type::S32 => self.plain::<i32>(operator, a, b),
            Type::U64 | Type::B64 => self.plain::<u64>(operator, a, b),
            Type::S64 => self.plain::<i64>(operator, a, b),
            Type::F16 => self.plain::<f16>(operator, a, b),
            Type::Bf16 => self.plain::<bf16>(operator, a, b),
            Type::F32 => self.plain::<f32>(operator, a, b),
            Type::F64 => self.plain::<f64>(operator, a, b),
            Type::F16x2 => self.packed::<f16>(operator, a, b),
            Type::Bf16x2 => self.packed::<bf16>(operator, a, b),
            _ => unknown(),
        }
    }

    pub(super) fn comparison(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
    ) -> Result<PureAction, String> {
        match opcode.name {
            "setp" => self.set_predicates(opcode, operands),
            "set" => self.set_number(opcode, operands),
            "selp" => self.select(opcode, operands),
            "slct" => self.select_by_sign(opcode, operands),
            _ => self.test(opcode, operands),
        }
    }

    fn set_predicates(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
    ) -> Result<PureAction, String> {
        let (into, a, b, with) = match operands {
            [into, a, b] => (into, a, b, Slot::ALWAYS),
            [into, a, b, with] => (into, a, b, self.predicate(with)?),
            _ => return unknown(),
        };
        let combine: fn(u32, u32) -> u32 = if opcode.has("or") {
            |a, b| a | b
        } else if opcode.has("xor") {
            |a, b| a ^ b
        } else {
            |a, b| a & b
        };
        let packed = matches!(opcode.kind()?, Type::F16x2 | Type::Bf16x2);
        let compare = self.compared(opcode, a, b)?;
        let (first, second) = match into {
            Operand::Pair(first, second) => (
                self.write_predicate(first)?,
                Some(self.write_predicate(second)?),
            ),
            _ => (self.write_predicate(into)?, None),
        };
        Ok(Box::new(move |registers: &mut Registers, mask| {
            let [low, high] = compare(registers);
            let with = registers.predicate(with);
            registers.set_predicate(first, mask, combine(low, with));
            if let Some(second) = second {
                let bits = if packed { high } else { !low };
                registers.set_predicate(second, mask, combine(bits, with));
            }
        }))
    }

    fn set_number(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
    ) -> Result<PureAction, String> {
        let [into, a, b] = operands else {
            return unknown();
        };
        let target = *opcode.types.first().ok_or("a type is missing")?;
        let compare = self.compared(opcode, a, b)?;
        let into = self.write(into, false)?;
        let (low, high) = match target {
            Type::U32 | Type::S32 | Type::B32 => (u32::MAX, 0),
            Type::F32 => (1.0_f32.to_bits(), 0),
            Type::F16 => (u32::from(f16::ONE.to_bits()), 0),
            Type::Bf16 => (u32::from(bf16::ONE.to_bits()), 0),
            Type::U16 | Type::S16 => (0xFFFF, 0),
            Type::F16x2 => (
                u32::from(f16::ONE.to_bits()),
                u32::from(f16::ONE.to_bits()) << 16,
            ),
            Type::Bf16x2 => (
                u32::from(bf16::ONE.to_bits()),
                u32::from(bf16::ONE.to_bits()) << 16,
            ),
            _ => return unknown(),
        };
        // Packed values compared into a whole number give a half of ones each.
        let halves = matches!(opcode.kind()?, Type::F16x2 | Type::Bf16x2)
            && !matches!(target, Type::F16x2 | Type::Bf16x2);
        let (low, high) = if halves {
            (0xFFFF, 0xFFFF_0000)
        } else {
            (low, high)
        };
        Ok(Box::new(move |registers: &mut Registers, mask| {
            let [first, second] = compare(registers);
            let values: [u32; LANES] = std::array::from_fn(|lane| {
                let pick = |bits: u32, value: u32| if bits >> lane & 1 == 1 { value } else { 0 };
                pick(first, low) | pick(second, high)
            });
            u32::store(registers, into, mask, &values);
        }))
    }

    fn select(&mut self, opcode: &Opcode<'_>, operands: &[Operand]) -> Result<PureAction, String> {
        fn choose<T: Lane>(
            compiler: &mut Compiler<'_>,
            operands: &[Operand],
        ) -> Result<PureAction, String> {
            let [into, a, b, by] = operands else {
                return unknown();
            };
            let into = compiler.write_as::<T>(into)?;
            let (a, b) = (compiler.read_as::<T>(a)?, compiler.read_as::<T>(b)?);
            let by = compiler.predicate(by)?;
            Ok(Box::new(move |registers: &mut Registers, mask| {
                let (a, b) = (T::load(registers, a), T::load(registers, b));
                let by = registers.predicate(by);
                let values: [T; LANES] = std::array::from_fn(|lane| {
                    if by & (1 << lane) != 0 {
                        a[lane]
                    } else {
                        b[lane]
                    }
                });
                T::store(registers, into, mask, &values);
            }))
        }
        match opcode.kind()?.bytes() {
            8 => choose::<u64>(self, operands),
            4 => choose::<u32>(self, operands),
            _ => choose::<u16>(self, operands),
        }
    }

    fn select_by_sign(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
    ) -> Result<PureAction, String> {
        let [kind, by] = opcode.types[..] else {
            return unknown();
        };
        match (kind.bytes(), by) {
            (8, Type::S32) => self.map3(
                operands,
                |a: u64, b: u64, c: i32| if c >= 0 { a } else { b },
            ),
            (8, Type::F32) => self.map3(
                operands,
                |a: u64, b: u64, c: f32| if c >= 0.0 { a } else { b },
            ),
            (4, Type::S32) => self.map3(
                operands,
                |a: u32, b: u32, c: i32| if c >= 0 { a } else { b },
            ),
            (4, Type::F32) => self.map3(
                operands,
                |a: u32, b: u32, c: f32| if c >= 0.0 { a } else { b },
            ),
            _ => unknown(),
        }
    }

    fn test(&mut self, opcode: &Opcode<'_>, operands: &[Operand]) -> Result<PureAction, String> {
        use std::num::FpCategory::{Infinite, Nan, Normal, Subnormal};
        let [into, a] = operands else {
            return unknown();
        };
        let wide = opcode.kind()? == Type::F64;
        let into = self.write_predicate(into)?;
        let a = self.read(a, wide)?;
        let what = *opcode.modifiers.first().ok_or("what to test is missing")?;
        let holds: fn(std::num::FpCategory) -> bool = match what {
            "finite" => |kind| !matches!(kind, Infinite | Nan),
            "infinite" => |kind| kind == Infinite,
            "number" => |kind| kind != Nan,
            "notanumber" => |kind| kind == Nan,
            "normal" => |kind| kind == Normal,
            "subnormal" => |kind| kind == Subnormal,
            _ => return unknown(),
        };
        Ok(Box::new(move |registers: &mut Registers, mask| {
            let bits = if wide {
                let a = f64::load(registers, a);
                bits_of(|lane| holds(a[lane].classify()))
            } else {
                let a = f32::load(registers, a);
                bits_of(|lane| holds(a[lane].classify()))
            };
            registers.set_predicate(into, mask, bits);
        }))
    }
}
