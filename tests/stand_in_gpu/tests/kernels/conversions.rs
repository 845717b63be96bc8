//! `cvt` and packing.

use crate::bench::{bits, check};
use half::{bf16, f16};

#[test]
fn whole_numbers() {
    check(
        ["b64", "b32"],
        &[
            ("cvt.s64.s32 d, a;", [0xFFFF_FFFE, 0, 0], -2_i64 as u64),
            ("cvt.u64.u32 d, a;", [0xFFFF_FFFE, 0, 0], 0xFFFF_FFFE),
        ],
    );
    check(
        ["b32", "b32"],
        &[
            ("cvt.s32.s8 d, a;", [0x80, 0, 0], 0xFFFF_FF80),
            ("cvt.u32.u16 d, a;", [0x1_2345, 0, 0], 0x2345),
            ("cvt.sat.u8.s32 d, a;", [300, 0, 0], 255),
            ("cvt.sat.s8.s32 d, a;", [0xFFFF_FF00, 0, 0], 0xFFFF_FF80),
        ],
    );
    check(
        ["b32", "b64"],
        &[("cvt.u32.u64 d, a;", [0x1_0000_0005, 0, 0], 5)],
    );
}

#[test]
fn between_whole_numbers_and_floats() {
    check(
        ["b32", "b32"],
        &[
            ("cvt.rn.f32.s32 d, a;", [0xFFFF_FFFF, 0, 0], bits(-1.0)),
            (
                "cvt.rn.f32.u32 d, a;",
                [0x0100_0001, 0, 0],
                bits(16_777_216.0),
            ),
            (
                "cvt.rp.f32.u32 d, a;",
                [0x0100_0001, 0, 0],
                bits(16_777_218.0),
            ),
            (
                "cvt.rz.f32.s32 d, a;",
                [0x0100_0003, 0, 0],
                bits(16_777_218.0),
            ),
            ("cvt.rzi.s32.f32 d, a;", [bits(-1.7), 0, 0], 0xFFFF_FFFF),
            ("cvt.rni.s32.f32 d, a;", [bits(2.5), 0, 0], 2),
            ("cvt.rmi.s32.f32 d, a;", [bits(-1.2), 0, 0], 0xFFFF_FFFE),
            ("cvt.rpi.s32.f32 d, a;", [bits(1.2), 0, 0], 2),
            ("cvt.rzi.u32.f32 d, a;", [bits(-5.0), 0, 0], 0),
            ("cvt.rzi.s32.f32 d, a;", [bits(1e20), 0, 0], 0x7FFF_FFFF),
            ("cvt.rzi.s32.f32 d, a;", [bits(f32::NAN), 0, 0], 0),
            ("cvt.rmi.f32.f32 d, a;", [bits(-1.2), 0, 0], bits(-2.0)),
            ("cvt.sat.f32.f32 d, a;", [bits(7.0), 0, 0], bits(1.0)),
        ],
    );
    check(
        ["b64", "b64"],
        &[(
            "cvt.rn.f64.s64 d, a;",
            [-3_i64 as u64, 0, 0],
            (-3.0_f64).to_bits(),
        )],
    );
    check(
        ["b32", "b64"],
        &[("cvt.rn.f32.f64 d, a;", [0.1_f64.to_bits(), 0, 0], bits(0.1))],
    );
    check(
        ["b32", "b64"],
        &[(
            "cvt.rp.f32.f64 d, a;",
            [1.000_000_000_1_f64.to_bits(), 0, 0],
            bits(1.0_f32.next_up()),
        )],
    );
}

#[test]
fn half_precision() {
    let value = 1.234_567_f32;
    let half = u64::from(f16::from_f32(value).to_bits());
    let brain = u64::from(bf16::from_f32(value).to_bits());
    check(
        ["b16", "b32"],
        &[
            ("cvt.rn.f16.f32 d, a;", [bits(value), 0, 0], half),
            ("cvt.rn.bf16.f32 d, a;", [bits(value), 0, 0], brain),
            (
                "cvt.rz.bf16.f32 d, a;",
                [bits(value), 0, 0],
                u64::from(value.to_bits() >> 16),
            ),
            ("cvt.rn.f16.f32 d, a;", [bits(1e6), 0, 0], 0x7C00),
        ],
    );
    check(
        ["b32", "b16"],
        &[
            (
                "cvt.f32.f16 d, a;",
                [half, 0, 0],
                bits(f16::from_f32(value).to_f32()),
            ),
            (
                "cvt.f32.bf16 d, a;",
                [brain, 0, 0],
                bits(bf16::from_f32(value).to_f32()),
            ),
        ],
    );
    // The first source goes to the upper half.
    check(
        ["b32", "b32"],
        &[
            (
                "cvt.rn.f16x2.f32 d, a, b;",
                [bits(1.0), bits(2.0), 0],
                0x3C00_4000,
            ),
            (
                "cvt.rn.bf16x2.f32 d, a, b;",
                [bits(1.0), bits(2.0), 0],
                0x3F80_4000,
            ),
            (
                "cvt.rn.relu.bf16x2.f32 d, a, b;",
                [bits(-1.0), bits(2.0), 0],
                0x0000_4000,
            ),
        ],
    );
}

#[test]
fn packing() {
    check(
        ["b32", "b32"],
        &[
            (
                "{.reg .b16 low, high; mov.b32 {low, high}, a; mov.b32 d, {high, low};}",
                [0x1234_5678, 0, 0],
                0x5678_1234,
            ),
            (
                "{.reg .b64 w; .reg .b32 x; mov.b64 w, {a, b}; mov.b64 {_, x}, w; mov.u32 d, x;}",
                [1, 2, 0],
                2,
            ),
            (
                "{.reg.b16 low; cvt.u16.u32 low, a; mov.b32 d, {low, low};}",
                [0x1_0007, 0, 0],
                0x7_0007,
            ),
        ],
    );
}
