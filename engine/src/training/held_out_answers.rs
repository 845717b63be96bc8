//! Answers to a few held-out prompts at each evaluation, so that a person can see what training does.
//! They are likeliest tokens, changed by nothing random and changing nothing of the run.

use candle_core::Tensor;
use stepladder_protocol::{FinishReason, SampleRow, TapDtype};

use super::stop_flag::StopFlag;
use crate::Result;
use crate::adapters::lora::LowRank;
use crate::adapters::network::Network;
use crate::datasets::example::Example;
use crate::datasets::example_set::ExampleSet;
use crate::memory::AnswerShape;
use crate::models::chat_template::{THINK_CLOSE as CLOSE, THINK_OPEN as OPEN};
use crate::models::config::DecoderConfig;
use crate::models::decoder::{Decoder, TokenInput};
use crate::models::kv_cache::KvCache;
use crate::models::tokenizer::{SpecialTokenText, Tokenizer};
use crate::ops::elementwise::gather_rows;

/// The prompts, and what the dataset answers to them.
pub struct HeldOutAnswers<'a> {
    tokenizer: &'a Tokenizer,
    stop_tokens: Vec<u32>,
    tap_dtype: TapDtype,
    prompts: Vec<HeldOutPrompt>,
}

struct HeldOutPrompt {
    ids: Vec<u32>,
    /// Tokens that its answer may have.
    most: usize,
    text: String,
    reference: String,
}

impl<'a> HeldOutAnswers<'a> {
    /// For the first `count` examples whose prompts are no longer than memory is planned for, each up
    /// to the last that it is trained to say. Rows of the run have up to `row_tokens` tokens.
    ///
    /// # Errors
    /// When a token cannot be read.
    pub fn new(
        tokenizer: &'a Tokenizer,
        further_stops: &[u32],
        (tap_dtype, count): (TapDtype, usize),
        examples: &ExampleSet<'_>,
        (model, row_tokens): (&DecoderConfig, usize),
    ) -> Result<Self> {
        let text = |ids: &[u32]| tokenizer.decode(ids, SpecialTokenText::Skip);
        let longest = AnswerShape::largest(model, row_tokens).prompt;
        let mut prompts = Vec::new();
        for number in 0..examples.len() {
            if prompts.len() == count {
                break;
            }
            let Example { ids, targets, .. } = examples.get(number);
            let end = targets.iter().rposition(|target| *target).map(|at| at + 1);
            let Some(end) = end else { continue };
            let begin = { targets[..end].iter() }.rposition(|target| !target);
            let Some(begin) = begin.map(|at| at + 1) else {
                continue;
            };
            if begin > longest {
                continue;
            }
            prompts.push(HeldOutPrompt {
                most: AnswerShape::of(model, begin).answer,
                text: text(&ids[..begin])?,
                reference: text(&ids[begin..end])?,
                ids: ids[..begin].to_vec(),
            });
        }
        let stop_tokens = [tokenizer.stop_tokens(), further_stops].concat();
        Ok(Self {
            tokenizer,
            stop_tokens,
            tap_dtype,
            prompts,
        })
    }

    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        self.prompts.is_empty()
    }

    /// Makes what an answer to the longest prompt holds at most, and one token of it.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn rehearse(&self, backbone: &Decoder, network: &Network) -> Result<()> {
        let longest = { self.prompts.iter() }.max_by_key(|prompt| prompt.ids.len());
        match longest {
            Some(prompt) => try_out(
                backbone,
                network,
                self.tap_dtype,
                (&prompt.ids, prompt.most),
            ),
            None => Ok(()),
        }
    }

    /// What the model says after so many updates, one answer after the other: only one cache is held
    /// at a time. Those not begun when the run is told to leave are left out.
    ///
    /// # Errors
    /// When memory runs out, or `told` fails.
    pub fn answer(
        &self,
        step: usize,
        backbone: &Decoder,
        network: &Network,
        stop: &StopFlag,
        told: &mut dyn FnMut(SampleRow) -> Result<()>,
    ) -> Result<()> {
        for (number, prompt) in self.prompts.iter().enumerate() {
            if stop.is_urgent() {
                break;
            }
            let room = prompt.ids.len() + prompt.most;
            let mut caches = Caches::new(backbone, network, room);
            let (mut ids, mut seen) = (prompt.ids.clone(), 0);
            let mut finish = FinishReason::Length;
            while ids.len() < room {
                if stop.is_urgent() {
                    finish = FinishReason::Cancelled;
                    break;
                }
                if backbone.outgrows_cache(seen, ids.len()) {
                    (caches, seen) = (Caches::new(backbone, network, room), 0);
                }
                let hidden = caches.push(backbone, network, self.tap_dtype, &ids[seen..])?;
                let likeliest = backbone.logits(&hidden)?.squeeze(0)?.argmax(0)?;
                seen = ids.len();
                let token = likeliest.to_scalar::<u32>()?;
                if self.stop_tokens.contains(&token) {
                    finish = FinishReason::Stop;
                    break;
                }
                ids.push(token);
            }
            let said = &ids[prompt.ids.len()..];
            told(SampleRow {
                step,
                number,
                prompt: prompt.text.clone(),
                answer: self.tokenizer.decode(said, SpecialTokenText::Skip)?,
                reference: prompt.reference.clone(),
                tokens: Some(said.len()),
                reasoning_tokens: Some(self.reasoning_tokens(&prompt.text, said)?),
                finish: Some(finish),
            })?;
        }
        Ok(())
    }

    /// How many of an answer's tokens are reasoning.
    fn reasoning_tokens(&self, prompt: &str, said: &[u32]) -> Result<usize> {
        let text = |ids: &[u32]| self.tokenizer.decode(ids, SpecialTokenText::Skip);
        let whole = text(said)?;
        let was_open = { prompt.rfind(OPEN) }
            .is_some_and(|at| { prompt.rfind(CLOSE) }.is_none_or(|closed| closed < at));
        if !was_open && !whole.trim_start().starts_with(OPEN) {
            return Ok(0);
        }
        let Some(closed) = whole.find(CLOSE) else {
            return Ok(said.len());
        };
        let mut tokens = 0;
        while tokens < said.len() && text(&said[..=tokens])?.len() <= closed {
            tokens += 1;
        }
        Ok(tokens)
    }
}

