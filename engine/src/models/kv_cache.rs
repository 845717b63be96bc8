//! Keys and values of the tokens a decoder has already seen, one entry per attention layer. Grows
//! by doubling, so that generating n tokens copies O(n) rows.

use candle_core::{Result, Tensor};

/// Keys and values of every layer.
#[derive(Debug, Default)]
pub struct KvCache {
    layers: Vec<LayerCache>,
    tokens: usize,
}

/// Keys and values of one layer.
#[derive(Debug, Default)]
pub struct LayerCache {
    /// `[batch, capacity, kv_heads * head_dim]`, keys then values
    stored: Option<(Tensor, Tensor)>,
    tokens: usize,
}

impl KvCache {
    /// An empty cache for this many layers.
    pub fn new(layers: usize) -> Self {
        Self {
            layers: (0..layers).map(|_| LayerCache::default()).collect(),
            tokens: 0,
        }
    }

    /// Tokens per row that all layers hold.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// The cache of a layer, counted from 0.
    pub fn layer(&mut self, layer: usize) -> Option<&mut LayerCache> {
        self.layers.get_mut(layer)
    }

    /// Notes that every layer has taken in `tokens` more tokens per row.
    pub fn advance(&mut self, tokens: usize) {
        self.tokens += tokens;
    }
}

/// Everything a layer has seen, the new tokens included.
pub struct Cached {
    /// `[batch * capacity, kv_heads * head_dim]`
    pub keys: Tensor,
    /// `[batch * capacity, kv_heads * head_dim]`
    pub values: Tensor,
    /// Valid keys per row.
    pub tokens: usize,
    /// Rows of storage per batch row.
    pub capacity: usize,
}

impl Cached {
    /// `keys` and `values` `[batch * seq, width]` with what a cache holds of the tokens before them;
    /// without a cache, themselves.
    ///
    /// # Errors
    /// When the shapes do not fit what is stored.
    pub fn of(
        cache: Option<&mut LayerCache>,
        batch: usize,
        keys: Tensor,
        values: Tensor,
    ) -> Result<Self> {
        if let Some(cache) = cache {
            return cache.append(batch, &keys, &values);
        }
        let tokens = keys.dim(0)? / batch.max(1);
        Ok(Self {
            keys,
            values,
            tokens,
            capacity: tokens,
        })
    }
}

impl LayerCache {
    /// Adds `keys` and `values` `[batch * seq, width]` and returns all there are.
    ///
    /// # Errors
    /// When the shapes do not fit what is stored.
    pub fn append(&mut self, batch: usize, keys: &Tensor, values: &Tensor) -> Result<Cached> {
        let (rows, width) = keys.dims2()?;
        let seq = rows / batch.max(1);
        let needed = self.tokens + seq;
        let (stored_keys, stored_values) = match self.stored.take() {
            Some((keys, values)) if keys.dim(1)? >= needed => (keys, values),
            previous => {
                let capacity = needed.next_power_of_two().max(64);
                let fresh = || Tensor::zeros((batch, capacity, width), keys.dtype(), keys.device());
                let grown = (fresh()?, fresh()?);
                if let Some((keys, values)) = previous.filter(|_| self.tokens > 0) {
                    grown
                        .0
                        .slice_set(&keys.narrow(1, 0, self.tokens)?.contiguous()?, 1, 0)?;
                    grown
                        .1
                        .slice_set(&values.narrow(1, 0, self.tokens)?.contiguous()?, 1, 0)?;
                }
                grown
            }
        };
        stored_keys.slice_set(&keys.reshape((batch, seq, width))?, 1, self.tokens)?;
        stored_values.slice_set(&values.reshape((batch, seq, width))?, 1, self.tokens)?;
        self.tokens = needed;
        let capacity = stored_keys.dim(1)?;
        let cached = Cached {
            keys: stored_keys.reshape((batch * capacity, width))?,
            values: stored_values.reshape((batch * capacity, width))?,
            tokens: needed,
            capacity,
        };
        self.stored = Some((stored_keys, stored_values));
        Ok(cached)
    }
}
