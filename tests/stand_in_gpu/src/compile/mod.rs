//! From a kernel's instructions to a program: registers, variables and constants get their places,
//! and every instruction becomes a closure over them, chosen once by opcode and types.

pub mod program;

mod arithmetic;
mod atomic;
mod bits;
mod collective;
mod comparison;
mod control;
mod conversion;
mod float;
mod layout;
mod matrix;
mod memory;
mod moves;
mod opcode;

use crate::execute::registers::{LANES, Lane, Registers, Slot};
use crate::ptx::types::{Function, Instruction, Module, Operand, Space, Variable, Width};
use opcode::Opcode;
use program::{Action, Program, PureAction, Special, Step};
use std::collections::HashMap;

pub use layout::parameter_layout;

/// Where a module's variables lie.
pub type Addresses = HashMap<String, u64>;

/// Compiles one kernel of a module with the device functions it calls.
pub fn compile(module: &Module, addresses: &Addresses, kernel: &str) -> Result<Program, String> {
    let order = layout::functions_of(module, kernel)?;
    let mut compiler = Compiler::new(module, addresses);
    compiler.lay_out(&order)?;
    for (number, function) in order.iter().enumerate() {
        compiler.function(number, function)?;
    }
    let entry = compiler.entries.get(kernel).copied().unwrap_or(0);
    Ok(Program {
        name: kernel.to_owned(),
        steps: compiler.steps,
        entry,
        rows: compiler.rows,
        predicates: compiler.predicates,
        constants: compiler.constants,
        specials: compiler.specials,
        static_shared: compiler.shared_bytes,
        local_bytes: compiler.local_bytes,
    })
}

/// Where a variable lies within its space.
#[derive(Clone, Copy, Debug)]
struct Place {
    space: Space,
    address: u64,
    bytes: u64,
}

struct Compiler<'m> {
    module: &'m Module,
    addresses: &'m Addresses,
    steps: Vec<Step>,
    rows: u32,
    predicates: u32,
    constants: Vec<(Slot, Width, u64)>,
    constant_of: HashMap<(bool, u64), Slot>,
    specials: Vec<(Special, Slot)>,
    shared_bytes: u64,
    local_bytes: u64,
    /// Variables of all functions and of the module's shared memory.
    places: HashMap<(usize, String), Place>,
    shared_places: HashMap<String, Place>,
    /// Where each function begins, and where it keeps the way back.
    entries: HashMap<String, u32>,
    backs: HashMap<String, Slot>,
    numbers: HashMap<String, usize>,
    /// The function that is being compiled.
    current: usize,
    slots: Vec<Slot>,
    widths: Vec<Width>,
}

impl<'m> Compiler<'m> {
    fn new(module: &'m Module, addresses: &'m Addresses) -> Self {
        Self {
            module,
            addresses,
            steps: Vec::new(),
            rows: 0,
            predicates: 1,
            constants: Vec::new(),
            constant_of: HashMap::new(),
            specials: Vec::new(),
            shared_bytes: 0,
            local_bytes: 0,
            places: HashMap::new(),
            shared_places: HashMap::new(),
            entries: HashMap::new(),
            backs: HashMap::new(),
            numbers: HashMap::new(),
            current: 0,
            slots: Vec::new(),
            widths: Vec::new(),
        }
    }

    fn new_slot(&mut self, width: Width) -> Slot {
        let place = match width {
            Width::Predicate => &mut self.predicates,
            _ => &mut self.rows,
        };
        let slot = Slot(*place);
        *place += if width == Width::Bits64 { 2 } else { 1 };
        slot
    }

    fn constant(&mut self, is_wide: bool, value: u64) -> Slot {
        let value = if is_wide {
            value
        } else {
            value & u64::from(u32::MAX)
        };
        if let Some(&slot) = self.constant_of.get(&(is_wide, value)) {
            return slot;
        }
        let width = if is_wide {
            Width::Bits64
        } else {
            Width::Bits32
        };
        let slot = self.new_slot(width);
        self.constants.push((slot, width, value));
        self.constant_of.insert((is_wide, value), slot);
        slot
    }

