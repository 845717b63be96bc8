//! A byte-level tokenizer small enough to read, with added tokens like a chat model's.

use serde_json::{Value, json};

use super::*;

/// The printable stand-in of each byte, as GPT-2 chose them.
fn byte_alphabet() -> Vec<char> {
    let printable =
        |b: u32| (33..=126).contains(&b) || (161..=172).contains(&b) || (174..=255).contains(&b);
    let mut next = 256;
    (0..256u32)
        .map(|byte| {
            let code = if printable(byte) {
                byte
            } else {
                next += 1;
                next - 1
            };
            char::from_u32(code).unwrap()
        })
        .collect()
}

pub(crate) const ADDED: [&str; 9] = [
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<s>",
    "</s>",
    "<|eot_id|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<end_of_turn>",
];

/// Byte-level BPE: ids 0..256 are the bytes, then a few merges, then the added tokens.
pub(crate) fn tokenizer_json() -> Value {
    let alphabet = byte_alphabet();
    let space = alphabet[b' ' as usize];
    let newline = alphabet[b'\n' as usize];
    let mut vocabulary = serde_json::Map::new();
    for (id, c) in alphabet.iter().enumerate() {
        vocabulary.insert(c.to_string(), json!(id));
    }
    let merges = [
        ("h".to_owned(), "e".to_owned()),
        ("l".to_owned(), "l".to_owned()),
        ("he".to_owned(), "ll".to_owned()),
        (space.to_string(), "h".to_owned()),
        (newline.to_string(), newline.to_string()),
    ];
    for (left, right) in &merges {
        vocabulary.insert(format!("{left}{right}"), json!(vocabulary.len()));
    }
    let added: Vec<Value> = ADDED
        .iter()
        .enumerate()
        .map(|(index, token)| {
            json!({"id": vocabulary.len() + index, "content": token, "single_word": false,
                "lstrip": false, "rstrip": false, "normalized": false, "special": true})
        })
        .collect();
    json!({
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
        "padding": {"strategy": {"Fixed": 8}, "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "!"},
        "added_tokens": added,
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false},
        "post_processor": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocabulary, "merges": merges.iter().map(|(a, b)| format!("{a} {b}")).collect::<Vec<_>>()}
    })
}

/// The small tokenizer, stopping at the given tokens.
pub(crate) fn tokenizer(stops: &[&str]) -> Tokenizer {
    let json = tokenizer_json().to_string();
    let ids: Vec<u32> = stops
        .iter()
        .map(|stop| 261 + ADDED.iter().position(|added| added == stop).unwrap() as u32)
        .collect();
    Tokenizer::from_parts(Path::new("model"), json.as_bytes(), None, None, &ids).unwrap()
}

/// The same with tokens that begin and end a sequence.
pub(crate) fn tokenizer_with_ends(stops: &[&str]) -> Tokenizer {
    let json = tokenizer_json().to_string();
    let config = json!({"bos_token": "<s>", "eos_token": "</s>"}).to_string();
    let ids = stops
        .iter()
        .map(|stop| 261 + ADDED.iter().position(|added| added == stop).unwrap() as u32);
    let ids: Vec<u32> = ids.collect();
    let config = Some(config.as_bytes());
    Tokenizer::from_parts(Path::new("model"), json.as_bytes(), config, None, &ids).unwrap()
}

/// A sentencepiece-like tokenizer: spaces are `▁`, one is put before the text, unknown characters
/// fall back to bytes.
fn sentencepiece() -> Tokenizer {
    let mut vocabulary = serde_json::Map::new();
    for token in ["<unk>", "<s>", "</s>", "▁hi", "▁", "h", "i", "▁h", "▁there"] {
        vocabulary.insert(token.to_owned(), json!(vocabulary.len()));
    }
    for byte in 0..256 {
        vocabulary.insert(format!("<0x{byte:02X}>"), json!(vocabulary.len()));
    }
    for letter in ["t", "e", "r", "th", "the", "there", "re"] {
        vocabulary.insert(letter.to_owned(), json!(vocabulary.len()));
    }
    let json = json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [{"id": 2, "content": "</s>", "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true}],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        "pre_tokenizer": null,
        "post_processor": null,
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
            "vocab": vocabulary,
            "merges": ["▁ h", "▁h i", "t h", "th e", "r e", "the re", "▁ there"]}
    });
    Tokenizer::from_parts(
        Path::new("m"),
        json.to_string().as_bytes(),
        None,
        None,
        &[2],
    )
    .unwrap()
}

