//! cuBLAS: handles and matrix products. Operands must lie in live allocations.

use super::context::ready;
use super::product::{Operand, Product, Stored, multiply};
use super::{code, complain, device, put};
use half::f16;
use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_longlong, c_void};
use std::sync::{LazyLock, Mutex};

type Status = c_int;
const SUCCESS: Status = 0;
const NOT_INITIALIZED: Status = 1;
const INVALID_VALUE: Status = 7;
const EXECUTION_FAILED: Status = 13;
const NOT_SUPPORTED: Status = 15;

/// The pointer mode of each handle.
static HANDLES: LazyLock<Mutex<HashMap<u64, c_int>>> = LazyLock::new(Mutex::default);

fn with_handle(handle: u64, then: impl FnOnce(&mut c_int) -> Status) -> Status {
    let mut handles = HANDLES.lock().unwrap_or_else(|held| held.into_inner());
    handles.get_mut(&handle).map_or(NOT_INITIALIZED, then)
}

#[unsafe(no_mangle)]
extern "C" fn cublasCreate_v2(place: *mut u64) -> Status {
    if ready().is_err() {
        return NOT_INITIALIZED;
    }
    let handle = device().new_handle();
    HANDLES
        .lock()
        .unwrap_or_else(|held| held.into_inner())
        .insert(handle, 0);
    if put(place, handle) == code::SUCCESS {
        SUCCESS
    } else {
        INVALID_VALUE
    }
}

#[unsafe(no_mangle)]
extern "C" fn cublasDestroy_v2(handle: u64) -> Status {
    let mut handles = HANDLES.lock().unwrap_or_else(|held| held.into_inner());
    handles.remove(&handle).map_or(NOT_INITIALIZED, |_| SUCCESS)
}

#[unsafe(no_mangle)]
extern "C" fn cublasGetVersion_v2(handle: u64, version: *mut c_int) -> Status {
    with_handle(handle, |_| put(version, 130_000))
}

#[unsafe(no_mangle)]
extern "C" fn cublasSetStream_v2(handle: u64, _stream: u64) -> Status {
    with_handle(handle, |_| SUCCESS)
}

#[unsafe(no_mangle)]
extern "C" fn cublasSetWorkspace_v2(handle: u64, _workspace: *mut c_void, _bytes: usize) -> Status {
    with_handle(handle, |_| SUCCESS)
}

#[unsafe(no_mangle)]
extern "C" fn cublasSetMathMode(handle: u64, _mode: c_int) -> Status {
    with_handle(handle, |_| SUCCESS)
}

#[unsafe(no_mangle)]
extern "C" fn cublasGetMathMode(handle: u64, mode: *mut c_int) -> Status {
    with_handle(handle, |_| put(mode, 0))
}

#[unsafe(no_mangle)]
extern "C" fn cublasSetPointerMode_v2(handle: u64, mode: c_int) -> Status {
    with_handle(handle, |kept| {
        *kept = mode;
        SUCCESS
    })
}

#[unsafe(no_mangle)]
extern "C" fn cublasGetPointerMode_v2(handle: u64, mode: *mut c_int) -> Status {
    with_handle(handle, |kept| put(mode, *kept))
}

#[unsafe(no_mangle)]
extern "C" fn cublasGetStatusName(status: Status) -> *const c_char {
    let name: &CStr = match status {
        SUCCESS => c"CUBLAS_STATUS_SUCCESS",
        NOT_INITIALIZED => c"CUBLAS_STATUS_NOT_INITIALIZED",
        INVALID_VALUE => c"CUBLAS_STATUS_INVALID_VALUE",
        EXECUTION_FAILED => c"CUBLAS_STATUS_EXECUTION_FAILED",
        NOT_SUPPORTED => c"CUBLAS_STATUS_NOT_SUPPORTED",
        _ => c"CUBLAS_STATUS_INTERNAL_ERROR",
    };
    name.as_ptr()
}

#[unsafe(no_mangle)]
extern "C" fn cublasGetStatusString(status: Status) -> *const c_char {
    cublasGetStatusName(status)
}

/// A matrix as a caller describes it.
struct Given {
    address: u64,
    stored: Option<Stored>,
    leading: c_int,
    stride: c_longlong,
    transposed: bool,
}

/// How many products, and what the scalars are.
struct Request {
    m: c_int,
    n: c_int,
    k: c_int,
    alpha: f64,
    beta: f64,
    count: c_int,
}

