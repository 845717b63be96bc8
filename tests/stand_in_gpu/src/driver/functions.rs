//! Kernels: their attributes, their occupancy, their launch.

use super::context::{answer, ready, stream};
use super::device::Kernel;
use super::{Code, code, complain, device, put};
use crate::compile::program::Program;
use crate::compile::{compile, parameter_layout};
use crate::execute::block::Shape;
use crate::execute::launch::launch;
use crate::execute::memory::Wrong;
use std::ffi::{c_int, c_uint, c_void};
use std::sync::Arc;
use std::sync::atomic::Ordering;

fn kernel(handle: u64) -> Result<Arc<Kernel>, Code> {
    device()
        .kernels
        .get(&handle)
        .cloned()
        .ok_or(code::INVALID_HANDLE)
}

fn program(kernel: &Kernel) -> Result<&Program, Code> {
    let compiled = kernel.program.get_or_init(|| {
        compile(
            &kernel.loaded.module,
            &kernel.loaded.addresses,
            &kernel.name,
        )
    });
    compiled.as_ref().map_err(|why| {
        complain(format_args!("kernel {}: {why}", kernel.name));
        code::INVALID_PTX
    })
}

fn most_threads(kernel: &Kernel) -> u32 {
    let function = kernel.loaded.module.functions.get(&kernel.name);
    function
        .and_then(|function| function.most_threads)
        .unwrap_or(1024)
}

#[unsafe(no_mangle)]
extern "C" fn cuFuncGetAttribute(place: *mut c_int, attribute: c_uint, handle: u64) -> Code {
    let found = kernel(handle).and_then(|kernel| {
        Ok(match attribute {
            0 => most_threads(&kernel) as c_int,
            1 => program(&kernel)?.static_shared as c_int,
            2 => 0,
            3 => program(&kernel)?.local_bytes as c_int,
            4 => 32,
            5 | 6 => kernel.loaded.module.target as c_int,
            8 => kernel.most_dynamic_shared.load(Ordering::Relaxed) as c_int,
            _ => 0,
        })
    });
    found.map_or_else(|code| code, |value| put(place, value))
}

#[unsafe(no_mangle)]
extern "C" fn cuFuncSetAttribute(handle: u64, attribute: c_uint, value: c_int) -> Code {
    answer(kernel(handle).and_then(|kernel| {
        if attribute != 8 {
            return Ok(());
        }
        let fixed = program(&kernel)?.static_shared;
        let most = device().settings.most_shared_bytes();
        if value < 0 || value as u64 + fixed > u64::from(most) {
            complain(format_args!(
                "kernel {}: {value} bytes of dynamic shared memory and {fixed} of static are more than {most}",
                kernel.name
            ));
            return Err(code::INVALID_VALUE);
        }
        kernel.most_dynamic_shared.store(value as u32, Ordering::Relaxed);
        Ok(())
    }))
}

#[unsafe(no_mangle)]
extern "C" fn cuFuncSetCacheConfig(handle: u64, _config: c_uint) -> Code {
    answer(kernel(handle).map(drop))
}

#[unsafe(no_mangle)]
extern "C" fn cuFuncLoad(handle: u64) -> Code {
    answer(kernel(handle).and_then(|kernel| program(&kernel).map(drop)))
}

/// Blocks that fit on a multiprocessor, by threads and shared memory alone.
fn active_blocks(handle: u64, threads: u32, dynamic_shared: usize) -> Result<u32, Code> {
    let kernel = kernel(handle)?;
    let fixed = program(&kernel)?.static_shared;
    let shared = fixed + dynamic_shared as u64 + 1024;
    let most = u64::from(device().settings.most_shared_bytes()) + 1024;
    Ok((1536 / threads.max(1)).min((most / shared) as u32).min(16))
}

#[unsafe(no_mangle)]
extern "C" fn cuOccupancyMaxActiveBlocksPerMultiprocessor(
    place: *mut c_int,
    handle: u64,
    threads: c_int,
    dynamic_shared: usize,
) -> Code {
    let found = active_blocks(handle, threads.max(0) as u32, dynamic_shared);
    found.map_or_else(|code| code, |blocks| put(place, blocks as c_int))
}

#[unsafe(no_mangle)]
extern "C" fn cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
    place: *mut c_int,
    handle: u64,
    threads: c_int,
    dynamic_shared: usize,
    _flags: c_uint,
) -> Code {
    cuOccupancyMaxActiveBlocksPerMultiprocessor(place, handle, threads, dynamic_shared)
}

#[unsafe(no_mangle)]
extern "C" fn cuOccupancyMaxPotentialBlockSize(
    grid: *mut c_int,
    block: *mut c_int,
    handle: u64,
    _shared_of_size: *const c_void,
    _dynamic_shared: usize,
    limit: c_int,
) -> Code {
    let found = kernel(handle).map(|kernel| most_threads(&kernel));
    found.map_or_else(
        |code| code,
        |most| {
            put(grid, 16);
            put(
                block,
                if limit > 0 {
                    limit.min(most as c_int)
                } else {
                    most as c_int
                },
            )
        },
    )
}

