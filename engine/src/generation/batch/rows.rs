//! The rows of a batch that share a pass of the backbone, and the caches they continue.

use std::rc::Rc;

use candle_core::Tensor;

use super::super::beside::{Beside, SideInUse, run_beside};
use super::super::prefill::Prefill;
use super::super::sampler::Sampler;
use crate::Result;
use crate::adapters::lora::Lora;
use crate::models::decoder::{Decoder, TokenInput};
use crate::models::kv_cache::{CachedRow, KvCache};
use crate::ops::elementwise::cat_rows;

/// An answer under way.
pub(super) struct Row {
    /// Number of the answer.
    pub(super) answer: usize,
    pub(super) variant: usize,
    pub(super) sampler: Sampler,
    /// Tokens at which it is cut off.
    pub(super) limit: usize,
    /// Tokens that the caches hold of it.
    pub(super) seen: usize,
    /// The token that comes behind them.
    pub(super) next: u32,
    pub(super) place: Place,
}

/// Where the tokens that a row has seen lie.
#[derive(Clone)]
pub(super) enum Place {
    /// Nowhere: its prompt is still to be taken in.
    Waiting,
    /// In a prefill; of a side network, in the caches of this one among its readers.
    Prefill(Rc<Prefill>, usize),
    /// In this row of the caches of its pass.
    Batch(usize),
}

/// Whether a row is in the batch for another token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Further {
    GoesOn,
    Ended,
}

/// Rows that go through the backbone together.
pub(super) struct SharedPass<'a> {
    backbone: &'a Decoder,
    lora: Option<&'a Lora>,
    cache: KvCache,
    members: Vec<Member<'a>>,
    /// Whether rows came or went since the caches were arranged.
    is_changed: bool,
}

/// The rows of one variant; they lie side by side in the batch.
struct Member<'a> {
    variant: usize,
    side: Option<SideInUse<'a>>,
    cache: KvCache,
    /// Its first row in the caches of the pass.
    first: usize,
    rows: Vec<Row>,
}

impl<'a> SharedPass<'a> {
    /// Without rows, for these variants.
    pub(super) fn new(
        backbone: &'a Decoder,
        lora: Option<&'a Lora>,
        variants: Vec<(usize, Option<SideInUse<'a>>)>,
    ) -> Self {
        let members = variants.into_iter().map(|(variant, side)| Member {
            variant,
            side,
            cache: KvCache::new(side.map_or(0, |(network, _)| network.wiring().side_layers())),
            first: 0,
            rows: Vec::new(),
        });
        Self {
            backbone,
            lora,
            cache: KvCache::new(backbone.config().layers),
            members: members.collect(),
            is_changed: false,
        }
    }

    /// Rows under way.
    pub(super) fn live(&self) -> usize {
        self.members.iter().map(|member| member.rows.len()).sum()
    }

    /// What is added to the backbone.
    pub(super) fn lora(&self) -> Option<&'a Lora> {
        self.lora
    }

    /// Whether the variant's rows go through here.
    pub(super) fn has(&self, variant: usize) -> bool {
        self.members.iter().any(|member| member.variant == variant)
    }

    /// Takes a row in.
    pub(super) fn join(&mut self, row: Row) {
        let member = { self.members.iter_mut() }.find(|member| member.variant == row.variant);
        if let Some(member) = member {
            member.rows.push(row);
            self.is_changed = true;
        }
    }

    /// Takes out the rows whose next token changes how the keys before it are turned.
    pub(super) fn take_outgrown(&mut self) -> Vec<Row> {
        let mut outgrown = Vec::new();
        for member in &mut self.members {
            let leaves = |row: &mut Row| self.backbone.outgrows_cache(row.seen, row.seen + 1);
            outgrown.extend(member.rows.extract_if(.., leaves));
        }
        self.is_changed |= !outgrown.is_empty();
        for row in &mut outgrown {
            row.place = Place::Waiting;
        }
        outgrown
    }

