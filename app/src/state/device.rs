//! The device chip: which device computes, and how much of its memory is free, as the outside tells it
//! whenever that has changed.

use stepladder_protocol::{DeviceInfo, DeviceReport, ErrorReport, Event, Finished};

use crate::words;

/// The name of its jobs, which follow one another.
pub const JOBS: &str = "device";

/// The devices as they were last told.
#[derive(Debug, Default)]
pub struct Device {
    /// The latest report; none before the first.
    pub report: Option<DeviceReport>,
    /// Why there is none.
    pub problem: Option<ErrorReport>,
    /// Why the cards that are here do not compute, where they do not.
    refused: Option<String>,
}

impl Device {
    /// The device that the settings name; none while it is not known to be here. `auto` is the first,
    /// which is the best.
    pub fn named(&self, asked: &str) -> Option<&DeviceInfo> {
        let devices = &self.report.as_ref()?.devices;
        match asked {
            "auto" => devices.first(),
            asked => {
                // `cuda` is the first card.
                let is_first = |id: &str| id.strip_suffix(":0") == Some(asked);
                { devices.iter() }.find(|device| device.id == asked || is_first(&device.id))
            }
        }
    }

    /// Takes an answer.
    pub fn hear(&mut self, event: Event) {
        match event {
            Event::Finished(Finished::Devices(report)) => {
                self.report = Some(report);
                self.problem = None;
                self.without_refused();
            }
            Event::Failed(problem) | Event::Rejected(problem) => self.problem = Some(problem),
            _ => {}
        }
    }

    /// Leaves the cards out from now on, for a reason; what is to be said about it, if that is new.
    pub fn refuse(&mut self, reason: &str) -> Option<String> {
        let notice = words::shell::no_card(reason);
        let is_new = self.refused.as_ref() != Some(&notice);
        self.refused = Some(notice.clone());
        self.without_refused();
        is_new.then_some(notice)
    }

    fn without_refused(&mut self) {
        if let (Some(refused), Some(report)) = (&self.refused, &mut self.report) {
            report.devices.retain(|device| device.card.is_none());
            report.notices = vec![refused.clone()];
        }
    }
}

/// Bytes as the chip shows them: what changes less is not worth drawing a window for.
pub fn shown(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / (1_u64 << 30) as f64)
}

/// What is shown of a card beside its memory; none for what is no card.
pub fn card_shown(device: &DeviceInfo) -> Option<String> {
    let card = device.card.as_ref()?;
    Some(words::shell::card(
        &card.compute_capability,
        card.driver.as_deref(),
        &shown(card.other_programs_bytes),
        card.other_programs
            .iter()
            .map(|program| program.name.as_str()),
    ))
}

/// Whether two reports are shown alike.
pub fn looks_the_same(one: &DeviceReport, other: &DeviceReport) -> bool {
    let alike = |(one, other): (&DeviceInfo, &DeviceInfo)| {
        (&one.id, &one.name, one.cores, one.threads)
            == (&other.id, &other.name, other.cores, other.threads)
            && shown(one.memory_free_bytes) == shown(other.memory_free_bytes)
            && shown(one.memory_total_bytes) == shown(other.memory_total_bytes)
            && card_shown(one) == card_shown(other)
    };
    one.notices == other.notices
        && one.devices.len() == other.devices.len()
        && one.devices.iter().zip(&other.devices).all(alike)
}

#[cfg(test)]
mod tests {
    use super::*;
    use stepladder_protocol::CardInfo;

    #[test]
    fn reports_that_are_shown_alike_are_alike() {
        let report = |free: u64, name: &str| DeviceReport {
            devices: vec![DeviceInfo {
                id: "cpu".to_owned(),
                name: name.to_owned(),
                cores: Some(2),
                threads: 2,
                memory_total_bytes: 16 << 30,
                memory_free_bytes: free,
                card: None,
            }],
            notices: Vec::new(),
        };
        let free = 12 << 30;
        assert!(looks_the_same(
            &report(free, "a"),
            &report(free + 1000, "a")
        ));
        assert!(!looks_the_same(
            &report(free, "a"),
            &report(free + (1 << 28), "a")
        ));
        assert!(!looks_the_same(&report(free, "a"), &report(free, "b")));
        let none = DeviceReport {
            devices: Vec::new(),
            notices: Vec::new(),
        };
        assert!(!looks_the_same(&report(free, "a"), &none));
    }

    #[test]
    fn cards_that_are_refused_stay_away_and_are_told_once() {
        let report = || DeviceReport {
            devices: ["cuda:0", "cpu"].map(of).into(),
            notices: Vec::new(),
        };
        let mut device = Device::default();
        assert!(device.refuse("it is of another build").is_some());
        assert_eq!(device.refuse("it is of another build"), None);
        for _ in 0..2 {
            device.hear(Event::Finished(Finished::Devices(report())));
            let told = device.report.as_ref().unwrap();
            assert_eq!(told.devices.len(), 1);
            assert_eq!(device.named("auto").unwrap().id, "cpu");
            assert!(told.notices[0].contains("it is of another build"));
        }
    }

    fn of(id: &str) -> DeviceInfo {
        DeviceInfo {
            id: id.to_owned(),
            name: id.to_uppercase(),
            cores: None,
            threads: 1,
            memory_total_bytes: 2,
            memory_free_bytes: 1,
            card: id.starts_with("cuda").then(|| CardInfo {
                compute_capability: "8.9".to_owned(),
                driver: None,
                cuda: "13.0".to_owned(),
                other_programs_bytes: 0,
                other_programs: Vec::new(),
            }),
        }
    }

    #[test]
    fn the_device_of_the_settings_is_found_by_its_name() {
        let device = Device {
            report: Some(DeviceReport {
                devices: ["cuda:0", "cuda:1", "cpu"].map(of).into(),
                notices: Vec::new(),
            }),
            ..Device::default()
        };
        let named = |asked: &str| device.named(asked).map(|device| device.id.as_str());
        assert_eq!(named("auto"), Some("cuda:0"));
        assert_eq!(named("cuda"), Some("cuda:0"));
        assert_eq!(named("cuda:1"), Some("cuda:1"));
        assert_eq!(named("cpu"), Some("cpu"));
        assert_eq!(named("cuda:7"), None);
        assert!(Device::default().named("auto").is_none());
    }
}
