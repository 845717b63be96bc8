//! The registers of a warp. The 32 values of a register lie side by side, so that one instruction is
//! a loop that the compiler turns into vector instructions; a predicate is one bit per thread.

use half::{bf16, f16};

/// Threads in a warp.
pub const LANES: usize = 32;

/// The 32-bit values of one register. A register of 64 bits takes two of these in a row.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub struct Row(pub [u32; LANES]);

/// Where a register is: its first row, or for a predicate its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(pub u32);

/// The bit of a predicate's slot that says that it is read negated.
const NEGATED: u32 = 1 << 31;

impl Slot {
    /// The predicate that holds for every thread.
    pub const ALWAYS: Self = Self(0);

    /// The same predicate, read the other way round.
    pub fn negated(self) -> Self {
        Self(self.0 ^ NEGATED)
    }
}

/// The registers of one warp.
pub struct Registers {
    rows: Vec<Row>,
    predicates: Vec<u32>,
    /// The carry flag of each thread.
    pub carry: u32,
}

impl Registers {
    /// Registers for a program; the first predicate always holds.
    pub fn new(rows: u32, predicates: u32) -> Self {
        let mut predicates = vec![0; predicates.max(1) as usize];
        predicates[0] = u32::MAX;
        // A register that is read before it is written shows.
        Self {
            rows: vec![Row([u32::MAX; LANES]); rows as usize],
            predicates,
            carry: 0,
        }
    }

    /// A predicate, one bit per thread.
    #[inline]
    pub fn predicate(&self, slot: Slot) -> u32 {
        let bits = self.predicates[(slot.0 & !NEGATED) as usize];
        if slot.0 & NEGATED == 0 { bits } else { !bits }
    }

    /// Sets a predicate for the threads of `mask`.
    #[inline]
    pub fn set_predicate(&mut self, slot: Slot, mask: u32, bits: u32) {
        let place = &mut self.predicates[slot.0 as usize];
        *place = (*place & !mask) | (bits & mask);
    }

    #[inline]
    fn load32(&self, slot: Slot) -> [u32; LANES] {
        self.rows[slot.0 as usize].0
    }

    #[inline]
    fn store32(&mut self, slot: Slot, mask: u32, values: &[u32; LANES]) {
        let row = &mut self.rows[slot.0 as usize].0;
        if mask == u32::MAX {
            *row = *values;
        } else {
            for lane in 0..LANES {
                row[lane] = if mask & (1 << lane) != 0 {
                    values[lane]
                } else {
                    row[lane]
                };
            }
        }
    }

    #[inline]
    fn pair(&self, slot: Slot) -> *const [u64; LANES] {
        let at = slot.0 as usize;
        self.rows[at..at + 2].as_ptr().cast()
    }

    #[inline]
    fn load64(&self, slot: Slot) -> [u64; LANES] {
        // SAFETY: `pair` has checked that two rows of 128 bytes begin there; they are aligned to 64.
        unsafe { *self.pair(slot) }
    }

    #[inline]
    fn store64(&mut self, slot: Slot, mask: u32, values: &[u64; LANES]) {
        let at = slot.0 as usize;
        let pair: *mut [u64; LANES] = self.rows[at..at + 2].as_mut_ptr().cast();
        // SAFETY: the two rows exist, are aligned to 64 and are borrowed mutably.
        let pair = unsafe { &mut *pair };
        if mask == u32::MAX {
            *pair = *values;
        } else {
            for lane in 0..LANES {
                pair[lane] = if mask & (1 << lane) != 0 {
                    values[lane]
                } else {
                    pair[lane]
                };
            }
        }
    }
}

/// A type whose values lie in registers.
pub trait Lane: Copy + 'static {
    /// Whether a register of 64 bits holds it.
    const IS_WIDE: bool;
    /// All bits zero.
    const ZERO: Self;
    /// The values of all threads.
    fn load(registers: &Registers, slot: Slot) -> [Self; LANES];
    /// Sets the values of the threads of `mask`.
    fn store(registers: &mut Registers, slot: Slot, mask: u32, values: &[Self; LANES]);
}

