//! The worker from outside: lines in, lines out, with jobs that need no model.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::io::{BufRead, BufReader, PipeWriter, Write, pipe};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use stepladder_engine::training::progress::{
    EvaluationMetrics, Phase, Progress, RunStarted, StepMetrics,
};
use stepladder_engine::training::stop_flag::StopFlag;
use stepladder_engine::worker::describe::Told;
use stepladder_engine::worker::jobs::{Chat, Jobs, RunOutcome, RunTarget};
use stepladder_engine::worker::serve;
use stepladder_engine::{Error, Result};
use stepladder_protocol::*;

/// Jobs whose `model` says what they do.
struct FakeJobs;

fn step(step: usize) -> StepMetrics {
    StepMetrics {
        step,
        loss: if step == 1 { f64::NAN } else { 1.0 },
        learning_rate: 1e-3,
        gradient_norm: 0.5,
        tokens_per_second: 100.0,
        tokens: 10,
        target_tokens: 5,
        elapsed_secs: step as f64,
        remaining_secs: 0.0,
    }
}

impl Jobs for FakeJobs {
    fn train(
        &self,
        config: &RunConfig,
        target: RunTarget,
        progress: &mut dyn Progress,
        stop: &StopFlag,
    ) -> Result<RunOutcome> {
        let run = match target {
            RunTarget::Fresh(run) | RunTarget::Resume(run) => run,
        };
        let outcome = |finished, step| RunOutcome {
            run: run.clone(),
            finished,
            step,
            best_evaluation_loss: Some(0.5),
            estimated_peak_bytes: 900,
            measured_peak_bytes: 1000,
        };
        match config.model.as_str() {
            "panics" => panic!("index {} is out of range", 7),
            "fails" => Err(Error::Diverged {
                step: 3,
                what: "the loss is NaN".to_owned(),
            }),
            "until stopped" => {
                progress.phase(Phase::Training);
                while !stop.is_raised() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                progress.checkpoint(&run.join("checkpoints/9"));
                Ok(outcome(false, 9))
            }
            "deep" => {
                // Recursion as a backward pass of candle has it, far beyond a default stack.
                fn down(depth: usize) -> usize {
                    let page = std::hint::black_box([depth as u8; 1024]);
                    if depth == 0 {
                        0
                    } else {
                        down(depth - 1) + usize::from(page[0] > 300u16 as u8)
                    }
                }
                std::hint::black_box(down(100_000));
                Ok(outcome(true, 1))
            }
            _ => {
                progress.phase(Phase::LoadingModel);
                progress.started(&RunStarted {
                    total_steps: 1000,
                    first_step: 0,
                    training_examples: 9,
                    held_out_examples: 1,
                    trainable_parameters: 10,
                    backbone_parameters: 100,
                });
                for number in 1..=1000 {
                    progress.step(&step(number));
                    if number % 100 == 0 {
                        progress.evaluation(&EvaluationMetrics {
                            step: number,
                            loss: 1.0,
                            best: false,
                        });
                    }
                }
                Ok(outcome(true, 1000))
            }
        }
    }

    fn open_chat(&self, _command: &ChatCommand) -> Result<Box<dyn Chat>> {
        Ok(Box::new(FakeChat::default()))
    }

    fn estimate(&self, command: &EstimateCommand) -> Result<MemoryReport> {
        Err(Error::ModelUnknown {
            name: command.config.model.clone(),
            nearest: Vec::new(),
        })
    }

