//! Memory of every kind: vectors, narrow values, shared and local memory, generic addresses, copies
//! that arrive later.

use crate::bench::{Buffer, kernel, run, run_module};

#[test]
fn vectors_and_narrow_values() {
    let input = Buffer::of(&[1_u8, 0xFE, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
    let output = Buffer::of(&[0_u32; 8]);
    run(
        ".reg .b32 a, b, c, d; .reg .b16 h; .reg .b64 w;
         ld.global.nc.v4.b32 {a, b, c, d}, [%p0]; st.global.v2.b32 [%p1], {d, a};
         ld.global.s8 a, [%p0+1]; st.global.b32 [%p1+8], a;
         ld.global.u8 h, [%p0+1]; cvt.u32.u16 a, h; st.global.b32 [%p1+12], a;
         ld.volatile.global.s8 w, [%p0+1]; st.global.b64 [%p1+16], w;
         ld.relaxed.gpu.global.u16 h, [%p0+2]; st.global.u8 [%p1+24], h;",
        1,
        &[&input, &output],
    )
    .unwrap();
    assert_eq!(
        output.read::<u32>(),
        [
            0x100F_0E0D,
            0x0403_FE01,
            0xFFFF_FFFE,
            0xFE,
            0xFFFF_FFFE,
            0xFFFF_FFFF,
            3,
            0
        ]
    );
}

#[test]
fn generic_addresses_find_their_space() {
    let output = Buffer::of(&[0_u32; 3]);
    run(
        ".shared .align 8 .b8 s[16]; .local .align 8 .b8 depot[16]; .reg .b64 a, b, l; .reg .b32 x; .reg .pred p;
         mov.u64 a, s; cvta.shared.u64 b, a; st.u32 [b+4], 41; ld.shared.u32 x, [s+4]; st.global.u32 [%p0], x;
         mov.b64 l, depot; cvta.local.u64 b, l; st.u32 [b+8], 42; ld.local.u32 x, [l+8]; st.u32 [%p0+4], x;
         isspacep.local p, b; selp.b32 x, 1, 0, p; st.global.u32 [%p0+8], x;",
        1,
        &[&output],
    )
    .unwrap();
    assert_eq!(output.read::<u32>(), [41, 42, 1]);
}

#[test]
fn dynamic_shared_memory_follows_the_static() {
    let source = kernel(
        1,
        ".shared .align 4 .b8 fixed[20]; .reg .b64 a, b; .reg .b32 x; mov.u64 a, open; mov.u64 b, fixed; sub.s64 a, a, b;
         st.global.b64 [%p0], a; st.shared.u32 [fixed+16], 1; st.shared.u32 [open+60], 2; mov.u32 x, %dynamic_smem_size; st.global.u32 [%p0+8], x;",
    )
    .replace(".visible", ".extern .shared .align 16 .b8 open[];\n.visible");
    let output = Buffer::of(&[0_u64; 2]);
    run_module(&source, [1, 1, 1], [1, 1, 1], 64, &[&output]).unwrap();
    assert_eq!(output.read::<u64>(), [32, 64]);
    let why = run_module(&source, [1, 1, 1], [1, 1, 1], 60, &[&output]).unwrap_err();
    assert!(why.contains("out of bounds"), "{why}");
}

#[test]
fn copies_arrive_when_they_are_waited_for() {
    let input = Buffer::of(&[[11_u32, 12, 13, 14], [21, 22, 23, 24]]);
    let output = Buffer::of(&[0_u32; 4]);
    run(
        ".shared .align 16 .b8 s[32]; .reg .b32 a, x; mov.u32 a, s;
         cp.async.ca.shared.global [a], [%p0], 16; cp.async.commit_group;
         cp.async.cg.shared.global.L2::128B [a+16], [%p0+16], 16, 8; cp.async.commit_group;
         ld.shared.u32 x, [s]; st.global.u32 [%p1], x;
         cp.async.wait_group 1; ld.shared.u32 x, [s+4]; st.global.u32 [%p1+4], x;
         ld.shared.u32 x, [s+16]; st.global.u32 [%p1+8], x;
         cp.async.wait_all; ld.shared.u32 x, [s+24]; st.global.u32 [%p1+12], x;",
        1,
        &[&input, &output],
    )
    .unwrap();
    assert_eq!(output.read::<u32>(), [u32::MAX, 12, u32::MAX, 0]);
}
