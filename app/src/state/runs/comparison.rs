//! Configs of runs in words: all of one, and what differs between several. They are put into words when
//! other runs are looked at, not in every frame.

use serde_json::Value;
use stepladder_protocol::RunConfig;

use super::Runs;
use super::run::RunKey;
use crate::words::config as words;

/// A field of a config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigField {
    /// What it is called.
    pub label: String,
    /// What it is set to.
    pub value: Said,
    /// The same as `run.json` has it: what reads alike may still differ.
    raw: Value,
}

/// What a field is set to, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// By the user.
    Set(String),
    /// It follows from model and method.
    Default(&'static str),
}

impl Said {
    /// The words.
    pub fn text(&self) -> &str {
        match self {
            Self::Set(text) => text,
            Self::Default(text) => text,
        }
    }
}

/// A field that is not the same in all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What it is called.
    pub label: String,
    /// What each has.
    pub values: Vec<Said>,
}

/// The configs of what is looked at, in words.
#[derive(Clone, Debug, Default)]
pub struct ConfigTables {
    chosen: Option<RunKey>,
    ticked: Vec<RunKey>,
    /// Every field of the chosen run.
    pub fields: Vec<ConfigField>,
    /// What differs between the runs that lie over each other.
    pub differences: Vec<Difference>,
}

impl Runs {
    /// Puts configs into words again if other runs are looked at.
    pub(super) fn tell_configs(&mut self) {
        let chosen = self.chosen().map(|run| run.key);
        if self.tables.chosen != chosen {
            self.tables.fields = self.chosen().map_or(Vec::new(), |run| fields(&run.config));
            self.tables.chosen = chosen;
        }
        let ticked = self.ticked();
        if !ticked
            .iter()
            .map(|run| run.key)
            .eq(self.tables.ticked.iter().copied())
        {
            let configs: Vec<_> = ticked.iter().map(|run| &run.config).collect();
            let (differences, keys) = (
                differences(&configs),
                ticked.iter().map(|run| run.key).collect(),
            );
            self.tables.differences = differences;
            self.tables.ticked = keys;
        }
    }
}

/// The fields that differ, in the order of `run.json`.
pub fn differences(configs: &[&RunConfig]) -> Vec<Difference> {
    let tables: Vec<Vec<ConfigField>> = configs.iter().map(|config| fields(config)).collect();
    let Some(first) = tables.first() else {
        return Vec::new();
    };
    let difference = |(place, field): (usize, &ConfigField)| {
        let same = { tables.iter() }.filter_map(|table| table.get(place));
        let differs = same.clone().any(|other| other.raw != field.raw);
        differs.then(|| Difference {
            label: field.label.clone(),
            values: same.map(|field| field.value.clone()).collect(),
        })
    };
    first.iter().enumerate().filter_map(difference).collect()
}

/// Every field of a config with its value, one level of nesting laid flat. The order and the number of
/// fields are the same for all configs.
pub fn fields(config: &RunConfig) -> Vec<ConfigField> {
    let Ok(Value::Object(table)) = serde_json::to_value(config) else {
        return Vec::new();
    };
    let mut fields = Vec::new();
    for (key, value) in table {
        match value {
            // Follows from the data; nobody chose it.
            _ if key == "data_fingerprints" => {}
            Value::Object(inner) if key == "data_options" => {
                for (inner_key, value) in inner {
                    fields.push(field(&format!("{key}.{inner_key}"), value));
                }
            }
            value => fields.push(field(&key, value)),
        }
    }
    fields
}

fn field(key: &str, raw: Value) -> ConfigField {
    let set = words::value(key, &raw).map(Said::Set);
    ConfigField {
        label: words::label(key),
        value: set.unwrap_or_else(|| Said::Default(words::default_of(key))),
        raw,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::runs::run::Run;
    use crate::state::runs::view::ViewAction;
    use stepladder_protocol::{Method, Quantize};

    #[test]
    fn only_what_differs_is_told_in_the_words_of_the_fine_tune_page() {
        let one = RunConfig::default();
        let mut other = one.clone();
        other.method = Method::Lora;
        other.context = Some(512);
        other.memory_bytes = Some(12 << 30);
        other.quantize = Quantize::Nf4;
        other.d_side = Some(64);
        other.data = vec!["a.jsonl".to_owned(), "b.jsonl".to_owned()];
        other.data_options.template = "chatml".to_owned();
        let found = differences(&[&one, &other]);
        let told: Vec<_> = { found.iter() }
            .map(|difference| {
                let values = { difference.values.iter() }.map(Said::text);
                (difference.label.as_str(), values.collect::<Vec<_>>())
            })
            .collect();
        assert_eq!(
            told,
            [
                ("Dataset", vec!["Sample dataset", "a.jsonl, b.jsonl"]),
                ("Chat template", vec!["The model's own", "chatml"]),
                ("Method", vec!["Ladder", "LoRA"]),
                ("Memory limit", vec!["what is free", "12.00 GiB"]),
                ("Context", vec!["by dataset and model", "512"]),
                ("Side network width", vec!["by model", "64"]),
                ("Model weights", vec!["Auto", "Four bits"]),
            ]
        );
        assert!(differences(&[&one, &one]).is_empty());
        assert!(differences(&[]).is_empty());
    }

    #[test]
    fn what_reads_alike_may_still_differ() {
        let limit = |bytes: u64| RunConfig {
            memory_bytes: Some(bytes),
            ..RunConfig::default()
        };
        let found = differences(&[&limit(12 << 30), &limit((12 << 30) + 1)]);
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn configs_are_put_into_words_when_others_are_looked_at_and_not_in_every_frame() {
        let mut runs = Runs::default();
        let mut effects = Vec::new();
        let keys: Vec<RunKey> = { [Some(512), None] }
            .into_iter()
            .map(|context| {
                let config = RunConfig {
                    context,
                    ..RunConfig::default()
                };
                let key = runs.new_key();
                runs.runs.push(Run::new(key, config));
                key
            })
            .collect();
        let context = |runs: &Runs| {
            let mut fields = runs.tables.fields.iter();
            let field = fields.find(|field| field.label == "Context");
            field.map(|field| field.value.text().to_owned())
        };
        runs.tick(1.0, &mut effects);
        assert_eq!(context(&runs), None);
        runs.look(ViewAction::Choose(keys[0]), &mut effects);
        runs.tick(1.1, &mut effects);
        assert_eq!(context(&runs).as_deref(), Some("512"));
        let place = runs.tables.fields.as_ptr();
        runs.tick(1.2, &mut effects);
        assert_eq!(runs.tables.fields.as_ptr(), place, "they are made once");
        runs.look(ViewAction::Choose(keys[1]), &mut effects);
        runs.tick(1.3, &mut effects);
        assert_eq!(context(&runs).as_deref(), Some("by dataset and model"));
        for key in keys {
            runs.look(ViewAction::Tick(key), &mut effects);
        }
        runs.tick(1.4, &mut effects);
        assert_eq!(runs.tables.differences.len(), 1);
        runs.runs.pop();
        runs.tick(1.5, &mut effects);
        assert!(runs.tables.differences.is_empty(), "one is gone");
    }
}
