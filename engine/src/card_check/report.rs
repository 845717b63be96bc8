//! What a check found, as a JSON document that other checks can be joined to, and as tables for people.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::table::Table;
use crate::{Error, Result};

/// Everything that was measured on one card.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// Where.
    pub device: DeviceFacts,
    /// Which program, when and how it was called, once for each report that was joined.
    pub sources: Vec<Source>,
    /// Results against the CPU's.
    pub correctness: Vec<CorrectnessRow>,
    /// Plans beside what was measured.
    pub memory: Vec<MemoryRow>,
    /// Tokens a second.
    pub speed: Vec<SpeedRow>,
    /// The longest contexts.
    pub context: Vec<ContextRow>,
    /// What `tests/gpu/rival.py` found, as it wrote it.
    pub rival: Option<Rival>,
    /// What was left out, and why.
    pub left_out: Vec<String>,
}

/// A card.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeviceFacts {
    /// Its name.
    pub name: String,
    /// Its compute capability.
    pub capability: Option<String>,
    /// The driver's version.
    pub driver: Option<String>,
    /// Its memory.
    pub total_bytes: Option<u64>,
    /// What context, libraries and kernels of this process take of it.
    pub own_bytes: Option<u64>,
}

/// Where figures come from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Source {
    /// The program's version.
    pub version: String,
    /// The commit it was built from, where that was told.
    pub revision: Option<String>,
    /// When, in UTC.
    pub date: String,
    /// What was called.
    pub command: String,
}

/// A case of one type of activations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CorrectnessRow {
    /// The case.
    pub case: String,
    /// The type.
    pub dtype: String,
    /// Results that were compared.
    pub results: usize,
    /// Those beyond their tolerance, in words, and whatever ended the case before its end.
    pub wrong: Vec<String>,
    /// The largest error as a part of its tolerance, and of what, among tolerances above 0.
    pub nearest: Option<(f64, String)>,
    /// How long it took.
    pub secs: f64,
}

/// A cell of the memory check. Bytes are those of tensors unless said otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MemoryRow {
    /// The model's sizes in words.
    pub model: String,
    /// The method and what is switched on.
    pub method: String,
    /// Rows of the micro-batch.
    pub batch: usize,
    /// Tokens of each.
    pub context: usize,
    /// Weights, adapter, gradients, moments: planned.
    pub planned_parts: [u64; 4],
    /// The same measured.
    pub measured_parts: [u64; 4],
    /// The peak as planned, without what no tensor has.
    pub planned_peak: u64,
    /// The same measured.
    pub measured_peak: u64,
    /// Most that the pool took of the card.
    pub reserved_peak: Option<u64>,
    /// What the card's driver said that this process held before the model was loaded.
    pub process_before: Option<u64>,
    /// The same after the step, with all that the pool keeps.
    pub process_after: Option<u64>,
    /// Why there are no figures.
    pub failed: Option<String>,
}

/// A run's speed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SpeedRow {
    /// The model.
    pub model: String,
    /// The method.
    pub method: String,
    /// Whether activations are recomputed.
    pub recompute: bool,
    /// Rows of the micro-batch.
    pub batch: usize,
    /// Tokens of each.
    pub context: usize,
    /// The type of activations.
    pub dtype: String,
    /// Steps that were timed.
    pub steps: usize,
    /// The median step.
    pub step_secs: f64,
    /// Tokens of a step by that.
    pub tokens_per_second: f64,
    /// The peak as planned, without what no tensor has.
    pub planned_peak: u64,
    /// The same measured.
    pub measured_peak: u64,
    /// Most that the pool took of the card.
    pub reserved_peak: Option<u64>,
    /// Why there are no figures.
    pub failed: Option<String>,
}

/// How long a context fits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContextRow {
    /// The model.
    pub model: String,
    /// The method.
    pub method: String,
    /// Whether activations are recomputed.
    pub recompute: bool,
    /// Rows of the micro-batch.
    pub batch: usize,
    /// Memory of the simulated card.
    pub limit_bytes: u64,
    /// Of that, what context, libraries and kernels took.
    pub own_bytes: u64,
    /// The longest context by the plan.
    pub planned: Option<usize>,
    /// The longest that was run.
    pub longest: Option<usize>,
    /// The shortest that was refused.
    pub refused: Option<usize>,
    /// Tokens that were tried, in order.
    pub tried: Vec<usize>,
    /// The peak of the longest, everything the process held.
    pub measured_peak: u64,
    /// The same as planned.
    pub planned_peak: u64,
    /// Tokens a second of the longest.
    pub tokens_per_second: f64,
    /// Why there are no figures.
    pub failed: Option<String>,
}

