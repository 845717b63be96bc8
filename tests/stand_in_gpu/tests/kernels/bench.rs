//! Runs a kernel on memory of its own, without the driver around it.

use stand_in_gpu::compile::{compile, parameter_layout};
use stand_in_gpu::execute::block::Shape;
use stand_in_gpu::execute::launch::launch;
use stand_in_gpu::ptx::parser::parse;
use std::collections::HashMap;

/// Global memory of a test.
pub struct Buffer(Vec<u64>, usize);

impl Buffer {
    pub fn new(bytes: usize) -> Self {
        Self(vec![u64::MAX; bytes.div_ceil(8) + 1], bytes)
    }

    pub fn of<T: Copy>(values: &[T]) -> Self {
        let bytes = size_of_val(values);
        let mut buffer = Self::new(bytes);
        // SAFETY: the buffer has at least that many bytes.
        unsafe {
            std::ptr::copy_nonoverlapping(
                values.as_ptr().cast::<u8>(),
                buffer.0.as_mut_ptr().cast(),
                bytes,
            );
        }
        buffer
    }

    pub fn read<T: Copy>(&self) -> Vec<T> {
        let count = self.1 / size_of::<T>();
        // SAFETY: the buffer has that many bytes, any of which make a number.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast::<T>(), count) }.to_vec()
    }

    fn address(&self) -> u64 {
        self.0.as_ptr().expose_provenance() as u64
    }
}

/// A module with one kernel `k` that takes the addresses of `buffers`.
pub fn kernel(buffers: usize, body: &str) -> String {
    let parameters: Vec<_> = (0..buffers)
        .map(|number| format!(".param .u64 k_{number}"))
        .collect();
    let loads: Vec<_> = (0..buffers)
        .map(|number| format!("ld.param.u64 %p{number}, [k_{number}];"))
        .collect();
    format!(
        ".version 9.0\n.target sm_80\n.address_size 64\n.visible .entry k({})\n{{\n.reg .b64 %p<{buffers}>;\n{}\n{body}\nret;\n}}\n",
        parameters.join(", "),
        loads.join("\n")
    )
}

/// Runs the kernel `k` of a module.
pub fn run_module(
    source: &str,
    grid: [u32; 3],
    block: [u32; 3],
    dynamic_shared: u32,
    buffers: &[&Buffer],
) -> Result<(), String> {
    let module = parse(source)?;
    let program = compile(&module, &HashMap::new(), "k")?;
    let (places, _) = parameter_layout(&module.functions["k"]);
    assert_eq!(places.len(), buffers.len());
    let parameters: Vec<u8> = buffers
        .iter()
        .flat_map(|one| one.address().to_le_bytes())
        .collect();
    let mut allocations: Vec<_> = buffers
        .iter()
        .map(|one| (one.address(), one.address() + one.1 as u64))
        .collect();
    allocations.sort_unstable();
    let shape = Shape {
        program: &program,
        grid,
        block,
        dynamic_shared,
        parameters: &parameters,
        allocations: &allocations,
    };
    launch(&shape).map_err(|fault| fault.message)
}

/// Runs a body in one block of `threads`.
pub fn run(body: &str, threads: u32, buffers: &[&Buffer]) -> Result<(), String> {
    run_module(
        &kernel(buffers.len(), body),
        [1, 1, 1],
        [threads, 1, 1],
        0,
        buffers,
    )
}

/// What `instruction` makes of up to three numbers: it reads `a`, `b` and `c` and writes `d`,
/// registers of the types given.
pub fn evaluate(instruction: &str, types: [&str; 2], inputs: [u64; 3]) -> u64 {
    let [result, source] = types;
    let body = format!(
        ".reg .{source} a, b, c;\n.reg .{result} d;\n.reg .pred p, q;\n\
         ld.global.{source} a, [%p0];\nld.global.{source} b, [%p0+8];\nld.global.{source} c, [%p0+16];\n\
         {instruction}\nst.global.{result} [%p1], d;"
    );
    let (input, output) = (Buffer::of(&inputs), Buffer::of(&[0_u64]));
    run(&body, 1, &[&input, &output]).unwrap_or_else(|why| panic!("{instruction}: {why}"));
    output.read::<u64>()[0]
}

/// Checks a table of instructions.
pub fn check(types: [&str; 2], table: &[(&str, [u64; 3], u64)]) {
    for &(instruction, inputs, expected) in table {
        let found = evaluate(instruction, types, inputs);
        assert_eq!(
            found, expected,
            "{instruction} of {inputs:x?}: {found:#x}, expected {expected:#x}"
        );
    }
}

/// The bits of a single-precision number.
pub fn bits(value: f32) -> u64 {
    u64::from(value.to_bits())
}
