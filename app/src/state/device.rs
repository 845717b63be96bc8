//! The device chip: which device computes, and how much of its memory is free, asked for every two
//! seconds.

use stepladder_protocol::{
    Command, DeviceInfo, DeviceReport, ErrorReport, Event, Finished, JobId, JobRef,
};

use super::{Desk, Effect};

/// What the names of its jobs begin with.
pub const JOBS: &str = "device";
const EVERY_SECS: f64 = 2.0;

/// The devices as they were last told.
#[derive(Debug, Default)]
pub struct Device {
    /// The latest report; none before the first.
    pub report: Option<DeviceReport>,
    /// Why there is none.
    pub problem: Option<ErrorReport>,
    asked: Option<f64>,
    waiting: bool,
}

impl Device {
    /// Asks again when it is time.
    pub fn tick(&mut self, now: f64, effects: &mut Vec<Effect>) {
        if self.waiting || self.next_tick_secs(now) > 0.0 {
            return;
        }
        self.asked = Some(now);
        self.waiting = true;
        let job = JobId::new(JOBS);
        effects.push(Effect::Send(
            Desk::Looking,
            Box::new(Command::Devices(JobRef { job })),
        ));
    }

    /// Seconds until it is time to ask again.
    pub fn next_tick_secs(&self, now: f64) -> f64 {
        // A clock that was set back asks at once.
        { self.asked }.map_or(0.0, |asked| {
            (asked + EVERY_SECS - now).clamp(0.0, EVERY_SECS)
        })
    }

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
    pub fn hear(&mut self, event: Event, _now: f64) {
        match event {
            Event::Finished(Finished::Devices(report)) => {
                self.report = Some(report);
                self.problem = None;
                self.waiting = false;
            }
            Event::Failed(problem) | Event::Rejected(problem) => {
                self.problem = Some(problem);
                self.waiting = false;
            }
            Event::Stopped { .. } => self.waiting = false,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_asks_every_two_seconds_and_once_at_a_time() {
        let (mut device, mut effects) = (Device::default(), Vec::new());
        device.tick(100.0, &mut effects);
        device.tick(110.0, &mut effects);
        assert_eq!(effects.len(), 1, "one question waits for its answer");
        let report = DeviceReport {
            devices: Vec::new(),
            notices: Vec::new(),
        };
        device.hear(Event::Finished(Finished::Devices(report.clone())), 110.0);
        assert_eq!(device.report, Some(report));
        device.tick(110.1, &mut effects);
        assert_eq!(effects.len(), 2);
        device.hear(Event::Stopped { run: None, step: 0 }, 110.2);
        device.tick(111.0, &mut effects);
        assert_eq!(effects.len(), 2, "too early");
        device.tick(5.0, &mut effects);
        assert_eq!(
            effects.len(),
            2,
            "a clock that was set back waits its two seconds at most"
        );
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
