//! How far the weights of a model are loaded: told after each tensor, so that a long load can be
//! followed and stopped.

use std::cell::RefCell;
use std::ops::ControlFlow;

use super::checkpoint::Checkpoint;
use crate::{Error, Result};

/// Bytes of weights, as they are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadedBytes {
    /// Read so far, and quantized where they are to be.
    pub done: u64,
    /// All there are.
    pub total: u64,
}

/// Whoever listens to a load; a break ends it.
pub type Told<'a> = &'a mut dyn FnMut(LoadedBytes) -> ControlFlow<()>;

/// One load under way. Its parts look weights up side by side, so it counts behind a shared reference.
pub(super) struct Loading<'a> {
    state: RefCell<(LoadedBytes, Told<'a>)>,
}

impl<'a> Loading<'a> {
    /// Of this checkpoint, nothing loaded yet.
    pub(super) fn begin(checkpoint: &Checkpoint, told: Told<'a>) -> Result<Self> {
        let so_far = LoadedBytes {
            done: 0,
            total: checkpoint.total_bytes(),
        };
        let loading = Self {
            state: RefCell::new((so_far, told)),
        };
        loading.loaded(0)?;
        Ok(loading)
    }

    /// So many bytes more were loaded.
    ///
    /// # Errors
    /// When the load is to end.
    pub(super) fn loaded(&self, bytes: usize) -> Result<()> {
        let (so_far, told) = &mut *self.state.borrow_mut();
        so_far.done = so_far.done.saturating_add(bytes as u64).min(so_far.total);
        match told(*so_far) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Stopped),
        }
    }

    /// All is loaded, tensors that the model does not use included.
    ///
    /// # Errors
    /// When the load is to end.
    pub(super) fn finish(&self) -> Result<()> {
        self.loaded(usize::MAX)
    }
}
