//! What readers give and formats take: a row of a file, wherever it stood.

use std::borrow::Cow;
use std::path::Path;

use serde_json::{Map, Value};

use super::formats::parse_fields;
use crate::Error;

/// The fields of a row.
pub type Fields = Map<String, Value>;

/// A row of a source.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// 1-based line at which it begins, or its number where a file has no lines.
    pub line: usize,
    /// What stands there.
    pub content: RowContent,
}

/// What stands in a row.
#[derive(Clone, Debug, PartialEq)]
pub enum RowContent {
    /// A JSON document that is not read yet, so that it can be on another thread.
    Json(String),
    /// Named values.
    Fields(Fields),
    /// Nothing that can be read; the rows behind it can.
    Broken(RowProblem),
}

impl Row {
    /// About how much text stands in it.
    pub fn size_bytes(&self) -> usize {
        match &self.content {
            RowContent::Json(text) => text.len(),
            RowContent::Fields(fields) => {
                fields.iter().map(|(k, v)| k.len() + value_bytes(v)).sum()
            }
            RowContent::Broken(_) => 0,
        }
    }

    /// The row's named values.
    pub fn into_fields(self) -> Result<Fields, RowProblem> {
        match self.content {
            RowContent::Json(text) => parse_fields(&text),
            RowContent::Fields(fields) => Ok(fields),
            RowContent::Broken(problem) => Err(problem),
        }
    }
}

fn value_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(value_bytes).sum(),
        Value::Object(fields) => fields.iter().map(|(k, v)| k.len() + value_bytes(v)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
    }
}

/// Why a row cannot be used: what is wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowProblem {
    /// What was found, naming the field.
    pub problem: String,
    /// What to do about it.
    pub hint: Cow<'static, str>,
}

impl RowProblem {
    /// The problem as an error, with its place.
    pub(super) fn at(self, path: &Path, line: usize) -> Error {
        Error::DatasetRow {
            path: path.to_path_buf(),
            line,
            problem: self.problem,
            hint: self.hint.into_owned(),
        }
    }

    /// A problem and its hint.
    pub fn new(problem: impl Into<String>, hint: impl Into<Cow<'static, str>>) -> Self {
        Self {
            problem: problem.into(),
            hint: hint.into(),
        }
    }
}
