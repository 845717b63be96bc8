//! From a rendered conversation to tokens and the mask of those that are trained.
//!
//! What is trained is a range of bytes of the text: from the end of the generation prompt to the end
//! of the token that ends the turn. A token belongs to the range in which it begins. So a token that
//! begins in the prompt and reaches into the answer is not trained: the model never has to say it,
//! it is given. The white space that templates put behind the turn's end is not trained either,
//! because generation has stopped there.

use std::ops::Range;

use super::conversation::{Conversation, Message, Role};
use super::turns::{Turn, TurnText, common_prefix, find_turns};
use crate::Error;
use crate::models::chat_template::{ChatTemplate, Dialog, GenerationPrompt, RenderProblem};
use crate::models::tokenizer::{Encoded, Tokenizer};

/// Tokens of one example before it is fitted to the context length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MaskedTokens {
    pub(super) ids: Vec<u32>,
    pub(super) targets: Vec<bool>,
}

/// What a conversation became.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Masked {
    pub(super) examples: Vec<MaskedTokens>,
    /// Turns behind which no token tells the model to stop.
    pub(super) turns_without_end: usize,
    /// Turns that do not continue the text generation would begin from.
    pub(super) turns_off_prompt: usize,
    /// Turns whose reasoning the template leaves out.
    pub(super) turns_without_reasoning: usize,
    /// Assistant turns that leave no trace in the text.
    pub(super) turns_not_found: usize,
}

/// Why a conversation became nothing.
#[derive(Debug)]
pub(super) enum MaskProblem {
    /// The template does not take this conversation.
    Refused(String),
    /// Something is wrong with the model's files.
    Fatal(Error),
}

/// Renders, encodes and masks a conversation. One example carries all turns if the text up to each
/// is the beginning of the whole text; otherwise (templates that drop the reasoning of earlier
/// turns) each turn gets an example of its own, told as the model will see it at that turn.
pub(super) fn mask_conversation(
    conversation: &Conversation,
    tokenizer: &Tokenizer,
    template: &ChatTemplate,
) -> Result<Masked, MaskProblem> {
    let problem = |problem: RenderProblem| match problem {
        RenderProblem::Refused(_) | RenderProblem::Failed(_) => {
            MaskProblem::Refused(problem.text().to_owned())
        }
        RenderProblem::OverLimit(_) => MaskProblem::Fatal(template.invalid(&problem)),
    };
    let messages = &conversation.messages;
    let dialog = Dialog {
        tools: conversation.tools.as_ref(),
        ..Dialog::new(messages)
    };
    let text = template
        .try_render(&dialog, GenerationPrompt::None)
        .map_err(problem)?;
    let turns = find_turns(template, &dialog, &text).map_err(problem)?;
    let whole = Page::new(text, tokenizer)?;

    let mut masked = Masked {
        turns_not_found: assistant_turns(messages) - turns.len(),
        ..Masked::default()
    };
    for turn in &turns {
        masked.turns_off_prompt += usize::from(turn.prompt_differs);
        masked.turns_without_reasoning +=
            usize::from(reasoning_is_lost(&messages[turn.message], turn, &whole));
    }
    let placed: Option<Vec<Span>> = turns
        .iter()
        .map(|turn| whole.place(turn, tokenizer))
        .collect();
    if let Some(spans) = placed {
        masked.push(&whole, &spans);
        return Ok(masked);
    }
    let mut inside = Vec::new();
    for turn in &turns {
        match &turn.text {
            TurnText::Whole { .. } => inside.extend(whole.place(turn, tokenizer)),
            TurnText::UpTo(text) => {
                let page = Page::new(text.clone(), tokenizer)?;
                let span = page.place(turn, tokenizer);
                masked.push(&page, span.as_slice());
            }
        }
    }
    if !inside.is_empty() {
        masked.push(&whole, &inside);
    }
    Ok(masked)
}

impl Masked {
    fn push(&mut self, page: &Page, spans: &[Span]) {
        self.turns_without_end += spans.iter().filter(|span| span.end_missing).count();
        self.examples.push(page.mask(spans));
    }
}

/// A range of bytes that is trained.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Span {
    bytes: Range<usize>,
    end_missing: bool,
}

