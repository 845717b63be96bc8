//! A worker process for each desk, started when it is first needed and again after it has ended, or
//! where the next job computes on another device.
//!
//! The looking desk's never takes a card: it knows the cards' memory without, and would hold some of it
//! for as long as the window is open.
//!
//! Each desk has a thread that starts its process and sends it commands, and while a process lives
//! another that passes its events on. Neither makes the window wait.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use stepladder_protocol::{Command, ErrorReport, Event, EventLine};

use super::device_watch::LastTold;
use crate::link::{
    Commands, LinkError, StartedWorker, device_of, job_started_by, start_for, start_own,
};
use crate::state::{Desk, News};

/// How soon news is to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// At once.
    Now,
    /// With what comes after it: what a run tells as it goes along, what a model says.
    Soon,
}

impl Urgency {
    fn of(news: &News) -> Self {
        match news {
            News::Event(_, line) => match &line.event {
                Event::Step(_)
                | Event::Progress(_)
                | Event::Reading(_)
                | Event::Phase { .. }
                | Event::Evaluation(_)
                | Event::Text { .. }
                | Event::Question(_)
                | Event::Answer(_)
                | Event::Comparing(_)
                | Event::Checkpoint { .. } => Self::Soon,
                _ => Self::Now,
            },
            _ => Self::Now,
        }
    }
}

/// Wakes the window.
pub type Wake = Arc<dyn Fn(Urgency) + Send + Sync>;

/// Where news goes, and how the window learns that there is some.
#[derive(Clone)]
pub struct Mailbox {
    sender: Sender<News>,
    wake: Wake,
}

impl Mailbox {
    /// Wakes the window with `wake` whenever news has come.
    pub fn new(wake: Wake) -> (Self, Receiver<News>) {
        let (sender, news) = channel();
        (Self { sender, wake }, news)
    }

    /// Brings news. A window that is gone misses it.
    pub fn put(&self, news: News) {
        let urgency = Urgency::of(&news);
        if self.sender.send(news).is_ok() {
            (self.wake)(urgency);
        }
    }
}

enum Ask {
    Send(Box<Command>, Option<usize>),
    End,
    Kill,
}

/// A process that was told to end and does not is ended after this: what is on disk is whole.
const END_WITHIN: Duration = Duration::from_secs(10);
/// The same for a process that is ended because the window is closed.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// One desk and its process.
pub struct DeskWorker {
    asks: Option<Sender<Ask>>,
    thread: Option<JoinHandle<()>>,
}

impl DeskWorker {
    /// No process yet; it will be of `program`, or of this one.
    pub fn new(desk: Desk, mailbox: Mailbox, program: Option<PathBuf>) -> std::io::Result<Self> {
        let (asks, received) = channel();
        let name = match desk {
            Desk::Looking => "looking desk",
            Desk::Training => "training desk",
            Desk::Chatting => "chatting desk",
            Desk::Comparing => "comparing desk",
        };
        let serving = Serving {
            desk,
            mailbox,
            program,
            process: None,
        };
        let thread = Builder::new()
            .name(name.to_owned())
            .spawn(move || serving.run(&received))?;
        Ok(Self {
            asks: Some(asks),
            thread: Some(thread),
        })
    }

    /// Sends a command, starting a process with this many threads if none is there.
    pub fn send(&self, command: Command, threads: Option<usize>) {
        self.ask(Ask::Send(Box::new(command), threads));
    }

    /// Lets the process save what it does and end.
    pub fn end(&self) {
        self.ask(Ask::End);
    }

    /// The same from another thread.
    pub fn sender(&self) -> impl Fn(Command, Option<usize>) + Send + use<> {
        let asks = self.asks.clone();
        move |command, threads| {
            if let Some(asks) = &asks {
                let _ = asks.send(Ask::Send(Box::new(command), threads));
            }
        }
    }

    /// Ends the process at once, whatever it does.
    pub fn kill(&self) {
        self.ask(Ask::Kill);
    }

