//! Answers to a few held-out prompts at each evaluation, so that a person can see what training does.
//! They are likeliest tokens, changed by nothing random and changing nothing of the run.

use candle_core::Tensor;
use stepladder_protocol::{SampleRow, TapDtype};

use super::stop_flag::StopFlag;
use crate::Result;
use crate::adapters::lora::LowRank;
use crate::adapters::network::Network;
use crate::datasets::example::Example;
use crate::datasets::example_set::ExampleSet;
use crate::models::decoder::{Decoder, TokenInput};
use crate::models::kv_cache::KvCache;
use crate::models::tokenizer::{SpecialTokenText, Tokenizer};
use crate::ops::elementwise::gather_rows;

/// Tokens of an answer, at most.
const MAX_TOKENS: usize = 128;

/// The prompts, and what the dataset answers to them.
pub struct HeldOutAnswers<'a> {
    tokenizer: &'a Tokenizer,
    stop_tokens: Vec<u32>,
    tap_dtype: TapDtype,
    prompts: Vec<HeldOutPrompt>,
}

struct HeldOutPrompt {
    ids: Vec<u32>,
    text: String,
    reference: String,
}

impl<'a> HeldOutAnswers<'a> {
    /// For the first `count` examples, each up to the last that it is trained to say.
    ///
    /// # Errors
    /// When a token cannot be read.
    pub fn new(
        tokenizer: &'a Tokenizer,
        further_stops: &[u32],
        tap_dtype: TapDtype,
        examples: &ExampleSet<'_>,
        count: usize,
    ) -> Result<Self> {
        let text = |ids: &[u32]| tokenizer.decode(ids, SpecialTokenText::Skip);
        let mut prompts = Vec::new();
        for number in 0..count.min(examples.len()) {
            let Example { ids, targets, .. } = examples.get(number);
            let end = targets.iter().rposition(|target| *target).map(|at| at + 1);
            let Some(end) = end else { continue };
            let begin = { targets[..end].iter() }.rposition(|target| !target);
            let Some(begin) = begin.map(|at| at + 1) else {
                continue;
            };
            prompts.push(HeldOutPrompt {
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
            let mut caches = Caches::new(backbone, network);
            let room = { backbone.config().max_positions }.saturating_sub(prompt.ids.len());
            let limit = MAX_TOKENS.min(room);
            let (mut ids, mut seen) = (prompt.ids.clone(), 0);
            while ids.len() < prompt.ids.len() + limit && !stop.is_urgent() {
                if backbone.outgrows_cache(seen, ids.len()) {
                    (caches, seen) = (Caches::new(backbone, network), 0);
                }
                let hidden = caches.push(backbone, network, self.tap_dtype, &ids[seen..])?;
                let likeliest = backbone.logits(&hidden)?.squeeze(0)?.argmax(0)?;
                seen = ids.len();
                let token = likeliest.to_scalar::<u32>()?;
                if self.stop_tokens.contains(&token) {
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
            })?;
        }
        Ok(())
    }
}

/// Keys and values of the answer under way.
struct Caches {
    backbone: KvCache,
    side: KvCache,
}

impl Caches {
    fn new(backbone: &Decoder, network: &Network) -> Self {
        let side_layers = match network {
            Network::Side(side) => side.wiring().side_layers(),
            Network::Lora(_) => 0,
        };
        Self {
            backbone: KvCache::new(backbone.config().layers),
            side: KvCache::new(side_layers),
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
