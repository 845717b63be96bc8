//! What differs between the configs of runs.

use serde_json::Value;
use stepladder_protocol::RunConfig;

/// A field that is not the same in all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The field, as `run.json` names it; a field within another after a dot.
    pub field: String,
    /// What each has; none: the default, which depends on the model.
    pub values: Vec<Option<String>>,
}

/// The fields that differ, in the order of `run.json`.
pub fn differences(configs: &[&RunConfig]) -> Vec<Difference> {
    let tables: Vec<Vec<(String, Option<String>)>> =
        configs.iter().map(|config| fields(config)).collect();
    let Some(first) = tables.first() else {
        return Vec::new();
    };
    let field = |(place, (name, _)): (usize, &(String, Option<String>))| {
        let values: Vec<Option<String>> = { tables.iter() }
            .map(|table| table.get(place).and_then(|(_, value)| value.clone()))
            .collect();
        let differs = values.iter().any(|value| *value != values[0]);
        differs.then(|| Difference {
            field: name.clone(),
            values,
        })
    };
    first.iter().enumerate().filter_map(field).collect()
}

/// Every field of a config with its value, one level of nesting laid flat. The order and the number of
/// fields are the same for all configs.
pub fn fields(config: &RunConfig) -> Vec<(String, Option<String>)> {
    let Ok(Value::Object(table)) = serde_json::to_value(config) else {
        return Vec::new();
    };
    let mut fields = Vec::new();
    for (name, value) in table {
        match value {
            // Follows from the data; nobody chose it.
            _ if name == "data_fingerprints" => {}
            Value::Object(inner) if name == "data_options" => {
                for (inner_name, value) in inner {
                    fields.push((format!("{name}.{inner_name}"), text(value)));
                }
            }
            value => fields.push((name, text(value))),
        }
    }
    fields
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        Value::Array(items) => {
            let items: Vec<String> = items.into_iter().filter_map(text).collect();
            Some(items.join(", "))
        }
        Value::Object(table) if table.is_empty() => Some(String::new()),
        Value::Object(table) => {
            let pairs: Vec<String> = { table.into_iter() }
                .map(|(name, value)| format!("{name} = {}", text(value).unwrap_or_default()))
                .collect();
            Some(pairs.join(", "))
        }
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stepladder_protocol::Method;

    #[test]
    fn only_what_differs_is_told() {
        let one = RunConfig::default();
        let mut other = one.clone();
        other.method = Method::Lora;
        other.context = Some(512);
        other.data = vec!["a.jsonl".to_owned(), "b.jsonl".to_owned()];
        other.data_options.template = "chatml".to_owned();
        let text = |text: &str| Some(text.to_owned());
        let found = differences(&[&one, &other]);
        let told: Vec<_> = { found.iter() }
            .map(|difference| (difference.field.as_str(), difference.values.clone()))
            .collect();
        assert_eq!(
            told,
            [
                ("data", vec![text("builtin"), text("a.jsonl, b.jsonl")]),
                ("data_options.template", vec![text("auto"), text("chatml")]),
                ("method", vec![text("ladder"), text("lora")]),
                ("context", vec![None, text("512")]),
            ]
        );
        assert!(differences(&[&one, &one]).is_empty());
        assert!(differences(&[]).is_empty());
    }
}
