//! A worker with fake jobs, and its client.

use std::io::{BufRead, BufReader, PipeWriter, Write, pipe};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use stepladder_engine::worker::serve;
use stepladder_protocol::*;

use super::fake_jobs::FakeJobs;

/// A worker on a thread of this process.
pub struct Worker {
    pub input: Option<PipeWriter>,
    pub events: Receiver<EventLine>,
    pub thread: Option<JoinHandle<()>>,
}

impl Worker {
    pub fn start() -> Self {
        let (command_reader, input) = pipe().unwrap();
        let (event_reader, output) = pipe().unwrap();
        let (sender, events) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(event_reader).lines() {
                let line = line.unwrap();
                let event = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
                let _ = sender.send(event);
            }
        });
        let thread = std::thread::spawn(move || {
            serve(BufReader::new(command_reader), output, Arc::new(FakeJobs)).unwrap();
        });
        let worker = Self {
            input: Some(input),
            events,
            thread: Some(thread),
        };
        assert!(matches!(
            worker.next().event,
            Event::Hello(Hello {
                protocol: PROTOCOL,
                ..
            })
        ));
        worker
    }

    pub fn send_line(&mut self, line: &str) {
        self.input
            .as_mut()
            .unwrap()
            .write_all(format!("{line}\n").as_bytes())
            .unwrap();
    }

    pub fn send(&mut self, command: Command) {
        self.send_line(&serde_json::to_string(&command).unwrap());
    }

    pub fn train(&mut self, job: &str, model: &str, min_event_interval_ms: u64) {
        self.send(Command::Train(Box::new(TrainCommand {
            job: JobId::new(job),
            config: RunConfig {
                model: model.to_owned(),
                ..RunConfig::default()
            },
            out: Some("/runs/a".into()),
            resume: None,
            min_event_interval_ms,
        })));
    }

    pub fn turn(&mut self, content: &str) {
        self.turn_with(content, AdapterChoice::Opened);
    }

    pub fn turn_with(&mut self, content: &str, adapter: AdapterChoice) {
        self.send(Command::ChatTurn(ChatTurn {
            job: JobId::new("c"),
            messages: vec![ChatMessage {
                role: Role::User,
                content: content.to_owned(),
            }],
            settings: SamplerSettings::default(),
            adapter,
        }));
    }

    pub fn next(&self) -> EventLine {
        self.events
            .recv_timeout(Duration::from_secs(20))
            .expect("an event")
    }

    /// All events up to and with the end of a job.
    pub fn until_end(&self, job: &str) -> Vec<EventLine> {
        let mut lines = Vec::new();
        loop {
            let line = self.next();
            let end = line.event.ends_job() && line.job == Some(JobId::new(job));
            lines.push(line);
            if end {
                return lines;
            }
        }
    }

    pub fn end_of(&self, job: &str) -> Event {
        self.until_end(job).pop().unwrap().event
    }

    /// Ends the input and gives everything that is still told.
    pub fn close(mut self) -> Vec<EventLine> {
        self.input = None;
        self.thread.take().unwrap().join().unwrap();
        self.events.iter().collect()
    }
}

pub fn job(name: &str) -> JobRef {
    JobRef {
        job: JobId::new(name),
    }
}

pub fn chat() -> Command {
    Command::Chat(ChatCommand {
        job: JobId::new("c"),
        model: "fake".to_owned(),
        adapter: None,
        device: "cpu".to_owned(),
    })
}