/// A text, its tokens, and where turns can end in it.
struct Page {
    text: String,
    encoded: Encoded,
    /// Byte ranges of the tokens that end a turn.
    stops: Vec<(usize, usize)>,
}

impl Page {
    fn new(text: String, tokenizer: &Tokenizer) -> Result<Self, MaskProblem> {
        let encoded = tokenizer.encode(&text).map_err(MaskProblem::Fatal)?;
        let stops = encoded
            .ids
            .iter()
            .zip(&encoded.offsets)
            .filter(|(id, _)| tokenizer.stop_tokens().contains(id))
            .map(|(_, range)| *range)
            .collect();
        Ok(Self {
            text,
            encoded,
            stops,
        })
    }

    /// The trained range of a turn, or `None` if this text does not tell the turn as its own does.
    fn place(&self, turn: &Turn, tokenizer: &Tokenizer) -> Option<Span> {
        let start = turn.start;
        let up_to = match &turn.text {
            TurnText::UpTo(text) => text,
            TurnText::Whole { content_end } => {
                let stop = self.stops.iter().find(|(from, _)| from >= content_end);
                let end = stop.map_or(*content_end, |(_, end)| *end);
                return Some(Span {
                    bytes: start..end,
                    end_missing: stop.is_none(),
                });
            }
        };
        let shared = common_prefix(up_to, &self.text);
        // Behind the turn's end a template may close a conversation that ends there, so the texts
        // need to agree only up to it.
        let end = self.turn_end(start, shared).filter(|end| {
            up_to
                .get(*end..)
                .is_some_and(|rest| is_end_matter(rest, tokenizer))
        });
        match end {
            Some(end) => Some(Span {
                bytes: start..end,
                end_missing: false,
            }),
            None if shared == up_to.len() => {
                // With some models the token that ends a turn is the one that begins the next.
                let next = self.stops.iter().find(|(from, _)| *from == shared);
                let end = next.map_or(shared, |(_, end)| *end);
                Some(Span {
                    bytes: start..end,
                    end_missing: next.is_none(),
                })
            }
            None => None,
        }
    }

    /// The end of the token that ends the turn: of the last such tokens with nothing but white space
    /// between them the first, because generation stops there.
    fn turn_end(&self, start: usize, limit: usize) -> Option<usize> {
        let mut inside = self
            .stops
            .iter()
            .rev()
            .filter(|(from, to)| *from >= start && *to <= limit);
        let (mut from, mut end) = *inside.next()?;
        for (earlier_from, earlier_end) in inside {
            let between = self.text.get(*earlier_end..from)?;
            if !between.trim().is_empty() {
                break;
            }
            (from, end) = (*earlier_from, *earlier_end);
        }
        Some(end)
    }

    fn mask(&self, spans: &[Span]) -> MaskedTokens {
        let trained = |begin: usize| spans.iter().any(|span| span.bytes.contains(&begin));
        let targets = self
            .encoded
            .offsets
            .iter()
            .enumerate()
            // The first token is predicted by nothing.
            .map(|(t, (begin, _))| t > 0 && trained(*begin))
            .collect();
        MaskedTokens {
            ids: self.encoded.ids.clone(),
            targets,
        }
    }
}

/// Whether a text is only white space and tokens that end turns.
fn is_end_matter(text: &str, tokenizer: &Tokenizer) -> bool {
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let shorter = tokenizer
            .stop_tokens()
            .iter()
            .filter_map(|id| tokenizer.token_text(*id))
            .filter(|token| !token.is_empty())
            .find_map(|token| rest.strip_prefix(token.as_str()).map(str::trim_start));
        match shorter {
            Some(shorter) => rest = shorter,
            None => return false,
        }
    }
    true
}

fn assistant_turns(messages: &[Message]) -> usize {
    messages
        .iter()
        .filter(|message| message.role == Role::Assistant)
        .count()
}

fn reasoning_is_lost(message: &Message, turn: &Turn, whole: &Page) -> bool {
    let text = match &turn.text {
        TurnText::UpTo(text) => text,
        TurnText::Whole { .. } => &whole.text,
    };
    let begin = text.get(turn.start..).unwrap_or_default();
    message
        .reasoning
        .as_ref()
        .is_some_and(|reasoning| !begin.contains(reasoning.trim()))
}
