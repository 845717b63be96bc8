//! A prompt, taken in once for everyone who is to answer it: the base model and any number of side
//! networks share one pass of the backbone and what it left in the caches. A low-rank addition
//! changes the backbone's states and has a pass of its own.

use candle_core::Tensor;

use super::beside::{Beside, SideInUse, run_beside};
use crate::adapters::ladder::SideNetwork;
use crate::adapters::lora::Lora;
use crate::models::decoder::{Decoder, TokenInput};
use crate::models::kv_cache::KvCache;
use crate::ops::elementwise::gather_rows;
use crate::{Error, Result};

/// Who takes in a prompt together.
#[derive(Clone, Copy)]
pub enum Readers<'a> {
    /// The base model, and these side networks.
    Sides(&'a [SideInUse<'a>]),
    /// A low-rank addition.
    Lora(&'a Lora),
}

/// What a prompt left behind. It belongs to the readers that took it in, in their order.
pub struct Prefill {
    ids: Vec<u32>,
    pub(super) cache: KvCache,
    /// x_L of the last token, `[1, d_model]`; none before the first token.
    hidden: Option<Tensor>,
    pub(super) sides: Vec<SidePrefill>,
}

/// What a side network made of the prompt.
pub(super) struct SidePrefill {
    pub(super) cache: KvCache,
    /// s_l of the last token, `[1, d_side]`.
    output: Option<Tensor>,
}

impl Readers<'_> {
    fn sides(&self) -> &[SideInUse<'_>] {
        match self {
            Self::Sides(sides) => sides,
            Self::Lora(_) => &[],
        }
    }

    fn lora(&self) -> Option<&Lora> {
        match self {
            Self::Sides(_) => None,
            Self::Lora(lora) => Some(lora),
        }
    }
}

impl Prefill {
    /// Before the first token.
    pub fn empty(backbone: &Decoder, readers: Readers<'_>) -> Self {
        let sides = readers.sides().iter().map(|(network, _)| SidePrefill {
            cache: KvCache::new(network.wiring().side_layers()),
            output: None,
        });
        Self {
            ids: Vec::new(),
            cache: KvCache::new(backbone.config().layers),
            hidden: None,
            sides: sides.collect(),
        }
    }

    /// Of a prompt of at least one token.
    ///
    /// # Errors
    /// When an id lies outside the vocabulary.
    pub fn of(backbone: &Decoder, readers: Readers<'_>, ids: &[u32]) -> Result<Self> {
        let mut prefill = Self::empty(backbone, readers);
        prefill.move_to(backbone, readers, ids)?;
        Ok(prefill)
    }

    /// The prompt.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Becomes that of another prompt (of at least one token) for the same readers. What the two
    /// begin with alike is not taken in again. Answers how many tokens were.
    ///
    /// # Errors
    /// When an id lies outside the vocabulary; it then is empty.
    pub fn move_to(
        &mut self,
        backbone: &Decoder,
        readers: Readers<'_>,
        ids: &[u32],
    ) -> Result<usize> {
        if self.ids == ids {
            return Ok(0);
        }
        let common = self.ids.iter().zip(ids).take_while(|(a, b)| a == b).count();
        let outgrown = backbone.outgrows_cache(self.ids.len(), ids.len());
        // The last token is always taken in: what it leaves behind is not in the caches.
        let kept = match outgrown {
            true => 0,
            false => common.min(ids.len().saturating_sub(1)),
        };
        let Some(last) = (ids.len() - kept).checked_sub(1) else {
            return Err(without_tokens());
        };
        // Whatever goes wrong from here on: caches that took in a part are not used again.
        let mut taken = std::mem::replace(self, Self::empty(backbone, readers));
        match kept {
            0 => taken = Self::empty(backbone, readers),
            _ => taken.truncate(kept),
        }
        let positions: Vec<u32> = (kept..ids.len()).map(|at| at as u32).collect();
        let input = TokenInput {
            ids: &ids[kept..],
            positions: &positions,
            first_visible: &[],
            batch: 1,
            seq: positions.len(),
        };
        let beside = { taken.sides.iter_mut() }
            .zip(readers.sides())
            .map(|(prefill, &side)| Beside {
                side,
                cache: &mut prefill.cache,
                rows: 0..1,
            })
            .collect();
        let (hidden, outputs) =
            run_beside(backbone, input, &mut taken.cache, readers.lora(), beside)?;
        taken.hidden = Some(gather_rows(&hidden, &[last as u32])?);
        for (side, output) in taken.sides.iter_mut().zip(outputs) {
            side.output = Some(gather_rows(&output, &[last as u32])?);
        }
        taken.ids = ids.to_vec();
        *self = taken;
        Ok(input.seq)
    }

    fn truncate(&mut self, tokens: usize) {
        self.cache.truncate(tokens);
        for side in &mut self.sides {
            side.cache.truncate(tokens);
        }
    }

    /// What the head is to see after the prompt, `[1, d_model]`: of the base model or the low-rank
    /// addition, or of the side network at this place among the readers.
    pub(super) fn hidden(&self, side: Option<(usize, &SideNetwork)>) -> Result<Tensor> {
        let hidden = self.hidden.as_ref().ok_or_else(without_tokens)?;
        let Some((place, network)) = side else {
            return Ok(hidden.clone());
        };
        let output = self.sides.get(place).and_then(|side| side.output.as_ref());
        network.upsample(hidden, output.ok_or_else(without_tokens)?)
    }
}

fn without_tokens() -> Error {
    Error::Tensor(candle_core::Error::Msg(
        "a prompt without tokens".to_owned(),
    ))
}
