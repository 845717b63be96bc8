//! Token by token: the prompt goes through backbone and side network at once, then each new token
//! continues their caches.

use candle_core::Tensor;
use stepladder_protocol::TapDtype;

use super::beside::{Beside, SideInUse, run_beside};
use super::prefill::Prefill;
use crate::Result;
use crate::adapters::ladder::SideNetwork;
use crate::adapters::lora::Lora;
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

    /// The side network, if it is one.
    pub fn side(self) -> Option<SideInUse<'a>> {
        match self {
            Self::Side(network, tap_dtype) => Some((network, tap_dtype)),
            Self::Lora(_) => None,
        }
    }

    /// The low-rank addition, if it is one.
    pub fn lora(self) -> Option<&'a Lora> {
        match self {
            Self::Side(..) => None,
            Self::Lora(lora) => Some(lora),
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

    /// A generator that has seen what `prefill` took in, and the logits `[vocabulary]` of what comes
    /// next. An adapter must be among its readers; `place` is where a side network stands there. The
    /// prompt's caches are shared: nothing is copied before the next token.
    ///
    /// # Errors
    /// When the prefill is empty, or knows nothing of the side network.
    pub fn after(
        backbone: &'a Decoder,
        adapter: Option<AdapterInUse<'a>>,
        prefill: &mut Prefill,
        place: usize,
    ) -> Result<(Self, Tensor)> {
        let network = adapter.and_then(AdapterInUse::side).map(|(side, _)| side);
        let hidden = prefill.hidden(network.map(|network| (place, network)))?;
        let mut generator = Self {
            cache: prefill.cache.share(),
            seen: prefill.ids().to_vec(),
            ..Self::new(backbone, adapter)
        };
        if network.is_some() {
            generator.side_cache = prefill.sides[place].cache.share();
        }
        Ok((generator, backbone.logits(&hidden)?.squeeze(0)?))
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
        let side = self.adapter.and_then(AdapterInUse::side);
        let beside = side.map(|side| Beside {
            side,
            cache: &mut self.side_cache,
            rows: 0..1,
        });
        let lora = self.adapter.and_then(AdapterInUse::lora);
        let beside = beside.into_iter().collect();
        let (hidden, outputs) = run_beside(self.backbone, input, &mut self.cache, lora, beside)?;
        let last = [(ids.len() - 1) as u32];
        let mut hidden = gather_rows(&hidden, &last)?;
        if let (Some((network, _)), Some(output)) = (side, outputs.first()) {
            hidden = network.upsample(&hidden, &gather_rows(output, &last)?)?;
        }
        Ok(self.backbone.logits(&hidden)?.squeeze(0)?)
    }
}
