//! A training run as a person follows it on standard error.

use std::time::{Duration, Instant};

use stepladder_protocol::{
    EvaluationRow, Event, ExportFormat, Finished, Method, Phase, PhaseProgress, RunConfig,
    RunMemory, RunStarted, SampleRow, StepRow, TrainSummary,
};

use super::inspect::reading;
use super::terminal::{Style, Terminal};
use crate::text::{bytes, clock, count, loss, quoted, rate, thousands, visible};

/// How often the progress line is rewritten.
const REWRITE_EVERY: Duration = Duration::from_millis(500);
/// Progress lines in a whole run where they cannot be rewritten.
const LINES_PER_RUN: usize = 20;

/// Shows one run.
pub struct TrainView {
    terminal: Terminal,
    model: String,
    data: String,
    method: Method,
    run: String,
    total_steps: usize,
    next_line: usize,
    last_rewrite: Option<Instant>,
    progress: String,
}

/// What the trained adapter can become.
fn exports(method: Method) -> String {
    let given = ExportFormat::ALL
        .into_iter()
        .filter(|format| format.is_given_by(method))
        .map(|format| format!("{} ({})", format.name(), format.purpose()));
    let mut text = given.collect::<Vec<_>>().join("; ");
    if !ExportFormat::Peft.is_given_by(method) {
        text.push_str("; it cannot be merged into the model or become a LoRA");
    }
    text
}

impl TrainView {
    /// A run that was just asked for, in the folder `run`.
    pub fn new(config: &RunConfig, run: String, terminal: &Terminal) -> Self {
        Self {
            terminal: terminal.clone(),
            model: visible(&config.model),
            data: config
                .data
                .iter()
                .map(|data| visible(data))
                .collect::<Vec<_>>()
                .join(", "),
            method: config.method,
            run,
            total_steps: 0,
            next_line: 0,
            last_rewrite: None,
            progress: String::new(),
        }
    }

    /// Shows an event; errors are told by whoever ends the program.
    pub fn show(&mut self, event: &Event, now: Instant) {
        let style = self.terminal.style;
        match event {
            Event::Phase { phase } => {
                let stage = phase_in_words(*phase);
                self.terminal.status(&self.stage(*phase, stage));
            }
            Event::Progress(so_far) => {
                let stage = stage_in_words(so_far);
                self.terminal.status(&self.stage(so_far.phase, &stage));
            }
            Event::Reading(progress) => self.terminal.status(&reading(progress)),
            Event::Started(started) => self.started(started),
            Event::Notice { text } => {
                self.terminal
                    .line(&format!("{} {}", style.bold("note:"), visible(text)));
            }
            Event::Memory(memory) => self.terminal.line(&memory_line(memory, style)),
            Event::Step(row) => self.step(row, now),
            Event::Evaluation(row) => self.terminal.line(&evaluation_line(row, style)),
            Event::Sample(row) => self.lines(&sample_lines(row, style)),
            Event::Finished(Finished::Training(summary)) => {
                self.terminal.clear_status();
                self.lines(&summary_lines(summary, style));
            }
            Event::Stopped { run, step } => {
                self.terminal.clear_status();
                self.lines(&stopped_lines(
                    run.as_deref(),
                    *step,
                    self.total_steps,
                    style,
                ));
            }
            _ => {}
        }
    }

    fn lines(&self, lines: &[String]) {
        for line in lines {
            self.terminal.line(line);
        }
    }

    fn started(&mut self, started: &RunStarted) {
        self.total_steps = started.total_steps;
        self.next_line = started.first_step + 1;
        self.lines(&self.header(started));
    }

