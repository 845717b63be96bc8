//! Adapters for elsewhere, one file per format. Which method gives which is data of the protocol.

mod adapter;
mod peft;

use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use stepladder_protocol::{ExportFormat, ExportReport};

use crate::adapters::adapter_folder;
use crate::files::temporary_name;
use crate::models::quantization::{BackboneQuantization, Quantization};
use crate::{Error, Result};

/// Where an export is made, and where it lies once it is whole.
#[derive(Clone, Copy)]
struct Place<'a> {
    made_in: &'a Path,
    out: &'a Path,
}

/// How far an export has come, in bytes of tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Written.
    pub done: u64,
    /// All of them.
    pub total: u64,
}

/// Writes the adapter of a run (or an adapter folder) to a new folder, whole or not at all.
///
/// # Errors
/// When the method does not give the format, the folder is taken, a file cannot be written, or it was
/// told to end.
pub fn export(
    adapter: &Path,
    format: ExportFormat,
    out: &Path,
    told: &mut dyn FnMut(Written) -> ControlFlow<()>,
) -> Result<ExportReport> {
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
    let total = (source.network.parameters().count() * size_of::<f32>()) as u64;
    let mut stopped = false;
    let mut told = |done: u64| {
        let done = done.min(total);
        let answer = told(Written { done, total });
        stopped |= answer.is_break();
        answer
    };
    let made_in = &temporary_name(out);
    let place = Place { made_in, out };
    let written = remove(made_in).and_then(|()| match format {
        ExportFormat::Adapter => adapter::write(&source, place, &mut told),
        ExportFormat::Peft => peft::write(&source, place, &mut told),
    });
    let _ = told(total);
    let (files, usage) = match written {
        Ok(written) if !stopped => written,
        written => {
            // What went wrong first is what the user is told.
            let _ = remove(made_in);
            return Err(match written {
                Err(error) if !stopped => error,
                _ => Error::Stopped,
            });
        }
    };
    // An empty folder of that name may be there; only some systems rename over one.
    let _ = std::fs::remove_dir(out);
    std::fs::rename(made_in, out).map_err(Error::io("rename", made_in))?;
    Ok(ExportReport {
        format,
        path: out.display().to_string(),
        files: files.into_iter().map(str::to_owned).collect(),
        usage,
        notices: notices(source.config.quantization),
    })
}

/// Removes what an export left that did not come to its end.
fn remove(made_in: &Path) -> Result<()> {
    match std::fs::remove_dir_all(made_in) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("delete", made_in)(error))
        }
        _ => Ok(()),
    }
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
