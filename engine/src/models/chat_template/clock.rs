//! The date that `strftime_now` tells. It is read once per template, not per row: a run that goes
//! past midnight, or is resumed a week later, must see the same text again.

use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// A moment in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    unix_secs: i64,
}

impl Clock {
    /// The moment so many seconds after 1970-01-01 00:00 UTC.
    pub fn at_unix_secs(unix_secs: i64) -> Self {
        // The years 0 to 9999, which is all that the calendar below is meant for.
        Self {
            unix_secs: unix_secs.clamp(-62_167_219_200, 253_402_300_799),
        }
    }

    /// Now.
    pub fn now() -> Self {
        let secs = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        Self::at_unix_secs(i64::try_from(secs).unwrap_or(0))
    }

    /// Seconds since 1970-01-01 00:00 UTC.
    pub fn unix_secs(self) -> i64 {
        self.unix_secs
    }

    /// The moment as `2026-11-29 11:38 UTC`.
    pub fn date_and_minute(self) -> String {
        self.format("%Y-%m-%d %H:%M UTC")
    }

    /// The moment in the notation of C's `strftime`; a directive that is not known stays as it is.
    pub(super) fn format(self, pattern: &str) -> String {
        let days = self.unix_secs.div_euclid(86_400);
        let secs = self.unix_secs.rem_euclid(86_400);
        let (hour, minute, second) = (secs / 3_600, secs / 60 % 60, secs % 60);
        let (year, month, day) = civil_from_days(days);
        let month_name = MONTHS[(month - 1) as usize % 12];
        let weekday = (days + 4).rem_euclid(7);
        let day_name = DAYS[weekday as usize % 7];
        let day_of_year = days - days_from_civil(year, 1, 1) + 1;
        let hour_12 = (hour + 11) % 12 + 1;
        let mut out = String::new();
        let mut rest = pattern.chars();
        while let Some(c) = rest.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            let mut directive = rest.next();
            let unpadded = directive == Some('-');
            if unpadded {
                directive = rest.next();
            }
            let number = |out: &mut String, value: i64, width: usize| {
                let width = if unpadded { 1 } else { width };
                write!(out, "{value:0width$}")
            };
            // Writing to a string cannot fail.
            let _ = match directive {
                Some('Y') => number(&mut out, year, 4),
                Some('y') => number(&mut out, year.rem_euclid(100), 2),
                Some('m') => number(&mut out, month, 2),
                Some('d') => number(&mut out, day, 2),
                Some('e') => write!(out, "{day:2}"),
                Some('j') => number(&mut out, day_of_year, 3),
                Some('H') => number(&mut out, hour, 2),
                Some('I') => number(&mut out, hour_12, 2),
                Some('M') => number(&mut out, minute, 2),
                Some('S') => number(&mut out, second, 2),
                Some('w') => number(&mut out, weekday, 1),
                Some('s') => write!(out, "{}", self.unix_secs),
                Some('p') => write!(out, "{}", if hour < 12 { "AM" } else { "PM" }),
                Some('B') => write!(out, "{month_name}"),
                Some('b' | 'h') => write!(out, "{}", &month_name[..3]),
                Some('A') => write!(out, "{day_name}"),
                Some('a') => write!(out, "{}", &day_name[..3]),
                Some('F') => write!(out, "{year:04}-{month:02}-{day:02}"),
                Some('T') => write!(out, "{hour:02}:{minute:02}:{second:02}"),
                Some('R') => write!(out, "{hour:02}:{minute:02}"),
                Some('D') => write!(out, "{month:02}/{day:02}/{:02}", year.rem_euclid(100)),
                Some('Z') => write!(out, "UTC"),
                Some('z') => write!(out, "+0000"),
                Some('%') => write!(out, "%"),
                Some(other) => write!(out, "%{}{other}", if unpadded { "-" } else { "" }),
                None => write!(out, "%"),
            };
        }
        out
    }
}

/// Year, month and day of a day number counted from 1970-01-01 (Hinnant's algorithm).
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = (month + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expectations from `date -u -d @SECS +PATTERN`.
    #[test]
    fn formats_like_strftime() {
        let clock = Clock::at_unix_secs(1_709_211_909); // 2024-02-29 13:05:09 UTC
        assert_eq!(clock.format("%Y-%m-%d"), "2024-02-29");
        assert_eq!(clock.format("%d %b %Y"), "29 Feb 2024");
        assert_eq!(
            clock.format("%A, %-d. %B %y %I:%M:%S %p"),
            "Thursday, 29. February 24 01:05:09 PM"
        );
        assert_eq!(
            clock.format("%j %H %-m %F %T 100%% %Q %"),
            "060 13 2 2024-02-29 13:05:09 100% %Q %"
        );
        assert_eq!(Clock::at_unix_secs(0).format("%a %F"), "Thu 1970-01-01");
        assert_eq!(
            Clock::at_unix_secs(-1).format("%F %T"),
            "1969-12-31 23:59:59"
        );
        assert_eq!(Clock::at_unix_secs(951_782_399).format("%F"), "2000-02-28");
        assert_eq!(Clock::at_unix_secs(i64::MAX).format("%Y"), "9999");
    }
}
