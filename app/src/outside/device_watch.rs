//! Asks a worker for the devices again and again, on a thread of its own: a window in which nothing else
//! happens is drawn anew only when the chip would show something else.

use std::sync::Mutex;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use stepladder_protocol::{Command, DeviceReport, Event, EventLine, Finished, JobId, JobRef};

use crate::state::device::{JOBS, looks_the_same};

const EVERY: Duration = Duration::from_secs(2);

/// The thread that asks.
pub struct DeviceWatch {
    /// Dropped to end it.
    ending: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl DeviceWatch {
    /// Asks at once, and then every two seconds.
    pub fn start(ask: impl Fn(Command) + Send + 'static) -> std::io::Result<Self> {
        let (ending, ended) = channel();
        let thread = Builder::new()
            .name("device watch".to_owned())
            .spawn(move || {
                loop {
                    let job = JobId::new(JOBS);
                    ask(Command::Devices(JobRef { job }));
                    if ended.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout) {
                        return;
                    }
                }
            })?;
        Ok(Self {
            ending: Some(ending),
            thread: Some(thread),
        })
    }
}

impl Drop for DeviceWatch {
    fn drop(&mut self) {
        self.ending = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What was told of the devices last.
#[derive(Debug, Default)]
pub struct LastTold(Mutex<Option<DeviceReport>>);

impl LastTold {
    /// Whether an event tells nothing that the chip does not show already.
    pub fn is_old_news(&self, line: &EventLine) -> bool {
        if line.job.as_ref().is_none_or(|job| job.0 != JOBS) {
            return false;
        }
        let Ok(mut last) = self.0.lock() else {
            return false;
        };
        match &line.event {
            Event::Finished(Finished::Devices(report)) => {
                let is_old = { last.as_ref() }.is_some_and(|last| looks_the_same(last, report));
                if !is_old {
                    *last = Some(report.clone());
                }
                is_old
            }
            // It is asked again, and the answer is news.
            Event::Failed(_) => {
                *last = None;
                false
            }
            _ => true,
        }
    }
}
