//! `mma` and `ldmatrix` against a plain product, with fragments laid out as the tables of the PTX ISA
//! say, written down here a second time and in another way than the stand-in's own.

use crate::bench::{Buffer, run};
use half::{bf16, f16};

/// Row and column of each element a thread holds, spelled out as in the manual.
fn a16(lane: usize) -> [(usize, usize); 8] {
    let (g, t) = (lane >> 2, lane & 3);
    [
        (g, 2 * t),
        (g, 2 * t + 1),
        (g + 8, 2 * t),
        (g + 8, 2 * t + 1),
        (g, 2 * t + 8),
        (g, 2 * t + 9),
        (g + 8, 2 * t + 8),
        (g + 8, 2 * t + 9),
    ]
}

fn b16(lane: usize) -> [(usize, usize); 4] {
    let (g, t) = (lane >> 2, lane & 3);
    [(2 * t, g), (2 * t + 1, g), (2 * t + 8, g), (2 * t + 9, g)]
}

fn c(lane: usize) -> [(usize, usize); 4] {
    let (g, t) = (lane >> 2, lane & 3);
    [
        (g, 2 * t),
        (g, 2 * t + 1),
        (g + 8, 2 * t),
        (g + 8, 2 * t + 1),
    ]
}

/// Whole numbers that half precision holds, so that sums are exact.
fn value(row: usize, column: usize, salt: usize) -> f32 {
    ((row * 7 + column * 13 + salt * 5) % 17) as f32 - 8.0
}

fn pack(values: &[f32], narrow: fn(f32) -> u16) -> Vec<u32> {
    values
        .chunks(2)
        .map(|two| u32::from(narrow(two[0])) | u32::from(narrow(two[1])) << 16)
        .collect()
}

