//! Which format some rows have. Every row has a vote, so that one odd row at the beginning does not
//! decide for a whole file: the format of most rows is taken, and rows of another become problems.

use stepladder_protocol::{DataFormat, DataOptions};

use super::columns::{ColumnNames, Columns, in_words, quoted};
use super::field::{Field, Need, Shape};
use super::hand_map::{self, HandPair};
use super::values::RowValues;
use super::{Fields, RowProblem, SHAPES, Sample, suggestions};

/// Rows that are looked at.
pub const DETECTION_ROWS: usize = 50;
/// How sure a signature is, less for each that stands before it.
const LESS_PER_RANK: f32 = 0.01;
/// How sure it is that columns belong together which are not known to.
const UNLISTED: f32 = 0.6;
/// How sure it is that a text is all there is, where other columns stand beside it.
const TEXT_AMONG_OTHERS: f32 = 0.8;

/// How the rows of a file are written.
#[derive(Clone, Debug)]
pub struct Detection {
    /// Their format, never `Auto`.
    pub format: DataFormat,
    /// How sure that is, from 0 to 1.
    pub confidence: f32,
    /// Why, in one sentence that names the columns.
    pub reason: String,
    /// The column that each field is read from.
    pub columns: Columns,
    shape: &'static Shape,
}

impl Detection {
    /// What a row says.
    pub fn parse(&self, fields: Fields) -> Result<Sample, RowProblem> {
        (self.shape.parse)(&mut RowValues::new(&self.columns, fields))
    }
}

/// The format of the first rows of a file, at most [`DETECTION_ROWS`] of which are looked at.
/// `options` may name the format, columns by hand, or both.
pub fn detect(rows: &[Fields], options: &DataOptions) -> Result<Detection, RowProblem> {
    let rows = &rows[..rows.len().min(DETECTION_ROWS)];
    let columns = ColumnNames::of(rows);
    let named = |shape: &&Shape| [DataFormat::Auto, shape.format].contains(&options.format);
    let shapes: Vec<&'static Shape> = SHAPES.into_iter().filter(named).collect();
    let by_hand = hand_map::resolve(&options.map, &shapes, &columns)?;
    let shapes = with_fields(&shapes, &by_hand)?;
    let asked = Asked {
        by_hand: &by_hand,
        any_columns: options.format != DataFormat::Auto || !by_hand.is_empty(),
    };
    let votes: Vec<Fit> = rows
        .iter()
        .filter_map(|row| asked.vote(&shapes, &ColumnNames::of(std::slice::from_ref(row))))
        .collect();
    let Some((shape, required)) = majority(&shapes, &votes) else {
        return Err(nothing_fits(options.format, &shapes, &by_hand, &columns));
    };
    let certainties = votes
        .iter()
        .filter(|vote| vote.shape.format == shape.format);
    let (count, sum) = certainties.fold((0, 0.0), |(n, sum), vote| (n + 1, sum + vote.certainty));
    let assigned = asked.columns(shape, &required, &columns);
    let is_used = |column: &str| assigned.iter().any(|(_, used)| used == column);
    let unused: Vec<&str> = columns
        .all()
        .iter()
        .copied()
        .filter(|c| !is_used(c))
        .collect();
    let is_open = |field: &&Field| assigned.iter().all(|(used, _)| used.name != field.name);
    let open = shape.optional().filter(is_open).collect();
    let assigned = Columns::new(assigned, open);
    let mut confidence = sum / rows.len() as f32;
    if shape.format == DataFormat::Text && !unused.is_empty() && !asked.any_columns {
        confidence *= TEXT_AMONG_OTHERS;
    }
    Ok(Detection {
        format: shape.format,
        confidence,
        reason: reason(shape, &assigned, &unused, count, rows.len()),
        columns: assigned,
        shape,
    })
}

/// What is asked for beside the rows.
struct Asked<'a> {
    by_hand: &'a [HandPair<'a>],
    /// Whether columns may stand together that no signature lists, because a format or a column is
    /// named by hand.
    any_columns: bool,
}

/// A row's vote.
struct Fit<'a> {
    shape: &'static Shape,
    /// The columns of the required fields, in their order.
    required: Vec<&'a str>,
    certainty: f32,
}

