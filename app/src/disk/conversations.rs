//! Conversations, a JSON file each. One that cannot be read is set aside, never overwritten.

use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::Deserialize;
use serde::de::IgnoredAny;
use stepladder_engine::files::write_json_atomically;

use super::{json, settings};
use crate::state::chat::conversation::{Conversation, title_of};
use crate::state::chat::stored::{
    ConversationAnswer, ConversationList, ConversationRequest, Entry,
};
use crate::text::{excerpt, visible};
use crate::words::disk as words;

/// Conversations that are listed.
const MAX_LISTED: usize = 500;
/// Entries of the folder that are looked at.
const MAX_ENTRIES: usize = 20_000;
/// Of a file.
const MAX_BYTES: u64 = 64 << 20;
/// Of a name; ours are numbers.
const MAX_ID: usize = 40;
/// Characters of a title.
const MAX_TITLE: usize = 120;

/// Does what is asked.
pub fn answer(request: ConversationRequest) -> ConversationAnswer {
    match request {
        ConversationRequest::List(folder) => ConversationAnswer::List(Box::new(list(folder))),
        ConversationRequest::Read { folder, id } => ConversationAnswer::Read {
            found: read(&folder, &id).map(Box::new),
            id,
        },
        ConversationRequest::Keep {
            folder,
            id,
            conversation,
        } => ConversationAnswer::Kept {
            result: keep(&folder, &id, &conversation),
            id,
        },
        ConversationRequest::Rename { folder, id, title } => ConversationAnswer::Kept {
            result: rename(&folder, &id, title),
            id,
        },
        ConversationRequest::Delete { folder, id } => ConversationAnswer::Deleted {
            result: delete(&folder, &id),
            id,
        },
    }
}

/// What a list needs of a conversation; all that makes it one has to be there.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    title: Option<String>,
    #[serde(rename = "model")]
    _model: IgnoredAny,
    exchanges: Vec<Asked>,
    #[serde(default)]
    changed_at: f64,
}

#[derive(Deserialize)]
struct Asked {
    question: String,
}

fn list(folder: PathBuf) -> ConversationList {
    let mut list = ConversationList {
        folder,
        ..ConversationList::default()
    };
    let entries = match std::fs::read_dir(&list.folder) {
        Ok(entries) => entries,
        // Nothing was said yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return list,
        Err(error) => {
            let problem = words::conversations_unreadable(&visible(&error.to_string()));
            list.notices.push(problem);
            return list;
        }
    };
    let mut found: Vec<(f64, String, PathBuf)> = { entries.take(MAX_ENTRIES) }
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let metadata = entry
                .metadata()
                .ok()
                .filter(|metadata| metadata.is_file())?;
            let path = entry.path();
            let id = id_of(&path)?;
            let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
            Some((modified.as_secs_f64(), id, path))
        })
        .collect();
    found.sort_by(|one, other| other.0.total_cmp(&one.0));
    list.left_out = found.len().saturating_sub(MAX_LISTED);
    found.truncate(MAX_LISTED);
    for (modified, id, path) in found {
        match json::read::<Head>(&path, MAX_BYTES) {
            Ok(Some(head)) => {
                let first = head.exchanges.first();
                let title = { head.title }
                    .or_else(|| first.map(|asked| title_of(&asked.question)))
                    .unwrap_or_default();
                let changed_at = match head.changed_at.is_finite() && head.changed_at > 0.0 {
                    true => head.changed_at,
                    false => modified,
                };
                list.entries.push(Entry {
                    id,
                    title: excerpt(&title, MAX_TITLE),
                    changed_at,
                });
            }
            // It was there a moment ago.
            Ok(None) => {}
            Err(error) => list.notices.push(set_aside(&path, &error)),
        }
    }
    list.entries
        .sort_by(|one, other| other.changed_at.total_cmp(&one.changed_at));
    list
}

/// The name of a conversation that lies in a file of ours.
fn id_of(path: &Path) -> Option<String> {
    let is_json = path.extension().is_some_and(|ending| ending == "json");
    let id = path.file_stem()?.to_str().filter(|id| is_id(id))?;
    is_json.then(|| id.to_owned())
}

/// A name that can be no path.
fn is_id(id: &str) -> bool {
    (1..=MAX_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit())
}

fn path_of(folder: &Path, id: &str) -> Result<PathBuf, String> {
    match is_id(id) {
        true => Ok(folder.join(id).with_extension("json")),
        false => Err(words::no_conversation(&visible(id))),
    }
}

fn set_aside(path: &Path, error: &io::Error) -> String {
    let other = settings::place_aside(path);
    let shown = |path: &Path| visible(&path.display().to_string());
    let problem = excerpt(&error.to_string(), 200);
    match std::fs::rename(path, &other) {
        Ok(()) => words::conversation_set_aside(&problem, &shown(&other)),
        Err(_) => words::conversation_unreadable(&shown(path), &problem),
    }
}

fn read(folder: &Path, id: &str) -> Result<Conversation, String> {
    let path = path_of(folder, id)?;
    match json::read(&path, MAX_BYTES) {
        Ok(Some(conversation)) => Ok(conversation),
        Ok(None) => Err(words::no_conversation(&visible(
            &path.display().to_string(),
        ))),
        Err(error) => Err(set_aside(&path, &error)),
    }
}

fn keep(folder: &Path, id: &str, conversation: &Conversation) -> Result<(), String> {
    let path = path_of(folder, id)?;
    let written = std::fs::create_dir_all(folder)
        .map_err(|error| error.to_string())
        .and_then(|()| {
            write_json_atomically(&path, conversation).map_err(|error| error.to_string())
        });
    written.map_err(|problem| words::conversation_not_kept(&visible(&problem)))
}

/// Changes a title alone: when it was last talked in stays as it was.
fn rename(folder: &Path, id: &str, title: Option<String>) -> Result<(), String> {
    let mut conversation = read(folder, id)?;
    conversation.title = title;
    keep(folder, id, &conversation)
}

/// Moves a conversation to the system's bin.
fn delete(folder: &Path, id: &str) -> Result<(), String> {
    let path = check_deletion(folder, id)?;
    trash::delete(&path).map_err(|error| {
        let shown = visible(&path.display().to_string());
        words::not_to_bin(&shown, &visible(&error.to_string()))
    })
}

/// The file of a conversation, if it may be moved to the bin: only a conversation, and no link.
///
/// # Errors
/// A sentence that says why not.
pub fn check_deletion(folder: &Path, id: &str) -> Result<PathBuf, String> {
    let path = path_of(folder, id)?;
    let shown = visible(&path.display().to_string());
    let metadata = std::fs::symlink_metadata(&path)
        .map_err(|error| words::not_found(&shown, &visible(&error.to_string())))?;
    if metadata.file_type().is_symlink() {
        return Err(words::is_link(&shown));
    }
    match json::read::<Head>(&path, MAX_BYTES) {
        Ok(Some(_)) => Ok(path),
        Ok(None) | Err(_) => Err(words::no_conversation(&shown)),
    }
}
