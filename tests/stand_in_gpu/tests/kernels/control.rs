//! Calls, tables of branches, guards, special registers, scopes.

use crate::bench::{Buffer, run_module};

#[test]
fn functions_are_called_and_return() {
    let source = "
.version 9.0
.target sm_75
.address_size 64
.func (.param .b32 result) twice_and(.param .b32 twice_and_0, .param .align 8 .b8 pair[16])
{
    .reg .b32 %r<4>; .reg .b64 %rd<2>; .reg .pred %p<2>;
    ld.param.b32 %r1, [twice_and_0];
    ld.param.b64 %rd1, [pair+8];
    cvt.u32.u64 %r2, %rd1;
    setp.gt.u32 %p1, %r1, 10;
    @%p1 bra $big;
    mad.lo.u32 %r3, %r1, 2, %r2;
    st.param.b32 [result], %r3;
    ret;
$big:
    st.param.b32 [result+0], 99;
    ret;
}
.visible .entry k(.param .u64 k_0)
{
    .reg .b32 %r<4>; .reg .b64 %rd<4>;
    ld.param.u64 %rd1, [k_0];
    mov.u32 %r1, %tid.x;
    mul.wide.u32 %rd2, %r1, 4;
    add.s64 %rd3, %rd1, %rd2;
    { // callseq 0, 0
    .param .b32 param0;
    .param .align 8 .b8 param1[16];
    .param .b32 retval0;
    st.param.b32 [param0], %r1;
    st.param.b64 [param1+8], 1000;
    call.uni (retval0), twice_and, (param0, param1);
    ld.param.b32 %r2, [retval0];
    }
    st.global.u32 [%rd3], %r2;
    ret;
}";
    let output = Buffer::new(4 * 32);
    run_module(source, [1, 1, 1], [32, 1, 1], 0, &[&output]).unwrap();
    let expected: Vec<u32> = (0..32)
        .map(|thread| if thread > 10 { 99 } else { 1000 + 2 * thread })
        .collect();
    assert_eq!(output.read::<u32>(), expected);
}

#[test]
fn branch_tables_and_positions() {
    let source = "
.version 9.0
.target sm_75
.address_size 64
.visible .entry k(.param .u64 .ptr .global .align 4 k_0)
.maxntid 64, 1, 1
{
    .reg .b32 %r<9>; .reg .b64 %rd<4>;
    ld.param.u64 %rd1, [k_0];
    mov.u32 %r1, %tid.x; mov.u32 %r2, %tid.y; mov.u32 %r3, %ctaid.y; mov.u32 %r4, %ntid.x;
    mad.lo.u32 %r5, %r2, %r4, %r1;
    mov.u32 %r6, %ntid.y; mul.lo.u32 %r6, %r6, %r4; mad.lo.u32 %r5, %r3, %r6, %r5;
    mul.wide.u32 %rd2, %r5, 4; add.s64 %rd3, %rd1, %rd2;
    and.b32 %r7, %r5, 3;
    $table: .branchtargets $a, $b, $c, $b;
    brx.idx %r7, $table;
$a: mov.u32 %r8, 100; bra.uni $end;
$b: mov.u32 %r8, 200; bra.uni $end;
$c: mov.u32 %r8, 300;
$end:
    add.u32 %r8, %r8, %r5;
    st.global.u32 [%rd3], %r8;
    ret;
}";
    let output = Buffer::new(4 * 60);
    run_module(source, [1, 3, 1], [10, 2, 1], 0, &[&output]).unwrap();
    let expected: Vec<u32> = (0..60)
        .map(|at| at + [100, 200, 300, 200][at as usize % 4])
        .collect();
    assert_eq!(output.read::<u32>(), expected);
}

#[test]
fn an_instruction_that_is_not_known_is_named() {
    let source = crate::bench::kernel(1, ".reg .b32 x; wombat.sync.b32 x, 3;");
    let why = run_module(&source, [1, 1, 1], [1, 1, 1], 0, &[&Buffer::new(8)]).unwrap_err();
    assert!(
        why.contains("wombat.sync.b32") && why.contains("function k"),
        "{why}"
    );
}

#[test]
fn what_the_target_does_not_have_is_refused() {
    let source = crate::bench::kernel(1, ".reg .b32 x; redux.sync.add.s32 x, x, -1;")
        .replace("sm_80", "sm_75");
    let why = run_module(&source, [1, 1, 1], [32, 1, 1], 0, &[&Buffer::new(8)]).unwrap_err();
    assert!(why.contains("sm_80"), "{why}");
}
