//! Whole and floating-point numbers, bits, comparisons.

use crate::bench::{bits, check};
use half::{bf16, f16};

fn signed(value: i32) -> u64 {
    u64::from(value as u32)
}

#[test]
fn whole_numbers_of_32_bits() {
    check(
        ["b32", "b32"],
        &[
            ("add.s32 d, a, b;", [7, signed(-9), 0], signed(-2)),
            ("sub.u32 d, a, b;", [3, 5, 0], signed(-2)),
            ("mul.lo.s32 d, a, b;", [signed(-3), 5, 0], signed(-15)),
            ("mul.hi.u32 d, a, b;", [0x8000_0000, 6, 0], 3),
            ("mul.hi.s32 d, a, b;", [signed(-1), 2, 0], signed(-1)),
            ("mad.lo.s32 d, a, b, c;", [3, 4, 5], 17),
            ("div.s32 d, a, b;", [signed(-7), 2, 0], signed(-3)),
            ("div.u32 d, a, b;", [7, 0, 0], 0xFFFF_FFFF),
            ("rem.s32 d, a, b;", [signed(-7), 2, 0], signed(-1)),
            ("rem.u32 d, a, 5;", [13, 0, 0], 3),
            ("min.s32 d, a, b;", [signed(-7), 2, 0], signed(-7)),
            ("min.u32 d, a, b;", [signed(-7), 2, 0], 2),
            ("max.s32 d, a, b;", [signed(-7), 2, 0], 2),
            ("abs.s32 d, a;", [signed(-7), 0, 0], 7),
            ("neg.s32 d, a;", [7, 0, 0], signed(-7)),
            ("sad.s32 d, a, b, c;", [signed(-2), 3, 10], 15),
            ("mul24.lo.u32 d, a, b;", [0xFF00_0003, 4, 0], 12),
            (
                "dp4a.s32.s32 d, a, b, c;",
                [0xFF02_0301, 0x0105_0203, 100],
                118,
            ),
            ("add.sat.s32 d, a, b;", [0x7FFF_FFFF, 1, 0], 0x7FFF_FFFF),
        ],
    );
}

#[test]
fn products_that_widen_and_numbers_of_64_bits() {
    check(
        ["b64", "b32"],
        &[
            ("mul.wide.s32 d, a, b;", [signed(-3), 5, 0], -15_i64 as u64),
            ("mul.wide.u32 d, a, b;", [0xFFFF_FFFF, 2, 0], 0x1_FFFF_FFFE),
        ],
    );
    check(
        ["b64", "b64"],
        &[
            ("add.s64 d, a, b;", [u64::MAX, 3, 0], 2),
            ("mul.hi.u64 d, a, b;", [1 << 63, 6, 0], 3),
            ("mad.lo.s64 d, a, b, c;", [3, 4, 5], 17),
            ("rem.u64 d, a, b;", [17, 5, 0], 2),
            ("shl.b64 d, a, 33;", [3, 0, 0], 3 << 33),
            ("shr.s64 d, a, 70;", [1 << 63, 0, 0], u64::MAX),
            ("bfe.s64 d, a, 4, 8;", [0xF80, 0, 0], (-8_i64) as u64),
            ("bfi.b64 d, a, b, 8, 4;", [0xFA, 0x1111, 0], 0x1A11),
        ],
    );
}

#[test]
fn carries() {
    check(
        ["b32", "b32"],
        &[
            (
                "add.cc.u32 d, a, b; addc.u32 d, c, 0;",
                [0xFFFF_FFFF, 1, 5],
                6,
            ),
            (
                "add.cc.u32 d, a, b; addc.u32 d, c, 0;",
                [0xFFFF_FFFE, 1, 5],
                5,
            ),
            ("sub.cc.u32 d, a, b; subc.u32 d, c, 0;", [1, 2, 5], 4),
            (
                "mad.lo.cc.u32 d, a, b, c; madc.hi.u32 d, a, b, 0;",
                [0xFFFF_FFFF, 0xFFFF_FFFF, 0xFFFF_FFFF],
                0xFFFF_FFFF,
            ),
        ],
    );
}

