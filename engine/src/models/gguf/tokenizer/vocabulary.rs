//! The list of tokens as the file has it, held against what a vocabulary must be, with what each
//! token is for.

use std::collections::HashMap;

use super::super::metadata::Metadata;
use super::keys;
use crate::foreign_text::visible_excerpt;

/// What a token is for; the numbers are SentencePiece's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Normal,
    /// Stands for what the vocabulary cannot write.
    Unknown,
    /// Has a meaning, not a text.
    Control,
    /// Is never split, but is text.
    UserDefined,
    /// Fills a gap in the numbering.
    Unused,
    /// One byte, written `<0x0A>`.
    Byte,
}

impl Kind {
    fn from_number(number: i64) -> Option<Self> {
        Some(match number {
            1 => Self::Normal,
            2 => Self::Unknown,
            3 => Self::Control,
            4 => Self::UserDefined,
            5 => Self::Unused,
            6 => Self::Byte,
            _ => return None,
        })
    }
}

/// One token; its id is its place in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) kind: Kind,
}

/// All tokens, by id.
#[derive(Debug)]
pub(super) struct Vocabulary {
    pub(super) tokens: Vec<Token>,
}

impl Vocabulary {
    /// Reads texts and kinds. A file without kinds has only normal tokens, but for the ones that
    /// its other keys give a meaning.
    pub(super) fn read(metadata: &Metadata) -> Result<Self, String> {
        let texts = metadata
            .texts(keys::TOKENS)?
            .ok_or_else(|| format!("{} is missing", keys::TOKENS))?;
        if texts.is_empty() {
            return Err(format!("{} holds no tokens", keys::TOKENS));
        }
        let kinds = match metadata.integers(keys::TOKEN_TYPES)? {
            None => vec![Kind::Normal; texts.len()],
            Some(numbers) => {
                same_length(keys::TOKEN_TYPES, numbers.len(), texts.len())?;
                let kind = |(id, number): (usize, &i64)| {
                    Kind::from_number(*number).ok_or_else(|| {
                        let key = keys::TOKEN_TYPES;
                        format!("{key}: token {id} is of type {number}, expected 1 to 6")
                    })
                };
                numbers
                    .iter()
                    .enumerate()
                    .map(kind)
                    .collect::<Result<_, _>>()?
            }
        };
        let tokens = texts
            .iter()
            .zip(kinds)
            .map(|(text, kind)| Token {
                text: text.clone(),
                kind,
            })
            .collect();
        Ok(Self { tokens })
    }

    /// Number of tokens.
    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The text of a token that a key of the file names.
    pub(super) fn text(&self, id: u32) -> Option<&str> {
        self.tokens
            .get(id as usize)
            .map(|token| token.text.as_str())
    }

    /// Every token that has a text of its own, with its id. Fillers have none: a Hugging Face
    /// folder does not list them at all.
    pub(super) fn used(&self) -> impl Iterator<Item = (u32, &Token)> {
        (0..)
            .zip(&self.tokens)
            .filter(|(_, token)| token.kind != Kind::Unused)
    }

    /// Ids by text.
    ///
    /// # Errors
    /// When two tokens have one text: either could be meant.
    pub(super) fn ids(&self) -> Result<HashMap<&str, u32>, String> {
        let mut ids = HashMap::with_capacity(self.len());
        for (id, token) in self.used() {
            if let Some(earlier) = ids.insert(token.text.as_str(), id) {
                return Err(format!(
                    "{}: tokens {earlier} and {id} are both \"{}\"",
                    keys::TOKENS,
                    visible_excerpt(&token.text, 40)
                ));
            }
        }
        Ok(ids)
    }
}

/// Whether a list has one value for each token.
pub(super) fn same_length(key: &str, found: usize, tokens: usize) -> Result<(), String> {
    if found == tokens {
        Ok(())
    } else {
        Err(format!(
            "{key} has {found} values, but {} has {tokens}",
            keys::TOKENS
        ))
    }
}
