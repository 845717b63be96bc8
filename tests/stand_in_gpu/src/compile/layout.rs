//! Where variables lie: parameters one behind the other, the static shared memory of a kernel and
//! of what it calls, the local memory of each thread. Functions are never active twice at once, so
//! each has registers and local memory of its own.

use super::{Compiler, Place, append};
use crate::execute::memory::{LOCAL_START, SHARED_START};
use crate::ptx::types::{Function, Module, Operand, Space};

/// Offset and size of each of a kernel's parameters, and the size of all.
pub fn parameter_layout(function: &Function) -> (Vec<(u64, usize)>, u64) {
    let mut end = 0;
    let places = function
        .parameters
        .iter()
        .filter_map(|name| function.variables.get(name))
        .map(|variable| (append(&mut end, variable), variable.bytes))
        .collect();
    (places, end)
}

/// A kernel and the functions it calls, what is called before its caller.
pub fn functions_of<'m>(module: &'m Module, kernel: &str) -> Result<Vec<&'m Function>, String> {
    fn visit<'m>(
        module: &'m Module,
        name: &str,
        path: &mut Vec<String>,
        found: &mut Vec<&'m Function>,
    ) -> Result<(), String> {
        if path.iter().any(|caller| caller == name) {
            return Err(format!(
                "{name} calls itself, which the stand-in does not know"
            ));
        }
        if found.iter().any(|function| function.name == name) {
            return Ok(());
        }
        let Some(function) = module
            .functions
            .get(name)
            .filter(|function| function.has_body)
        else {
            return Ok(());
        };
        path.push(name.to_owned());
        for instruction in &function.instructions {
            if instruction.opcode.starts_with("call") {
                for operand in &instruction.operands {
                    if let Operand::Name(callee, _) = operand {
                        visit(module, callee, path, found)?;
                    }
                }
            }
        }
        path.pop();
        found.push(function);
        Ok(())
    }
    let mut found = Vec::new();
    visit(module, kernel, &mut Vec::new(), &mut found)?;
    Ok(found)
}

fn names_in<'o>(operand: &'o Operand, found: &mut Vec<&'o str>) {
    match operand {
        Operand::Name(name, _) | Operand::AtName(name, _) => found.push(name),
        Operand::Vector(inner) | Operand::Arguments(inner) => {
            inner.iter().for_each(|operand| names_in(operand, found));
        }
        _ => {}
    }
}

impl Compiler<'_> {
    /// Gives every variable of these functions its place.
    pub(super) fn lay_out(&mut self, functions: &[&Function]) -> Result<(), String> {
        let mut used = Vec::new();
        for function in functions {
            for instruction in &function.instructions {
                instruction
                    .operands
                    .iter()
                    .for_each(|operand| names_in(operand, &mut used));
            }
        }
        for (number, function) in functions.iter().enumerate() {
            let mut parameter_end = 0;
            for name in &function.declared {
                let Some(variable) = function.variables.get(name) else {
                    continue;
                };
                let of_kernel = function.is_kernel && function.parameters.contains(name);
                let (space, address) = match variable.space {
                    Space::Parameter if of_kernel => {
                        (Space::Parameter, append(&mut parameter_end, variable))
                    }
                    Space::Parameter | Space::Local => (
                        Space::Local,
                        LOCAL_START + append(&mut self.local_bytes, variable),
                    ),
                    Space::Shared if !variable.is_open => (
                        Space::Shared,
                        SHARED_START + append(&mut self.shared_bytes, variable),
                    ),
                    _ => {
                        return Err(format!(
                            "{name} is declared in a space that is not known here"
                        ));
                    }
                };
                let place = Place {
                    space,
                    address,
                    bytes: variable.bytes as u64,
                };
                self.places.insert((number, name.clone()), place);
            }
        }
        let shared = self.module.variables.iter().filter(|variable| {
            variable.space == Space::Shared && used.contains(&variable.name.as_str())
        });
        let (open, fixed): (Vec<_>, Vec<_>) = shared.partition(|variable| variable.is_open);
        for variable in fixed {
            let address = SHARED_START + append(&mut self.shared_bytes, variable);
            let place = Place {
                space: Space::Shared,
                address,
                bytes: variable.bytes as u64,
            };
            self.shared_places.insert(variable.name.clone(), place);
        }
        // All open arrays begin where the static ones end.
        let align = open
            .iter()
            .map(|variable| variable.align as u64)
            .max()
            .unwrap_or(1);
        if !open.is_empty() {
            self.shared_bytes = self.shared_bytes.next_multiple_of(align.max(16));
        }
        for variable in open {
            let address = SHARED_START + self.shared_bytes;
            let place = Place {
                space: Space::Shared,
                address,
                bytes: 0,
            };
            self.shared_places.insert(variable.name.clone(), place);
        }
        Ok(())
    }
}
