//! Some rows of a dataset, without reading more of it than it takes to find them.

use stepladder_protocol::{DataOptions, TokenUse, TooLong};

use super::conversation::{Sample, SourceLine};
use super::example::{mask, wish};
use super::formats::{DETECTION_ROWS, Detection, detect};
use super::known_rows::KnownRows;
use super::reader::{DataSource, RowReader};
use super::recipe::Recipe;
use super::report::SourceReport;
use super::row::Row;
use crate::Result;

/// Which rows are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstLook {
    /// The first, counted from 1 over all sources; those that cannot be read or understood count too.
    pub from: usize,
    /// How many that can be understood.
    pub rows: usize,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// The sources that were opened, with the rows that were seen of them.
    pub sources: Vec<SourceReport>,
    /// What the rows say.
    pub samples: Vec<(SourceLine, Sample)>,
}

/// An example with what training does with each of its tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenExample {
    /// Token ids, before anything is cut.
    pub ids: Vec<u32>,
    /// What training does with each.
    pub uses: Vec<TokenUse>,
}

impl FirstLook {
    /// Looks.
    ///
    /// # Errors
    /// When a source cannot be opened or its rows have no known format.
    pub fn at(
        &self,
        sources: &[DataSource],
        options: &DataOptions,
        recipe: Option<&Recipe<'_>>,
        known: &KnownRows,
    ) -> Result<Look> {
        let mut look = Look::default();
        let mut passed = 0;
        for (index, source) in sources.iter().enumerate() {
            if look.samples.len() >= self.rows && index > 0 {
                break;
            }
            self.source(&mut look, &mut passed, (index, source), (options, known))?;
        }
        if recipe.is_some_and(|recipe| recipe.template.is_none())
            && let Some((_, Sample::Chat(_))) = look.samples.first()
            && let Some(recipe) = recipe
        {
            return Err(recipe.template_missing());
        }
        Ok(look)
    }

    fn source(
        &self,
        look: &mut Look,
        passed: &mut usize,
        (index, source): (usize, &DataSource),
        (options, known): (&DataOptions, &KnownRows),
    ) -> Result<()> {
        let mut reader = RowReader::open(source)?;
        let mut first: Vec<Row> = Vec::new();
        // What stops the reading here is told when everything is read.
        while first.len() < DETECTION_ROWS
            && let Ok(Some(row)) = reader.next_row()
        {
            first.push(row);
        }
        let detection = detection(source, &first, options)?;
        let mut report = SourceReport {
            path: source.path().to_path_buf(),
            container: reader.container().name(),
            ..SourceReport::default()
        };
        if let Some(detection) = detection {
            report.describe(&detection);
            if let Some((rows, index)) = known.of(source) {
                let wanted = (self.from - 1).saturating_sub(*passed).min(rows);
                if wanted > first.len() {
                    // The rows before it are passed over without being read.
                    reader = RowReader::open_near(source, index, wanted)?;
                    first.clear();
                    *passed += wanted;
                    report.rows = wanted;
                }
            }
            let mut rows = first.into_iter();
            while look.samples.len() < self.rows {
                let row = rows.next().or_else(|| reader.next_row().ok().flatten());
                let Some(row) = row else {
                    break;
                };
                report.rows += 1;
                *passed += 1;
                if *passed < self.from {
                    continue;
                }
                let place = SourceLine {
                    source: index,
                    line: row.line,
                };
                let sample = row.into_fields().and_then(|fields| detection.parse(fields));
                look.samples
                    .extend(sample.ok().map(|sample| (place, sample)));
            }
        }
        look.sources.push(report);
        Ok(())
    }
}

/// The format by the rows that can be read; none if there is none.
fn detection(
    source: &DataSource,
    rows: &[Row],
    options: &DataOptions,
) -> Result<Option<Detection>> {
    let readable = |row: &Row| Some((row.line, row.clone().into_fields().ok()?));
    let (lines, fields): (Vec<usize>, Vec<_>) = rows.iter().filter_map(readable).unzip();
    let Some(&line) = lines.first() else {
        return Ok(None);
    };
    detect(&fields, options)
        .map(Some)
        .map_err(|problem| problem.at(source.path(), line))
}

/// The examples of a sample, as a model will see them.
///
/// # Errors
/// When something is wrong with the model's files.
pub fn see(sample: &Sample, recipe: &Recipe<'_>) -> Result<Vec<SeenExample>> {
    let (masked, _) = mask(sample, recipe)?;
    let wish = wish(sample, recipe.options);
    let seen = masked.into_iter().map(|tokens| {
        let length = tokens.ids.len();
        let kept = match wish {
            _ if length <= recipe.context => 0..length,
            TooLong::CutRight => 0..recipe.context,
            TooLong::CutLeft => length - recipe.context..length,
            TooLong::Drop => 0..0,
            TooLong::Split => 0..length,
        };
        let used = |(t, target): (usize, &bool)| match (kept.contains(&t), target) {
            (false, _) => TokenUse::CutOff,
            (true, true) => TokenUse::Trained,
            (true, false) => TokenUse::Context,
        };
        SeenExample {
            uses: tokens.targets.iter().enumerate().map(used).collect(),
            ids: tokens.ids,
        }
    });
    Ok(seen.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::survey::survey;
    use std::ops::ControlFlow;

    #[test]
    fn a_row_far_back_is_found_with_and_without_an_earlier_reading() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, rows: std::ops::Range<usize>| {
            let path = folder.path().join(name);
            let row = |n: usize| match n % 100 {
                7 => "broken\n".to_owned(),
                _ => format!("{{\"prompt\":\"p{n}\",\"completion\":\"c{n}\"}}\n"),
            };
            std::fs::write(&path, rows.map(row).collect::<String>()).unwrap();
            DataSource::File(path)
        };
        let sources = [file("a.jsonl", 0..10_000), file("b.jsonl", 10_000..12_000)];
        let options = DataOptions::default();
        let mut known = KnownRows::default();
        let looks = |known: &KnownRows| -> Vec<Vec<(SourceLine, String)>> {
            let froms = [1, 2, 107, 5_000, 10_000, 10_001, 10_907, 11_999, 12_001];
            let look = |from| {
                let look = FirstLook { from, rows: 3 };
                let look = look.at(&sources, &options, None, known).unwrap();
                let said = |(place, sample): (SourceLine, Sample)| match sample {
                    Sample::Chat(chat) => (place, chat.messages[0].content.clone()),
                    Sample::Text(text) => (place, text),
                };
                look.samples.into_iter().map(said).collect()
            };
            froms.into_iter().map(look).collect()
        };
        let before = looks(&known);
        assert_eq!(before[3][0].1, "p4999");
        // The row asked for is broken; the next ones are shown.
        assert_eq!(
            (before[2][0].1.as_str(), before[2][0].0.line),
            ("p106", 107)
        );
        assert_eq!(
            (before[6][0].1.as_str(), before[6][0].0.line),
            ("p10906", 907)
        );
        assert_eq!((before[7].len(), before[8].len()), (2, 0));
        known.remember(&survey(&sources, &options, &mut |_| ControlFlow::Continue(())).unwrap());
        assert_eq!(looks(&known), before);
        // A file that changed is not what was known.
        assert!(known.of(&sources[0]).is_some());
        std::fs::write(sources[0].path(), "x").unwrap();
        assert!(known.of(&sources[0]).is_none());
    }
}
