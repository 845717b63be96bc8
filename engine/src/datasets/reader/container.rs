//! Which container a source is, told by its name and its first bytes. Content decides where it can:
//! a `.json` file is often JSONL, and a `.jsonl` file now and then a list.

use std::path::Path;

use super::json_brackets::{Brackets, Piece};

/// How a source holds its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// Nothing but white space.
    Empty,
    /// A JSON document per line.
    Jsonl,
    /// JSON documents one after the other, over several lines.
    JsonDocuments,
    /// A JSON list of rows, by itself or within an object.
    JsonList,
    /// One JSON object that is a row.
    JsonRow,
    /// One JSON object of columns.
    JsonColumns,
    /// Lines of values with a header.
    Csv,
    /// Apache Parquet.
    Parquet,
    /// Plain text or Markdown.
    Text,
}

impl Container {
    /// What to call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Jsonl => "JSONL",
            Self::JsonDocuments => "JSON documents",
            Self::JsonList => "JSON list",
            Self::JsonRow => "JSON object",
            Self::JsonColumns => "JSON columns",
            Self::Csv => "CSV",
            Self::Parquet => "Parquet",
            Self::Text => "text",
        }
    }
}

/// What a file's name says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Jsonl,
    Json,
    /// With the delimiter that is usual for it.
    Csv(u8),
    Parquet,
    Text,
    /// Nothing.
    Unknown,
}

impl Named {
    /// By the extension, without what tells of a packing.
    pub(super) fn of(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default();
        let name = name.to_string_lossy().to_ascii_lowercase();
        let bare = [".gz", ".zst"]
            .iter()
            .find_map(|packed| name.strip_suffix(packed))
            .unwrap_or(&name);
        match bare.rsplit_once('.').map_or("", |(_, extension)| extension) {
            "jsonl" | "ndjson" => Self::Jsonl,
            "json" => Self::Json,
            "csv" => Self::Csv(b','),
            "tsv" => Self::Csv(b'\t'),
            "parquet" => Self::Parquet,
            "txt" | "md" => Self::Text,
            _ => Self::Unknown,
        }
    }
}

/// Whether a file in a folder is called like a dataset.
pub fn is_dataset_name(path: &Path) -> bool {
    Named::of(path) != Named::Unknown
}

/// Whether a file is called like a text without rows.
pub(super) fn is_text_name(path: &Path) -> bool {
    Named::of(path) == Named::Text
}

/// A JSON text by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JsonShape {
    Lines,
    Documents,
    /// Rows begin after so many bytes.
    List(usize),
    /// The same, and another list of rows stands before them.
    LaterList(usize),
    Object,
}

/// Names under which a list of rows stands in an object.
const WRAPPERS: [&[u8]; 5] = [b"data", b"rows", b"train", b"examples", b"items"];

impl JsonShape {
    /// `whole`: whether the sample is all there is.
    pub(super) fn of(sample: &[u8], whole: bool, named: Named) -> Self {
        let space = sample.len() - sample.trim_ascii_start().len();
        let text = &sample[space..];
        let (Piece::Ends(end), is_list) =
            (Brackets::default().follow(text), text.starts_with(b"["))
        else {
            return match text {
                [b'[', ..] => Self::List(space + 1),
                [b'{', ..] => Self::of_long_object(text, space, whole, named),
                _ => Self::Lines,
            };
        };
        let behind = text[end..].trim_ascii_start();
        let one_line = !text[..end].contains(&b'\n');
        match text.first() {
            Some(b'[') if one_line && behind.starts_with(b"[") => Self::Lines,
            _ if is_list => Self::List(space + 1),
            Some(b'{') if one_line && (named == Named::Jsonl || !behind.is_empty()) => Self::Lines,
            Some(b'{') if !behind.is_empty() => Self::Documents,
            Some(b'{') => wrapped_list(text, space).unwrap_or(Self::Object),
            _ => Self::Lines,
        }
    }

    /// Of an object that goes on behind the sample.
    fn of_long_object(text: &[u8], space: usize, whole: bool, named: Named) -> Self {
        let one_line = !text.contains(&b'\n');
        // A damaged first line is a line still.
        if one_line && (named == Named::Jsonl || named == Named::Unknown)
            || whole && begins_lines(text)
        {
            return Self::Lines;
        }
        if let Some(list) = wrapped_list(text, space) {
            return list;
        }
        if begins_lines(text) {
            Self::Lines
        } else {
            Self::Object
        }
    }
}

