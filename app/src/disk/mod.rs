//! What the window reads and writes itself: run folders, models of its own, comparisons,
//! conversations, settings. On a thread of its own, so that no
//! frame waits for a disk.

pub mod comparisons;
pub mod conversations;
pub mod dropped;
pub mod metrics;
pub mod model_changes;
pub mod run_changes;
pub mod runs;
pub mod samples;
pub mod settings;

mod json;
mod json_lines;

use crate::state::runs::{DiskAnswer, DiskRequest};
use crate::text::visible;
use crate::words::disk::file_unreadable;

/// Does what is asked.
pub fn answer(request: DiskRequest) -> DiskAnswer {
    match request {
        DiskRequest::LookAt(paths) => DiskAnswer::LookedAt(dropped::look_at(paths)),
        DiskRequest::DeleteModel { model, folder } => DiskAnswer::ModelDeleted {
            result: model_changes::delete(&model, &folder),
            model,
        },
        DiskRequest::ListRuns { folder, ours } => {
            DiskAnswer::Runs(Box::new(runs::list(&folder, &ours)))
        }
        DiskRequest::SetAside { folder, configs } => {
            DiskAnswer::Done(run_changes::set_aside(&folder, &configs))
        }
        DiskRequest::ReadFigures { run, from } => {
            let found = metrics::read(&run, from);
            DiskAnswer::Figures {
                found: found
                    .map(Box::new)
                    .map_err(|error| file_unreadable(metrics::NAME, &visible(&error.to_string()))),
                run,
            }
        }
        DiskRequest::ReadAnswers { run, from } => {
            let found = samples::read(&run, from);
            DiskAnswer::Answers {
                found: found
                    .map(Box::new)
                    .map_err(|error| file_unreadable(samples::NAME, &visible(&error.to_string()))),
                run,
            }
        }
        DiskRequest::ReadDetails(run) => DiskAnswer::Details {
            found: Box::new(runs::details(&run)),
            run,
        },
        DiskRequest::RenameRun { run, name } => DiskAnswer::Renamed {
            result: run_changes::rename(&run, &name),
            run,
        },
        DiskRequest::Conversations(request) => {
            DiskAnswer::Conversations(conversations::answer(request))
        }
        DiskRequest::Comparisons(request) => DiskAnswer::Comparisons(comparisons::answer(request)),
        DiskRequest::DeleteRun { run, folder } => DiskAnswer::Deleted {
            result: run_changes::delete(&run, &folder),
            run,
        },
    }
}
