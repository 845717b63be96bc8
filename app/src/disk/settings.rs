//! The settings file. Written whole or not at all; one that cannot be read is set aside, never
//! overwritten.

use std::io;
use std::path::{Path, PathBuf};

use stepladder_engine::files::write_atomically;

use crate::state::settings::Settings;
use crate::text::visible;
use crate::words::disk as words;

const NAME: &str = "settings.json";
/// A file longer than this is none of ours.
const MAX_BYTES: u64 = 1 << 20;

/// Reads the settings of a data folder. What was wrong with them is told in a sentence, and the file
/// is kept under another name.
pub fn load(data_folder: Option<&Path>) -> (Settings, Option<String>) {
    let place = |settings: Settings| Settings {
        data_folder: data_folder.map(Path::to_path_buf),
        ..settings
    };
    let Some(folder) = data_folder else {
        return (place(Settings::default()), None);
    };
    let path = folder.join(NAME);
    match read(&path) {
        Ok(settings) => (place(settings), None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (place(Settings::default()), None),
        Err(error) => {
            let notice = set_aside(&path, &error);
            (place(Settings::default()), Some(notice))
        }
    }
}

fn read(path: &Path) -> io::Result<Settings> {
    if std::fs::metadata(path)?.len() > MAX_BYTES {
        return Err(io::Error::other(words::SETTINGS_TOO_LONG));
    }
    serde_json::from_slice(&std::fs::read(path)?).map_err(io::Error::other)
}

fn set_aside(path: &Path, error: &io::Error) -> String {
    let mut other = path.with_extension("json.broken");
    let mut number = 2;
    while other.exists() {
        other = path.with_extension(format!("json.broken-{number}"));
        number += 1;
    }
    let shown = |path: &Path| visible(&path.display().to_string());
    let problem = visible(&error.to_string());
    match std::fs::rename(path, &other) {
        Ok(()) => words::settings_set_aside(&problem, &shown(&other)),
        Err(_) => words::settings_unreadable(&shown(path), &problem),
    }
}

/// Keeps the settings.
///
/// # Errors
/// A sentence, when the disk refuses.
pub fn save(settings: &Settings) -> Result<(), String> {
    let Some(folder) = &settings.data_folder else {
        return Err(words::NO_SETTINGS_FOLDER.to_owned());
    };
    let path: PathBuf = folder.join(NAME);
    let write = || -> io::Result<()> {
        std::fs::create_dir_all(folder)?;
        // Somebody may have broken it since it was read.
        if let Err(error) = read(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            set_aside(&path, &error);
            if path.exists() {
                return Err(error);
            }
        }
        let mut bytes = serde_json::to_vec_pretty(settings)?;
        bytes.push(b'\n');
        write_atomically(&path, &bytes).map_err(io::Error::other)
    };
    write().map_err(|error| {
        let path = visible(&path.display().to_string());
        words::settings_not_kept(&path, &visible(&error.to_string()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::settings::ThemeChoice;

    #[test]
    fn what_is_saved_is_loaded() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("made when needed");
        let (first, notice) = load(Some(&folder));
        assert_eq!((notice, first.theme), (None, ThemeChoice::System));
        let settings = Settings {
            theme: ThemeChoice::Dark,
            threads: Some(3),
            ..first
        };
        save(&settings).unwrap();
        assert_eq!(load(Some(&folder)), (settings, None));
    }

    #[test]
    fn a_broken_file_is_set_aside_and_told() {
        let home = tempfile::tempdir().unwrap();
        for (number, text) in ["{\"theme\": \"purple\"}", "not json"]
            .into_iter()
            .enumerate()
        {
            std::fs::write(home.path().join(NAME), text).unwrap();
            let (settings, notice) = load(Some(home.path()));
            assert_eq!(settings.theme, ThemeChoice::System);
            assert!(notice.unwrap().contains("settings.json.broken"));
            let kept = ["settings.json.broken", "settings.json.broken-2"][number];
            assert_eq!(
                std::fs::read_to_string(home.path().join(kept)).unwrap(),
                text
            );
            assert!(!home.path().join(NAME).exists());
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_overwritten() {
        let home = tempfile::tempdir().unwrap();
        let settings = load(Some(home.path())).0;
        save(&settings).unwrap();
        std::fs::write(home.path().join(NAME), "edited by hand, badly").unwrap();
        save(&settings).unwrap();
        let kept = std::fs::read_to_string(home.path().join("settings.json.broken"));
        assert_eq!(kept.unwrap(), "edited by hand, badly");
        assert_eq!(load(Some(home.path())), (settings, None));
    }

    #[test]
    fn fields_from_elsewhere_do_not_matter() {
        let home = tempfile::tempdir().unwrap();
        let text = "{\"theme\":\"light\",\"of a later version\":1}";
        std::fs::write(home.path().join(NAME), text).unwrap();
        let (settings, notice) = load(Some(home.path()));
        assert_eq!((settings.theme, notice), (ThemeChoice::Light, None));
    }

    #[test]
    fn without_a_folder_nothing_is_kept_and_that_is_said() {
        assert!(
            save(&Settings::default())
                .unwrap_err()
                .contains("STEPLADDER_HOME")
        );
    }
}
