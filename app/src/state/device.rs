//! The device chip: which device computes, and how much of its memory is free, as the outside tells it
//! whenever that has changed.

use stepladder_protocol::{DeviceInfo, DeviceReport, ErrorReport, Event, Finished};

/// The name of its jobs, which follow one another.
pub const JOBS: &str = "device";

/// The devices as they were last told.
#[derive(Debug, Default)]
pub struct Device {
    /// The latest report; none before the first.
    pub report: Option<DeviceReport>,
    /// Why there is none.
    pub problem: Option<ErrorReport>,
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
            }
            Event::Failed(problem) | Event::Rejected(problem) => self.problem = Some(problem),
            _ => {}
        }
    }
}

/// Bytes as the chip shows them: what changes less is not worth drawing a window for.
pub fn shown(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / (1_u64 << 30) as f64)
}

/// Whether two reports are shown alike.
pub fn looks_the_same(one: &DeviceReport, other: &DeviceReport) -> bool {
    let alike = |(one, other): (&DeviceInfo, &DeviceInfo)| {
        (&one.id, &one.name, one.cores, one.threads)
            == (&other.id, &other.name, other.cores, other.threads)
            && shown(one.memory_free_bytes) == shown(other.memory_free_bytes)
            && shown(one.memory_total_bytes) == shown(other.memory_total_bytes)
    };
    one.notices == other.notices
        && one.devices.len() == other.devices.len()
        && one.devices.iter().zip(&other.devices).all(alike)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn the_device_of_the_settings_is_found_by_its_name() {
        let info = |id: &str| DeviceInfo {
            id: id.to_owned(),
            name: id.to_uppercase(),
            cores: None,
            threads: 1,
            memory_total_bytes: 2,
            memory_free_bytes: 1,
            card: None,
        };
        let device = Device {
            report: Some(DeviceReport {
                devices: vec![info("cuda:0"), info("cuda:1"), info("cpu")],
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
