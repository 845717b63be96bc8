//! The flags that say how a dataset's rows become examples: those of `train` that `inspect` has too.

use clap::Args;
use stepladder_protocol::{DataFormat, DataOptions, LossOn, Switch, TooLong, Traces};

use super::common::word;
use super::failure::Failure;
use super::shape_options::{set, set_some};
use super::train_options::absolute;

/// How rows are read, told and trained.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Data")]
pub struct DataFlags {
    /// How rows are written: auto, messages, sharegpt, alpaca, prompt_completion, question_answer,
    /// preference or text [default: auto, recognized for each file]
    #[arg(long, value_parser = word::<DataFormat>)]
    pub format: Option<DataFormat>,
    /// A column of the files and the field that it stands for: --map Frage=question --map
    /// Antwort=answer
    #[arg(long, value_name = "COLUMN=FIELD", value_parser = pair)]
    pub map: Vec<(String, String)>,
    /// The chat template: auto (the model's own), chatml, llama3, mistral, gemma, phi, alpaca, plain
    /// or a .jinja file [default: auto]
    #[arg(long, value_name = "NAME|FILE")]
    pub template: Option<String>,
    /// What the loss is taken over: responses, everything or last_turn [default: responses]
    #[arg(long, value_parser = word::<LossOn>)]
    pub loss_on: Option<LossOn>,
    /// What becomes of think blocks: keep, drop or insert_empty (where there is none, as the model's
    /// template opens an answer without thinking) [default: keep]
    #[arg(long, value_parser = word::<Traces>)]
    pub traces: Option<Traces>,
    /// Whether the loss is taken over think blocks too: on or off [default: on]
    #[arg(long, value_parser = word::<Switch>)]
    pub loss_on_traces: Option<Switch>,
    /// What becomes of examples longer than the context: cut_right, cut_left, drop or split [default:
    /// cut_right; text without turns is split]
    #[arg(long, value_parser = word::<TooLong>)]
    pub too_long: Option<TooLong>,
}

/// Two names around an equals sign.
fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((left, right)) if !left.trim().is_empty() && !right.trim().is_empty() => {
            Ok((left.trim().to_owned(), right.trim().to_owned()))
        }
        _ => Err("write it as column=field, such as Frage=question".to_owned()),
    }
}

impl DataFlags {
    /// Whether anything was asked for.
    pub fn is_given(&self) -> bool {
        let Self {
            format,
            map,
            template,
            loss_on,
            traces,
            loss_on_traces,
            too_long,
        } = self;
        format.is_some()
            || !map.is_empty()
            || template.is_some()
            || loss_on.is_some()
            || traces.is_some()
            || loss_on_traces.is_some()
            || too_long.is_some()
    }

    /// Takes over what was asked for.
    pub fn override_in(&self, options: &mut DataOptions) -> Result<(), Failure> {
        set(&mut options.format, &self.format);
        set(&mut options.loss_on, &self.loss_on);
        set(&mut options.traces, &self.traces);
        set(&mut options.loss_on_traces, &self.loss_on_traces);
        set_some(&mut options.too_long, &self.too_long);
        if let Some(template) = &self.template {
            // A name stays one, whatever lies in this folder under it.
            options.template = match template.contains(['/', '\\', '.']) {
                true => absolute(template.clone()),
                false => template.clone(),
            };
        }
        if !self.map.is_empty() {
            options.map = self.map.iter().cloned().collect();
            if options.map.len() < self.map.len() {
                return Err(Failure::usage(
                    "--map names a column twice",
                    "name each column once: --map Frage=question --map Antwort=answer",
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_have_two_sides() {
        assert_eq!(
            pair("Frage = question"),
            Ok(("Frage".to_owned(), "question".to_owned()))
        );
        for wrong in ["Frage", "=question", "Frage=", " = "] {
            assert!(pair(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_given_changes_nothing() {
        assert!(!DataFlags::default().is_given());
        let flags = DataFlags {
            traces: Some(Traces::Drop),
            map: vec![("a".to_owned(), "prompt".to_owned())],
            ..DataFlags::default()
        };
        assert!(flags.is_given());
        let mut options = DataOptions {
            format: DataFormat::Alpaca,
            ..DataOptions::default()
        };
        flags.override_in(&mut options).unwrap();
        assert_eq!(options.format, DataFormat::Alpaca);
        assert_eq!(options.traces, Traces::Drop);
        assert_eq!(options.map["a"], "prompt");
        let twice = DataFlags {
            map: [("a", "prompt"), ("a", "completion")]
                .map(|(column, field)| (column.to_owned(), field.to_owned()))
                .into(),
            ..DataFlags::default()
        };
        assert!(twice.override_in(&mut options).is_err());
        let default = DataFlags {
            format: Some(DataFormat::Auto),
            ..DataFlags::default()
        };
        assert!(default.is_given());
    }
}
