//! Parquet files, written here by the library that reads them.

use std::sync::Arc;

use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::super::{Container, DataSource, RowReader};
use super::Reading;

type Levels<'l> = Option<&'l [i16]>;

fn texts(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: &[&str],
    definition: Levels<'_>,
    repetition: Levels<'_>,
) {
    let values: Vec<ByteArray> = values.iter().map(|text| ByteArray::from(*text)).collect();
    let mut column = group.next_column().unwrap().unwrap();
    let writer = column.typed::<ByteArrayType>();
    writer.write_batch(&values, definition, repetition).unwrap();
    column.close().unwrap();
}

/// Rows in groups of 3, `{"prompt", "completion"}`.
fn conversations(compression: Compression, rows: usize) -> Vec<u8> {
    let schema =
        "message schema { required binary prompt (UTF8); optional binary completion (UTF8); }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    for first in (0..rows).step_by(3) {
        let numbers = first..rows.min(first + 3);
        let prompts: Vec<String> = numbers.clone().map(|n| format!("question {n}")).collect();
        let prompts: Vec<&str> = prompts.iter().map(String::as_str).collect();
        let present: Vec<i16> = numbers.clone().map(|n| i16::from(n % 3 != 1)).collect();
        let completions = numbers.filter(|n| n % 3 != 1).map(|_| "\u{e4}");
        let mut group = writer.next_row_group().unwrap();
        texts(&mut group, &prompts, None, None);
        texts(
            &mut group,
            &completions.collect::<Vec<_>>(),
            Some(&present),
            None,
        );
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

#[test]
fn tables_are_read_in_every_compression() {
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
        Compression::LZ4_RAW,
        Compression::LZ4,
    ] {
        let reading = Reading::of("a.parquet", &conversations(compression, 7));
        assert!(
            reading.error.is_none(),
            "{compression}: {:?}",
            reading.error
        );
        assert_eq!(reading.container, Container::Parquet);
        assert_eq!(reading.rows.len(), 7);
        assert_eq!(
            reading.texts()[..2],
            [
                "{\"prompt\":\"question 0\",\"completion\":\"\u{e4}\"}",
                "{\"prompt\":\"question 1\",\"completion\":null}"
            ]
        );
        assert!(reading.lines().into_iter().eq(1..=7));
        // The content tells it from its name.
        assert_eq!(
            Reading::of("data.json", &conversations(compression, 3))
                .rows
                .len(),
            3
        );
    }
}

#[test]
fn nested_columns_become_json_and_bytes_are_left_out() {
    let schema = Arc::new(
        parse_message_type(
            "message schema {
        optional group messages (LIST) { repeated group list { optional group element {
            optional binary role (UTF8); optional binary content (UTF8); } } }
        optional group scores (MAP) { repeated group key_value {
            required binary key (UTF8); optional double value; } }
        optional group image { optional binary bytes; optional binary path (UTF8); }
        required int32 price (DECIMAL(9, 2));
        required int64 time (TIMESTAMP_MILLIS);
    }",
        )
        .unwrap(),
    );
    let properties = Arc::new(WriterProperties::default());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    // Row 1 has two messages, row 2 an empty list.
    texts(
        &mut group,
        &["user", "assistant"],
        Some(&[4, 4, 1]),
        Some(&[0, 1, 0]),
    );
    texts(&mut group, &["hi"], Some(&[4, 3, 1]), Some(&[0, 1, 0]));
    texts(
        &mut group,
        &["good", "bad"],
        Some(&[2, 2, 0]),
        Some(&[0, 1, 0]),
    );
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<DoubleType>()
        .write_batch(&[0.5, f64::NAN], Some(&[3, 3, 0]), Some(&[0, 1, 0]))
        .unwrap();
    column.close().unwrap();
    texts(&mut group, &["\u{0}"], Some(&[2, 0]), None);
    texts(&mut group, &["a.png"], Some(&[2, 0]), None);
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<Int32Type>()
        .write_batch(&[1250, -5], None, None)
        .unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<Int64Type>()
        .write_batch(&[0, 86_400_000], None, None)
        .unwrap();
    column.close().unwrap();
    group.close().unwrap();
    let bytes = writer.into_inner().unwrap();

    let reading = Reading::of("a.parquet", &bytes);
    assert!(reading.error.is_none(), "{:?}", reading.error);
    assert_eq!(
        reading.texts(),
        [
            "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":null}],\
             \"scores\":{\"good\":0.5,\"bad\":null},\"image\":{\"path\":\"a.png\"},\
             \"price\":\"12.50\",\"time\":\"1970-01-01 00:00:00.000 +00:00\"}",
            "{\"messages\":[],\"scores\":null,\"image\":null,\
             \"price\":\"-0.05\",\"time\":\"1970-01-02 00:00:00.000 +00:00\"}",
        ]
    );
    assert_eq!(
        reading.notices,
        ["column `image.bytes` holds bytes, which are no text, and is left out"]
    );
}

