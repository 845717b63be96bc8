//! One run config on one model and device, whose shape may be varied.

use stepladder_protocol::{Method, RunConfig};

use super::{BatchShape, EstimatedModel, Trained, on_device, plan_of};
use crate::adapters::network::AdapterShape;
use crate::memory::limits::largest;
use crate::memory::{DeviceClass, MemoryPlan, WeightForms};
use crate::training::plan::ModelPlan;
use crate::{Error, Result};

/// Up to a tile's length several rows share a tile, so what a plan takes does not grow evenly.
const SHORT: usize = crate::ops::token_tiles::TOKEN_TILE;
/// Rows of a micro-batch that are tried, at most.
const MOST_ROWS: usize = 1 << 12;
/// Steps in which widths of a side network are tried: whole heads.
const WIDTH_STEP: usize = 64;
/// Bytes of a plan stay far below what a number can hold.
const MOST_BYTES: u128 = 1 << 62;

/// What is asked, with its defaults resolved.
pub(super) struct Case<'a> {
    pub(super) model: &'a EstimatedModel,
    pub(super) device: DeviceClass,
    pub(super) config: RunConfig,
    pub(super) resolved: ModelPlan,
    forms: WeightForms,
    trained: Trained,
}

impl<'a> Case<'a> {
    pub(super) fn new(
        model: &'a EstimatedModel,
        device: DeviceClass,
        config: RunConfig,
    ) -> Result<Self> {
        let config = on_device(&config, device);
        let resolved = ModelPlan::resolve(&config, &model.config)?;
        let sizes = resolved.shape.check_sizes();
        sizes.map_err(|problem| Error::ConfigInvalid {
            field: match config.method {
                Method::Ladder | Method::Xladder => "d_side",
                Method::Qlora | Method::Lora => "rank",
            },
            problem: format!("is too large: {problem}"),
            hint: "use a smaller number".to_owned(),
        })?;
        let case = Self {
            model,
            device,
            forms: model.forms(resolved.quantization),
            trained: Trained::new(&config, &resolved),
            config,
            resolved,
        };
        if case.config.batch_size == 0 {
            return Err(Error::ConfigInvalid {
                field: "batch_size",
                problem: "is 0".to_owned(),
                hint: "use --batch-size 1 or more".to_owned(),
            });
        }
        match case.can_be_counted(case.asked()) {
            true => Ok(case),
            false => Err(Error::ConfigInvalid {
                field: "batch_size",
                problem: "and context ask for more bytes than can be counted".to_owned(),
                hint: "use a smaller --batch-size, --effective-batch-size or --context".to_owned(),
            }),
        }
    }

    /// The shape that is asked for.
    pub(super) fn asked(&self) -> BatchShape {
        BatchShape {
            batch: self.config.batch_size,
            seq: self.resolved.context,
        }
    }

    fn can_be_counted(&self, BatchShape { batch, seq }: BatchShape) -> bool {
        let model = &self.model.config;
        let width = 8 * (model.d_model + model.heads * model.head_dim) + 4 * model.d_ff;
        let rows = batch.max(self.config.effective_batch_size) as u128;
        let per_token = (width * (model.layers + 1)) as u128 * 8;
        rows.checked_mul(seq as u128)
            .and_then(|tokens| tokens.checked_mul(per_token))
            .is_some_and(|bytes| bytes < MOST_BYTES)
    }

    pub(super) fn plan(&self, shape: BatchShape) -> MemoryPlan {
        let backbone = (&self.model.config, &self.forms);
        let on = (self.device, self.trained);
        plan_of(&self.config, &self.resolved, backbone, on, shape)
    }

    fn fits(&self, shape: BatchShape, available_bytes: u64) -> bool {
        self.can_be_counted(shape) && self.plan(shape).total_bytes <= available_bytes
    }

    /// Most tokens of each row that fit, with as many rows as asked for.
    pub(super) fn longest_context(&self, available_bytes: u64) -> Option<usize> {
        let batch = self.config.batch_size;
        let shape = |seq| BatchShape { batch, seq };
        // A row has at least one token that is predicted from another.
        largest(2..=self.model.config.max_positions, SHORT, |seq| {
            self.fits(shape(seq), available_bytes)
        })
    }

    /// Most rows that fit.
    pub(super) fn largest_batch(&self, available_bytes: u64) -> Option<usize> {
        let seq = self.resolved.context;
        largest(1..=MOST_ROWS, 0, |batch| {
            self.fits(BatchShape { batch, seq }, available_bytes)
        })
    }

    /// LoRA: the largest rank that fits.
    pub(super) fn largest_rank(&self, available_bytes: u64) -> Option<usize> {
        let AdapterShape::Lora(_) = self.resolved.shape else {
            return None;
        };
        largest(1..=self.model.config.d_model, 0, |rank| {
            let config = RunConfig {
                rank,
                ..self.config.clone()
            };
            self.with(config)
                .is_ok_and(|case| case.fits(case.asked(), available_bytes))
        })
    }

    /// Side networks: the greatest width that fits.
    pub(super) fn largest_d_side(&self, available_bytes: u64) -> Option<usize> {
        let AdapterShape::Wiring(_) = self.resolved.shape else {
            return None;
        };
        let steps = largest(1..=self.model.config.d_model / WIDTH_STEP, 0, |steps| {
            let config = RunConfig {
                d_side: Some(WIDTH_STEP * steps),
                reduction_factor: None,
                ..self.config.clone()
            };
            self.with(config)
                .is_ok_and(|case| case.fits(case.asked(), available_bytes))
        });
        steps.map(|steps| WIDTH_STEP * steps)
    }

    /// The same model and device with another config.
    pub(super) fn with(&self, config: RunConfig) -> Result<Self> {
        Self::new(self.model, self.device, config)
    }
}
