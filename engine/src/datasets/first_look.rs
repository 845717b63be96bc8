//! Some rows of a dataset, without reading more of it than it takes to find them.

use stepladder_protocol::{DataOptions, TokenUse};

use super::conversation::{Sample, SourceLine};
use super::example::{mask, wish};
use super::fitting::{Unfit, fit};
use super::known_rows::KnownRows;
use super::loss_mask::MaskedTokens;
use super::opened::{OpenedSource, left_out};
use super::reader::{DataSource, RowReader};
use super::recipe::Recipe;
use super::report::SourceReport;
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
    /// The rows that can be understood.
    pub rows: Vec<SeenRow>,
}

/// A row that was seen.
#[derive(Clone, Debug)]
pub struct SeenRow {
    /// Its number over all sources, from 1.
    pub number: usize,
    /// Where it stands.
    pub place: SourceLine,
    /// What it says.
    pub sample: Sample,
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
        let many = sources.len() > 1;
        for (index, source) in sources.iter().enumerate() {
            if look.rows.len() >= self.rows && !look.sources.is_empty() {
                break;
            }
            self.source(
                &mut look,
                &mut passed,
                (index, source),
                (options, known, many),
            )?;
        }
        if let (Some(recipe), Some(first)) = (recipe, look.rows.first())
            && recipe.template.is_none()
            && matches!(first.sample, Sample::Chat(_))
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
        (options, known, many): (&DataOptions, &KnownRows, bool),
    ) -> Result<()> {
        let mut opened = match OpenedSource::open(source, options) {
            Ok(opened) => opened,
            Err(error) if many => {
                look.sources.push(left_out(source, &error));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let mut report = opened.report(source);
        if let Some((rows, index)) = known.of(source) {
            let wanted = (self.from - 1).saturating_sub(*passed).min(rows);
            if wanted > opened.waiting() {
                // The rows before it are passed over without being read.
                opened.go_on_with(RowReader::open_near(source, index, wanted)?);
                *passed += wanted;
                report.rows = wanted;
            }
        }
        // What stops the reading here is told when everything is read.
        while look.rows.len() < self.rows
            && let Ok(Some(row)) = opened.next_row()
        {
            report.rows += 1;
            *passed += 1;
            if *passed < self.from {
                continue;
            }
            let place = SourceLine {
                source: index,
                line: row.line,
            };
            if let Some(detection) = &opened.detection {
                let sample = row.into_fields().and_then(|fields| detection.parse(fields));
                look.rows.extend(sample.ok().map(|sample| SeenRow {
                    number: *passed,
                    place,
                    sample,
                }));
            }
        }
        look.sources.push(report);
        Ok(())
    }
}

/// The examples of a sample, as a model will see them.
///
/// # Errors
/// When something is wrong with the model's files.
pub fn see(sample: &Sample, recipe: &Recipe<'_>) -> Result<Vec<SeenExample>> {
    let Ok(masked) = mask(sample, recipe)? else {
        return Ok(Vec::new());
    };
    let wish = wish(sample, recipe.options);
    let bos = recipe.tokenizer.bos_token();
    let see = |tokens: &MaskedTokens| {
        let mut uses = vec![TokenUse::CutOff; tokens.ids.len()];
        match fit(tokens, recipe.context, wish, bos) {
            Ok(fitted) => {
                for piece in &fitted.pieces {
                    for (place, target) in piece.places().zip(&piece.tokens.targets) {
                        // Of a split example the last token of a piece begins the next.
                        uses[place] = match (*target, uses[place]) {
                            (true, _) | (_, TokenUse::Trained) => TokenUse::Trained,
                            (false, _) => TokenUse::Context,
                        };
                    }
                }
            }
            Err(Unfit::NothingTrained) => uses.fill(TokenUse::Context),
            Err(_) => {}
        }
        SeenExample {
            ids: tokens.ids.clone(),
            uses,
        }
    };
    Ok(masked.examples.iter().map(see).collect())
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
                let said = |row: SeenRow| {
                    assert!(row.number >= from, "{} before {from}", row.number);
                    let whole = row.place.line + 10_000 * row.place.source;
                    assert_eq!(row.number, whole);
                    match row.sample {
                        Sample::Chat(chat) => (row.place, chat.messages[0].content.clone()),
                        Sample::Text(text) => (row.place, text),
                    }
                };
                look.rows.into_iter().map(said).collect()
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
