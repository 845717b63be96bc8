//! `cvt`: between whole numbers of any width, between them and floating point, and between
//! floating-point types.

use super::float::round32;
use super::moves::store_integer;
use super::opcode::{Opcode, Rounding};
use super::program::PureAction;
use super::{Compiler, unknown};
use crate::execute::registers::{LANES, Lane, Registers, Slot};
use crate::ptx::types::{Operand, Type, Width};
use half::{bf16, f16};

/// Whole numbers of a type out of a register, widened as the type says.
pub(super) fn load_integer(
    registers: &Registers,
    (slot, width): (Slot, Width),
    kind: Type,
) -> [u64; LANES] {
    let bits = if width == Width::Bits64 {
        u64::load(registers, slot)
    } else {
        u32::load(registers, slot).map(u64::from)
    };
    bits.map(|bits| widen(bits, kind))
}

/// The low bits of a value as a whole number of a type.
pub(super) fn widen(bits: u64, kind: Type) -> u64 {
    match (kind.bytes(), kind.is_signed()) {
        (1, false) => u64::from(bits as u8),
        (1, true) => bits as i8 as u64,
        (2, false) => u64::from(bits as u16),
        (2, true) => bits as i16 as u64,
        (4, false) => u64::from(bits as u32),
        (4, true) => bits as i32 as u64,
        _ => bits,
    }
}

fn load_float(registers: &Registers, slot: Slot, kind: Type) -> [f64; LANES] {
    match kind {
        Type::F64 => f64::load(registers, slot),
        Type::F32 => f32::load(registers, slot).map(f64::from),
        Type::F16 => f16::load(registers, slot).map(f64::from),
        _ => bf16::load(registers, slot).map(f64::from),
    }
}

/// The half-precision number a value is rounded to.
fn narrowed<T: Copy>(
    value: f64,
    rounding: Rounding,
    nearest: fn(f64) -> T,
    wide: fn(T) -> f64,
    bits: fn(T) -> u16,
    from_bits: fn(u16) -> T,
) -> T {
    let near = nearest(value);
    let towards_zero = match rounding {
        Rounding::Nearest => return near,
        Rounding::Zero => true,
        Rounding::Down => value > 0.0,
        Rounding::Up => value < 0.0,
    };
    let found = wide(near);
    if value.is_nan() || found == value {
        near
    } else if towards_zero && found.abs() > value.abs() {
        from_bits(bits(near) - 1)
    } else if !towards_zero && found.abs() < value.abs() {
        from_bits(bits(near) + 1)
    } else {
        near
    }
}

/// `half` drops the lower half of an f64 before it rounds, and takes what lies just above the middle for
/// the middle. What is an f32 is rounded as one, exactly.
fn nearest_f16(value: f64) -> f16 {
    f16::from_f32(value as f32)
}

/// As above.
fn nearest_bf16(value: f64) -> bf16 {
    bf16::from_f32(value as f32)
}

fn to_f16(value: f64, rounding: Rounding) -> f16 {
    narrowed(
        value,
        rounding,
        nearest_f16,
        f16::to_f64,
        f16::to_bits,
        f16::from_bits,
    )
}

fn to_bf16(value: f64, rounding: Rounding) -> bf16 {
    narrowed(
        value,
        rounding,
        nearest_bf16,
        bf16::to_f64,
        bf16::to_bits,
        bf16::from_bits,
    )
}

fn store_float(
    registers: &mut Registers,
    slot: Slot,
    mask: u32,
    kind: Type,
    rounding: Rounding,
    values: &[f64; LANES],
) {
    match kind {
        Type::F64 => f64::store(registers, slot, mask, values),
        Type::F32 if rounding == Rounding::Nearest => {
            f32::store(registers, slot, mask, &values.map(|value| value as f32));
        }
        Type::F32 => {
            f32::store(
                registers,
                slot,
                mask,
                &values.map(|value| round32(value, 0.0, rounding)),
            );
        }
        Type::F16 => f16::store(
            registers,
            slot,
            mask,
            &values.map(|value| to_f16(value, rounding)),
        ),
        _ => bf16::store(
            registers,
            slot,
            mask,
            &values.map(|value| to_bf16(value, rounding)),
        ),
    }
}

