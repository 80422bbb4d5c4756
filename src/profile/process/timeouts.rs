//! Whether a thread that waits for others with a time-out sleeps in fact: nobody wakes it. The edge: reads when the time is
//! up from memory, and the clocks.

use std::fs::File;
use std::os::unix::fs::FileExt;

use rustix::time::{ClockId, clock_gettime};

/// `FUTEX_WAIT_BITSET`, whose time-out is a point in time.
const UNTIL: u64 = 9;
/// `FUTEX_CMD_MASK` and `FUTEX_CLOCK_REALTIME`.
const COMMAND: u64 = 0x7f;
const REAL_TIME: u64 = 0x100;

/// The waits with a time-out of one thread.
#[derive(Debug, Default)]
pub(super) struct Timeouts {
    /// When the wait that was seen last gives up; `None`: none was.
    deadline: Option<Deadline>,
    /// Waits that lasted until then, and those that ended before.
    expired: u64,
    woken: u64,
}

#[derive(Debug, Clone, Copy)]
struct Deadline {
    clock: ClockId,
    /// Nanoseconds.
    at: i128,
}

impl Timeouts {
    /// The thread went on.
    pub(super) fn went_on(&mut self) {
        if let Some(deadline) = self.deadline.take() {
            let has_expired = now(deadline.clock) >= deadline.at;
            self.expired += u64::from(has_expired);
            self.woken += u64::from(!has_expired);
        }
    }

    /// It waits again, with these arguments of its call. Whether its waits mostly last until their time is up, as far as
    /// those before tell.
    pub(super) fn waits(&mut self, memory: Option<&File>, args: &[u64; 6]) -> bool {
        self.deadline = memory.and_then(|memory| deadline(memory, args));
        self.deadline.is_some() && self.expired > self.woken
    }

    /// Whether waits with these arguments, which may be over, mostly last until their time is up.
    pub(super) fn are_sleeps(&self, args: &[u64; 6]) -> bool {
        is_timed(args) && self.expired > self.woken
    }
}

/// Whether a futex is waited for until a point in time.
fn is_timed(args: &[u64; 6]) -> bool {
    args[1] & COMMAND == UNTIL && args[3] != 0
}

fn deadline(memory: &File, args: &[u64; 6]) -> Option<Deadline> {
    if !is_timed(args) {
        return None;
    }
    let mut time = [0u8; 16];
    memory.read_exact_at(&mut time, args[3]).ok()?;
    let word = |at: usize| Some(i64::from_ne_bytes(time.get(at..at + 8)?.try_into().ok()?));
    let clock = if args[1] & REAL_TIME == 0 { ClockId::Monotonic } else { ClockId::Realtime };
    Some(Deadline { clock, at: i128::from(word(0)?) * 1_000_000_000 + i128::from(word(8)?) })
}

fn now(clock: ClockId) -> i128 {
    let now = clock_gettime(clock);
    i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_that_last_until_their_time_is_up_are_sleeps() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let until = |offset: i128| {
            let at = now(ClockId::Monotonic) + offset;
            let words = [(at / 1_000_000_000) as i64, (at % 1_000_000_000) as i64];
            std::fs::write(file.path(), [[0; 8], words[0].to_ne_bytes(), words[1].to_ne_bytes()].concat())
                .unwrap();
            File::open(file.path()).unwrap()
        };
        let args = [0x7f00_0000_1000, 0x89, 0, 8, 0, 0];
        let mut timeouts = Timeouts::default();
        // Nothing is known yet; then it was woken; then, twice, it was not.
        for (offset, sleeps) in [(100_000_000_000, false), (-1, false), (-1, false), (-1, true)] {
            assert_eq!(timeouts.waits(Some(&until(offset)), &args), sleeps);
            timeouts.went_on();
        }
        assert!(timeouts.waits(Some(&until(-1)), &args) && timeouts.are_sleeps(&args));
        // Without a time-out, or where memory is not to be read, it is no sleep.
        let untimed = [args[0], args[1], 0, 0, 0, 0];
        assert!(!timeouts.waits(Some(&until(-1)), &untimed) && !timeouts.are_sleeps(&untimed));
        assert!(!timeouts.waits(None, &args));
        assert!(!timeouts.waits(Some(&until(-1)), &[args[0], args[1], 0, u64::MAX, 0, 0]));
    }
}
