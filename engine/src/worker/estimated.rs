//! What `estimate` says: the device and the memory it is asked for, then the report.

use stepladder_protocol::{EstimateCommand, MemoryReport};

use crate::device::{self, DeviceRequest};
use crate::memory::DeviceClass;
use crate::training::estimate::{self, EstimatedModel, ReportRequest};
use crate::{Error, Result};

/// What a desktop and its browser usually take of a card.
const OTHER_PROGRAMS_ON_A_CARD: u64 = (4 << 30) / 10;

/// The report on a command. No device needs to be here for it; of a card that is, its memory and what
/// other programs have of it are known.
pub fn report(command: &EstimateCommand) -> Result<MemoryReport> {
    let asked: DeviceRequest = command.config.device.parse()?;
    let card = match command.memory_bytes {
        None => device::card_here(asked),
        // A memory that is named is that of a card elsewhere, of which nothing else is known.
        Some(_) => None,
    };
    let device = match (asked, command.memory_bytes, &card) {
        (DeviceRequest::Cuda(_), ..) | (DeviceRequest::Auto, Some(_), _) => DeviceClass::cuda(),
        (DeviceRequest::Auto, None, Some(_)) => DeviceClass::cuda(),
        (DeviceRequest::Cpu, ..) | (DeviceRequest::Auto, None, None) => {
            DeviceClass::cpu(device::threads())
        }
    };
    let memory_bytes = match (command.memory_bytes, &card) {
        (None, Some(card)) => Some(card.memory.total_bytes),
        (None, None) if !device.has_own_memory => device::memory().1,
        (asked, _) => asked,
    };
    let usual = match (device.has_own_memory, &card) {
        (true, Some(card)) => card.memory.others_bytes,
        (true, None) => OTHER_PROGRAMS_ON_A_CARD,
        (false, _) => 0,
    };
    let other_programs_bytes = command.other_programs_bytes.unwrap_or(usual);
    if let Some(memory) = memory_bytes
        && memory <= other_programs_bytes
    {
        return Err(Error::ConfigInvalid {
            field: "other_programs_bytes",
            problem: format!("{other_programs_bytes} leaves nothing of {memory} bytes of memory"),
            hint: "give --memory what the device has, and --other-programs less than that"
                .to_owned(),
        });
    }
    let model = EstimatedModel::open(&command.config.model)?;
    // Of a card that is not here there is nothing to measure.
    let operations_per_second = match device.has_own_memory {
        true => None,
        false => Some(estimate::of_products(model.config.d_model)?),
    };
    estimate::report(
        &model,
        ReportRequest {
            config: &command.config,
            methods: &command.methods,
            device,
            memory_bytes,
            other_programs_bytes,
            operations_per_second,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use stepladder_protocol::{JobId, Method, RunConfig};

    fn asked(device: &str, memory: Option<u64>, other: Option<u64>) -> Result<MemoryReport> {
        report(&EstimateCommand {
            job: JobId::new("j"),
            config: RunConfig {
                model: "qwen2.5-0.5b".to_owned(),
                device: device.to_owned(),
                ..RunConfig::default()
            },
            methods: vec![Method::Ladder],
            memory_bytes: memory,
            other_programs_bytes: other,
        })
    }

    #[test]
    fn a_memory_alone_is_a_cards() {
        let gib = 1 << 30;
        let card = asked("auto", Some(8 * gib), None).unwrap();
        assert_eq!(
            (card.device.as_str(), card.memory_bytes),
            ("cuda", Some(8 * gib))
        );
        assert_eq!(card.other_programs_bytes, OTHER_PROGRAMS_ON_A_CARD);
        assert_eq!(card, asked("cuda:1", Some(8 * gib), None).unwrap());

        let ram = asked("cpu", Some(8 * gib), None).unwrap();
        assert_eq!(
            (ram.device.as_str(), ram.memory_bytes),
            ("cpu", Some(8 * gib))
        );
        assert_eq!(ram.other_programs_bytes, 0);

        let here = asked("auto", None, None).unwrap();
        assert_eq!(here.device, "cpu");
        assert!(here.memory_bytes.unwrap() > 0);
        assert!(here.methods[0].fits.is_some());
        assert!(here.methods[0].expected_tokens_per_second.unwrap() > 0.0);
        assert_eq!(card.methods[0].expected_tokens_per_second, None);

        let unknown = asked("cuda", None, Some(5)).unwrap();
        assert_eq!(
            (unknown.memory_bytes, unknown.other_programs_bytes),
            (None, 5)
        );
        let ladder = &unknown.methods[0];
        assert_eq!((ladder.fits, ladder.verdict), (None, None));
        assert_eq!((ladder.longest_context, ladder.largest_batch), (None, None));
        assert!(ladder.smallest_card_bytes.is_some());
    }

    #[test]
    fn what_leaves_nothing_is_refused() {
        let error = asked("auto", Some(1000), Some(1000)).unwrap_err();
        assert_eq!(error.code(), "config_invalid");
        assert!(asked("gpu", None, None).is_err());
    }
}
