//! Decoding token by token, for text that appears while it is generated.

use super::{SpecialTokenText, Tokenizer};
use crate::Result;

/// Tokens held back at most. A character needs four; garbage bytes and tokens without text must not
/// pile up.
const MAX_HELD_BACK: usize = 12;

/// Turns tokens into text as they arrive. A piece is given out only when later tokens can no longer
/// change it: never half a character, never a space that the next token takes away.
#[derive(Debug)]
pub struct StreamDecoder<'a> {
    tokenizer: &'a Tokenizer,
    special: SpecialTokenText,
    /// The tokens of the last piece, then those held back.
    window: Vec<u32>,
    /// How many of `window` belong to the last piece. They are decoded again with what follows,
    /// because decoders treat the first token of a text in its own way.
    given: usize,
}

impl<'a> StreamDecoder<'a> {
    pub(super) fn new(tokenizer: &'a Tokenizer, special: SpecialTokenText) -> Self {
        Self {
            tokenizer,
            special,
            window: Vec::new(),
            given: 0,
        }
    }

    /// Takes a token and gives the text that is now certain; often none, never an empty one.
    pub fn push(&mut self, id: u32) -> Result<Option<String>> {
        self.window.push(id);
        let piece = self.pending()?;
        let unfinished = piece.is_empty() || piece.ends_with('\u{fffd}');
        if unfinished && self.window.len() - self.given < MAX_HELD_BACK {
            return Ok(None);
        }
        self.window.drain(..self.given);
        self.given = self.window.len();
        Ok(Some(piece).filter(|piece| !piece.is_empty()))
    }

    /// Gives what was held back; at the end an unfinished character shows as `\u{fffd}`.
    pub fn finish(mut self) -> Result<Option<String>> {
        let piece = self.pending()?;
        self.window.clear();
        Ok(Some(piece).filter(|piece| !piece.is_empty()))
    }

    /// The text of the tokens held back.
    fn pending(&self) -> Result<String> {
        let before = self
            .tokenizer
            .decode(&self.window[..self.given], self.special)?;
        let with = self.tokenizer.decode(&self.window, self.special)?;
        Ok(with.strip_prefix(before.as_str()).map_or_else(
            // The decoder changed its mind about text that is out already; add only what is new.
            || with.get(before.len()..).unwrap_or_default().to_owned(),
            str::to_owned,
        ))
    }
}
