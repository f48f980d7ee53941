//! The wall clock, and dates as the tools print them. Times are UTC.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the epoch.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A time by a pattern of Java's `SimpleDateFormat`, as far as numbers go: `y M d H m s S`. Other letters stay as they are.
pub(crate) fn format(ms: i64, pattern: &str) -> String {
    let (days, in_day) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    let (year, month, day) = date(days);
    let mut text = String::new();
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        let mut width = 1;
        while letters.next_if_eq(&letter).is_some() {
            width += 1;
        }
        let value = match letter {
            'y' if width == 2 => year.rem_euclid(100),
            'y' => year,
            'M' => month,
            'd' => day,
            'H' => in_day / 3_600_000,
            'm' => in_day / 60_000 % 60,
            's' => in_day / 1000 % 60,
            'S' => in_day % 1000,
            other => {
                text.extend(std::iter::repeat_n(other, width));
                continue;
            }
        };
        text.push_str(&format!("{value:0width$}"));
    }
    text
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar.
fn date(days: i64) -> (i64, i64, i64) {
    // Years here begin in March, so that the leap day is the last: day 0 is 0000-03-01.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_follow_the_calendar() {
        let check = |ms, pattern, expect: &str| assert_eq!(format(ms, pattern), expect);
        check(0, "yyyy-MM-dd HH:mm:ss:SSS", "1970-01-01 00:00:00:000");
        check(951_782_399_999, "yyyy-MM-dd HH:mm:ss:SSS", "2000-02-28 23:59:59:999");
        check(951_782_400_000, "yyyy-MM-dd", "2000-02-29");
        check(1_795_280_948_495, "yyyy-MM-dd HH:mm:ss:SSS", "2026-11-21 17:09:08:495");
        check(1_795_280_948_495, "dd.M.yy", "21.11.26");
        check(-1, "yyyy", "1969");
    }
}
