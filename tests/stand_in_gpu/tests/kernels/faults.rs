//! Accesses that are wrong are found, and said with their place.

use crate::bench::{Buffer, kernel, run, run_module};

#[test]
fn out_of_bounds() {
    let buffer = Buffer::new(40);
    let body = ".reg .b32 t; .reg .b64 o; mov.u32 t, %tid.x; mul.wide.u32 o, t, 4; add.s64 o, o, %p0; st.global.f32 [o], 0f00000000;";
    run(body, 10, &[&buffer]).unwrap();
    let why = run(body, 12, &[&buffer]).unwrap_err();
    assert!(
        why.contains("thread [10, 0, 0]") && why.contains("st.global.f32"),
        "{why}"
    );
    assert!(
        why.contains("0 bytes behind the end of the allocation of 40 bytes"),
        "{why}"
    );
}

#[test]
fn misaligned() {
    let buffer = Buffer::new(64);
    let why = run(".reg .b64 x; ld.global.b64 x, [%p0+4];", 1, &[&buffer]).unwrap_err();
    assert!(why.contains("misaligned"), "{why}");
    let why = run(
        ".reg .b32 x, y; ld.global.v2.b32 {x, y}, [%p0+4];",
        1,
        &[&buffer],
    )
    .unwrap_err();
    assert!(why.contains("misaligned"), "{why}");
}

#[test]
fn shared_memory_out_of_bounds() {
    let body = ".shared .align 4 .b8 s[64]; .reg .b32 a, t; mov.u32 t, %tid.x; mov.u32 a, s; mad.lo.u32 a, t, 4, a; st.shared.b32 [a], t;";
    run(body, 16, &[]).unwrap();
    let why = run(body, 17, &[]).unwrap_err();
    assert!(
        why.contains("Shared") && why.contains("thread [16, 0, 0]"),
        "{why}"
    );
}

#[test]
fn null_and_parameters() {
    let why = run(
        ".reg .b32 x; .reg .b64 a; mov.u64 a, 0; ld.b32 x, [a];",
        1,
        &[],
    )
    .unwrap_err();
    assert!(why.contains("out of bounds"), "{why}");
    let source = kernel(1, "st.param.b64 [k_0], %p0;");
    let why = run_module(&source, [1, 1, 1], [1, 1, 1], 0, &[&Buffer::new(8)]).unwrap_err();
    assert!(why.contains("cannot be written"), "{why}");
}

#[test]
fn traps() {
    let why = run("trap;", 1, &[]).unwrap_err();
    assert!(why.contains("trap"), "{why}");
}

#[test]
fn matrix_instructions_need_the_whole_warp() {
    let body = ".reg .b32 a, b; .shared .align 16 .b8 s[512]; mov.u32 a, s; ldmatrix.sync.aligned.m8n8.x1.shared.b16 {b}, [a];";
    run(body, 32, &[]).unwrap();
    let why = run(body, 16, &[]).unwrap_err();
    assert!(why.contains("without all threads"), "{why}");
}
