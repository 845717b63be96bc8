//! The system's file dialogs, each on a thread of its own.

use std::path::PathBuf;

use rfd::FileDialog;

use super::workers::Mailbox;
use crate::state::{News, Picker};
use crate::words;

/// Endings of dataset files.
const DATA_ENDINGS: [&str; 10] = [
    "jsonl", "json", "csv", "tsv", "parquet", "txt", "md", "gz", "zst", "ndjson",
];

/// Opens a dialog; its answer comes as news.
pub fn open(picker: Picker, mailbox: Mailbox) {
    if !is_there() {
        return mailbox.put(News::Notice(words::dialog_missing().to_owned()));
    }
    let opened = std::thread::Builder::new()
        .name("file dialog".to_owned())
        .spawn({
            let mailbox = mailbox.clone();
            move || mailbox.put(News::Picked(picker, ask(picker)))
        });
    if let Err(error) = opened {
        mailbox.put(News::Notice(words::dialog_failed(&error.to_string())));
    }
}

/// Whether the system has a file dialog. On Linux it comes from the desktop's portal or from zenity, and
/// where neither is there a question would end as if it had been canceled.
#[cfg(target_os = "linux")]
fn is_there() -> bool {
    use std::path::Path;
    let bus = std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some();
    let runtime = std::env::var_os("XDG_RUNTIME_DIR");
    let bus = bus || runtime.is_some_and(|folder| Path::new(&folder).join("bus").exists());
    let path = std::env::var_os("PATH").unwrap_or_default();
    bus || std::env::split_paths(&path).any(|folder| folder.join("zenity").is_file())
}

#[cfg(not(target_os = "linux"))]
fn is_there() -> bool {
    true
}

fn ask(picker: Picker) -> Vec<PathBuf> {
    let dialog = FileDialog::new().set_title(words::picker_title(picker));
    let one = |path: Option<PathBuf>| path.into_iter().collect();
    match picker {
        Picker::ModelFolder
        | Picker::DataFolder
        | Picker::RunsFolder
        | Picker::ModelsFolder
        | Picker::ExportFolder => one(dialog.pick_folder()),
        Picker::ModelFile => one(dialog.add_filter("GGUF", &["gguf"]).pick_file()),
        Picker::TemplateFile => one(dialog.add_filter("Jinja", &["jinja", "j2"]).pick_file()),
        Picker::Questions | Picker::MatchedData => one(dialog
            .add_filter(words::DATASETS, &DATA_ENDINGS)
            .pick_file()),
        Picker::SaveComparison(kind) => one(dialog
            .set_file_name(words::compare::file_name(kind))
            .add_filter(kind.ending(), &[kind.ending()])
            .save_file()),
        Picker::DataFiles => dialog
            .add_filter(words::DATASETS, &DATA_ENDINGS)
            .pick_files()
            .unwrap_or_default(),
    }
}