fn product(shape: &str, kind: &str, depth: usize, narrow: fn(f32) -> u16) {
    let (mut left, mut right, mut start) = (Vec::new(), Vec::new(), Vec::new());
    for lane in 0..32 {
        let a: Vec<f32> = a16(lane)[..depth / 2]
            .iter()
            .map(|&(row, column)| value(row, column, 1))
            .collect();
        let b: Vec<f32> = b16(lane)[..depth / 4]
            .iter()
            .map(|&(row, column)| value(row, column, 2))
            .collect();
        left.extend(pack(&a, narrow));
        right.extend(pack(&b, narrow));
        start.extend(c(lane).map(|(row, column)| value(row, column, 3)));
    }
    let names = |prefix: &str, count: usize| {
        (0..count)
            .map(|at| format!("{prefix}{at}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let load = |prefix: &str, count: usize, buffer: usize| {
        (0..count)
            .map(|at| {
                format!("ld.global.b32 {prefix}{at}, [{buffer}+{}];", 4 * at)
                    .replace(&format!("[{buffer}+"), &format!("[o{buffer}+"))
            })
            .collect::<String>()
    };
    let (a_count, b_count) = (depth / 4, depth / 8);
    let stores: String = (0..4)
        .map(|at| format!("st.global.f32 [o3+{}], d{at};", 4 * at))
        .collect();
    let offset = |buffer: usize, count: usize| {
        format!("mad.wide.u32 o{buffer}, t, {}, %p{buffer};", 4 * count)
    };
    let body = format!(
        ".reg .b32 t, a<4>, b<2>, c<4>, d<4>; .reg .b64 o<4>; mov.u32 t, %laneid;\n{}{}{}{}\n{}{}{}\n\
         mma.sync.aligned.{shape}.row.col.f32.{kind}.{kind}.f32 {{{}}}, {{{}}}, {{{}}}, {{{}}};\n{stores}",
        offset(0, a_count),
        offset(1, b_count),
        offset(2, 4),
        offset(3, 4),
        load("a", a_count, 0),
        load("b", b_count, 1),
        load("c", 4, 2),
        names("d", 4),
        names("a", a_count),
        names("b", b_count),
        names("c", 4),
    );
    let output = Buffer::new(4 * 4 * 32);
    run(
        &body,
        32,
        &[
            &Buffer::of(&left),
            &Buffer::of(&right),
            &Buffer::of(&start),
            &output,
        ],
    )
    .unwrap();
    let found = output.read::<f32>();
    for lane in 0..32 {
        for (at, (row, column)) in c(lane).into_iter().enumerate() {
            let sum: f32 = (0..depth)
                .map(|k| value(row, k, 1) * value(k, column, 2))
                .sum();
            let expected = sum + value(row, column, 3);
            assert_eq!(
                found[4 * lane + at],
                expected,
                "{shape} {kind}: row {row}, column {column}"
            );
        }
    }
}

#[test]
fn products_of_small_matrices() {
    let half: fn(f32) -> u16 = |value| f16::from_f32(value).to_bits();
    let brain: fn(f32) -> u16 = |value| bf16::from_f32(value).to_bits();
    product("m16n8k16", "f16", 16, half);
    product("m16n8k16", "bf16", 16, brain);
    product("m16n8k8", "f16", 8, half);
    product("m16n8k8", "bf16", 8, brain);
}

/// Loads four matrices of 8 by 8 whose element says where it stands.
fn loaded(trans: &str) -> Vec<u32> {
    let tile: Vec<u16> = (0..4 * 64).map(|at| at as u16).collect();
    let output = Buffer::new(4 * 4 * 32);
    let body = format!(
        ".shared .align 16 .b8 s[512]; .reg .b32 t, x, y, a, r<4>; .reg .b64 o;
         mov.u32 t, %tid.x; mul.wide.u32 o, t, 16; add.s64 o, o, %p0; mov.u32 a, s; mad.lo.u32 a, t, 16, a;
         .reg .b32 v<4>; ld.global.v4.b32 {{v0, v1, v2, v3}}, [o]; st.shared.v4.b32 [a], {{v0, v1, v2, v3}};
         bar.sync 0; ldmatrix.sync.aligned.m8n8.x4{trans}.shared.b16 {{r0, r1, r2, r3}}, [a];
         mul.wide.u32 o, t, 16; add.s64 o, o, %p1; st.global.v4.b32 [o], {{r0, r1, r2, r3}};"
    );
    run(&body, 32, &[&Buffer::of(&tile), &output]).unwrap();
    output.read()
}

#[test]
fn matrices_out_of_shared_memory() {
    let (plain, transposed) = (loaded(""), loaded(".trans"));
    for lane in 0..32_usize {
        for matrix in 0..4 {
            let element = |row: usize, column: usize| (64 * matrix + 8 * row + column) as u32;
            let (outer, inner) = (lane / 4, 2 * (lane % 4));
            let expected = element(outer, inner) | element(outer, inner + 1) << 16;
            assert_eq!(plain[4 * lane + matrix], expected);
            let expected = element(inner, outer) | element(inner + 1, outer) << 16;
            assert_eq!(transposed[4 * lane + matrix], expected);
        }
    }
}

#[test]
fn a_matrix_is_transposed_between_threads() {
    let output = Buffer::new(4 * 32);
    let body = ".reg .b32 t, x, y; .reg .b64 o; mov.u32 t, %tid.x; mul.lo.u32 x, t, 2; add.u32 y, x, 1; shl.b32 y, y, 16; or.b32 x, x, y;
        movmatrix.sync.aligned.m8n8.trans.b16 x, x; mul.wide.u32 o, t, 4; add.s64 o, o, %p0; st.global.b32 [o], x;";
    run(body, 32, &[&output]).unwrap();
    for (lane, found) in output.read::<u32>().into_iter().enumerate() {
        let (column, row) = (lane as u32 / 4, 2 * (lane as u32 % 4));
        assert_eq!(found, (8 * row + column) | (8 * (row + 1) + column) << 16);
    }
}
