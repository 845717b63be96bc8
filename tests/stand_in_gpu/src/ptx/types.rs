//! What a PTX module consists of once it is read.

use std::collections::HashMap;

/// A type of PTX, as it stands in opcodes and declarations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Type {
    Pred,
    B8,
    B16,
    B32,
    B64,
    U8,
    U16,
    U32,
    U64,
    S8,
    S16,
    S32,
    S64,
    F16,
    Bf16,
    F32,
    F64,
    F16x2,
    Bf16x2,
}

impl Type {
    /// The type a modifier without its dot names.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "pred" => Self::Pred,
            "b8" => Self::B8,
            "b16" => Self::B16,
            "b32" => Self::B32,
            "b64" => Self::B64,
            "u8" => Self::U8,
            "u16" => Self::U16,
            "u32" => Self::U32,
            "u64" => Self::U64,
            "s8" => Self::S8,
            "s16" => Self::S16,
            "s32" => Self::S32,
            "s64" => Self::S64,
            "f16" => Self::F16,
            "bf16" => Self::Bf16,
            "f32" | "tf32" => Self::F32,
            "f64" => Self::F64,
            "f16x2" => Self::F16x2,
            "bf16x2" => Self::Bf16x2,
            _ => return None,
        })
    }

    /// How many bytes a value takes in memory.
    pub fn bytes(self) -> usize {
        match self {
            Self::Pred | Self::B8 | Self::U8 | Self::S8 => 1,
            Self::B16 | Self::U16 | Self::S16 | Self::F16 | Self::Bf16 => 2,
            Self::B32 | Self::U32 | Self::S32 | Self::F32 | Self::F16x2 | Self::Bf16x2 => 4,
            Self::B64 | Self::U64 | Self::S64 | Self::F64 => 8,
        }
    }

    /// Whether widening repeats the sign.
    pub fn is_signed(self) -> bool {
        matches!(self, Self::S8 | Self::S16 | Self::S32 | Self::S64)
    }

    /// Whether it is one floating-point number.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::Bf16 | Self::F32 | Self::F64)
    }
}

/// A state space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Space {
    Generic,
    Global,
    Constant,
    Shared,
    Local,
    Parameter,
}

impl Space {
    /// The space a modifier without its dot names.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name.split("::").next()? {
            "global" => Self::Global,
            "const" => Self::Constant,
            "shared" => Self::Shared,
            "local" => Self::Local,
            "param" => Self::Parameter,
            _ => return None,
        })
    }
}

/// How wide a register is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Width {
    Predicate,
    Bits16,
    Bits32,
    Bits64,
}

/// Something in memory that has a name.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Variable {
    pub name: String,
    pub space: Space,
    pub align: usize,
    pub bytes: usize,
    /// Declared `name[]`: dynamic shared memory.
    pub is_open: bool,
    pub initial: Vec<Initial>,
}

/// One element of an initializer.
#[derive(Clone, Debug)]
pub enum Initial {
    /// The bytes of a number.
    Bytes(Vec<u8>),
    /// The address of something, with an offset.
    Address(String, i64),
}

/// What an instruction works on.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Operand {
    Register(u32),
    NegatedPredicate(u32),
    Integer(u64),
    Float32(u32),
    Float64(u64),
    Special(String),
    /// A variable, a function or a label, and an offset.
    Name(String, i64),
    /// `[register + offset]`
    AtRegister(u32, i64),
    /// `[name + offset]`
    AtName(String, i64),
    Vector(Vec<Operand>),
    /// `value|predicate`
    Pair(Box<Operand>, Box<Operand>),
    Arguments(Vec<Operand>),
    Discarded,
}

/// An instruction as it is written.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Instruction {
    /// The predicate it hangs on, and whether that is negated.
    pub guard: Option<(u32, bool)>,
    pub opcode: String,
    pub operands: Vec<Operand>,
    pub line: u32,
}

/// A kernel or a device function.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Function {
    pub name: String,
    pub is_kernel: bool,
    pub has_body: bool,
    pub returns: Vec<String>,
    pub parameters: Vec<String>,
    /// Parameters, returned values, and everything declared inside, under names of their own.
    pub variables: HashMap<String, Variable>,
    /// The same in the order of their declaration.
    pub declared: Vec<String>,
    pub registers: Vec<Width>,
    pub instructions: Vec<Instruction>,
    pub labels: HashMap<String, usize>,
    pub branch_tables: HashMap<String, Vec<String>>,
    pub most_threads: Option<u32>,
}

/// A whole module.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Module {
    pub version: (u32, u32),
    /// 75 for `sm_75`.
    pub target: u32,
    pub variables: Vec<Variable>,
    pub functions: HashMap<String, Function>,
}
