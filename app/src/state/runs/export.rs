//! Writing a run's adapter for elsewhere: the question, the job, and what came of it.

use std::path::PathBuf;

use stepladder_protocol::{
    Command, ErrorReport, Event, ExportCommand, ExportFormat, ExportReport, Finished, JobId, JobRef,
};

use super::JOBS;
use super::live::Progress;
use super::run::{Run, RunKey};
use crate::state::{Desk, Effect, Picker};

/// What the user did in the dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportAction {
    /// Chose a format.
    Format(ExportFormat),
    /// Asked for a dialog that chooses where it goes.
    PickFolder,
    /// Began.
    Begin,
    /// Closed it; what is being written is stopped.
    Close,
}

/// How far it has come.
#[derive(Clone, Debug, PartialEq)]
pub enum ExportStage {
    /// The user is asked.
    Asking,
    /// It is being written, and this far.
    Writing(JobId, Option<Progress>),
    /// It is there.
    Done(ExportReport),
    /// It is not.
    Failed(ErrorReport),
}

/// The dialog.
#[derive(Clone, Debug, PartialEq)]
pub struct Export {
    /// The run.
    pub key: RunKey,
    /// The format.
    pub format: ExportFormat,
    /// The folder that the new one is made in.
    pub folder: Option<PathBuf>,
    /// How far it has come.
    pub stage: ExportStage,
}

impl Export {
    /// Asks with the first format that the run's method gives.
    pub fn of(run: &Run) -> Self {
        let given = |format: &ExportFormat| format.is_given_by(run.config.method);
        Self {
            key: run.key,
            format: { ExportFormat::ALL.into_iter() }
                .find(given)
                .unwrap_or(ExportFormat::Adapter),
            folder: None,
            stage: ExportStage::Asking,
        }
    }

    /// The folder that is made.
    pub fn out(&self, run: &Run) -> Option<PathBuf> {
        let run_folder = run.folder.as_ref()?.file_name()?.to_string_lossy();
        let name = format!("{run_folder}-{}", self.format.name());
        Some(self.folder.as_ref()?.join(name))
    }

    /// Takes what the user did; gives whether the dialog stays open.
    pub fn act(
        &mut self,
        action: ExportAction,
        run: &Run,
        number: usize,
        effects: &mut Vec<Effect>,
    ) -> bool {
        match action {
            ExportAction::Format(format) if format.is_given_by(run.config.method) => {
                self.format = format;
                self.stage = ExportStage::Asking;
            }
            ExportAction::Format(_) => {}
            ExportAction::PickFolder => effects.push(Effect::Pick(Picker::ExportFolder)),
            ExportAction::Begin => {
                let (Some(adapter), Some(out)) = (run.folder.clone(), self.out(run)) else {
                    return true;
                };
                let job = JobId::new(format!("{JOBS}/export/{number}"));
                self.stage = ExportStage::Writing(job.clone(), None);
                let command = Command::Export(ExportCommand {
                    job,
                    adapter,
                    to: self.format,
                    out,
                });
                effects.push(Effect::Send(Desk::Looking, Box::new(command)));
            }
            ExportAction::Close => {
                if let ExportStage::Writing(job, _) = &self.stage {
                    let stop = Command::Stop(JobRef { job: job.clone() });
                    effects.push(Effect::Send(Desk::Looking, Box::new(stop)));
                }
                return false;
            }
        }
        true
    }

    /// Takes an event of its job; others are old.
    pub fn hear(&mut self, job: &JobId, event: Event) {
        let ExportStage::Writing(current, progress) = &mut self.stage else {
            return;
        };
        if current != job {
            return;
        }
        if let Event::Progress(so_far) = &event {
            *progress = Some(Progress::of(so_far));
        }
        self.stage = match event {
            Event::Finished(Finished::Export(report)) => ExportStage::Done(report),
            Event::Failed(problem) | Event::Rejected(problem) => ExportStage::Failed(problem),
            Event::Stopped { .. } => ExportStage::Asking,
            _ => return,
        };
    }
}
