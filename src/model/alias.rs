//! Aliases: how a number of ours is written as an id of the kind that a dialect's clients expect.
//!
//! An alias is a pure function of the number and the moment of creation, so nothing but those two is stored. Integers
//! and texts hold the whole number. A Slack ts and a snowflake have room for a part of it, and the moment says the
//! rest: the store mints numbers so that no two things share both ([`SLACK_NUMBERS`], [`SNOWFLAKE_NUMBERS`]). Where
//! there is no moment, or none that fits, the number stands in its place, in a range that real moments do not reach.
//!
//! Reading gives a [`Clue`], not a number: whoever resolves it looks the number up, and writes the alias again to
//! see that it is the same text. So an id that we never gave out resolves to nothing.

use compact_str::format_compact;

use super::profile::IdKind;
use super::record::{Text, Time};

/// Things created in the same second differ in their number modulo this.
pub const SLACK_NUMBERS: u64 = 1_000_000;

/// Things created in the same millisecond differ in their number modulo this.
pub const SNOWFLAKE_NUMBERS: u64 = 1 << 22;

/// Milliseconds from 1970 to the start of 2015, from which snowflakes count.
const SNOWFLAKE_EPOCH: i64 = 1_420_070_400_000;

/// Earlier moments (before 1972) are written as if unknown: there stand the numbers of things without a moment.
const SLACK_FIRST: i64 = 1 << 26;
const SLACK_END: i64 = 10_000_000_000;

/// The same for snowflakes: the first 17 minutes of 2015 belong to things without a moment.
const SNOWFLAKE_FIRST: i64 = 1 << 20;
const SNOWFLAKE_END: i64 = 1 << 41;

/// What an alias tells of the thing that it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clue {
    Number(u64),
    /// Created at or after `from` and before `until`, with a number that leaves `rest` when divided by `numbers`.
    Moment {
        from: Time,
        until: Time,
        rest: u64,
        numbers: u64,
    },
}

/// The alias of a number. Empty where the dialect shows no ids.
pub fn write(kind: IdKind, number: u64, created: Option<Time>) -> Text {
    match kind {
        IdKind::None => Text::default(),
        IdKind::Integer => format_compact!("{number}"),
        IdKind::Text => {
            let seconds = created.map_or(0, |time| u32::try_from(time.seconds()).unwrap_or(0));
            format_compact!("{seconds:08x}{number:016x}")
        }
        IdKind::SlackTs => {
            let seconds = slack_seconds(created).unwrap_or(number / SLACK_NUMBERS);
            format_compact!("{seconds}.{:06}", number % SLACK_NUMBERS)
        }
        IdKind::Snowflake => match snowflake_millis(created) {
            Some(millis) => format_compact!(
                "{}",
                millis * SNOWFLAKE_NUMBERS + number % SNOWFLAKE_NUMBERS
            ),
            None => format_compact!("{number}"),
        },
    }
}

/// What an alias says. `None` where it is not written as we write one.
pub fn read(kind: IdKind, alias: &str) -> Option<Clue> {
    match kind {
        IdKind::None => None,
        IdKind::Integer => decimal(alias).map(Clue::Number),
        IdKind::Text => {
            let canonical = alias.len() == 24
                && alias
                    .bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            if !canonical {
                return None;
            }
            u64::from_str_radix(alias.get(8..)?, 16)
                .ok()
                .map(Clue::Number)
        }
        IdKind::SlackTs => read_slack(alias),
        IdKind::Snowflake => {
            let value = decimal(alias)?;
            let millis = i64::try_from(value / SNOWFLAKE_NUMBERS).ok()?;
            if millis < SNOWFLAKE_FIRST {
                return Some(Clue::Number(value));
            }
            let from = millis + SNOWFLAKE_EPOCH;
            Some(Clue::Moment {
                from: Time::from_millis(from),
                until: Time::from_millis(from + 1),
                rest: value % SNOWFLAKE_NUMBERS,
                numbers: SNOWFLAKE_NUMBERS,
            })
        }
    }
}

/// The moment that a text of this kind stands for, whoever made it. `None` where ids of the kind are no moments.
pub fn moment(kind: IdKind, id: &str) -> Option<Time> {
    match kind {
        IdKind::None | IdKind::Integer | IdKind::Text => None,
        IdKind::SlackTs => {
            let (seconds, rest) = id.split_once('.').unwrap_or((id, ""));
            let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            if !digits(rest) || !digits(seconds) {
                return None;
            }
            let micros = format_compact!("{rest:0<6.6}").parse::<i64>().ok()?;
            let seconds = seconds.parse::<i64>().ok().filter(|at| *at < SLACK_END)?;
            Some(Time(Time::from_seconds(seconds).0 + micros))
        }
        IdKind::Snowflake => {
            let value = decimal(id)?;
            let millis = i64::try_from(value / SNOWFLAKE_NUMBERS).ok()?;
            // Clients make ids of a moment with the lowest or the highest number, and mean before and after it.
            let part = value % SNOWFLAKE_NUMBERS * 1_000 / SNOWFLAKE_NUMBERS;
            Some(Time(
                Time::from_millis(millis + SNOWFLAKE_EPOCH).0 + part as i64,
            ))
        }
    }
}

