//! What threads do together: shuffles, votes, reductions, barriers, and how they part and meet.

use crate::bench::{Buffer, kernel, run, run_module};

const EACH: &str = ".reg .b32 t, v, x; .reg .b64 o; .reg .pred p, q; mov.u32 t, %tid.x; mul.wide.u32 o, t, 4; \
    add.s64 o, o, %p0; mul.lo.u32 v, t, 10;";

fn each(threads: u32, body: &str) -> Vec<u32> {
    let output = Buffer::new(4 * threads as usize);
    run(
        &format!("{EACH}\n{body}\nst.global.b32 [o], x;"),
        threads,
        &[&output],
    )
    .unwrap();
    output.read()
}

#[test]
fn shuffles_follow_the_manual() {
    let up = each(32, "shfl.sync.up.b32 x, v, 1, 0, -1;");
    let expected: Vec<u32> = (0..32)
        .map(|lane| if lane == 0 { 0 } else { (lane - 1) * 10 })
        .collect();
    assert_eq!(up, expected);
    let down = each(32, "shfl.sync.down.b32 x, v, 2, 31, -1;");
    assert_eq!(down[29..], [310, 300, 310]);
    // Segments of eight: c is 8 * (32 - 8 = 24) in its upper bits and the clamp in its lower.
    let segments = each(32, "shfl.sync.down.b32 x, v, 4, 0x181F, -1;");
    assert_eq!(segments[..8], [40, 50, 60, 70, 40, 50, 60, 70]);
    let butterfly = each(
        32,
        "shfl.sync.bfly.b32 x|p, v, 16, 31, -1; @!p mov.u32 x, 9999;",
    );
    assert_eq!(butterfly[0..2], [160, 170]);
    let index = each(32, "shfl.sync.idx.b32 x, v, 5, 0x181F, -1;");
    assert_eq!([index[0], index[9], index[31]], [50, 130, 290]);
    let valid = each(
        32,
        "shfl.sync.up.b32 x|p, v, 3, 0, -1; selp.b32 x, 1, 0, p;",
    );
    assert_eq!(valid[..5], [0, 0, 0, 1, 1]);
}

#[test]
fn who_asks_a_thread_that_is_not_there_gets_ones() {
    let found = each(20, "shfl.sync.down.b32 x, v, 8, 31, -1;");
    assert_eq!([found[11], found[12]], [190, u32::MAX]);
}

#[test]
fn votes_and_reductions() {
    assert_eq!(
        each(32, "setp.lt.u32 p, t, 3; vote.sync.ballot.b32 x, p, -1;"),
        [7; 32]
    );
    assert_eq!(
        each(
            32,
            "setp.lt.u32 p, t, 3; vote.sync.any.pred q, p, -1; selp.b32 x, 1, 0, q;"
        ),
        [1; 32]
    );
    assert_eq!(
        each(
            32,
            "setp.lt.u32 p, t, 3; vote.sync.all.pred q, p, -1; selp.b32 x, 1, 0, q;"
        ),
        [0; 32]
    );
    assert_eq!(each(32, "redux.sync.add.s32 x, t, -1;"), [496; 32]);
    assert_eq!(each(32, "redux.sync.max.u32 x, v, -1;"), [310; 32]);
    let active = each(
        32,
        "mov.u32 x, 0; setp.ge.u32 p, t, 30; @p activemask.b32 x;",
    );
    assert_eq!([active[0], active[31]], [0, 0xC000_0000]);
    let alike = each(32, "and.b32 v, t, 1; match.any.sync.b32 x, v, -1;");
    assert_eq!(alike[..2], [0x5555_5555, 0xAAAA_AAAA]);
}

#[test]
fn threads_part_and_meet_again() {
    // Each thread counts its own number of rounds, then all shuffle.
    let found = each(
        32,
        "mov.u32 x, 0; mov.u32 v, t;\n$again: setp.eq.u32 p, v, 0; @p bra $done; add.u32 x, x, v; \
         sub.u32 v, v, 1; bra.uni $again;\n$done: shfl.sync.bfly.b32 x, x, 1, 31, -1;",
    );
    let expected: Vec<u32> = (0..32)
        .map(|lane: u32| (lane ^ 1) * ((lane ^ 1) + 1) / 2)
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn halves_of_a_warp_shuffle_apart() {
    let found = each(
        32,
        "setp.lt.u32 p, t, 16; @p bra $low; shfl.sync.bfly.b32 x, v, 1, 31, 0xFFFF0000; bra.uni $end;\n\
         $low: shfl.sync.bfly.b32 x, v, 2, 31, 0xFFFF;\n$end:",
    );
    assert_eq!([found[0], found[16]], [20, 170]);
    // The members in a register, and a branch that one half takes later.
    let found = each(
        32,
        ".reg .b32 m; setp.lt.u32 p, t, 16; selp.b32 m, 0xFFFF, 0xFFFF0000, p; shfl.sync.idx.b32 x, v, 15, 0x101F, m;",
    );
    assert_eq!([found[3], found[20]], [150, 310]);
}

#[test]
fn barriers_of_a_block() {
    let body = ".shared .align 4 .b32 s[128]; .reg .b32 a; mov.u32 a, s; mad.lo.u32 a, t, 4, a; \
        st.shared.b32 [a], v; bar.sync 0; .reg .b32 r; sub.u32 r, 127, t; mov.u32 a, s; mad.lo.u32 a, r, 4, a; \
        ld.shared.b32 x, [a];";
    let found = each(128, body);
    let expected: Vec<u32> = (0..128).map(|thread| (127 - thread) * 10).collect();
    assert_eq!(found, expected);
    let counted = each(70, "setp.lt.u32 p, t, 40; barrier.red.popc.u32 x, 0, p;");
    assert_eq!(counted, [40; 70]);
    let any = each(
        70,
        "setp.eq.u32 p, t, 69; bar.red.or.pred q, 0, p; selp.b32 x, 1, 0, q;",
    );
    assert_eq!(any, [1; 70]);
    // Who has ended is not waited for.
    let ended = each(
        64,
        "mov.u32 x, 1; st.global.b32 [o], x; setp.ge.u32 p, t, 40; @p exit; bar.sync 0; mov.u32 x, 2;",
    );
    assert_eq!([ended[39], ended[40]], [2, 1]);
    // Two warps meet at a barrier of their own.
    let named = each(96, "mov.u32 x, 7; setp.lt.u32 p, t, 64; @p bar.sync 1, 64;");
    assert_eq!(named, [7; 96]);
}

#[test]
fn what_never_comes_is_said() {
    let output = Buffer::new(256);
    let stuck = run(
        &format!("{EACH} setp.lt.u32 p, t, 32; @p bar.sync 1, 64;"),
        64,
        &[&output],
    );
    assert!(stuck.unwrap_err().contains("never come"));
}

#[test]
fn blocks_add_at_once() {
    let output = Buffer::of(&[0_u32, 0, 5, 0]);
    let body = ".reg .b32 x; .reg .b64 a; mov.u64 a, %p0; atom.global.add.u32 x, [a], 1; \
        red.global.max.u32 [a+4], x; atom.global.cas.b32 x, [a+8], 5, 9; red.add.f32 [a+12], 0f3F800000;";
    run_module(&kernel(1, body), [50, 2, 1], [64, 1, 1], 0, &[&output]).unwrap();
    assert_eq!(output.read::<u32>(), [6400, 6399, 9, 6400.0_f32.to_bits()]);
}
