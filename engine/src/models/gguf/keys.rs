//! Looks the keys of one architecture up and holds what they say against what is possible. A message
//! names the key as it stands in the file.

use std::path::Path;

use super::architecture::Architecture;
use super::header::GgufHeader;
use super::metadata::{Array, Value};
use crate::{Error, Result};

/// The keys `ARCHITECTURE.*` of a file.
pub(super) struct Keys<'a> {
    pub(super) path: &'a Path,
    pub(super) header: &'a GgufHeader,
    pub(super) architecture: Architecture,
}

impl Keys<'_> {
    /// The whole key.
    pub(super) fn name(&self, key: &str) -> String {
        format!("{}.{key}", self.architecture.name())
    }

    pub(super) fn invalid(&self, problem: String) -> Error {
        Error::ModelFileInvalid {
            path: self.path.to_path_buf(),
            problem,
        }
    }

    /// What the file says is possible, but nothing here computes it.
    pub(super) fn unsupported(
        &self,
        field: &'static str,
        found: impl ToString,
        supported: &[&'static str],
    ) -> Error {
        Error::ModelUnsupported {
            path: self.path.to_path_buf(),
            field,
            found: found.to_string(),
            supported: supported.to_vec(),
        }
    }

    fn missing(&self, key: &str) -> Error {
        self.invalid(format!("{} is missing", self.name(key)))
    }

    pub(super) fn has_tensor(&self, name: &str) -> bool {
        self.header.tensors.iter().any(|tensor| tensor.name == name)
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&str>> {
        let text = self.header.metadata.text(&self.name(key));
        text.map_err(|problem| self.invalid(problem))
    }

    /// A size from 0 to `limit`. llama.cpp lets some be lists, one number for each block; a model
    /// whose blocks differ has no Hugging Face family here.
    pub(super) fn size(&self, key: &str, limit: usize) -> Result<Option<usize>> {
        let name = self.name(key);
        let metadata = &self.header.metadata;
        let size = match metadata.get(&name) {
            Some(Value::Array(Array::Integers(blocks))) => match blocks.as_slice() {
                [first, rest @ ..] if rest.iter().all(|other| other == first) => Some(
                    usize::try_from(*first)
                        .map_err(|_| self.invalid(format!("{name} is {first}")))?,
                ),
                _ => {
                    return Err(self.invalid(format!(
                        "{name} differs between blocks, which is not supported"
                    )));
                }
            },
            _ => metadata
                .size(&name)
                .map_err(|problem| self.invalid(problem))?,
        };
        match size {
            Some(size) if size > limit => {
                Err(self.invalid(format!("{name} is {size}, expected at most {limit}")))
            }
            size => Ok(size),
        }
    }

    /// A size from 1 to `limit`, if the key is there.
    pub(super) fn positive_size(&self, key: &str, limit: usize) -> Result<Option<usize>> {
        match self.size(key, limit)? {
            Some(0) => Err(self.invalid(format!("{} is 0, expected 1 to {limit}", self.name(key)))),
            size => Ok(size),
        }
    }

    /// A size from 1 to `limit` that must be there.
    pub(super) fn required_size(&self, key: &str, limit: usize) -> Result<usize> {
        self.positive_size(key, limit)?
            .ok_or_else(|| self.missing(key))
    }

    /// A number, as the config.json that it came from had it.
    pub(super) fn number(&self, key: &str) -> Result<Option<f64>> {
        let number = self.header.metadata.number(&self.name(key));
        let number = number.map_err(|problem| self.invalid(problem))?;
        Ok(number.map(as_written))
    }

    /// A number above 0, if the key is there.
    pub(super) fn positive(&self, key: &str) -> Result<Option<f64>> {
        match self.number(key)? {
            Some(number) if number <= 0.0 => Err(self.invalid(format!(
                "{} is {number}, expected a positive number",
                self.name(key)
            ))),
            number => Ok(number),
        }
    }

    pub(super) fn required_positive(&self, key: &str) -> Result<f64> {
        self.positive(key)?.ok_or_else(|| self.missing(key))
    }
}

/// GGUF stores f32 where config.json had a decimal number: 1e-5 comes back as 0.0000099999997. The
/// shortest decimal number that gives the same f32 is the one that was meant.
pub(super) fn as_written(number: f64) -> f64 {
    let narrow = number as f32;
    if f64::from(narrow) == number {
        narrow.to_string().parse().unwrap_or(number)
    } else {
        number
    }
}
