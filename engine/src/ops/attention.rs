//! Causal attention that never stores `seq x seq`: scores live for a tile of query rows, and the
//! backward recomputes them from the saved log-sum-exp (Dao et al. 2022, arXiv 2205.14135, algorithm
//! 4 without the key tiling). Grouped heads, document boundaries, a sliding window and a score
//! soft-cap are part of the operation.
//!
//! Query `i` of a row stands at key index `i + keys - queries` and sees the keys `j` with
//! `first_visible[i] <= j <= i`, and `i - j < window` if there is a window.

use candle_core::{Result, Tensor, bail};
use rayon::prelude::*;

use super::cpu::{self, Output, Real, Strides, Workers, by_float_type, matmul};
use super::on_card;
use super::token_tiles::TokenTile;

/// Query rows whose scores exist at the same time, per thread.
pub(crate) const QUERY_TILE: usize = 64;

/// Sizes and rules of one attention call.
#[derive(Clone, Debug)]
pub struct Attention<'a> {
    /// Rows of the batch.
    pub batch: usize,
    /// Queries per row.
    pub queries: usize,
    /// Keys per row; the last `queries` of them belong to the queries themselves.
    pub keys: usize,
    /// Key slots per row in the key and value tensors (`>= keys`; a cache has spare ones).
    pub key_capacity: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; each serves `heads / kv_heads` query heads.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Factor on the scores, usually `1 / sqrt(head_dim)`.
    pub scale: f64,
    /// Scores become `c tanh(s / c)`.
    pub soft_cap: Option<f64>,
    /// Keys further back than this are invisible.
    pub window: Option<usize>,
    /// First visible key index of each query, `[batch * queries]`; empty: all from 0.
    pub first_visible: &'a [u32],
}

/// The result, and what the backward needs of it.
pub struct Attended {
    /// `[batch * queries, heads * head_dim]`
    pub output: Tensor,
    /// `[batch * queries, heads]`, in nats.
    pub log_sum_exp: Tensor,
}

/// Gradients of [`Attention::forward`].
pub struct AttentionGradients {
    /// Like the queries.
    pub queries: Tensor,
    /// Like the keys.
    pub keys: Tensor,
    /// Like the values.
    pub values: Tensor,
}

