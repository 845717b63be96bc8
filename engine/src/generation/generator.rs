//! Token by token: the prompt goes through backbone and side network at once, then each new token
//! continues their caches.

use candle_core::Tensor;
use stepladder_protocol::TapDtype;

use crate::Result;
use crate::adapters::ladder::SideNetwork;
use crate::adapters::lora::{Lora, LowRank};
use crate::adapters::network::Network;
use crate::models::decoder::{Decoder, TokenInput};
use crate::models::kv_cache::KvCache;
use crate::ops::elementwise::gather_rows;

/// An adapter as an answer is made with it.
#[derive(Clone, Copy)]
pub enum AdapterInUse<'a> {
    /// A side network, and the type its taps were trained in.
    Side(&'a SideNetwork, TapDtype),
    /// A low-rank addition.
    Lora(&'a Lora),
}

impl<'a> AdapterInUse<'a> {
    /// Of a network whose taps, if it has some, were trained in this type.
    pub fn new(network: &'a Network, tap_dtype: TapDtype) -> Self {
        match network {
            Network::Side(network) => Self::Side(network, tap_dtype),
            Network::Lora(lora) => Self::Lora(lora),
        }
    }
}

/// Backbone and adapter with the tokens they have seen. Without an adapter it is the base model.
pub struct Generator<'a> {
    backbone: &'a Decoder,
    adapter: Option<AdapterInUse<'a>>,
    cache: KvCache,
    side_cache: KvCache,
    /// Every token seen, for when the caches have to be made anew.
    seen: Vec<u32>,
}

impl<'a> Generator<'a> {
    /// A generator that has seen nothing.
    pub fn new(backbone: &'a Decoder, adapter: Option<AdapterInUse<'a>>) -> Self {
        let side_layers = match adapter {
            Some(AdapterInUse::Side(network, _)) => network.wiring().side_layers(),
            _ => 0,
        };
        Self {
            backbone,
            adapter,
            cache: KvCache::new(backbone.config().layers),
            side_cache: KvCache::new(side_layers),
            seen: Vec::new(),
        }
    }

    /// Tokens seen so far.
    pub fn tokens(&self) -> usize {
        self.cache.tokens()
    }

    /// Takes in tokens and returns the logits `[vocabulary]` of what comes next.
    ///
    /// # Errors
    /// When an id lies outside the vocabulary.
    pub fn push(&mut self, ids: &[u32]) -> Result<Tensor> {
        let before = self.seen.len();
        self.seen.extend_from_slice(ids);
        if self.backbone.outgrows_cache(before, self.seen.len()) {
            *self = Self {
                seen: std::mem::take(&mut self.seen),
                ..Self::new(self.backbone, self.adapter)
            };
            let all = self.seen.clone();
            return self.run(&all);
        }
        self.run(ids)
    }

    fn run(&mut self, ids: &[u32]) -> Result<Tensor> {
        let seen = self.cache.tokens();
        let positions: Vec<u32> = (seen..seen + ids.len()).map(|at| at as u32).collect();
        let input = TokenInput {
            ids,
            positions: &positions,
            first_visible: &[],
            batch: 1,
            seq: ids.len(),
        };
        let last = [(ids.len() - 1) as u32];
        let hidden = match self.adapter {
            None => {
                let hidden = self
                    .backbone
                    .forward(input, Some(&mut self.cache), |_, _| Ok(()))?;
                gather_rows(&hidden, &last)?
            }
            Some(AdapterInUse::Lora(lora)) => {
                let (cache, additions) = (Some(&mut self.cache), LowRank::new(lora));
                let hidden =
                    self.backbone
                        .forward_with(input, cache, Some(&additions), |_, _| Ok(()))?;
                gather_rows(&hidden, &last)?
            }
            Some(AdapterInUse::Side(network, tap_dtype)) => {
                let caches = Some((&mut self.cache, &mut self.side_cache));
                let (hidden, side) = network.run(self.backbone, input, caches, tap_dtype)?;
                network.upsample(&gather_rows(&hidden, &last)?, &gather_rows(&side, &last)?)?
            }
        };
        Ok(self.backbone.logits(&hidden)?.squeeze(0)?)
    }
}
