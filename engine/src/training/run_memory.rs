//! A run's memory, planned and measured side by side. What the program held before the run's model
//! was loaded (the dataset, the tokenizer) is counted apart.

use stepladder_protocol::{MeasuredParts, MemoryParts, RunConfig, RunMemory};

use super::estimate::{BatchShape, EstimatedModel, ReportRequest, checked, parts, report};
use crate::adapters::parameters::Parameters;
use crate::memory::{DeviceClass, MemoryPlan, Meter, Refused, advice};
use crate::models::compute::Compute;
use crate::models::model::ModelFiles;
use crate::ops::cpu::prepare_workers;
use crate::{Error, Result};

/// Plan and measurements of one run.
#[derive(Clone, Debug)]
pub struct MemoryWatch {
    model: EstimatedModel,
    /// What is asked for, in the shape of the largest micro-batch.
    asked: RunConfig,
    compute: Compute,
    device: DeviceClass,
    meter: Meter,
    plan: MemoryPlan,
    /// Memory that was free when the run was planned.
    free_bytes: Option<u64>,
    /// What the machine has.
    total_bytes: Option<u64>,
    program_bytes: u64,
    measured: MeasuredParts,
    /// Most bytes at once before the update under way, the program's own included.
    highest_bytes: u64,
    /// Whether a first update began.
    is_training: bool,
}

impl MemoryWatch {
    /// Plans, and begins to measure. Nothing of the run is loaded yet.
    ///
    /// # Errors
    /// When the run needs more memory than it may take, or than the machine has.
    pub fn begin(config: &RunConfig, files: &ModelFiles, shape: BatchShape) -> Result<Self> {
        if config.memory_bytes == Some(0) {
            return Err(Error::ConfigInvalid {
                field: "memory_bytes",
                problem: "is 0".to_owned(),
                hint: "say what the run may take, such as --memory 8GiB, or leave it out"
                    .to_owned(),
            });
        }
        let model = EstimatedModel::of_checkpoint(
            config.model.clone(),
            files.config.clone(),
            &files.checkpoint,
        )?;
        let asked = RunConfig {
            context: Some(shape.seq.max(2)),
            batch_size: shape.batch,
            ..config.clone()
        };
        let compute = files.compute().clone();
        let device = DeviceClass::of(&compute)?;
        let (total_bytes, free_bytes) = compute.memory()?;
        let watch = Self {
            plan: checked(&asked, &model, device, shape)?,
            device,
            meter: Meter::of(compute.device())?,
            compute,
            free_bytes,
            total_bytes,
            model,
            asked,
            program_bytes: 0,
            measured: MeasuredParts::default(),
            highest_bytes: 0,
            is_training: false,
        };
        // What is free may be held by files that were read and can be dropped; so a run is refused
        // for a limit it was given, or for what the machine has.
        let available = watch.asked.memory_bytes.or(watch.total_bytes);
        watch.refuse_above(available, watch.plan.total_bytes, "would need")?;
        prepare_workers();
        watch.meter.reset_peak();
        Ok(Self {
            program_bytes: watch.meter.current_bytes(),
            ..watch
        })
    }

    /// A word to the user, if the plan is more than what is free.
    pub fn notice(&self) -> Option<String> {
        let (planned, free) = (self.plan.total_bytes, self.free_bytes?);
        (planned > free).then(|| {
            format!(
                "the run will need {} of memory and {} are free now: close other programs",
                advice::bytes(planned),
                advice::bytes(free)
            )
        })
    }

    /// What was allocated since the last part was told.
    fn since(&self) -> u64 {
        { self.meter.current_bytes() }.saturating_sub(self.program_bytes + self.told())
    }

    /// The parts that were told so far.
    fn told(&self) -> u64 {
        let MeasuredParts {
            weights,
            adapter,
            gradients,
            optimizer,
            ..
        } = self.measured;
        weights + adapter + gradients + optimizer
    }

    /// The backbone was loaded.
    pub fn weights_loaded(&mut self) {
        self.measured.weights = self.since();
        // Loading takes a little more than what it leaves, and is over.
        self.meter.reset_peak();
    }

    /// The adapter was made.
    pub fn adapter_made(&mut self) {
        self.measured.adapter = self.since();
    }

    /// The adapter was read, together with the optimizer's moments.
    pub fn adapter_is(&mut self, parameters: &Parameters) {
        self.measured.adapter = 4 * parameters.count() as u64;
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
        let highest = self.highest_bytes.max(self.meter.peak_bytes());
        match highest {
            0 => 0,
            _ => highest.saturating_sub(self.program_bytes) + self.device.outside_bytes(),
        }
    }

    /// An update begins, whose peak is measured by itself.
    pub fn update_begins(&mut self) {
        self.is_training = true;
        self.highest_bytes = self.highest_bytes.max(self.meter.peak_bytes());
        self.meter.reset_peak();
    }

