//! The C functions in the order a program calls them. One test, because a card is one per process.

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::ptr::{from_mut, from_ref, null_mut};

// The functions are the library's own.
use stand_in_gpu as _;

unsafe extern "C" {
    fn cuInit(flags: c_uint) -> c_int;
    fn cuDeviceGetCount(count: *mut c_int) -> c_int;
    fn cuDevicePrimaryCtxRetain(context: *mut u64, device: c_int) -> c_int;
    fn cuCtxSetCurrent(context: u64) -> c_int;
    fn cuMemAllocAsync(place: *mut u64, bytes: usize, stream: u64) -> c_int;
    fn cuMemFreeAsync(address: u64, stream: u64) -> c_int;
    fn cuMemsetD32Async(address: u64, value: u32, count: usize, stream: u64) -> c_int;
    fn cuMemcpyHtoDAsync_v2(to: u64, from: *const c_void, bytes: usize, stream: u64) -> c_int;
    fn cuMemcpyDtoHAsync_v2(to: *mut c_void, from: u64, bytes: usize, stream: u64) -> c_int;
    fn cuModuleLoadData(place: *mut u64, image: *const c_void) -> c_int;
    fn cuModuleGetFunction(place: *mut u64, module: u64, name: *const c_char) -> c_int;
    fn cuModuleGetGlobal_v2(
        place: *mut u64,
        bytes: *mut usize,
        module: u64,
        name: *const c_char,
    ) -> c_int;
    fn cuFuncSetAttribute(function: u64, attribute: c_uint, value: c_int) -> c_int;
    fn cuLaunchKernel(
        function: u64,
        grid_x: c_uint,
        grid_y: c_uint,
        grid_z: c_uint,
        block_x: c_uint,
        block_y: c_uint,
        block_z: c_uint,
        shared: c_uint,
        stream: u64,
        values: *mut *mut c_void,
        extra: *mut *mut c_void,
    ) -> c_int;
    fn cuGetErrorName(code: c_int, place: *mut *const c_char) -> c_int;
    fn cuDeviceGetDefaultMemPool(pool: *mut u64, device: c_int) -> c_int;
    fn cuMemPoolGetAttribute(pool: u64, attribute: c_uint, value: *mut c_void) -> c_int;
    fn cublasCreate_v2(handle: *mut u64) -> c_int;
    fn cublasSgemm_v2(
        handle: u64,
        transpose_a: c_int,
        transpose_b: c_int,
        m: c_int,
        n: c_int,
        k: c_int,
        alpha: *const f32,
        a: u64,
        a_leading: c_int,
        b: u64,
        b_leading: c_int,
        beta: *const f32,
        c: u64,
        c_leading: c_int,
    ) -> c_int;
}

const MODULE: &str = "
.version 9.0
.target sm_75
.address_size 64
.global .align 4 .u32 counter = 7;
.const .align 4 .f32 factors[2] = {0f40000000, 0f40400000};
.extern .shared .align 16 .b8 open[];
.visible .entry scale(.param .u64 scale_0, .param .f32 scale_1, .param .u32 scale_2)
{
    .reg .b32 %r<4>; .reg .b64 %rd<5>; .reg .pred %p<2>;
    ld.param.u64 %rd1, [scale_0];
    ld.param.f32 %r1, [scale_1];
    ld.param.u32 %r2, [scale_2];
    mov.u32 %r3, %tid.x;
    setp.ge.u32 %p1, %r3, %r2;
    @%p1 bra $end;
    cvta.to.global.u64 %rd2, %rd1;
    mul.wide.u32 %rd3, %r3, 4;
    add.s64 %rd2, %rd2, %rd3;
    ld.global.f32 %r3, [%rd2];
    mul.f32 %r3, %r3, %r1;
    ld.const.f32 %r1, [factors+4];
    mul.f32 %r3, %r3, %r1;
    st.global.f32 [%rd2], %r3;
    atom.global.add.u32 %r3, [counter], 1;
    st.shared.u32 [open], %r3;
$end:
    ret;
}";

fn name_of(code: c_int) -> String {
    let mut name = std::ptr::null();
    // SAFETY: the name is a text of the library.
    unsafe {
        assert_eq!(cuGetErrorName(code, &mut name), 0);
        CStr::from_ptr(name).to_string_lossy().into_owned()
    }
}

fn loads(source: &str, module: &mut u64) -> c_int {
    let source = CString::new(source).unwrap();
    // SAFETY: a text that ends with a zero.
    unsafe { cuModuleLoadData(module, source.as_ptr().cast()) }
}

fn launch(function: u64, address: u64, count: u32, threads: u32, shared: u32) -> c_int {
    let (mut address, mut factor, mut count) = (address, 0.5_f32, count);
    let mut values = [
        from_mut(&mut address).cast(),
        from_mut(&mut factor).cast(),
        from_mut(&mut count).cast(),
    ];
    // SAFETY: the kernel takes these three.
    unsafe {
        cuLaunchKernel(
            function,
            1,
            1,
            1,
            threads,
            1,
            1,
            shared,
            2,
            values.as_mut_ptr(),
            null_mut(),
        )
    }
}