    /// Takes in the next token of every row. `take` is shown each row with the logits
    /// `[vocabulary]` behind it and decides whether it goes on.
    pub(super) fn step(
        &mut self,
        take: &mut dyn FnMut(&mut Row, &Tensor) -> Result<Further>,
    ) -> Result<()> {
        self.arrange()?;
        if self.live() == 0 {
            return Ok(());
        }
        let logits = self.run()?;
        let mut number = 0;
        for member in &mut self.members {
            for mut row in std::mem::take(&mut member.rows) {
                row.seen += 1;
                match take(&mut row, &logits.get(number)?)? {
                    Further::GoesOn => member.rows.push(row),
                    Further::Ended => self.is_changed = true,
                }
                number += 1;
            }
        }
        Ok(())
    }

    /// Brings the caches of all rows together, so that row follows row and all end at the same place.
    fn arrange(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.is_changed) {
            return Ok(());
        }
        let rows = { self.members.iter() }.flat_map(|member| &member.rows);
        let sources: Vec<CachedRow<'_>> = rows
            .map(|row| row.lies(0, |prefill, _| &prefill.cache))
            .collect();
        let tokens = { sources.iter() }.map(|row| row.tokens).max().unwrap_or(0);
        self.cache.rearrange(&sources, tokens)?;
        let mut number = 0;
        for member in &mut self.members {
            let Member {
                side, cache, first, ..
            } = member;
            if side.is_some() {
                let sources: Vec<CachedRow<'_>> = { member.rows.iter() }
                    .map(|row| row.lies(*first, |prefill, place| &prefill.sides[place].cache))
                    .collect();
                cache.rearrange(&sources, tokens)?;
            }
            *first = number;
            for row in &mut member.rows {
                row.place = Place::Batch(number);
                number += 1;
            }
        }
        Ok(())
    }

    /// Logits `[rows, vocabulary]` behind the next token of each row.
    fn run(&mut self) -> Result<Tensor> {
        let held = self.cache.tokens();
        let rows = || self.members.iter().flat_map(|member| &member.rows);
        let ids: Vec<u32> = rows().map(|row| row.next).collect();
        let positions: Vec<u32> = rows().map(|row| row.seen as u32).collect();
        let first_visible: Vec<u32> = rows().map(|row| (held - row.seen) as u32).collect();
        let input = TokenInput {
            ids: &ids,
            positions: &positions,
            first_visible: &first_visible,
            batch: ids.len(),
            seq: 1,
        };
        let beside = self.members.iter_mut().filter_map(|member| {
            let rows = member.first..member.first + member.rows.len();
            Some(Beside {
                side: member.side.filter(|_| !rows.is_empty())?,
                cache: &mut member.cache,
                rows,
            })
        });
        let beside: Vec<Beside<'_>> = beside.collect();
        let (hidden, outputs) =
            run_beside(self.backbone, input, &mut self.cache, self.lora, beside)?;
        let mut outputs = outputs.into_iter();
        let mut parts = Vec::with_capacity(self.members.len());
        for member in self.members.iter().filter(|member| !member.rows.is_empty()) {
            let own = hidden.narrow(0, member.first, member.rows.len())?;
            parts.push(
                match (member.side, member.side.and_then(|_| outputs.next())) {
                    (Some((network, _)), Some(output)) => network.upsample(&own, &output)?,
                    _ => own,
                },
            );
        }
        self.backbone.logits(&cat_rows(&parts)?)
    }
}

impl Row {
    /// Where its tokens lie in the caches of a pass, or of a variant whose first row there is `first`.
    fn lies(&self, first: usize, of: impl Fn(&Prefill, usize) -> &KvCache) -> CachedRow<'_> {
        match &self.place {
            Place::Prefill(prefill, place) => CachedRow {
                from: Some(of(prefill, *place)),
                row: 0,
                tokens: self.seen,
            },
            Place::Batch(row) => CachedRow {
                from: None,
                row: row - first,
                tokens: self.seen,
            },
            // Not in a cache: bringing it together with others is refused.
            Place::Waiting => CachedRow {
                from: None,
                row: usize::MAX,
                tokens: self.seen,
            },
        }
    }
}