fn refuse(status: Status, why: impl std::fmt::Display) -> Status {
    complain(format_args!("cuBLAS: {why}"));
    status
}

/// Checks everything, then computes one product after the other.
fn carry_out(handle: u64, request: &Request, a: &Given, b: &Given, c: &Given) -> Status {
    if ready().is_err() {
        return EXECUTION_FAILED;
    }
    let mode = with_handle(
        handle,
        |mode| if *mode == 0 { SUCCESS } else { NOT_SUPPORTED },
    );
    if mode != SUCCESS {
        return refuse(mode, "a handle that does not exist, or scalars on the card");
    }
    let (Some(a_stored), Some(b_stored), Some(c_stored)) = (a.stored, b.stored, c.stored) else {
        return refuse(NOT_SUPPORTED, "a type of matrix that is not known");
    };
    let fits = a_stored == b_stored
        && match a_stored {
            Stored::F16 | Stored::Bf16 => c_stored == a_stored || c_stored == Stored::F32,
            Stored::F32 | Stored::F64 => c_stored == a_stored,
        };
    if !fits {
        return refuse(
            NOT_SUPPORTED,
            format_args!("{a_stored:?} by {b_stored:?} into {c_stored:?}"),
        );
    }
    let Request { m, n, k, count, .. } = *request;
    if m < 0 || n < 0 || k < 0 || count < 0 {
        return refuse(INVALID_VALUE, "a negative size");
    }
    if m == 0 || n == 0 || count == 0 {
        return SUCCESS;
    }
    let mut operands = Vec::new();
    for (given, stored, rows, columns) in [
        (a, a_stored, m, k),
        (b, b_stored, k, n),
        (c, c_stored, m, n),
    ] {
        let (rows, columns) = if given.transposed {
            (columns, rows)
        } else {
            (rows, columns)
        };
        if given.leading < rows.max(1) {
            return refuse(
                INVALID_VALUE,
                format_args!("a leading dimension of {} for {rows} rows", given.leading),
            );
        }
        let elements = if rows == 0 || columns == 0 {
            0
        } else {
            (columns as u64 - 1) * given.leading as u64 + rows as u64
        };
        if given.stride < 0 {
            return refuse(NOT_SUPPORTED, "a negative stride");
        }
        let all = (count as u64 - 1) * given.stride as u64 + elements;
        if elements > 0 && !device().holds(given.address, all * stored.bytes()) {
            let around = device().around(given.address);
            device().broken = code::ILLEGAL_ADDRESS;
            return refuse(
                EXECUTION_FAILED,
                format_args!(
                    "{all} elements of {stored:?} at {:#x} are not inside an allocation (around it: {around:?}); \
                     m {m}, n {n}, k {k}, leading {}, stride {}, count {count}",
                    given.address, given.leading, given.stride
                ),
            );
        }
        if given.address % stored.bytes() != 0 {
            return refuse(
                INVALID_VALUE,
                format_args!("{:#x} is misaligned", given.address),
            );
        }
        operands.push(Operand {
            address: given.address,
            stored,
            leading: given.leading as usize,
            transposed: given.transposed,
        });
    }
    for number in 0..count as u64 {
        let at = |operand: Operand, given: &Given| Operand {
            address: operand.address + number * given.stride as u64 * operand.stored.bytes(),
            ..operand
        };
        let product = Product {
            m: m as usize,
            n: n as usize,
            k: k as usize,
            alpha: request.alpha,
            beta: request.beta,
            a: at(operands[0], a),
            b: at(operands[1], b),
            c: at(operands[2], c),
        };
        // SAFETY: all three were found inside allocations; cuBLAS forbids that they overlap.
        unsafe { multiply(&product) };
    }
    SUCCESS
}

/// A scalar of the type that sums are made in.
fn scalar(place: *const c_void, compute: c_int) -> Option<f64> {
    if place.is_null() {
        return None;
    }
    // SAFETY: the caller promises a number of the type that belongs to the way it computes.
    unsafe {
        match compute {
            64 | 65 => Some(place.cast::<f16>().read().to_f64()),
            68 | 69 | 74..=79 => Some(f64::from(place.cast::<f32>().read())),
            70 | 71 => Some(place.cast::<f64>().read()),
            _ => None,
        }
    }
}

