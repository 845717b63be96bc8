//! Where a template's source comes from, and the one tag that is rewritten before it is parsed.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::MAX_SOURCE_BYTES;
use crate::{Error, Result};

/// The template of a model folder: `chat_template.jinja` if there, else `chat_template` of
/// `tokenizer_config.json`, which is a text or a list of named ones of which `default` is taken.
pub fn find_source(
    origin: &Path,
    tokenizer_config: Option<&[u8]>,
    chat_template_jinja: Option<&[u8]>,
) -> Result<String> {
    if let Some(bytes) = chat_template_jinja {
        return String::from_utf8(bytes.to_vec()).map_err(|error| Error::ModelFileInvalid {
            path: origin.join("chat_template.jinja"),
            problem: format!(
                "not UTF-8 text after byte {}",
                error.utf8_error().valid_up_to()
            ),
        });
    }
    let missing = || Error::ChatTemplateMissing {
        path: origin.into(),
    };
    let invalid = |problem: String| Error::ModelFileInvalid {
        path: origin.join("tokenizer_config.json"),
        problem,
    };
    let config: Value = serde_json::from_slice(tokenizer_config.ok_or_else(missing)?)
        .map_err(|error| invalid(format!("not valid JSON: {error}")))?;
    match config.get("chat_template") {
        None | Some(Value::Null) => Err(missing()),
        Some(Value::String(source)) => Ok(source.clone()),
        Some(Value::Array(named)) => {
            let template_named = |wanted: Option<&str>| {
                named
                    .iter()
                    .find(|entry| {
                        wanted.is_none() || entry.get("name").and_then(Value::as_str) == wanted
                    })
                    .and_then(|entry| entry.get("template")?.as_str().map(str::to_owned))
            };
            let only = || {
                if named.len() == 1 {
                    template_named(None)
                } else {
                    None
                }
            };
            template_named(Some("default"))
                .or_else(only)
                .ok_or_else(|| {
                    invalid("chat_template: none of the templates is named \"default\"".to_owned())
                })
        }
        Some(_) => Err(invalid(
            "chat_template: neither a text nor a list of templates".to_owned(),
        )),
    }
}

/// A source from a file of its own. One that is too long stays too long, so that the template says so.
pub(crate) fn read_source(path: &Path) -> Result<String> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    let mut bytes = Vec::new();
    file.take(MAX_SOURCE_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(Error::io("read", path))?;
    String::from_utf8(bytes).map_err(|error| Error::ChatTemplateInvalid {
        path: path.to_path_buf(),
        problem: format!(
            "not UTF-8 text after byte {}",
            error.utf8_error().valid_up_to()
        ),
    })
}

/// A source as the interpreter takes it.
pub(super) fn prepared(source: &str) -> String {
    // Jinja makes every line break of a template a `\n`.
    without_generation_tags(&source.replace("\r\n", "\n").replace('\r', "\n"))
}

/// `{% generation %}` marks what the assistant says. The mask is found otherwise here, and the
/// interpreter does not know the tag, so it becomes an `if` that leaves text and whitespace alone.
fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("{%") {
        let (before, tag) = rest.split_at(at);
        out.push_str(before);
        let Some(end) = tag.find("%}") else {
            rest = tag;
            break;
        };
        let (tag, after) = tag.split_at(end + 2);
        // Without the delimiters and a sign that controls whitespace.
        let inner = &tag[2..end];
        let word = inner.trim_matches(|c: char| c.is_whitespace() || c == '-' || c == '+');
        let replacement = match word {
            "generation" => Some("if true"),
            "endgeneration" => Some("endif"),
            _ => None,
        };
        match replacement {
            Some(statement) => {
                let sign = |c: Option<char>| c.filter(|c| matches!(c, '-' | '+'));
                out.push_str("{%");
                out.extend(sign(inner.chars().next()));
                out.push(' ');
                out.push_str(statement);
                out.push(' ');
                out.extend(sign(inner.chars().next_back()));
                out.push_str("%}");
                rest = after;
            }
            None => {
                // Only the delimiter is passed over: a text inside the tag may hold "%}".
                out.push_str("{%");
                rest = &rest[at + 2..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(config: Option<&str>, jinja: Option<&[u8]>) -> Result<String> {
        find_source(Path::new("model"), config.map(str::as_bytes), jinja)
    }

    #[test]
    fn the_file_wins_over_the_config() {
        assert_eq!(
            find(Some(r#"{"chat_template":"a"}"#), Some(b"b")).unwrap(),
            "b"
        );
        assert_eq!(find(Some(r#"{"chat_template":"a"}"#), None).unwrap(), "a");
        let named = r#"{"chat_template":[{"name":"tool_use","template":"t"},{"name":"default","template":"d"}]}"#;
        assert_eq!(find(Some(named), None).unwrap(), "d");
        let single = r#"{"chat_template":[{"name":"chat","template":"c"}]}"#;
        assert_eq!(find(Some(single), None).unwrap(), "c");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let message = |config, jinja| find(config, jinja).unwrap_err().to_string();
        assert_eq!(
            message(None, None),
            "the model in model has no chat template"
        );
        assert_eq!(
            message(Some(r#"{"chat_template":null}"#), None),
            "the model in model has no chat template"
        );
        assert_eq!(
            message(Some(r#"{"chat_template":3}"#), None),
            "model/tokenizer_config.json: chat_template: neither a text nor a list of templates"
        );
        assert_eq!(
            message(Some(r#"{"chat_template":[]}"#), None),
            "model/tokenizer_config.json: chat_template: none of the templates is named \"default\""
        );
        assert_eq!(
            message(None, Some(b"ok\xff")),
            "model/chat_template.jinja: not UTF-8 text after byte 2"
        );
    }

    #[test]
    fn line_breaks_are_as_on_unix() {
        assert_eq!(prepared("a\r\nb\rc\n"), "a\nb\nc\n");
    }

    #[test]
    fn generation_tags_keep_their_whitespace_control() {
        assert_eq!(
            without_generation_tags("a{%- generation -%} b {%endgeneration%}{% set x = '%}' %}"),
            "a{%- if true -%} b {% endif %}{% set x = '%}' %}"
        );
        assert_eq!(without_generation_tags("{% broken"), "{% broken");
        assert_eq!(
            without_generation_tags("{% if generation %}"),
            "{% if generation %}"
        );
    }
}
