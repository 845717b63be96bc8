//! Columns that are mapped by hand: pairs of a column of the file and a field of a format, written
//! in either direction.

use std::collections::BTreeMap;

use super::RowProblem;
use super::columns::{ColumnNames, quoted};
use super::field::Shape;
use super::suggestions::closest;

/// A column and the field that it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HandPair<'a> {
    pub(super) field: &'static str,
    pub(super) column: &'a str,
}

/// Understands the pairs, with the fields of `shapes`. Where a pair can be read both ways, the
/// column is on the left.
pub(super) fn resolve<'a>(
    map: &BTreeMap<String, String>,
    shapes: &[&'static Shape],
    columns: &ColumnNames<'a>,
) -> Result<Vec<HandPair<'a>>, RowProblem> {
    let mut pairs: Vec<HandPair> = Vec::new();
    for (left, right) in map {
        let pair = pair(left, right, shapes, columns)?;
        if let Some(other) = pairs.iter().find(|other| other.field == pair.field) {
            return Err(RowProblem::new(
                format!(
                    "two columns, {} and {}, are mapped to the field `{}`",
                    quoted(other.column),
                    quoted(pair.column),
                    pair.field
                ),
                "map one column to each field",
            ));
        }
        if let Some(other) = pairs.iter().find(|other| other.column == pair.column) {
            return Err(RowProblem::new(
                format!(
                    "the column {} is mapped to two fields, `{}` and `{}`",
                    quoted(pair.column),
                    other.field,
                    pair.field
                ),
                "map each column to one field",
            ));
        }
        pairs.push(pair);
    }
    Ok(pairs)
}

fn pair<'a>(
    left: &str,
    right: &str,
    shapes: &[&'static Shape],
    columns: &ColumnNames<'a>,
) -> Result<HandPair<'a>, RowProblem> {
    let field = |name: &str| {
        shapes
            .iter()
            .find_map(|shape| shape.field(name))
            .map(|f| f.name)
    };
    let read = |column: &str, name: &str| {
        Some(HandPair {
            field: field(name)?,
            column: columns.exact(column)?,
        })
    };
    if let Some(pair) = read(left, right).or_else(|| read(right, left)) {
        return Ok(pair);
    }
    if columns.exact(left).is_some() {
        return Err(unknown_field(right, shapes));
    }
    if field(right).is_none() && columns.exact(right).is_some() {
        return Err(unknown_field(left, shapes));
    }
    let column = match field(right).is_none() && field(left).is_some() {
        true => right,
        false => left,
    };
    Err(unknown_column(column, columns))
}

fn unknown_column(name: &str, columns: &ColumnNames) -> RowProblem {
    let hint = match closest(name, columns.all().iter().copied()) {
        Some(column) => format!("did you mean {}?", quoted(column)),
        None => "write pairs as --map COLUMN=FIELD, with a column of the file".to_owned(),
    };
    RowProblem::new(
        format!(
            "the file has no column {}; {}",
            quoted(name),
            columns.told()
        ),
        hint,
    )
}

fn unknown_field(name: &str, shapes: &[&'static Shape]) -> RowProblem {
    let mut fields: Vec<&'static str> = Vec::new();
    for field in shapes.iter().flat_map(|shape| shape.fields) {
        if !fields.contains(&field.name) {
            fields.push(field.name);
        }
    }
    let hint = match closest(name, fields.iter().copied()) {
        Some(field) => format!("did you mean `{field}`?"),
        None => "write pairs as --map COLUMN=FIELD, with a field of the format".to_owned(),
    };
    let what = match shapes {
        [only] => format!("the format {} has no field", only.format.name()),
        _ => "no format has a field".to_owned(),
    };
    let fields: Vec<String> = fields.iter().map(|field| format!("`{field}`")).collect();
    RowProblem::new(
        format!(
            "{what} {}; the fields are {}",
            quoted(name),
            fields.join(", ")
        ),
        hint,
    )
}
