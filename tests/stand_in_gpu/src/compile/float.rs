//! Floating-point numbers. What a GPU approximates (`ex2.approx`, `rcp.approx`, ...) is computed in
//! double precision and rounded once; subnormal numbers are kept even where `.ftz` would drop them.

use super::opcode::{Opcode, Rounding};
use super::program::PureAction;
use super::{Compiler, unknown};
use crate::execute::registers::{Lane, Packed};
use crate::ptx::types::{Operand, Type};
use half::{bf16, f16};

/// Rounds the exact value `near + rest` to single precision.
pub(super) fn round32(near: f64, rest: f64, rounding: Rounding) -> f32 {
    let value = near as f32;
    if !value.is_finite() || !near.is_finite() {
        return match rounding {
            // What overflows when rounded down stays the largest number.
            Rounding::Zero | Rounding::Down if near.is_finite() && near > 0.0 => f32::MAX,
            Rounding::Zero | Rounding::Up if near.is_finite() && near < 0.0 => f32::MIN,
            _ => value,
        };
    }
    let difference = near - f64::from(value);
    let beyond = if difference == 0.0 { rest } else { difference };
    let (above, below) = (beyond > 0.0, beyond < 0.0);
    match rounding {
        Rounding::Nearest => value,
        Rounding::Down if below => value.next_down(),
        Rounding::Up if above => value.next_up(),
        Rounding::Zero if below && value > 0.0 => value.next_down(),
        Rounding::Zero if above && value < 0.0 => value.next_up(),
        _ => value,
    }
}

/// What is lost when `a + b` is rounded to `sum`.
fn lost(a: f64, b: f64, sum: f64) -> f64 {
    let from_b = sum - a;
    (a - (sum - from_b)) + (b - from_b)
}

/// `a * b + c`, rounded once to the nearest. The product is exact in double precision; the sum is
/// made odd where it is not, so that rounding it again gives what rounding once would.
#[inline]
fn fused(a: f32, b: f32, c: f32) -> f32 {
    let product = f64::from(a) * f64::from(b);
    let c = f64::from(c);
    let sum = product + c;
    let rest = lost(product, c, sum);
    let bits = sum.to_bits();
    let inexact = rest.abs() > 0.0 && bits & 1 == 0;
    let away = (rest > 0.0) == (sum > 0.0);
    let odd = if away {
        bits.wrapping_add(1)
    } else {
        bits.wrapping_sub(1)
    };
    f64::from_bits(if inexact { odd } else { bits }) as f32
}

fn saturate(value: f32) -> f32 {
    // A NaN becomes zero.
    if value > 0.0 { value.min(1.0) } else { 0.0 }
}

macro_rules! extremes {
    ($kind:ty, $bits:ty, $smaller:ident, $larger:ident) => {
        fn $smaller(a: $kind, b: $kind) -> $kind {
            if a.is_nan() {
                b
            } else if b.is_nan() || a < b {
                a
            } else if b < a {
                b
            } else {
                <$kind>::from_bits(a.to_bits() | b.to_bits())
            }
        }
        fn $larger(a: $kind, b: $kind) -> $kind {
            if a.is_nan() {
                b
            } else if b.is_nan() || a > b {
                a
            } else if b > a {
                b
            } else {
                <$kind>::from_bits(a.to_bits() & b.to_bits())
            }
        }
    };
}
extremes!(f32, u32, smaller32, larger32);
extremes!(f64, u64, smaller64, larger64);

/// A half-precision type: computed in single precision and rounded, which is exact for one operation.
trait Half: Lane + PartialOrd {
    fn wide(self) -> f32;
    fn narrow(value: f32) -> Self;
    fn narrow64(value: f64) -> Self;
    const SIGN: u16 = 0x8000;
    fn from_raw(bits: u16) -> Self;
    fn raw(self) -> u16;
}

macro_rules! half {
    ($kind:ty) => {
        impl Half for $kind {
            fn wide(self) -> f32 {
                self.to_f32()
            }
            fn narrow(value: f32) -> Self {
                Self::from_f32(value)
            }
            fn narrow64(value: f64) -> Self {
                Self::from_f32(value as f32)
            }
            fn from_raw(bits: u16) -> Self {
                Self::from_bits(bits)
            }
            fn raw(self) -> u16 {
                self.to_bits()
            }
        }
    };
}
half!(f16);
half!(bf16);

enum Operation<T> {
    One(fn(T) -> T),
    Two(fn(T, T) -> T),
    Three(fn(T, T, T) -> T),
}

