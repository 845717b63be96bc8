//! Rows that are no rows, and values that nobody would write.

use stepladder_protocol::DataFormat;

use super::options;
use crate::datasets::formats::{detect, fields, parse_fields};

#[test]
fn rows_that_are_no_objects() {
    let problem = |text: &str| parse_fields(text).unwrap_err().problem;
    assert_eq!(
        problem(r#"{"messages": [}"#),
        "not valid JSON: expected value at column 15"
    );
    assert_eq!(
        problem(r#"{"a": 1"#),
        "not valid JSON: EOF while parsing an object at column 7"
    );
    assert_eq!(
        problem(r#"{"a": 1} {"b": 2}"#),
        "not valid JSON: trailing characters at column 10"
    );
    assert_eq!(problem("[1]"), "the row is a list, not an object");
    assert_eq!(problem("\"x\""), "the row is a text, not an object");
    assert!(parse_fields("[").unwrap_err().hint.contains("JSON array"));
    assert!(problem(&"[".repeat(100_000)).contains("recursion limit"));
}

#[test]
fn every_kind_of_value_in_every_field_has_an_outcome() {
    let deep = "[".repeat(100_000);
    let values = [
        "null".to_owned(),
        "true".to_owned(),
        "-1e300".to_owned(),
        "\"\"".to_owned(),
        "\"a\"".to_owned(),
        "\"[]\"".to_owned(),
        "\"[{\"".to_owned(),
        format!("\"{deep}\""),
        "[]".to_owned(),
        "[[]]".to_owned(),
        "[[[], {}]]".to_owned(),
        "[null]".to_owned(),
        "{}".to_owned(),
        "[{\"role\": \"assistant\", \"tool_calls\": [[]]}]".to_owned(),
        "[{\"from\": \"function_call\", \"value\": \"\\\"x\\\"\"}]".to_owned(),
        "[{\"role\": \"assistant\", \"content\": [[]]}]".to_owned(),
        "{\"role\": \"user\", \"content\": \"a\"}".to_owned(),
    ];
    for format in DataFormat::ALL {
        for odd in fields(format) {
            for value in &values {
                let columns = fields(format).iter().map(|field| {
                    let value = if field.name == odd.name {
                        value
                    } else {
                        "\"a\""
                    };
                    format!("\"{}\": {value}", field.name)
                });
                let row = format!("{{{}}}", columns.collect::<Vec<_>>().join(", "));
                let fields = parse_fields(&row).unwrap();
                match detect(std::slice::from_ref(&fields), &options(format, &[])) {
                    Ok(found) => {
                        if let Err(problem) = found.parse(fields) {
                            assert!(problem.problem.len() < 300, "{}", problem.problem);
                        }
                    }
                    Err(problem) => assert_eq!(value, "null", "{}", problem.problem),
                }
            }
        }
    }
}
