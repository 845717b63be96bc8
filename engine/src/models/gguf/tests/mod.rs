//! Headers of published models in miniature, and of files that say what cannot be.

mod config;
mod rope;

use std::path::Path;

use serde_json::{Value as Json, json};

use super::GgufModel;
use super::header::{GgufHeader, GgufTensor};
use super::metadata::{Array, Metadata, Value};
use crate::Error;
use crate::models::config::DecoderConfig;
use crate::models::stored_type::StoredType;

const PATH: &str = "model.gguf";

/// A header that is put together key by key, with the numbers of its small tensors.
#[derive(Clone)]
struct Fixture {
    header: GgufHeader,
    numbers: Vec<(String, Vec<f32>)>,
}

impl Fixture {
    /// Sizes of Llama 3.1 8B but for the number of blocks; the head is the embedding.
    fn new(architecture: &str, keys: Json) -> Self {
        let mut fixture = Self {
            header: GgufHeader {
                metadata: Metadata::default(),
                tensors: Vec::new(),
            },
            numbers: Vec::new(),
        };
        let text = Value::Text(architecture.to_owned());
        fixture.put("general.architecture", text);
        let usual = json!({
            "block_count": 4, "embedding_length": 4096, "feed_forward_length": 14336,
            "attention.head_count": 32, "attention.head_count_kv": 8,
            "attention.layer_norm_rms_epsilon": 1e-5_f32, "context_length": 131_072,
        });
        for object in [usual, keys] {
            for (key, value) in object.as_object().unwrap() {
                fixture = fixture.with(&format!("{architecture}.{key}"), value);
            }
        }
        fixture.tensor("token_embd.weight", &[128_256, 4096])
    }

    fn put(&mut self, key: &str, value: Value) {
        self.header.metadata.0.insert(key.to_owned(), value);
    }

    fn with(mut self, key: &str, value: &Json) -> Self {
        let value = match value {
            Json::Null => {
                self.header.metadata.0.remove(key);
                return self;
            }
            Json::Bool(flag) => Value::Bool(*flag),
            Json::String(text) => Value::Text(text.clone()),
            Json::Number(number) if number.is_f64() => Value::Float(number.as_f64().unwrap()),
            Json::Number(number) => Value::Integer(i128::from(number.as_i64().unwrap())),
            Json::Array(values) if values[0].is_boolean() => Value::Array(Array::Bools(
                values.iter().map(|value| value == true).collect(),
            )),
            Json::Array(values) => Value::Array(Array::Integers(
                values.iter().map(|value| value.as_i64().unwrap()).collect(),
            )),
            Json::Object(_) => panic!("{key} is an object"),
        };
        self.put(key, value);
        self
    }

    fn tensor(mut self, name: &str, shape: &[usize]) -> Self {
        self.header.tensors.push(GgufTensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
            stored: StoredType::F32,
            bytes: 0..0,
        });
        self
    }

    fn numbers(mut self, name: &str, numbers: Vec<f32>) -> Self {
        self = self.tensor(name, &[numbers.len()]);
        self.numbers.push((name.to_owned(), numbers));
        self
    }

    fn read(&self) -> Result<DecoderConfig, Error> {
        let numbers = |name: &str| {
            let mut pairs = self.numbers.iter();
            let found = pairs.find(|(known, _)| known == name)?;
            Some(found.1.clone())
        };
        let path = Path::new(PATH);
        GgufModel::of(path, &self.header, &numbers)?.decoder_config(path)
    }

    fn config(&self) -> DecoderConfig {
        self.read().unwrap()
    }

    fn problem(&self) -> String {
        self.read().unwrap_err().to_string()
    }
}
