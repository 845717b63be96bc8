//! JSON on the template's side: dataset values as template values, and `tojson` exactly as
//! transformers defines it (`json.dumps`, nothing escaped for HTML), because the model was trained
//! on that text.

use std::fmt::Write;

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};

/// Deeper nesting comes from no dataset; a template could build it to overflow the stack.
const MAX_DEPTH: usize = 128;

/// A value of a dataset row as the template sees it.
pub(super) fn template_value(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(flag) => Value::from(*flag),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::from(number),
            (None, Some(number)) => Value::from(number),
            (None, None) => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Array(items) => items.iter().map(template_value).collect(),
        serde_json::Value::Object(map) => Value::from_pairs(
            map.iter()
                .map(|(key, value)| (key.as_str(), template_value(value))),
        ),
    }
}

/// The filter: `value | tojson(ensure_ascii=false, indent=none, separators=none, sort_keys=false)`.
pub(super) fn tojson(state: &State, value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    let separators: Option<(String, String)> = match options.get::<Option<Value>>("separators")? {
        Some(pair) => {
            let at =
                |index| -> Result<String, Error> { Ok(pair.get_item_by_index(index)?.to_string()) };
            Some((at(0)?, at(1)?))
        }
        None => None,
    };
    let item_separator = if indent.is_some() { "," } else { ", " };
    let (item_separator, key_separator) =
        separators.unwrap_or_else(|| (item_separator.to_owned(), ": ".to_owned()));
    let mut writer = Writer {
        state,
        out: String::new(),
        charged: 0,
        indent: indent.map(|width| width.min(16)),
        item_separator,
        key_separator,
        ascii: options
            .get::<Option<bool>>("ensure_ascii")?
            .unwrap_or(false),
        sort_keys: options.get::<Option<bool>>("sort_keys")?.unwrap_or(false),
    };
    options.assert_all_used()?;
    writer.value(value, 0)?;
    Ok(writer.out)
}

struct Writer<'a, 'env, 'vm> {
    state: &'a State<'env, 'vm>,
    out: String,
    charged: usize,
    indent: Option<usize>,
    item_separator: String,
    key_separator: String,
    ascii: bool,
    sort_keys: bool,
}

impl Writer<'_, '_, '_> {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return Err(failed("tojson: the value is nested too deeply"));
        }
        self.charge()?;
        match value.kind() {
            ValueKind::None => self.out.push_str("null"),
            ValueKind::Bool => self
                .out
                .push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => self.number(value)?,
            ValueKind::String => self.string(value.as_str().unwrap_or_default()),
            ValueKind::Seq | ValueKind::Iterable => {
                self.out.push('[');
                // Item by item: a list that a template doubled often enough has no end.
                let mut items = 0;
                for item in value.try_iter()?.checked() {
                    self.between(items, depth);
                    self.value(&item?, depth + 1)?;
                    items += 1;
                }
                self.close(']', items, depth);
            }
            ValueKind::Map => {
                let mut keys: Vec<Value> = value.try_iter()?.collect();
                if self.sort_keys {
                    keys.sort_by_key(ToString::to_string);
                }
                self.out.push('{');
                for (index, key) in keys.iter().enumerate() {
                    self.between(index, depth);
                    self.string(&key.to_string());
                    self.out.push_str(&self.key_separator);
                    self.value(&value.get_item(key)?, depth + 1)?;
                }
                self.close('}', keys.len(), depth);
            }
            kind => return Err(failed(format!("tojson: {kind} is not JSON serializable"))),
        }
        Ok(())
    }

    /// Pays for what was written, so that a template cannot make text without limit.
    fn charge(&mut self) -> Result<(), Error> {
        let fuel = 1 + (self.out.len() - self.charged) / 64;
        self.charged = self.out.len();
        self.state.consume_fuel(fuel as u64)
    }

    fn between(&mut self, index: usize, depth: usize) {
        if index > 0 {
            self.out.push_str(&self.item_separator);
        }
        self.line_break(depth + 1);
    }

    fn close(&mut self, bracket: char, items: usize, depth: usize) {
        if items > 0 {
            self.line_break(depth);
        }
        self.out.push(bracket);
    }

    fn line_break(&mut self, depth: usize) {
        if let Some(indent) = self.indent {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n(' ', indent * depth));
        }
    }

    fn number(&mut self, value: &Value) -> Result<(), Error> {
        if value.is_integer() {
            self.out.push_str(&value.to_string());
        } else {
            self.out
                .push_str(&python_float(f64::try_from(value.clone())?));
        }
        Ok(())
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                c if u32::from(c) < 0x20 || (self.ascii && !c.is_ascii()) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        // Writing to a string cannot fail.
                        let _ = write!(self.out, "\\u{unit:04x}");
                    }
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}

/// A float as Python's `repr` writes it: decimal from 1e-4 up to 1e16, two exponent digits beyond.
fn python_float(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
        .to_owned();
    }
    let scientific = format!("{number:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let decimal = format!("{number}");
        if decimal.contains('.') {
            decimal
        } else {
            decimal + ".0"
        }
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{mantissa}e{sign}{:02}", exponent.abs())
    }
}

fn failed(problem: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(json: &str, call: &str) -> Result<String, Error> {
        let mut environment = minijinja::Environment::new();
        environment.add_filter("tojson", tojson);
        environment.set_fuel(Some(100_000));
        let value = template_value(&serde_json::from_str(json).unwrap());
        environment.render_str(
            &format!("{{{{ v | {call} }}}}"),
            minijinja::context! { v => value },
        )
    }

    // Every expectation below is what Python's json.dumps prints for it.
    #[test]
    fn writes_what_python_writes() {
        let json =
            r#"{"b":[1,2.0,null,true],"a":{"k":"<a href='x'> é \u0001 \" \n"},"e":[],"o":{}}"#;
        assert_eq!(
            render(json, "tojson").unwrap(),
            r#"{"b": [1, 2.0, null, true], "a": {"k": "<a href='x'> é \u0001 \" \n"}, "e": [], "o": {}}"#
        );
        assert_eq!(
            render(r#"{"b":[1,{"c":[]}],"a":2}"#, "tojson(indent=4)").unwrap(),
            "{\n    \"b\": [\n        1,\n        {\n            \"c\": []\n        }\n    ],\n    \"a\": 2\n}"
        );
        assert_eq!(
            render(r#"{"b":1,"a":2}"#, "tojson(sort_keys=true)").unwrap(),
            r#"{"a": 2, "b": 1}"#
        );
        assert_eq!(
            render(r#"{"b":[1,2]}"#, "tojson(separators=(',', ':'))").unwrap(),
            r#"{"b":[1,2]}"#
        );
        assert_eq!(
            render(r#""é😀""#, "tojson(ensure_ascii=true)").unwrap(),
            r#""\u00e9\ud83d\ude00""#
        );
        assert_eq!(
            render("[1e16,1.5e-7,0.0001,123456789.25,-0.0,1e300]", "tojson").unwrap(),
            "[1e+16, 1.5e-07, 0.0001, 123456789.25, -0.0, 1e+300]"
        );
        assert_eq!(
            render("[18446744073709551615,-5]", "tojson").unwrap(),
            "[18446744073709551615, -5]"
        );
    }

    #[test]
    fn undefined_is_not_json() {
        assert!(
            render("{}", "attr('x') | tojson")
                .unwrap_err()
                .to_string()
                .contains("not JSON")
        );
        assert!(render("{}", "tojson(nonsense=1)").is_err());
    }
}