fn read_slack(alias: &str) -> Option<Clue> {
    let (seconds, rest) = alias.split_once('.')?;
    if rest.len() != 6 || !rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (seconds, rest) = (decimal(seconds)?, rest.parse().ok()?);
    let from = i64::try_from(seconds)
        .ok()
        .filter(|from| *from < SLACK_END)?;
    if from < SLACK_FIRST {
        return Some(Clue::Number(seconds * SLACK_NUMBERS + rest));
    }
    Some(Clue::Moment {
        from: Time::from_seconds(from),
        until: Time::from_seconds(from + 1),
        rest,
        numbers: SLACK_NUMBERS,
    })
}

fn slack_seconds(created: Option<Time>) -> Option<u64> {
    let seconds = created?.seconds();
    (SLACK_FIRST..SLACK_END)
        .contains(&seconds)
        .then_some(seconds as u64)
}

fn snowflake_millis(created: Option<Time>) -> Option<u64> {
    let millis = created?.millis().checked_sub(SNOWFLAKE_EPOCH)?;
    (SNOWFLAKE_FIRST..SNOWFLAKE_END)
        .contains(&millis)
        .then_some(millis as u64)
}

/// Only the one way that we write a number: no sign, no zeros before it.
fn decimal(text: &str) -> Option<u64> {
    let canonical =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    canonical.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [IdKind; 4] = [
        IdKind::Integer,
        IdKind::Text,
        IdKind::SlackTs,
        IdKind::Snowflake,
    ];
    const MOMENTS: [Option<Time>; 6] = [
        None,
        Some(Time(-5)),
        Some(Time(0)),
        Some(Time::from_millis(1_503_435_956_247)),
        Some(Time::from_millis(1_900_000_000_001)),
        Some(Time(i64::MAX)),
    ];

    #[test]
    fn what_is_written_is_read_again() {
        for kind in KINDS {
            for created in MOMENTS {
                for number in [1, 999_999, 1_000_000, 4_194_304, 123_456_789_012] {
                    let alias = write(kind, number, created);
                    let found = match read(kind, &alias).unwrap() {
                        Clue::Number(found) => found == number,
                        Clue::Moment {
                            from,
                            until,
                            rest,
                            numbers,
                        } => {
                            let created = created.unwrap();
                            from <= created && created < until && number % numbers == rest
                        }
                    };
                    assert!(found, "{kind:?} {created:?} {number}: {alias}");
                }
            }
        }
    }

    #[test]
    fn each_kind_looks_as_its_dialect_expects() {
        let created = Some(Time::from_millis(1_503_435_956_247));
        assert_eq!(write(IdKind::SlackTs, 247, created), "1503435956.000247");
        assert_eq!(
            write(IdKind::Text, 255, created),
            "599c9cb400000000000000ff"
        );
        assert_eq!(write(IdKind::Integer, 7, created), "7");
        let snowflake: u64 = write(IdKind::Snowflake, 7, created).parse().unwrap();
        assert_eq!((snowflake >> 22) + 1_420_070_400_000, 1_503_435_956_247);
    }

    #[test]
    fn what_is_made_of_a_moment_stands_for_it() {
        let moment = |kind, id: &str| moment(kind, id).map(|time| time.0);
        let slack = |id| moment(IdKind::SlackTs, id);
        assert_eq!(slack("1503435956.000247"), Some(1_503_435_956_000_247));
        assert_eq!(slack("1503435956"), Some(1_503_435_956_000_000));
        assert_eq!(slack("0"), Some(0));
        assert_eq!(slack("12.5"), Some(12_500_000));
        assert_eq!(slack("12.12345678"), Some(12_123_456));
        for id in ["", ".5", "-1", "1.-5", "now", "10000000000", "1.2.3"] {
            assert_eq!(slack(id), None, "{id}");
        }
        let lowest = (1_503_435_956_247_u64 - 1_420_070_400_000) << 22;
        let snowflake = |id: u64| moment(IdKind::Snowflake, &id.to_string());
        assert_eq!(snowflake(lowest), Some(1_503_435_956_247_000));
        assert_eq!(
            snowflake(lowest + (1 << 22) - 1),
            Some(1_503_435_956_247_999)
        );
        assert!(snowflake(u64::MAX).is_some());
        assert_eq!(moment(IdKind::Integer, "7"), None);
    }

    #[test]
    fn another_spelling_is_not_an_alias() {
        for (kind, alias) in [
            (IdKind::Integer, "007"),
            (IdKind::Integer, "+7"),
            (IdKind::Integer, ""),
            (IdKind::Integer, "18446744073709551616"),
            (IdKind::Text, "599C98B400000000000000FF"),
            (IdKind::Text, "599c98b4"),
            (IdKind::SlackTs, "1503435956.247"),
            (IdKind::SlackTs, "1503435956"),
            (IdKind::SlackTs, "99999999999.000001"),
            (IdKind::Snowflake, "x"),
        ] {
            assert_eq!(read(kind, alias), None, "{alias}");
        }
    }
}
