//! The words of the dialog that writes an adapter for elsewhere.

use stepladder_protocol::{ExportFormat, Method};

/// The dialog.
pub const EXPORT_TITLE: &str = "Export the adapter";
/// A field.
pub const EXPORT_FORMAT: &str = "Format";
/// A field.
pub const EXPORT_FOLDER: &str = "Folder";
/// Opens a dialog.
pub const EXPORT_PICK: &str = "Choose folder…";
/// Nothing was chosen.
pub const EXPORT_NO_FOLDER: &str = "Choose a folder first";
/// Begins.
pub const EXPORT_BEGIN: &str = "Export";
/// While it is written.
pub const EXPORTING: &str = "Exporting…";
/// It is there.
pub const EXPORTED: &str = "Exported";
/// What to do with it.
pub const EXPORT_USAGE: &str = "How to use it";
/// Copies that.
pub const COPY: &str = "Copy";
/// Shows where an export lies.
pub const EXPORT_SHOW: &str = "Show export in folder";

/// Which methods give a format.
pub fn not_given(format: ExportFormat, method: Method) -> String {
    let methods: Vec<&str> = format
        .methods()
        .iter()
        .map(|method| method.title())
        .collect();
    format!(
        "{} gives no such adapter; {} do.",
        method.title(),
        methods.join(" and ")
    )
}

/// A format's name.
pub fn format(format: ExportFormat) -> &'static str {
    match format {
        ExportFormat::Adapter => "Stepladder adapter",
        ExportFormat::Peft => "PEFT folder",
    }
}

/// Where an export goes.
pub fn goes_to(path: &str) -> String {
    format!("Goes to {path}")
}

/// What a format is for.
pub fn purpose(format: ExportFormat) -> &'static str {
    match format {
        ExportFormat::Adapter => {
            "For Stepladder, or transformers with the Python file that comes with it."
        }
        ExportFormat::Peft => "For PEFT, and whatever loads its LoRA folders.",
    }
}
