//! Jobs that need no model.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use stepladder_engine::comparison::matched::{Listener, MatchedWishes, Trained};
use stepladder_engine::comparison::{News, Outcome, Wishes};
use stepladder_engine::export::Written;
use stepladder_engine::training::progress::{
    EvaluationMetrics, Phase, Progress, RunStarted, StageProgress, StepMetrics,
};
use stepladder_engine::training::stop_flag::{Request, StopFlag};
use stepladder_engine::worker::describe::Told;
use stepladder_engine::worker::jobs::{Chat, Jobs, RunOutcome, RunTarget};
use stepladder_engine::{Error, Result};
use stepladder_protocol::*;

/// Jobs whose `model` says what they do.
pub struct FakeJobs;

/// Whether the process was told to end.
pub static LEFT: AtomicBool = AtomicBool::new(false);

pub fn step(step: usize) -> StepMetrics {
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
        peak_bytes: Some(500),
    }
}

impl Jobs for FakeJobs {
    fn leave(&self) {
        LEFT.store(true, Ordering::Release);
    }

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
            ended_early: None,
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
            "has no room" => Err(Error::OutOfMemory {
                asked: Some(96 << 20),
                held: 11 << 30,
                free: 40 << 20,
                moment: "in step 12".to_owned(),
                before_first_step: false,
                advice: "planned were 11.0 GiB".to_owned(),
            }),
            "until stopped" => {
                progress.phase(Phase::Training);
                while !stop.is_raised() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                progress.checkpoint(&run.join("checkpoints/9"));
                Ok(outcome(stop.asked() == Some(Request::Keep), 9))
            }
            "stages" => {
                for phase in [Phase::LoadingModel, Phase::Rehearsing] {
                    progress.phase(phase);
                    for done in 0..=1000 {
                        progress.stage(StageProgress {
                            phase,
                            done,
                            total: 1000,
                        });
                    }
                }
                Ok(outcome(true, 0))
            }
            "kinds" => {
                // As they come in the course of a run, one within the interval of the other. They are few,
                // so none is dropped for want of room, however late they are written.
                for number in 1..=3 {
                    progress.stage(StageProgress {
                        phase: Phase::Evaluating,
                        done: number as u64,
                        total: 9,
                    });
                    progress.step(&step(number));
                }
                Ok(outcome(true, 3))
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
                    device: "CPU".to_owned(),
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

    fn train_matched(
        &self,
        _: &MatchedWishes,
        _: &StopFlag,
        _: &mut dyn Listener,
    ) -> Result<Trained> {
        Ok(Trained::Stopped { runs: 0 })
    }

    fn compare(
        &self,
        _: &str,
        wishes: &Wishes,
        stop: &StopFlag,
        told: &mut dyn FnMut(News),
    ) -> Result<Outcome> {
        told(News::Started(ComparisonStarted {
            out: wishes.out.display().to_string(),
            device: "CPU".to_owned(),
            variants: Vec::new(),
            baseline: wishes.baseline.clone(),
            question_source: "q".to_owned(),
            questions: 9,
            left_out_trained_on: 0,
            kept_answers: 0,
        }));
        let mut answers = 0;
        while !stop.is_raised() {
            answers += 1;
            told(News::Question(ComparedQuestion {
                number: answers,
                question: "2+2?".to_owned(),
                reference: None,
            }));
            for elapsed in 0..100 {
                told(News::Progress(ComparisonProgress {
                    variants: Vec::new(),
                    elapsed_secs: f64::from(elapsed),
                    remaining_secs: None,
                }));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(Outcome::Stopped { answers })
    }

    fn export(
        &self,
        command: &ExportCommand,
        told: &mut dyn FnMut(Written) -> ControlFlow<()>,
    ) -> Result<ExportReport> {
        if command.adapter.ends_with("for ever") {
            loop {
                let _ = told(Written { done: 1, total: 2 });
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        if command.adapter.ends_with("until stopped") {
            while told(Written { done: 1, total: 2 }).is_continue() {
                std::thread::sleep(Duration::from_millis(5));
            }
            return Err(Error::Stopped);
        }
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

    fn models(&self, command: &ModelsCommand, _: &StopFlag) -> Result<ModelList> {
        let notices = command.folders.iter();
        Ok(ModelList {
            models: Vec::new(),
            notices: notices.map(|folder| folder.display().to_string()).collect(),
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
pub struct FakeChat(bool);

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
            reasoning_secs: None,
            prompt_tokens: 0,
            context_length: 0,
        })
    }
}