    fn special(&mut self, special: Special) -> Slot {
        if let Some(&(_, slot)) = self.specials.iter().find(|(known, _)| *known == special) {
            return slot;
        }
        let slot = self.new_slot(Width::Bits32);
        self.specials.push((special, slot));
        slot
    }

    /// The variable of a name, seen from the function that is being compiled.
    fn place_of(&self, name: &str) -> Option<Place> {
        if let Some(&place) = self.places.get(&(self.current, name.to_owned())) {
            return Some(place);
        }
        if let Some(&place) = self.shared_places.get(name) {
            return Some(place);
        }
        let &address = self.addresses.get(name)?;
        let space = self
            .module
            .variables
            .iter()
            .find(|variable| variable.name == name)?
            .space;
        Some(Place {
            space,
            address,
            bytes: 0,
        })
    }

    /// A register or constant that is read as a value of a type of this width.
    fn read(&mut self, operand: &Operand, is_wide: bool) -> Result<Slot, String> {
        Ok(match operand {
            &Operand::Register(number) => {
                let width = self.widths[number as usize];
                if is_wide && width != Width::Bits64 {
                    return Err("a narrow register where 64 bits are read".to_owned());
                }
                if width == Width::Predicate {
                    return Err("a predicate where a number is read".to_owned());
                }
                // The lower half of a wide register lies mixed with the upper one.
                if !is_wide && width == Width::Bits64 {
                    return Err("a wide register where 32 bits are read".to_owned());
                }
                self.slots[number as usize]
            }
            &Operand::Integer(value) => self.constant(is_wide, value),
            &Operand::Float32(bits) => self.constant(is_wide, u64::from(bits)),
            &Operand::Float64(bits) if is_wide => self.constant(true, bits),
            &Operand::Float64(bits) => {
                self.constant(false, u64::from((f64::from_bits(bits) as f32).to_bits()))
            }
            Operand::Name(name, offset) => {
                let place = self
                    .place_of(name)
                    .ok_or_else(|| format!("{name} is not known"))?;
                self.constant(is_wide, place.address.wrapping_add(*offset as u64))
            }
            Operand::Special(name) if !is_wide => {
                let special = opcode::special(name)
                    .ok_or_else(|| format!("the special register {name} is not known"))?;
                self.special(special)
            }
            other => return Err(format!("{other:?} cannot be read")),
        })
    }

    fn read_as<T: Lane>(&mut self, operand: &Operand) -> Result<Slot, String> {
        self.read(operand, T::IS_WIDE)
    }

    /// A register that is written as a value of a type of this width.
    fn write(&mut self, operand: &Operand, is_wide: bool) -> Result<Slot, String> {
        match operand {
            &Operand::Register(number) => {
                let width = self.widths[number as usize];
                if width == Width::Predicate || (width == Width::Bits64) != is_wide {
                    return Err(format!("a register of {width:?} where another is written"));
                }
                Ok(self.slots[number as usize])
            }
            Operand::Discarded => Ok(self.new_slot(if is_wide {
                Width::Bits64
            } else {
                Width::Bits32
            })),
            other => Err(format!("{other:?} cannot be written")),
        }
    }

    fn write_as<T: Lane>(&mut self, operand: &Operand) -> Result<Slot, String> {
        self.write(operand, T::IS_WIDE)
    }

    /// A predicate that is read.
    fn predicate(&mut self, operand: &Operand) -> Result<Slot, String> {
        match operand {
            &Operand::Register(number) if self.widths[number as usize] == Width::Predicate => {
                Ok(self.slots[number as usize])
            }
            &Operand::NegatedPredicate(number)
                if self.widths[number as usize] == Width::Predicate =>
            {
                Ok(self.slots[number as usize].negated())
            }
            &Operand::Integer(0) => Ok(Slot::ALWAYS.negated()),
            &Operand::Integer(_) => Ok(Slot::ALWAYS),
            other => Err(format!("{other:?} is no predicate")),
        }
    }

