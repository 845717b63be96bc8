//! What the user wants of runs: starting, pausing, keeping, resuming, renaming, deleting.

use stepladder_protocol::{Command, JobId, JobRef, RunConfig};

use super::answers::Answers;
use super::export::Export;
use super::figures::Figures;
use super::live::{LiveRun, Wish};
use super::run::{Loaded, Offer, Run, RunKey};
use super::view::ViewAction;
use super::{DiskRequest, JOBS, Naming, NamingAction, Runs};
use crate::state::{Desk, Effect};

impl Runs {
    /// Begins a run; it waits if another is on.
    pub fn start(&mut self, config: RunConfig, effects: &mut Vec<Effect>) {
        let key = self.new_key();
        let mut run = Run::new(key, config);
        let job = self.new_job();
        run.live = Some(LiveRun::new(job, self.now));
        run.answers = Answers::of_new_run();
        run.figures = Loaded::Yes(Box::new(Figures::new(Default::default(), self.view.window)));
        self.runs.insert(0, run);
        self.enqueue(key, effects);
        self.sort();
        self.view.ticked.clear();
        self.look(ViewAction::Choose(key), effects);
    }

    fn new_job(&mut self) -> JobId {
        self.jobs += 1;
        JobId::new(format!("{JOBS}/{}", self.jobs))
    }

    /// Does what a run offers, if it still does.
    pub(super) fn take_up(&mut self, key: RunKey, offer: Offer, effects: &mut Vec<Effect>) {
        let has_worker = self.at_work == Some(key);
        let Some(run) = self.run_mut(key).filter(|run| run.offers_to(offer)) else {
            return;
        };
        match offer {
            Offer::Withdraw if !has_worker => self.withdraw(key, effects),
            Offer::Withdraw | Offer::Pause => pause(run, effects),
            Offer::EndNow => {
                if let Some(live) = &mut run.live {
                    live.wish = Some(Wish::EndNow);
                }
                effects.push(Effect::KillWorker(Desk::Training));
            }
            Offer::Forget => {
                self.runs.retain(|run| run.key != key);
                self.choose_something(effects);
            }
            Offer::Keep => {
                if let Some(live) = &mut run.live {
                    live.wish = Some(Wish::Keep);
                    let keep = Command::Keep(JobRef {
                        job: live.job.clone(),
                    });
                    effects.push(Effect::Send(Desk::Training, Box::new(keep)));
                }
            }
            Offer::Resume => self.resume(key, effects),
            Offer::Retry => {
                let config = run.config.clone();
                self.start(config, effects);
            }
            Offer::Export => self.export = Some(Export::of(run)),
            Offer::Rename => {
                self.naming = Some(Naming {
                    key,
                    text: run.name.clone(),
                    problem: None,
                });
            }
            Offer::Delete => self.deleting = Some(key),
            // The window does these itself.
            Offer::AgainWithChanges | Offer::Show => {}
        }
    }

    fn resume(&mut self, key: RunKey, effects: &mut Vec<Effect>) {
        let job = self.new_job();
        let now = self.now;
        let Some(run) = self.run_mut(key) else {
            return;
        };
        // What was noted before stays to be read.
        let saved = run.has_checkpoint();
        let notes = run.live.take().map(|live| live.notes).unwrap_or_default();
        let best = run.stored.as_ref().and_then(|stored| stored.best);
        run.live = Some(LiveRun {
            notes,
            best,
            saved,
            ..LiveRun::new(job, now)
        });
        self.enqueue(key, effects);
        self.sort();
        self.look(ViewAction::Choose(key), effects);
    }

    /// Asks every run that is on to pause, and keeps those that wait.
    pub(super) fn pause_all(&mut self, effects: &mut Vec<Effect>) {
        self.set_queue_aside(effects);
        self.paused_together.clear();
        for run in self.runs.iter_mut().filter(|run| run.is_on()) {
            self.paused_together.push(run.key);
            pause(run, effects);
        }
    }

    /// Takes what is typed as a name.
    pub(super) fn name(&mut self, action: NamingAction, effects: &mut Vec<Effect>) {
        let Some(naming) = &mut self.naming else {
            return;
        };
        match action {
            NamingAction::Typed(text) => {
                naming.text = text;
                naming.problem = None;
            }
            NamingAction::Never => self.naming = None,
            NamingAction::Done => {
                let (key, name) = (naming.key, naming.text.trim().to_owned());
                let run = self.run(key).filter(|run| run.offers_to(Offer::Rename));
                match run {
                    Some(run) if run.name != name => {
                        if let Some(folder) = run.folder.clone() {
                            let request = DiskRequest::RenameRun { run: folder, name };
                            effects.push(Effect::Disk(request));
                        }
                    }
                    _ => self.naming = None,
                }
            }
        }
    }

    /// Moves the run that the user was asked about to the bin.
    pub(super) fn delete(&mut self, effects: &mut Vec<Effect>) {
        let key = self.deleting.take();
        let run = key.and_then(|key| self.run(key));
        if let Some(run) = run.filter(|run| run.offers_to(Offer::Delete))
            && let (Some(run), Some(folder)) = (&run.folder, &self.folder)
        {
            effects.push(Effect::Disk(DiskRequest::DeleteRun {
                run: run.clone(),
                folder: folder.clone(),
            }));
        }
    }
}

fn pause(run: &mut Run, effects: &mut Vec<Effect>) {
    if let Some(live) = &mut run.live {
        live.wish = Some(Wish::Pause);
        let stop = Command::Stop(JobRef {
            job: live.job.clone(),
        });
        effects.push(Effect::Send(Desk::Training, Box::new(stop)));
    }
}
