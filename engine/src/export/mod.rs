//! Adapters for elsewhere, one file per format. Which method gives which is data of the protocol.

mod adapter;
mod peft;

use std::path::Path;

use stepladder_protocol::{ExportFormat, ExportReport};

use crate::adapters::adapter_folder;
use crate::models::quantization::{BackboneQuantization, Quantization};
use crate::{Error, Result};

/// Writes the adapter of a run (or an adapter folder) to a new folder.
///
/// # Errors
/// When the method does not give the format, the folder is taken, or a file cannot be written.
pub fn export(adapter: &Path, format: ExportFormat, out: &Path) -> Result<ExportReport> {
    let source = adapter_folder::read(adapter)?;
    let method = source.config.method();
    if !format.is_given_by(method) {
        let given: Vec<&str> = ExportFormat::ALL
            .into_iter()
            .filter(|format| format.is_given_by(method))
            .map(ExportFormat::name)
            .collect();
        return Err(Error::ConfigInvalid {
            field: "to",
            problem: format!(
                "{} does not give the format {}",
                method.title(),
                format.name()
            ),
            hint: format!("{} gives: {}", method.title(), given.join(", ")),
        });
    }
    let is_taken = out
        .read_dir()
        .is_ok_and(|mut entries| entries.next().is_some());
    if is_taken || out.is_file() {
        return Err(Error::ConfigInvalid {
            field: "out",
            problem: format!("{} is there already", out.display()),
            hint: "name a new folder with --out".to_owned(),
        });
    }
    std::fs::create_dir_all(out).map_err(Error::io("create", out))?;
    let (files, usage) = match format {
        ExportFormat::Adapter => adapter::write(&source, out)?,
        ExportFormat::Peft => peft::write(&source, out)?,
    };
    Ok(ExportReport {
        format,
        path: out.display().to_string(),
        files: files.into_iter().map(str::to_owned).collect(),
        usage,
        notices: notices(source.config.quantization),
    })
}

/// What was in four bits while the adapter was trained: elsewhere that is for the user to see to.
fn notices(trained_beside: BackboneQuantization) -> Vec<String> {
    let in_nf4 = |quantization| match quantization {
        Quantization::AsStored => None,
        Quantization::Nf4 => Some("NF4"),
        Quantization::Nf4DoubleQuantized => Some("NF4 with double quantization"),
    };
    let blocks = in_nf4(trained_beside.blocks).map(|form| {
        format!(
            "it was trained beside blocks kept in {form}, or as a file had quantized them already; \
             beside another form of them its answers may differ slightly"
        )
    });
    let head = in_nf4(trained_beside.head).map(|form| {
        format!(
            "it was trained beside a head kept in {form}, or as a file had quantized it already; \
             bitsandbytes leaves a head as it is stored unless it is told otherwise, and beside that \
             its answers may differ slightly"
        )
    });
    blocks.into_iter().chain(head).collect()
}