    /// A predicate that is written.
    fn write_predicate(&mut self, operand: &Operand) -> Result<Slot, String> {
        match operand {
            Operand::Discarded => Ok(self.new_slot(Width::Predicate)),
            &Operand::Register(number) if self.widths[number as usize] == Width::Predicate => {
                Ok(self.slots[number as usize])
            }
            other => Err(format!("{other:?} is no predicate that can be written")),
        }
    }

    fn width_of(&self, operand: &Operand) -> Option<Width> {
        match operand {
            &Operand::Register(number) => self.widths.get(number as usize).copied(),
            _ => None,
        }
    }

    fn map1<A: Lane, D: Lane>(
        &mut self,
        operands: &[Operand],
        compute: impl Fn(A) -> D + Send + Sync + 'static,
    ) -> Result<PureAction, String> {
        let [into, a] = operands else {
            return Err("two operands are expected".to_owned());
        };
        let (into, a) = (self.write_as::<D>(into)?, self.read_as::<A>(a)?);
        Ok(Box::new(move |registers: &mut Registers, mask| {
            let a = A::load(registers, a);
            let mut values = [D::ZERO; LANES];
            for lane in 0..LANES {
                values[lane] = compute(a[lane]);
            }
            D::store(registers, into, mask, &values);
        }))
    }

    fn map2<A: Lane, B: Lane, D: Lane>(
        &mut self,
        operands: &[Operand],
        compute: impl Fn(A, B) -> D + Send + Sync + 'static,
    ) -> Result<PureAction, String> {
        let [into, a, b] = operands else {
            return Err("three operands are expected".to_owned());
        };
        let into = self.write_as::<D>(into)?;
        let (a, b) = (self.read_as::<A>(a)?, self.read_as::<B>(b)?);
        Ok(Box::new(move |registers: &mut Registers, mask| {
            let (a, b) = (A::load(registers, a), B::load(registers, b));
            let mut values = [D::ZERO; LANES];
            for lane in 0..LANES {
                values[lane] = compute(a[lane], b[lane]);
            }
            D::store(registers, into, mask, &values);
        }))
    }

    fn map3<A: Lane, B: Lane, C: Lane, D: Lane>(
        &mut self,
        operands: &[Operand],
        compute: impl Fn(A, B, C) -> D + Send + Sync + 'static,
    ) -> Result<PureAction, String> {
        let [into, a, b, c] = operands else {
            return Err("four operands are expected".to_owned());
        };
        let into = self.write_as::<D>(into)?;
        let (a, b, c) = (
            self.read_as::<A>(a)?,
            self.read_as::<B>(b)?,
            self.read_as::<C>(c)?,
        );
        Ok(Box::new(move |registers: &mut Registers, mask| {
            let (a, b) = (A::load(registers, a), B::load(registers, b));
            let c = C::load(registers, c);
            let mut values = [D::ZERO; LANES];
            for lane in 0..LANES {
                values[lane] = compute(a[lane], b[lane], c[lane]);
            }
            D::store(registers, into, mask, &values);
        }))
    }

