//! Whole paths: rows to masked examples with templates of the well-known families, and loads.

mod loading;
mod masks;
mod wishes;

use std::path::Path;

use crate::models::chat_template::{ChatTemplate, SpecialTokens};

const CHATML: &str = "{% for m in messages %}<|im_start|>{{ m.role }}
{{ m.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}";

/// Refuses a system message, and calls the assistant `model`.
const GEMMA: &str = "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for m in messages %}<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}
{{ m.content | trim }}<end_of_turn>
{% endfor %}{% if add_generation_prompt %}<start_of_turn>model
{% endif %}";

fn template(source: &str) -> ChatTemplate {
    let special = SpecialTokens {
        bos: Some("<s>".to_owned()),
        eos: Some("</s>".to_owned()),
        pad: Some("<|endoftext|>".to_owned()),
        unk: None,
    };
    ChatTemplate::new(Path::new("model"), source, special).unwrap()
}
