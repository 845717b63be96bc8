//! The dataset card: what the engine found, file by file, and the columns that are mapped by hand.

use std::collections::BTreeMap;

use stepladder_engine::datasets::formats::{Need, fields};
use stepladder_protocol::{
    DataFormat, DataOptions, DatasetFile, DatasetPreview, ErrorReport, ReadingProgress, RunConfig,
};

use super::BUILTIN;
use super::examples::file_name;
use crate::text::visible;

/// What the card's question is about.
#[derive(Clone, Debug, PartialEq)]
pub struct DataAsked {
    pub(super) data: Vec<String>,
    pub(super) options: DataOptions,
    pub(super) model: Option<String>,
    pub(super) context: Option<usize>,
    pub(super) held_out_fraction: f64,
}

impl DataAsked {
    /// What a config asks, with a model if there is one that can be read.
    pub(super) fn of(config: &RunConfig, with_model: bool) -> Self {
        Self {
            data: config.data.clone(),
            options: config.data_options.clone(),
            model: with_model.then(|| config.model.clone()),
            context: config.context,
            held_out_fraction: config.held_out_fraction,
        }
    }
}

/// What is known of the dataset.
#[derive(Debug, Default)]
pub struct Dataset {
    /// What was found last: at first a look, then the account of all rows.
    pub preview: Option<DatasetPreview>,
    /// Whether that is about something else than what is on the page now.
    pub outdated: bool,
    /// How far the reading has come.
    pub reading: Option<ReadingProgress>,
    /// Why it cannot be read.
    pub problem: Option<ErrorReport>,
    /// Whether reading was broken off by the user.
    pub canceled: bool,
    /// What was added, a row each.
    pub rows: Vec<DataRow>,
    /// The columns and the fields they stand for.
    pub mapping: Mapping,
    /// Whether the columns are shown although they are recognized.
    pub mapping_open: bool,
    /// What was dropped and is neither model nor data, in sentences.
    pub not_taken: Vec<String>,
}

/// A file or folder that was added.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DataRow {
    /// As the config has it.
    pub target: String,
    /// Its last part, to be shown.
    pub name: String,
    /// The whole path, to be shown.
    pub path: String,
    /// How many dataset files it is; none while that is not known.
    pub files: Option<usize>,
    /// What kind of files.
    pub container: String,
    /// How their rows are written; `auto`: not known, or several ways.
    pub format: DataFormat,
    /// How sure that is.
    pub confidence: f32,
    /// Why.
    pub reason: String,
    /// Their bytes.
    pub bytes: u64,
    /// Why it is left out, or not read to its end.
    pub problem: Option<String>,
}

/// Columns mapped to the fields of a format.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    /// The format whose fields these are.
    pub format: DataFormat,
    /// Its fields.
    pub fields: Vec<MappedField>,
    /// The columns there are.
    pub columns: Vec<String>,
}

/// A field and the column that it is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappedField {
    /// Its name.
    pub name: &'static str,
    /// Whether every row needs it.
    pub required: bool,
    /// The column; none: rows lack it.
    pub column: Option<String>,
    /// Whether that was said by hand.
    pub by_hand: bool,
}

impl Dataset {
    /// Takes what was found, and sorts it by what was added.
    pub(super) fn found(&mut self, preview: DatasetPreview, config: &RunConfig) {
        self.preview = Some(preview);
        self.outdated = false;
        self.sort(config);
    }

    /// Sorts what was found by what was added.
    pub(super) fn sort(&mut self, config: &RunConfig) {
        let files = { self.preview.as_ref() }.map_or(&[][..], |preview| preview.files.as_slice());
        // Files come in the order of what was added, so each target takes its run of them.
        let mut rest = files;
        self.rows = { config.data.iter() }
            .map(|target| {
                let is_of = |file: &&DatasetFile| is_in(&file.path, target);
                let own = rest.iter().take_while(|file| is_of(file)).count();
                let (own, others) = rest.split_at(own);
                rest = others;
                DataRow::of(target, own)
            })
            .collect();
        self.mapping = Mapping::of(files, &config.data_options);
    }

    /// Rows that can be trained on, once all are read.
    pub fn examples(&self) -> Option<usize> {
        let preview = self.preview.as_ref()?;
        preview.complete.then_some(preview.examples)
    }
}

fn is_in(path: &str, target: &str) -> bool {
    if target == BUILTIN {
        return path.starts_with(BUILTIN);
    }
    let rest = path.strip_prefix(target.trim_end_matches(['/', '\\']));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '\\']))
}

