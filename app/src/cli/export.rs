//! `stepladder export`: an adapter for elsewhere.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use stepladder_protocol::{Command, ExportCommand, ExportFormat, Finished, JobId};

use super::common::{CommonOptions, word};
use super::failure::{Failure, Outcome};
use super::{json_output, one_job};
use crate::text::visible;

/// Flags of `export`.
#[derive(Args, Debug)]
pub struct ExportOptions {
    /// The run whose adapter is exported, or an adapter folder
    #[arg(long, value_name = "RUN")]
    adapter: PathBuf,
    /// adapter (Ladder, xLadder) or peft (QLoRA, LoRA)
    #[arg(long, value_name = "FORMAT", value_parser = word::<ExportFormat>)]
    to: ExportFormat,
    /// The folder to make
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    #[command(flatten)]
    common: CommonOptions,
}

/// Exports.
pub fn run(options: &ExportOptions) -> Result<Outcome, Failure> {
    let worker = options.common.start_own_worker()?;
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    let command = Command::Export(ExportCommand {
        job: JobId::new("export"),
        adapter: absolute(&options.adapter),
        to: options.to,
        out: absolute(&options.out),
    });
    let exported = one_job::ask(&worker, &command)?;
    if options.common.json {
        json_output::write_line(&exported)?;
        return Ok(Outcome::Done);
    }
    let Finished::Export(report) = exported else {
        return Err(one_job::unanswered());
    };
    let mut output = std::io::stdout().lock();
    writeln!(output, "exported to {}", visible(&report.path))?;
    for file in &report.files {
        writeln!(output, "  {}", visible(file))?;
    }
    writeln!(output, "use it with  {}", visible(&report.usage))?;
    for notice in &report.notices {
        writeln!(output, "note  {}", visible(notice))?;
    }
    writeln!(output, "\n{}", matrix())?;
    Ok(Outcome::Done)
}

/// Which method gives which export.
pub fn matrix() -> String {
    let mut lines = vec!["exports".to_owned()];
    for format in ExportFormat::ALL {
        let methods: Vec<&str> = format
            .methods()
            .iter()
            .map(|method| method.title())
            .collect();
        lines.push(format!(
            "  {:8} {:16} for {}",
            format.name(),
            methods.join(", "),
            format.purpose()
        ));
    }
    lines.join("\n")
}