/// Figures of transformers and peft on the same card.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rival {
    /// The card's name.
    pub device: String,
    /// Versions of its packages.
    pub versions: std::collections::BTreeMap<String, Option<String>>,
    /// Its runs.
    pub rows: Vec<RivalRow>,
}

/// A run of transformers and peft.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RivalRow {
    /// The model.
    pub model: String,
    /// `qlora` or, in 16 bits, `lora`.
    pub method: String,
    /// Gradient checkpointing.
    pub recompute: bool,
    /// Rows of the micro-batch.
    pub batch: usize,
    /// Tokens of each.
    pub context: usize,
    /// Tokens a second.
    pub tokens_per_second: f64,
    /// PyTorch's peak of tensors.
    pub allocated_peak: u64,
    /// PyTorch's peak of what it took of the card.
    pub reserved_peak: u64,
    /// Why there are no figures.
    pub failed: Option<String>,
}

impl Report {
    /// Reads one.
    ///
    /// # Errors
    /// When the file cannot be read or is none.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read(path).map_err(Error::io("read", path))?;
        serde_json::from_slice(&text).map_err(|error| Error::Io {
            action: "understand",
            path: path.to_path_buf(),
            source: std::io::Error::other(error),
        })
    }

    /// Writes it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut json = serde_json::to_string_pretty(self).unwrap_or_default();
        json.push('\n');
        fs::write(path, json).map_err(Error::io("write", path))
    }

    /// Adds what another one found on the same card.
    ///
    /// # Errors
    /// When it is another card.
    pub fn join(&mut self, other: Self) -> Result<()> {
        let name = match (&other.device.name, &other.rival) {
            (name, Some(rival)) if name.is_empty() => rival.device.clone(),
            (name, _) => name.clone(),
        };
        if self.device.name.is_empty() {
            self.device = other.device;
            if self.device.name.is_empty() {
                self.device.name.clone_from(&name);
            }
        } else if !name.is_empty() && self.device.name != name {
            return Err(Error::ConfigInvalid {
                field: "join",
                problem: format!("one is of {}, the other of {name}", self.device.name),
                hint: "join what was measured on one card".to_owned(),
            });
        }
        self.sources.extend(other.sources);
        self.correctness.extend(other.correctness);
        self.memory.extend(other.memory);
        self.speed.extend(other.speed);
        self.context.extend(other.context);
        self.left_out.extend(other.left_out);
        self.rival = match (self.rival.take(), other.rival) {
            (Some(mut rival), Some(other)) => {
                rival.rows.extend(other.rows);
                Some(rival)
            }
            (one, other) => one.or(other),
        };
        Ok(())
    }

    /// Whether anything was wrong.
    pub fn is_wrong(&self) -> bool {
        self.correctness.iter().any(|row| !row.wrong.is_empty())
    }

    /// All of it as Markdown, aligned so that it reads as it is.
    pub fn markdown(&self) -> String {
        let mut text = self.heading();
        let mut section = |title: &str, body: String| {
            if !body.is_empty() {
                text.push_str(&format!("\n## {title}\n\n{body}"));
            }
        };
        section("Speed", self.speed_table());
        section("Longest context", self.context_table());
        section("Memory", self.memory_table());
        section("Correctness", self.correctness_table());
        let left_out = self.left_out.iter().map(|line| format!("- {line}\n"));
        section("Left out", left_out.collect());
        text
    }

    fn heading(&self) -> String {
        let device = &self.device;
        let mut text = device.name.clone();
        if let Some(capability) = &device.capability {
            text.push_str(&format!(", compute capability {capability}"));
        }
        if let Some(driver) = &device.driver {
            text.push_str(&format!(", driver {driver}"));
        }
        if let Some(bytes) = device.total_bytes {
            text.push_str(&format!(", {} GiB", gib(bytes)));
        }
        if let Some(bytes) = device.own_bytes {
            text.push_str(&format!(
                "; context, libraries and kernels take {} MiB",
                mib(bytes)
            ));
        }
        text.push_str(".\n");
        for Source {
            version,
            revision,
            date,
            command,
        } in &self.sources
        {
            let revision = { revision.as_ref() }.map_or(String::new(), |it| format!(" at {it}"));
            text.push_str(&format!(
                "- {date}, version {version}{revision}: `{command}`\n"
            ));
        }
        if let Some(rival) = &self.rival {
            let versions = { rival.versions.iter() }
                .map(|(name, version)| {
                    format!("{name} {}", version.as_deref().unwrap_or("not there"))
                })
                .collect::<Vec<_>>();
            text.push_str(&format!("- Rival: {}\n", versions.join(", ")));
        }
        text
    }

    fn speed_table(&self) -> String {
        let rows = self.rival.iter().flat_map(|rival| &rival.rows);
        if self.speed.is_empty() && rows.clone().next().is_none() {
            return String::new();
        }
        let mut table = Table::new(&[
            "model",
            "method",
            "recompute",
            "batch",
            "tokens/s",
            "peak GiB",
            "reserved GiB",
            "planned GiB",
            "rival tokens/s",
            "ratio",
            "rival peak GiB",
            "ratio",
        ]);
        let on = |recompute| if recompute { "on" } else { "off" };
        let mut compared = Vec::new();
        for row in &self.speed {
            let rival = self.rival_of(row);
            compared.extend(rival);
            let measured = row.failed.is_none();
            let theirs = rival.filter(|rival| rival.failed.is_none());
            let both = theirs.filter(|_| measured);
            let failed = |failed: &Option<String>| failed.clone().unwrap_or_default();
            table.row([
                row.model.clone(),
                row.method.clone(),
                on(row.recompute).to_owned(),
                format!("{} × {}", row.batch, row.context),
                match measured {
                    true => format!("{:.0}", row.tokens_per_second),
                    false => failed(&row.failed),
                },
                when(measured, || gib(row.measured_peak)),
                row.reserved_peak.map_or(String::new(), gib),
                when(row.planned_peak > 0, || gib(row.planned_peak)),
                match (rival, theirs) {
                    (_, Some(theirs)) => format!("{:.0}", theirs.tokens_per_second),
                    (Some(rival), _) => failed(&rival.failed),
                    _ => String::new(),
                },
                both.map_or(String::new(), |rival| {
                    format!("{:.2}", row.tokens_per_second / rival.tokens_per_second)
                }),
                theirs.map_or(String::new(), |rival| gib(rival.allocated_peak)),
                both.map_or(String::new(), |rival| {
                    let ratio = row.measured_peak as f64 / rival.allocated_peak.max(1) as f64;
                    format!("{ratio:.2}")
                }),
            ]);
        }
        for row in rows.filter(|row| !compared.contains(row)) {
            let measured = row.failed.is_none();
            let mut cells = vec![String::new(); 12];
            cells[0].clone_from(&row.model);
            cells[1].clone_from(&row.method);
            on(row.recompute).clone_into(&mut cells[2]);
            cells[3] = format!("{} × {}", row.batch, row.context);
            cells[8] = match &row.failed {
                None => format!("{:.0}", row.tokens_per_second),
                Some(failed) => failed.clone(),
            };
            cells[10] = when(measured, || gib(row.allocated_peak));
            table.row(cells);
        }
        table.text()
    }

    /// The rival's run of the same shape: a side network has no twin there.
    fn rival_of(&self, row: &SpeedRow) -> Option<&RivalRow> {
        self.rival.as_ref()?.rows.iter().find(|rival| {
            let shape = |model: &str, batch, context| (model.to_owned(), batch, context);
            shape(&rival.model, rival.batch, rival.context)
                == shape(&row.model, row.batch, row.context)
                && (&rival.method, rival.recompute) == (&row.method, row.recompute)
        })
    }

    fn context_table(&self) -> String {
        if self.context.is_empty() {
            return String::new();
        }
        let mut table = Table::new(&[
            "model",
            "method",
            "recompute",
            "batch",
            "limit GiB",
            "longest",
            "refused",
            "by the plan",
            "peak GiB",
            "planned GiB",
            "error",
            "tokens/s",
        ]);
        let tokens = |tokens: Option<usize>| tokens.map_or(String::new(), |it| it.to_string());
        for row in &self.context {
            let measured = row.longest.is_some();
            table.row([
                row.model.clone(),
                row.method.clone(),
                if row.recompute { "on" } else { "off" }.to_owned(),
                row.batch.to_string(),
                gib(row.limit_bytes),
                match &row.failed {
                    None => tokens(row.longest),
                    Some(failed) => failed.clone(),
                },
                tokens(row.refused),
                tokens(row.planned),
                when(measured, || gib(row.measured_peak)),
                when(measured, || gib(row.planned_peak)),
                when(measured, || percent(row.planned_peak, row.measured_peak)),
                when(measured, || format!("{:.0}", row.tokens_per_second)),
            ]);
        }
        table.text()
    }

    fn memory_table(&self) -> String {
        if self.memory.is_empty() {
            return String::new();
        }
        let mut table = Table::new(&[
            "model",
            "method",
            "batch",
            "weights",
            "adapter",
            "gradients",
            "moments",
            "peak MiB",
            "planned",
            "error",
            "without weights",
            "reserved",
            "process",
        ]);
        for row in &self.memory {
            let parts = row.measured_parts.iter().zip(&row.planned_parts);
            let mut parts = parts.map(|(measured, planned)| match measured == planned {
                true => mib(*measured),
                false => format!("{} ({})", mib(*measured), mib(*planned)),
            });
            let mut part = || when(row.failed.is_none(), || parts.next().unwrap_or_default());
            let measured = row.failed.is_none();
            let process = row.process_before.zip(row.process_after);
            table.row([
                row.model.clone(),
                row.method.clone(),
                format!("{} × {}", row.batch, row.context),
                part(),
                part(),
                part(),
                part(),
                match &row.failed {
                    None => mib(row.measured_peak),
                    Some(failed) => failed.clone(),
                },
                mib(row.planned_peak),
                when(measured, || percent(row.planned_peak, row.measured_peak)),
                when(measured, || {
                    percent(
                        row.planned_peak.saturating_sub(row.planned_parts[0]),
                        row.measured_peak.saturating_sub(row.measured_parts[0]),
                    )
                }),
                row.reserved_peak.map_or(String::new(), mib),
                process.map_or(String::new(), |(before, after)| {
                    format!("{} → {}", mib(before), mib(after))
                }),
            ]);
        }
        format!("{}\n{}", table.text(), self.memory_summary())
    }

    /// The errors of all cells together.
    fn memory_summary(&self) -> String {
        let measured = self.memory.iter().filter(|row| row.failed.is_none());
        let error = |row: &MemoryRow| relative(row.planned_peak, row.measured_peak).abs();
        let without = |row: &MemoryRow| {
            relative(
                row.planned_peak.saturating_sub(row.planned_parts[0]),
                row.measured_peak.saturating_sub(row.measured_parts[0]),
            )
            .abs()
        };
        let of = |errors: Vec<f64>| {
            let largest = errors.iter().copied().fold(0.0, f64::max);
            let mean = errors.iter().sum::<f64>() / errors.len().max(1) as f64;
            format!(
                "{:.2} % on average, {:.2} % at most",
                100.0 * mean,
                100.0 * largest
            )
        };
        format!(
            "In MiB; in brackets what was planned where it differs. The plan of the peak is off by {}; \
             without weights by {}; {} cells.\n",
            of(measured.clone().map(error).collect()),
            of(measured.clone().map(without).collect()),
            measured.count(),
        )
    }

    fn correctness_table(&self) -> String {
        if self.correctness.is_empty() {
            return String::new();
        }
        let mut table = Table::new(&[
            "case",
            "type",
            "compared",
            "wrong",
            "nearest to its tolerance",
        ]);
        for row in &self.correctness {
            table.row([
                row.case.clone(),
                row.dtype.clone(),
                row.results.to_string(),
                row.wrong.len().to_string(),
                { row.nearest.as_ref() }.map_or(String::new(), |(part, what)| {
                    format!("{:.0} % ({what})", 100.0 * part)
                }),
            ]);
        }
        let mut text = table.text();
        for row in &self.correctness {
            for wrong in &row.wrong {
                text.push_str(&format!("- {} {}: {wrong}\n", row.dtype, row.case));
            }
        }
        text
    }
}

