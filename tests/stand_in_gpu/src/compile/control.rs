//! Jumps, calls, ends, barriers of the block.

use super::opcode::Opcode;
use super::program::{Action, BarrierStep, Reduction};
use super::{Compiler, unknown};
use crate::ptx::types::{Function, Operand};

impl Compiler<'_> {
    /// The steps of an instruction that says where to go on; nothing for another.
    pub(super) fn control(
        &mut self,
        function: &Function,
        opcode: &Opcode<'_>,
        operands: &[Operand],
        jumps: &mut Vec<(usize, Vec<String>)>,
    ) -> Result<Option<Vec<Action>>, String> {
        let here = self.steps.len();
        let action = match opcode.name {
            "bra" => {
                let [Operand::Name(label, _)] = operands else {
                    return unknown();
                };
                jumps.push((here, vec![label.clone()]));
                Action::Jump(0)
            }
            "brx" => {
                let [index, Operand::Name(table, _)] = operands else {
                    return unknown();
                };
                let targets = function.branch_tables.get(table);
                let targets = targets.ok_or_else(|| format!("{table} is not known"))?;
                jumps.push((here, targets.clone()));
                Action::JumpByIndex {
                    index: self.read_as::<u32>(index)?,
                    targets: Vec::new(),
                }
            }
            "ret" if function.is_kernel => Action::Exit,
            "ret" => {
                let back = self.backs.get(&function.name).copied();
                Action::Return(back.ok_or("a function without a way back")?)
            }
            "exit" => Action::Exit,
            "trap" | "brkpt" => Action::Trap("the kernel has asked to be ended (trap)"),
            "call" => return self.call(operands).map(Some),
            "bar" | "barrier" if !opcode.has("warp") => {
                Action::Barrier(self.barrier(opcode, operands)?)
            }
            _ => return Ok(None),
        };
        Ok(Some(vec![action]))
    }

    fn barrier(
        &mut self,
        opcode: &Opcode<'_>,
        operands: &[Operand],
    ) -> Result<BarrierStep, String> {
        if opcode.has("sync") {
            let (number, threads) = match operands {
                [number] => (number, None),
                [number, threads] => (number, Some(self.read_as::<u32>(threads)?)),
                _ => return unknown(),
            };
            let number = self.read_as::<u32>(number)?;
            return Ok(BarrierStep {
                number,
                threads,
                reduction: None,
            });
        }
        if !opcode.has("red") {
            return unknown();
        }
        let (into, number, threads, input) = match operands {
            [into, number, input] => (into, number, None, input),
            [into, number, threads, input] => {
                (into, number, Some(self.read_as::<u32>(threads)?), input)
            }
            _ => return unknown(),
        };
        let input = self.predicate(input)?;
        let reduction = if opcode.has("popc") {
            (Reduction::Count, self.write_as::<u32>(into)?, input)
        } else {
            let kind = if opcode.has("and") {
                Reduction::All
            } else {
                Reduction::Any
            };
            (kind, self.write_predicate(into)?, input)
        };
        let number = self.read_as::<u32>(number)?;
        Ok(BarrierStep {
            number,
            threads,
            reduction: Some(reduction),
        })
    }

    /// `call (result), name, (arguments);`: arguments and results are copied within local memory.
    fn call(&mut self, operands: &[Operand]) -> Result<Vec<Action>, String> {
        let empty = Vec::new();
        let (results, name, arguments) = match operands {
            [
                Operand::Arguments(results),
                Operand::Name(name, _),
                Operand::Arguments(arguments),
                ..,
            ] => (results, name, arguments),
            [Operand::Arguments(results), Operand::Name(name, _)] => (results, name, &empty),
            [Operand::Name(name, _), Operand::Arguments(arguments), ..] => {
                (&empty, name, arguments)
            }
            [Operand::Name(name, _)] => (&empty, name, &empty),
            _ => return unknown(),
        };
        if name == "__assertfail" {
            return Ok(vec![Action::Trap(
                "an assertion of the kernel does not hold",
            )]);
        }
        let module = self.module;
        let callee = module.functions.get(name).filter(|callee| callee.has_body);
        let callee = callee.ok_or_else(|| format!("the function {name} is not known"))?;
        let (Some(&entry), Some(&back), Some(&number)) = (
            self.entries.get(name),
            self.backs.get(name),
            self.numbers.get(name),
        ) else {
            return Err(format!("the function {name} is not compiled"));
        };
        let mut copies = Vec::new();
        let pairs = arguments
            .iter()
            .zip(&callee.parameters)
            .map(|pair| (pair, true));
        for ((operand, formal), goes_in) in pairs.chain(
            results
                .iter()
                .zip(&callee.returns)
                .map(|pair| (pair, false)),
        ) {
            let Operand::Name(actual, _) = operand else {
                return unknown();
            };
            let actual = self
                .place_of(actual)
                .ok_or_else(|| format!("{actual} is not known"))?;
            let formal = self.places.get(&(number, formal.clone())).copied();
            let formal = formal.ok_or("a parameter without a place")?;
            let ends = if goes_in {
                (actual, formal)
            } else {
                (formal, actual)
            };
            copies.push((ends, goes_in));
        }
        let copy = |goes_in: bool| {
            let copies: Vec<_> = copies
                .iter()
                .filter(|copy| copy.1 == goes_in)
                .map(|copy| copy.0)
                .collect();
            (!copies.is_empty()).then(|| {
                Action::Memory(Box::new(move |warp, mask, _| {
                    for (from, to) in &copies {
                        let start = crate::execute::memory::LOCAL_START;
                        let bytes = from.bytes.min(to.bytes);
                        warp.copy_local(mask, from.address - start, to.address - start, bytes);
                    }
                    Ok(())
                }))
            })
        };
        let steps = [copy(true), Some(Action::Call { entry, back }), copy(false)];
        Ok(steps.into_iter().flatten().collect())
    }
}
