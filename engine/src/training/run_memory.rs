//! A run's memory, planned and measured side by side. What the program held before the run's model
//! was loaded (the dataset, the tokenizer) is counted apart.

use stepladder_protocol::{MeasuredParts, RunConfig, RunMemory};

use super::estimate::{
    BatchShape, EstimatedModel, ReportRequest, estimate_resolved, parts, report,
};
use super::plan::ModelPlan;
use crate::device;
use crate::memory::{DeviceClass, MemoryPlan, probe};
use crate::models::model::ModelFiles;
use crate::ops::cpu::prepare_workers;
use crate::{Error, Result};

/// Plan and measurements of one run.
#[derive(Clone, Debug)]
pub struct MemoryWatch {
    plan: MemoryPlan,
    available_bytes: Option<u64>,
    /// Whether the limit was asked for, and not what happened to be free.
    limited: bool,
    program_bytes: u64,
    measured: MeasuredParts,
    /// What would fit instead.
    advice: String,
}

impl MemoryWatch {
    /// Plans, and begins to measure. Nothing of the run is loaded yet.
    ///
    /// # Errors
    /// When the run needs more memory than it may take, or than there is.
    pub fn begin(
        config: &RunConfig,
        resolved: &ModelPlan,
        files: &ModelFiles,
        shape: BatchShape,
    ) -> Result<Self> {
        let model = EstimatedModel::of_checkpoint(
            config.model.clone(),
            files.config.clone(),
            &files.checkpoint,
        )?;
        let class = DeviceClass::cpu(device::threads());
        let free = device::list()
            .devices
            .first()
            .map(|device| device.memory_free_bytes);
        let available_bytes = config.memory_bytes.or(free).filter(|bytes| *bytes > 0);
        let asked = RunConfig {
            context: Some(shape.seq),
            batch_size: shape.batch,
            ..config.clone()
        };
        let request = ReportRequest {
            config: &asked,
            methods: &[],
            device: class,
            memory_bytes: available_bytes,
            other_programs_bytes: 0,
        };
        let watch = Self {
            plan: estimate_resolved(config, resolved, &model, class, shape),
            available_bytes,
            limited: config.memory_bytes.is_some(),
            program_bytes: 0,
            measured: MeasuredParts::default(),
            advice: report(&model, request)?.advice.join(" "),
        };
        watch.refuse_more_than_available(watch.plan.total_bytes, "would need")?;
        drop(model);
        prepare_workers();
        probe::reset_peak();
        Ok(Self {
            program_bytes: probe::current_bytes(),
            ..watch
        })
    }

    /// What was allocated since the last part was told.
    fn since(&self) -> u64 {
        let MeasuredParts {
            weights,
            adapter,
            gradients,
            optimizer,
            ..
        } = self.measured;
        let told = self.program_bytes + weights + adapter + gradients + optimizer;
        probe::current_bytes().saturating_sub(told)
    }

    /// The backbone was loaded.
    pub fn weights_loaded(&mut self) {
        self.measured.weights = self.since();
    }

    /// The adapter was made.
    pub fn adapter_made(&mut self) {
        self.measured.adapter = self.since();
    }

    /// The optimizer was made.
    pub fn optimizer_made(&mut self) {
        self.measured.optimizer = self.since();
    }

    /// Room for gradients was made.
    pub fn gradients_made(&mut self) {
        self.measured.gradients = self.since();
    }

    /// Most bytes of the run at once, of this process; 0 where they are not counted.
    pub fn peak_bytes(&self) -> u64 {
        probe::peak_bytes().saturating_sub(self.program_bytes)
    }

    /// The plan's peak.
    pub fn planned_bytes(&self) -> u64 {
        self.plan.total_bytes
    }

    /// Refuses a run whose rehearsal took more than it may.
    ///
    /// # Errors
    /// Says what would fit.
    pub fn accept_rehearsal(&self, peak_bytes: u64) -> Result<()> {
        // What is free changes, and the rehearsal did fit; a limit was asked for.
        match self.limited {
            true => self.refuse_more_than_available(peak_bytes, "took"),
            false => Ok(()),
        }
    }

    fn refuse_more_than_available(&self, needed: u64, verb: &'static str) -> Result<()> {
        match self.available_bytes {
            Some(available) if needed > available => Err(Error::MemoryTooLittle {
                verb,
                needed,
                available,
                advice: self.advice.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// Both sides, with the highest peak so far (of earlier parts of a resumed run too).
    pub fn report(&self, peak_bytes: u64) -> RunMemory {
        let MeasuredParts {
            weights,
            adapter,
            gradients,
            optimizer,
            ..
        } = self.measured;
        let told = weights + adapter + gradients + optimizer;
        let measured = (peak_bytes > 0).then(|| MeasuredParts {
            rest: peak_bytes.saturating_sub(told),
            ..self.measured
        });
        RunMemory {
            estimated_peak_bytes: self.plan.total_bytes,
            estimated: parts(&self.plan),
            peak_moment: self.plan.peak_moment.to_owned(),
            measured_peak_bytes: (peak_bytes > 0).then_some(peak_bytes),
            measured,
            program_bytes: self.program_bytes,
            available_bytes: self.available_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(config: &RunConfig) -> Result<MemoryWatch> {
        let files = ModelFiles::open("builtin")?;
        let resolved = ModelPlan::resolve(config, &files.config)?;
        let shape = BatchShape { batch: 4, seq: 100 };
        MemoryWatch::begin(config, &resolved, &files, shape)
    }

    #[test]
    fn a_limit_is_held_against_plan_and_rehearsal() {
        let free = begin(&RunConfig::default()).unwrap();
        let planned = free.planned_bytes();
        free.accept_rehearsal(u64::MAX).unwrap();
        let limited = |memory_bytes| RunConfig {
            memory_bytes: Some(memory_bytes),
            ..RunConfig::default()
        };
        let refused = begin(&limited(planned - 1)).unwrap_err();
        assert!(refused.to_string().starts_with("the run would need"));
        let watch = begin(&limited(planned)).unwrap();
        watch.accept_rehearsal(planned).unwrap();
        let refused = watch.accept_rehearsal(planned + 1).unwrap_err();
        assert!(refused.to_string().starts_with("the run took"), "{refused}");
    }

    #[test]
    fn what_is_not_told_apart_is_the_rest() {
        let mut watch = begin(&RunConfig::default()).unwrap();
        watch.measured = MeasuredParts {
            weights: 10,
            adapter: 3,
            gradients: 2,
            optimizer: 4,
            rest: 0,
        };
        let report = watch.report(25);
        assert_eq!(report.measured.map(|parts| parts.rest), Some(6));
        assert_eq!(report.estimated_peak_bytes, watch.planned_bytes());
        assert_eq!(watch.report(0).measured, None);
    }
}