#[unsafe(no_mangle)]
extern "C" fn cuOccupancyMaxPotentialBlockSizeWithFlags(
    grid: *mut c_int,
    block: *mut c_int,
    handle: u64,
    shared_of_size: *const c_void,
    dynamic_shared: usize,
    limit: c_int,
    _flags: c_uint,
) -> Code {
    cuOccupancyMaxPotentialBlockSize(grid, block, handle, shared_of_size, dynamic_shared, limit)
}

/// Checks a launch as the driver would, runs it, and keeps what breaks the context.
fn run(
    handle: u64,
    grid: [u32; 3],
    block: [u32; 3],
    dynamic_shared: u32,
    values: *mut *mut c_void,
) -> Result<(), Code> {
    let kernel = kernel(handle)?;
    let refuse = |why: std::fmt::Arguments<'_>, code| {
        complain(format_args!("kernel {}: {why}", kernel.name));
        Err(code)
    };
    let threads = block.iter().map(|&count| u64::from(count)).product::<u64>();
    if threads == 0 || grid.contains(&0) || grid[1] > 65535 || grid[2] > 65535 || grid[0] > 1 << 31
    {
        return refuse(
            format_args!("a grid of {grid:?} blocks of {block:?} threads"),
            code::INVALID_VALUE,
        );
    }
    if threads > 1024 || block[2] > 64 {
        return refuse(
            format_args!("{block:?} threads are too many"),
            code::INVALID_VALUE,
        );
    }
    if threads > u64::from(most_threads(&kernel)) {
        return refuse(
            format_args!(
                "{threads} threads, it is bounded to {}",
                most_threads(&kernel)
            ),
            code::LAUNCH_OUT_OF_RESOURCES,
        );
    }
    let program = program(&kernel)?;
    let most_dynamic = kernel.most_dynamic_shared.load(Ordering::Relaxed);
    let all_shared = program.static_shared + u64::from(dynamic_shared);
    if dynamic_shared > most_dynamic
        || (most_dynamic <= super::modules::USUAL_SHARED
            && all_shared > u64::from(super::modules::USUAL_SHARED))
    {
        return refuse(
            format_args!(
                "{dynamic_shared} bytes of dynamic shared memory and {} of static, {most_dynamic} are allowed",
                program.static_shared
            ),
            code::INVALID_VALUE,
        );
    }
    let function = kernel
        .loaded
        .module
        .functions
        .get(&kernel.name)
        .ok_or(code::NOT_FOUND)?;
    let (places, bytes) = parameter_layout(function);
    let mut parameters = crate::execute::memory::lines(bytes as usize);
    if !places.is_empty() && values.is_null() {
        return Err(code::INVALID_VALUE);
    }
    for (number, &(offset, size)) in places.iter().enumerate() {
        // SAFETY: the caller promises a pointer for each parameter, to as many bytes as it has;
        // the lines were made for all of them.
        unsafe {
            let value = values.add(number).read();
            let to = parameters.as_mut_ptr().cast::<u8>().add(offset as usize);
            std::ptr::copy_nonoverlapping(value.cast::<u8>(), to, size);
        }
    }
    // SAFETY: lines are plain bytes, and there are at least that many.
    let parameters =
        unsafe { std::slice::from_raw_parts(parameters.as_ptr().cast::<u8>(), bytes as usize) };
    let allocations = device().live();
    let shape = Shape {
        program,
        grid,
        block,
        dynamic_shared,
        parameters,
        allocations: &allocations,
    };
    launch(&shape).map_err(|fault| {
        complain(&fault.message);
        let code = match fault.wrong {
            Wrong::OutOfBounds | Wrong::ReadOnly => code::ILLEGAL_ADDRESS,
            Wrong::Misaligned => code::MISALIGNED_ADDRESS,
            Wrong::Trapped(why) if why.contains("assertion") => code::ASSERT,
            Wrong::Trapped(_) => code::LAUNCH_FAILED,
        };
        device().broken = code;
        code
    })
}

#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "the driver's own signature")]
extern "C" fn cuLaunchKernel(
    handle: u64,
    grid_x: c_uint,
    grid_y: c_uint,
    grid_z: c_uint,
    block_x: c_uint,
    block_y: c_uint,
    block_z: c_uint,
    shared: c_uint,
    on_stream: u64,
    values: *mut *mut c_void,
    extra: *mut *mut c_void,
) -> Code {
    if !extra.is_null() {
        complain("parameters in one buffer are not supported");
        return code::NOT_SUPPORTED;
    }
    let grid = [grid_x, grid_y, grid_z];
    let block = [block_x, block_y, block_z];
    answer(
        ready()
            .and_then(|()| stream(on_stream))
            .and_then(|()| run(handle, grid, block, shared, values)),
    )
}
