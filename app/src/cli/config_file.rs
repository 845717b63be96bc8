//! Reading a `run.json`: an error names the file, the line and the field.

use std::path::Path;

use serde_json::{Map, Value};
use stepladder_protocol::RunConfig;

use super::failure::Failure;
use super::train_options::absolute;
use crate::text::quoted;

/// Reads a run config.
pub fn read(path: &Path) -> Result<RunConfig, Failure> {
    let shown = quoted(&path.display().to_string());
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::usage(
            format!("cannot read {shown}: {error}"),
            "name a run.json, or a run folder",
        )
    })?;
    parse(&text).map_err(|problem| {
        let place = match problem.line {
            Some(line) => format!("{shown}:{line}"),
            None => shown,
        };
        let message = format!("{place}: {}", problem.text);
        Failure::usage(
            message,
            "correct the field, or leave it out to take its default",
        )
    })
}

struct Problem {
    line: Option<usize>,
    text: String,
}

fn parse(text: &str) -> Result<RunConfig, Problem> {
    serde_json::from_str(text).map_err(|error| {
        let line = Some(error.line()).filter(|line| *line > 0);
        let text = match wrong_field(text) {
            Some((field, problem)) if !problem.contains(&format!("`{field}`")) => {
                format!("{field}: {problem}")
            }
            Some((_, problem)) => problem,
            None => without_place(&error.to_string()).to_owned(),
        };
        Problem { line, text }
    })
}

/// The first field that is wrong on its own. As every field has a default, each can be tried alone;
/// serde's own message names a field only where it does not know it.
fn wrong_field(text: &str) -> Option<(String, String)> {
    let object: Map<String, Value> = serde_json::from_str(text).ok()?;
    object.into_iter().find_map(|(field, value)| {
        let alone = Map::from_iter([(field.clone(), value)]);
        let error = serde_json::from_value::<RunConfig>(Value::Object(alone)).err()?;
        Some((field, error.to_string()))
    })
}

/// serde_json ends its messages with a place, which is told before the message here.
fn without_place(message: &str) -> &str {
    message
        .rsplit_once(" at line ")
        .map_or(message, |(message, _)| message)
}

/// The model that is named, or the one that a run was trained on, or the built-in one.
pub fn model_or_that_of(model: Option<&str>, run: Option<&Path>) -> Result<String, Failure> {
    if let Some(model) = model {
        return Ok(absolute(model.to_owned()));
    }
    let config = run.map(|run| run.join("run.json"));
    match config.filter(|file| file.is_file()) {
        Some(file) => Ok(read(&file)?.model),
        None => Ok("builtin".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> (Option<usize>, String) {
        let Err(problem) = parse(text) else {
            panic!("accepted: {text}")
        };
        (problem.line, problem.text)
    }

    #[test]
    fn a_config_is_read_with_defaults() {
        let config = parse(r#"{"context": 256, "method": "xladder"}"#)
            .ok()
            .unwrap();
        assert_eq!(config.context, Some(256));
        assert_eq!(config.batch_size, RunConfig::default().batch_size);
    }

    #[test]
    fn problems_name_line_and_field() {
        let (line, text) = problem("{\n \"steps\": 3,\n \"contxt\": 256\n}");
        assert_eq!(line, Some(3));
        assert!(
            text.starts_with("unknown field `contxt`, expected one of"),
            "{text}"
        );

        let (line, text) = problem("{\n \"batch_size\": \"four\"\n}");
        assert_eq!(line, Some(2));
        assert!(
            text.starts_with("batch_size: invalid type: string \"four\""),
            "{text}"
        );

        let (line, text) = problem("{\"method\": \"magic\"}");
        assert_eq!(line, Some(1));
        assert!(
            text.starts_with("method: unknown variant `magic`"),
            "{text}"
        );

        let (line, text) = problem("{\n \"steps\": 3,\n");
        assert_eq!(line, Some(3));
        assert!(!text.contains("at line"), "{text}");
    }

    #[test]
    fn a_missing_file_is_wrong_usage() {
        let failure = read(Path::new("/no/such/run.json")).unwrap_err();
        assert_eq!(failure.exit, super::super::failure::USAGE);
        assert!(
            failure
                .report
                .unwrap()
                .message
                .starts_with("cannot read /no/such/run.json: ")
        );
    }
}
