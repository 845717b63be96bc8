//! Which program a job is given to: `stepladder-cuda` where a card is to compute and everything for that
//! is here, otherwise this program as its own worker, with a sentence that says why.

use std::path::{Path, PathBuf};

use stepladder_engine::device::{self, DeviceRequest, presence};
use stepladder_protocol::Command;

use super::{LinkError, WorkerOptions, WorkerProcess};
use crate::installed;

/// A worker for a device.
#[derive(Debug)]
pub struct StartedWorker {
    /// The worker.
    pub worker: WorkerProcess,
    /// Why the processor computes though the best was asked for.
    pub notice: Option<String>,
    /// Why `stepladder-cuda` cannot be used though everything for it is here.
    pub refused: Option<String>,
}

impl StartedWorker {
    fn plain(worker: WorkerProcess) -> Self {
        Self {
            worker,
            notice: None,
            refused: None,
        }
    }
}

/// What to start for a device, and what else if that cannot be.
#[derive(Debug)]
pub struct ForDevice {
    /// What is started first.
    pub options: WorkerOptions,
    /// Where the first cannot be started, this is; none: that is an error.
    pub otherwise: Option<WorkerOptions>,
    /// Why `options` do not compute on a card though they might.
    pub notice: Option<String>,
}

impl WorkerOptions {
    /// What to start for `--device`.
    ///
    /// # Errors
    /// When a card is asked for by name and cannot be had.
    pub fn for_device(
        asked: &str,
        own: PathBuf,
        threads: Option<usize>,
    ) -> Result<ForDevice, LinkError> {
        let request =
            { asked.parse::<DeviceRequest>() }.map_err(|error| LinkError::Unavailable {
                message: error.to_string(),
                hint: error.hint(),
            })?;
        let plain = |notice| ForDevice {
            options: Self::of_program(own.clone(), threads),
            otherwise: None,
            notice,
        };
        if request == DeviceRequest::Cpu {
            return Ok(plain(None));
        }
        match (presence::beside(&own), request) {
            (Err(missing), DeviceRequest::Cuda(_)) => Err(LinkError::Unavailable {
                message: format!("device {asked} is not available: {missing}"),
                hint: missing.hint(),
            }),
            (Err(missing), _) => Ok(plain(Some(missing.notice()))),
            (Ok(cuda), DeviceRequest::Cuda(number)) => {
                let found = device::card_of(&cuda, asked, number);
                found.map_err(|error| LinkError::Unavailable {
                    message: error.to_string(),
                    hint: error.hint(),
                })?;
                Ok(ForDevice {
                    options: Self::on_a_card(&cuda, threads),
                    otherwise: None,
                    notice: None,
                })
            }
            (Ok(cuda), _) => Ok(ForDevice {
                options: Self::on_a_card(&cuda, threads),
                otherwise: Some(Self::of_program(own, threads)),
                notice: None,
            }),
        }
    }

    fn on_a_card(cuda: &presence::Cuda, threads: Option<usize>) -> Self {
        let (name, order) = device::CARD_ORDER;
        Self::of_program(cuda.worker.clone(), threads).with_variable(name, order)
    }
}

/// Starts a worker for what `--device` asks for. `own` is the program that computes on the processor;
/// none: this one.
///
/// # Errors
/// When a card is asked for by name and cannot be had, or no worker starts.
pub fn start_for(
    asked: &str,
    own: Option<&Path>,
    threads: Option<usize>,
) -> Result<StartedWorker, LinkError> {
    let chosen = WorkerOptions::for_device(asked, own_program(own)?, threads)?;
    match (WorkerProcess::start(&chosen.options), chosen.otherwise) {
        (Ok(worker), _) => Ok(StartedWorker {
            notice: chosen.notice,
            ..StartedWorker::plain(worker)
        }),
        (Err(error), Some(otherwise)) => {
            let reason = error.to_string();
            let missing = presence::Missing::Refused(reason.clone());
            // What it says of the devices is to be what is true of them.
            let otherwise = otherwise.with_variable(device::REFUSED_VARIABLE, &reason);
            Ok(StartedWorker {
                worker: WorkerProcess::start(&otherwise)?,
                notice: Some(missing.notice()),
                refused: Some(reason),
            })
        }
        (Err(error), None) => Err(error),
    }
}

/// Starts a worker for something that a card does faster and that needs none.
///
/// # Errors
/// When no worker starts.
pub fn start_for_if_possible(
    asked: &str,
    threads: Option<usize>,
) -> Result<StartedWorker, LinkError> {
    match start_for(asked, None, threads) {
        Err(LinkError::Unavailable { .. }) => start_own(None, threads),
        started => started,
    }
}

/// Starts this program as its own worker, or `own`: it computes on the processor, and knows the cards.
///
/// # Errors
/// When it does not start.
pub fn start_own(own: Option<&Path>, threads: Option<usize>) -> Result<StartedWorker, LinkError> {
    let options = WorkerOptions::of_program(own_program(own)?, threads);
    Ok(StartedWorker::plain(WorkerProcess::start(&options)?))
}

/// Why `stepladder-cuda` does not start, where everything for it is here; nothing is computed.
pub fn why_no_card(own: Option<&Path>) -> Option<String> {
    let chosen = WorkerOptions::for_device("auto", own_program(own).ok()?, Some(1)).ok()?;
    chosen.otherwise?;
    WorkerProcess::start(&chosen.options)
        .err()
        .map(|error| error.to_string())
}

/// The device that a command says it computes on; none if it computes nothing.
pub fn device_of(command: &Command) -> Option<&str> {
    match command {
        Command::Train(train) => Some(&train.config.device),
        Command::Chat(chat) => Some(&chat.device),
        Command::Check(check) => Some(&check.device),
        Command::Compare(compare) => Some(&compare.device),
        _ => None,
    }
}

fn own_program(own: Option<&Path>) -> Result<PathBuf, LinkError> {
    match own {
        Some(own) => Ok(own.to_path_buf()),
        None => installed::worker().map_err(LinkError::Start),
    }
}
