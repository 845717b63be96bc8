//! The goldens can fail: what one key of a file says is changed, and other tokens come out.

use stepladder_engine::models::gguf::{GgufHeader, documents};

use super::{STYLES, Style, tokenizer};

/// GGUF's number for a text, and for a list.
const TEXT: u32 = 8;
const LIST: u32 = 9;

const BYTE_LEVEL: [(&str, &str); 6] = [
    ("llama3", "llama-bpe"),
    ("qwen2", "qwen2"),
    ("gpt2", "gpt-2"),
    ("smollm", "smollm"),
    ("mistral-nemo", "tekken"),
    ("phi4-mini", "gpt-4o"),
];

/// The bytes of a style's file, to be changed.
struct File {
    style: Style,
    bytes: Vec<u8>,
}

impl File {
    fn of(name: &'static str) -> Self {
        let style = Style::load(name);
        let bytes = std::fs::read(style.folder.join("vocabulary.gguf")).unwrap();
        Self { style, bytes }
    }

    /// Where the value of a key stands, after the number of its type.
    fn value(&self, key: &str, kind: u32) -> usize {
        let mut written = (key.len() as u64).to_le_bytes().to_vec();
        written.extend(key.bytes());
        written.extend(kind.to_le_bytes());
        let length = written.len();
        let found = self.bytes.windows(length).position(|part| part == written);
        found.unwrap_or_else(|| panic!("{key}")) + length
    }

    fn size_at(&self, at: usize) -> usize {
        u64::from_le_bytes(self.bytes[at..at + 8].try_into().unwrap()) as usize
    }

    fn set_text(&mut self, key: &str, text: &str) {
        let at = self.value(key, TEXT);
        let mut written = (text.len() as u64).to_le_bytes().to_vec();
        written.extend(text.bytes());
        let end = at + 8 + self.size_at(at);
        self.bytes.splice(at..end, written);
    }

    /// Changes a list of numbers of four bytes each.
    fn change_numbers(&mut self, key: &str, change: impl Fn([u8; 4]) -> [u8; 4]) {
        let at = self.value(key, LIST) + 4;
        let count = self.size_at(at);
        for number in self.bytes[at + 8..at + 8 + 4 * count].chunks_exact_mut(4) {
            let changed = change((&*number).try_into().unwrap());
            number.copy_from_slice(&changed);
        }
    }

    fn reverse_texts(&mut self, key: &str) {
        let at = self.value(key, LIST) + 4;
        let count = self.size_at(at);
        let mut texts = Vec::new();
        let mut next = at + 8;
        for _ in 0..count {
            let end = next + 8 + self.size_at(next);
            texts.push(self.bytes[next..end].to_vec());
            next = end;
        }
        texts.reverse();
        self.bytes.splice(at + 8..next, texts.concat());
    }

    /// How many of the golden's texts become other tokens.
    fn differing(&self) -> usize {
        let header = GgufHeader::parse(&self.bytes).unwrap();
        let changed = tokenizer(&documents(&header.metadata).unwrap());
        self.style.differing(&changed)
    }
}

#[test]
fn an_unchanged_file_changes_nothing() {
    for name in STYLES {
        assert_eq!(File::of(name).differing(), 0, "{name}");
    }
}

#[test]
fn another_way_to_split_gives_other_tokens() {
    for (name, own) in BYTE_LEVEL {
        for (_, other) in BYTE_LEVEL {
            let mut file = File::of(name);
            file.set_text("tokenizer.ggml.pre", other);
            assert_eq!(file.differing() == 0, own == other, "{name} as {other}");
        }
    }
}

#[test]
fn a_tokenizer_of_no_family_splits_as_gpt_2() {
    let mut file = File::of("gpt2");
    file.set_text("tokenizer.ggml.pre", "default");
    assert_eq!(file.differing(), 0);
}

#[test]
fn a_whole_word_needs_no_merges_where_the_family_says_so() {
    for (name, _) in BYTE_LEVEL {
        let tokens = Style::load(name)
            .tokenizer()
            .encode("unreachable unreachable");
        let whole = tokens.unwrap().ids.len() == 2;
        assert_eq!(whole, ["llama3", "mistral-nemo"].contains(&name), "{name}");
    }
}

#[test]
fn other_ranks_give_other_tokens() {
    for (name, _) in BYTE_LEVEL {
        let mut file = File::of(name);
        file.reverse_texts("tokenizer.ggml.merges");
        assert!(file.differing() > 10, "{name}");
    }
    for name in ["tinyllama", "mistral-v3", "phi3", "gemma"] {
        let mut file = File::of(name);
        let negated = |score| (-f32::from_le_bytes(score)).to_le_bytes();
        file.change_numbers("tokenizer.ggml.scores", negated);
        assert!(file.differing() > 10, "{name} negated");
        let mut file = File::of(name);
        // 997 is prime: a permutation.
        let shuffled = |score| (f32::from_le_bytes(score) * 37.0 % 997.0).to_le_bytes();
        file.change_numbers("tokenizer.ggml.scores", shuffled);
        assert!(file.differing() > 10, "{name} shuffled");
    }
}

#[test]
fn the_order_of_equal_scores_matters() {
    for (name, other) in [("gemma", "gemma3"), ("gemma3", "gemma2")] {
        let mut file = File::of(name);
        file.set_text("general.architecture", other);
        assert!(file.differing() > 0, "{name}");
    }
}

#[test]
fn tokens_without_types_are_ordinary_text() {
    for name in STYLES {
        let mut file = File::of(name);
        // Fillers stay fillers.
        let ordinary = |kind: [u8; 4]| match i32::from_le_bytes(kind) {
            5 => kind,
            _ => 1_i32.to_le_bytes(),
        };
        file.change_numbers("tokenizer.ggml.token_type", ordinary);
        // Other keys name all the control tokens that these have.
        let named = ["gpt2", "tinyllama", "llama-unscored"].contains(&name);
        assert_eq!(file.differing() == 0, named, "{name}");
    }
}

#[test]
fn the_space_before_a_text_matters() {
    for (name, flag) in [("gemma", 1), ("mistral-v3", 0)] {
        let mut file = File::of(name);
        let at = file.value("tokenizer.ggml.add_space_prefix", 7);
        file.bytes[at] = flag;
        assert!(file.differing() > 10, "{name}");
    }
}

#[test]
fn whitespace_after_phi_s_tokens_matters() {
    for name in ["phi3", "phi4-mini"] {
        let mut file = File::of(name);
        file.set_text("general.architecture", "llama");
        assert!(file.differing() > 2, "{name}");
    }
}
