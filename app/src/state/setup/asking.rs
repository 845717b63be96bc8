//! What the page asks the engine, and what it does with the answers.

use stepladder_protocol::{
    Command, EstimateCommand, Event, Finished, InspectCommand, JobId, RunConfig, Switch,
};

use super::super::Effect;
use super::Setup;
use super::dataset::DataAsked;
use super::memory::{METHODS, relevant};
use super::question::Change;
use super::wrong::contradictions;
use crate::words;

impl Setup {
    /// Compares what is on the page with what was asked.
    pub(super) fn changed(&mut self, effects: &mut Vec<Effect>) {
        self.contradictions = contradictions(&self.config, self.model.info.as_ref());
        self.about_model.should_be(&self.config.model, effects);
        match self.about_data.should_be(&self.data_asked(), effects) {
            Change::No => {}
            Change::Other => {
                self.about_rows.stop(effects);
                self.dataset.outdated = true;
                self.dataset.reading = None;
                self.examples.stay();
            }
            // What could not be read, or not to its end, still is of what was there before.
            Change::Back => {
                let dataset = &mut self.dataset;
                dataset.outdated = dataset.problem.is_some() || dataset.canceled;
            }
        }
        self.about_memory.should_be(&self.memory_asked(), effects);
        self.dataset.sort(&self.config);
        self.memory.look_for_ways_out(&self.config);
    }

    fn data_asked(&self) -> DataAsked {
        DataAsked::of(&self.config, self.model.problem.is_none())
    }

    fn memory_asked(&self) -> RunConfig {
        let relevant = relevant(&self.config);
        RunConfig {
            device: self.device.clone(),
            threads: self.threads,
            context: self.longest_row().or(relevant.context),
            ..relevant
        }
    }

    /// Tokens of the longest row that is trained on, where that is known to be less than the context:
    /// more than it takes is not to be planned for.
    pub fn longest_row(&self) -> Option<usize> {
        let preview = self.dataset.preview.as_ref()?;
        let lengths = preview.lengths.as_ref()?;
        let is_known = preview.complete && !self.dataset.outdated;
        let is_packed = self.config.data_options.packing == Switch::On;
        (is_known && !is_packed && lengths.longest > 0 && lengths.longest < lengths.context)
            .then_some(lengths.longest)
    }

    /// Asks again for everything that failed or was broken off.
    pub(super) fn ask_again(&mut self) {
        if self.model.problem.is_some() {
            self.about_model.again();
        }
        if self.dataset.problem.is_some() || self.dataset.canceled {
            self.about_data.again();
        }
        if self.memory.problem.is_some() {
            self.about_memory.again();
        }
    }

    /// Asks the engine what has changed long enough ago.
    pub fn tick(&mut self, now: f64, effects: &mut Vec<Effect>) {
        if self.about_model.is_due(now) {
            self.ask_about_model(effects);
        }
        if self.about_memory.is_due(now) {
            self.ask_about_memory(effects);
        }
        if self.about_data.is_due(now) {
            self.ask_about_data(effects);
        }
    }

    /// Seconds until [`Self::tick`] may have something to do.
    pub fn next_tick_secs(&self, now: f64) -> f64 {
        let model = self.about_model.next_tick_secs(now);
        let memory = self.about_memory.next_tick_secs(now);
        model.min(memory).min(self.about_data.next_tick_secs(now))
    }

    pub(super) fn ask_about_model(&mut self, effects: &mut Vec<Effect>) {
        self.model.info = None;
        self.model.problem = None;
        let model = self.config.model.clone();
        if model.is_empty() {
            return self.about_model.settle(model);
        }
        let command = |job| {
            Command::Inspect(InspectCommand {
                job,
                target: model.clone(),
                more: Vec::new(),
                model: None,
                show: None,
                from: None,
                context: None,
                data_options: None,
                held_out_fraction: None,
                hash: false,
            })
        };
        self.about_model.ask(model.clone(), command, effects);
    }

    pub(super) fn ask_about_memory(&mut self, effects: &mut Vec<Effect>) {
        let asked = self.memory_asked();
        if asked.model.is_empty() {
            self.memory.report = None;
            return self.about_memory.settle(asked);
        }
        let memory_bytes = asked.memory_bytes;
        let mut config = asked.clone();
        if let (Some(_), "auto", Some(report)) =
            (memory_bytes, asked.device.as_str(), &self.memory.report)
        {
            // A memory that is named without a device would be taken for a card's.
            config.device.clone_from(&report.device);
        }
        let command = |job| {
            Command::Estimate(Box::new(EstimateCommand {
                job,
                config,
                methods: METHODS.to_vec(),
                memory_bytes,
                other_programs_bytes: None,
            }))
        };
        self.about_memory.ask(asked, command, effects);
    }

