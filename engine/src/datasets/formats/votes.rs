//! What each row votes for: the format that its columns make, and how sure that is.

use stepladder_protocol::DataFormat;

use super::columns::ColumnNames;
use super::field::{Field, Shape};
use super::hand_map::HandPair;

/// How much less sure a signature is for each that stands before it.
const LESS_PER_RANK: f32 = 0.01;
/// How sure it is that columns belong together of which no signature says so.
const UNLISTED: f32 = 0.6;

/// What is asked for beside the rows.
pub(super) struct Asked<'a> {
    pub(super) by_hand: &'a [HandPair<'a>],
    /// Whether columns may stand together that no signature lists, because a format or a column is
    /// named by hand.
    pub(super) any_columns: bool,
}

/// A row's vote.
pub(super) struct Fit<'a> {
    pub(super) shape: &'static Shape,
    /// The columns of the required fields, in their order.
    required: Vec<&'a str>,
    pub(super) certainty: f32,
}

impl<'h> Asked<'h> {
    /// The surest format of a row; the first of equals, and `text` only where nothing else fits.
    pub(super) fn vote<'a>(
        &self,
        shapes: &[&'static Shape],
        row: &ColumnNames<'a>,
    ) -> Option<Fit<'a>>
    where
        'h: 'a,
    {
        let mut best: Option<Fit> = None;
        for shape in shapes {
            if shape.format == DataFormat::Text && best.is_some() {
                break;
            }
            let Some(fit) = self.fit(shape, row) else {
                continue;
            };
            if best
                .as_ref()
                .is_none_or(|best| fit.certainty > best.certainty)
            {
                best = Some(fit);
            }
        }
        best
    }

    fn fit<'a>(&self, shape: &'static Shape, row: &ColumnNames<'a>) -> Option<Fit<'a>>
    where
        'h: 'a,
    {
        let fit = |(required, certainty)| Fit {
            shape,
            required,
            certainty,
        };
        let known = self.by_signature(shape, row).map(fit);
        known.or_else(|| self.by_fields(shape, row).map(fit))
    }

    /// The columns of the surest signature that the row has, and how sure that is.
    fn by_signature<'a>(
        &self,
        shape: &Shape,
        row: &ColumnNames<'a>,
    ) -> Option<(Vec<&'a str>, f32)> {
        if shape
            .required()
            .any(|field| self.hand_column(field).is_some())
        {
            return None;
        }
        shape
            .signatures
            .iter()
            .enumerate()
            .find_map(|(rank, signature)| {
                let columns = shape.required().zip(*signature).map(|(field, name)| {
                    let column = row.known(name).filter(|column| self.is_free(column))?;
                    let value = row.filled(column)?;
                    // What is not even a list is a problem under the format's own name alone.
                    (rank == 0 || field.may_hold(value)).then_some(column)
                });
                Some((
                    columns.collect::<Option<_>>()?,
                    1.0 - LESS_PER_RANK * rank as f32,
                ))
            })
    }

    /// The columns of the required fields one by one, by hand or by their known names.
    fn by_fields<'a>(&self, shape: &Shape, row: &ColumnNames<'a>) -> Option<(Vec<&'a str>, f32)>
    where
        'h: 'a,
    {
        if !self.any_columns {
            return None;
        }
        let filled = |column: &&str| row.filled(column).is_some();
        let mut columns: Vec<&str> = Vec::new();
        let mut certainty = 1.0;
        for field in shape.required() {
            let column = match self.hand_column(field) {
                Some(column) => Some(column).filter(filled)?,
                None => {
                    certainty = UNLISTED;
                    self.first_known(field, &columns, |name| row.known(name).filter(filled))?
                }
            };
            columns.push(column);
        }
        Some((columns, certainty))
    }

    /// The columns of all fields, of which the required ones are given.
    pub(super) fn columns(
        &self,
        shape: &'static Shape,
        required: &[&str],
        columns: &ColumnNames,
    ) -> Vec<(&'static Field, String)> {
        let mut used: Vec<&str> = required.to_vec();
        let mut assigned: Vec<(&'static Field, String)> = shape
            .required()
            .zip(required.iter().map(|column| (*column).to_owned()))
            .collect();
        for field in shape.optional() {
            let column = match self.hand_column(field) {
                Some(column) => Some(column),
                None => self.first_known(field, &used, |name| columns.known(name)),
            };
            if let Some(column) = column {
                used.push(column);
                assigned.push((field, column.to_owned()));
            }
        }
        assigned
    }

    fn hand_column(&self, field: &Field) -> Option<&'h str> {
        let pair = self.by_hand.iter().find(|pair| pair.field == field.name);
        pair.map(|pair| pair.column)
    }

    /// The first column by a known name of the field that nothing else is read from.
    fn first_known<'a>(
        &self,
        field: &Field,
        used: &[&str],
        find: impl Fn(&str) -> Option<&'a str>,
    ) -> Option<&'a str> {
        let mut found = field.columns.iter().filter_map(|name| find(name));
        found.find(|column| !used.contains(column) && self.is_free(column))
    }

    fn is_free(&self, column: &str) -> bool {
        self.by_hand.iter().all(|pair| pair.column != column)
    }
}

/// The shape of most rows, and the columns of its required fields in most of them.
pub(super) fn majority<'a>(
    shapes: &[&'static Shape],
    votes: &'a [Fit],
) -> Option<(&'static Shape, Vec<&'a str>)> {
    let of = |shape: &Shape| {
        let format = shape.format;
        votes.iter().filter(move |vote| vote.shape.format == format)
    };
    // The first of equals.
    let shape = shapes.iter().rev().max_by_key(|shape| of(shape).count())?;
    let same = |fit: &Fit| {
        of(shape)
            .filter(|other| other.required == fit.required)
            .count()
    };
    let ordered: Vec<&Fit> = of(shape).collect();
    let common = ordered.iter().rev().max_by_key(|fit| same(fit))?;
    Some((shape, common.required.clone()))
}
