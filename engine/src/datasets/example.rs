//! An example: what one row became, ready to be laid into a batch.

use super::conversation::{Conversation, SourceLine};
use super::loss_mask::{MaskProblem, Masked, MaskedTokens, mask_conversation};
use crate::Result;
use crate::models::chat_template::ChatTemplate;
use crate::models::tokenizer::Tokenizer;

/// Tokens with the mask of those that are trained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Token ids, at most the context length of them.
    pub ids: Vec<u32>,
    /// Whether each token is trained: predicted from the one before it. Never true for the first.
    pub targets: Vec<bool>,
    /// The row it came from.
    pub source: SourceLine,
    /// The conversation's stable hash; examples of one conversation share it.
    pub hash: u64,
}

impl Example {
    /// Trained tokens.
    pub fn target_tokens(&self) -> usize {
        self.targets.iter().filter(|target| **target).count()
    }
}

/// What a conversation became at a context length.
#[derive(Debug, Default)]
pub(super) struct Built {
    /// The examples that fit, cut where they had to be.
    pub(super) fitted: Vec<FittedExample>,
    /// Those of which nothing trained is left.
    pub(super) unfit: Vec<Unfit>,
    /// What was noticed about its turns.
    pub(super) masked: Masked,
}

#[derive(Debug)]
pub(super) struct FittedExample {
    pub(super) example: Example,
    /// Its length before it was cut.
    pub(super) full_tokens: usize,
}

/// Why a conversation or a part of it is not trained on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// The chat template does not take it.
    Refused { problem: String },
    /// The first trained token lies behind the context length.
    TooLong {
        full_tokens: usize,
        first_target: usize,
    },
    /// No token of it is an answer's.
    NothingTrained,
}

impl Unfit {
    pub(super) fn problem(&self, context: usize) -> String {
        match self {
            Self::Refused { problem } => format!("the chat template does not take it: {problem}"),
            Self::TooLong {
                full_tokens,
                first_target,
            } => format!(
                "its answer begins at token {} of {full_tokens}, behind the context length of {context} tokens",
                first_target + 1
            ),
            Self::NothingTrained => "the chat template leaves nothing of the answer".to_owned(),
        }
    }
}

/// Builds the examples of a conversation. Fails only if the model's files are at fault.
pub(super) fn build(
    conversation: &Conversation,
    tokenizer: &Tokenizer,
    template: &ChatTemplate,
    context: usize,
) -> Result<Built> {
    let mut masked = match mask_conversation(conversation, tokenizer, template) {
        Ok(masked) => masked,
        Err(MaskProblem::Fatal(error)) => return Err(error),
        Err(MaskProblem::Refused(problem)) => {
            return Ok(Built {
                unfit: vec![Unfit::Refused { problem }],
                ..Built::default()
            });
        }
    };
    let hash = conversation.stable_hash();
    let mut built = Built::default();
    for tokens in std::mem::take(&mut masked.examples) {
        match fit(tokens, context) {
            Ok((MaskedTokens { ids, targets }, full_tokens)) => built.fitted.push(FittedExample {
                example: Example {
                    ids,
                    targets,
                    source: conversation.source,
                    hash,
                },
                full_tokens,
            }),
            Err(unfit) => built.unfit.push(unfit),
        }
    }
    built.masked = masked;
    Ok(built)
}

/// Cuts on the right to the context length. Gives the length before the cut as well.
fn fit(mut tokens: MaskedTokens, context: usize) -> Result<(MaskedTokens, usize), Unfit> {
    let full_tokens = tokens.ids.len();
    let first_target = tokens.targets.iter().position(|target| *target);
    match first_target {
        None => Err(Unfit::NothingTrained),
        Some(first_target) if first_target >= context => Err(Unfit::TooLong {
            full_tokens,
            first_target,
        }),
        Some(_) => {
            tokens.ids.truncate(context);
            tokens.targets.truncate(context);
            Ok((tokens, full_tokens))
        }
    }
}
