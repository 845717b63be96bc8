//! What workers and the disk say of runs.

use std::path::{Path, PathBuf};

use stepladder_protocol::{Event, JobId};

use super::answers::{Answers, AnswersRead, FileRead};
use super::figures::Figures;
use super::live::{End, LiveRun, Stage};
use super::run::{Loaded, Run, RunKey};
use super::stored::{Details, FiguresRead};
use super::{DiskAnswer, DiskRequest, JOBS, Runs};
use crate::state::Effect;

impl Runs {
    /// Takes an event of a run, or of an export.
    pub fn hear(&mut self, job: &JobId, event: Event, now: f64, effects: &mut Vec<Effect>) {
        self.now = now;
        if job.0.starts_with(&format!("{JOBS}/export/")) {
            if let Some(export) = &mut self.export {
                export.hear(job, event);
            }
            return;
        }
        let Some(run) = self.run_of(job) else {
            return;
        };
        let key = run.key;
        match &event {
            Event::Step(row) => {
                if let Loaded::Yes(figures) = &mut run.figures {
                    figures.push(row);
                }
                if let Some(loss) = row.loss {
                    let course = self.courses.entry(key).or_default();
                    if course.take(loss) {
                        let points = course.points().to_vec();
                        if let Some(run) = self.run_mut(key) {
                            run.sparkline = points;
                        }
                    }
                }
            }
            Event::Evaluation(row) => {
                if let Loaded::Yes(figures) = &mut run.figures {
                    figures.push_evaluation(row);
                }
            }
            Event::Started(started) => {
                if let Loaded::Yes(figures) = &mut run.figures {
                    figures.cut_back_to(started.first_step);
                }
                run.answers.cut_back_to(started.first_step);
            }
            Event::Sample(row) => run.answers.take(row.clone()),
            _ => {}
        }
        if let (Event::Started(_), Some(run)) = (&event, self.run(key))
            && let (Some(folder), true) = (&run.folder, self.view.shows(key))
        {
            // Its dataset's account lies there now.
            effects.push(Effect::Disk(DiskRequest::ReadDetails(folder.clone())));
        }
        let Some(live) = self.run_of(job).and_then(|run| run.live.as_mut()) else {
            return;
        };
        let was_on = live.is_on();
        let stood = std::mem::discriminant(&live.stage);
        live.hear(&event, now);
        let ended = was_on && !live.is_on();
        let moved = stood != std::mem::discriminant(&live.stage);
        if ended {
            self.ended(key, effects);
        } else if moved || matches!(event, Event::Evaluation(_)) {
            self.sort();
        }
    }

    /// A run of this window has ended.
    pub(super) fn ended(&mut self, key: RunKey, effects: &mut Vec<Effect>) {
        self.make_way(key, effects);
        let is_shown = self.view.shows(key);
        if let Some(run) = self.run_mut(key) {
            let end = match run.live.as_ref().map(|live| &live.stage) {
                Some(Stage::Ended(end)) => end.clone(),
                _ => return,
            };
            match (end, run.stored.is_some()) {
                // It never began, and nothing of it is on disk.
                (End::Withdrawn, false) => self.runs.retain(|run| run.key != key),
                (End::Withdrawn, true) => run.live = None,
                _ => {
                    // Events leave steps out that the file has.
                    if let (true, Some(folder)) = (is_shown, run.folder.clone()) {
                        effects.push(Effect::Disk(DiskRequest::ReadFigures {
                            run: folder.clone(),
                            from: 0,
                        }));
                        effects.push(Effect::Disk(DiskRequest::ReadDetails(folder)));
                    }
                }
            }
            self.courses.remove(&key);
        }
        self.sort();
        self.list(effects);
    }

    /// A run has its folder.
    pub fn training_in(&mut self, job: &JobId, folder: PathBuf) {
        if let Some(run) = self.run_of(job) {
            run.lies_in(&folder);
            let key = run.key;
            // The list may have been read in between.
            self.runs.retain(|run| {
                run.key == key || run.is_on() || run.folder.as_deref() != Some(&*folder)
            });
        }
    }