#[test]
fn bits_and_bytes() {
    check(
        ["b32", "b32"],
        &[
            ("and.b32 d, a, b;", [0b1100, 0b1010, 0], 0b1000),
            ("not.b32 d, a;", [0, 0, 0], 0xFFFF_FFFF),
            (
                "lop3.b32 d, a, b, c, 0xE8;",
                [0b1100, 0b1010, 0b0110],
                0b1110,
            ),
            ("shl.b32 d, a, b;", [1, 32, 0], 0),
            ("shr.u32 d, a, 4;", [0xF0, 0, 0], 0xF),
            ("shr.s32 d, a, 40;", [0x8000_0000, 0, 0], 0xFFFF_FFFF),
            ("shf.l.wrap.b32 d, a, b, 8;", [0xAB00_0000, 0x11, 0], 0x11AB),
            ("shf.r.clamp.b32 d, a, b, 40;", [1, 7, 0], 7),
            ("bfe.u32 d, a, 8, 4;", [0x1234, 0, 0], 2),
            ("bfe.s32 d, a, 4, 4;", [0xF0, 0, 0], 0xFFFF_FFFF),
            ("bfi.b32 d, a, b, 4, 8;", [0xFF, 0, 0], 0xFF0),
            ("brev.b32 d, a;", [1, 0, 0], 0x8000_0000),
            ("popc.b32 d, a;", [0xF0F, 0, 0], 8),
            ("clz.b32 d, a;", [0x100, 0, 0], 23),
            ("bfind.u32 d, a;", [0x100, 0, 0], 8),
            ("bfind.s32 d, a;", [signed(-2), 0, 0], 0),
            ("bfind.u32 d, a;", [0, 0, 0], 0xFFFF_FFFF),
            (
                "prmt.b32 d, a, b, 0x5410;",
                [0x3322_1100, 0x7766_5544, 0],
                0x5544_1100,
            ),
            ("prmt.b32 d, a, b, 0x000B;", [0x8000_0000, 0, 0], 0xFF),
        ],
    );
}

#[test]
fn single_precision() {
    let third = 1.0_f32 / 3.0;
    check(
        ["b32", "b32"],
        &[
            ("add.f32 d, a, b;", [bits(1.5), bits(2.25), 0], bits(3.75)),
            (
                "add.rz.f32 d, a, b;",
                [bits(1.0), bits(-1e-10), 0],
                bits(1.0_f32.next_down()),
            ),
            (
                "add.rp.f32 d, a, b;",
                [bits(1.0), bits(1e-10), 0],
                bits(1.0_f32.next_up()),
            ),
            ("mul.rm.f32 d, a, b;", [bits(third), bits(third), 0], {
                let near = third * third;
                let exact = f64::from(third) * f64::from(third);
                bits(if f64::from(near) > exact {
                    near.next_down()
                } else {
                    near
                })
            }),
            (
                "div.rn.f32 d, a, b;",
                [bits(1.0), bits(3.0), 0],
                bits(third),
            ),
            ("rcp.approx.ftz.f32 d, a;", [bits(4.0), 0, 0], bits(0.25)),
            ("sqrt.rn.f32 d, a;", [bits(2.0), 0, 0], bits(2.0_f32.sqrt())),
            ("rsqrt.approx.f32 d, a;", [bits(16.0), 0, 0], bits(0.25)),
            ("ex2.approx.ftz.f32 d, a;", [bits(-3.0), 0, 0], bits(0.125)),
            ("lg2.approx.ftz.f32 d, a;", [bits(8.0), 0, 0], bits(3.0)),
            ("tanh.approx.f32 d, a;", [bits(0.0), 0, 0], bits(0.0)),
            (
                "min.f32 d, a, b;",
                [bits(f32::NAN), bits(2.0), 0],
                bits(2.0),
            ),
            (
                "max.NaN.f32 d, a, b;",
                [bits(f32::NAN), bits(2.0), 0],
                bits(f32::NAN),
            ),
            ("min.f32 d, a, b;", [bits(0.0), bits(-0.0), 0], bits(-0.0)),
            ("neg.f32 d, a;", [bits(1.0), 0, 0], bits(-1.0)),
            ("abs.f32 d, a;", [bits(-1.0), 0, 0], bits(1.0)),
            (
                "copysign.f32 d, a, b;",
                [bits(-1.0), bits(3.0), 0],
                bits(-3.0),
            ),
            (
                "fma.rn.sat.f32 d, a, b, c;",
                [bits(2.0), bits(3.0), bits(1.0)],
                bits(1.0),
            ),
        ],
    );
}

#[test]
fn fused_products_round_once() {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from_bits((state >> 9) | (100 + (state & 31) + 8) << 23)
            * if state & 64 == 0 { 1.0 } else { -1.0 }
    };
    for _ in 0..300 {
        let (a, b) = (next(), next());
        for c in [next(), -(a * b), (a * b).next_up(), a * b * 1.0e7] {
            let expected = bits(a.mul_add(b, c));
            check(
                ["b32", "b32"],
                &[(
                    "fma.rn.f32 d, a, b, c;",
                    [bits(a), bits(b), bits(c)],
                    expected,
                )],
            );
        }
    }
}

