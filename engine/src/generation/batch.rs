//! Many answers at once: prompts by variants (the base model and adapters on one backbone). Each
//! prompt is taken in once for all variants that do not change the backbone's states, alone and
//! without padding; from then on every answer is a row of a batch. A row that ends makes room for the
//! next prompt. Each row has its own sampler and seed and is padded only on its left, where it does
//! not look, so its answer does not depend on its neighbors.

mod rows;

use std::collections::VecDeque;
use std::rc::Rc;

use candle_core::Tensor;

use self::rows::{Further, Place, Row, SharedPass};
use super::beside::SideInUse;
use super::chat_session::FinishReason;
use super::generator::AdapterInUse;
use super::prefill::{Prefill, Readers};
use super::sampler::{Sampler, SamplerSettings};
use crate::models::decoder::Decoder;
use crate::models::tokenizer::GenerationDefaults;
use crate::ops::elementwise::cat_rows;
use crate::training::stop_flag::StopFlag;
use crate::{Error, Result};

/// Who answers.
#[derive(Clone)]
pub struct Variant<'a> {
    /// None: the base model.
    pub adapter: Option<AdapterInUse<'a>>,
    /// Tokens that end its answers.
    pub stop_tokens: Vec<u32>,
}

/// What is to be answered.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// The rendered and tokenized conversation.
    pub ids: Vec<u32>,
    /// Which of the variants answer, by number.
    pub variants: Vec<usize>,
    /// How their tokens are drawn, with the same seed for each.
    pub settings: SamplerSettings,
}

/// A token of an answer.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// Number of the prompt.
    pub prompt: usize,
    /// Number of the variant.
    pub variant: usize,
    /// The token.
    pub token: u32,
    /// What it was drawn from, `[vocabulary]`.
    pub logits: &'a Tensor,
}

/// What one variant answered to one prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Number of the prompt.
    pub prompt: usize,
    /// Number of the variant.
    pub variant: usize,
    /// Its tokens, the one that ended it left out.
    pub ids: Vec<u32>,
    /// Why it ended.
    pub finish: FinishReason,
}

/// Rows of a batch where nothing else is asked for: twice as many make the built-in model a fifth faster.
const DEFAULT_ROWS: usize = 32;

/// Answers many prompts.
#[derive(Clone)]
pub struct BatchGenerator<'a> {
    backbone: &'a Decoder,
    variants: Vec<Variant<'a>>,
    defaults: GenerationDefaults,
    rows: usize,
}

/// One call of [`BatchGenerator::answer`] under way.
struct Answering<'a, 'b> {
    generator: &'b BatchGenerator<'a>,
    prompts: &'b [Prompt],
    answers: Vec<Answer>,
    told: &'b mut dyn FnMut(Said<'_>),
    ended: &'b mut dyn FnMut(&Answer) -> Result<()>,
}

impl<'a> BatchGenerator<'a> {
    /// For these variants of one backbone. `defaults` is what the model recommends to samplers.
    pub fn new(
        backbone: &'a Decoder,
        variants: Vec<Variant<'a>>,
        defaults: &GenerationDefaults,
    ) -> Self {
        Self {
            backbone,
            variants,
            defaults: defaults.clone(),
            rows: DEFAULT_ROWS,
        }
    }

    /// Has at most so many rows in a batch (but all variants of one prompt).
    #[must_use]
    pub fn with_rows(self, rows: usize) -> Self {
        Self { rows, ..self }
    }

