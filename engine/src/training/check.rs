//! Predicted against measured: random models of many shapes are trained for a step with each method,
//! and the most the allocator counted is held against the plan.

mod grid;
mod random_model;
mod summary;

use std::ops::ControlFlow;

use stepladder_protocol::{CheckSummary, CheckedCell, Method, RunConfig, Switch};

pub use self::grid::grid;
pub use self::random_model::RandomModel;
pub use self::summary::summary;
use super::estimate::{BatchShape, EstimatedModel, estimate_resolved};
use super::held_out_answers;
use super::optimizer::AdamW;
use super::plan::{ModelPlan, RunPlan};
use super::stop_flag::StopFlag;
use super::targeted_input;
use crate::adapters::network::Network;
use crate::datasets::batch::TokenBatch;
use crate::memory::{AnswerShape, DeviceClass, MemoryPlan, Meter, Part};
use crate::models::compute::Compute;
use crate::models::decoder::Decoder;
use crate::models::stored_type::StoredType;
use crate::ops::cpu::prepare_workers;
use crate::ops::linear_cross_entropy::Gradient;
use crate::{Error, Result};

/// One cell of the grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// The model.
    pub model: RandomModel,
    /// What is asked for.
    pub config: RunConfig,
    /// The micro-batch.
    pub shape: BatchShape,
}

/// What a cell took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Bytes of the backbone.
    pub weights: u64,
    /// Bytes of the adapter's parameters.
    pub adapter: u64,
    /// Bytes of their gradients.
    pub gradients: u64,
    /// Bytes of the optimizer's moments.
    pub optimizer: u64,
    /// Most bytes at once.
    pub peak: u64,
}

/// A cell's plan beside what was measured.
#[derive(Clone, Debug)]
pub struct Compared {
    /// The cell.
    pub cell: Cell,
    /// The plan.
    pub plan: MemoryPlan,
    /// The measurement.
    pub measured: Measured,
}

impl Cell {
    /// The cell's plan on this machine's CPU.
    ///
    /// # Errors
    /// Names the field of the config that cannot be.
    pub fn plan(&self, threads: usize) -> Result<MemoryPlan> {
        self.plan_on(DeviceClass::cpu(threads))
    }

    /// The cell's plan on a device.
    ///
    /// # Errors
    /// As [`Self::plan`].
    pub fn plan_on(&self, device: DeviceClass) -> Result<MemoryPlan> {
        let model = EstimatedModel::new(self.model.config()?, StoredType::BF16);
        let resolved = ModelPlan::resolve(&self.config, &model.config)?;
        Ok(estimate_resolved(
            &self.config,
            &resolved,
            &model,
            device,
            self.shape,
        ))
    }

    /// Loads the model and trains for one micro-batch, counting.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn measure(&self) -> Result<Measured> {
        self.measure_on(&Compute::cpu())
    }

    /// The same where it is to compute.
    ///
    /// # Errors
    /// As [`Self::measure`].
    pub fn measure_on(&self, compute: &Compute) -> Result<Measured> {
        let meter = Meter::of(compute.device())?;
        let config = self.model.config()?;
        let checkpoint = self.model.checkpoint()?;
        let resolved = ModelPlan::resolve(&self.config, &config)?;
        let BatchShape { batch, seq } = self.shape;
        let plan = RunPlan::resolve(&self.config, &resolved, &[seq])?;
        let taken = |from: u64| meter.current_bytes().saturating_sub(from);

        prepare_workers();
        let start = meter.current_bytes();
        let (form, told) = (resolved.quantization, &mut |_| ControlFlow::Continue(()));
        let backbone = Decoder::load_telling(config, &checkpoint, form, compute, told)?;
        let weights = taken(start);
        // What is mapped from a file in a run is held here, and none of the run's.
        let file = meter.current_bytes();
        drop(checkpoint);
        let start = start - (file - meter.current_bytes());
        let before = meter.current_bytes();
        let network = Network::initialize(resolved.shape, 1)?.computing_on(compute)?;
        let adapter = taken(before);
        let before = meter.current_bytes();
        let mut optimizer = AdamW::new(plan.optimizer, network.parameters())?;
        let moments = taken(before);
        let before = meter.current_bytes();
        let gradients = network.parameters().zeros_like()?;
        let gradient_bytes = taken(before);

        let batch = TokenBatch::of_length(batch, seq, backbone.config().vocabulary);
        meter.reset_peak();
        let gradient = Gradient::Scaled(1.0 / batch.target_ids.len() as f64);
        let input = targeted_input(&batch);
        network.loss(&backbone, input, (plan.training, 0), gradient, &gradients)?;
        optimizer.update(network.parameters(), &gradients, resolved.learning_rate)?;
        if self.config.sample_answers > 0 {
            let AnswerShape { prompt, answer } = AnswerShape::largest(backbone.config(), seq);
            let asked = (&batch.ids[..prompt], answer);
            held_out_answers::try_out(&backbone, &network, self.config.tap_dtype, asked)?;
        }
        Ok(Measured {
            weights,
            adapter,
            gradients: gradient_bytes,
            optimizer: moments,
            peak: meter.peak_bytes() - start,
        })
    }

    /// What it takes to measure it, in no unit: to tell how much is done.
    fn work(&self) -> f64 {
        let again = |switch| usize::from(switch == Switch::On);
        let passes = match self.config.method {
            Method::Ladder | Method::Xladder => 1 + again(self.config.recompute_taps),
            Method::Qlora | Method::Lora => 3 + again(self.recompute()),
        };
        // Making the weights, and quantizing them, takes as long as some tokens do.
        let tokens = passes * self.shape.batch * self.shape.seq + 500;
        self.model.parameters() as f64 * tokens as f64
    }

    fn recompute(&self) -> Switch {
        self.config.recompute.unwrap_or_default()
    }

    /// Both.
    ///
    /// # Errors
    /// As [`Self::plan`] and [`Self::measure`].
    pub fn compare(&self, threads: usize) -> Result<Compared> {
        Ok(Compared {
            plan: self.plan(threads)?,
            measured: self.measure()?,
            cell: self.clone(),
        })
    }
}