#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "the library's own signature")]
extern "C" fn cublasGemmStridedBatchedEx(
    handle: u64,
    transpose_a: c_int,
    transpose_b: c_int,
    m: c_int,
    n: c_int,
    k: c_int,
    alpha: *const c_void,
    a: u64,
    a_type: c_int,
    a_leading: c_int,
    a_stride: c_longlong,
    b: u64,
    b_type: c_int,
    b_leading: c_int,
    b_stride: c_longlong,
    beta: *const c_void,
    c: u64,
    c_type: c_int,
    c_leading: c_int,
    c_stride: c_longlong,
    count: c_int,
    compute: c_int,
    _algorithm: c_int,
) -> Status {
    let (Some(alpha), Some(beta)) = (scalar(alpha, compute), scalar(beta, compute)) else {
        return refuse(
            NOT_SUPPORTED,
            format_args!("compute type {compute}, or no scalars"),
        );
    };
    if !(0..=2).contains(&transpose_a) || !(0..=2).contains(&transpose_b) {
        return refuse(INVALID_VALUE, "an operation that is not known");
    }
    let request = Request {
        m,
        n,
        k,
        alpha,
        beta,
        count,
    };
    let given = |address, kind, leading, stride, transpose: c_int| Given {
        address,
        stored: Stored::of(kind),
        leading,
        stride,
        transposed: transpose != 0,
    };
    carry_out(
        handle,
        &request,
        &given(a, a_type, a_leading, a_stride, transpose_a),
        &given(b, b_type, b_leading, b_stride, transpose_b),
        &given(c, c_type, c_leading, c_stride, 0),
    )
}

#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "the library's own signature")]
extern "C" fn cublasGemmEx(
    handle: u64,
    transpose_a: c_int,
    transpose_b: c_int,
    m: c_int,
    n: c_int,
    k: c_int,
    alpha: *const c_void,
    a: u64,
    a_type: c_int,
    a_leading: c_int,
    b: u64,
    b_type: c_int,
    b_leading: c_int,
    beta: *const c_void,
    c: u64,
    c_type: c_int,
    c_leading: c_int,
    compute: c_int,
    algorithm: c_int,
) -> Status {
    cublasGemmStridedBatchedEx(
        handle,
        transpose_a,
        transpose_b,
        m,
        n,
        k,
        alpha,
        a,
        a_type,
        a_leading,
        0,
        b,
        b_type,
        b_leading,
        0,
        beta,
        c,
        c_type,
        c_leading,
        0,
        1,
        compute,
        algorithm,
    )
}

macro_rules! typed_products {
    ($single:ident, $batched:ident, $number:ty, $kind:expr, $compute:expr) => {
        #[unsafe(no_mangle)]
        #[allow(clippy::too_many_arguments, reason = "the library's own signature")]
        extern "C" fn $batched(
            handle: u64,
            transpose_a: c_int,
            transpose_b: c_int,
            m: c_int,
            n: c_int,
            k: c_int,
            alpha: *const $number,
            a: u64,
            a_leading: c_int,
            a_stride: c_longlong,
            b: u64,
            b_leading: c_int,
            b_stride: c_longlong,
            beta: *const $number,
            c: u64,
            c_leading: c_int,
            c_stride: c_longlong,
            count: c_int,
        ) -> Status {
            cublasGemmStridedBatchedEx(
                handle,
                transpose_a,
                transpose_b,
                m,
                n,
                k,
                alpha.cast(),
                a,
                $kind,
                a_leading,
                a_stride,
                b,
                $kind,
                b_leading,
                b_stride,
                beta.cast(),
                c,
                $kind,
                c_leading,
                c_stride,
                count,
                $compute,
                -1,
            )
        }

        #[unsafe(no_mangle)]
        #[allow(clippy::too_many_arguments, reason = "the library's own signature")]
        extern "C" fn $single(
            handle: u64,
            transpose_a: c_int,
            transpose_b: c_int,
            m: c_int,
            n: c_int,
            k: c_int,
            alpha: *const $number,
            a: u64,
            a_leading: c_int,
            b: u64,
            b_leading: c_int,
            beta: *const $number,
            c: u64,
            c_leading: c_int,
        ) -> Status {
            $batched(
                handle,
                transpose_a,
                transpose_b,
                m,
                n,
                k,
                alpha,
                a,
                a_leading,
                0,
                b,
                b_leading,
                0,
                beta,
                c,
                c_leading,
                0,
                1,
            )
        }
    };
}
typed_products!(cublasSgemm_v2, cublasSgemmStridedBatched, f32, 0, 68);
typed_products!(cublasDgemm_v2, cublasDgemmStridedBatched, f64, 1, 70);