#[test]
fn a_table_of_bytes_alone_is_refused() {
    let schema =
        Arc::new(parse_message_type("message schema { required binary pixels; }").unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    texts(&mut group, &["x"], None, None);
    group.close().unwrap();
    let reading = Reading::of("a.parquet", &writer.into_inner().unwrap());
    assert_eq!(
        reading.problem(),
        "a.parquet:1: no column can be read; column `pixels` holds bytes, which are no text, and is left out"
    );
}

#[test]
fn damaged_tables_are_errors() {
    let whole = conversations(Compression::SNAPPY, 30);
    assert_eq!(
        Reading::of("a.parquet", &whole[..whole.len() - 10]).problem(),
        "a.parquet:1: the Parquet file has no end"
    );
    assert_eq!(
        Reading::of("a.parquet", &whole[..8]).problem(),
        "a.parquet:1: the file is too short to be a Parquet file"
    );
    let mut long_footer = whole.clone();
    let tail = long_footer.len() - 8;
    long_footer[tail..tail + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(
        Reading::of("a.parquet", &long_footer).problem(),
        "a.parquet:1: the Parquet file is damaged: its footer is larger than the file"
    );
    // A page in the middle: the groups before it are read.
    let mut damaged = whole.clone();
    let footer_bytes = u32::from_le_bytes(whole[tail..tail + 4].try_into().unwrap());
    let middle = (tail - footer_bytes as usize) / 2;
    damaged[middle..middle + 40].fill(0xff);
    let reading = Reading::of("a.parquet", &damaged);
    assert!(!reading.rows.is_empty() && reading.rows.len() < 30);
    let line = reading.rows.len() + 1;
    let problem = reading.problem();
    let expected = format!("a.parquet:{line}: the Parquet file is damaged: ");
    assert!(problem.starts_with(&expected), "{problem}");
}

#[test]
fn pages_that_are_larger_than_they_say_are_refused() {
    for compression in [
        Compression::GZIP(GzipLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
    ] {
        let schema =
            Arc::new(parse_message_type("message s { required binary a (UTF8); }").unwrap());
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .set_dictionary_enabled(false)
            .build();
        let mut writer =
            SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
        let mut group = writer.next_row_group().unwrap();
        texts(&mut group, &["x".repeat(100_000).as_str()], None, None);
        group.close().unwrap();
        let mut bytes = writer.into_inner().unwrap();
        assert_eq!(Reading::of("a.parquet", &bytes).rows.len(), 1);
        // Behind the magic number, the page's type in two bytes and the tag of its size.
        let size = [0xc8, 0x9a, 0x0c];
        assert_eq!(bytes[4..10], [0x15, 0x00, 0x15, size[0], size[1], size[2]]);
        bytes[7..10].copy_from_slice(&[0x80, 0x80, 0x01]);
        assert_eq!(
            Reading::of("a.parquet", &bytes).problem(),
            "a.parquet:1: the Parquet file is damaged: a page is larger than it says"
        );
    }
}

/// Lists of one text again and again, which a dictionary holds once: a list per number of values.
fn repeated(text: &str, lists: &[usize], version: WriterVersion) -> Vec<u8> {
    let schema = "message s { repeated binary a (UTF8); }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder()
        .set_writer_version(version)
        .build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let level = |values: &usize| (0..*values).map(|value| i16::from(value > 0));
    let repetition: Vec<i16> = lists.iter().flat_map(level).collect();
    let count = repetition.len();
    let (values, definition) = (vec![text; count], vec![1; count]);
    texts(&mut group, &values, Some(&definition), Some(&repetition));
    group.close().unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn rows_that_would_swell_are_refused_before_they_do() {
    let text = "x".repeat(100_000);
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        // All lists together are large, but none of them is.
        let bytes = repeated(&text, &[3; 1000], version);
        assert!(bytes.len() < 1 << 20);
        let source = DataSource::Memory {
            name: "lists",
            bytes: bytes.into(),
        };
        let mut reader = RowReader::open(&source).unwrap();
        let mut rows = 0;
        while let Some(row) = reader.next_row().unwrap() {
            assert_eq!(row.size_bytes(), 300_001);
            rows += 1;
        }
        assert_eq!(rows, 1000);

        let reading = Reading::of("a.parquet", &repeated(&text, &[1, 2, 3000, 1], version));
        assert_eq!(
            reading.problem(),
            "a.parquet:1: a row of the column `a` can take more than 256 MiB"
        );
    }
}