    /// Takes an answer of the disk; gives what the user should know.
    pub fn disk(&mut self, answer: DiskAnswer, effects: &mut Vec<Effect>) -> Option<String> {
        match answer {
            DiskAnswer::Done(done) => return done.err(),
            // Other pages take them.
            DiskAnswer::LookedAt(_)
            | DiskAnswer::ModelDeleted { .. }
            | DiskAnswer::Conversations(_)
            | DiskAnswer::Comparisons(_) => {}
            DiskAnswer::Runs(listing) => self.take_listing(*listing, effects),
            DiskAnswer::Figures { run, found } => self.figures_read(&run, found),
            DiskAnswer::Answers { run, found } => self.answers_read(&run, found),
            DiskAnswer::Details { run, found } => self.details_read(&run, *found),
            DiskAnswer::Renamed { run, result } => self.renamed(&run, result, effects),
            DiskAnswer::Deleted { run, result } => {
                if let Err(problem) = result {
                    return Some(problem);
                }
                self.runs
                    .retain(|known| known.folder.as_deref() != Some(&*run));
                self.choose_something(effects);
                self.list(effects);
            }
        }
        None
    }

    fn lying_in(&mut self, folder: &Path) -> Option<&mut Run> {
        { self.runs.iter_mut() }.find(|run| run.folder.as_deref() == Some(folder))
    }

    fn figures_read(&mut self, folder: &Path, found: Result<Box<FiguresRead>, String>) {
        let view = &self.view;
        // Figures of a run that is on grow with its events, looked at or not.
        let shown = |run: &Run| view.shows(run.key) || run.is_on();
        let window = view.window;
        let run = { self.runs.iter_mut() }.find(|run| run.folder.as_deref() == Some(folder));
        let Some(run) = run.filter(|run| shown(run)) else {
            return;
        };
        match (found, &mut run.figures) {
            (Ok(read), Loaded::Yes(figures)) if read.from > 0 && read.from == run.read_to => {
                figures.append(&read.columns);
                run.read_to = read.to;
                run.damaged += read.damaged;
            }
            (Ok(read), _) if read.from > 0 => {}
            (Ok(read), _) => {
                let mut columns = read.columns;
                let on = run.live.as_ref().is_some_and(LiveRun::is_on);
                if let (true, Loaded::Yes(known)) = (on, &run.figures) {
                    // Events that came while the file was read.
                    let known = known.columns();
                    let last = columns.len().checked_sub(1).map(|row| columns.step(row));
                    let mut later = known.clone();
                    later.drop_until(last.unwrap_or(0));
                    columns.append(&later);
                }
                run.figures = Loaded::Yes(Box::new(Figures::new(columns, window)));
                run.read_to = read.to;
                run.damaged = read.damaged;
            }
            (Err(problem), Loaded::No | Loaded::Reading) => run.figures = Loaded::Failed(problem),
            // What is known is better than nothing.
            (Err(_), _) => {}
        }
    }

    fn answers_read(&mut self, folder: &Path, found: Result<Box<AnswersRead>, String>) {
        let view = &self.view;
        let run = { self.runs.iter_mut() }.find(|run| run.folder.as_deref() == Some(folder));
        // Answers of a run that is on grow with its events, looked at or not.
        let Some(run) = run.filter(|run| view.shows(run.key) || run.is_on()) else {
            return;
        };
        match found {
            Ok(read) => {
                // A file that is read from its beginning is all there is, unless more is told.
                if read.from == 0 && !run.is_on() {
                    run.answers = Answers::default();
                }
                run.answers.read(*read);
            }
            // What is known is better than nothing.
            Err(_) if run.answers.file == FileRead::Yes => {}
            Err(problem) => run.answers.file = FileRead::Failed(problem),
        }
    }

    fn details_read(&mut self, folder: &Path, found: Details) {
        if let Some(run) = self.lying_in(folder) {
            run.details = Some(found);
        }
    }

    fn renamed(
        &mut self,
        folder: &Path,
        result: Result<PathBuf, String>,
        effects: &mut Vec<Effect>,
    ) {
        match result {
            Ok(new) => {
                if let Some(run) = self.lying_in(folder) {
                    run.lies_in(&new);
                    if let Some(stored) = &mut run.stored {
                        stored.folder = new;
                    }
                }
                self.naming = None;
                self.list(effects);
            }
            Err(problem) => {
                if let Some(naming) = &mut self.naming {
                    naming.problem = Some(problem);
                }
            }
        }
    }
}
