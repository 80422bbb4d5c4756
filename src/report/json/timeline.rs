//! The wall book by stretch in schema 1, written and read back.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::names;
use super::read::{JsonError, named, refuse, seconds as time};
use super::write::seconds;
use crate::profile::Timeline;
use crate::wait::{Account, Book};

/// What the program was doing in each stretch of its wall time.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
pub(super) struct TimelineV1 {
    /// Length of a stretch; the last may be shorter.
    stretch_s: f64,
    /// What the columns are.
    kinds: Vec<String>,
    /// A row for each stretch, its time by kind.
    seconds: Vec<Vec<f64>>,
}

pub(super) fn timeline_v1(timeline: &Timeline) -> Option<TimelineV1> {
    let kinds: Vec<Account> =
        Account::ALL.into_iter().filter(|kind| timeline.books.iter().any(|book| book[*kind] > 0)).collect();
    (!kinds.is_empty()).then(|| TimelineV1 {
        stretch_s: seconds(timeline.stretch),
        kinds: kinds.iter().map(|kind| kind.name().to_owned()).collect(),
        seconds: timeline
            .books
            .iter()
            .map(|book| kinds.iter().map(|kind| seconds(book.get(*kind))).collect())
            .collect(),
    })
}

pub(super) fn timeline(read: &TimelineV1) -> Result<Timeline, JsonError> {
    let at = "profile.timeline";
    let kind = |name: &String| named(names::account(name), name, format_args!("{at}.kinds"));
    let kinds: Vec<Account> = read.kinds.iter().map(kind).collect::<Result<_, _>>()?;
    let mut books = Vec::with_capacity(read.seconds.len());
    for row in &read.seconds {
        if row.len() != kinds.len() {
            return Err(refuse(format_args!("{at}.seconds"), row.len(), "a time for each kind in every row"));
        }
        let mut book = Book::default();
        for (kind, value) in kinds.iter().zip(row) {
            book[*kind] = nanos(time(*value, format_args!("{at}.seconds"))?);
        }
        books.push(book);
    }
    Ok(Timeline { stretch: time(read.stretch_s, format_args!("{at}.stretch_s"))?, books })
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