#[test]
fn nothing_is_added_cut_or_padded() {
    let tokenizer = tokenizer(&[]);
    let encoded = tokenizer.encode("<|im_start|>hello ha").unwrap();
    assert_eq!(encoded.ids[0], 261);
    assert_eq!(tokenizer.token_text(encoded.ids[1]).unwrap(), "hell");
    // The space belongs to the token, whatever the post-processor says.
    assert_eq!(
        encoded.offsets,
        [(0, 12), (12, 16), (16, 17), (17, 19), (19, 20)]
    );
    assert_eq!(tokenizer.encode("").unwrap(), Encoded::default());
    assert_eq!(tokenizer.vocabulary_size(), 270);
}

#[test]
fn offsets_are_bytes_of_the_original_text() {
    let tokenizer = tokenizer(&[]);
    // One emoji is four byte tokens that share its four bytes.
    let encoded = tokenizer.encode("a😀b").unwrap();
    assert_eq!(
        encoded.offsets,
        [(0, 1), (1, 5), (1, 5), (1, 5), (1, 5), (5, 6)]
    );
    // NFC makes two bytes of three; the offsets still speak of the three.
    let encoded = tokenizer.encode("e\u{301}x").unwrap();
    assert_eq!(encoded.ids.len(), 3);
    assert_eq!(encoded.offsets.last(), Some(&(3, 4)));
    assert!(
        encoded.offsets[..2]
            .iter()
            .all(|&(start, end)| start == 0 && end <= 3),
        "{encoded:?}"
    );
}

