//! `Retry-After`: when an upstream wants to be asked again.
//!
//! Seconds or a date; what upstreams really send is also fractions, moments long gone, and nonsense. What cannot be
//! meant is no wish at all, and a wish beyond an hour is an hour. A date is measured against the upstream's own clock
//! where the reply shows it.

use std::time::{Duration, SystemTime};

use http::header;

use crate::dialect::fields::Fields;
use crate::model::Time;

/// Nobody is sent away for longer.
const MOST: i64 = 3600;

/// The seconds that a reply's headers ask to wait.
pub fn told(fields: Fields<'_>, now: Option<Time>) -> Option<i64> {
    let text = |name| fields.get(&name).map(str::trim);
    let value = text(header::RETRY_AFTER)?;
    if let Some(seconds) = number(value) {
        return bounded(seconds);
    }
    let date = |value| httpdate::parse_http_date(value).ok().map(seconds);
    let clock = text(header::DATE).and_then(date);
    let now = clock.or_else(|| now.map(Time::seconds))?;
    // It may have passed while the reply was on its way.
    bounded(date(value)?.saturating_sub(now).max(0))
}

/// Seconds that somebody may be asked to wait, if they can be meant.
pub fn bounded(seconds: i64) -> Option<i64> {
    (seconds >= 0).then(|| seconds.min(MOST))
}

/// A whole number of any length, or a fraction, rounded up: to come too early is what was asked not to be done.
fn number(value: &str) -> Option<i64> {
    let (sign, digits) = match value.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, value),
    };
    let (whole, rest) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(rest) {
        return None;
    }
    let whole = whole.parse::<i64>().unwrap_or(i64::MAX);
    let more = rest.bytes().any(|byte| byte != b'0');
    Some(sign * whole.saturating_add(i64::from(more)))
}

fn seconds(moment: SystemTime) -> i64 {
    let whole = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    match moment.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => whole(since),
        Err(before) => -whole(before.duration()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_bounded_or_ignored() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let now = Some(Time::from_seconds(784_111_777 - 20));
        for (value, wanted) in [
            ("30", Some(30)),
            (" 30 ", Some(30)),
            ("0", Some(0)),
            ("0.35", Some(1)),
            ("1.000", Some(1)),
            ("1.", Some(1)),
            ("007", Some(7)),
            ("86400", Some(MOST)),
            ("99999999999999999999999999", Some(MOST)),
            (date, Some(20)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(20)),
            ("Sun Nov  6 08:49:37 1994", Some(20)),
            ("Sun, 06 Nov 1994 07:49:37 GMT", Some(0)),
            ("Fri, 06 Nov 2099 08:49:37 GMT", Some(MOST)),
            ("-1", None),
            ("-0.5", None),
            ("-99999999999999999999", None),
            ("1e3", None),
            ("+5", None),
            (".5", None),
            ("1.5.2", None),
            ("inf", None),
            ("NaN", None),
            ("soon", None),
            ("", None),
            ("Sun, 99 Nov 1994 08:49:37 GMT", None),
        ] {
            assert_eq!(told(Fields::default(), now), None);
            let line = format!("Retry-After: {value}\r\n");
            assert_eq!(told(Fields(line.as_bytes()), now), wanted, "{value:?}");
        }
    }

    #[test]
    fn a_date_is_measured_by_the_clock_that_set_it() {
        let at = |date, now| {
            let wish = "retry-after: Sun, 06 Nov 1994 08:49:37 GMT";
            told(
                Fields(format!("{wish}\r\ndate: {date}\r\n").as_bytes()),
                now,
            )
        };
        let now = Some(Time::from_seconds(0));
        assert_eq!(at("Sun, 06 Nov 1994 08:49:07 GMT", now), Some(30));
        assert_eq!(at("yesterday", None), None);
    }
}