    /// Answers every prompt with each of its variants: in the order of the prompts, and of the
    /// variants that each names. `told` hears every token as it is said. After the flag is raised,
    /// what is unfinished comes back as cancelled.
    ///
    /// # Errors
    /// When a prompt is empty or longer than the context, an id lies outside the vocabulary, or
    /// logits are not numbers.
    pub fn answer(
        &self,
        prompts: &[Prompt],
        stop: &StopFlag,
        told: &mut dyn FnMut(Said<'_>),
    ) -> Result<Vec<Answer>> {
        self.answer_each(prompts, stop, told, &mut |_| Ok(()))
    }

    /// The same; `ended` hears every answer as soon as it has ended. What is cancelled has not.
    ///
    /// # Errors
    /// As [`Self::answer`], and those of `ended`.
    pub fn answer_each(
        &self,
        prompts: &[Prompt],
        stop: &StopFlag,
        told: &mut dyn FnMut(Said<'_>),
        ended: &mut dyn FnMut(&Answer) -> Result<()>,
    ) -> Result<Vec<Answer>> {
        self.check(prompts)?;
        let answers = prompts.iter().enumerate().flat_map(|(number, prompt)| {
            prompt.variants.iter().map(move |&variant| Answer {
                prompt: number,
                variant,
                ids: Vec::new(),
                finish: FinishReason::Cancelled,
            })
        });
        let mut answering = Answering {
            generator: self,
            prompts,
            answers: answers.collect(),
            told,
            ended,
        };
        answering.run(stop)?;
        Ok(answering.answers)
    }

    fn check(&self, prompts: &[Prompt]) -> Result<()> {
        let context = self.backbone.config().max_positions;
        for (number, prompt) in prompts.iter().enumerate() {
            let tokens = prompt.ids.len();
            if tokens == 0 || tokens >= context {
                return Err(Error::ConfigInvalid {
                    field: "prompts",
                    problem: format!(
                        "prompt {} has {tokens} tokens, the model's context holds {context}",
                        number + 1
                    ),
                    hint: "leave it out or shorten it; an answer needs room behind it".to_owned(),
                });
            }
            if let Some(unknown) = { prompt.variants.iter() }.find(|v| **v >= self.variants.len()) {
                return Err(Error::ConfigInvalid {
                    field: "prompts",
                    problem: format!("prompt {} asks variant {unknown}", number + 1),
                    hint: format!("there are {}, numbered from 0", self.variants.len()),
                });
            }
        }
        Ok(())
    }

    fn side(&self, variant: usize) -> Option<SideInUse<'a>> {
        { self.variants[variant].adapter }.and_then(AdapterInUse::side)
    }

    /// The backbone's passes: one for the base model and all side networks, one for each low-rank
    /// addition.
    fn passes(&self) -> Vec<SharedPass<'a>> {
        let numbered = || self.variants.iter().enumerate();
        let beside = numbered()
            .filter(|(_, variant)| variant.adapter.and_then(AdapterInUse::lora).is_none())
            .map(|(number, _)| (number, self.side(number)));
        let shared = SharedPass::new(self.backbone, None, beside.collect());
        let loras = numbered().filter_map(|(number, variant)| {
            let lora = variant.adapter.and_then(AdapterInUse::lora)?;
            let own = vec![(number, None)];
            Some(SharedPass::new(self.backbone, Some(lora), own))
        });
        std::iter::once(shared).chain(loras).collect()
    }
}

