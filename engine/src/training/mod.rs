//! From a run config to a trained adapter: the plan, the loop, the optimizer, checkpoints.

pub mod check;
pub mod checkpoint;
pub mod estimate;
pub mod evaluation;
pub mod example_stream;
pub mod held_out_answers;
pub mod loss_scale;
pub mod lr_schedule;
pub mod optimizer;
pub mod plan;
pub mod progress;
pub mod rehearsal;
mod run_data;
pub mod run_folder;
mod run_memory;
pub mod run_rows;
mod start;
pub(crate) mod status_file;
pub mod stop_flag;
pub mod trainer;

pub(crate) use run_data::data_sources;
pub use start::{RunTarget, start};
pub use trainer::RunOutcome;

use crate::adapters::targets::TargetedInput;
use crate::datasets::batch::TokenBatch;
use crate::models::decoder::TokenInput;

/// A micro-batch as an adapter takes it.
pub fn targeted_input(batch: &TokenBatch) -> TargetedInput<'_> {
    TargetedInput {
        tokens: TokenInput {
            ids: &batch.ids,
            positions: &batch.positions,
            first_visible: &batch.first_visible,
            batch: batch.batch,
            seq: batch.seq,
        },
        target_rows: &batch.target_rows,
        target_ids: &batch.target_ids,
    }
}
