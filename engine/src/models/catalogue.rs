//! Well-known open models by name: what their published config.json says, how their weights are
//! stored, under which license. A question about a model, such as what memory it needs, can then be
//! answered before anything is downloaded. The facts are data (`assets/catalogue.json`, inside the
//! executable); this module finds an entry, or the nearest ones for a name that is none.
//!
//! An entry has what shapes the decoder. What only ends a generation (`eos_token_id`) is left out.
//! Of models that also see images it has the language model alone, as the engine does.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;

use super::config::DecoderConfig;
use super::stored_type::StoredType;
use crate::{Error, Result};

static JSON: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../assets/catalogue.json"
));

/// Read once. The failure is kept as text because an [`Error`] cannot be had twice.
static CATALOGUE: LazyLock<Result<Vec<Entry>, String>> =
    LazyLock::new(|| read(JSON).map_err(|error| error.to_string()));

/// Names that are suggested in place of an unknown one, at most.
const SUGGESTIONS: usize = 3;
/// From here on (1 is equality) a name is near enough to be what was meant.
const NEAR: f64 = 0.6;
/// A longer name is nobody's misspelling, and comparing it takes long.
const LONGEST_NAME: usize = 128;

/// A model of the catalogue.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its short name, such as `qwen2.5-7b`.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// Where the Hugging Face Hub has it.
    pub hub_id: String,
    /// The license, by the Hub's identifier or the license's own name.
    pub license: String,
    /// The Hub asks for an account that accepted the terms.
    pub gated: bool,
    /// Parameters as published; of models that see images, the language model's.
    pub parameters: usize,
    /// The type of the published weights.
    pub stored: StoredType,
    /// The decoder.
    pub config: DecoderConfig,
    /// The other names that [`find`] knows it by, in lower case: aliases, the last part of `hub_id`.
    others: Vec<String>,
}

/// An entry as the file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    name: String,
    /// Other names of the model, and those of tunes with the same config and stored type.
    #[serde(default)]
    aliases: Vec<String>,
    title: String,
    hub_id: String,
    license: String,
    gated: bool,
    parameters: usize,
    stored: Stored,
    config: BTreeMap<String, Value>,
}

/// The types in which the catalogue's models are published.
#[derive(Clone, Copy, Deserialize)]
enum Stored {
    F32,
    F16,
    BF16,
}

impl From<Stored> for StoredType {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::F32 => Self::F32,
            Stored::F16 => Self::F16,
            Stored::BF16 => Self::BF16,
        }
    }
}

impl Record {
    fn parse(self) -> Result<Entry> {
        let path = PathBuf::from(format!("catalogue.json: {}", self.name));
        let json = serde_json::to_vec(&self.config).map_err(|error| Error::ModelFileInvalid {
            path: path.clone(),
            problem: error.to_string(),
        })?;
        let config = DecoderConfig::from_json(&path, &json)?;
        let hub_name = split(&self.hub_id).1.to_lowercase();
        let mut others = self.aliases;
        if hub_name != self.name {
            others.push(hub_name);
        }
        Ok(Entry {
            name: self.name,
            title: self.title,
            hub_id: self.hub_id,
            license: self.license,
            gated: self.gated,
            parameters: self.parameters,
            stored: self.stored.into(),
            config,
            others,
        })
    }
}

/// The owner of a Hub id, if one is named, and what follows it.
fn split(hub_id: &str) -> (Option<&str>, &str) {
    match hub_id.rsplit_once('/') {
        Some((owner, name)) => (Some(owner), name),
        None => (None, hub_id),
    }
}

fn read(json: &str) -> Result<Vec<Entry>> {
    let records: Vec<Record> =
        serde_json::from_str(json).map_err(|error| Error::ModelFileInvalid {
            path: PathBuf::from("catalogue.json"),
            problem: error.to_string(),
        })?;
    records.into_iter().map(Record::parse).collect()
}

impl Entry {
    /// All names it is known by, in lower case.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.name)
            .chain(&self.others)
            .map(String::as_str)
    }

    fn owner(&self) -> &str {
        split(&self.hub_id).0.unwrap_or("")
    }

    /// How near a name in lower case is to the nearest of its own, from 0 to 1.
    fn nearness(&self, name: &str) -> f64 {
        self.names()
            .map(|own| strsim::normalized_damerau_levenshtein(own, name))
            .fold(0.0, f64::max)
    }
}

/// All models of the catalogue, family by family.
///
/// # Errors
/// When the file inside the executable is damaged, which the tests rule out.
pub fn entries() -> Result<&'static [Entry]> {
    match &*CATALOGUE {
        Ok(entries) => Ok(entries),
        Err(problem) => Err(Error::ModelFileInvalid {
            path: PathBuf::from("catalogue.json"),
            problem: problem.clone(),
        }),
    }
}

/// The model of this name: its short name, an alias, its Hub id or the last part of it, in any case.
/// A Hub id of another owner is another model.
///
/// # Errors
/// When the catalogue has no such model; the error names the nearest ones.
pub fn find(name: &str) -> Result<&'static Entry> {
    let entries = entries()?;
    let wanted = name.to_lowercase();
    let (owner, last) = split(&wanted);
    entries
        .iter()
        .find(|entry| {
            entry.names().any(|own| own == last)
                && owner.is_none_or(|owner| owner == entry.owner().to_lowercase())
        })
        .ok_or_else(|| Error::ModelUnknown {
            name: name.to_owned(),
            nearest: nearest(entries, last),
        })
}

/// Names of the entries that a name in lower case may have meant, the nearest first.
fn nearest(entries: &[Entry], name: &str) -> Vec<String> {
    if name.len() > LONGEST_NAME {
        return Vec::new();
    }
    let mut near: Vec<(f64, &Entry)> = entries
        .iter()
        .map(|entry| (entry.nearness(name), entry))
        .filter(|(nearness, _)| *nearness >= NEAR)
        .collect();
    // Stable: of equally near ones the file's order decides.
    near.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    near.into_iter()
        .take(SUGGESTIONS)
        .map(|(_, entry)| entry.name.clone())
        .collect()
}

#[cfg(test)]
mod tests;