impl Answering<'_, '_> {
    fn run(&mut self, stop: &StopFlag) -> Result<()> {
        let mut passes = self.generator.passes();
        let mut waiting = self.rows_of_prompts()?;
        while !stop.is_raised() {
            for row in passes.iter_mut().flat_map(SharedPass::take_outgrown) {
                waiting.push_front(vec![row]);
            }
            let live = |passes: &[SharedPass<'_>]| passes.iter().map(SharedPass::live).sum();
            loop {
                // A prompt whose answers end with their first token makes room for the next.
                let live: usize = live(&passes);
                let fits = |next: &Vec<Row>| live == 0 || live + next.len() <= self.generator.rows;
                let Some(rows) = waiting.pop_front_if(|next| fits(next)) else {
                    break;
                };
                self.begin(rows, &mut passes)?;
                if stop.is_raised() {
                    return Ok(());
                }
            }
            if live(&passes) == 0 {
                break;
            }
            for pass in &mut passes {
                pass.step(&mut |row, logits| self.take(row, logits))?;
            }
        }
        Ok(())
    }

    /// A row for every answer, those to the same prompt together. An answer that must not have tokens
    /// is at its end already.
    fn rows_of_prompts(&mut self) -> Result<VecDeque<Vec<Row>>> {
        let mut waiting: VecDeque<Vec<Row>> = { self.prompts.iter() }.map(|_| Vec::new()).collect();
        let context = self.generator.backbone.config().max_positions;
        for (number, answer) in self.answers.iter_mut().enumerate() {
            let Prompt { ids, settings, .. } = &self.prompts[answer.prompt];
            let room = context - ids.len();
            let limit = settings.max_tokens.map_or(room, |limit| limit.min(room));
            if limit == 0 {
                answer.finish = FinishReason::Length;
                (self.ended)(answer)?;
                continue;
            }
            waiting[answer.prompt].push(Row {
                answer: number,
                variant: answer.variant,
                sampler: Sampler::new(settings, &self.generator.defaults),
                limit,
                seen: 0,
                next: 0,
                place: Place::Waiting,
            });
        }
        waiting.retain(|rows| !rows.is_empty());
        Ok(waiting)
    }

    /// Takes in what rows of one prompt begin with, and lets those join the batch that go on.
    fn begin(&mut self, mut rows: Vec<Row>, passes: &mut [SharedPass<'_>]) -> Result<()> {
        let backbone = self.generator.backbone;
        for pass in passes {
            let own: Vec<Row> = { rows.extract_if(.., |row| pass.has(row.variant)) }.collect();
            let Some(first) = own.first().map(|row| &self.answers[row.answer]) else {
                continue;
            };
            let mut ids = self.prompts[first.prompt].ids.clone();
            ids.extend(&first.ids);
            let network_of = |row: &Row| self.generator.side(row.variant);
            let sides: Vec<SideInUse<'_>> = own.iter().filter_map(network_of).collect();
            let readers = match pass.lora() {
                Some(lora) => Readers::Lora(lora),
                None => Readers::Sides(&sides),
            };
            let prefill = Rc::new(Prefill::of(backbone, readers, &ids)?);
            let (mut begun, mut hidden, mut place) = (Vec::new(), Vec::new(), 0);
            for row in own {
                let network = network_of(&row);
                hidden.push(prefill.hidden(network.map(|(network, _)| (place, network)))?);
                begun.push(Row {
                    seen: ids.len(),
                    place: Place::Prefill(Rc::clone(&prefill), place),
                    ..row
                });
                place += usize::from(network.is_some());
            }
            let logits = backbone.logits(&cat_rows(&hidden)?)?;
            for (number, mut row) in begun.into_iter().enumerate() {
                if self.take(&mut row, &logits.get(number)?)? == Further::GoesOn {
                    pass.join(row);
                }
            }
        }
        Ok(())
    }

    /// Draws a row's next token.
    fn take(&mut self, row: &mut Row, logits: &Tensor) -> Result<Further> {
        let answer = &mut self.answers[row.answer];
        let token = row.sampler.sample(logits, &answer.ids)?;
        if { &self.generator.variants[row.variant].stop_tokens }.contains(&token) {
            answer.finish = FinishReason::Stop;
            (self.ended)(answer)?;
            return Ok(Further::Ended);
        }
        answer.ids.push(token);
        row.next = token;
        (self.told)(Said {
            prompt: answer.prompt,
            variant: answer.variant,
            token,
            logits,
        });
        if answer.ids.len() == row.limit {
            answer.finish = FinishReason::Length;
            (self.ended)(answer)?;
            return Ok(Further::Ended);
        }
        Ok(Further::GoesOn)
    }
}

#[cfg(test)]
mod tests;
