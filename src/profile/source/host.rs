//! What the machine's CPUs did, and what its host took of them: `/proc/stat`. A thin edge; parsing is pure.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::super::observation::HostShare;

/// Nanoseconds between two readings: the host is asked as seldom as other slow facts.
const READ_NS: u64 = 100_000_000;

/// The first line of `/proc/stat`, kept open.
#[derive(Debug)]
pub(crate) struct Host {
    file: Option<File>,
    before: Option<HostShare>,
    next: u64,
}

impl Host {
    /// Where it cannot be read, nothing is known.
    pub(crate) fn open() -> Self {
        Self { file: File::open("/proc/stat").ok(), before: None, next: 0 }
    }

    /// What happened since the last reading, if one is due and the host took anything.
    pub(crate) fn since_last(&mut self, now: u64) -> Option<HostShare> {
        if now < self.next {
            return None;
        }
        self.next = now + READ_NS;
        let mut buffer = [0u8; 256];
        let length = self.file.as_ref()?.read_at(&mut buffer, 0).ok()?;
        let share = parse(buffer.get(..length)?)?;
        let before = self.before.replace(share)?;
        let per_tick = 1_000_000_000 / rustix::param::clock_ticks_per_second().max(1);
        let since = |now: u64, before: u64| now.saturating_sub(before).saturating_mul(per_tick);
        let stolen = since(share.stolen, before.stolen);
        (stolen > 0).then(|| HostShare { stolen, used: since(share.used, before.used) })
    }
}

/// Ticks of all CPUs together that they computed (user, nice, system, interrupts), and that were stolen.
fn parse(text: &[u8]) -> Option<HostShare> {
    let line = std::str::from_utf8(text.split(|byte| *byte == b'\n').next()?).ok()?;
    let numbers = line.strip_prefix("cpu ")?.split_ascii_whitespace();
    let numbers: Vec<u64> = numbers.map_while(|number| number.parse().ok()).collect();
    let used = [0, 1, 2, 5, 6].into_iter().filter_map(|at| numbers.get(at).copied());
    Some(HostShare { stolen: *numbers.get(7)?, used: used.fold(0, u64::saturating_add) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eighth_number_is_what_was_stolen() {
        let share = parse(b"cpu  100 20 30 4000 50 6 7 8 9 10\ncpu0 1 2\n");
        assert_eq!(share, Some(HostShare { stolen: 8, used: 163 }));
        // Kernels before 2.6.11 knew no such time; a line may be anything.
        assert_eq!(parse(b"cpu  100 20 30 4000 50 6 7\n"), None);
        assert_eq!(parse(b"cpu  1 2 x 4 5 6 7 8\n"), None);
        assert_eq!(parse(b"intr 5\n"), None);
        assert!(parse(format!("cpu  {m} {m} {m} 1 1 {m} {m} {m}\n", m = u64::MAX).as_bytes()).is_some());
    }
}
