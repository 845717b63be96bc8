//! The memory of a run: said beforehand, from configs alone, by following what the trainer allocates
//! (`plan`); and counted while it runs (`probe`).

pub mod advice;
mod answers;
pub mod device_class;
pub mod ledger;
pub mod limits;
pub mod meter;
mod passes;
pub mod plan;
pub mod probe;
mod refused;
pub mod remedies;
mod side_passes;
pub mod weights;

pub use answers::AnswerShape;
pub use device_class::DeviceClass;
pub use ledger::{Item, Part};
pub use meter::Meter;
pub use plan::{MemoryPlan, MemoryRequest, plan};
pub use refused::Refused;
pub use weights::WeightForms;