/// Rounds to a whole number as `.rni`, `.rzi`, `.rmi` and `.rpi` say.
fn to_whole(opcode: &Opcode<'_>) -> Option<fn(f64) -> f64> {
    if opcode.has("rni") {
        Some(f64::round_ties_even)
    } else if opcode.has("rzi") {
        Some(f64::trunc)
    } else if opcode.has("rmi") {
        Some(f64::floor)
    } else if opcode.has("rpi") {
        Some(f64::ceil)
    } else {
        None
    }
}

impl Compiler<'_> {
    pub(super) fn conversion(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
    ) -> Result<PureAction, String> {
        let [to, from] = opcode.types[..] else {
            return unknown();
        };
        if matches!(to, Type::Bf16 | Type::Bf16x2) || from == Type::Bf16 {
            // Only bf16 to f32 is a shift, which every card can do.
            if to != Type::F32 {
                self.needs(80)?;
            }
        }
        if opcode.modifiers.contains(&"tf32") {
            return self.map1(operands, |a: f32| {
                // Ten bits of the fraction, ties away from zero.
                f32::from_bits(a.to_bits().wrapping_add(0x1000) & !0x1FFF)
            });
        }
        if matches!(to, Type::F16x2 | Type::Bf16x2) {
            return self.packed_conversion(opcode, operands, to, from);
        }
        match (to.is_float(), from.is_float()) {
            (false, false) => self.whole_to_whole(opcode, operands, to, from),
            (true, false) => self.whole_to_float(opcode, operands, to, from),
            (false, true) => self.float_to_whole(opcode, operands, to, from),
            (true, true) => self.float_to_float(opcode, operands, to, from),
        }
    }

    fn packed_conversion(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
        to: Type,
        from: Type,
    ) -> Result<PureAction, String> {
        if from != Type::F32 || opcode.has("satfinite") {
            return unknown();
        }
        let (rounding, relu) = (opcode.rounding(), opcode.has("relu"));
        // The first source becomes the upper half.
        self.map2(operands, move |high: f32, low: f32| {
            let [high, low] = [high, low].map(|value| {
                let value = f64::from(if relu && value < 0.0 { 0.0 } else { value });
                let bits = match to {
                    Type::F16x2 => to_f16(value, rounding).to_bits(),
                    _ => to_bf16(value, rounding).to_bits(),
                };
                u32::from(bits)
            });
            high << 16 | low
        })
    }

    /// A source with its width, for types narrower than their register.
    fn integer_source(&mut self, operand: &Operand, kind: Type) -> Result<(Slot, Width), String> {
        match self.width_of(operand) {
            Some(Width::Bits64) => Ok((self.read(operand, true)?, Width::Bits64)),
            Some(width) => Ok((self.read(operand, false)?, width)),
            None if kind.bytes() == 8 => Ok((self.read(operand, true)?, Width::Bits64)),
            None => Ok((self.read(operand, false)?, Width::Bits32)),
        }
    }

    fn whole_to_whole(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
        to: Type,
        from: Type,
    ) -> Result<PureAction, String> {
        let [into, source] = operands else {
            return unknown();
        };
        let into = self.integer_target(into)?;
        let source = self.integer_source(source, from)?;
        if opcode.has("sat") {
            let bits = 8 * to.bytes() as u32;
            let (low, high) = if to.is_signed() {
                (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1)
            } else {
                (0, (1_i128 << bits) - 1)
            };
            return Ok(Box::new(move |registers: &mut Registers, mask| {
                let values = load_integer(registers, source, from).map(|value| {
                    let value = if from.is_signed() {
                        i128::from(value as i64)
                    } else {
                        i128::from(value)
                    };
                    value.clamp(low, high) as u64
                });
                store_integer(registers, into, mask, &values);
            }));
        }
        Ok(Box::new(move |registers: &mut Registers, mask| {
            let values = load_integer(registers, source, from).map(|value| widen(value, to));
            store_integer(registers, into, mask, &values);
        }))
    }

    fn whole_to_float(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
        to: Type,
        from: Type,
    ) -> Result<PureAction, String> {
        let [into, source] = operands else {
            return unknown();
        };
        let into = self.write(into, to == Type::F64)?;
        let source = self.integer_source(source, from)?;
        let rounding = opcode.rounding();
        if to == Type::F32 && rounding == Rounding::Nearest {
            return Ok(Box::new(move |registers: &mut Registers, mask| {
                let values = load_integer(registers, source, from).map(|value| {
                    if from.is_signed() {
                        value as i64 as f32
                    } else {
                        value as f32
                    }
                });
                f32::store(registers, into, mask, &values);
            }));
        }
        if from.bytes() == 8 && rounding != Rounding::Nearest {
            // A number of 64 bits and its directed rounding: in two exact parts.
            return Ok(Box::new(move |registers: &mut Registers, mask| {
                let values = load_integer(registers, source, from);
                let values: [f64; LANES] = values.map(|value| {
                    let exact = if from.is_signed() {
                        i128::from(value as i64)
                    } else {
                        i128::from(value)
                    };
                    let near = exact as f64;
                    let rest = exact - near as i128;
                    let step = match rounding {
                        Rounding::Down if rest < 0 => near.next_down(),
                        Rounding::Up if rest > 0 => near.next_up(),
                        Rounding::Zero if rest < 0 && near > 0.0 => near.next_down(),
                        Rounding::Zero if rest > 0 && near < 0.0 => near.next_up(),
                        _ => near,
                    };
                    if to == Type::F32 {
                        f64::from(round32(near, rest as f64, rounding))
                    } else {
                        step
                    }
                });
                store_float(registers, into, mask, to, Rounding::Nearest, &values);
            }));
        }
        Ok(Box::new(move |registers: &mut Registers, mask| {
            let values = load_integer(registers, source, from).map(|value| {
                if from.is_signed() {
                    value as i64 as f64
                } else {
                    value as f64
                }
            });
            store_float(registers, into, mask, to, rounding, &values);
        }))
    }

    fn float_to_whole(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
        to: Type,
        from: Type,
    ) -> Result<PureAction, String> {
        let [into, source] = operands else {
            return unknown();
        };
        let into = self.integer_target(into)?;
        let source = self.read(source, from == Type::F64)?;
        let whole = to_whole(opcode).unwrap_or(f64::trunc);
        Ok(Box::new(move |registers: &mut Registers, mask| {
            let values = load_float(registers, source, from).map(|value| {
                let value = whole(value);
                // Out of range is the nearest that there is, and a NaN is zero.
                match (to.bytes(), to.is_signed()) {
                    (1, true) => value as i8 as u64,
                    (1, false) => u64::from(value as u8),
                    (2, true) => value as i16 as u64,
                    (2, false) => u64::from(value as u16),
                    (4, true) => value as i32 as u64,
                    (4, false) => u64::from(value as u32),
                    (_, true) => value as i64 as u64,
                    _ => value as u64,
                }
            });
            store_integer(registers, into, mask, &values);
        }))
    }

    fn float_to_float(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
        to: Type,
        from: Type,
    ) -> Result<PureAction, String> {
        let [into, source] = operands else {
            return unknown();
        };
        let into = self.write(into, to == Type::F64)?;
        let source = self.read(source, from == Type::F64)?;
        let whole = to_whole(opcode);
        let (sat, relu) = (opcode.has("sat"), opcode.has("relu"));
        let rounding = opcode.rounding();
        Ok(Box::new(move |registers: &mut Registers, mask| {
            let values = load_float(registers, source, from).map(|value| {
                let value = whole.map_or(value, |whole| whole(value));
                match (sat, relu) {
                    (true, _) if value > 0.0 => value.min(1.0),
                    (true, _) => 0.0,
                    (_, true) if value < 0.0 => 0.0,
                    _ => value,
                }
            });
            store_float(registers, into, mask, to, rounding, &values);
        }))
    }
}