impl Attention<'_> {
    /// `q` `[batch * queries, heads * head_dim]`; `k`, `v` `[batch * key_capacity, kv_heads * head_dim]`.
    ///
    /// # Errors
    /// When the shapes do not fit together.
    pub fn forward(&self, q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Attended> {
        self.check(q, k, v)?;
        on_card!(q, super::cuda::attention::forward(self, q, k, v));
        by_float_type!(q, T => self.forward_typed::<T>(q, k, v))
    }

    /// The same for one tile of queries: `q` `[batch * queries, heads * head_dim]` are all of them,
    /// the result is `[tile, heads * head_dim]`.
    ///
    /// # Errors
    /// When the shapes do not fit together.
    pub fn forward_tile(
        &self,
        tile: &TokenTile,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
    ) -> Result<Attended> {
        let rows_of = |x: &Tensor| {
            let (first, count) = (tile.row * self.key_capacity, tile.rows * self.key_capacity);
            x.narrow(0, first, count)
        };
        let before = self.keys - self.queries;
        let attention = Attention {
            batch: tile.rows,
            queries: tile.tokens_per_row,
            keys: before + tile.first + tile.tokens_per_row,
            first_visible: tile.of_list(self.first_visible),
            ..self.clone()
        };
        attention.forward(&tile.of(q)?, &rows_of(k)?, &rows_of(v)?)
    }

    /// Gradients for the upstream gradient `grad` of the output.
    ///
    /// # Errors
    /// When the shapes do not fit together.
    pub fn backward(
        &self,
        (q, k, v): (&Tensor, &Tensor, &Tensor),
        attended: &Attended,
        grad: &Tensor,
    ) -> Result<AttentionGradients> {
        self.check(q, k, v)?;
        on_card!(
            q,
            super::cuda::attention::backward(self, (q, k, v), attended, grad)
        );
        by_float_type!(q, T => self.backward_typed::<T>((q, k, v), attended, grad))
    }

    fn check(&self, q: &Tensor, k: &Tensor, v: &Tensor) -> Result<()> {
        let kv_shape = [
            self.batch * self.key_capacity,
            self.kv_heads * self.head_dim,
        ];
        let fits = q.dims() == [self.batch * self.queries, self.heads * self.head_dim]
            && k.dims() == kv_shape
            && v.dims() == kv_shape
            && self.kv_heads > 0
            && self.heads.is_multiple_of(self.kv_heads)
            && self.keys >= self.queries
            && self.key_capacity >= self.keys
            && (self.first_visible.is_empty()
                || self.first_visible.len() == self.batch * self.queries);
        if !fits {
            bail!(
                "attention {self:?} on q {:?}, k {:?}, v {:?}",
                q.shape(),
                k.shape(),
                v.shape()
            );
        }
        Ok(())
    }

    /// Keys that query `i` of row `row` sees.
    #[inline(always)]
    fn visible(&self, row: usize, query: usize) -> std::ops::Range<usize> {
        let own = query + self.keys - self.queries;
        let document = self
            .first_visible
            .get(row * self.queries + query)
            .map_or(0, |&first| first as usize);
        let window = self
            .window
            .map_or(0, |window| (own + 1).saturating_sub(window));
        document.max(window).min(own)..own + 1
    }

    /// Keys that any query of the tile sees.
    fn visible_to_tile(&self, row: usize, tile: std::ops::Range<usize>) -> std::ops::Range<usize> {
        let end = tile.end + self.keys - self.queries;
        let start = tile
            .map(|query| self.visible(row, query).start)
            .min()
            .unwrap_or(0);
        start..end
    }

    fn forward_typed<T: Real>(&self, q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Attended> {
        let (heads, head_dim) = (self.heads, self.head_dim);
        let (width, kv_width) = (heads * head_dim, self.kv_heads * head_dim);
        let group = heads / self.kv_heads;
        let rows = self.batch * self.queries;
        let (q_values, k_values, v_values) =
            (cpu::read::<T>(q)?, cpu::read::<T>(k)?, cpu::read::<T>(v)?);
        let (q_values, k_values, v_values): (&[T], &[T], &[T]) = (&q_values, &k_values, &v_values);
        let mut output = vec![T::zero(); rows * width];
        let mut log_sum_exp = vec![T::zero(); rows * heads];
        let attend = |row: usize, first: usize, out: &mut [T], lse: &mut [T]| {
            let tile = out.len() / width;
            let keys = self.visible_to_tile(row, first..first + tile);
            let count = keys.len();
            let mut scores = vec![T::zero(); tile * count];
            for head in 0..heads {
                let kv =
                    (row * self.key_capacity + keys.start) * kv_width + head / group * head_dim;
                let queries = ((row * self.queries + first) * width) + head * head_dim;
                matmul(
                    (tile, count, head_dim),
                    (&mut scores, Strides::row_major(count)),
                    (&q_values[queries..], Strides::row_major(width)),
                    (&k_values[kv..], Strides::transposed(kv_width)),
                    T::real(self.scale),
                    Output::Overwrite,
                    Workers::One,
                );
                let mut totals = [T::zero(); QUERY_TILE];
                cpu::vectorized(|| {
                    for (query, scores) in scores.chunks_exact_mut(count).enumerate() {
                        let seen = self.visible(row, first + query);
                        let seen = seen.start - keys.start..seen.end - keys.start;
                        let most = self.cap_and_max(&mut scores[seen.clone()]);
                        scores[..seen.start].fill(T::zero());
                        scores[seen.end..].fill(T::zero());
                        let seen = &mut scores[seen];
                        seen.iter_mut().for_each(|s| *s = (*s - most).exp_fast());
                        totals[query] = cpu::sum(seen);
                        lse[query * heads + head] = totals[query].ln() + most;
                    }
                });
                matmul(
                    (tile, head_dim, count),
                    (&mut out[head * head_dim..], Strides::row_major(width)),
                    (&scores, Strides::row_major(count)),
                    (&v_values[kv..], Strides::row_major(kv_width)),
                    T::one(),
                    Output::Overwrite,
                    Workers::One,
                );
                for (query, row) in out.chunks_exact_mut(width).enumerate() {
                    let share = totals[query].recip();
                    row[head * head_dim..(head + 1) * head_dim]
                        .iter_mut()
                        .for_each(|value| *value *= share);
                }
            }
        };
        output
            .par_chunks_mut(self.queries * width)
            .zip(log_sum_exp.par_chunks_mut(self.queries * heads))
            .enumerate()
            .for_each(|(row, (out, lse))| {
                out.par_chunks_mut(QUERY_TILE * width)
                    .zip(lse.par_chunks_mut(QUERY_TILE * heads))
                    .enumerate()
                    .for_each(|(tile, (out, lse))| attend(row, tile * QUERY_TILE, out, lse));
            });
        Ok(Attended {
            output: Tensor::from_vec(output, (rows, width), q.device())?,
            log_sum_exp: Tensor::from_vec(log_sum_exp, (rows, heads), q.device())?,
        })
    }

    #[inline(always)]
    fn cap_and_max<T: Real>(&self, scores: &mut [T]) -> T {
        if let Some(cap) = self.soft_cap {
            let cap = T::real(cap);
            scores.iter_mut().for_each(|s| *s = cap * (*s / cap).tanh());
        }
        cpu::max(scores)
    }

    fn backward_typed<T: Real>(
        &self,
        (q, k, v): (&Tensor, &Tensor, &Tensor),
        attended: &Attended,
        grad: &Tensor,
    ) -> Result<AttentionGradients> {
        let (q_values, k_values, v_values) =
            (cpu::read::<T>(q)?, cpu::read::<T>(k)?, cpu::read::<T>(v)?);
        let (out, lse, grad) = (
            cpu::read::<T>(&attended.output)?,
            cpu::read::<T>(&attended.log_sum_exp)?,
            cpu::read::<T>(grad)?,
        );
        let inputs = BackwardInputs {
            q: &q_values,
            k: &k_values,
            v: &v_values,
            out: &out,
            lse: &lse,
            grad: &grad,
        };
        let mut dq = vec![T::zero(); q_values.len()];
        let mut dk = vec![T::zero(); k_values.len()];
        let mut dv = vec![T::zero(); v_values.len()];
        let (sink_q, sink_k, sink_v) = (
            Columns::of(&mut dq),
            Columns::of(&mut dk),
            Columns::of(&mut dv),
        );
        // One task owns one key/value head of one row: the sum over its queries and query heads is
        // made in a fixed order, without atomics.
        (0..self.batch * self.kv_heads)
            .into_par_iter()
            .for_each(|task| {
                let (row, kv_head) = (task / self.kv_heads, task % self.kv_heads);
                self.backward_head(row, kv_head, &inputs, (&sink_q, &sink_k, &sink_v));
            });
        Ok(AttentionGradients {
            queries: Tensor::from_vec(dq, q.shape(), q.device())?,
            keys: Tensor::from_vec(dk, k.shape(), k.device())?,
            values: Tensor::from_vec(dv, v.shape(), v.device())?,
        })
    }

    fn backward_head<T: Real>(
        &self,
        row: usize,
        kv_head: usize,
        inputs: &BackwardInputs<'_, T>,
        (sink_q, sink_k, sink_v): (&Columns<T>, &Columns<T>, &Columns<T>),
    ) {
        let head_dim = self.head_dim;
        let (width, kv_width) = (self.heads * head_dim, self.kv_heads * head_dim);
        let group = self.heads / self.kv_heads;
        let workers = if self.batch * self.kv_heads < rayon::current_num_threads() {
            Workers::All
        } else {
            Workers::One
        };
        let mut dk = vec![T::zero(); self.keys * head_dim];
        let mut dv = vec![T::zero(); self.keys * head_dim];
        let mut dq = vec![T::zero(); QUERY_TILE * head_dim];
        // Made as large as they get: growing, they would take up to twice that.
        let scores = QUERY_TILE.min(self.queries) * self.keys;
        let mut all_weights = vec![T::zero(); scores];
        let mut all_d_scores = vec![T::zero(); scores];
        for head in kv_head * group..(kv_head + 1) * group {
            for first in (0..self.queries).step_by(QUERY_TILE) {
                let tile = QUERY_TILE.min(self.queries - first);
                let keys = self.visible_to_tile(row, first..first + tile);
                let count = keys.len();
                let at_q = (row * self.queries + first) * width + head * head_dim;
                let at_kv = (row * self.key_capacity + keys.start) * kv_width + kv_head * head_dim;
                let weights = &mut all_weights[..tile * count];
                let d_scores = &mut all_d_scores[..tile * count];
                // scores, and the gradient with respect to the attention weights
                for (target, left, right, factor) in [
                    (&mut *weights, inputs.q, inputs.k, T::real(self.scale)),
                    (&mut *d_scores, inputs.grad, inputs.v, T::one()),
                ] {
                    matmul(
                        (tile, count, head_dim),
                        (target, Strides::row_major(count)),
                        (&left[at_q..], Strides::row_major(width)),
                        (&right[at_kv..], Strides::transposed(kv_width)),
                        factor,
                        Output::Overwrite,
                        workers,
                    );
                }
                cpu::vectorized(|| {
                    let score_rows = weights.chunks_exact_mut(count);
                    for (query, (p, ds)) in
                        score_rows.zip(d_scores.chunks_exact_mut(count)).enumerate()
                    {
                        let at = at_q + query * width;
                        let along = cpu::dot(
                            &inputs.grad[at..at + head_dim],
                            &inputs.out[at..at + head_dim],
                        );
                        let lse =
                            inputs.lse[(row * self.queries + first + query) * self.heads + head];
                        let seen = self.visible(row, first + query);
                        let seen = seen.start - keys.start..seen.end - keys.start;
                        for rest in [0..seen.start, seen.end..count] {
                            p[rest.clone()].fill(T::zero());
                            ds[rest].fill(T::zero());
                        }
                        self.score_gradient(&mut p[seen.clone()], &mut ds[seen], lse, along);
                    }
                });
                matmul(
                    (tile, head_dim, count),
                    (&mut dq, Strides::row_major(head_dim)),
                    (&*d_scores, Strides::row_major(count)),
                    (&inputs.k[at_kv..], Strides::row_major(kv_width)),
                    T::one(),
                    Output::Overwrite,
                    workers,
                );
                sink_q.write(at_q, width, &dq[..tile * head_dim], head_dim);
                for (target, left, right) in [
                    (&mut dk, &*d_scores, inputs.q),
                    (&mut dv, &*weights, inputs.grad),
                ] {
                    matmul(
                        (count, head_dim, tile),
                        (
                            &mut target[keys.start * head_dim..],
                            Strides::row_major(head_dim),
                        ),
                        (left, Strides::transposed(count)),
                        (&right[at_q..], Strides::row_major(width)),
                        T::one(),
                        Output::Add,
                        workers,
                    );
                }
            }
        }
        let at_kv = row * self.key_capacity * kv_width + kv_head * head_dim;
        sink_k.write(at_kv, kv_width, &dk, head_dim);
        sink_v.write(at_kv, kv_width, &dv, head_dim);
    }

    /// Scores become attention weights `p`, gradients of weights become gradients of raw scores:
    /// `ds = p (dp - sum(dp p)) (1 - tanh^2) scale`.
    #[inline(always)]
    fn score_gradient<T: Real>(&self, p: &mut [T], ds: &mut [T], lse: T, along: T) {
        let scale = T::real(self.scale);
        match self.soft_cap {
            None => {
                for (p, ds) in p.iter_mut().zip(ds) {
                    *p = (*p - lse).exp_fast();
                    *ds = *p * (*ds - along) * scale;
                }
            }
            Some(cap) => {
                let cap = T::real(cap);
                for (p, ds) in p.iter_mut().zip(ds) {
                    let bent = (*p / cap).tanh();
                    *p = (cap * bent - lse).exp_fast();
                    *ds = *p * (*ds - along) * (T::one() - bent * bent) * scale;
                }
            }
        }
    }
}

struct BackwardInputs<'a, T> {
    q: &'a [T],
    k: &'a [T],
    v: &'a [T],
    out: &'a [T],
    lse: &'a [T],
    grad: &'a [T],
}

/// An output whose columns are shared out among tasks.
struct Columns<T> {
    start: *mut T,
    length: usize,
}

// SAFETY: tasks write disjoint columns only (see `write`).
unsafe impl<T: Send> Sync for Columns<T> {}

impl<T: Real> Columns<T> {
    fn of(values: &mut [T]) -> Self {
        Self {
            start: values.as_mut_ptr(),
            length: values.len(),
        }
    }

    /// Writes rows of `width` numbers to `at`, `at + stride`, ...
    fn write(&self, at: usize, stride: usize, rows: &[T], width: usize) {
        for (index, row) in rows.chunks_exact(width).enumerate() {
            let at = at + index * stride;
            assert!(
                at + width <= self.length,
                "attention gradient outside its output"
            );
            // SAFETY: in bounds by the assertion; each task writes the columns of its own heads in
            // the rows of its own batch row, so no two tasks touch the same number, and the output
            // outlives the parallel loop.
            unsafe { std::ptr::copy_nonoverlapping(row.as_ptr(), self.start.add(at), width) };
        }
    }
}
