//! What a format is made of, as data: its fields, the columns they are recognized by, and the names
//! that are proposed when nothing is recognized. The window's lists and every suggestion come from
//! here.

use serde_json::Value;
use stepladder_protocol::DataFormat;

use super::values::RowValues;
use super::{RowProblem, Sample};

/// A field of a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name, as `--map COLUMN=NAME` says it.
    pub name: &'static str,
    /// Whether every row needs it.
    pub need: Need,
    /// What stands in it.
    pub kind: FieldKind,
    /// Columns it is recognized by, the most likely first.
    pub columns: &'static [&'static str],
    /// Further names, also in other languages, that are proposed and never taken unasked. Lower
    /// case, without accents.
    pub synonyms: &'static [&'static str],
}

/// Whether a row needs a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A row without it is a problem.
    Required,
    /// Rows may lack it.
    Optional,
}

/// What stands in a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// A text; numbers and `true` or `false` are written out.
    Text,
    /// A list of turns.
    Turns,
    /// A text or a list of turns.
    TextOrTurns,
    /// A list of pairs, a question and its answer each.
    Pairs,
    /// A list of tools.
    Tools,
}

/// A format: its fields, how it is recognized, and what its rows say.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) format: DataFormat,
    pub(super) fields: &'static [Field],
    /// Columns that make a row one of this format, one for each required field in their order; the
    /// surest first. Listed together because `source` beside `target` is a prompt and `source`
    /// beside `response` is where the row comes from.
    pub(super) signatures: &'static [&'static [&'static str]],
    pub(super) parse: fn(&mut RowValues) -> Result<Sample, RowProblem>,
}

impl Shape {
    pub(super) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    pub(super) fn required(&self) -> impl Iterator<Item = &'static Field> + use<> {
        let fields = self.fields;
        fields.iter().filter(|field| field.need == Need::Required)
    }

    pub(super) fn optional(&self) -> impl Iterator<Item = &'static Field> + use<> {
        let fields = self.fields;
        fields.iter().filter(|field| field.need == Need::Optional)
    }
}

impl Field {
    pub(super) const fn required(
        name: &'static str,
        kind: FieldKind,
        columns: &'static [&'static str],
        synonyms: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            need: Need::Required,
            kind,
            columns,
            synonyms,
        }
    }

    pub(super) const fn optional(
        name: &'static str,
        kind: FieldKind,
        columns: &'static [&'static str],
        synonyms: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            need: Need::Optional,
            kind,
            columns,
            synonyms,
        }
    }

    /// Whether a value can be what the field holds, by its kind alone.
    pub(super) fn may_hold(&self, value: &Value) -> bool {
        match (self.kind, value) {
            (FieldKind::Turns, Value::Array(_)) => true,
            (FieldKind::Turns, Value::String(text)) => text.trim_start().starts_with('['),
            (FieldKind::Turns, _) => false,
            _ => true,
        }
    }
}

/// A text that stands above the conversation.
pub(super) const SYSTEM: Field = Field::optional(
    "system",
    FieldKind::Text,
    &["system", "system_prompt", "system_message"],
    &["systemprompt", "sistema", "systeme"],
);

/// What was thought before the answer, in a column of its own.
pub(super) const REASONING: Field = Field::optional(
    "reasoning",
    FieldKind::Text,
    &[
        "reasoning",
        "reasoning_content",
        "thinking",
        "cot",
        "complex_cot",
        "chain_of_thought",
        "rationale",
        "thought",
        "thoughts",
        "reasoning_trace",
        "explanation",
    ],
    &[
        "begrundung",
        "uberlegung",
        "gedanken",
        "erklarung",
        "raisonnement",
        "reflexion",
        "explication",
        "razonamiento",
        "pensamiento",
        "explicacion",
    ],
);

/// The tools that the assistant may call.
pub(super) const TOOLS: Field = Field::optional(
    "tools",
    FieldKind::Tools,
    &["tools", "functions"],
    &["werkzeuge", "outils", "herramientas"],
);