    fn header(&self, started: &RunStarted) -> Vec<String> {
        let method = self.method.title();
        let share =
            100.0 * started.trainable_parameters as f64 / started.backbone_parameters.max(1) as f64;
        let mut lines = rows(
            &[
                (
                    "model",
                    format!(
                        "{} · {} parameters, frozen",
                        self.model,
                        thousands(started.backbone_parameters as u64)
                    ),
                ),
                (
                    "method",
                    format!(
                        "{method} · {} parameters trained ({share:.1} %)",
                        thousands(started.trainable_parameters as u64)
                    ),
                ),
                (
                    "data",
                    format!(
                        "{} · {}, {} held out",
                        self.data,
                        count(started.training_examples, "example", "examples"),
                        thousands(started.held_out_examples as u64)
                    ),
                ),
                ("device", visible(&started.device)),
                ("export", exports(self.method)),
                ("run", visible(&self.run)),
            ],
            self.terminal.style,
        );
        if started.first_step > 0 {
            lines.push(format!(
                "going on after step {}",
                thousands(started.first_step as u64)
            ));
        }
        lines.push(String::new());
        lines
    }

    /// The status line in a stage: the figures of the last step stay in sight.
    fn stage(&self, phase: Phase, words: &str) -> String {
        match (self.progress.as_str(), phase) {
            ("", _) => words.to_owned(),
            (progress, Phase::Training) => progress.to_owned(),
            (progress, _) => format!("{progress} · {words}"),
        }
    }

    fn step(&mut self, row: &StepRow, now: Instant) {
        let line = progress_line(row, self.total_steps);
        let last = row.step >= self.total_steps;
        if self.terminal.rewrites {
            if last
                || self
                    .last_rewrite
                    .is_none_or(|before| now - before >= REWRITE_EVERY)
            {
                self.last_rewrite = Some(now);
                self.terminal.status(&line);
            }
        } else if last || row.step >= self.next_line {
            let every = self.total_steps.div_ceil(LINES_PER_RUN).max(1);
            self.next_line = (row.step / every + 1) * every;
            self.terminal.line(&line);
        }
        self.progress = line;
    }
}

fn phase_in_words(phase: Phase) -> &'static str {
    match phase {
        Phase::LoadingModel => "loading the model…",
        Phase::LoadingData => "reading the data…",
        Phase::Training => "training…",
        Phase::Rehearsing => "rehearsing the longest batch…",
        Phase::Evaluating => "evaluating…",
        Phase::Checkpointing => "saving a checkpoint…",
        Phase::Exporting => "writing the export…",
    }
}

/// `loading the model… · 1.20 GiB of 4.30 GiB · 900.0 MiB/s`
fn stage_in_words(so_far: &PhaseProgress) -> String {
    let words = phase_in_words(so_far.phase);
    let (done, total) = (so_far.done, so_far.total);
    match so_far.phase {
        Phase::LoadingModel => {
            let rate = so_far
                .per_second
                .map_or_else(String::new, |rate| format!(" · {}/s", bytes(rate as u64)));
            format!("{words} · {} of {}{rate}", bytes(done), bytes(total))
        }
        Phase::Evaluating => {
            format!("{words} · {} of {}", thousands(done), thousands(total))
        }
        Phase::Rehearsing => format!("{words} · {done} of {total} parts"),
        Phase::LoadingData | Phase::Training | Phase::Checkpointing | Phase::Exporting => {
            words.to_owned()
        }
    }
}

/// `step 12/108 · loss 1.930 · 5,120 tokens/s · 1:40 left`
fn progress_line(row: &StepRow, total: usize) -> String {
    let mut line = format!(
        "step {}/{} · loss {}",
        thousands(row.step as u64),
        thousands(total as u64),
        loss(row.loss)
    );
    if let Some(tokens) = row.tokens_per_second {
        line.push_str(&format!(" · {} tokens/s", rate(tokens)));
    }
    if let Some(secs) = row.remaining_secs {
        line.push_str(&format!(" · {} left", clock(secs)));
    }
    line
}

