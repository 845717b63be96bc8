//! From a rendered conversation to tokens and the mask of those that are trained.
//!
//! What is trained is a range of bytes of the text: from the end of the generation prompt to the end
//! of the token that ends the turn. A token belongs to the range in which it begins. So a token that
//! begins in the prompt and reaches into the answer is not trained: the model never has to say it,
//! it is given. The white space that templates put behind the turn's end is not trained either,
//! because generation has stopped there.

use std::ops::Range;

use stepladder_protocol::LossOn;

use super::conversation::{Chat, Message, Role};
use super::recipe::Recipe;
use super::telling::Told;
use super::turn_account::TurnAccount;
use super::turns::{Turn, TurnText, answer_start, common_prefix, find_turns};
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
    pub(super) account: TurnAccount,
}

/// Why a conversation became nothing.
#[derive(Debug)]
pub(super) enum MaskProblem {
    /// The template does not take this conversation.
    Refused(String),
    /// It cannot be trained on, whatever the template; says why.
    Unusable(String),
    /// Something is wrong with the model's files.
    Fatal(Error),
}

/// Every turn takes renders of all turns before it.
const MAX_TURNS: usize = 1000;

/// Renders, encodes and masks a conversation. One example carries all turns if the text up to each
/// is the beginning of the whole text; otherwise (templates that drop the reasoning of earlier
/// turns) each turn gets an example of its own, told as the model will see it at that turn.
pub(super) fn mask_chat(
    chat: &Chat,
    recipe: &Recipe<'_>,
    template: &ChatTemplate,
) -> Result<Masked, MaskProblem> {
    let problem = |problem: RenderProblem| match problem {
        RenderProblem::Refused(_) | RenderProblem::Failed(_) => {
            MaskProblem::Refused(problem.text().to_owned())
        }
        RenderProblem::OverLimit(_) => MaskProblem::Fatal(template.invalid(&problem)),
    };
    if chat.messages.len() > MAX_TURNS {
        return Err(MaskProblem::Unusable(format!(
            "the conversation has {} turns; at most {MAX_TURNS} are told in one",
            chat.messages.len()
        )));
    }
    let told = Told::new(&chat.messages, template.traits(), recipe.options.traces);
    if told.says_nothing() {
        return Err(MaskProblem::Unusable(
            "without its think block an answer says nothing".to_owned(),
        ));
    }
    let dialog = Dialog {
        tools: chat.tools.as_ref(),
        ..Dialog::new(&told.messages)
    };
    let text = template
        .try_render(&dialog, GenerationPrompt::None)
        .map_err(problem)?;
    let turns = find_turns(template, &dialog, &text).map_err(problem)?;
    let whole = Page::new(text, recipe.tokenizer)?;

    let mut masked = Masked::default();
    masked.account.traces = told.traces;
    masked.account.not_found = told.traces.answers - turns.len();
    masked.account.tools_left_out =
        usize::from(chat.tools.is_some() && !template.traits().takes_tools);
    masked.account.system_left_out = usize::from(leaves_out_system(&told, &whole.text));
    let mut answers = Vec::with_capacity(turns.len());
    for turn in turns {
        let text = turn.text_in(&whole.text);
        let said = match recipe.options.loss_on {
            LossOn::Everything => whole.text.as_str(),
            LossOn::Responses | LossOn::LastTurn => text.get(turn.start..).unwrap_or_default(),
        };
        let lost = told.has_trace(turn.message) && !said.contains(told.trace(turn.message));
        masked.account.trace_lost += usize::from(lost);
        masked.account.off_prompt += usize::from(turn.prompt_differs);
        let is_apart = (told.has_trace(turn.message) && !lost) || told.tells_unasked;
        let answer_start = match is_apart && !recipe.trains_traces() {
            true => {
                let place = (turn.message, told.trace_bytes[turn.message]);
                let until = turn.dialog(&dialog);
                answer_start(template, &until, place, text).map_err(problem)?
            }
            false => None,
        };
        answers.push(Answer {
            is_trained: is_trained(&told.messages, turn.message, recipe.options.loss_on),
            answer_start,
            turn,
        });
    }
    match recipe.options.loss_on {
        LossOn::Everything => masked.push_everything(&whole, &answers, recipe.tokenizer),
        LossOn::Responses | LossOn::LastTurn => {
            masked.push_answers(&whole, &answers, recipe.tokenizer)?;
        }
    }
    Ok(masked)
}

/// A text without turns: all of it is trained, and the end behind it.
pub(super) fn mask_text(text: &str, tokenizer: &Tokenizer) -> Result<Masked, MaskProblem> {
    let mut ids = tokenizer.document_start().to_vec();
    let encoded = tokenizer.encode(text).map_err(MaskProblem::Fatal)?;
    ids.extend(&encoded.ids);
    if let Some(end) = tokenizer
        .document_end()
        .filter(|end| ids.last() != Some(end))
    {
        ids.push(end);
    }
    let mut page = Page {
        text: String::new(),
        encoded: Encoded {
            offsets: vec![(0, 0); ids.len()],
            ids,
        },
        stops: Vec::new(),
        begun_twice: false,
    };
    page.begin_once(tokenizer);
    let mut masked = Masked::default();
    masked.account.begun_twice += usize::from(page.begun_twice);
    masked.examples.push(page.mask(|_| true));
    Ok(masked)
}

