//! Owns the tokenizer: a byte-level BPE with single digits, trained on the generated problems.
//!
//! The trainer breaks ties between equally frequent pairs by their token numbers, so the same
//! corpus gives the same file.

use crate::Outcome;
use std::collections::HashSet;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{
    AddedToken, DecoderWrapper, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper,
    SplitDelimiterBehavior, Tokenizer, TokenizerBuilder,
};

pub const END_OF_TEXT: &str = "<|endoftext|>";
pub const TURN_START: &str = "<|im_start|>";
pub const TURN_END: &str = "<|im_end|>";
pub const THINK_START: &str = "<think>";
pub const THINK_END: &str = "</think>";

/// The rows of the embedding: the tokenizer's entries, rounded up.
pub const VOCABULARY_SIZE: usize = 768;

/// Qwen2's split: words with their leading space, single digits, punctuation, line ends.
const SPLIT: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Trains the tokenizer on `corpus`.
pub fn train_tokenizer(corpus: &[String]) -> Outcome<Tokenizer> {
    let split = Split::new(
        SplitPattern::Regex(SPLIT.to_owned()),
        SplitDelimiterBehavior::Isolated,
        false,
    )?;
    let bytes = ByteLevel::new(false, false, false);
    let mut tokenizer = TokenizerBuilder::<
        BPE,
        NormalizerWrapper,
        PreTokenizerWrapper,
        PostProcessorWrapper,
        DecoderWrapper,
    >::new()
    .with_model(BPE::default())
    .with_normalizer(Some(NFC.into()))
    .with_pre_tokenizer(Some(Sequence::new(vec![split.into(), bytes.into()]).into()))
    .with_post_processor(Some(bytes.into()))
    .with_decoder(Some(bytes.into()))
    .build()?;
    let special = [END_OF_TEXT, TURN_START, TURN_END];
    let mut trainer = BpeTrainerBuilder::new()
        // The two think markers come on top.
        .vocab_size(VOCABULARY_SIZE - 2)
        .min_frequency(2)
        .show_progress(false)
        .special_tokens(
            special
                .iter()
                .map(|text| AddedToken::from(*text, true))
                .collect(),
        )
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect::<HashSet<char>>())
        .build();
    tokenizer.train(&mut trainer, corpus.iter())?;
    tokenizer.add_tokens(
        [THINK_START, THINK_END].map(|text| AddedToken::from(text, false).normalized(false)),
    )?;
    let trained: Tokenizer = serde_json::from_str(&tokenizer.to_string(false)?)?;
    let size = trained.get_vocab_size(true);
    if size > VOCABULARY_SIZE {
        return Err(
            format!("the tokenizer has {size} entries, more than {VOCABULARY_SIZE}").into(),
        );
    }
    Ok(trained)
}

/// The id of a token that must exist.
pub fn token_id(tokenizer: &Tokenizer, token: &str) -> Outcome<u32> {
    tokenizer
        .token_to_id(token)
        .ok_or_else(|| format!("the tokenizer lacks {token}").into())
}

/// The ids of `text`, in which special tokens count as such.
pub fn encode(tokenizer: &Tokenizer, text: &str) -> Outcome<Vec<u32>> {
    Ok(tokenizer.encode_fast(text, false)?.get_ids().to_vec())
}
