//! Keys and values of the tokens a decoder has already seen, one entry per attention layer. Grows
//! by doubling, so that generating n tokens copies O(n) rows. Rows of a batch end together: a shorter
//! one has padding before it, which its queries do not see.

use candle_core::{Result, Tensor, bail};

use crate::ops::elementwise::{copy_blocks, zeros};

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
    /// Tokens that there is room for from the first on; beyond them it grows.
    room: usize,
    /// Whether another cache reads the same storage, so that it must not be written to.
    is_shared: bool,
}

/// One row of a cache, to be brought together with others.
#[derive(Clone, Copy)]
pub struct CachedRow<'a> {
    /// Where it lies; none: in the cache that is rearranged.
    pub from: Option<&'a KvCache>,
    /// Its number there.
    pub row: usize,
    /// The last tokens that are its own; those before are padding.
    pub tokens: usize,
}

impl KvCache {
    /// An empty cache for this many layers.
    pub fn new(layers: usize) -> Self {
        Self {
            layers: (0..layers).map(|_| LayerCache::default()).collect(),
            tokens: 0,
        }
    }

    /// The same with room for so many tokens from the first on: it is known beforehand what it takes.
    pub fn with_room(layers: usize, room: usize) -> Self {
        let mut cache = Self::new(layers);
        for layer in &mut cache.layers {
            layer.room = room;
        }
        cache
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

    /// A second cache with the same content. Nothing is copied until one of the two takes in more.
    pub fn share(&mut self) -> Self {
        Self {
            layers: self.layers.iter_mut().map(LayerCache::share).collect(),
            tokens: self.tokens,
        }
    }

    /// Forgets all but the first `tokens` of each row.
    pub fn truncate(&mut self, tokens: usize) {
        self.tokens = self.tokens.min(tokens);
        for layer in &mut self.layers {
            layer.tokens = layer.tokens.min(tokens);
        }
    }

    /// Holds these rows from now on, each with as much padding before it as makes it `tokens` long.
    ///
    /// # Errors
    /// When a row is not where it is said to be, or the caches are of different models.
    pub fn rearrange(&mut self, rows: &[CachedRow<'_>], tokens: usize) -> Result<()> {
        for (number, layer) in self.layers.iter_mut().enumerate() {
            let sources: Option<Vec<_>> = { rows.iter() }
                .map(|row| match row.from {
                    None => Some((None, row)),
                    Some(cache) => Some((Some(cache.layers.get(number)?), row)),
                })
                .collect();
            let Some(sources) = sources else {
                bail!("rows of a cache with fewer than {} layers", number + 1);
            };
            layer.rearrange(&sources, tokens)?;
        }
        self.tokens = match rows.is_empty() {
            true => 0,
            false => tokens,
        };
        Ok(())
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
            Some((keys, values)) if keys.dim(1)? >= needed && !self.is_shared => (keys, values),
            previous => {
                self.is_shared = false;
                let capacity = match needed <= self.room {
                    true => self.room,
                    false => capacity_for(needed),
                };
                let fresh = || zeros((batch, capacity, width), keys.dtype(), keys.device());
                let grown = (fresh()?, fresh()?);
                if let Some((keys, values)) = previous.filter(|_| self.tokens > 0) {
                    set_rows(&grown.0, 0, &keys, self.tokens)?;
                    set_rows(&grown.1, 0, &values, self.tokens)?;
                }
                grown
            }
        };
        let new = |x: &Tensor| x.reshape((batch, seq, width));
        set_rows(&stored_keys, self.tokens, &new(keys)?, seq)?;
        set_rows(&stored_values, self.tokens, &new(values)?, seq)?;
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

    fn share(&mut self) -> Self {
        self.is_shared = true;
        Self {
            stored: self.stored.clone(),
            tokens: self.tokens,
            room: self.room,
            is_shared: true,
        }
    }

    fn rearrange(
        &mut self,
        rows: &[(Option<&LayerCache>, &CachedRow<'_>)],
        tokens: usize,
    ) -> Result<()> {
        let own = std::mem::take(self);
        if rows.is_empty() {
            return Ok(());
        }
        let mut pieces = (Vec::new(), Vec::new());
        for &(from, row) in rows {
            let source = from.unwrap_or(&own);
            let Some((keys, values)) = &source.stored else {
                bail!("a row of an empty cache");
            };
            if row.tokens > source.tokens.min(tokens) {
                bail!("{} tokens of a row that has {}", row.tokens, source.tokens);
            }
            let of = |stored: &Tensor| Piece {
                stored: stored.clone(),
                row: row.row,
                first: source.tokens - row.tokens,
                tokens: row.tokens,
            };
            pieces.0.push(of(keys));
            pieces.1.push(of(values));
        }
        let keys = aligned(&pieces.0, tokens)?;
        let values = aligned(&pieces.1, tokens)?;
        *self = Self {
            stored: Some((keys, values)),
            tokens,
            room: 0,
            is_shared: false,
        };
        Ok(())
    }
}

/// Tokens that a cache has room for when it holds so many.
fn capacity_for(tokens: usize) -> usize {
    tokens.next_power_of_two().max(64)
}

/// Copies the first `tokens` of each row of `source` `[batch, its capacity, width]` to the rows of `target`
/// `[batch, its capacity, width]`, from token `at` on.
fn set_rows(target: &Tensor, at: usize, source: &Tensor, tokens: usize) -> Result<()> {
    let (batch, capacity, width) = target.dims3()?;
    let (source_batch, source_capacity, source_width) = source.dims3()?;
    let fits = at + tokens <= capacity && tokens <= source_capacity;
    if !fits || (batch, width) != (source_batch, source_width) {
        bail!("{:?} for a cache of {:?}", source.shape(), target.shape());
    }
    copy_blocks(
        (target, at * width, capacity * width),
        (source, 0, source_capacity * width),
        batch,
        tokens * width,
    )
}

/// Tokens of one row of a cache.
struct Piece {
    /// `[batch, capacity, width]`
    stored: Tensor,
    row: usize,
    first: usize,
    tokens: usize,
}

/// `[pieces, capacity, width]` of rows that end at `tokens`.
fn aligned(pieces: &[Piece], tokens: usize) -> Result<Tensor> {
    let like = &pieces[0].stored;
    let (capacity, width) = (capacity_for(tokens), like.dim(2)?);
    let all = zeros((pieces.len(), capacity, width), like.dtype(), like.device())?;
    for (number, piece) in pieces.iter().enumerate() {
        let (batch, piece_capacity, piece_width) = piece.stored.dims3()?;
        if piece.row >= batch || piece_width != width {
            bail!("row {} of a cache of {:?}", piece.row, piece.stored.shape());
        }
        let at = number * capacity + tokens - piece.tokens;
        let from = piece.row * piece_capacity + piece.first;
        copy_blocks(
            (&all, at * width, 0),
            (&piece.stored, from * width, 0),
            1,
            piece.tokens * width,
        )?;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    /// A cache of one layer whose keys count up from `first`, row by row; values are their negatives.
    fn cache(first: usize, batch: usize, tokens: usize) -> KvCache {
        let mut cache = KvCache::new(1);
        push(&mut cache, first, batch, tokens);
        cache
    }

    fn push(cache: &mut KvCache, first: usize, batch: usize, tokens: usize) -> Cached {
        let count = batch * tokens;
        let numbers: Vec<f32> = (first..first + count).map(|n| n as f32).collect();
        let keys = Tensor::from_vec(numbers, (count, 1), &Device::Cpu).unwrap();
        let values = keys.neg().unwrap();
        let layer = cache.layer(0).unwrap();
        let cached = layer.append(batch, &keys, &values).unwrap();
        cache.advance(tokens);
        cached
    }

    /// Keys of each row after one more token was taken in, which are 90, 91, ...
    fn rows(cache: &mut KvCache, batch: usize) -> Vec<Vec<f32>> {
        let cached = push(cache, 90, batch, 1);
        assert_eq!(cached.tokens, cache.tokens());
        let values = cached.values.neg().unwrap();
        let read = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(read(&cached.keys), read(&values));
        let keys = read(&cached.keys);
        let rows = keys.chunks(cached.capacity);
        rows.map(|row| row[..cached.tokens].to_vec()).collect()
    }

    #[test]
    fn a_shared_cache_is_copied_when_it_is_written_to() {
        let mut first = cache(0, 1, 3);
        let mut second = first.share();
        let mut third = first.share();
        assert_eq!(rows(&mut second, 1), [[0.0, 1.0, 2.0, 90.0]]);
        first.truncate(1);
        push(&mut first, 7, 1, 2);
        assert_eq!(rows(&mut first, 1), [[0.0, 7.0, 8.0, 90.0]]);
        assert_eq!(rows(&mut second, 1), [[0.0, 1.0, 2.0, 90.0, 90.0]]);
        assert_eq!(rows(&mut third, 1), [[0.0, 1.0, 2.0, 90.0]]);
    }

    #[test]
    fn a_cache_with_room_grows_only_beyond_it() {
        let mut cache = KvCache::with_room(1, 5);
        assert_eq!(push(&mut cache, 0, 1, 3).capacity, 5);
        assert_eq!(push(&mut cache, 3, 1, 2).capacity, 5);
        let beyond = push(&mut cache, 5, 1, 1);
        assert_eq!((beyond.tokens, beyond.capacity), (6, 64));
        assert_eq!(rows(&mut cache, 1), [[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 90.0]]);
    }

    #[test]
    fn rows_are_brought_together_at_their_ends() {
        let (mut batch, other) = (cache(0, 3, 70), cache(500, 1, 2));
        let own = |row, tokens| CachedRow {
            from: None,
            row,
            tokens,
        };
        let joined = CachedRow {
            from: Some(&other),
            row: 0,
            tokens: 2,
        };
        batch.rearrange(&[own(2, 3), joined, own(0, 1)], 3).unwrap();
        assert_eq!(batch.tokens(), 3);
        assert_eq!(
            rows(&mut batch, 3),
            [
                [207.0, 208.0, 209.0, 90.0],
                [0.0, 500.0, 501.0, 91.0],
                [0.0, 0.0, 69.0, 92.0]
            ]
        );
        assert!(batch.rearrange(&[own(0, 9)], 9).is_err());
        batch.rearrange(&[], 0).unwrap();
        assert_eq!(rows(&mut batch, 1), [[90.0]]);
    }
}