/// What an answer of up to `most` tokens to the prompt `ids` holds at its peak, held for a moment.
///
/// # Errors
/// When memory runs out.
pub fn try_out(
    backbone: &Decoder,
    network: &Network,
    tap_dtype: TapDtype,
    (ids, most): (&[u32], usize),
) -> Result<()> {
    let room = ids.len() + most;
    let mut longest = ids.to_vec();
    if backbone.outgrows_cache(ids.len(), room) {
        longest.resize(room, ids.last().copied().unwrap_or_default());
    }
    let mut caches = Caches::new(backbone, network, room);
    let hidden = caches.push(backbone, network, tap_dtype, &longest)?;
    let likeliest = backbone.logits(&hidden)?.squeeze(0)?.argmax(0)?;
    let token = likeliest.to_scalar::<u32>()?;
    if longest.len() < room {
        let hidden = caches.push(backbone, network, tap_dtype, &[token])?;
        backbone.logits(&hidden)?;
    }
    Ok(())
}

/// Keys and values of the answer under way.
struct Caches {
    backbone: KvCache,
    side: KvCache,
}

impl Caches {
    fn new(backbone: &Decoder, network: &Network, room: usize) -> Self {
        let side_layers = match network {
            Network::Side(side) => side.wiring().side_layers(),
            Network::Lora(_) => 0,
        };
        Self {
            backbone: KvCache::with_room(backbone.config().layers, room),
            side: KvCache::with_room(side_layers, room),
        }
    }

    /// What the head is to see after these tokens, `[1, d_model]`.
    fn push(
        &mut self,
        backbone: &Decoder,
        network: &Network,
        tap_dtype: TapDtype,
        ids: &[u32],
    ) -> Result<Tensor> {
        let seen = self.backbone.tokens();
        let positions: Vec<u32> = (seen..seen + ids.len()).map(|at| at as u32).collect();
        let input = TokenInput {
            ids,
            positions: &positions,
            first_visible: &[],
            batch: 1,
            seq: ids.len(),
        };
        let last = [ids.len().saturating_sub(1) as u32];
        let Self {
            backbone: cache,
            side,
        } = self;
        match network {
            Network::Side(network) => {
                let caches = Some((cache, side));
                let (hidden, output) = network.run(backbone, input, caches, tap_dtype)?;
                let (hidden, output) = (gather_rows(&hidden, &last)?, gather_rows(&output, &last)?);
                network.upsample(&hidden, &output)
            }
            Network::Lora(lora) => {
                let additions = LowRank::new(lora);
                let hidden =
                    backbone.forward_with(input, Some(cache), Some(&additions), |_, _| Ok(()))?;
                Ok(gather_rows(&hidden, &last)?)
            }
        }
    }
}
