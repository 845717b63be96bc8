//! Methods that are trained alike, for people: the runs as they come, then what the methods did.

use stepladder_protocol::{
    Interval, MatchedReport, MatchedRun, MatchedRunBegun, MatchedRuns, Method, MethodPair,
    MethodPeak, MethodReport, StepRow, Switch,
};

use super::terminal::Style;
use crate::text::{bytes, clock, count, loss, thousands, visible};

/// Which of the runs is under way.
#[derive(Default)]
pub struct RunsUnderWay {
    runs: Vec<MatchedRun>,
    current: usize,
    total_steps: usize,
}

impl RunsUnderWay {
    /// The runs that will be made; what to tell of them.
    pub fn begin(&mut self, runs: &MatchedRuns) -> Vec<String> {
        self.runs.clone_from(&runs.runs);
        let mut seeds: Vec<u64> = runs.runs.iter().map(|run| run.seed).collect();
        seeds.sort_unstable();
        seeds.dedup();
        let mut lines = vec![format!(
            "{} trained alike, {}",
            count(self.runs.len(), "run", "runs"),
            count(seeds.len(), "seed", "seeds")
        )];
        for run in runs
            .runs
            .iter()
            .filter(|run| Some(run.seed) == seeds.first().copied())
        {
            lines.push(format!("  {}", recipe(run)));
        }
        if !runs.parameters_match {
            lines.push("their parameter counts differ by more than 0.1 %".to_owned());
        }
        lines
    }

    /// The next run begins; what to tell of it.
    pub fn next(&mut self, begun: MatchedRunBegun) -> String {
        self.current = begun.run;
        let state = match begun.was_finished {
            true => " is finished already",
            false => "",
        };
        format!("{}{state}", self.name())
    }

    /// It has so many steps.
    pub fn has_steps(&mut self, steps: usize) {
        self.total_steps = steps;
    }

    /// `run 2/9 xladder-seed-42`
    fn name(&self) -> String {
        let name = self.runs.get(self.current).map_or("", |run| &run.name);
        format!(
            "run {}/{} {}",
            self.current + 1,
            self.runs.len(),
            visible(name)
        )
    }

    /// `run 2/9 xladder-seed-42 · step 12/108 · loss 1.930 · 0:21 left`
    pub fn step(&self, row: &StepRow) -> String {
        let left = { row.remaining_secs }.map_or_else(String::new, |secs| {
            format!(" · {} of this run left", clock(secs))
        });
        format!(
            "{} · step {}/{} · loss {}{left}",
            self.name(),
            thousands(row.step as u64),
            thousands(self.total_steps as u64),
            loss(row.loss)
        )
    }
}

/// `xLadder · 537,280 parameters · taps 5, 6, 7, 8 · learning rate 0.0005`
fn recipe(run: &MatchedRun) -> String {
    let shape = shape(&run.taps, run.rank);
    format!(
        "{} · {} parameters · {shape} · learning rate {}",
        run.method.title(),
        thousands(run.parameters),
        run.learning_rate
    )
}

fn shape(taps: &[usize], rank: Option<usize>) -> String {
    match rank {
        Some(rank) => format!("rank {rank}"),
        None => {
            let taps: Vec<String> = taps.iter().map(ToString::to_string).collect();
            format!("taps {}", taps.join(", "))
        }
    }
}

/// What the methods did over all seeds.
pub fn report(found: &MatchedReport, style: Style) -> String {
    let heading = format!(
        "{:8}  {:>22}  {:>26}  {:>26}  {:>9}  {:>9}",
        "", "accuracy", "reasoning tokens", "minus base, both right", "recompute", "peak",
    );
    let mut text = format!("\n{}\n", style.dim(&heading));
    for method in &found.methods {
        text.push_str(&row(method, style));
    }
    text.push_str(&format!(
        "\nMeans over {} of {} each, with 95 % intervals that resample seeds and questions.\n",
        count(
            found.methods.first().map_or(0, |method| method.runs.len()),
            "seed",
            "seeds"
        ),
        count(found.steps, "step", "steps"),
    ));
    for method in &found.methods {
        text.push_str(&format!(
            "{}: {} parameters, {}.\n",
            method.method.title(),
            thousands(method.parameters),
            shape(&method.taps, method.rank)
        ));
    }
    if !found.parameters_match {
        text.push_str("The parameter counts differ by more than 0.1 %.\n");
    }
    for pair in &found.pairs {
        text.push_str(&in_words(pair));
    }
    text
}

fn row(method: &MethodReport, style: Style) -> String {
    let mut text = String::new();
    for (place, peak) in method.peaks.iter().enumerate() {
        let name = format!("{:8}", method.method.title());
        let cells = match place {
            0 => [
                style.bold(&name),
                format!("{:>22}", shares(method.accuracy)),
                format!("{:>26}", tokens(method.reasoning_tokens)),
                format!("{:>26}", apart(method.difference_both_right)),
            ],
            _ => [8, 22, 26, 26].map(|width| " ".repeat(width)),
        };
        text.push_str(&format!("{}  {}\n", cells.join("  "), memory(peak)));
    }
    text
}

fn memory(peak: &MethodPeak) -> String {
    let way = match peak.recompute {
        Switch::On => "on",
        Switch::Off => "off",
    };
    let measured = peak.measured_bytes.map_or_else(dash, bytes);
    format!("{way:>9}  {measured:>9}")
}

