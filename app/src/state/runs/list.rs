//! The list of runs: what lies on disk beside what goes on, in order, the best of each dataset marked.

use std::collections::HashMap;

use super::run::Run;
use super::stored::Listing;
use super::view::ViewAction;
use super::{DiskRequest, Runs};
use crate::state::Effect;

/// A status is stamped in whole seconds, a moment before its end is heard of.
const CLOCKS_APART_SECS: f64 = 5.0;

impl Runs {
    /// Asks the disk for the list.
    pub(super) fn list(&mut self, effects: &mut Vec<Effect>) {
        let Some(folder) = self.folder.clone() else {
            self.listed = true;
            return;
        };
        let ours = { self.runs.iter() }
            .filter(|run| run.is_on())
            .filter_map(|run| run.folder.clone())
            .collect();
        effects.push(Effect::Disk(DiskRequest::ListRuns { folder, ours }));
    }

    /// Takes the list.
    pub(super) fn take_listing(&mut self, listing: Listing, effects: &mut Vec<Effect>) {
        if self.folder.as_ref() != Some(&listing.folder) {
            return;
        }
        self.listed = true;
        self.unreadable = listing.unreadable;
        self.left_out = listing.left_out;
        self.problem = listing.problem;
        let mut known: HashMap<_, Run> = HashMap::new();
        let mut runs = Vec::new();
        for run in std::mem::take(&mut self.runs) {
            match (&run.folder, run.is_on()) {
                (Some(folder), false) => {
                    known.insert(folder.clone(), run);
                }
                // Goes on, or failed before it had a folder: no file tells of it.
                _ => runs.push(run),
            }
        }
        for stored in listing.runs {
            let on = { runs.iter_mut() }
                .find(|run| run.is_on() && run.folder.as_ref() == Some(&stored.folder));
            if let Some(run) = on {
                run.stored = Some(stored);
                continue;
            }
            let mut run = match known.remove(&stored.folder) {
                Some(run) => run,
                None => {
                    let mut run = Run::new(self.new_key(), stored.config.clone());
                    run.lies_in(&stored.folder);
                    run
                }
            };
            run.sparkline.clone_from(&stored.sparkline);
            // Another program took the run on since it ended here.
            let since = { run.live.as_ref() }
                .and_then(|live| live.notes.back())
                .is_some_and(|last| stored.written_at > last.at + CLOCKS_APART_SECS);
            if stored.in_use || since {
                run.live = None;
            }
            run.stored = Some(stored);
            runs.push(run);
        }
        // A run that failed early leaves no folder, but what happened has to be told.
        runs.extend(
            known
                .into_values()
                .filter(|run| run.live.is_some() && run.stored.is_none()),
        );
        self.runs = runs;
        self.sort();
        self.choose_something(effects);
        self.load_what_is_shown(effects);
    }

    /// Forgets views of runs that are gone, and looks at the first if at none.
    pub(super) fn choose_something(&mut self, effects: &mut Vec<Effect>) {
        let there: Vec<_> = self.runs.iter().map(|run| run.key).collect();
        self.view.ticked.retain(|key| there.contains(key));
        let chosen = self.view.chosen.filter(|key| there.contains(key));
        if chosen.is_none() {
            self.view.chosen = None;
            if let Some(first) = there.first() {
                self.look(ViewAction::Choose(*first), effects);
            }
        }
    }

    /// Runs that are on first, in the order they will run; then the latest.
    pub(super) fn sort(&mut self) {
        let order = |run: &Run| match run.is_on() {
            true => (0, { run.live.as_ref() }.map_or(0.0, |live| live.asked_at)),
            false => (1, -run.time()),
        };
        self.runs.sort_by(|one, other| {
            let ((one_on, one_at), (other_on, other_at)) = (order(one), order(other));
            { one_on.cmp(&other_on) }.then(one_at.total_cmp(&other_at))
        });
        self.mark_best();
    }

    /// Marks the lowest loss of each dataset that more than one run was made with.
    fn mark_best(&mut self) {
        // Losses can be compared where the same tokens of the same examples were predicted.
        let dataset = |run: &Run| {
            let config = &run.config;
            let examples = (&config.data, &config.data_options, config.held_out_fraction);
            format!("{:?} {examples:?} {:?}", config.model, config.context)
        };
        let mut best: HashMap<String, (f64, usize)> = HashMap::new();
        for run in &self.runs {
            if let Some(loss) = run.best() {
                let entry = best.entry(dataset(run)).or_insert((f64::INFINITY, 0));
                *entry = (entry.0.min(loss), entry.1 + 1);
            }
        }
        for run in &mut self.runs {
            run.is_best = run.best().is_some_and(|loss| {
                { best.get(&dataset(run)) }
                    .is_some_and(|(lowest, runs)| *runs > 1 && loss <= *lowest)
            });
        }
    }
}
