//! Says of each PTX file whether it can be read, and of each of its kernels whether the stand-in
//! could run it: `cargo run --release -p stepladder-stand-in-gpu --example understand FILE...`

use std::collections::HashMap;
use std::io::Write;
use std::process::ExitCode;

fn main() -> std::io::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    let mut all_understood = true;
    for path in std::env::args().skip(1) {
        let source = std::fs::read_to_string(&path)?;
        let module = match stand_in_gpu::ptx::parser::parse(&source) {
            Ok(module) => module,
            Err(why) => {
                writeln!(out, "{path}: cannot be read: {why}")?;
                all_understood = false;
                continue;
            }
        };
        // Any address will do: nothing is run.
        let addresses: HashMap<String, u64> = module
            .variables
            .iter()
            .map(|variable| (variable.name.clone(), 4096))
            .collect();
        let (mut kernels, mut steps) = (0, 0);
        for function in module
            .functions
            .values()
            .filter(|function| function.is_kernel)
        {
            kernels += 1;
            match stand_in_gpu::compile::compile(&module, &addresses, &function.name) {
                Ok(program) => steps += program.steps.len(),
                Err(why) => {
                    all_understood = false;
                    writeln!(out, "{path}: {}: {why}", function.name)?;
                }
            }
        }
        writeln!(
            out,
            "{path}: {kernels} kernels, {steps} steps, sm_{}",
            module.target
        )?;
    }
    Ok(if all_understood {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
