//! Which column of a file holds which field of a format, and how both are named in messages.

use std::collections::HashMap;

use serde_json::Value;

use super::Fields;
use super::field::{Field, Need};
use crate::foreign_text::visible_excerpt;

/// Columns that are named one by one in a message.
const MAX_NAMED: usize = 12;

/// The columns that a format's fields are read from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    assigned: Vec<(&'static Field, String)>,
    /// Optional fields that no column was found for.
    open: Vec<&'static Field>,
}

impl Columns {
    pub(super) fn new(assigned: Vec<(&'static Field, String)>, open: Vec<&'static Field>) -> Self {
        Self { assigned, open }
    }

    /// Each field in use and its column.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Field, &str)> {
        self.assigned
            .iter()
            .map(|(field, column)| (*field, column.as_str()))
    }

    /// The column that a field is read from.
    pub fn column(&self, field: &str) -> Option<&str> {
        self.iter()
            .find(|(known, _)| known.name == field)
            .map(|(_, column)| column)
    }

    /// Columns that may hold a field of which the first rows said nothing.
    pub(super) fn late_names(&self, field: &str) -> impl Iterator<Item = &'static str> {
        let names = self
            .open
            .iter()
            .find(|open| open.name == field)
            .map_or(&[][..], |open| open.columns);
        let is_free = |name: &&&'static str| self.iter().all(|(_, column)| column != **name);
        names.iter().filter(is_free).copied()
    }

    /// The fields of one need, as a sentence has them.
    pub(super) fn told(&self, need: Need) -> String {
        let names = self.iter().filter(|(field, _)| field.need == need);
        in_words(names.map(|(field, column)| match column == field.name {
            true => quoted(column),
            false => format!("{} as `{}`", quoted(column), field.name),
        }))
    }
}

/// The columns of some rows, found by their names without regard to case, accents and separators.
pub(super) struct ColumnNames<'a> {
    in_order: Vec<&'a str>,
    /// A value of each, one that is not null if there is one.
    values: HashMap<&'a str, &'a Value>,
    by_name: HashMap<String, &'a str>,
}

impl<'a> ColumnNames<'a> {
    pub(super) fn of(rows: &'a [Fields]) -> Self {
        let mut names = Self {
            in_order: Vec::new(),
            values: HashMap::new(),
            by_name: HashMap::new(),
        };
        for (column, value) in rows.iter().flatten() {
            match names.values.insert(column, value) {
                None => names.add(column),
                Some(before) if !before.is_null() => {
                    names.values.insert(column, before);
                }
                Some(_) => {}
            }
        }
        names
    }

    fn add(&mut self, column: &'a str) {
        self.in_order.push(column);
        let folded = folded(column);
        // Of `Prompt` and `prompt` the latter is meant.
        let is_better = |known: &&str| **known != folded && column == folded;
        if self.by_name.get(&folded).is_none_or(is_better) {
            self.by_name.insert(folded, column);
        }
    }

    /// Every column, in the order in which the rows bring them.
    pub(super) fn all(&self) -> &[&'a str] {
        &self.in_order
    }

    /// The column of exactly this name.
    pub(super) fn exact(&self, name: &str) -> Option<&'a str> {
        self.values.get_key_value(name).map(|(column, _)| *column)
    }

    /// The column that a known name stands for.
    pub(super) fn known(&self, name: &str) -> Option<&'a str> {
        self.by_name.get(name).copied()
    }

    /// The value of a column, unless it is null everywhere.
    pub(super) fn filled(&self, column: &str) -> Option<&'a Value> {
        let value = self.values.get(column).copied();
        value.filter(|value| !value.is_null())
    }

    /// All columns for a message.
    pub(super) fn told(&self) -> String {
        match self.in_order.len() {
            0 => "there are no columns".to_owned(),
            1 => format!("the only column is {}", quoted(self.in_order[0])),
            _ => format!(
                "the columns are {}",
                in_words(self.in_order.iter().map(|c| quoted(c)))
            ),
        }
    }
}

/// A name as columns are compared: lower case, no accents, `_` between words.
pub(super) fn folded(name: &str) -> String {
    let fold = |c: char| match c {
        'à' | 'á' | 'â' | 'ä' => 'a',
        'è' | 'é' | 'ê' | 'ë' => 'e',
        'ì' | 'í' | 'î' | 'ï' => 'i',
        'ò' | 'ó' | 'ô' | 'ö' => 'o',
        'ù' | 'ú' | 'û' | 'ü' => 'u',
        'ç' => 'c',
        'ñ' => 'n',
        ' ' | '-' | '.' => '_',
        other => other,
    };
    name.trim()
        .chars()
        .flat_map(char::to_lowercase)
        .map(fold)
        .collect()
}

/// A column for a message.
pub(super) fn quoted(column: &str) -> String {
    format!("`{}`", visible_excerpt(column, 40))
}

/// `a, b and c`, or the first of very many.
pub(super) fn in_words(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<String> = names.collect();
    if names.len() > MAX_NAMED {
        let more = names.len() - MAX_NAMED;
        names.truncate(MAX_NAMED);
        return format!("{} and {more} more", names.join(", "));
    }
    match names.pop() {
        Some(last) if !names.is_empty() => format!("{} and {last}", names.join(", ")),
        Some(only) => only,
        None => String::new(),
    }
}
