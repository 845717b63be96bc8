//! Models described for people.

use stepladder_protocol::{ModelInfo, TypeShare};

use super::terminal::Style;
use crate::text::{bytes, count, thousands, visible};

/// A model.
pub fn model(model: &ModelInfo, style: Style) -> String {
    let mut format = format!(
        "{}, {}",
        visible(&model.file_format),
        visible(&model.weight_dtype)
    );
    if let Some(quantization) = &model.quantization {
        format.push_str(&format!(", {}", visible(quantization)));
    }
    let yes_no = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let mut rows = vec![("model", visible(&model.name))];
    if let Some(path) = &model.path {
        rows.push(("path", visible(path)));
    }
    rows.extend([
        ("architecture", visible(&model.architecture)),
        ("parameters", thousands(model.parameters)),
        ("files", format!("{format}, {}", bytes(model.weight_bytes))),
        (
            "layers",
            format!("{}, {} wide", model.layers, thousands(model.d_model as u64)),
        ),
        (
            "heads",
            format!(
                "{}, {} for keys and values",
                model.attention_heads, model.key_value_heads
            ),
        ),
        ("types", types(&model.types)),
        ("vocabulary", count(model.vocabulary, "token", "tokens")),
        (
            "tokenizer",
            count(model.tokenizer_tokens, "token", "tokens"),
        ),
        ("context", count(model.context_length, "token", "tokens")),
        ("tied embeddings", yes_no(model.tied_embeddings)),
        ("chat template", yes_no(model.chat_template)),
        (
            "license",
            model
                .license
                .as_deref()
                .map_or_else(|| "not stated".to_owned(), visible),
        ),
    ]);
    for file in &model.files {
        if let Some(hash) = &file.sha256 {
            rows.push(("sha256", format!("{hash}  {}", visible(&file.name))));
        }
    }
    rows.iter()
        .map(|(name, value)| format!("{}  {value}\n", style.dim(&format!("{name:15}"))))
        .collect()
}

/// `BF16 95.2 % (90 tensors), F32 4.8 % (17)`
fn types(shares: &[TypeShare]) -> String {
    let total: u64 = shares.iter().map(|share| share.bytes).sum();
    let part = |(index, share): (usize, &TypeShare)| {
        let percent = 100.0 * share.bytes as f64 / total.max(1) as f64;
        let tensors = match index {
            0 => count(share.tensors, "tensor", "tensors"),
            _ => share.tensors.to_string(),
        };
        format!("{} {percent:.1} % ({tensors})", visible(&share.name))
    };
    let parts: Vec<String> = shares.iter().enumerate().map(part).collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use stepladder_protocol::ModelFileInfo;

    #[test]
    fn a_model_is_described() {
        let info = ModelInfo {
            name: "tiny".to_owned(),
            path: Some("/models/tiny".to_owned()),
            architecture: "qwen3".to_owned(),
            file_format: "safetensors".to_owned(),
            parameters: 1_234_567,
            weight_bytes: 2 << 20,
            weight_dtype: "bf16".to_owned(),
            quantization: None,
            layers: 8,
            d_model: 128,
            attention_heads: 4,
            key_value_heads: 2,
            vocabulary: 4096,
            context_length: 1024,
            tied_embeddings: true,
            chat_template: false,
            license: None,
            tokenizer_tokens: 4000,
            types: vec![
                TypeShare {
                    name: "BF16".to_owned(),
                    quantized: false,
                    tensors: 90,
                    bytes: 2_000_000,
                },
                TypeShare {
                    name: "F32".to_owned(),
                    quantized: false,
                    tensors: 17,
                    bytes: 100_000,
                },
            ],
            files: vec![ModelFileInfo {
                name: "model.safetensors".to_owned(),
                bytes: 2_100_400,
                sha256: Some("ab12".to_owned()),
            }],
        };
        let text = model(&info, Style::Plain);
        assert!(text.contains("parameters       1,234,567\n"), "{text}");
        assert!(
            text.contains("files            safetensors, bf16, 2.0 MiB\n"),
            "{text}"
        );
        assert!(text.contains("license          not stated\n"), "{text}");
        assert!(
            text.contains("types            BF16 95.2 % (90 tensors), F32 4.8 % (17)\n"),
            "{text}"
        );
        assert!(
            text.contains("sha256           ab12  model.safetensors\n"),
            "{text}"
        );
    }
}
