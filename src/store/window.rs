//! Which rows of a list a window asks for, as a place to start and a count; and the window to answer with.
//!
//! Pure: the list's length comes in, two numbers go out. Rows count from zero at the oldest.

use compact_str::format_compact;

use super::StoreError;
use crate::model::{Text, Window};

/// A run of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    pub start: i64,
    pub count: i64,
}

/// The rows that `window` asks for in a list of `total`; never more than `max`.
///
/// `first` wins over `last`, and both over `limit`. With `first` and `last` a cursor is a place and nothing more, as
/// in Absinthe: `first` with `before` starts *at* that row, `last` with `after` ends just after that one.
pub fn slice(window: &Window, total: i64, max: i64) -> Result<Slice, StoreError> {
    let after = cursor("window.after", &window.after)?.map(|row| row.saturating_add(1));
    let before = cursor("window.before", &window.before)?;
    let place = after.or(before);
    let (low, high) = match (window.first, window.last) {
        (Some(_), _) => (place.unwrap_or(0), total),
        (None, Some(_)) => (0, place.unwrap_or(total)),
        // Elsewhere it narrows the list.
        (None, None) => (after.unwrap_or(0), before.unwrap_or(total).min(total)),
    };
    let length = length(window, max);
    let rows = window.rows((high - low).max(0), window.skipped(length), length);
    let start = low + rows.start;
    // A place may be beyond the list.
    let count = (rows.end - rows.start).min(total - start).max(0);
    Ok(Slice { start, count })
}

/// The window as it was asked for, with what it turned out to show.
pub fn shown(asked: &Window, slice: Slice, total: i64, max: i64) -> Window {
    let some = slice.count > 0;
    Window {
        limit: Some(length(asked, max)),
        total: Some(total),
        count: Some(slice.count),
        has_previous: Some(slice.start > 0),
        has_next: Some(slice.start.saturating_add(slice.count) < total),
        start: if some {
            row(slice.start)
        } else {
            Text::default()
        },
        end: if some {
            row(slice.start + slice.count - 1)
        } else {
            Text::default()
        },
        ..asked.clone()
    }
}

/// A row's cursor.
pub fn row(place: i64) -> Text {
    format_compact!("{place}")
}

fn length(window: &Window, max: i64) -> i64 {
    window.length().unwrap_or(max).clamp(0, max)
}

fn cursor(field: &'static str, text: &str) -> Result<Option<i64>, StoreError> {
    if text.is_empty() {
        return Ok(None);
    }
    match text.parse::<i64>() {
        Ok(row) if row >= 0 => Ok(Some(row)),
        _ => Err(StoreError::Unusable {
            field,
            reason: "it is not a cursor of this list",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(window: Window) -> (i64, i64) {
        let slice = slice(&window, 10, 1000).unwrap();
        (slice.start, slice.start + slice.count)
    }

    #[test]
    fn first_and_last_follow_absinthe() {
        let window = Window::default;
        assert_eq!(
            rows(Window {
                first: Some(3),
                ..window()
            }),
            (0, 3)
        );
        assert_eq!(
            rows(Window {
                last: Some(3),
                ..window()
            }),
            (7, 10)
        );
        assert_eq!(
            rows(Window {
                first: Some(3),
                last: Some(1),
                ..window()
            }),
            (0, 3)
        );
        assert_eq!(
            rows(Window {
                first: Some(3),
                after: "4".into(),
                before: "1".into(),
                ..window()
            }),
            (5, 8)
        );
        assert_eq!(
            rows(Window {
                first: Some(3),
                before: "4".into(),
                ..window()
            }),
            (4, 7)
        );
        assert_eq!(
            rows(Window {
                last: Some(3),
                after: "4".into(),
                ..window()
            }),
            (2, 5)
        );
        assert_eq!(
            rows(Window {
                last: Some(3),
                before: "1".into(),
                ..window()
            }),
            (0, 1)
        );
        assert_eq!(
            rows(Window {
                first: Some(3),
                after: "9".into(),
                ..window()
            }),
            (10, 10)
        );
        assert_eq!(
            rows(Window {
                first: Some(-1),
                ..window()
            }),
            (0, 0)
        );
    }

    #[test]
    fn a_limit_counts_from_the_newest_end_or_from_its_cursor() {
        let window = || Window {
            limit: Some(4),
            ..Window::default()
        };
        assert_eq!(rows(window()), (6, 10));
        assert_eq!(
            rows(Window {
                offset: Some(2),
                ..window()
            }),
            (4, 8)
        );
        assert_eq!(
            rows(Window {
                offset: Some(8),
                ..window()
            }),
            (0, 2)
        );
        assert_eq!(
            rows(Window {
                offset: Some(80),
                ..window()
            }),
            (0, 0)
        );
        assert_eq!(
            rows(Window {
                page: Some(1),
                ..window()
            }),
            (6, 10)
        );
        assert_eq!(
            rows(Window {
                page: Some(3),
                ..window()
            }),
            (0, 2)
        );
        assert_eq!(
            rows(Window {
                page: Some(4),
                ..window()
            }),
            (0, 0)
        );
        assert_eq!(
            rows(Window {
                order: Some(1),
                offset: Some(1),
                ..window()
            }),
            (1, 5)
        );
        assert_eq!(
            rows(Window {
                after: "2".into(),
                ..window()
            }),
            (3, 7)
        );
        assert_eq!(
            rows(Window {
                before: "2".into(),
                ..window()
            }),
            (0, 2)
        );
        assert_eq!(
            rows(Window {
                after: "7".into(),
                before: "9".into(),
                ..window()
            }),
            (8, 9)
        );
        assert_eq!(
            rows(Window {
                limit: Some(0),
                ..window()
            }),
            (10, 10)
        );
    }

    #[test]
    fn a_cursor_is_a_place() {
        for after in ["x", "-1", "1.5", "99999999999999999999"] {
            let window = Window {
                after: after.into(),
                ..Window::default()
            };
            assert!(matches!(
                slice(&window, 10, 10),
                Err(StoreError::Unusable {
                    field: "window.after",
                    ..
                })
            ));
        }
        let far = Window {
            after: i64::MAX.to_string().into(),
            first: Some(5),
            ..Window::default()
        };
        assert_eq!(slice(&far, 10, 10).unwrap().count, 0);
    }
}