fn when(condition: bool, text: impl FnOnce() -> String) -> String {
    match condition {
        true => text(),
        false => String::new(),
    }
}

fn gib(bytes: u64) -> String {
    format!("{:.2}", bytes as f64 / f64::from(1 << 30))
}

fn mib(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / f64::from(1 << 20))
}

fn relative(planned: u64, measured: u64) -> f64 {
    (planned as f64 - measured as f64) / measured.max(1) as f64
}

fn percent(planned: u64, measured: u64) -> String {
    format!("{:+.2} %", 100.0 * relative(planned, measured))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speed(method: &str, tokens_per_second: f64) -> SpeedRow {
        SpeedRow {
            model: "m".to_owned(),
            method: method.to_owned(),
            recompute: true,
            batch: 4,
            context: 2048,
            tokens_per_second,
            measured_peak: 3 << 30,
            ..SpeedRow::default()
        }
    }

    fn on(device: &str, speed: Vec<SpeedRow>) -> Report {
        Report {
            device: DeviceFacts {
                name: device.to_owned(),
                ..DeviceFacts::default()
            },
            speed,
            ..Report::default()
        }
    }

    #[test]
    fn reports_of_one_card_are_joined_and_the_rival_stands_beside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rival.json");
        std::fs::write(
            &path,
            r#"{"rival": {"device": "card", "versions": {"torch": "2", "bitsandbytes": null}, "rows": [
                {"model": "m", "method": "qlora", "recompute": true, "batch": 4, "context": 2048,
                 "tokens_per_second": 500.0, "allocated_peak": 6442450944},
                {"model": "m", "method": "qlora", "recompute": false, "batch": 4, "context": 2048,
                 "failed": "out of memory"}]}}"#,
        )
        .unwrap();
        let mut all = on("card", vec![speed("qlora", 1000.0)]);
        all.join(on("card", vec![speed("ladder", 3000.0)])).unwrap();
        all.join(Report::read(&path).unwrap()).unwrap();
        assert!(all.join(on("another", Vec::new())).is_err());

        let text = all.markdown();
        let line = |word: &str| text.lines().find(|line| line.contains(word)).unwrap();
        let cells: Vec<&str> = line("| qlora ").split('|').map(str::trim).collect();
        assert_eq!(cells[9..13], ["500", "2.00", "6.00", "0.50"]);
        assert!(line("out of memory").contains("off"));
        assert!(text.contains("bitsandbytes not there"), "{text}");
        let ladder: Vec<&str> = line("| ladder ").split('|').map(str::trim).collect();
        assert_eq!(ladder[9], "");

        all.write(&path).unwrap();
        assert_eq!(Report::read(&path).unwrap(), all);
    }

    #[test]
    fn errors_of_plans_are_summed_up() {
        let row = |planned_peak, measured_peak| MemoryRow {
            planned_parts: [500, 1, 1, 1],
            measured_parts: [500, 1, 1, 1],
            planned_peak,
            measured_peak,
            ..MemoryRow::default()
        };
        let failed = MemoryRow {
            failed: Some("no room".to_owned()),
            ..row(1, 1)
        };
        let report = Report {
            memory: vec![row(1010, 1000), row(970, 1000), failed],
            ..Report::default()
        };
        let summary = report.memory_summary();
        assert!(
            summary.contains("2.00 % on average, 3.00 % at most"),
            "{summary}"
        );
        assert!(
            summary.contains("4.00 % on average, 6.00 % at most"),
            "{summary}"
        );
        assert!(summary.contains("2 cells"), "{summary}");
    }

    #[test]
    fn what_is_wrong_is_told() {
        let mut report = on("card", Vec::new());
        report.correctness.push(CorrectnessRow {
            case: "steps: LoRA".to_owned(),
            dtype: "F32".to_owned(),
            results: 3,
            ..CorrectnessRow::default()
        });
        assert!(!report.is_wrong());
        report.correctness[0]
            .wrong
            .push("gradient of x: too far".to_owned());
        assert!(report.is_wrong());
        assert!(
            report
                .markdown()
                .contains("- F32 steps: LoRA: gradient of x: too far")
        );
    }
}
