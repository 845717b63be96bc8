//! The chat templates that come with the program, in formats that everybody knows: for models
//! without one of their own, and for whoever asks for one by name.

/// A template that comes with the program.
#[derive(Debug, PartialEq, Eq)]
pub struct NamedTemplate {
    /// As it is asked for.
    pub name: &'static str,
    /// The template itself.
    pub source: &'static str,
    /// What ends an assistant turn.
    pub end_of_turn: EndOfTurn,
    /// What it prints besides that and expects to be one token each.
    pub special_tokens: &'static [&'static str],
    /// Whether its text begins with the token that begins a sequence, where the tokenizer has one.
    pub prints_bos: bool,
}

/// What stands behind an assistant turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndOfTurn {
    /// A token of the format.
    Token(&'static str),
    /// Whatever token ends a sequence in the model's tokenizer.
    EndOfSequence,
}

macro_rules! source {
    ($name:literal) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../assets/templates/",
            $name,
            ".jinja"
        ))
    };
}

impl NamedTemplate {
    /// Every one of them.
    pub const ALL: [Self; 7] = [
        Self {
            name: "chatml",
            source: source!("chatml"),
            end_of_turn: EndOfTurn::Token("<|im_end|>"),
            special_tokens: &["<|im_start|>"],
            prints_bos: false,
        },
        Self {
            name: "llama3",
            source: source!("llama3"),
            end_of_turn: EndOfTurn::Token("<|eot_id|>"),
            special_tokens: &["<|start_header_id|>", "<|end_header_id|>"],
            prints_bos: true,
        },
        Self {
            name: "mistral",
            source: source!("mistral"),
            end_of_turn: EndOfTurn::EndOfSequence,
            special_tokens: &["[INST]", "[/INST]"],
            prints_bos: true,
        },
        Self {
            name: "gemma",
            source: source!("gemma"),
            end_of_turn: EndOfTurn::Token("<end_of_turn>"),
            special_tokens: &["<start_of_turn>"],
            prints_bos: true,
        },
        Self {
            name: "phi",
            source: source!("phi"),
            end_of_turn: EndOfTurn::Token("<|end|>"),
            special_tokens: &["<|system|>", "<|user|>", "<|assistant|>"],
            prints_bos: false,
        },
        Self {
            name: "alpaca",
            source: source!("alpaca"),
            end_of_turn: EndOfTurn::EndOfSequence,
            special_tokens: &[],
            prints_bos: true,
        },
        Self {
            name: "plain",
            source: source!("plain"),
            end_of_turn: EndOfTurn::EndOfSequence,
            special_tokens: &[],
            prints_bos: true,
        },
    ];

    /// The template of that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        static ALL: [NamedTemplate; 7] = NamedTemplate::ALL;
        ALL.iter().find(|template| template.name == name)
    }

    /// The names, as they are listed for the user.
    pub fn names() -> String {
        Self::ALL.map(|template| template.name).join(", ")
    }
}
