//! Many questions at a time, each a row of a batch: on a card, where a product of one row takes nearly as
//! long as one of thirty.

use stepladder_protocol::FinishReason;

use super::{Answering, Asked, Given, OneByOne, ToldQuestion};
use crate::Error;
use crate::Result;
use crate::comparison::variants::Variant;
use crate::generation::batch::{self, BatchGenerator, Prompt};
use crate::models::compute::Compute;
use crate::models::decoder::Decoder;
use crate::models::loading::Told;
use crate::training::stop_flag::StopFlag;

/// Rows of a batch, at most.
const MOST_ROWS: usize = 32;
/// Caches are doubled when they grow and copied when rows come and go: for so long a row is there twice.
const COPIES: u64 = 3;

/// Answers side by side.
pub struct SideBySide<'a>(OneByOne<'a>);

impl<'a> SideBySide<'a> {
    /// With the variants and settings of `one`.
    pub fn new(one: OneByOne<'a>) -> Self {
        Self(one)
    }
}

impl Answering for SideBySide<'_> {
    fn make_ready(&mut self, variant: usize, told: Told<'_>) -> Result<()> {
        self.0.make_ready(variant, told)
    }

    fn answer(
        &self,
        variant: usize,
        asked: &[Asked<'_>],
        stop: &StopFlag,
        given: &mut dyn FnMut(Given) -> Result<()>,
    ) -> Result<()> {
        let one = &self.0;
        let mut questions = Vec::with_capacity(asked.len());
        for (place, asked) in asked.iter().enumerate() {
            let told = one.told(variant, asked)?;
            match told.limit {
                // No room for an answer.
                0 => {
                    let reply = one.written(variant, &told, &[], FinishReason::Length)?;
                    given(Given { place, reply })?;
                }
                _ => questions.push((place, told)),
            }
        }
        let backbone = one.backbone()?;
        let answers = batch::Variant {
            adapter: one.variants[variant].in_use(),
            stop_tokens: one.stop_tokens(variant),
        };
        let longest = { questions.iter() }
            .map(|(_, told)| told.ids.len() + told.limit)
            .max();
        let rows = rows_with_room(backbone, &one.variants[variant], longest.unwrap_or(0))?;
        let defaults = one.files.tokenizer.generation_defaults();
        let generator = BatchGenerator::new(backbone, vec![answers], defaults).with_rows(rows);
        let prompts: Vec<Prompt> = { questions.iter() }.map(|(_, told)| prompt(told)).collect();
        generator.answer_each(&prompts, stop, &mut |_| (), &mut |answer| {
            let (place, told) = &questions[answer.prompt];
            let finish = match answer.finish {
                crate::generation::FinishReason::Stop => FinishReason::Stop,
                crate::generation::FinishReason::Length => FinishReason::Length,
                crate::generation::FinishReason::Cancelled => FinishReason::Cancelled,
            };
            let reply = one.written(variant, told, &answer.ids, finish)?;
            given(Given {
                place: *place,
                reply,
            })
        })?;
        match stop.is_raised() {
            true => Err(Error::Stopped),
            false => Ok(()),
        }
    }
}

fn prompt(told: &ToldQuestion) -> Prompt {
    Prompt {
        ids: told.ids.clone(),
        variants: vec![0],
        settings: crate::generation::SamplerSettings {
            max_tokens: Some(told.limit),
            ..told.settings.clone()
        },
    }
}

/// Rows whose keys and values the device has room for, if each became as long as it may.
fn rows_with_room(backbone: &Decoder, variant: &Variant, longest: usize) -> Result<usize> {
    let compute: &Compute = backbone.compute();
    let Some(free) = compute.memory()?.1 else {
        return Ok(MOST_ROWS);
    };
    let config = backbone.config();
    let of_backbone = 2 * config.kv_heads * config.head_dim * config.layers;
    let beside = { variant.adapter.as_ref() }.map_or(0, |adapter| adapter.network.cached_numbers());
    let bytes = (of_backbone + beside) * longest * compute.activations().size_in_bytes();
    let rows = free / (COPIES * bytes.max(1) as u64);
    Ok(usize::try_from(rows)
        .unwrap_or(MOST_ROWS)
        .clamp(1, MOST_ROWS))
}

#[cfg(test)]
mod tests;
