//! Owns the chat template of the built-in model and the texts it gives.

use crate::Outcome;
use crate::problems::Problem;
use crate::traces::reply;
use minijinja::{Environment, context};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// ChatML with a think block, as Qwen3 has it, but with the reasoning of earlier turns kept:
/// a longer conversation never changes how its beginning is written. The trims make the result
/// independent of the renderer's whitespace options.
pub const TEMPLATE: &str = r"{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\n' }}
    {%- if message.role == 'assistant' and message.reasoning_content is string %}
        {{- '<think>\n' + message.reasoning_content + '\n</think>\n\n' }}
    {%- endif %}
    {{- message.content + '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n<think>\n' }}
{%- endif %}";

/// Renders conversations with [`TEMPLATE`].
pub struct Chat {
    environment: Environment<'static>,
}

impl Chat {
    pub fn new() -> Outcome<Self> {
        let mut environment = Environment::new();
        environment.add_template("chat", TEMPLATE)?;
        Ok(Self { environment })
    }

    fn render(&self, messages: &[Value], add_generation_prompt: bool) -> Outcome<String> {
        let template = self.environment.get_template("chat")?;
        let messages: Vec<BTreeMap<String, String>> = messages.iter().map(fields).collect();
        Ok(template.render(context! { messages, add_generation_prompt })?)
    }

    /// The question and the opened think block.
    pub fn prompt(&self, question: &str) -> Outcome<String> {
        self.render(&[json!({ "role": "user", "content": question })], true)
    }

    /// The prompt and what should follow it.
    pub fn conversation(&self, problem: &Problem, trace: &str) -> Outcome<(String, String)> {
        let prompt = self.prompt(&problem.question)?;
        let text = self.render(&messages(problem, trace), false)?;
        match text.strip_prefix(&prompt) {
            Some(response) => Ok((prompt, response.to_owned())),
            None => Err("the conversation doesn't start with its prompt".into()),
        }
    }
}

/// The text fields of a message.
fn fields(message: &Value) -> BTreeMap<String, String> {
    let fields = message.as_object().into_iter().flatten();
    fields
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// A dataset row's messages.
pub fn messages(problem: &Problem, trace: &str) -> [Value; 2] {
    [
        json!({ "role": "user", "content": problem.question }),
        json!({ "role": "assistant", "reasoning_content": trace, "content": reply(problem) }),
    ]
}
