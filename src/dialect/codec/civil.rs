//! Moments as dates: RFC 3339 and its kin.
//!
//! A list has two or three dates per message, so the usual spelling is written and read here, digit by digit; what
//! looks otherwise, and dates in words, are left to `jiff`. A test holds the two to each other.

use jiff::tz::TimeZone;

use crate::model::Time;

const DAY: i64 = 86_400;

/// The first second of the year 10000, which has no spelling any more.
const END: i64 = 253_402_300_800;

/// Seconds from the year 0 to 1970.
const START: i64 = -62_167_219_200;

/// Writes `2020-07-28T10:05:26`. False beyond the years 0 to 9999.
pub fn write(second: i64, out: &mut String) -> bool {
    if !(START..END).contains(&second) {
        return false;
    }
    let (year, month, day) = date(second.div_euclid(DAY));
    let within = second.rem_euclid(DAY);
    two(year / 100, out);
    two(year % 100, out);
    for (lead, part) in [
        ('-', month),
        ('-', day),
        ('T', within / 3_600),
        (':', within / 60 % 60),
        (':', within % 60),
    ] {
        out.push(lead);
        two(part, out);
    }
    true
}

/// Writes `January 5, 2024, 3:04 pm`.
pub fn write_in_words(second: i64, out: &mut String) -> bool {
    let Ok(stamp) = jiff::Timestamp::from_second(second) else {
        return false;
    };
    let utc = stamp.to_zoned(TimeZone::UTC);
    out.push_str(&utc.strftime("%B %-d, %Y, %-I:%M %P").to_string());
    true
}

/// Reads any of the usual spellings; without a zone, UTC is meant.
pub fn read(text: &str) -> Option<Time> {
    usual(text).or_else(|| unusual(text))
}

/// The digits behind a point as microseconds; finer ones are dropped.
pub fn micros(digits: &str) -> Option<i64> {
    let digits = digits.as_bytes();
    let mut micros = 0;
    for place in 0..6 {
        let digit = digits.get(place).copied().unwrap_or(b'0');
        micros = micros * 10 + i64::from(digit.is_ascii_digit().then(|| digit - b'0')?);
    }
    Some(micros)
}

/// `2020-07-28T10:05:26`, perhaps a fraction, perhaps a zone.
fn usual(text: &str) -> Option<Time> {
    let (date, rest) = text.split_at_checked(10)?;
    let (time, rest) = rest.split_at_checked(9)?;
    let date = date.as_bytes();
    let time = time.as_bytes();
    let marks = [date[4], date[7], time[3], time[6]] == *b"--::" && matches!(time[0], b'T' | b' ');
    let (month, day) = (pair(date, 5)?, pair(date, 8)?);
    let (hour, minute, second) = (pair(time, 1)?, pair(time, 4)?, pair(time, 7)?);
    if !marks || !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days(pair(date, 0)? * 100 + pair(date, 2)?, month, day)?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(
            rest.find(|char: char| !char.is_ascii_digit())
                .unwrap_or(rest.len()),
        ),
        None => ("0", rest),
    };
    if fraction.is_empty() {
        return None;
    }
    let second = days * DAY + hour * 3_600 + minute * 60 + second - offset(zone)?;
    Some(Time(second * 1_000_000 + micros(fraction)?))
}

/// Seconds east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    let zone = match zone.as_bytes() {
        b"" | b"Z" => return Some(0),
        zone if zone.len() == 6 && zone[3] == b':' => zone,
        _ => return None,
    };
    let seconds = pair(zone, 1)? * 3_600 + pair(zone, 4)? * 60;
    match zone[0] {
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

fn unusual(text: &str) -> Option<Time> {
    if let Ok(stamp) = text.parse::<jiff::Timestamp>() {
        return Some(Time(stamp.as_microsecond()));
    }
    let civil: jiff::civil::DateTime = text.parse().ok()?;
    let stamp = civil.to_zoned(TimeZone::UTC).ok()?.timestamp();
    Some(Time(stamp.as_microsecond()))
}

fn two(part: i64, out: &mut String) {
    for digit in [part / 10, part % 10] {
        out.push(char::from(b'0' + (digit % 10) as u8));
    }
}

fn pair(text: &[u8], at: usize) -> Option<i64> {
    let digits = text.get(at..at + 2)?;
    let both = digits.iter().all(u8::is_ascii_digit);
    both.then(|| i64::from(digits[0] - b'0') * 10 + i64::from(digits[1] - b'0'))
}

/// Days from 1970 to a date, by counting years from March: then a leap day is a year's last.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let from_march = (month + 9) % 12;
    let year = if month <= 2 { year - 1 } else { year };
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = days + (153 * from_march + 2) / 5 + day - 719_469;
    // A day that its month does not have is another date when counted back.
    (date(days).2 == day).then_some(days)
}

/// The date so many days from 1970.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12 + 1;
    (era * 400 + year + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_jiff_writes() {
        for second in (START..END).step_by(86_413 * 17) {
            let mut ours = String::new();
            assert!(write(second, &mut ours));
            let stamp = jiff::Timestamp::from_second(second).unwrap();
            let theirs = stamp
                .to_zoned(TimeZone::UTC)
                .strftime("%Y-%m-%dT%H:%M:%S")
                .to_string();
            assert_eq!(ours, theirs);
            assert_eq!(read(&ours), Some(Time::from_seconds(second)));
        }
    }

    #[test]
    fn what_is_read_is_what_jiff_reads() {
        for text in [
            "2020-07-28T10:05:26Z",
            "2020-07-28 10:05:26",
            "2020-07-28T10:05:26.000001Z",
            "2020-07-28T10:05:26.5+02:00",
            "2020-07-28T10:05:26.123456789-07:30",
            "2020-02-29T23:59:59",
            "2021-02-29T00:00:00",
            "2020-04-31T00:00:00Z",
            "2020-13-01T00:00:00Z",
            "2020-00-10T00:00:00Z",
            "2020-07-28T24:00:00Z",
            "2020-07-28T10:05:26.Z",
            "2020-07-28T10:05:26+2",
            "2020-07-28",
            "20200728T100526Z",
            "yesterday",
            "",
        ] {
            assert_eq!(read(text), unusual(text), "{text}");
        }
    }
}