#[test]
fn from_initialization_to_a_fault() {
    // SAFETY: each call is what the driver's manual asks for; what is passed lives long enough.
    unsafe {
        let mut count = 0;
        assert_eq!(
            name_of(cuDeviceGetCount(&mut count)),
            "CUDA_ERROR_NOT_INITIALIZED"
        );
        assert_eq!((cuInit(0), cuDeviceGetCount(&mut count), count), (0, 0, 1));
        let mut address = 0;
        assert_eq!(
            name_of(cuMemAllocAsync(&mut address, 64, 2)),
            "CUDA_ERROR_INVALID_CONTEXT"
        );
        let mut context = 0;
        assert_eq!(
            (
                cuDevicePrimaryCtxRetain(&mut context, 0),
                cuCtxSetCurrent(context)
            ),
            (0, 0)
        );

        assert_eq!(cuMemAllocAsync(&mut address, 64, 2), 0);
        let mut found = [0.0_f32; 16];
        assert_eq!(
            cuMemcpyDtoHAsync_v2(found.as_mut_ptr().cast(), address, 64, 2),
            0
        );
        assert!(
            found.iter().all(|value| value.is_nan()),
            "fresh memory shows"
        );
        assert_eq!(
            name_of(cuMemcpyDtoHAsync_v2(
                found.as_mut_ptr().cast(),
                address,
                65,
                2
            )),
            "CUDA_ERROR_INVALID_VALUE"
        );
        let (mut pool, mut used) = (0, 0_u64);
        cuDeviceGetDefaultMemPool(&mut pool, 0);
        assert_eq!(
            (
                cuMemPoolGetAttribute(pool, 7, from_mut(&mut used).cast()),
                used
            ),
            (0, 512)
        );

        let mut module = 0;
        let newer = MODULE.replace("sm_75", "sm_90");
        assert_eq!(
            name_of(loads(&newer, &mut module)),
            "CUDA_ERROR_NO_BINARY_FOR_GPU"
        );
        assert_eq!(
            name_of(loads(".version 9.0 nonsense", &mut module)),
            "CUDA_ERROR_INVALID_PTX"
        );
        assert_eq!(loads(MODULE, &mut module), 0);
        let mut function = 0;
        assert_eq!(
            name_of(cuModuleGetFunction(
                &mut function,
                module,
                c"other".as_ptr()
            )),
            "CUDA_ERROR_NOT_FOUND"
        );
        assert_eq!(
            cuModuleGetFunction(&mut function, module, c"scale".as_ptr()),
            0
        );

        let values: Vec<f32> = (0..16).map(|at| at as f32).collect();
        assert_eq!(
            cuMemcpyHtoDAsync_v2(address, values.as_ptr().cast(), 64, 2),
            0
        );
        assert_eq!(launch(function, address, 16, 32, 16), 0);
        assert_eq!(
            cuMemcpyDtoHAsync_v2(found.as_mut_ptr().cast(), address, 64, 2),
            0
        );
        assert_eq!(
            found.to_vec(),
            values.iter().map(|value| value * 1.5).collect::<Vec<_>>()
        );
        let (mut counter, mut bytes, mut counted) = (0, 0, 0_u32);
        assert_eq!(
            (
                cuModuleGetGlobal_v2(&mut counter, &mut bytes, module, c"counter".as_ptr()),
                bytes
            ),
            (0, 4)
        );
        cuMemcpyDtoHAsync_v2(from_mut(&mut counted).cast(), counter, 4, 2);
        assert_eq!(counted, 23);

        // Launches that no card takes.
        assert_eq!(
            name_of(launch(function, address, 16, 1025, 16)),
            "CUDA_ERROR_INVALID_VALUE"
        );
        assert_eq!(
            name_of(launch(function, address, 16, 32, 49 << 10)),
            "CUDA_ERROR_INVALID_VALUE"
        );
        assert_eq!(
            name_of(cuFuncSetAttribute(function, 8, 100 << 10)),
            "CUDA_ERROR_INVALID_VALUE"
        );
        assert_eq!(cuFuncSetAttribute(function, 8, 99 << 10), 0);
        assert_eq!(launch(function, address, 16, 32, 99 << 10), 0);

        // A product: a column times a row.
        let (mut handle, mut product, alpha, beta) = (0, 0, 1.0_f32, 0.0_f32);
        assert_eq!(cublasCreate_v2(&mut handle), 0);
        assert_eq!(cuMemAllocAsync(&mut product, 64, 2), 0);
        cuMemsetD32Async(address, 2.0_f32.to_bits(), 16, 2);
        assert_eq!(
            cublasSgemm_v2(
                handle,
                0,
                0,
                4,
                4,
                1,
                from_ref(&alpha),
                address,
                4,
                address,
                1,
                from_ref(&beta),
                product,
                4
            ),
            0
        );
        cuMemcpyDtoHAsync_v2(found.as_mut_ptr().cast(), product, 64, 2);
        assert_eq!(found, [4.0; 16]);
        assert_eq!((cuMemFreeAsync(product, 2), cuMemFreeAsync(0, 2)), (0, 0));
        assert_eq!(
            name_of(cuMemFreeAsync(product, 2)),
            "CUDA_ERROR_INVALID_VALUE"
        );
        assert_eq!(
            name_of(cuMemAllocAsync(&mut product, 5 << 30, 2)),
            "CUDA_ERROR_OUT_OF_MEMORY"
        );

        // A fault breaks the context for good.
        assert_eq!(
            name_of(launch(function, address, 17, 32, 16)),
            "CUDA_ERROR_ILLEGAL_ADDRESS"
        );
        assert_eq!(
            name_of(cuMemAllocAsync(&mut product, 64, 2)),
            "CUDA_ERROR_ILLEGAL_ADDRESS"
        );
    }
}