fn half_operation<T: Half>(opcode: &Opcode<'_>) -> Option<Operation<T>> {
    use Operation::{One, Three, Two};
    let keeps_nan = opcode.has("NaN");
    Some(match opcode.name {
        "add" => Two(|a, b| T::narrow(a.wide() + b.wide())),
        "sub" => Two(|a, b| T::narrow(a.wide() - b.wide())),
        "mul" => Two(|a, b| T::narrow(a.wide() * b.wide())),
        "fma" if opcode.has("relu") => Three(|a, b, c| {
            let value = f64::from(a.wide()) * f64::from(b.wide()) + f64::from(c.wide());
            T::narrow64(if value < 0.0 { 0.0 } else { value })
        }),
        "fma" => Three(|a, b, c| {
            T::narrow64(f64::from(a.wide()) * f64::from(b.wide()) + f64::from(c.wide()))
        }),
        "min" if keeps_nan => Two(|a, b| match (a.wide(), b.wide()) {
            (a, b) if a.is_nan() || b.is_nan() => T::narrow(f32::NAN),
            (a, b) => T::narrow(smaller32(a, b)),
        }),
        "max" if keeps_nan => Two(|a, b| match (a.wide(), b.wide()) {
            (a, b) if a.is_nan() || b.is_nan() => T::narrow(f32::NAN),
            (a, b) => T::narrow(larger32(a, b)),
        }),
        "min" => Two(|a, b| T::narrow(smaller32(a.wide(), b.wide()))),
        "max" => Two(|a, b| T::narrow(larger32(a.wide(), b.wide()))),
        "neg" => One(|a| T::from_raw(a.raw() ^ T::SIGN)),
        "abs" => One(|a| T::from_raw(a.raw() & !T::SIGN)),
        "ex2" => One(|a| T::narrow64(f64::from(a.wide()).exp2())),
        "tanh" => One(|a| T::narrow64(f64::from(a.wide()).tanh())),
        _ => return None,
    })
}

