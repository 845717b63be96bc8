//! cuRAND: uniform and normal numbers, of a generator that is not the library's own: the same seed
//! gives the same numbers here, and others on a card.

use super::{code, complain, device, put};
use std::collections::HashMap;
use std::ffi::{c_int, c_uint, c_ulonglong};
use std::sync::{LazyLock, Mutex};

type Status = c_int;
const SUCCESS: Status = 0;
const NOT_INITIALIZED: Status = 101;
const LENGTH_NOT_MULTIPLE: Status = 105;
const LAUNCH_FAILURE: Status = 201;

/// Seed and number of values given so far.
type State = (u64, u64);

static GENERATORS: LazyLock<Mutex<HashMap<u64, State>>> = LazyLock::new(Mutex::default);

fn with_generator(handle: u64, then: impl FnOnce(&mut State) -> Status) -> Status {
    let mut generators = GENERATORS.lock().unwrap_or_else(|held| held.into_inner());
    generators.get_mut(&handle).map_or(NOT_INITIALIZED, then)
}

#[unsafe(no_mangle)]
extern "C" fn curandCreateGenerator(place: *mut u64, _kind: c_uint) -> Status {
    let handle = device().new_handle();
    GENERATORS
        .lock()
        .unwrap_or_else(|held| held.into_inner())
        .insert(handle, (0, 0));
    if put(place, handle) == code::SUCCESS {
        SUCCESS
    } else {
        NOT_INITIALIZED
    }
}

#[unsafe(no_mangle)]
extern "C" fn curandDestroyGenerator(handle: u64) -> Status {
    let mut generators = GENERATORS.lock().unwrap_or_else(|held| held.into_inner());
    generators
        .remove(&handle)
        .map_or(NOT_INITIALIZED, |_| SUCCESS)
}

#[unsafe(no_mangle)]
extern "C" fn curandSetStream(handle: u64, _stream: u64) -> Status {
    with_generator(handle, |_| SUCCESS)
}

#[unsafe(no_mangle)]
extern "C" fn curandSetPseudoRandomGeneratorSeed(handle: u64, seed: c_ulonglong) -> Status {
    with_generator(handle, |state| {
        *state = (seed, 0);
        SUCCESS
    })
}

#[unsafe(no_mangle)]
extern "C" fn curandSetGeneratorOffset(handle: u64, offset: c_ulonglong) -> Status {
    with_generator(handle, |state| {
        state.1 = offset;
        SUCCESS
    })
}

/// The bits of one number: a mix of seed and position.
fn bits((seed, at): State) -> u64 {
    let mut mixed = seed.wrapping_add(at.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    for factor in [0xBF58_476D_1CE4_E5B9, 0x94D0_49BB_1331_11EB] {
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(factor);
    }
    mixed ^ (mixed >> 31)
}

/// In (0, 1], as the library gives them.
fn uniform(state: State) -> f64 {
    ((bits(state) >> 11) + 1) as f64 / (1_u64 << 53) as f64
}

fn normal(seed: u64, at: u64) -> f64 {
    let (first, second) = (uniform((seed, at & !1)), uniform((seed, at | 1)));
    let (radius, angle) = ((-2.0 * first.ln()).sqrt(), std::f64::consts::TAU * second);
    radius
        * if at & 1 == 0 {
            angle.cos()
        } else {
            angle.sin()
        }
}

fn fill<T>(handle: u64, to: *mut T, count: usize, value: impl Fn(u64, u64) -> T) -> Status {
    if !device().holds(
        to.expose_provenance() as u64,
        (count * size_of::<T>()) as u64,
    ) {
        complain("cuRAND: the numbers do not fit into an allocation");
        return LAUNCH_FAILURE;
    }
    with_generator(handle, |state| {
        for at in 0..count {
            // SAFETY: all of them lie in an allocation.
            unsafe { to.add(at).write(value(state.0, state.1 + at as u64)) };
        }
        state.1 += count as u64;
        SUCCESS
    })
}

#[unsafe(no_mangle)]
extern "C" fn curandGenerate(handle: u64, to: *mut c_uint, count: usize) -> Status {
    fill(handle, to, count, |seed, at| {
        (bits((seed, at)) >> 32) as u32
    })
}

#[unsafe(no_mangle)]
extern "C" fn curandGenerateUniform(handle: u64, to: *mut f32, count: usize) -> Status {
    fill(handle, to, count, |seed, at| {
        ((bits((seed, at)) >> 40) + 1) as f32 / (1_u64 << 24) as f32
    })
}

#[unsafe(no_mangle)]
extern "C" fn curandGenerateUniformDouble(handle: u64, to: *mut f64, count: usize) -> Status {
    fill(handle, to, count, |seed, at| uniform((seed, at)))
}

#[unsafe(no_mangle)]
extern "C" fn curandGenerateNormal(
    handle: u64,
    to: *mut f32,
    count: usize,
    mean: f32,
    deviation: f32,
) -> Status {
    if !count.is_multiple_of(2) {
        return LENGTH_NOT_MULTIPLE;
    }
    fill(handle, to, count, |seed, at| {
        mean + deviation * normal(seed, at) as f32
    })
}

#[unsafe(no_mangle)]
extern "C" fn curandGenerateNormalDouble(
    handle: u64,
    to: *mut f64,
    count: usize,
    mean: f64,
    deviation: f64,
) -> Status {
    if !count.is_multiple_of(2) {
        return LENGTH_NOT_MULTIPLE;
    }
    fill(handle, to, count, |seed, at| {
        mean + deviation * normal(seed, at)
    })
}