#[test]
fn half_precision() {
    let half = |value: f32| u64::from(f16::from_f32(value).to_bits());
    let brain = |value: f32| u64::from(bf16::from_f32(value).to_bits());
    check(
        ["b16", "b16"],
        &[
            ("add.f16 d, a, b;", [half(1.5), half(0.25), 0], half(1.75)),
            (
                "mul.f16 d, a, b;",
                [half(3.0), half(1.1), 0],
                half(f16::from_f32(1.1).to_f32() * 3.0),
            ),
            (
                "fma.rn.f16 d, a, b, c;",
                [half(2.0), half(3.0), half(0.5)],
                half(6.5),
            ),
            ("neg.f16 d, a;", [half(1.0), 0, 0], half(-1.0)),
            (
                "fma.rn.bf16 d, a, b, c;",
                [brain(2.0), brain(3.0), brain(0.5)],
                brain(6.5),
            ),
            (
                "max.bf16 d, a, b;",
                [brain(2.0), brain(f32::NAN), 0],
                brain(2.0),
            ),
        ],
    );
    let pair = |low: f32, high: f32| half(low) | half(high) << 16;
    check(
        ["b32", "b32"],
        &[
            (
                "add.f16x2 d, a, b;",
                [pair(1.0, 2.0), pair(0.5, -2.0), 0],
                pair(1.5, 0.0),
            ),
            (
                "fma.rn.f16x2 d, a, b, c;",
                [pair(1.0, 2.0), pair(3.0, 4.0), pair(1.0, 1.0)],
                pair(4.0, 9.0),
            ),
            (
                "set.gt.f16x2.f16x2 d, a, b;",
                [pair(1.0, 2.0), pair(0.0, 3.0), 0],
                pair(1.0, 0.0),
            ),
        ],
    );
}

#[test]
fn comparisons_and_choices() {
    let nan = bits(f32::NAN);
    let choose = |compare: &str| format!("{compare} selp.b32 d, 1, 0, p;");
    for (compare, inputs, expected) in [
        ("setp.lt.s32 p, a, b;", [signed(-1), 1, 0], 1),
        ("setp.lt.u32 p, a, b;", [signed(-1), 1, 0], 0),
        ("setp.hs.u32 p, a, b;", [1, 1, 0], 1),
        ("setp.lt.f32 p, a, b;", [nan, bits(1.0), 0], 0),
        ("setp.ltu.f32 p, a, b;", [nan, bits(1.0), 0], 1),
        ("setp.ne.f32 p, a, b;", [nan, bits(1.0), 0], 0),
        ("setp.neu.f32 p, a, b;", [nan, nan, 0], 1),
        ("setp.num.f32 p, a, b;", [nan, bits(1.0), 0], 0),
        ("setp.nan.f32 p, a, b;", [nan, bits(1.0), 0], 1),
        (
            "setp.eq.s32 q, c, 3; setp.gt.and.s32 p, a, b, q;",
            [5, 4, 3],
            1,
        ),
        (
            "setp.eq.s32 q, c, 3; setp.gt.and.s32 p, a, b, !q;",
            [5, 4, 3],
            0,
        ),
        ("setp.gt.s32 q|p, a, b;", [5, 4, 0], 0),
        ("setp.eq.s32 p, a, b; not.pred p, p;", [5, 4, 0], 1),
        ("testp.infinite.f32 p, a;", [bits(f32::INFINITY), 0, 0], 1),
    ] {
        check(["b32", "b32"], &[(&choose(compare), inputs, expected)]);
    }
    check(
        ["b32", "b32"],
        &[
            (
                "set.lt.f32.f32 d, a, b;",
                [bits(1.0), bits(2.0), 0],
                bits(1.0),
            ),
            (
                "set.lt.u32.f32 d, a, b;",
                [bits(1.0), bits(2.0), 0],
                0xFFFF_FFFF,
            ),
            (
                "slct.f32.s32 d, a, b, c;",
                [bits(1.0), bits(2.0), signed(-1)],
                bits(2.0),
            ),
            (
                "mov.b32 d, 1; setp.eq.s32 p, a, b; @p mov.b32 d, 2; @!p add.u32 d, d, 5;",
                [1, 2, 0],
                6,
            ),
        ],
    );
}
