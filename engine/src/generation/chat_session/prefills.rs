//! What the last conversation left behind, so that the next variant asked the same need not read it
//! again, nor the next turn what was said before. The base model and every side network that is
//! loaded share one pass of the backbone; each low-rank addition has its own.

use std::collections::BTreeMap;

use candle_core::Tensor;

use super::super::beside::SideInUse;
use super::super::generator::{AdapterInUse, Generator};
use super::super::prefill::{Prefill, Readers};
use crate::Result;
use crate::models::decoder::Decoder;

/// An adapter of the session, and the number it was given when it was loaded.
pub(super) type Numbered<'a> = (usize, AdapterInUse<'a>);

/// Prefills of one session.
#[derive(Default)]
pub(super) struct Prefills {
    /// Of the backbone, and the numbers of the side networks that read it too.
    shared: Option<(Vec<usize>, Prefill)>,
    /// Of low-rank additions, by their numbers.
    of_loras: BTreeMap<usize, Prefill>,
}

impl Prefills {
    /// A generator that has seen the prompt `ids`, and the logits behind it. `chosen` answers, which
    /// is one of the session's `adapters` or the base model.
    pub(super) fn take_in<'a>(
        &mut self,
        backbone: &'a Decoder,
        adapters: &[Numbered<'a>],
        chosen: Option<Numbered<'a>>,
        ids: &[u32],
    ) -> Result<(Generator<'a>, Tensor)> {
        let is_loaded = |number: usize| adapters.iter().any(|(other, _)| *other == number);
        self.of_loras.retain(|number, _| is_loaded(*number));
        let adapter = chosen.map(|(_, adapter)| adapter);
        let (prefill, place) = match chosen {
            Some((number, AdapterInUse::Lora(lora))) => {
                let readers = Readers::Lora(lora);
                let empty = || Prefill::empty(backbone, readers);
                let prefill = self.of_loras.entry(number).or_insert_with(empty);
                prefill.move_to(backbone, readers, ids)?;
                (prefill, 0)
            }
            other => self.share(backbone, adapters, other.map(|(number, _)| number), ids)?,
        };
        Generator::after(backbone, adapter, prefill, place)
    }

    /// The prefill of the backbone, and where the chosen side network stands among its readers.
    fn share(
        &mut self,
        backbone: &Decoder,
        adapters: &[Numbered<'_>],
        chosen: Option<usize>,
        ids: &[u32],
    ) -> Result<(&mut Prefill, usize)> {
        let mut loaded: Vec<(usize, SideInUse<'_>)> = { adapters.iter() }
            .filter_map(|(number, adapter)| Some((*number, adapter.side()?)))
            .collect();
        loaded.sort_by_key(|(number, _)| *number);
        let (numbers, sides): (Vec<usize>, Vec<SideInUse<'_>>) = loaded.into_iter().unzip();
        let readers = Readers::Sides(&sides);
        // A side network that was loaded later has not read what was said before.
        let known = self.shared.take().filter(|(known, prefill)| {
            let has_read = chosen.is_none_or(|number| known.contains(&number));
            *known == numbers || (prefill.ids() == ids && has_read)
        });
        let (numbers, mut prefill) =
            known.unwrap_or_else(|| (numbers, Prefill::empty(backbone, readers)));
        prefill.move_to(backbone, readers, ids)?;
        let place = numbers.iter().position(|number| Some(*number) == chosen);
        let (_, prefill) = self.shared.insert((numbers, prefill));
        Ok((prefill, place.unwrap_or(0)))
    }
}
