//! `stepladder models`: the models on this machine.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use stepladder_protocol::{
    Command, Finished, FoundModel, JobId, ModelList, ModelSource, ModelsCommand,
};

use super::common::CommonOptions;
use super::failure::{Failure, Outcome};
use super::terminal::Style;
use super::{json_output, one_job};
use crate::data_folder::{data_folder, models};
use crate::text::{bytes, visible};

/// Longest name that widens its column.
const WIDEST_NAME: usize = 48;

/// Flags of `models`.
#[derive(Args, Debug)]
pub struct ModelsOptions {
    /// Folders to search besides those of Hugging Face, LM Studio and Ollama
    #[arg(value_name = "FOLDER")]
    folders: Vec<PathBuf>,
    #[command(flatten)]
    common: CommonOptions,
}

/// Lists the models.
pub fn run(options: &ModelsOptions) -> Result<Outcome, Failure> {
    let worker = options.common.start_own_worker()?;
    // The worker may run in another folder one day.
    let absolute =
        |folder: &PathBuf| std::path::absolute(folder).unwrap_or_else(|_| folder.clone());
    let command = Command::Models(ModelsCommand {
        job: JobId::new("models"),
        own_folder: data_folder().map(|folder| models(&folder)),
        folders: options.folders.iter().map(absolute).collect(),
    });
    let Finished::Models(list) = one_job::ask(&worker, &command)? else {
        return Err(one_job::unanswered());
    };
    if options.common.json {
        json_output::write_line(&list)?;
    } else {
        let mut output = std::io::stdout().lock();
        let style = Style::of(&output);
        output.write_all(in_words(&list, style).as_bytes())?;
    }
    Ok(Outcome::Done)
}

/// A table, and below each model what `--model` takes.
fn in_words(list: &ModelList, style: Style) -> String {
    let rows: Vec<[String; 4]> = list.models.iter().map(row).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells
            .filter(|width| *width <= WIDEST_NAME)
            .max()
            .unwrap_or(0)
    };
    let widths = [0, 1, 2, 3].map(width);
    let mut text = String::new();
    for (model, row) in list.models.iter().zip(&rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
        if model.target != model.name {
            text.push_str(&style.dim(&format!("  {}\n", visible(&model.target))));
        }
        if let Some(problem) = &model.problem {
            text.push_str(&style.careful(&format!("  cannot be trained: {}\n", visible(problem))));
        }
    }
    for notice in &list.notices {
        text.push_str(&format!("{} {}\n", style.bold("note:"), visible(notice)));
    }
    text
}

fn row(model: &FoundModel) -> [String; 4] {
    let format = match &model.architecture {
        Some(architecture) => format!("{}, {}", model.file_format, visible(architecture)),
        None => model.file_format.clone(),
    };
    [
        visible(&model.name),
        format,
        bytes(model.bytes),
        source(model.source).to_owned(),
    ]
}

fn source(source: ModelSource) -> &'static str {
    match source {
        ModelSource::Builtin => "in the program",
        ModelSource::Stepladder => "Stepladder",
        ModelSource::Folder => "your folder",
        ModelSource::HuggingFace => "Hugging Face",
        ModelSource::LmStudio => "LM Studio",
        ModelSource::Ollama => "Ollama",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_told_in_a_table() {
        let list = ModelList {
            models: vec![
                FoundModel {
                    name: "builtin".to_owned(),
                    target: "builtin".to_owned(),
                    source: ModelSource::Builtin,
                    file_format: "safetensors".to_owned(),
                    bytes: 2 << 20,
                    architecture: Some("qwen3".to_owned()),
                    problem: None,
                },
                FoundModel {
                    name: "bad\u{1b}[2J".to_owned(),
                    target: "/models/bad".to_owned(),
                    source: ModelSource::Ollama,
                    file_format: "GGUF".to_owned(),
                    bytes: 3 << 30,
                    architecture: None,
                    problem: Some("not a GGUF\nfile".to_owned()),
                },
            ],
            notices: vec!["a folder\u{7} is locked".to_owned()],
        };
        let text = in_words(&list, Style::Plain);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 5, "{text}");
        assert!(lines[0].starts_with("builtin"));
        assert!(
            lines[0].ends_with("safetensors, qwen3  2.0 MiB   in the program"),
            "{text}"
        );
        assert!(lines[1].ends_with("3.00 GiB  Ollama"), "{text}");
        assert_eq!(lines[0].find("2.0 MiB"), lines[1].find("3.00 GiB"));
        assert_eq!(lines[2], "  /models/bad");
        assert!(lines[3].starts_with("  cannot be trained: not a GGUF"));
        assert!(lines[4].starts_with("note: a folder"));
        assert!(!text.contains(['\u{1b}', '\u{7}']), "{text}");
    }
}
