//! Who waits for a child waits for what the child waited for. When a parent goes on and when its child is found to have
//! ended are two observations, and either may come first. Pure.

use std::collections::BTreeMap;

use crate::profile::places::Place;
use crate::profile::wall::Credit;

/// Children that have ended, and parents that have gone on, until they find each other.
#[derive(Debug, Clone, Default)]
pub(super) struct Children {
    /// By parent: what the child that ended last had been waiting for.
    ended: BTreeMap<i32, Place>,
    /// By parent: a wait for a child that is over, while no child is known to have ended.
    waited: BTreeMap<i32, Credit>,
}

impl Children {
    /// A child of `parent` has ended; this is what it had been waiting for. Returns the parent's wait, if it is over.
    pub(super) fn end(&mut self, parent: i32, place: Place) -> Option<Credit> {
        let waited = self.waited.remove(&parent);
        if waited.is_none() {
            self.ended.insert(parent, place);
        }
        waited
    }

    /// A process has waited for a child. Returns the wait, and what the child had been waiting for, if one is known to have
    /// ended; else the wait is kept until everybody was looked at again.
    pub(super) fn wait(&mut self, parent: i32, credit: Credit) -> Option<(Credit, Place)> {
        if let Some(place) = self.ended.remove(&parent) {
            return Some((credit, place));
        }
        let kept = self.waited.entry(parent).or_insert(Credit { progress: 0, blocked: 0, ..credit });
        kept.progress = kept.progress.saturating_add(credit.progress);
        kept.blocked = kept.blocked.saturating_add(credit.blocked);
        None
    }

    /// A process is gone: its children are nobody's who waits.
    pub(super) fn forget(&mut self, parent: i32) {
        self.ended.remove(&parent);
    }

    /// Everybody was looked at since. Returns the waits for children of which none is known to have ended.
    pub(super) fn overdue(&mut self) -> impl Iterator<Item = Credit> + use<> {
        std::mem::take(&mut self.waited).into_values()
    }
}
