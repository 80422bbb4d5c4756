//! What a thread was put on a CPU after: a wait that was over, or a preemption. Pure: the counters are handed in.

/// Tells the dispatches of a thread that followed waits from those after a preemption.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dispatches {
    /// All of them, when it was last seen blocked.
    all: u64,
    /// Preemptions up to then that a dispatch followed; `None`: not counted.
    preemptions: Option<u64>,
    /// Those that followed waits.
    pub(super) after_waits: u64,
}

impl Dispatches {
    /// A thread that was dispatched so often before it was first looked at.
    #[must_use]
    pub(super) fn new(all: u64) -> Self {
        Self { all, preemptions: None, after_waits: all }
    }

    /// What it was dispatched after since it was last counted, if it was blocked then.
    #[must_use]
    pub(super) fn since(&self, all: u64, was_blocked: bool) -> News {
        match all.saturating_sub(self.all) {
            0 => News::Nothing,
            1 if was_blocked => News::Wait,
            _ => News::Unclear { waits: u64::from(was_blocked) },
        }
    }

    /// It has been dispatched, and preempted if that was counted, so often by now.
    pub(super) fn count(&mut self, all: u64, news: News, preemptions: Option<u64>) {
        let more = all.saturating_sub(self.all);
        let preempted = match news {
            News::Nothing | News::Wait => 0,
            News::Unclear { waits } => {
                // Without an earlier count, preemptions may be older than these dispatches. And whoever was preempted
                // last may not have been dispatched since: that is left for later.
                let new =
                    preemptions.zip(self.preemptions).map_or(0, |(now, before)| now.saturating_sub(before));
                let followed = new.min(more.saturating_sub(waits));
                self.preemptions = preemptions.map(|now| now - (new - followed));
                followed
            }
        };
        self.after_waits += more - preempted;
        self.all = all;
    }
}

/// What new dispatches tell of waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// There are none.
    Nothing,
    /// One, and the thread had been seen waiting.
    Wait,
    /// Waits, so many at least, or preemptions.
    Unclear {
        /// One, if the thread had been seen waiting: it was dispatched after that.
        waits: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dispatches_after_preemptions_follow_no_waits() {
        let mut dispatches = Dispatches::new(10);
        let mut count = |all, was_blocked, preemptions| {
            dispatches.count(all, dispatches.since(all, was_blocked), preemptions);
            dispatches.after_waits
        };
        // How many of the first five were preemptions is not known; of the next six, four were.
        assert_eq!([count(15, true, Some(7)), count(21, true, Some(11))], [15, 17]);
        // A thread that waited and was dispatched once came out of that wait.
        assert_eq!([count(22, true, None), count(23, false, Some(12))], [18, 18]);
        // After a look for which there was no time, a count says nothing of the dispatches since.
        assert_eq!(
            [count(25, true, None), count(28, true, Some(14)), count(30, true, Some(15))],
            [20, 23, 24]
        );
    }

    #[test]
    fn a_wait_that_was_seen_is_over_whatever_was_preempted_since() {
        let mut dispatches = Dispatches::new(1);
        let mut count = |all, was_blocked, preemptions| {
            dispatches.count(all, dispatches.since(all, was_blocked), preemptions);
            dispatches.after_waits
        };
        // The wait ended; then it was preempted twice, and only once dispatched again so far.
        assert_eq!([count(3, false, Some(5)), count(5, true, Some(7))], [3, 4]);
        // The dispatch that was missing, and one after a wait.
        assert_eq!(count(7, false, Some(7)), 5);
    }
}