    fn check(
        &self,
        command: &CheckCommand,
        stop: &StopFlag,
        told: &mut dyn FnMut(&CheckedCell),
    ) -> Result<CheckSummary> {
        let of = command.cells.unwrap_or(usize::MAX);
        for number in 1..=of {
            if stop.is_raised() {
                return Err(Error::Stopped);
            }
            if command.cells.is_none() {
                std::thread::sleep(Duration::from_millis(1));
            }
            told(&CheckedCell {
                number,
                of,
                done: number as f64 / of as f64,
                method: Method::Lora,
                layers: 1,
                d_model: 1,
                vocabulary: 1,
                parameters: 1,
                quantize: Quantize::None,
                quantize_head: Switch::Off,
                recompute: Switch::On,
                recompute_taps: Switch::Off,
                tap_dtype: TapDtype::F32,
                optimizer: Optimizer::AdamW,
                context: 1,
                batch_size: 1,
                estimated_bytes: 1,
                measured_bytes: 1,
                estimated_weights_bytes: 1,
                measured_weights_bytes: 1,
                error: 0.0,
                error_without_weights: 0.0,
                peak_moment: "loss".to_owned(),
                fitted: false,
            });
        }
        Ok(CheckSummary {
            cells: of,
            weights_at_most_half: 0,
            all: CheckErrors::default(),
            fitted: CheckErrors::default(),
            others: CheckErrors::default(),
        })
    }

    fn export(&self, command: &ExportCommand) -> Result<ExportReport> {
        Ok(ExportReport {
            format: command.to,
            path: command.out.display().to_string(),
            files: Vec::new(),
            usage: String::new(),
            notices: Vec::new(),
        })
    }

    fn inspect(
        &self,
        command: &InspectCommand,
        _: &mut dyn FnMut(Told) -> ControlFlow<()>,
    ) -> Result<Finished> {
        Err(Error::ModelFileMissing {
            folder: command.target.clone().into(),
            file: "x".to_owned(),
        })
    }

    fn devices(&self) -> Result<DeviceReport> {
        Ok(DeviceReport {
            devices: Vec::new(),
            notices: Vec::new(),
        })
    }
}

/// Whether another adapter was chosen.
#[derive(Default)]
struct FakeChat(bool);

impl Chat for FakeChat {
    fn ready(&self) -> ChatReady {
        ChatReady {
            model: "fake".to_owned(),
            adapter: None,
            device: "CPU".to_owned(),
            context_length: 8,
        }
    }

    fn notices(&self) -> Vec<String> {
        let own = match self.0 {
            true => "The other adapter is older.",
            false => "The adapter is old.",
        };
        vec![own.to_owned()]
    }

    fn choose(&mut self, adapter: &AdapterChoice) -> Result<()> {
        self.0 = *adapter != AdapterChoice::Opened;
        Ok(())
    }

    fn reply(
        &mut self,
        turn: &ChatTurn,
        stop: &StopFlag,
        on_text: &mut dyn FnMut(&str, bool),
    ) -> Result<ReplyStats> {
        let asked = &turn.messages.last().unwrap().content;
        if asked == "fail" {
            return Err(Error::ConfigInvalid {
                field: "max_tokens",
                problem: "too many".to_owned(),
                hint: "fewer".to_owned(),
            });
        }
        on_text("<think>hm</think>", true);
        while asked == "forever" && !stop.is_raised() {
            std::thread::sleep(Duration::from_millis(1));
        }
        on_text(asked, false);
        let finish = if stop.is_raised() {
            FinishReason::Cancelled
        } else {
            FinishReason::Stop
        };
        Ok(ReplyStats {
            reasoning_tokens: 1,
            total_tokens: 2,
            finish,
            tokens_per_second: None,
        })
    }
}

