//! The system's file browser, asked on a thread of its own: it may take its time to answer.

use std::path::PathBuf;

use super::workers::Mailbox;
use crate::state::News;
use crate::text::visible;
use crate::words;

/// Shows a file or folder where it lies. What goes wrong comes as news.
pub fn show(path: PathBuf, mailbox: Mailbox) {
    let failed = |problem: String, path: &std::path::Path| {
        let path = visible(&path.display().to_string());
        News::Notice(words::show_failed(&path, &visible(&problem)))
    };
    let started = std::thread::Builder::new()
        .name("file browser".to_owned())
        .spawn({
            let (path, mailbox) = (path.clone(), mailbox.clone());
            move || {
                // Where no file browser can point at an entry, the folder around it is opened.
                let shown = opener::reveal(&path).or_else(|_| opener::open(&path));
                if let Err(error) = shown {
                    mailbox.put(failed(error.to_string(), &path));
                }
            }
        });
    if let Err(error) = started {
        mailbox.put(failed(error.to_string(), &path));
    }
}
