//! An example: what one row became, ready to be laid into a batch.

use stepladder_protocol::{DataOptions, TooLong};

use super::conversation::{Sample, SourceLine};
use super::fitting::{Piece, Shortened, Unfit, fit};
use super::loss_mask::{MaskProblem, Masked, mask_chat, mask_text};
use super::recipe::Recipe;
use super::turn_account::TurnAccount;
use crate::Result;

/// Tokens with the mask of those that are trained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Token ids, at most the context length of them.
    pub ids: Vec<u32>,
    /// Whether each token is trained: predicted from the one before it. Never true for the first.
    pub targets: Vec<bool>,
    /// The row it came from.
    pub source: SourceLine,
    /// The stable hash of what the row says; examples of one row share it.
    pub hash: u64,
}

impl Example {
    /// Trained tokens.
    pub fn target_tokens(&self) -> usize {
        self.targets.iter().filter(|target| **target).count()
    }
}

/// What a row became at a context length.
#[derive(Debug, Default)]
pub(super) struct Built {
    /// The examples, cut or split where they had to be.
    pub(super) examples: Vec<Example>,
    /// Lengths before that of what is trained on.
    pub(super) full_lengths: Vec<usize>,
    /// How many were cut, how many split.
    pub(super) cut: usize,
    pub(super) split: usize,
    /// Parts of which nothing trained is left.
    pub(super) unfit: Vec<Unfit>,
    /// What was noticed about its turns.
    pub(super) turns: TurnAccount,
}

/// Tokens and mask of a sample before it is made to fit, or why there are none. Fails only if the
/// model's files are at fault.
pub(super) fn mask(sample: &Sample, recipe: &Recipe<'_>) -> Result<Result<Masked, Unfit>> {
    let masked = match (sample, recipe.template) {
        (Sample::Text(text), _) => mask_text(text, recipe.tokenizer),
        (Sample::Chat(chat), Some(template)) => mask_chat(chat, recipe, template),
        (Sample::Chat(_), None) => Err(MaskProblem::Fatal(recipe.template_missing())),
    };
    match masked {
        Ok(masked) if masked.examples.is_empty() => Ok(Err(Unfit::NothingTrained)),
        Ok(masked) => Ok(Ok(masked)),
        Err(MaskProblem::Fatal(error)) => Err(error),
        Err(MaskProblem::Refused(problem)) => Ok(Err(Unfit::Refused {
            problem: format!("the chat template does not take it: {problem}"),
        })),
        Err(MaskProblem::Unusable(problem)) => Ok(Err(Unfit::Refused { problem })),
    }
}

/// What becomes of a sample that is too long.
pub(super) fn wish(sample: &Sample, options: &DataOptions) -> TooLong {
    options.too_long.unwrap_or(match sample {
        Sample::Text(_) => TooLong::Split,
        Sample::Chat(_) => TooLong::CutRight,
    })
}

/// Builds the examples of a sample. Fails only if the model's files are at fault.
pub(super) fn build(sample: &Sample, source: SourceLine, recipe: &Recipe<'_>) -> Result<Built> {
    let mut built = Built::default();
    let masked = match mask(sample, recipe)? {
        Ok(masked) => masked,
        Err(unfit) => {
            built.unfit.push(unfit);
            return Ok(built);
        }
    };
    built.turns = masked.account;
    let hash = sample.stable_hash();
    let wish = wish(sample, recipe.options);
    let bos = recipe.tokenizer.bos_token();
    for tokens in &masked.examples {
        match fit(tokens, recipe.context, wish, bos) {
            Ok(fitted) => {
                built.full_lengths.push(tokens.ids.len());
                built.cut += usize::from(fitted.shortened == Some(Shortened::Cut));
                built.split += usize::from(fitted.shortened == Some(Shortened::Split));
                let example = |Piece { tokens, .. }| Example {
                    ids: tokens.ids,
                    targets: tokens.targets,
                    source,
                    hash,
                };
                built
                    .examples
                    .extend(fitted.pieces.into_iter().map(example));
            }
            Err(unfit) => built.unfit.push(unfit),
        }
    }
    Ok(built)
}