    /// Compiles the instructions of one function behind what is there.
    fn function(&mut self, number: usize, function: &Function) -> Result<(), String> {
        self.current = number;
        self.numbers.insert(function.name.clone(), number);
        self.widths.clone_from(&function.registers);
        self.slots = function
            .registers
            .iter()
            .map(|&width| self.new_slot(width))
            .collect();
        let back = self.new_slot(Width::Bits32);
        self.backs.insert(function.name.clone(), back);
        let first = self.steps.len() as u32;
        self.entries.insert(function.name.clone(), first);
        // Some instructions become several steps, so labels are looked up in two passes.
        let mut begins = Vec::with_capacity(function.instructions.len() + 1);
        let mut jumps = Vec::new();
        for instruction in &function.instructions {
            begins.push(self.steps.len() as u32);
            self.instruction(function, instruction, &mut jumps)
                .map_err(|why| {
                    format!(
                        "function {}, line {}: `{}` cannot be carried out: {why}",
                        function.name, instruction.line, instruction.opcode
                    )
                })?;
        }
        begins.push(self.steps.len() as u32);
        let end = if function.is_kernel {
            Action::Exit
        } else {
            Action::Return(back)
        };
        self.steps.push(Step {
            guard: Slot::ALWAYS,
            action: end,
            opcode: "the end of the function".to_owned(),
            line: function.instructions.last().map_or(0, |last| last.line),
        });
        let place = |label: &String| {
            let at = function.labels.get(label);
            at.map(|&at| begins[at])
                .ok_or_else(|| format!("the label {label} is not known"))
        };
        for (step, labels) in jumps {
            let targets = labels.iter().map(place).collect::<Result<Vec<_>, _>>()?;
            match &mut self.steps[step].action {
                Action::JumpByIndex {
                    targets: places, ..
                } => *places = targets,
                action => *action = Action::Jump(targets[0]),
            }
        }
        Ok(())
    }

    fn instruction(
        &mut self,
        function: &Function,
        instruction: &Instruction,
        jumps: &mut Vec<(usize, Vec<String>)>,
    ) -> Result<(), String> {
        let guard = match instruction.guard {
            None => Slot::ALWAYS,
            Some((number, negated)) => {
                let slot = self.slots[number as usize];
                if negated { slot.negated() } else { slot }
            }
        };
        let opcode = Opcode::new(&instruction.opcode);
        let operands = &instruction.operands[..];
        let push = |compiler: &mut Self, action| {
            compiler.steps.push(Step {
                guard,
                action,
                opcode: instruction.opcode.clone(),
                line: instruction.line,
            });
        };
        if let Some(actions) = self.control(function, &opcode, operands, jumps)? {
            for action in actions {
                push(self, action);
            }
            return Ok(());
        }
        if let Some(action) = self.collective(&opcode, operands)? {
            push(self, action);
            return Ok(());
        }
        if let Some(action) = self.memory(&opcode, operands)? {
            push(self, Action::Memory(action));
            return Ok(());
        }
        let action = self.pure(&opcode, operands)?;
        push(self, Action::Pure(action));
        Ok(())
    }

    fn pure(&mut self, opcode: &Opcode<'_>, operands: &[Operand]) -> Result<PureAction, String> {
        match opcode.name {
            "mov" | "cvta" | "isspacep" => self.moves(opcode, operands),
            "cvt" => self.conversion(opcode, operands),
            "setp" | "set" | "selp" | "slct" | "testp" => self.comparison(opcode, operands),
            "and" | "or" | "xor" | "not" | "cnot" | "lop3" | "shl" | "shr" | "shf" | "bfe"
            | "bfi" | "brev" | "popc" | "clz" | "bfind" | "prmt" => self.bits(opcode, operands),
            _ if opcode.types.last().is_some_and(|kind| {
                kind.is_float()
                    || matches!(
                        kind,
                        crate::ptx::types::Type::F16x2 | crate::ptx::types::Type::Bf16x2
                    )
            }) =>
            {
                self.float(opcode, operands)
            }
            _ => self.integer(opcode, operands),
        }
    }

    fn needs(&self, target: u32) -> Result<(), String> {
        if self.module.target >= target {
            return Ok(());
        }
        Err(format!(
            "it needs sm_{target}, the module is for sm_{}",
            self.module.target
        ))
    }
}

/// What an instruction that is not known says.
fn unknown<T>() -> Result<T, String> {
    Err("the stand-in does not know this form".to_owned())
}

/// Places `bytes` behind `end` at a multiple of `align`; returns where.
fn append(end: &mut u64, variable: &Variable) -> u64 {
    let at = end.next_multiple_of(variable.align.max(1) as u64);
    *end = at + variable.bytes as u64;
    at
}
