//! Which format some rows have. Every row has a vote, so that one odd row at the beginning does not
//! decide for a whole file: the format of most rows is taken, and rows of another become problems.

use stepladder_protocol::{DataFormat, DataOptions};

use super::columns::{ColumnNames, Columns, in_words, quoted};
use super::field::{Field, Need, Shape};
use super::hand_map::{self, HandPair};
use super::values::RowValues;
use super::votes::{Asked, Fit, majority};
use super::{Fields, RowProblem, SHAPES, Sample, suggestions};

/// Rows that are looked at.
pub const DETECTION_ROWS: usize = 50;
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
    let certainties: Vec<f32> = votes
        .iter()
        .filter(|vote| vote.shape.format == shape.format)
        .map(|vote| vote.certainty)
        .collect();
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
    let mut confidence = certainties.iter().sum::<f32>() / rows.len() as f32;
    if shape.format == DataFormat::Text && !unused.is_empty() && !asked.any_columns {
        confidence *= TEXT_AMONG_OTHERS;
    }
    Ok(Detection {
        format: shape.format,
        confidence,
        reason: reason(shape, &assigned, &unused, certainties.len(), rows.len()),
        columns: assigned,
        shape,
    })
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
