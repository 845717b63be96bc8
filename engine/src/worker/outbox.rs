//! The way out: events of all jobs meet in one bounded channel, and one thread writes them as
//! lines.
//!
//! Steps may come faster than a client wants them, and so may the progress of a stage. Those of a job
//! that asked for an interval are merged here with their like, the latest winning: one is sent at
//! once, the next waits until the interval is over or any other event comes, which it then goes
//! before. So order is kept, the last is always told, and nothing but these is ever left out. A client that does not read holds back a job only
//! where each line counts: merged steps are dropped rather than waited for.

use std::io::{self, Write};
use std::mem::discriminant;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use stepladder_protocol::{ErrorReport, Event, EventLine, MAX_LINE_BYTES};

/// Events that may wait for the writing thread.
const CAPACITY: usize = 256;

/// Where jobs put their events. Cloned freely.
#[derive(Clone, Debug)]
pub struct Outbox {
    sender: SyncSender<Message>,
    open: Arc<AtomicBool>,
}

#[derive(Debug)]
enum Message {
    Line {
        line: Box<EventLine>,
        /// Whether the line may be merged with its like, and the shortest time between two of them.
        merge_within: Option<Duration>,
    },
    /// Somebody waits until everything before is written.
    Settle(SyncSender<()>),
}

impl Outbox {
    /// Starts the writing thread; it ends when the last clone is gone and everything is written.
    pub fn start(output: impl Write + Send + 'static) -> io::Result<(Self, JoinHandle<()>)> {
        let (sender, receiver) = sync_channel(CAPACITY);
        let open = Arc::new(AtomicBool::new(true));
        let writer = Writer {
            output,
            open: Arc::clone(&open),
            waiting: None,
            last_merged: None,
        };
        let thread = std::thread::Builder::new()
            .name("events".to_owned())
            .spawn(move || writer.run(&receiver))?;
        Ok((Self { sender, open }, thread))
    }

    /// Sends a line. `false` says that nobody listens any more.
    pub fn send(&self, line: EventLine) -> bool {
        let _ = self.sender.send(Message::Line {
            line: Box::new(line),
            merge_within: None,
        });
        self.open.load(Ordering::Acquire)
    }

    /// Waits until everything that was sent is written.
    pub fn settle(&self) {
        let (done, waiting) = sync_channel(1);
        if self.sender.send(Message::Settle(done)).is_ok() {
            let _ = waiting.recv();
        }
    }

    /// Sends a line that may be merged with the next ones; with no interval it is like any other.
    pub fn send_merged(&self, line: EventLine, interval: Duration) -> bool {
        if interval.is_zero() {
            return self.send(line);
        }
        match self.sender.try_send(Message::Line {
            line: Box::new(line),
            merge_within: Some(interval),
        }) {
            Ok(()) | Err(TrySendError::Full(_)) => self.open.load(Ordering::Acquire),
            Err(TrySendError::Disconnected(_)) => false,
        }
    }
}

struct Writer<W> {
    output: W,
    open: Arc<AtomicBool>,
    /// A line that waits for its like, and until when.
    waiting: Option<(EventLine, Instant)>,
    /// When the last mergeable line was written.
    last_merged: Option<Instant>,
}

impl<W: Write> Writer<W> {
    fn run(mut self, receiver: &Receiver<Message>) {
        loop {
            let next = match &self.waiting {
                None => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some((_, due)) => {
                    receiver.recv_timeout(due.saturating_duration_since(Instant::now()))
                }
            };
            match next {
                Ok(Message::Settle(done)) => {
                    self.write_waiting();
                    let _ = done.send(());
                }
                Ok(Message::Line {
                    line,
                    merge_within: Some(interval),
                }) => self.merge(*line, interval),
                Ok(Message::Line {
                    line,
                    merge_within: None,
                }) => {
                    self.write_waiting();
                    self.write(*line);
                }
                Err(RecvTimeoutError::Timeout) => self.write_waiting(),
                Err(RecvTimeoutError::Disconnected) => {
                    self.write_waiting();
                    return;
                }
            }
        }
    }

    fn merge(&mut self, line: EventLine, interval: Duration) {
        let waiting = self.waiting.as_ref();
        if waiting.is_some_and(|(waiting, _)| !replaces(&line, waiting)) {
            self.write_waiting();
        }
        let now = Instant::now();
        match self.last_merged.map(|last| last + interval) {
            Some(due) if due > now => self.waiting = Some((line, due)),
            _ => {
                self.waiting = None;
                self.last_merged = Some(now);
                self.write(line);
            }
        }
    }

    fn write_waiting(&mut self) {
        if let Some((line, _)) = self.waiting.take() {
            self.last_merged = Some(Instant::now());
            self.write(line);
        }
    }

    fn write(&mut self, line: EventLine) {
        if !self.open.load(Ordering::Acquire) {
            return;
        }
        let Some(text) = encode(line) else { return };
        if self
            .output
            .write_all(&text)
            .and_then(|()| self.output.flush())
            .is_err()
        {
            // The client is gone. Jobs learn it from their next `send` and stop; what they still
            // say is taken and dropped, so that none of them waits here.
            self.open.store(false, Ordering::Release);
        }
    }
}

/// Whether a line says all that an earlier one said, and later: it is of the same job and kind, and
/// of the same stage.
fn replaces(line: &EventLine, earlier: &EventLine) -> bool {
    let same_stage = match (&line.event, &earlier.event) {
        (Event::Progress(now), Event::Progress(before)) => now.phase == before.phase,
        _ => true,
    };
    let same_kind = discriminant(&line.event) == discriminant(&earlier.event);
    line.job == earlier.job && same_kind && same_stage
}

/// The line as bytes. One that is longer than the protocol allows is left out, except that the end
/// of a job must be told: it becomes a failure that says so.
fn encode(line: EventLine) -> Option<Vec<u8>> {
    let mut text = serde_json::to_vec(&line).unwrap_or_default();
    text.push(b'\n');
    if (2..=MAX_LINE_BYTES).contains(&text.len()) {
        return Some(text);
    }
    if !line.event.ends_job() {
        return None;
    }
    let report = ErrorReport::new(
        "line_too_long",
        format!("the result is larger than {} MiB", MAX_LINE_BYTES >> 20),
        "ask for less of it, for example with a smaller --show",
    );
    let mut text = serde_json::to_vec(&EventLine {
        event: Event::Failed(report),
        job: line.job,
    })
    .ok()?;
    text.push(b'\n');
    Some(text)
}