    pub(super) fn ask_about_data(&mut self, effects: &mut Vec<Effect>) {
        self.about_rows.stop(effects);
        self.dataset.problem = None;
        self.dataset.reading = None;
        self.dataset.canceled = false;
        let asked = self.data_asked();
        let rows = self.examples.rows_to_ask();
        match inspect(&asked, self.examples.from, rows) {
            Some(command) => self.about_data.ask(asked, command, effects),
            None => {
                self.dataset.preview = None;
                self.examples.restart();
                self.about_data.settle(asked);
            }
        }
    }

    pub(super) fn ask_for_rows(&mut self, effects: &mut Vec<Effect>) {
        let asked = self.data_asked();
        let from = self.examples.from;
        if let Some(command) = inspect(&asked, from, self.examples.rows_to_ask()) {
            self.about_rows.ask((asked, from), command, effects);
        }
    }

    /// Takes an event of one of its jobs; those of outdated jobs are of no use.
    pub fn hear(&mut self, job: &JobId, event: Event, effects: &mut Vec<Effect>) {
        if self.about_model.is_latest(job) {
            self.hear_of_model(event, effects);
        } else if self.about_data.is_latest(job) {
            self.hear_of_data(event, effects);
        } else if self.about_rows.is_latest(job) {
            match event {
                Event::Preview(preview) => {
                    self.examples.arrived(&preview);
                    // The rows are here, and their account is known.
                    self.about_rows.stop(effects);
                }
                event if event.ends_job() || matches!(event, Event::Rejected(_)) => {
                    self.about_rows.ended();
                }
                _ => {}
            }
        } else if self.about_memory.is_latest(job) {
            self.hear_of_memory(event);
        }
    }

    fn hear_of_model(&mut self, event: Event, effects: &mut Vec<Effect>) {
        match event {
            Event::Finished(Finished::Model(info)) => {
                self.model.info = Some(info);
                self.model.problem = None;
            }
            Event::Failed(problem) | Event::Rejected(problem) => self.model.problem = Some(problem),
            Event::Finished(_) => self.model.problem = Some(words::fine_tune::no_model()),
            Event::Stopped { .. } => {}
            _ => return,
        }
        self.about_model.ended();
        self.changed(effects);
    }

    fn hear_of_data(&mut self, event: Event, effects: &mut Vec<Effect>) {
        match event {
            Event::Preview(preview) => {
                self.examples.arrived(&preview);
                self.dataset.found(*preview, &self.config);
                return;
            }
            Event::Reading(progress) => {
                self.dataset.reading = Some(progress);
                return;
            }
            Event::Finished(Finished::Dataset(preview)) => {
                self.dataset.found(*preview, &self.config);
            }
            Event::Failed(problem) | Event::Rejected(problem) => {
                self.dataset.problem = Some(problem);
            }
            Event::Finished(_) | Event::Stopped { .. } => {}
            _ => return,
        }
        self.dataset.reading = None;
        self.about_data.ended();
        // How long its rows are is known now, and with it what they take.
        self.changed(effects);
    }

    fn hear_of_memory(&mut self, event: Event) {
        match event {
            Event::Finished(Finished::Memory(report)) => {
                self.memory.report = Some(report);
                self.memory.problem = None;
            }
            Event::Failed(problem) | Event::Rejected(problem) => {
                self.memory.report = None;
                self.memory.problem = Some(problem);
            }
            Event::Finished(_) | Event::Stopped { .. } => {}
            _ => return,
        }
        self.about_memory.ended();
        self.memory.look_for_ways_out(&self.config);
    }
}

/// The question for a dataset, or for some rows of it; none without one.
fn inspect(
    asked: &DataAsked,
    from: usize,
    rows: usize,
) -> Option<impl FnOnce(JobId) -> Command + use<>> {
    let (target, more) = asked.data.split_first()?;
    let (target, more, asked) = (target.clone(), more.to_vec(), asked.clone());
    Some(move |job| {
        Command::Inspect(InspectCommand {
            job,
            target,
            more,
            model: asked.model,
            show: Some(rows),
            from: Some(from),
            context: asked.context,
            data_options: Some(asked.options),
            held_out_fraction: Some(asked.held_out_fraction),
            hash: false,
        })
    })
}
