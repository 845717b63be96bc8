//! The key-value pairs of a GGUF file. The file is foreign: a getter says whether a value is missing
//! or of another type than its key should have.

use std::collections::BTreeMap;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Any of the integer types.
    Integer(i128),
    /// f32 or f64.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// UTF-8 text.
    Text(String),
    /// Several values of one type.
    Array(Array),
}

/// Several values of one type.
#[derive(Clone, Debug, PartialEq)]
pub enum Array {
    /// Of integers up to 64 bits; u64 beyond i64 does not occur in an array.
    Integers(Vec<i64>),
    /// Of f32 (f64 is narrowed).
    Floats(Vec<f32>),
    /// Of booleans.
    Bools(Vec<bool>),
    /// Of texts.
    Texts(Vec<String>),
}

impl Array {
    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::Integers(values) => values.len(),
            Self::Floats(values) => values.len(),
            Self::Bools(values) => values.len(),
            Self::Texts(values) => values.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// All of a file's key-value pairs. Getters answer `Ok(None)` for a missing key and `Err(problem)`
/// for a value of another type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata(pub(super) BTreeMap<String, Value>);

impl Metadata {
    /// Whatever stands under a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// Every pair, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// A text.
    ///
    /// # Errors
    /// When the value is no text.
    pub fn text(&self, key: &str) -> Result<Option<&str>, String> {
        self.typed(key, "a text", |value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// A number that can be a size, an index or an id.
    ///
    /// # Errors
    /// When the value is no integer, negative, or beyond 2^32.
    pub fn size(&self, key: &str) -> Result<Option<usize>, String> {
        self.typed(
            key,
            "an integer from 0 to 4294967295",
            |value| match value {
                Value::Integer(number) => u32::try_from(*number).ok().map(|size| size as usize),
                _ => None,
            },
        )
    }

    /// A finite number, integers included.
    ///
    /// # Errors
    /// When the value is no number.
    pub fn number(&self, key: &str) -> Result<Option<f64>, String> {
        self.typed(key, "a number", |value| match value {
            Value::Float(number) if number.is_finite() => Some(*number),
            Value::Integer(number) => Some(*number as f64),
            _ => None,
        })
    }

    /// True or false.
    ///
    /// # Errors
    /// When the value is neither.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, String> {
        self.typed(key, "true or false", |value| match value {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        })
    }

    /// A list of texts.
    ///
    /// # Errors
    /// When the value is something else.
    pub fn texts(&self, key: &str) -> Result<Option<&[String]>, String> {
        self.typed(key, "a list of texts", |value| match value {
            Value::Array(Array::Texts(texts)) => Some(texts.as_slice()),
            _ => None,
        })
    }

    /// A list of integers.
    ///
    /// # Errors
    /// When the value is something else.
    pub fn integers(&self, key: &str) -> Result<Option<&[i64]>, String> {
        self.typed(key, "a list of integers", |value| match value {
            Value::Array(Array::Integers(numbers)) => Some(numbers.as_slice()),
            _ => None,
        })
    }

    /// A list of floats.
    ///
    /// # Errors
    /// When the value is something else.
    pub fn floats(&self, key: &str) -> Result<Option<&[f32]>, String> {
        self.typed(key, "a list of floats", |value| match value {
            Value::Array(Array::Floats(numbers)) => Some(numbers.as_slice()),
            _ => None,
        })
    }

    fn typed<'a, T>(
        &'a self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, String> {
        match self.0.get(key) {
            None => Ok(None),
            Some(value) => read(value)
                .map(Some)
                .ok_or_else(|| format!("{key} is {}, expected {expected}", described(value))),
        }
    }
}

fn described(value: &Value) -> String {
    match value {
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Text(_) => "a text".to_owned(),
        Value::Array(array) => format!("a list of {}", array.len()),
    }
}