macro_rules! lane32 {
    ($kind:ty, $zero:expr, $from:expr, $to:expr) => {
        impl Lane for $kind {
            const IS_WIDE: bool = false;
            const ZERO: Self = $zero;
            #[inline]
            fn load(registers: &Registers, slot: Slot) -> [Self; LANES] {
                // Loops, because `map` on arrays of this length is not made into vector instructions.
                let bits = registers.load32(slot);
                let mut values = [Self::ZERO; LANES];
                for lane in 0..LANES {
                    values[lane] = $from(bits[lane]);
                }
                values
            }
            #[inline]
            fn store(registers: &mut Registers, slot: Slot, mask: u32, values: &[Self; LANES]) {
                let mut bits = [0; LANES];
                for lane in 0..LANES {
                    bits[lane] = $to(values[lane]);
                }
                registers.store32(slot, mask, &bits);
            }
        }
    };
}
macro_rules! lane64 {
    ($kind:ty, $zero:expr, $from:expr, $to:expr) => {
        impl Lane for $kind {
            const IS_WIDE: bool = true;
            const ZERO: Self = $zero;
            #[inline]
            fn load(registers: &Registers, slot: Slot) -> [Self; LANES] {
                // Loops, because `map` on arrays of this length is not made into vector instructions.
                let bits = registers.load64(slot);
                let mut values = [Self::ZERO; LANES];
                for lane in 0..LANES {
                    values[lane] = $from(bits[lane]);
                }
                values
            }
            #[inline]
            fn store(registers: &mut Registers, slot: Slot, mask: u32, values: &[Self; LANES]) {
                let mut bits = [0; LANES];
                for lane in 0..LANES {
                    bits[lane] = $to(values[lane]);
                }
                registers.store64(slot, mask, &bits);
            }
        }
    };
}

lane32!(u32, 0, |bits: u32| bits, |value: u32| value);
lane32!(i32, 0, |bits: u32| bits as i32, |value: i32| value as u32);
lane32!(f32, 0.0, f32::from_bits, f32::to_bits);
lane32!(u16, 0, |bits: u32| bits as u16, u32::from);
lane32!(i16, 0, |bits: u32| bits as i16, |value: i16| u32::from(
    value as u16
));
lane32!(
    f16,
    f16::ZERO,
    |bits: u32| f16::from_bits(bits as u16),
    |value: f16| u32::from(value.to_bits())
);
lane32!(
    bf16,
    bf16::ZERO,
    |bits: u32| bf16::from_bits(bits as u16),
    |value: bf16| u32::from(value.to_bits())
);
lane64!(u64, 0, |bits: u64| bits, |value: u64| value);
lane64!(i64, 0, |bits: u64| bits as i64, |value: i64| value as u64);
lane64!(f64, 0.0, f64::from_bits, f64::to_bits);

/// Two half-precision numbers in one register, the first in the lower half.
#[derive(Clone, Copy)]
pub struct Packed<T>(pub T, pub T);

lane32!(
    Packed<f16>,
    Packed(f16::ZERO, f16::ZERO),
    |bits: u32| Packed(
        f16::from_bits(bits as u16),
        f16::from_bits((bits >> 16) as u16)
    ),
    |value: Self| u32::from(value.0.to_bits()) | u32::from(value.1.to_bits()) << 16
);
lane32!(
    Packed<bf16>,
    Packed(bf16::ZERO, bf16::ZERO),
    |bits: u32| Packed(
        bf16::from_bits(bits as u16),
        bf16::from_bits((bits >> 16) as u16)
    ),
    |value: Self| u32::from(value.0.to_bits()) | u32::from(value.1.to_bits()) << 16
);

/// The threads whose bits are set, from the first on.
pub fn lanes(mask: u32) -> impl Iterator<Item = usize> {
    let mut left = mask;
    std::iter::from_fn(move || {
        if left == 0 {
            return None;
        }
        let lane = left.trailing_zeros() as usize;
        left &= left - 1;
        Some(lane)
    })
}
