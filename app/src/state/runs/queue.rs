//! Runs wait for each other here, not in a worker: each is trained by a process of its own, so that
//! what one did (its threads, its memory, how it ended) is never another's.

use super::live::{End, Stage};
use super::run::{Run, RunKey};
use super::{DiskRequest, Runs};
use crate::state::{Desk, Effect};

impl Runs {
    /// Lets a run wait for its turn, which comes at once if nothing is trained.
    pub(super) fn enqueue(&mut self, key: RunKey, effects: &mut Vec<Effect>) {
        self.queue.push_back(key);
        self.advance(effects);
    }

    /// Begins with the next run, unless one is at work.
    fn advance(&mut self, effects: &mut Vec<Effect>) {
        while self.at_work.is_none()
            && let Some(key) = self.queue.pop_front()
        {
            let Some(run) = self.run(key) else {
                continue;
            };
            let Some(live) = &run.live else {
                continue;
            };
            effects.push(Effect::Train {
                job: live.job.clone(),
                config: Box::new(run.config.clone()),
                // A new run gets its folder when it begins.
                resume: run.folder.clone(),
            });
            self.at_work = Some(key);
        }
        for (place, key) in self.queue.clone().into_iter().enumerate() {
            if let Some(live) = self.run_mut(key).and_then(|run| run.live.as_mut()) {
                live.stage = Stage::Queued { ahead: place + 1 };
            }
        }
    }

    /// A run has ended: its process goes, and the next run gets one.
    pub(super) fn make_way(&mut self, key: RunKey, effects: &mut Vec<Effect>) {
        self.queue.retain(|waiting| *waiting != key);
        if self.at_work == Some(key) {
            self.at_work = None;
            effects.push(Effect::EndWorker(Desk::Training));
        }
        self.advance(effects);
    }

    /// Takes a run that waits out of the queue; gives the job that has thereby ended.
    pub(super) fn withdraw(&mut self, key: RunKey, effects: &mut Vec<Effect>) {
        if let Some(live) = self.run_mut(key).and_then(|run| run.live.as_mut()) {
            let now = live.asked_at;
            live.end(End::Withdrawn, now);
            self.ended(key, effects);
        }
    }

    /// Lays the runs that wait on disk, where they are found as paused.
    pub(super) fn set_queue_aside(&mut self, effects: &mut Vec<Effect>) {
        let keys: Vec<RunKey> = self.queue.iter().copied().collect();
        let is_new = |run: &&Run| run.folder.is_none();
        let configs: Vec<_> = { keys.iter() }
            .filter_map(|key| self.run(*key))
            .filter(is_new)
            .map(|run| run.config.clone())
            .collect();
        for key in keys.into_iter().rev() {
            self.withdraw(key, effects);
        }
        if let (Some(folder), false) = (&self.folder, configs.is_empty()) {
            let folder = folder.clone();
            effects.push(Effect::Disk(DiskRequest::SetAside { folder, configs }));
        }
    }
}