/// A worker on a thread of this process.
struct Worker {
    input: Option<PipeWriter>,
    events: Receiver<EventLine>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    fn start() -> Self {
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

    fn send_line(&mut self, line: &str) {
        self.input
            .as_mut()
            .unwrap()
            .write_all(format!("{line}\n").as_bytes())
            .unwrap();
    }

    fn send(&mut self, command: Command) {
        self.send_line(&serde_json::to_string(&command).unwrap());
    }

    fn train(&mut self, job: &str, model: &str, min_event_interval_ms: u64) {
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

    fn turn(&mut self, content: &str) {
        self.turn_with(content, AdapterChoice::Opened);
    }

    fn turn_with(&mut self, content: &str, adapter: AdapterChoice) {
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

    fn next(&self) -> EventLine {
        self.events
            .recv_timeout(Duration::from_secs(20))
            .expect("an event")
    }

    /// All events up to and with the end of a job.
    fn until_end(&self, job: &str) -> Vec<EventLine> {
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

    fn end_of(&self, job: &str) -> Event {
        self.until_end(job).pop().unwrap().event
    }

    /// Ends the input and gives everything that is still told.
    fn close(mut self) -> Vec<EventLine> {
        self.input = None;
        self.thread.take().unwrap().join().unwrap();
        self.events.iter().collect()
    }
}

fn job(name: &str) -> JobRef {
    JobRef {
        job: JobId::new(name),
    }
}

fn chat() -> Command {
    Command::Chat(ChatCommand {
        job: JobId::new("c"),
        model: "fake".to_owned(),
        adapter: None,
        device: "cpu".to_owned(),
    })
}

#[test]
fn every_step_is_told_to_whom_asks_for_it() {
    let mut worker = Worker::start();
    worker.train("t", "steps", 0);
    let lines = worker.until_end("t");
    let steps: Vec<_> = lines
        .iter()
        .filter_map(|line| match &line.event {
            Event::Step(row) => Some((row.step, row.loss)),
            _ => None,
        })
        .collect();
    assert_eq!(steps.len(), 1000);
    assert_eq!(
        steps[0],
        (1, None),
        "a loss that is not a number crosses as null"
    );
    assert_eq!(steps[999], (1000, Some(1.0)));
    let Event::Finished(Finished::Training(summary)) = &lines.last().unwrap().event else {
        panic!("not finished")
    };
    assert_eq!(summary.run, "/runs/a");
    assert_eq!(summary.measured_peak_bytes, Some(1000));
    assert_eq!(summary.estimated_peak_bytes, Some(900));
    assert_eq!(summary.elapsed_secs, Some(1000.0));
    assert!(worker.close().is_empty());
}

#[test]
fn merging_drops_steps_and_nothing_else() {
    let mut worker = Worker::start();
    worker.train("t", "steps", 10_000);
    let lines = worker.until_end("t");
    let steps: Vec<_> = lines
        .iter()
        .filter_map(|line| match &line.event {
            Event::Step(row) => Some(row.step),
            _ => None,
        })
        .collect();
    let evaluations = lines
        .iter()
        .filter(|line| matches!(line.event, Event::Evaluation(_)))
        .count();
    assert_eq!(evaluations, 10);
    assert!(steps.len() <= 12, "{steps:?}");
    assert!(steps.is_sorted());
    assert!(
        lines
            .iter()
            .any(|line| matches!(line.event, Event::Phase { .. }))
    );
    assert!(
        lines
            .iter()
            .any(|line| matches!(line.event, Event::Started(_)))
    );
}

#[test]
fn jobs_wait_in_order_and_a_waiting_one_can_be_stopped() {
    let mut worker = Worker::start();
    worker.train("first", "until stopped", 0);
    assert!(matches!(worker.next().event, Event::Phase { .. }));
    worker.train("second", "steps", 0);
    worker.train("third", "steps", 0);
    assert_eq!(
        worker.next(),
        Event::Queued { ahead: 1 }.of(&JobId::new("second"))
    );
    assert_eq!(
        worker.next(),
        Event::Queued { ahead: 2 }.of(&JobId::new("third"))
    );

    // Light jobs do not wait for heavy ones.
    worker.send(Command::Devices(job("d")));
    assert!(matches!(
        worker.end_of("d"),
        Event::Finished(Finished::Devices(_))
    ));

    worker.send(Command::Stop(job("second")));
    assert_eq!(
        worker.end_of("second"),
        Event::Stopped { run: None, step: 0 }
    );
    worker.send(Command::Stop(job("first")));
    let lines = worker.until_end("first");
    assert!(matches!(lines[0].event, Event::Checkpoint { .. }));
    assert_eq!(
        lines.last().unwrap().event,
        Event::Stopped {
            run: Some("/runs/a".to_owned()),
            step: 9
        }
    );
    assert!(matches!(worker.end_of("third"), Event::Finished(_)));
}

#[test]
fn a_panic_and_an_error_fail_the_job_and_the_worker_goes_on() {
    let mut worker = Worker::start();
    worker.train("p", "panics", 0);
    let Event::Failed(report) = worker.end_of("p") else {
        panic!("not failed")
    };
    assert_eq!(report.code, "internal");
    assert!(
        report.message.contains("index 7 is out of range"),
        "{}",
        report.message
    );
    assert!(report.details.unwrap().contains("worker.rs:"));

    worker.train("e", "fails", 0);
    let Event::Failed(report) = worker.end_of("e") else {
        panic!("not failed")
    };
    assert_eq!(report.code, "diverged");
    assert_eq!(
        report.message,
        "training diverged at step 3: the loss is NaN"
    );
    assert!(report.hint.contains("--learning-rate"));

    worker.send(Command::Inspect(InspectCommand {
        job: JobId::new("i"),
        target: "m".to_owned(),
        model: None,
        show: None,
        from: None,
        context: None,
        data_options: None,
        hash: false,
    }));
    let Event::Failed(report) = worker.end_of("i") else {
        panic!("not failed")
    };
    assert_eq!(report.code, "model_file_missing");

    worker.train("deep", "deep", 0);
    assert!(matches!(worker.end_of("deep"), Event::Finished(_)));
}

#[test]
fn what_is_no_command_is_rejected() {
    let mut worker = Worker::start();
    let rejected = |worker: &Worker| match worker.next() {
        EventLine {
            event: Event::Rejected(report),
            job,
        } => (report.code, job),
        other => panic!("{other:?}"),
    };
    worker.send_line("rubbish");
    assert_eq!(rejected(&worker), ("not_a_command".to_owned(), None));
    worker.send_line(r#"{"command":"train","job":"x","config":{"contxt":1}}"#);
    assert_eq!(
        rejected(&worker),
        ("not_a_command".to_owned(), Some(JobId::new("x")))
    );
    worker.send_line(r#"{"command":"train","job":"x","config":{},"out":"a","resume":"b"}"#);
    assert_eq!(
        rejected(&worker),
        ("config_invalid".to_owned(), Some(JobId::new("x")))
    );
    worker.send(Command::Stop(job("nobody")));
    assert_eq!(
        rejected(&worker),
        ("unknown_job".to_owned(), Some(JobId::new("nobody")))
    );
    worker.train("t", "until stopped", 0);
    worker.train("t", "steps", 0);
    assert!(matches!(
        worker.next().event,
        Event::Phase { .. } | Event::Rejected(_)
    ));
    worker.send(Command::ChatEnd(job("t")));
    let codes: Vec<_> = worker
        .close()
        .into_iter()
        .filter_map(|line| match line.event {
            Event::Rejected(report) => Some(report.code),
            _ => None,
        })
        .collect();
    assert!(codes.contains(&"not_a_chat".to_owned()), "{codes:?}");
}

#[test]
fn a_check_tells_each_cell_and_stops_at_the_next() {
    let mut worker = Worker::start();
    let check = |job: &str, cells| {
        Command::Check(CheckCommand {
            job: JobId::new(job),
            device: "cpu".to_owned(),
            cells,
        })
    };
    worker.send(check("few", Some(3)));
    let lines = worker.until_end("few");
    let numbers: Vec<_> = lines
        .iter()
        .filter_map(|line| match &line.event {
            Event::Checked(cell) => Some(cell.number),
            _ => None,
        })
        .collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert!(
        matches!(&lines.last().unwrap().event, Event::Finished(Finished::Check(summary)) if summary.cells == 3)
    );

    worker.send(check("endless", None));
    while !matches!(worker.next().event, Event::Checked(_)) {}
    // It holds the device: a run waits behind it.
    worker.train("t", "steps", 0);
    worker.send(Command::Stop(job("endless")));
    let lines = worker.until_end("endless");
    assert!(
        lines
            .iter()
            .any(|line| line.event == Event::Queued { ahead: 1 })
    );
    assert!(matches!(
        lines.last().unwrap().event,
        Event::Stopped { run: None, step: 0 }
    ));
    assert!(matches!(worker.end_of("t"), Event::Finished(_)));
}

#[test]
fn the_end_of_the_input_stops_all_jobs() {
    let mut worker = Worker::start();
    worker.train("running", "until stopped", 0);
    assert!(matches!(worker.next().event, Event::Phase { .. }));
    worker.train("waiting", "steps", 0);
    assert!(matches!(worker.next().event, Event::Queued { .. }));
    let rest = worker.close();
    let ends: Vec<_> = rest.iter().filter(|line| line.event.ends_job()).collect();
    assert_eq!(ends.len(), 2);
    assert!(
        ends.iter()
            .all(|line| matches!(line.event, Event::Stopped { .. }))
    );
    assert!(
        rest.iter()
            .any(|line| matches!(line.event, Event::Checkpoint { .. }))
    );
}

#[test]
fn a_chat_answers_is_interrupted_and_ends() {
    let mut worker = Worker::start();
    worker.send(chat());
    assert!(matches!(worker.next().event, Event::Notice { .. }));
    assert!(matches!(worker.next().event, Event::Ready(_)));

    worker.turn("hello");
    assert!(matches!(
        worker.next().event,
        Event::Text {
            reasoning: true,
            ..
        }
    ));
    let text = Event::Text {
        text: "hello".to_owned(),
        reasoning: false,
    };
    assert_eq!(worker.next().event, text);
    assert!(matches!(
        worker.next().event,
        Event::Reply(ReplyStats {
            total_tokens: 2,
            ..
        })
    ));

    worker.turn("forever");
    assert!(matches!(worker.next().event, Event::Text { .. }));
    worker.send(Command::ChatInterrupt(job("c")));
    assert!(matches!(worker.next().event, Event::Text { .. }));
    let Event::Reply(stats) = worker.next().event else {
        panic!("no reply")
    };
    assert_eq!(stats.finish, FinishReason::Cancelled);

    worker.turn("fail");
    assert!(matches!(worker.next().event, Event::TurnFailed(_)));

    // What was asked before the end is still answered.
    worker.turn("last");
    worker.send(Command::ChatEnd(job("c")));
    let lines = worker.until_end("c");
    assert!(
        lines
            .iter()
            .any(|line| matches!(line.event, Event::Reply(_)))
    );
    assert_eq!(
        lines.last().unwrap().event,
        Event::Finished(Finished::Chat(ChatSummary { replies: 3 }))
    );
}

/// What there is to know of an adapter chosen within a chat is told before its first answer, once.
#[test]
fn an_adapter_chosen_later_brings_its_notice() {
    let mut worker = Worker::start();
    worker.send(chat());
    for _ in 0..2 {
        worker.turn_with("hello", AdapterChoice::At("other".into()));
    }
    worker.turn("hello");
    worker.send(Command::ChatEnd(job("c")));
    let told: Vec<String> = worker
        .until_end("c")
        .into_iter()
        .filter_map(|line| match line.event {
            Event::Notice { text } => Some(text),
            Event::Reply(_) => Some("a reply".to_owned()),
            _ => None,
        })
        .collect();
    let expected = [
        "The adapter is old.",
        "The other adapter is older.",
        "a reply",
        "a reply",
        "a reply",
    ];
    assert_eq!(told, expected);
}

#[test]
fn stopping_a_chat_ends_its_reply_too() {
    let mut worker = Worker::start();
    worker.send(chat());
    worker.turn("forever");
    assert!(matches!(worker.next().event, Event::Notice { .. }));
    assert!(matches!(worker.next().event, Event::Ready(_)));
    assert!(matches!(worker.next().event, Event::Text { .. }));
    worker.send(Command::Stop(job("c")));
    assert_eq!(worker.end_of("c"), Event::Stopped { run: None, step: 0 });
}

#[test]
fn a_client_that_stops_reading_stops_the_run() {
    let (command_reader, input) = pipe().unwrap();
    let (event_reader, output) = pipe().unwrap();
    let thread = std::thread::spawn(move || {
        serve(BufReader::new(command_reader), output, Arc::new(FakeJobs)).unwrap();
    });
    drop(event_reader);
    let mut input = input;
    let train = r#"{"command":"train","job":"t","config":{"model":"steps"},"out":"a","min_event_interval_ms":0}"#;
    input.write_all(format!("{train}\n").as_bytes()).unwrap();
    drop(input);
    thread.join().unwrap();
}