/// Whether a system message is not in the text.
fn leaves_out_system(told: &Told, text: &str) -> bool {
    let is_left_out =
        |message: &Message| message.role == Role::System && !text.contains(message.content.trim());
    told.messages.iter().any(is_left_out)
}

/// A turn, and what of it is trained.
struct Answer {
    turn: Turn,
    is_trained: bool,
    /// Where its words begin, if its trace is not trained.
    answer_start: Option<usize>,
}

/// Whether the loss is taken over a turn. Datasets in OpenAI's format can say so themselves.
fn is_trained(messages: &[Message], index: usize, loss_on: LossOn) -> bool {
    let is_last = || {
        let later = messages.iter().skip(index + 1);
        !{ later }.any(|message| message.role == Role::Assistant)
    };
    !messages[index].has_no_weight() && (loss_on != LossOn::LastTurn || is_last())
}

impl Masked {
    /// One example of every token, but for the traces and answers that are not trained.
    fn push_everything(&mut self, whole: &Page, answers: &[Answer], tokenizer: &Tokenizer) {
        let untrained: Vec<Range<usize>> = answers
            .iter()
            .filter_map(|answer| {
                let start = answer.turn.start;
                let end = match (answer.is_trained, answer.answer_start) {
                    (false, _) => whole.place_turn(&answer.turn, tokenizer)?.bytes.end,
                    (true, end) => end?,
                };
                let told = answer.turn.text_in(&whole.text).get(..end)?;
                whole.text.starts_with(told).then_some(start..end)
            })
            .collect();
        self.account.begun_twice += usize::from(whole.begun_twice);
        let inside = |begin: usize| untrained.iter().any(|range| range.contains(&begin));
        self.examples.push(whole.mask(|begin| !inside(begin)));
    }

    fn push_answers(
        &mut self,
        whole: &Page,
        answers: &[Answer],
        tokenizer: &Tokenizer,
    ) -> Result<(), MaskProblem> {
        let placed: Option<Vec<Span>> = answers
            .iter()
            .map(|answer| whole.place(answer, tokenizer))
            .collect();
        if let Some(spans) = placed {
            self.push(whole, &spans);
            return Ok(());
        }
        let mut inside = Vec::new();
        for answer in answers {
            match &answer.turn.text {
                TurnText::Whole { .. } => inside.extend(whole.place(answer, tokenizer)),
                TurnText::UpTo(_) if !answer.is_trained => {}
                TurnText::UpTo(text) => {
                    let page = Page::new(text.clone(), tokenizer)?;
                    let span = page.place(answer, tokenizer);
                    self.push(&page, span.as_slice());
                }
            }
        }
        if !inside.is_empty() {
            self.push(whole, &inside);
        }
        Ok(())
    }

    fn push(&mut self, page: &Page, spans: &[Span]) {
        self.account.without_end += spans.iter().filter(|span| span.end_missing).count();
        self.account.begun_twice += usize::from(page.begun_twice);
        let trained = |begin: usize| spans.iter().any(|span| span.bytes.contains(&begin));
        self.examples.push(page.mask(trained));
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
    /// Whether a second token that begins a sequence was taken out.
    begun_twice: bool,
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
        let mut page = Self {
            text,
            encoded,
            stops,
            begun_twice: false,
        };
        page.begin_once(tokenizer);
        Ok(page)
    }

    /// Takes out the second of two tokens that begin a sequence: one comes from the template, the
    /// other from data that were told by a template before.
    fn begin_once(&mut self, tokenizer: &Tokenizer) {
        let bos = tokenizer.bos_token();
        let Encoded { ids, offsets } = &mut self.encoded;
        while let ([first, second, ..], Some(bos)) = (ids.as_slice(), bos) {
            if (*first, *second) != (bos, bos) {
                break;
            }
            ids.remove(1);
            offsets.remove(1);
            self.begun_twice = true;
        }
    }

    /// The trained range of a turn, empty if it is not trained, or `None` if this text does not tell
    /// the turn as its own does.
    fn place(&self, answer: &Answer, tokenizer: &Tokenizer) -> Option<Span> {
        let mut span = self.place_turn(&answer.turn, tokenizer)?;
        if !answer.is_trained {
            span.bytes.end = span.bytes.start;
        } else if let Some(start) = answer.answer_start {
            span.bytes.start = start.min(span.bytes.end);
        }
        Some(span)
    }

    fn place_turn(&self, turn: &Turn, tokenizer: &Tokenizer) -> Option<Span> {
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

    fn mask(&self, trained: impl Fn(usize) -> bool) -> MaskedTokens {
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
