//! What to propose where columns are not recognized: the nearest names, and the flags that would
//! say by hand what a column holds.

use super::columns::{ColumnNames, folded};
use super::field::{Field, Shape};
use super::hand_map::HandPair;

/// From here on two names are taken for one that is misspelled.
const MISSPELLED: f64 = 0.8;
/// From here on a name is worth asking about.
const SIMILAR: f64 = 0.6;
/// Comparing spellings takes the product of the lengths; longer names are no names.
const MAX_NAME_CHARS: usize = 64;
/// Columns that are looked at, of files with very many.
const MAX_COLUMNS: usize = 64;

/// The name most like `name`, if one is.
pub(super) fn closest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = folded(name);
    names
        .take(MAX_COLUMNS)
        .map(|known| (likeness(&name, &folded(known)), known))
        .filter(|(likeness, _)| *likeness >= SIMILAR)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
}

/// The flags that make the columns one of the formats, as far as their names tell.
pub(super) fn flags(
    shapes: &[&Shape],
    by_hand: &[HandPair],
    columns: &ColumnNames,
) -> Option<String> {
    let best = shapes
        .iter()
        .filter_map(|shape| guess(shape, by_hand, columns))
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.map(|(_, flags)| flags)
}

/// Flags with the file's first columns, where the names tell nothing.
pub(super) fn example_flags(shape: &Shape, columns: &ColumnNames) -> Option<String> {
    let fields: Vec<&Field> = shape.required().collect();
    let writable: Vec<&str> = columns
        .all()
        .iter()
        .copied()
        .filter(|c| is_writable(c))
        .collect();
    let pairs = writable
        .iter()
        .zip(&fields)
        .map(|(column, field)| flag(column, field));
    (writable.len() >= fields.len()).then(|| pairs.collect::<Vec<_>>().join(" "))
}

/// How sure it is that the columns are of this format, and the flags that say so.
fn guess(shape: &Shape, by_hand: &[HandPair], columns: &ColumnNames) -> Option<(f64, String)> {
    let mut used: Vec<&str> = by_hand.iter().map(|pair| pair.column).collect();
    let mut flags = Vec::new();
    let mut sureness = 0.0;
    for field in shape.required() {
        if by_hand.iter().any(|pair| pair.field == field.name) {
            sureness += 1.0;
            continue;
        }
        let (likeness, column) = columns
            .all()
            .iter()
            .take(MAX_COLUMNS)
            .filter(|column| is_writable(column) && !used.contains(*column))
            .map(|column| (means(field, column), *column))
            .filter(|(likeness, _)| *likeness >= MISSPELLED)
            // The first of equals.
            .reduce(|best, other| if other.0 > best.0 { other } else { best })?;
        used.push(column);
        sureness += likeness;
        flags.push(flag(column, field));
    }
    (!flags.is_empty()).then(|| {
        // Two columns that fit say more than one.
        (sureness, flags.join(" "))
    })
}

/// How much a column's name says that it holds a field.
fn means(field: &Field, column: &str) -> f64 {
    let column = folded(column);
    let names = || field.columns.iter().chain(field.synonyms);
    if names().any(|name| *name == column) {
        return 1.0;
    }
    // A misspelled name of one or two letters is another name.
    let long = names().filter(|name| name.len() >= 4);
    long.map(|name| likeness(&column, name)).fold(0.0, f64::max)
}

fn likeness(a: &str, b: &str) -> f64 {
    if a.chars().count().max(b.chars().count()) > MAX_NAME_CHARS {
        return 0.0;
    }
    strsim::normalized_damerau_levenshtein(a, b)
}

/// Whether a column can be written in a command as it is, in every shell.
fn is_writable(column: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ');
    column.chars().count() <= MAX_NAME_CHARS
        && column.chars().all(plain)
        && column.starts_with(|c: char| c.is_alphanumeric() || c == '_')
        && !column.ends_with(' ')
}

fn flag(column: &str, field: &Field) -> String {
    match column.contains(' ') {
        true => format!("--map \"{column}={}\"", field.name),
        false => format!("--map {column}={}", field.name),
    }
}