impl DataRow {
    fn of(target: &str, files: &[DatasetFile]) -> Self {
        let mut row = Self {
            target: target.to_owned(),
            name: file_name(target),
            path: visible(target),
            files: (!files.is_empty()).then_some(files.len()),
            bytes: files.iter().map(|file| file.bytes).sum(),
            problem: files.iter().find_map(|file| file.ended.clone()),
            ..Self::default()
        };
        if let Some(first) = files.first() {
            let is_alike = |file: &DatasetFile| file.format == first.format;
            let one_container = files.iter().all(|file| file.container == first.container);
            if one_container {
                row.container.clone_from(&first.container);
            }
            if files.iter().all(is_alike) {
                row.format = first.format;
                row.reason.clone_from(&first.reason);
                let surest = files.iter().map(|file| file.confidence);
                row.confidence = surest.fold(1.0, f32::min);
            }
        }
        row
    }
}

impl Mapping {
    fn of(files: &[DatasetFile], options: &DataOptions) -> Self {
        let Some(file) = files.iter().find(|file| !file.found_columns.is_empty()) else {
            return Self::default();
        };
        let format = match options.format {
            DataFormat::Auto => file.format,
            asked => asked,
        };
        let by_hand = |field: &str| {
            let pair = |(left, right): (&String, &String)| match (left.as_str(), right.as_str()) {
                (column, name) if name == field => Some(column.to_owned()),
                (name, column) if name == field => Some(column.to_owned()),
                _ => None,
            };
            options.map.iter().find_map(pair)
        };
        Self {
            format,
            fields: fields(format)
                .iter()
                .map(|field| {
                    let said = by_hand(field.name);
                    MappedField {
                        name: field.name,
                        required: field.need == Need::Required,
                        by_hand: said.is_some(),
                        column: said.or_else(|| file.columns.get(field.name).cloned()),
                    }
                })
                .collect(),
            columns: file.found_columns.clone(),
        }
    }

    /// Says which column a field is read from; none: as it is recognized.
    pub(super) fn say(&self, options: &mut DataOptions, field: &str, column: Option<&str>) {
        let map: &mut BTreeMap<String, String> = &mut options.map;
        map.retain(|left, right| left != field && right != field);
        if let Some(column) = column {
            // A column stands for one field.
            map.retain(|left, right| left != column && right != column);
            map.insert(column.to_owned(), field.to_owned());
        }
        // The fields on the page are those of this format.
        if options.format == DataFormat::Auto {
            options.format = self.format;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> DatasetFile {
        DatasetFile {
            path: path.to_owned(),
            container: "JSONL".to_owned(),
            bytes: 10,
            format: DataFormat::QuestionAnswer,
            confidence: 0.9,
            columns: [("question".to_owned(), "q".to_owned())].into(),
            found_columns: vec!["q".to_owned(), "a".to_owned(), "why".to_owned()],
            ..DatasetFile::default()
        }
    }

    #[test]
    fn files_are_sorted_by_what_was_added() {
        let config = RunConfig {
            data: ["/d/set", "/d/set2.csv", "builtin", "/gone"]
                .map(str::to_owned)
                .into(),
            ..RunConfig::default()
        };
        let other = DatasetFile {
            format: DataFormat::Text,
            container: "CSV".to_owned(),
            ended: Some("broken".to_owned()),
            ..file("/d/set/b.csv")
        };
        let mut dataset = Dataset::default();
        let preview = DatasetPreview {
            files: vec![
                file("/d/set/a.jsonl"),
                other,
                file("/d/set2.csv"),
                file("builtin"),
            ],
            ..DatasetPreview::default()
        };
        dataset.found(preview, &config);
        let rows = &dataset.rows;
        assert_eq!((rows[0].files, rows[0].format), (Some(2), DataFormat::Auto));
        assert_eq!(
            (rows[0].bytes, rows[0].problem.as_deref()),
            (20, Some("broken"))
        );
        assert_eq!(rows[0].name, "set");
        assert_eq!(
            (rows[1].files, rows[1].format),
            (Some(1), DataFormat::QuestionAnswer)
        );
        assert_eq!(rows[2].files, Some(1));
        assert_eq!(rows[3].files, None);
    }

    #[test]
    fn a_column_stands_for_one_field_and_a_field_for_one_column() {
        let mut options = DataOptions::default();
        let mapping = Mapping::of(&[file("a")], &options);
        let question = &mapping.fields[0];
        assert_eq!((question.name, question.required), ("question", true));
        assert_eq!(
            (question.column.as_deref(), question.by_hand),
            (Some("q"), false)
        );
        mapping.say(&mut options, "answer", Some("a"));
        mapping.say(&mut options, "reasoning", Some("a"));
        assert_eq!(options.format, DataFormat::QuestionAnswer);
        assert_eq!(
            options.map,
            [("a".to_owned(), "reasoning".to_owned())].into()
        );
        mapping.say(&mut options, "reasoning", Some("why"));
        mapping.say(&mut options, "answer", Some("a"));
        let mapping = Mapping::of(&[file("a")], &options);
        let answer = &mapping.fields[1];
        assert_eq!(
            (answer.column.as_deref(), answer.by_hand),
            (Some("a"), true)
        );
        mapping.say(&mut options, "answer", None);
        assert_eq!(
            options.map,
            [("why".to_owned(), "reasoning".to_owned())].into()
        );
    }
}