impl Compared {
    /// Relative error of the whole, plan minus measurement.
    pub fn error(&self) -> f64 {
        relative(self.plan.total_bytes, self.measured.peak)
    }

    /// Relative error of everything but the weights.
    pub fn error_without_weights(&self) -> f64 {
        relative(
            self.plan.total_bytes - self.plan.part(Part::Weights),
            self.measured.peak.saturating_sub(self.measured.weights),
        )
    }

    /// As it is told: the `number`th cell of `of`.
    fn told(&self, number: usize, of: usize, done: f64) -> CheckedCell {
        let Cell {
            model,
            config,
            shape,
        } = &self.cell;
        CheckedCell {
            number,
            of,
            done,
            method: config.method,
            layers: model.layers,
            d_model: model.d_model,
            vocabulary: model.vocabulary,
            parameters: model.parameters() as u64,
            quantize: config.quantize,
            quantize_head: config.quantize_head,
            recompute: self.cell.recompute(),
            recompute_taps: config.recompute_taps,
            tap_dtype: config.tap_dtype,
            optimizer: config.optimizer,
            context: shape.seq,
            batch_size: shape.batch,
            estimated_bytes: self.plan.total_bytes,
            measured_bytes: self.measured.peak,
            estimated_weights_bytes: self.plan.part(Part::Weights),
            measured_weights_bytes: self.measured.weights,
            error: self.error(),
            error_without_weights: self.error_without_weights(),
            peak_moment: self.plan.peak_moment.to_owned(),
            fitted: number.is_multiple_of(2),
        }
    }
}

fn relative(plan: u64, measured: u64) -> f64 {
    (plan as f64 - measured as f64) / measured.max(1) as f64
}

/// Measures the first `cells` of the grid, or all of it, each when the one before is gone, and tells each
/// as it is done. Nothing else may allocate meanwhile.
///
/// # Errors
/// When memory runs out, or the flag was raised.
pub fn run(
    threads: usize,
    cells: Option<usize>,
    stop: &StopFlag,
    told: &mut dyn FnMut(&CheckedCell),
) -> Result<CheckSummary> {
    let mut grid = grid();
    grid.truncate(cells.unwrap_or(usize::MAX));
    let work: f64 = grid.iter().map(Cell::work).sum();
    let (mut done, mut checked) = (0.0, Vec::with_capacity(grid.len()));
    for (index, cell) in grid.iter().enumerate() {
        if stop.is_raised() {
            return Err(Error::Stopped);
        }
        // In the pool, whose threads have their buffers by then, so that no other thread makes any.
        let compared = rayon::scope(|_| cell.compare(threads))?;
        done += cell.work();
        checked.push(compared.told(index + 1, grid.len(), done / work));
        checked.last().into_iter().for_each(&mut *told);
    }
    Ok(summary(&checked))
}
