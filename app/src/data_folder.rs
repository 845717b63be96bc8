//! Where Stepladder keeps what it makes for the user, and how new runs are named.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use directories::ProjectDirs;

/// Replaces the data folder; for tests and for people who keep their runs on another disk.
pub const HOME_VARIABLE: &str = "STEPLADDER_HOME";

/// The user's data folder: `STEPLADDER_HOME`, or the place the system has for it (on Windows the
/// local one: runs are too large to roam). `None` if the system names no place.
pub fn data_folder() -> Option<PathBuf> {
    from_variable(std::env::var_os(HOME_VARIABLE)).or_else(|| {
        ProjectDirs::from("", "", "Stepladder").map(|places| places.data_local_dir().to_path_buf())
    })
}

fn from_variable(value: Option<OsString>) -> Option<PathBuf> {
    let value = value.filter(|value| !value.is_empty())?;
    std::path::absolute(value).ok()
}

/// Where models lie that Stepladder keeps itself.
pub fn models(data_folder: &Path) -> PathBuf {
    data_folder.join("models")
}

/// The folder of a new run among others: `<time>-<method>`, with a number behind it if there is one
/// already. The time is in UTC, so that names sort and never depend on a time zone.
pub fn new_run_in(runs: &Path, method: &str, now: SystemTime) -> PathBuf {
    let secs = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let name = format!("{}-{method}", timestamp(secs));
    let mut run = runs.join(&name);
    let mut number = 2;
    while run.exists() {
        run = runs.join(format!("{name}-{number}"));
        number += 1;
    }
    run
}

/// Seconds since 1970 as `2026-11-24T05-44-31`, UTC; no colons, which Windows forbids in names.
fn timestamp(secs: u64) -> String {
    let (days, secs) = (secs / 86_400, secs % 86_400);
    // Counted in years that start in March, so that the leap day is the last of its year.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (secs / 3600, secs / 60 % 60, secs % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}-{minute:02}-{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_are_utc_dates() {
        assert_eq!(timestamp(0), "1970-01-01T00-00-00");
        assert_eq!(timestamp(951_782_400), "2000-02-29T00-00-00");
        assert_eq!(timestamp(1_709_251_199), "2024-02-29T23-59-59");
        assert_eq!(timestamp(1_795_499_071), "2026-11-24T05-44-31");
        assert_eq!(timestamp(4_107_542_400), "2100-03-01T00-00-00");
    }

    #[test]
    fn runs_get_names_of_their_own() {
        let home = tempfile::tempdir().unwrap();
        let now = UNIX_EPOCH + Duration::from_secs(1_795_499_071);
        let first = new_run_in(&home.path().join("runs"), "ladder", now);
        assert_eq!(first, home.path().join("runs/2026-11-24T05-44-31-ladder"));
        std::fs::create_dir_all(&first).unwrap();
        let second = new_run_in(&home.path().join("runs"), "ladder", now);
        assert_eq!(
            second,
            home.path().join("runs/2026-11-24T05-44-31-ladder-2")
        );
    }

    #[test]
    fn the_variable_is_made_absolute_and_may_be_empty() {
        assert_eq!(from_variable(None), None);
        assert_eq!(from_variable(Some(OsString::new())), None);
        assert!(from_variable(Some("here".into())).unwrap().is_absolute());
    }
}