/// `memory  39.1 MiB planned · 39.2 MiB in the rehearsal of the longest batch`
fn memory_line(memory: &RunMemory, style: Style) -> String {
    let mut text = format!("{} planned", bytes(memory.estimated_peak_bytes));
    if let Some(peak) = memory.measured_peak_bytes {
        let measured = bytes(peak);
        text.push_str(&format!(
            " · {measured} in the rehearsal of the longest batch"
        ));
    }
    format!("{}  {text}\n", style.dim("memory"))
}

fn evaluation_line(row: &EvaluationRow, style: Style) -> String {
    let best = if row.best {
        style.good(" · best so far")
    } else {
        String::new()
    };
    format!(
        "evaluation at step {} · loss {}{best}",
        thousands(row.step as u64),
        loss(row.loss)
    )
}

/// What was asked, said, and to be said; foreign text, which the terminal makes visible.
fn sample_lines(row: &SampleRow, style: Style) -> Vec<String> {
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    [
        ("asked", &row.prompt),
        ("answer", &row.answer),
        ("reference", &row.reference),
    ]
    .map(|(what, text)| format!("  {} {}", style.dim(what), visible(&one_line(text))))
    .to_vec()
}

fn summary_lines(summary: &TrainSummary, style: Style) -> Vec<String> {
    let time = summary
        .elapsed_secs
        .map_or_else(String::new, |secs| format!(" in {}", clock(secs)));
    let steps = count(summary.step, "step", "steps");
    let best = match summary.best_evaluation_loss {
        Some(best) => loss(Some(best)),
        None => "nothing was held out".to_owned(),
    };
    let mut table = vec![("best evaluation loss", best)];
    if let Some(peak) = summary.measured_peak_bytes {
        let planned = summary
            .estimated_peak_bytes
            .map_or_else(String::new, |planned| {
                format!(", {} planned", bytes(planned))
            });
        table.push(("peak memory", format!("{}{planned}", bytes(peak))));
    }
    table.push(("run", visible(&summary.run)));
    table.push((
        "chat with it",
        format!("stepladder chat --adapter {}", quoted(&summary.run)),
    ));
    let mut lines = vec![
        String::new(),
        style.good(&format!("finished: {steps}{time}")),
    ];
    lines.extend(rows(&table, style));
    lines
}

fn stopped_lines(run: Option<&str>, step: usize, total: usize, style: Style) -> Vec<String> {
    let Some(run) = run else {
        return vec!["stopped before it began".to_owned()];
    };
    let steps = format!(
        "{}/{}",
        thousands(step as u64),
        thousands(total.max(step) as u64)
    );
    let mut lines = vec![format!("stopped at step {steps}; a checkpoint is saved")];
    let resume = format!("stepladder train --resume {}", quoted(run));
    lines.extend(rows(
        &[("run", visible(run)), ("go on with", resume)],
        style,
    ));
    lines
}