impl<'h> Asked<'h> {
    /// The surest format of a row; the first of equals, and `text` only where nothing else fits.
    fn vote<'a>(&self, shapes: &[&'static Shape], row: &ColumnNames<'a>) -> Option<Fit<'a>>
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
        let fit = |required, certainty| Fit {
            shape,
            required,
            certainty,
        };
        let required: Vec<&Field> = shape.required().collect();
        if required
            .iter()
            .all(|field| self.hand_column(field).is_none())
        {
            for (rank, signature) in shape.signatures.iter().enumerate() {
                let columns = required.iter().zip(*signature).map(|(field, name)| {
                    let column = row.known(name)?;
                    let value = row.filled(column)?;
                    // What is not even a list is a problem under the format's own name alone.
                    (rank == 0 || field.may_hold(value)).then_some(column)
                });
                let is_free = |column: &&str| self.by_hand.iter().all(|p| p.column != *column);
                if let Some(columns) = columns.collect::<Option<Vec<_>>>()
                    && columns.iter().all(is_free)
                {
                    return Some(fit(columns, 1.0 - LESS_PER_RANK * rank as f32));
                }
            }
        }
        if !self.any_columns {
            return None;
        }
        let mut columns: Vec<&str> = Vec::new();
        let mut certainty = 1.0;
        for field in required {
            let column = match self.hand_column(field) {
                Some(column) => row.filled(column).map(|_| column)?,
                None => {
                    certainty = UNLISTED;
                    let filled = |column: &&str| row.filled(column).is_some();
                    self.first_known(field, &columns, |name| row.known(name).filter(filled))?
                }
            };
            columns.push(column);
        }
        Some(fit(columns, certainty))
    }

    /// The columns of all fields, of which the required ones are given.
    fn columns(
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
        let is_free = |column: &&str| {
            !used.contains(column) && self.by_hand.iter().all(|pair| pair.column != *column)
        };
        let mut found = field.columns.iter().filter_map(|name| find(name));
        found.find(is_free)
    }
}

/// The shapes that have every field that is mapped by hand.
fn with_fields(
    shapes: &[&'static Shape],
    by_hand: &[HandPair],
) -> Result<Vec<&'static Shape>, RowProblem> {
    let has_all =
        |shape: &&&'static Shape| by_hand.iter().all(|pair| shape.field(pair.field).is_some());
    let fitting: Vec<&'static Shape> = shapes.iter().filter(has_all).copied().collect();
    if fitting.is_empty() {
        let fields = in_words(by_hand.iter().map(|pair| format!("`{}`", pair.field)));
        return Err(RowProblem::new(
            format!("no format has all of the fields {fields} that columns are mapped to"),
            "map columns to the fields of one format, like `prompt` and `completion`",
        ));
    }
    Ok(fitting)
}

/// The shape of most rows, and the columns of its required fields in most of them.
fn majority<'a>(
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

fn reason(shape: &Shape, columns: &Columns, unused: &[&str], count: usize, rows: usize) -> String {
    let mut reason = format!(
        "{count} of {rows} rows have {}",
        columns.told(Need::Required)
    );
    let beside = columns.told(Need::Optional);
    if !beside.is_empty() {
        reason += &format!(", with {beside}");
    }
    if shape.format == DataFormat::Preference {
        reason += ", of which the chosen side is trained on";
    }
    if !unused.is_empty() {
        let are = if unused.len() == 1 { "is" } else { "are" };
        reason += &format!(
            "; {} {are} not used",
            in_words(unused.iter().map(|c| quoted(c)))
        );
    }
    reason
}

fn nothing_fits(
    format: DataFormat,
    shapes: &[&'static Shape],
    by_hand: &[HandPair],
    columns: &ColumnNames,
) -> RowProblem {
    let problem = match (format, by_hand, shapes) {
        (DataFormat::Auto, [], _) => {
            format!("the rows are of no known format; {}", columns.told())
        }
        (_, _, [only]) => {
            let needs = in_words(only.required().map(|field| format!("`{}`", field.name)));
            let name = only.format.name();
            format!(
                "the rows lack what the format {name} needs, {needs}; {}",
                columns.told()
            )
        }
        _ => {
            let fields = in_words(by_hand.iter().map(|pair| format!("`{}`", pair.field)));
            format!(
                "no format is complete with {fields} alone; {}",
                columns.told()
            )
        }
    };
    let by_names = suggestions::flags(shapes, by_hand, columns);
    let example = || {
        let shape = match (format, columns.all().len()) {
            (DataFormat::Auto, 1) => &super::text::SHAPE,
            (DataFormat::Auto, _) => &super::prompt_completion::SHAPE,
            _ => shapes.first().copied()?,
        };
        suggestions::example_flags(shape, columns)
    };
    let hint = match (by_names, example()) {
        (Some(flags), _) => format!("say what the columns hold: {flags}"),
        (None, Some(flags)) => format!("say what the columns hold, like {flags}"),
        (None, None) => "write each row as {\"messages\": [{\"role\": \"user\", \"content\": ...}, \
             {\"role\": \"assistant\", \"content\": ...}]} or {\"prompt\": ..., \"completion\": ...}"
            .to_owned(),
    };
    RowProblem::new(problem, hint)
}
