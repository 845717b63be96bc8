//! Models and datasets described for people.

use stepladder_protocol::{DatasetPreview, ExamplePreview, ModelInfo, TokenUse, TypeShare};

use super::terminal::Style;
use crate::text::{bytes, count, thousands, visible, visible_lines};

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

/// A dataset.
pub fn dataset(preview: &DatasetPreview, style: Style) -> String {
    let mut text = String::new();
    for file in &preview.files {
        text.push_str(&format!(
            "{} · {} · {}\n",
            style.bold(&visible(&file.path)),
            visible(&file.format),
            count(file.examples, "example", "examples")
        ));
    }
    if preview.files.len() > 1 {
        text.push_str(&format!(
            "together {}\n",
            count(preview.examples, "example", "examples")
        ));
    }
    if let Some(lengths) = &preview.lengths {
        text.push_str(&format!(
            "tokens per example: {} to {}, median {}; {} in all, {} of them trained\n",
            thousands(lengths.shortest as u64),
            thousands(lengths.longest as u64),
            thousands(lengths.median as u64),
            thousands(lengths.total as u64),
            thousands(lengths.trained as u64),
        ));
    }
    if preview.skipped > 0 {
        text.push_str(&format!(
            "{} left out:\n",
            count(preview.skipped, "row is", "rows are")
        ));
        for row in &preview.skipped_rows {
            text.push_str(&format!(
                "  {}:{}: {}\n",
                visible(&row.path),
                row.line,
                visible(&row.reason)
            ));
        }
        let more = preview.skipped.saturating_sub(preview.skipped_rows.len());
        if more > 0 {
            text.push_str(&format!("  and {}\n", count(more, "other", "others")));
        }
    }
    for (index, example) in preview.shown.iter().enumerate() {
        text.push_str(&example_in_words(index + 1, example, style));
    }
    text
}

/// One example; a bar with words before it says what training does with each line, so that it reads
/// without colors too.
fn example_in_words(number: usize, example: &ExamplePreview, style: Style) -> String {
    let tokens = example.tokens.map_or_else(String::new, |n| {
        format!(", {}", count(n, "token", "tokens"))
    });
    let place = format!("{}:{}{tokens}", visible(&example.path), example.line);
    let mut text = format!("\n{} ({place})\n", style.bold(&format!("example {number}")));
    for segment in &example.segments {
        let shown = visible_lines(&segment.text);
        for line in shown.lines() {
            let line = match segment.used {
                TokenUse::Trained => format!("trained │ {}", style.good(line)),
                TokenUse::Context => format!("context │ {line}"),
                TokenUse::CutOff => format!("cut off │ {}", style.dim(line)),
            };
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use stepladder_protocol::{DatasetFile, ModelFileInfo, Segment, SkippedRow, TokenLengths};

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

    #[test]
    fn a_dataset_is_described_with_what_is_left_out() {
        let segment = |text: &str, used| Segment {
            text: text.to_owned(),
            used,
        };
        let preview = DatasetPreview {
            files: vec![DatasetFile {
                path: "a.jsonl".to_owned(),
                format: "messages".to_owned(),
                examples: 1570,
            }],
            examples: 1570,
            skipped: 3,
            skipped_rows: vec![SkippedRow {
                path: "a.jsonl".to_owned(),
                line: 2,
                reason: "no \u{1b}[2Jmessages".to_owned(),
            }],
            lengths: Some(TokenLengths {
                shortest: 3,
                median: 90,
                longest: 1200,
                total: 99_000,
                trained: 33_000,
            }),
            shown: vec![ExamplePreview {
                path: "a.jsonl".to_owned(),
                line: 1,
                tokens: Some(7),
                segments: vec![
                    segment("user\n2+2?\n", TokenUse::Context),
                    segment("4", TokenUse::Trained),
                    segment("end", TokenUse::CutOff),
                ],
            }],
        };
        let text = dataset(&preview, Style::Plain);
        assert!(!text.contains('\u{1b}'), "{text:?}");
        assert!(
            text.starts_with("a.jsonl · messages · 1,570 examples\n"),
            "{text}"
        );
        assert!(
            text.contains("3 rows are left out:\n  a.jsonl:2: no "),
            "{text}"
        );
        assert!(text.contains("  and 2 others\n"), "{text}");
        assert!(
            text.contains("tokens per example: 3 to 1,200, median 90;"),
            "{text}"
        );
        assert!(
            text.ends_with(
                "\nexample 1 (a.jsonl:1, 7 tokens)\ncontext │ user\ncontext │ 2+2?\n\
                 trained │ 4\ncut off │ end\n"
            ),
            "{text}"
        );
    }
}