    fn ask(&self, ask: Ask) {
        if let Some(asks) = &self.asks {
            // The thread ends with this value and not before.
            let _ = asks.send(ask);
        }
    }

    /// Lets the process end; [`Drop`] waits for it.
    pub fn begin_closing(&mut self) {
        // The thread ends its process when nobody can ask any more.
        self.asks = None;
    }
}

impl Drop for DeskWorker {
    fn drop(&mut self) {
        self.begin_closing();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Whether a command is given again and again, and one of them is as good as another.
fn is_repeated(command: &Command) -> bool {
    matches!(command, Command::Devices(_))
}

/// What a desk's thread has.
struct Serving {
    desk: Desk,
    mailbox: Mailbox,
    program: Option<PathBuf>,
    process: Option<Process>,
}

/// A worker and the thread that passes its events on.
struct Process {
    commands: Commands,
    pump: JoinHandle<()>,
    /// What it was started for; none: for no device.
    device: Option<String>,
}

impl Process {
    /// Whether it computes where a job is to be computed.
    fn serves(&self, device: Option<&str>) -> bool {
        device.is_none() || self.device.as_deref() == device
    }
}

impl Serving {
    fn run(mut self, asks: &Receiver<Ask>) {
        while let Ok(ask) = asks.recv() {
            match ask {
                Ask::Send(command, threads) => {
                    match self.deliver(&command, threads) {
                        Ok(()) => {}
                        // The answer to the last question of its kind is still on its way.
                        Err(LinkError::JobExists(_)) if is_repeated(&command) => {}
                        Err(error) => self.not_delivered(&command, error.report()),
                    }
                }
                Ask::End => self.end(END_WITHIN),
                Ask::Kill => self.end(Duration::ZERO),
            }
        }
        self.end(CLOSE_WITHIN);
    }

    fn deliver(&mut self, command: &Command, threads: Option<usize>) -> Result<(), LinkError> {
        let starts_job = job_started_by(command).is_some();
        let device = match self.desk {
            Desk::Looking => None,
            Desk::Training | Desk::Chatting | Desk::Comparing => device_of(command),
        };
        if let Some(process) = &self.process {
            if !process.pump.is_finished() && process.serves(device) {
                match process.commands.send(command) {
                    // It died a moment ago: another does the job.
                    Err(LinkError::Send(_)) if starts_job => {}
                    result => return result,
                }
            }
            self.end(END_WITHIN);
        }
        if !starts_job {
            // The job it is about has ended with its process.
            return Ok(());
        }
        let own = self.program.as_deref();
        let StartedWorker {
            worker, refused, ..
        } = match device {
            Some(device) => start_for(device, own, threads)?,
            None => start_own(own, threads)?,
        };
        if let Some(reason) = refused {
            self.mailbox.put(News::CardsRefused(reason));
        }
        let commands = worker.commands().clone();
        let (desk, mailbox) = (self.desk, self.mailbox.clone());
        let pump = Builder::new()
            .name("worker events".to_owned())
            .spawn(move || {
                let last_told = LastTold::default();
                while let Some(line) = worker.next_event() {
                    if !last_told.is_old_news(&line) {
                        mailbox.put(News::Event(desk, line));
                    }
                }
            })
            .map_err(LinkError::Start)?;
        let sent = commands.send(command);
        self.process = Some(Process {
            commands,
            pump,
            device: device.map(str::to_owned),
        });
        sent
    }

    fn not_delivered(&self, command: &Command, report: ErrorReport) {
        let line = match job_started_by(command) {
            Some(job) => Event::Failed(report).of(job),
            None => EventLine {
                event: Event::Failed(report),
                job: None,
            },
        };
        self.mailbox.put(News::Event(self.desk, line));
    }

    fn end(&mut self, within: Duration) {
        if let Some(Process { commands, pump, .. }) = self.process.take() {
            commands.close();
            let began = Instant::now();
            while !pump.is_finished() && began.elapsed() < within {
                std::thread::sleep(LOOK_EVERY);
            }
            if !pump.is_finished() {
                commands.kill();
            }
            let _ = pump.join();
        }
    }
}