/// Names and values, the values below each other.
fn rows(table: &[(&str, String)], style: Style) -> Vec<String> {
    let width = table
        .iter()
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or_default();
    let row = |(name, value): &(&str, String)| {
        format!("{}  {value}", style.dim(&format!("{name:width$}")))
    };
    table.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> StepRow {
        StepRow {
            step: 12,
            loss: Some(1.93),
            learning_rate: Some(4.9e-4),
            gradient_norm: Some(0.7),
            tokens_per_second: Some(5120.0),
            tokens: 100,
            target_tokens: 50,
            elapsed_secs: Some(10.0),
            remaining_secs: Some(100.0),
            peak_bytes: None,
        }
    }

    #[test]
    fn progress_reads_at_a_glance() {
        assert_eq!(
            progress_line(&row(), 108),
            "step 12/108 · loss 1.930 · 5,120 tokens/s · 1:40 left"
        );
        let unknown = StepRow {
            loss: None,
            tokens_per_second: None,
            remaining_secs: None,
            peak_bytes: None,
            ..row()
        };
        assert_eq!(
            progress_line(&unknown, 1080),
            "step 12/1,080 · loss not a number"
        );
    }

    #[test]
    fn the_header_tells_what_will_be_trained() {
        let terminal = Terminal::plain();
        let view = TrainView::new(&RunConfig::default(), "/runs/a".to_owned(), &terminal);
        let started = RunStarted {
            total_steps: 108,
            first_step: 50,
            training_examples: 570,
            held_out_examples: 30,
            trainable_parameters: 98_304,
            backbone_parameters: 3_145_728,
            device: "CPU, 2 threads".to_owned(),
        };
        assert_eq!(
            view.header(&started).join("\n"),
            "model   builtin · 3,145,728 parameters, frozen\n\
             method  Ladder · 98,304 parameters trained (3.1 %)\n\
             data    builtin · 570 examples, 30 held out\n\
             device  CPU, 2 threads\n\
             export  adapter (Stepladder, or transformers with the Python file that comes with it); \
             it cannot be merged into the model or become a LoRA\n\
             run     /runs/a\n\
             going on after step 50\n"
        );
    }

    #[test]
    fn the_summary_says_what_to_do_next() {
        let summary = TrainSummary {
            run: "/my runs/a".to_owned(),
            step: 108,
            best_evaluation_loss: Some(1.71),
            estimated_peak_bytes: Some(1 << 29),
            measured_peak_bytes: Some(1 << 30),
            elapsed_secs: Some(112.0),
        };
        assert_eq!(
            summary_lines(&summary, Style::Plain).join("\n"),
            "\nfinished: 108 steps in 1:52\n\
             best evaluation loss  1.710\n\
             peak memory           1.00 GiB, 512.0 MiB planned\n\
             run                   /my runs/a\n\
             chat with it          stepladder chat --adapter '/my runs/a'"
        );
    }

    #[test]
    fn a_stop_says_how_to_go_on() {
        assert_eq!(
            stopped_lines(Some("/runs/a"), 7, 108, Style::Plain).join("\n"),
            "stopped at step 7/108; a checkpoint is saved\n\
             run         /runs/a\n\
             go on with  stepladder train --resume /runs/a"
        );
        assert_eq!(
            stopped_lines(None, 0, 0, Style::Plain),
            ["stopped before it began"]
        );
    }

    #[test]
    fn the_last_step_stays_in_sight() {
        let terminal = Terminal::plain();
        let mut view = TrainView::new(&RunConfig::default(), String::new(), &terminal);
        let phase = |view: &TrainView, phase| view.stage(phase, phase_in_words(phase));
        assert_eq!(phase(&view, Phase::LoadingData), "reading the data…");
        view.progress = "step 12/108".to_owned();
        assert_eq!(phase(&view, Phase::Evaluating), "step 12/108 · evaluating…");
        assert_eq!(phase(&view, Phase::Training), "step 12/108");
    }

    #[test]
    fn stages_tell_how_far_they_are() {
        let at = |phase, done, total, per_second| {
            stage_in_words(&PhaseProgress {
                phase,
                done,
                total,
                per_second,
            })
        };
        assert_eq!(
            at(Phase::LoadingModel, 3 << 29, 3 << 30, Some(2e9)),
            "loading the model… · 1.50 GiB of 3.00 GiB · 1.86 GiB/s"
        );
        assert_eq!(
            at(Phase::Evaluating, 1200, 4000, None),
            "evaluating… · 1,200 of 4,000"
        );
        assert_eq!(
            at(Phase::Rehearsing, 1, 3, None),
            "rehearsing the longest batch… · 1 of 3 parts"
        );
    }

    #[test]
    fn evaluations_tell_the_best() {
        let row = EvaluationRow {
            step: 50,
            loss: Some(1.71),
            best: true,
        };
        let line = evaluation_line(&row, Style::Plain);
        assert_eq!(line, "evaluation at step 50 · loss 1.710 · best so far");
    }
}
