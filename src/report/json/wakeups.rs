//! What wake-ups told in schema 1, written and read back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::read::{self, JsonError};
use super::write::{derived, seconds};
use crate::profile::Wakeups;

/// What the kernel told of who woke whom (`profile --level k --wakeups`), beside what is inferred without it.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct WakeupsV1 {
    /// How often a thread of the program was woken while it waited.
    told: u64,
    /// Of these, by another thread of the program.
    handed_over: u64,
    /// Wake-ups of the whole machine there was no room for.
    lost: u64,
    /// Of the time in which everybody waited, the share that is in the same account of `wall` either way; null: there was
    /// no such time.
    same_account: Option<f64>,
    /// Wall time in which nobody ran and somebody was ready, as wake-ups tell.
    runnable_s: f64,
    /// The same as inferred from the scheduler's counters.
    runnable_inferred_s: f64,
}

pub(super) fn wakeups_v1(wakeups: &Wakeups) -> WakeupsV1 {
    WakeupsV1 {
        told: wakeups.told,
        handed_over: wakeups.handed_over,
        lost: wakeups.lost,
        same_account: wakeups.same.and_then(derived),
        runnable_s: seconds(wakeups.runnable),
        runnable_inferred_s: seconds(wakeups.runnable_inferred),
    }
}

pub(super) fn wakeups(told: &WakeupsV1) -> Result<Wakeups, JsonError> {
    let same = |value| read::share(value, format_args!("profile.wakeups.same_account"));
    Ok(Wakeups {
        told: told.told,
        handed_over: told.handed_over,
        lost: told.lost,
        same: told.same_account.map(same).transpose()?,
        runnable: read::seconds(told.runnable_s, format_args!("profile.wakeups.runnable_s"))?,
        runnable_inferred: read::seconds(
            told.runnable_inferred_s,
            format_args!("profile.wakeups.runnable_inferred_s"),
        )?,
    })
}