#[test]
fn stop_tokens_come_from_three_places() {
    let json = tokenizer_json().to_string();
    let build = |config: &str, generation: &str, model: &[u32]| {
        Tokenizer::from_parts(
            Path::new("model"),
            json.as_bytes(),
            Some(config.as_bytes()),
            Some(generation.as_bytes()),
            model,
        )
    };
    let tokenizer = build(
        r#"{"eos_token":{"content":"<|im_end|>","lstrip":false},"bos_token":"<s>","pad_token":null}"#,
        r#"{"eos_token_id":[263,262],"temperature":0.6,"top_k":20,"top_p":1,"do_sample":true}"#,
        &[265, 263],
    )
    .unwrap();
    assert_eq!(tokenizer.stop_tokens(), [263, 262, 265]);
    assert_eq!(
        tokenizer.special_tokens().eos.as_deref(),
        Some("<|im_end|>")
    );
    assert_eq!(tokenizer.special_tokens().bos.as_deref(), Some("<s>"));
    assert_eq!(tokenizer.special_tokens().pad, None);
    let defaults = tokenizer.generation_defaults();
    assert_eq!(
        (defaults.temperature, defaults.top_k, defaults.top_p),
        (Some(0.6), Some(20), Some(1.0))
    );
    assert_eq!((defaults.do_sample, defaults.min_p), (Some(true), None));
    // Without tokenizer_config.json the template still learns its end token.
    assert_eq!(
        build("{}", r#"{"eos_token_id":262}"#, &[])
            .unwrap()
            .special_tokens()
            .eos
            .as_deref(),
        Some("<|im_end|>")
    );

    let message =
        |config: &str, generation: &str| build(config, generation, &[]).unwrap_err().to_string();
    assert_eq!(
        message("{}", r#"{"eos_token_id":-1}"#),
        "model/generation_config.json: eos_token_id: is not a token id or a list of them"
    );
    assert_eq!(
        message("{}", r#"{"top_k":"many"}"#),
        "model/generation_config.json: top_k: is not a whole number"
    );
    assert_eq!(
        message(r#"{"eos_token":7}"#, "{}"),
        "model/tokenizer_config.json: eos_token: is not a token"
    );
    assert!(message("[]", "{}").starts_with("model/tokenizer_config.json: not a JSON object: "));
}

#[test]
fn bad_tokenizers_are_errors() {
    let message = |bytes: &[u8]| {
        Tokenizer::from_parts(Path::new("model"), bytes, None, None, &[])
            .unwrap_err()
            .to_string()
    };
    for bytes in [
        &b""[..],
        b"{}",
        b"[1]",
        b"\xff\xfe",
        b"{\"model\":{\"type\":\"BPE\"}}",
    ] {
        assert!(
            message(bytes).starts_with("model/tokenizer.json: not a tokenizer: "),
            "{}",
            message(bytes)
        );
    }
    let mut broken = tokenizer_json();
    broken["model"]["merges"] = json!(["q nonexistent"]);
    assert!(message(broken.to_string().as_bytes()).contains("not a tokenizer"));
    let mut empty = tokenizer_json();
    empty["model"]["vocab"] = json!({});
    empty["model"]["merges"] = json!([]);
    empty["added_tokens"] = json!([]);
    assert_eq!(
        message(empty.to_string().as_bytes()),
        "model/tokenizer.json: model.vocab: holds no tokens"
    );
}

fn stream_pieces(tokenizer: &Tokenizer, ids: &[u32]) -> Vec<String> {
    let mut stream = tokenizer.stream(SpecialTokenText::Skip);
    let mut pieces: Vec<String> = ids
        .iter()
        .filter_map(|id| stream.push(*id).unwrap())
        .collect();
    pieces.extend(stream.finish().unwrap());
    pieces
}

#[test]
fn streams_whole_characters() {
    let tokenizer = tokenizer(&[]);
    let text = "hé 👩\u{200d}🚀 日本 e\u{301}";
    let text_nfc = "hé 👩\u{200d}🚀 日本 é";
    let pieces = stream_pieces(&tokenizer, &tokenizer.encode(text).unwrap().ids);
    assert_eq!(pieces.concat(), text_nfc);
    assert!(
        pieces
            .iter()
            .all(|piece| !piece.contains('\u{fffd}') && !piece.is_empty()),
        "{pieces:?}"
    );
    assert!(pieces.len() > 8);
}

#[test]
fn streams_skip_special_tokens_and_survive_garbage() {
    let tokenizer = tokenizer(&[]);
    let ids = tokenizer.encode("hi<|im_end|>ho").unwrap().ids;
    assert_eq!(stream_pieces(&tokenizer, &ids).concat(), "hiho");
    // Half a character at the end shows as such.
    let emoji = tokenizer.encode("😀").unwrap().ids;
    assert_eq!(stream_pieces(&tokenizer, &emoji[..2]), ["\u{fffd}"]);
    // Bytes that never become a character are not held back for ever, and lose nothing around.
    let mut garbage = vec![0x80; 100];
    garbage.extend(tokenizer.encode("ok").unwrap().ids);
    let text = stream_pieces(&tokenizer, &garbage).concat();
    assert!(
        text.ends_with("ok") && text.matches('\u{fffd}').count() >= 90,
        "{text:?}"
    );
    assert!(stream_pieces(&tokenizer, &[]).is_empty());
    assert!(stream_pieces(&tokenizer, &[999_999]).is_empty());
    // Many tokens without text between two words.
    let mut ids = tokenizer.encode("hi").unwrap().ids;
    ids.extend([262; 50]);
    ids.extend(tokenizer.encode(" é").unwrap().ids);
    assert_eq!(stream_pieces(&tokenizer, &ids).concat(), "hi é");
}

#[test]
fn streams_keep_the_spaces_of_sentencepiece() {
    let tokenizer = sentencepiece();
    let encoded = tokenizer.encode("hi there é hi").unwrap();
    let pieces = stream_pieces(&tokenizer, &encoded.ids);
    assert_eq!(pieces.concat(), "hi there é hi");
    assert_eq!(pieces[0], "hi");
    assert_eq!(pieces[1], " there");
    assert_eq!(
        tokenizer
            .decode(&encoded.ids, SpecialTokenText::Keep)
            .unwrap(),
        "hi there é hi"
    );
}

#[test]
fn offsets_of_sentencepiece_are_of_the_original() {
    let tokenizer = sentencepiece();
    let text = "hi there</s>é";
    let encoded = tokenizer.encode(text).unwrap();
    for (id, (start, end)) in encoded.ids.iter().zip(&encoded.offsets) {
        assert!(
            text.get(*start..*end).is_some(),
            "{:?} {start} {end}",
            tokenizer.token_text(*id)
        );
    }
    assert_eq!(encoded.offsets.last().unwrap().1, text.len());
}