impl Compiler<'_> {
    pub(super) fn float(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
    ) -> Result<PureAction, String> {
        match opcode.kind()? {
            Type::F32 => self.single(opcode, operands),
            Type::F64 => self.double(opcode, operands),
            Type::F16 => self.half::<f16>(opcode, operands),
            Type::Bf16 => {
                self.needs(80)?;
                self.half::<bf16>(opcode, operands)
            }
            Type::F16x2 => self.packed_halves::<f16>(opcode, operands),
            _ => {
                self.needs(80)?;
                self.packed_halves::<bf16>(opcode, operands)
            }
        }
    }

    fn half<T: Half>(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
    ) -> Result<PureAction, String> {
        if opcode.has("sat") {
            return unknown();
        }
        match half_operation::<T>(opcode) {
            Some(Operation::One(compute)) => self.map1(operands, compute),
            Some(Operation::Two(compute)) => self.map2(operands, compute),
            Some(Operation::Three(compute)) => self.map3(operands, compute),
            None => unknown(),
        }
    }

    fn packed_halves<T: Half>(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
    ) -> Result<PureAction, String>
    where
        Packed<T>: Lane,
    {
        if opcode.has("sat") {
            return unknown();
        }
        match half_operation::<T>(opcode) {
            Some(Operation::One(compute)) => self.map1(operands, move |a: Packed<T>| {
                Packed(compute(a.0), compute(a.1))
            }),
            Some(Operation::Two(compute)) => self
                .map2(operands, move |a: Packed<T>, b: Packed<T>| {
                    Packed(compute(a.0, b.0), compute(a.1, b.1))
                }),
            Some(Operation::Three(compute)) => {
                self.map3(operands, move |a: Packed<T>, b: Packed<T>, c: Packed<T>| {
                    Packed(compute(a.0, b.0, c.0), compute(a.1, b.1, c.1))
                })
            }
            None => unknown(),
        }
    }

    fn single(&mut self, opcode: &Opcode<'_>, operands: &[Operand]) -> Result<PureAction, String> {
        let rounding = opcode.rounding();
        let nearest = rounding == Rounding::Nearest;
        let exact = |compute: fn(f64) -> f64| move |a: f32| compute(f64::from(a)) as f32;
        if opcode.has("sat") {
            return match opcode.name {
                "add" => self.map2(operands, |a: f32, b: f32| saturate(a + b)),
                "sub" => self.map2(operands, |a: f32, b: f32| saturate(a - b)),
                "mul" => self.map2(operands, |a: f32, b: f32| saturate(a * b)),
                "fma" | "mad" => self.map3(operands, |a: f32, b, c| saturate(fused(a, b, c))),
                _ => unknown(),
            };
        }
        match opcode.name {
            "add" if nearest => self.map2(operands, |a: f32, b: f32| a + b),
            "sub" if nearest => self.map2(operands, |a: f32, b: f32| a - b),
            "mul" if nearest => self.map2(operands, |a: f32, b: f32| a * b),
            "fma" | "mad" if nearest => self.map3(operands, fused),
            "add" | "sub" => {
                let sign = if opcode.name == "sub" { -1.0 } else { 1.0 };
                self.map2(operands, move |a: f32, b: f32| {
                    let (a, b) = (f64::from(a), sign * f64::from(b));
                    round32(a + b, lost(a, b, a + b), rounding)
                })
            }
            "mul" => self.map2(operands, move |a: f32, b: f32| {
                round32(f64::from(a) * f64::from(b), 0.0, rounding)
            }),
            "fma" | "mad" => self.map3(operands, move |a: f32, b: f32, c: f32| {
                let (product, c) = (f64::from(a) * f64::from(b), f64::from(c));
                round32(product + c, lost(product, c, product + c), rounding)
            }),
            "div" if nearest => self.map2(operands, |a: f32, b: f32| a / b),
            "div" => self.map2(operands, move |a: f32, b: f32| {
                let (a, b) = (f64::from(a), f64::from(b));
                let quotient = a / b;
                // What is left has the sign of what the quotient lacks, turned by the divisor's.
                let rest = (-quotient).mul_add(b, a) * b.signum();
                round32(quotient, rest, rounding)
            }),
            "rcp" if nearest => self.map1(operands, |a: f32| 1.0 / a),
            "sqrt" if nearest => self.map1(operands, |a: f32| a.sqrt()),
            "rsqrt" => self.map1(operands, exact(|a| 1.0 / a.sqrt())),
            "ex2" => self.map1(operands, exact(f64::exp2)),
            "lg2" => self.map1(operands, exact(f64::log2)),
            "sin" => self.map1(operands, exact(f64::sin)),
            "cos" => self.map1(operands, exact(f64::cos)),
            "tanh" => self.map1(operands, exact(f64::tanh)),
            "min" if opcode.has("NaN") => self.map2(operands, |a: f32, b: f32| {
                if a.is_nan() || b.is_nan() {
                    f32::NAN
                } else {
                    smaller32(a, b)
                }
            }),
            "max" if opcode.has("NaN") => self.map2(operands, |a: f32, b: f32| {
                if a.is_nan() || b.is_nan() {
                    f32::NAN
                } else {
                    larger32(a, b)
                }
            }),
            "min" => self.map2(operands, smaller32),
            "max" => self.map2(operands, larger32),
            "abs" => self.map1(operands, |a: f32| a.abs()),
            "neg" => self.map1(operands, |a: f32| -a),
            "copysign" => self.map2(operands, |sign: f32, a: f32| a.copysign(sign)),
            _ => unknown(),
        }
    }

    fn double(&mut self, opcode: &Opcode<'_>, operands: &[Operand]) -> Result<PureAction, String> {
        let rounding = opcode.rounding();
        if opcode.has("sat") {
            return unknown();
        }
        if rounding != Rounding::Nearest {
            let sign = if opcode.name == "sub" { -1.0 } else { 1.0 };
            let step = move |value: f64, rest: f64| match rounding {
                Rounding::Down if rest < 0.0 => value.next_down(),
                Rounding::Up if rest > 0.0 => value.next_up(),
                Rounding::Zero if rest < 0.0 && value > 0.0 => value.next_down(),
                Rounding::Zero if rest > 0.0 && value < 0.0 => value.next_up(),
                _ => value,
            };
            return match opcode.name {
                "add" | "sub" => self.map2(operands, move |a: f64, b: f64| {
                    step(a + sign * b, lost(a, sign * b, a + sign * b))
                }),
                "mul" => self.map2(operands, move |a: f64, b: f64| {
                    step(a * b, a.mul_add(b, -(a * b)))
                }),
                _ => unknown(),
            };
        }
        match opcode.name {
            "add" => self.map2(operands, |a: f64, b: f64| a + b),
            "sub" => self.map2(operands, |a: f64, b: f64| a - b),
            "mul" => self.map2(operands, |a: f64, b: f64| a * b),
            "fma" | "mad" => self.map3(operands, |a: f64, b: f64, c: f64| a.mul_add(b, c)),
            "div" => self.map2(operands, |a: f64, b: f64| a / b),
            "rcp" => self.map1(operands, |a: f64| 1.0 / a),
            "sqrt" => self.map1(operands, |a: f64| a.sqrt()),
            "rsqrt" => self.map1(operands, |a: f64| 1.0 / a.sqrt()),
            "min" => self.map2(operands, smaller64),
            "max" => self.map2(operands, larger64),
            "abs" => self.map1(operands, |a: f64| a.abs()),
            "neg" => self.map1(operands, |a: f64| -a),
            "copysign" => self.map2(operands, |sign: f64, a: f64| a.copysign(sign)),
            _ => unknown(),
        }
    }
}
