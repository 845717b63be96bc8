//! Reads `metrics.jsonl` into columns: line by line, from a place on, whatever the lines hold. A line
//! that is no row is counted and passed over; a last line that is not ended yet is left for the next
//! reading.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use serde::Deserialize;
use stepladder_protocol::EvaluationRow;

use super::json_lines::{Line as LineRead, Lines};
use crate::state::runs::columns::Row;
use crate::state::runs::course;
use crate::state::runs::stored::FiguresRead;

/// The file's name within a run.
pub const NAME: &str = "metrics.jsonl";
/// A longer line is no row.
const MAX_LINE: usize = 1 << 14;
/// Files up to this size are read whole for a sparkline.
const SMALL: u64 = 1 << 16;
/// What is read at each of the places of a larger file.
const SAMPLE: u64 = 1 << 11;

/// A row of either kind. One plain struct: serde would copy every field of a tagged enum first.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    step: u32,
    loss: Option<f32>,
    #[serde(default)]
    learning_rate: Option<f32>,
    #[serde(default)]
    gradient_norm: Option<f32>,
    #[serde(default)]
    tokens_per_second: Option<f32>,
    #[serde(default)]
    elapsed_secs: Option<f32>,
    #[serde(default)]
    peak_bytes: Option<f32>,
    #[serde(default)]
    best: bool,
}

enum Found {
    Step(Row),
    Evaluation(EvaluationRow),
    Nothing,
}

fn parse(line: &[u8]) -> Found {
    let Ok(line) = serde_json::from_slice::<Line<'_>>(line) else {
        return Found::Nothing;
    };
    let figure = |figure: Option<f32>| figure.unwrap_or(f32::NAN);
    match &*line.event {
        "step" => Found::Step(Row {
            step: line.step,
            elapsed: figure(line.elapsed_secs),
            figures: [
                figure(line.loss),
                figure(line.learning_rate),
                figure(line.gradient_norm),
                figure(line.tokens_per_second),
                figure(line.peak_bytes),
            ],
        }),
        "evaluation" => Found::Evaluation(EvaluationRow {
            step: line.step as usize,
            loss: line.loss.map(f64::from),
            best: line.best,
        }),
        _ => Found::Nothing,
    }
}

/// Reads what a run's file holds from byte `from` on. A file that is shorter than that was written
/// anew, and is read from its beginning.
///
/// # Errors
/// When it cannot be read. A file that is not there has no rows.
pub fn read(run: &Path, from: u64) -> io::Result<FiguresRead> {
    let Some(mut lines) = Lines::open(&run.join(NAME), from, MAX_LINE)? else {
        return Ok(FiguresRead::default());
    };
    let mut read = FiguresRead {
        from: lines.from(),
        ..FiguresRead::default()
    };
    while let Some(line) = lines.next_line()? {
        match line {
            LineRead::TooLong => read.damaged += 1,
            LineRead::Whole(line) => match parse(line) {
                Found::Step(row) => read.columns.push(row),
                Found::Evaluation(row) => read.columns.push_evaluation(&row),
                Found::Nothing if line.trim_ascii().is_empty() => {}
                Found::Nothing => read.damaged += 1,
            },
        }
    }
    read.to = lines.to();
    Ok(read)
}

/// What the list wants to know of a run's figures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Glance {
    /// The course of the loss.
    pub sparkline: Vec<f32>,
    /// The last step.
    pub step: usize,
    /// Seconds the run had taken by then.
    pub elapsed: Option<f64>,
}

/// Looks at a file here and there, which takes as long for a million rows as for a thousand.
///
/// # Errors
/// When it cannot be read. A file that is not there has no rows.
pub fn glance(run: &Path) -> io::Result<Glance> {
    let mut file = match File::open(run.join(NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Glance::default()),
        file => file?,
    };
    let length = file.metadata()?.len();
    let mut rows = Vec::new();
    if length <= SMALL {
        let mut bytes = Vec::new();
        file.take(SMALL).read_to_end(&mut bytes)?;
        rows.extend(steps(&bytes));
    } else {
        let last = length - SAMPLE;
        for place in 0..course::MAX_POINTS as u64 {
            let at = last / (course::MAX_POINTS as u64 - 1) * place;
            let sample = sample(&mut file, at)?;
            // The line that it began in was cut.
            let begin = sample.iter().position(|byte| *byte == b'\n').unwrap_or(0);
            rows.extend(steps(&sample[begin..]).next());
        }
        rows.extend(steps(&sample(&mut file, last)?).last());
    }
    Ok(Glance {
        step: rows.last().map_or(0, |row: &Row| row.step as usize),
        elapsed: { rows.last() }
            .map(|row| f64::from(row.elapsed))
            .filter(|secs| secs.is_finite()),
        sparkline: {
            let losses: Vec<f32> = { rows.iter().map(|row| row.figures[0]) }
                .filter(|loss| loss.is_finite())
                .collect();
            let each = losses.len().div_ceil(course::MAX_POINTS).max(1);
            { losses.chunks(each) }
                .map(|few| few.iter().sum::<f32>() / few.len() as f32)
                .collect()
        },
    })
}

fn sample(file: &mut File, at: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(SAMPLE as usize);
    file.seek(SeekFrom::Start(at))?;
    file.take(SAMPLE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn steps(bytes: &[u8]) -> impl Iterator<Item = Row> {
    { bytes.split(|byte| *byte == b'\n') }.filter_map(|line| match parse(line) {
        Found::Step(row) => Some(row),
        _ => None,
    })
}