/// Whether the second line begins an object as the first does.
fn begins_lines(text: &[u8]) -> bool {
    let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let lines_of_rows = lines
        .by_ref()
        .take(2)
        .filter(|line| line.len() > 1 && line.starts_with(b"{"));
    lines_of_rows.count() == 2
}

/// The list in an object like `{"version": 1, "data": [{`, which stands behind so much space.
fn wrapped_list(text: &[u8], space: usize) -> Option<JsonShape> {
    let skip_space = |at: usize| at + (text[at..].len() - text[at..].trim_ascii_start().len());
    let mut at = skip_space(1);
    let mut another_before = false;
    while text.get(at) == Some(&b'"') {
        let Piece::Ends(length) = Brackets::default().follow(&text[at..]) else {
            return None;
        };
        let name = &text[at + 1..at + length - 1];
        at = skip_space(at + length);
        if text.get(at) != Some(&b':') {
            return None;
        }
        at = skip_space(at + 1);
        if text.get(at) == Some(&b'[') {
            let first = text.get(skip_space(at + 1));
            if WRAPPERS.contains(&name) && matches!(first, Some(b'{' | b'[' | b']')) {
                let start = space + at + 1;
                return Some(match another_before {
                    true => JsonShape::LaterList(start),
                    false => JsonShape::List(start),
                });
            }
            another_before |= matches!(first, Some(b'{' | b'['));
        }
        let Piece::Ends(length) = Brackets::default().follow(&text[at..]) else {
            return None;
        };
        at = skip_space(at + length);
        if text.get(at) != Some(&b',') {
            return None;
        }
        at = skip_space(at + 1);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str, named: Named) -> JsonShape {
        JsonShape::of(text.as_bytes(), true, named)
    }

    #[test]
    fn content_decides_what_json_it_is() {
        use JsonShape::*;
        let both = |text: &str| {
            assert_eq!(
                shape(text, Named::Json),
                shape(text, Named::Jsonl),
                "{text}"
            );
            shape(text, Named::Json)
        };
        assert_eq!(both("{\"a\": 1}\n{\"a\": 2}\n"), Lines);
        assert_eq!(both("{\"a\": 1\n{\"a\": 2}\n"), Lines);
        assert_eq!(both("{\n\"a\": 1}\n{\"a\": 2}\n"), Documents);
        assert_eq!(both(" [{\"a\": 1},"), List(2));
        assert_eq!(both("[1, 2]\n[3]"), Lines);
        assert_eq!(both("{\n\"a\": 1}"), Object);
        assert_eq!(shape("{\"a\": 1}", Named::Json), Object);
        assert_eq!(shape("{\"a\": 1}", Named::Jsonl), Lines);
        assert_eq!(both("oops"), Lines);
    }

    #[test]
    fn lists_are_found_within_objects() {
        let json = |text: &str| shape(text, Named::Json);
        assert_eq!(json(r#"{"data": [{"a": 1}]}"#), JsonShape::List(10));
        assert_eq!(
            json(r#"{"v": {"data": 3}, "rows":[{"a": 1}, "#),
            JsonShape::List(27)
        );
        assert_eq!(json(r#"{"data": ["a"], "b": ["b"]}"#), JsonShape::Object);
        assert_eq!(json(r#"{"text": [{"a": 1}]}"#), JsonShape::Object);
        let half = br#"{"data": [{"a": "#;
        assert_eq!(JsonShape::of(half, false, Named::Json), JsonShape::List(10));
    }

    #[test]
    fn names_tell_the_container_behind_the_packing() {
        let named = |name: &str| Named::of(Path::new(name));
        assert_eq!(named("a/b.JSONL.gz"), Named::Jsonl);
        assert_eq!(named("b.tsv.zst"), Named::Csv(b'\t'));
        assert_eq!(named("README.md"), Named::Text);
        assert_eq!(named("b.gz"), Named::Unknown);
        assert_eq!(named("csv"), Named::Unknown);
    }
}
