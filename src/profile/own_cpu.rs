//! CPU time that boundby itself has used. Knows the clocks and nothing of what is measured.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Of all its threads.
pub(super) fn all() -> Duration {
    used(ClockId::ProcessCPUTime)
}

/// Of the thread that asks: others may be drawing meanwhile, and who waits for a CPU has not worked.
pub(super) fn thread() -> Duration {
    used(ClockId::ThreadCPUTime)
}

fn used(clock: ClockId) -> Duration {
    let now = clock_gettime(clock);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}