fn dash() -> String {
    "–".to_owned()
}

/// `99.3 % [98.0, 100.0]`
fn shares(found: Option<Interval>) -> String {
    told(
        found,
        100.0,
        |mean| format!("{mean:.1} %"),
        |end| format!("{end:.1}"),
    )
}

fn tokens(found: Option<Interval>) -> String {
    told(
        found,
        1.0,
        |mean| format!("{mean:.1}"),
        |end| format!("{end:.1}"),
    )
}

fn apart(found: Option<Interval>) -> String {
    told(
        found,
        1.0,
        |mean| format!("{mean:+.1}"),
        |end| format!("{end:+.1}"),
    )
}

fn told(
    found: Option<Interval>,
    factor: f64,
    mean: fn(f64) -> String,
    end: fn(f64) -> String,
) -> String {
    let Some(found) = found else { return dash() };
    // Rounded as it is shown, so that nothing is "-0.0".
    let shown = |value: f64| (10.0 * factor * value).round() / 10.0 + 0.0;
    let mut text = mean(shown(found.mean));
    if let (Some(low), Some(high)) = (found.low, found.high) {
        text.push_str(&format!(" [{}, {}]", end(shown(low)), end(shown(high))));
    }
    text
}

/// `xLadder minus Ladder: reasoning tokens -3.1 [-6.0, -0.2], where both are right -2.9 [...]; accuracy ...`
fn in_words(pair: &MethodPair) -> String {
    let title = |method: Method| method.title();
    format!(
        "{} minus {}: reasoning tokens {}, where both are right {}; accuracy {}.\n",
        title(pair.method),
        title(pair.against),
        apart(pair.reasoning_tokens),
        apart(pair.reasoning_tokens_both_right),
        told(
            pair.accuracy,
            100.0,
            |mean| format!("{mean:+.1} points"),
            |end| format!("{end:+.1}")
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(mean: f64) -> Option<Interval> {
        Some(Interval {
            mean,
            low: Some(mean - 0.01),
            high: Some(mean + 0.01),
            replies: 600,
        })
    }

    #[test]
    fn methods_stand_in_rows_with_both_ways_to_keep_activations() {
        let found = MatchedReport {
            data: vec!["builtin".to_owned()],
            steps: 108,
            parameters_match: false,
            methods: vec![MethodReport {
                method: Method::Xladder,
                runs: vec!["xladder-seed-42".to_owned(), "xladder-seed-43".to_owned()],
                parameters: 12_345,
                taps: vec![3, 4],
                rank: None,
                learning_rate: 5e-4,
                accuracy: interval(0.9),
                reasoning_tokens: interval(82.0),
                difference: None,
                difference_both_right: interval(-100.0),
                truncated: 0,
                no_trace: 0,
                best_evaluation_loss: vec![Some(0.1), None],
                peaks: vec![
                    MethodPeak {
                        recompute: Switch::Off,
                        measured_bytes: Some(20 << 20),
                        estimated_bytes: 20 << 20,
                    },
                    MethodPeak {
                        recompute: Switch::On,
                        measured_bytes: None,
                        estimated_bytes: 10 << 20,
                    },
                ],
            }],
            pairs: vec![MethodPair {
                method: Method::Xladder,
                against: Method::Ladder,
                accuracy: interval(-0.02),
                reasoning_tokens: interval(-3.0),
                reasoning_tokens_both_right: None,
            }],
        };
        let text = report(&found, Style::Plain);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[2],
            "xLadder      90.0 % [89.0, 91.0]           82.0 [82.0, 82.0]     -100.0 [-100.0, -100.0]        off   20.0 MiB"
        );
        assert!(lines[3].trim() == "on          –", "{:?}", lines[3]);
        assert!(text.contains("over 2 seeds of 108 steps each"), "{text}");
        assert!(
            text.contains("xLadder: 12,345 parameters, taps 3, 4."),
            "{text}"
        );
        assert!(text.contains("differ by more than 0.1 %"), "{text}");
        assert!(
            text.contains(
                "xLadder minus Ladder: reasoning tokens -3.0 [-3.0, -3.0], where both are right –; \
                 accuracy -2.0 points [-3.0, -1.0]."
            ),
            "{text}"
        );
    }

    #[test]
    fn a_run_is_named_while_it_is_trained() {
        let mut runs = RunsUnderWay::default();
        let run = |method: Method, seed: u64| MatchedRun {
            name: format!("{}-seed-{seed}", method.name()),
            method,
            seed,
            parameters: 1000,
            taps: Vec::new(),
            rank: Some(3),
            learning_rate: 2e-4,
        };
        let told = runs.begin(&MatchedRuns {
            runs: vec![run(Method::Qlora, 42), run(Method::Qlora, 43)],
            steps: None,
            parameters_match: true,
        });
        assert_eq!(
            told,
            [
                "2 runs trained alike, 2 seeds",
                "  QLoRA · 1,000 parameters · rank 3 · learning rate 0.0002"
            ]
        );
        let begun = |run, was_finished| MatchedRunBegun { run, was_finished };
        let told = runs.next(begun(0, true));
        assert_eq!(told, "run 1/2 qlora-seed-42 is finished already");
        assert_eq!(runs.next(begun(1, false)), "run 2/2 qlora-seed-43");
    }
}