    /// Most bytes of the run at once since the update began; none where they are not counted.
    pub fn update_peak_bytes(&self) -> Option<u64> {
        let peak = Some(self.meter.peak_bytes()).filter(|peak| *peak > 0)?;
        Some(peak.saturating_sub(self.program_bytes) + self.device.outside_bytes())
    }

    /// The plan's peak.
    pub fn planned_bytes(&self) -> u64 {
        self.plan.total_bytes
    }

    /// Refuses a run whose rehearsal took more than it may. What is free changes, and a rehearsal that
    /// ended did fit: only a limit that was asked for counts.
    ///
    /// # Errors
    /// Says what would fit.
    pub fn accept_rehearsal(&self, peak_bytes: u64) -> Result<()> {
        self.refuse_above(self.asked.memory_bytes, peak_bytes, "took")
    }

    fn refuse_above(&self, available: Option<u64>, needed: u64, verb: &'static str) -> Result<()> {
        let Some(available) = available.filter(|available| needed > *available) else {
            return Ok(());
        };
        // What would fit by plan must leave room for what the plan did not see.
        let unseen = needed.saturating_sub(self.plan.total_bytes);
        Err(Error::MemoryTooLittle {
            verb,
            needed,
            available,
            advice: self.what_fits(available, unseen)?,
        })
    }

    /// What would fit in so many bytes, of which `unseen` are taken by what the plan does not see.
    fn what_fits(&self, available: u64, unseen: u64) -> Result<String> {
        let request = ReportRequest {
            config: &self.asked,
            methods: &[],
            device: self.device,
            memory_bytes: Some(available),
            other_programs_bytes: unseen.min(available.saturating_sub(1)),
            operations_per_second: None,
        };
        Ok(report(&self.model, request)?.advice.join(" "))
    }

    /// What went wrong, with the plan beside it if the card had no more room. `moment` says what was being
    /// done.
    pub fn explained(&self, error: Error, moment: &str) -> Error {
        let Error::Tensor(tensor_error) = error else {
            return error;
        };
        let Some(refused) = Refused::of(&tensor_error, &self.compute) else {
            return Error::Tensor(tensor_error);
        };
        let available = self.meter.current_bytes() + refused.free + self.device.outside_bytes();
        let would_fit = { self.what_fits(available, 0) }.unwrap_or_default();
        let plan = parts_in_words(&parts(&self.plan));
        let planned = advice::bytes(self.plan.total_bytes);
        Error::OutOfMemory {
            asked: refused.asked,
            held: self.meter.current_bytes(),
            free: refused.free,
            moment: moment.to_owned(),
            before_first_step: !self.is_training,
            advice: format!("planned were {planned}: {plan}. {would_fit}"),
        }
    }

    /// Both sides, with the highest peak so far (of earlier parts of a resumed run too).
    pub fn report(&self, peak_bytes: u64) -> RunMemory {
        let measured = (peak_bytes > 0).then(|| MeasuredParts {
            rest: peak_bytes.saturating_sub(self.told()),
            ..self.measured
        });
        RunMemory {
            estimated_peak_bytes: self.plan.total_bytes,
            estimated: parts(&self.plan),
            peak_moment: self.plan.peak_moment.to_owned(),
            measured_peak_bytes: (peak_bytes > 0).then_some(peak_bytes),
            measured,
            program_bytes: self.program_bytes,
            available_bytes: self.asked.memory_bytes.or(self.free_bytes),
        }
    }
}

/// "weights 4.2 GiB, adapter 12 MiB, ...": what is not nothing.
fn parts_in_words(parts: &MemoryParts) -> String {
    let named = [
        ("weights", parts.weights),
        ("adapter", parts.adapter),
        ("gradients", parts.gradients),
        ("optimizer", parts.optimizer),
        ("activations", parts.activations),
        ("logits", parts.logits),
        ("workspace", parts.workspace),
    ];
    let told = { named.iter() }
        .filter(|(_, bytes)| *bytes > 0)
        .map(|(name, bytes)| format!("{name} {}", advice::bytes(*bytes)));
    told.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(config: &RunConfig) -> Result<MemoryWatch> {
        let files = ModelFiles::open("builtin")?;
        let shape = BatchShape { batch: 4, seq: 100 };
        MemoryWatch::begin(config, &files, shape)
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

    /// Found by reading: sizes were multiplied before they were checked.
    #[test]
    fn absurd_sizes_are_refused_by_name() {
        for change in [
            (|config| config.effective_batch_size = 1 << 63) as fn(&mut RunConfig),
            |config| config.d_side = Some(1 << 40),
            |config| config.memory_bytes = Some(0),
        ] {
            let mut config = RunConfig::default();
            change(&mut config);
            assert_eq!(begin(&config).unwrap_err().code(), "config_invalid");
        }
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
