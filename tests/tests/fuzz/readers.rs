//! Datasets in every container, mutated as they lie on the disk.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use stepladder_engine::datasets::reader::{DataSource, RowReader};

use super::{file, fuzz};

pub fn mutated_datasets_are_read() {
    let rows = file("assets/builtin-dataset.jsonl");
    let rows = String::from_utf8(rows).unwrap();
    let rows: Vec<&str> = rows.lines().take(20).collect();
    let lines = rows.join("\n");
    fuzz("JSONL file", 5, &[lines.clone().into_bytes()], |bytes| {
        is_read("fuzz.jsonl", bytes)
    });
    let lists = [
        format!("[{}]", rows.join(",")),
        format!("[\n  {}\n]", rows.join(",\n  ")),
        format!("{{\"version\": 1, \"data\": [{}]}}", rows.join(", ")),
        r#"{"prompt": ["a", "b"], "completion": ["c", "d"]}"#.to_owned(),
    ];
    fuzz("JSON file", 10, &lists.map(String::into_bytes), |bytes| {
        is_read("fuzz.json", bytes)
    });
    let table = "prompt,completion\n\"a \"\"b\"\"\nc\",d\ne,f\n\n\"g,h\",\u{e4}\n";
    let wide = table.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let tables = [
        table.into(),
        table.replace(',', ";").into(),
        [b"\xff\xfe".to_vec(), wide].concat(),
    ];
    fuzz("CSV file", 10, &tables, |bytes| is_read("fuzz.csv", bytes));
    let tables = [Compression::UNCOMPRESSED, Compression::SNAPPY].map(parquet_table);
    fuzz("Parquet file", 20, &tables, |bytes| {
        is_read("fuzz.parquet", bytes)
    });

    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(lines.as_bytes()).unwrap();
    fuzz("gzip file", 5, &[gzip.finish().unwrap()], |bytes| {
        is_read("fuzz.jsonl.gz", bytes)
    });
    let zstd = zstd::encode_all(lines.as_bytes(), 1).unwrap();
    fuzz("Zstandard file", 5, &[zstd], |bytes| {
        is_read("fuzz.jsonl.zst", bytes)
    });
}

/// Whether a file is read to its end, with a row that can be understood in it.
fn is_read(name: &'static str, bytes: &[u8]) -> bool {
    let source = DataSource::Memory {
        name,
        bytes: bytes.to_vec().into(),
    };
    let Ok(mut reader) = RowReader::open(&source) else {
        return false;
    };
    let mut understood = 0;
    loop {
        match reader.next_row() {
            Ok(Some(row)) => understood += usize::from(row.into_fields().is_ok()),
            Ok(None) => return understood > 0,
            Err(_) => return false,
        }
    }
}

/// Two row groups of texts, and lists of texts.
fn parquet_table(compression: Compression) -> Vec<u8> {
    let schema = "message schema { required binary prompt (UTF8); \
        optional group tags (LIST) { repeated group list { optional binary element (UTF8); } } }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    for _ in 0..2 {
        let mut group = writer.next_row_group().unwrap();
        let texts = [
            (vec!["hi", "how are you", "\u{e4}"], None, None),
            (
                vec!["one", "two", "three"],
                Some([3, 3, 3, 0]),
                Some([0, 1, 0, 0]),
            ),
        ];
        for (texts, definition, repetition) in &texts {
            let texts: Vec<ByteArray> = texts.iter().map(|text| ByteArray::from(*text)).collect();
            let mut column = group.next_column().unwrap().unwrap();
            let (definition, repetition) = (definition.as_ref(), repetition.as_ref());
            column
                .typed::<ByteArrayType>()
                .write_batch(
                    &texts,
                    definition.map(<[i16; 4]>::as_slice),
                    repetition.map(<[i16; 4]>::as_slice),
                )
                .unwrap();
            column.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}
