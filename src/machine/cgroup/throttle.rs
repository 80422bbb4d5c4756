//! How long the CPU quota held a process back: the counters of its groups, read through kept descriptors, so that a
//! reading during a measurement costs a microsecond and works after the process is gone.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use crate::machine::tree::Tree;

/// The file has a dozen short lines.
const LARGEST: usize = 4096;

/// Follows the throttling counters of every group above a process that has a quota.
#[derive(Debug)]
pub struct QuotaReader {
    groups: Vec<Group>,
}

/// Throttling since the [`QuotaReader`] was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QuotaReading {
    /// Enforcement periods in which the group had something to run.
    pub periods: u64,
    /// Of them, those in which it was stopped.
    pub throttled_periods: u64,
    /// Time the group was stopped, summed over CPUs as the kernel counts it; never falls between readings.
    pub throttled: Duration,
}

#[derive(Debug)]
struct Group {
    file: File,
    start: QuotaReading,
}

impl QuotaReader {
    /// Opens the counters of `pid`. `None`: no group above it has a quota, or none can be read.
    #[must_use]
    pub fn open(pid: i32) -> Option<Self> {
        Self::open_in(&Tree::live(), pid)
    }

    pub(crate) fn open_in(tree: &Tree, pid: i32) -> Option<Self> {
        let limit = super::cpu(tree, Some(pid)).ok()?;
        let groups: Vec<Group> = limit
            .limiting
            .iter()
            .filter_map(|level| {
                let file = File::open(tree.locate(&level.join("cpu.stat"))).ok()?;
                let start = counters(&file)?;
                Some(Group { file, start })
            })
            .collect();
        (!groups.is_empty()).then_some(Self { groups })
    }

    /// Reads the counters. Of several groups with a quota the one that was stopped longest is reported: nested
    /// groups are stopped at the same time, so adding them up would count a pause twice. `None`: unreadable (the
    /// group was removed).
    #[must_use]
    pub fn read(&self) -> Option<QuotaReading> {
        let readings = self.groups.iter().filter_map(|group| {
            let now = counters(&group.file)?;
            Some(QuotaReading {
                periods: now.periods.saturating_sub(group.start.periods),
                throttled_periods: now.throttled_periods.saturating_sub(group.start.throttled_periods),
                throttled: now.throttled.saturating_sub(group.start.throttled),
            })
        });
        readings.max_by_key(|reading| (reading.throttled, reading.throttled_periods, reading.periods))
    }
}

fn counters(file: &File) -> Option<QuotaReading> {
    let mut buffer = [0; LARGEST];
    let length = file.read_at(&mut buffer, 0).ok()?;
    parse(&String::from_utf8_lossy(&buffer[..length]))
}

/// Version 1 counts `throttled_time` in nanoseconds, version 2 `throttled_usec` in microseconds.
fn parse(text: &str) -> Option<QuotaReading> {
    let field = |name: &str| {
        text.lines().find_map(|line| {
            let (key, value) = line.split_once(' ')?;
            if key == name { value.trim().parse::<u64>().ok() } else { None }
        })
    };
    let throttled = field("throttled_usec")
        .map(Duration::from_micros)
        .or_else(|| field("throttled_time").map(Duration::from_nanos))?;
    Some(QuotaReading { periods: field("nr_periods")?, throttled_periods: field("nr_throttled")?, throttled })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_in_one_unit() {
        let expected =
            QuotaReading { periods: 42, throttled_periods: 41, throttled: Duration::from_millis(2370) };
        let v1 = "nr_periods 42\nnr_throttled 41\nthrottled_time 2370000000\nwait_sum 9\n";
        let v2 = "usage_usec 820000\nuser_usec 1\nnr_periods 42\nnr_throttled 41\nthrottled_usec 2370000\n";
        assert_eq!(parse(v1), Some(expected));
        assert_eq!(parse(v2), Some(expected));
        assert_eq!(parse("usage_usec 820000\n"), None, "the root group counts no throttling");
        assert_eq!(parse("nr_periods x\nnr_throttled 1\nthrottled_usec 1\n"), None);
    }

    #[test]
    fn the_group_stopped_longest_is_reported_since_opening() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, periods: u64, usec: u64| {
            let text = format!("nr_periods {periods}\nnr_throttled {periods}\nthrottled_usec {usec}\n");
            std::fs::write(dir.path().join(name), text).unwrap();
        };
        write("inner", 100, 5000);
        write("outer", 900, 70_000);
        let groups = ["inner", "outer"].map(|name| {
            let file = File::open(dir.path().join(name)).unwrap();
            let start = counters(&file).unwrap();
            Group { file, start }
        });
        let reader = QuotaReader { groups: groups.into() };
        assert_eq!(reader.read(), Some(QuotaReading::default()));
        write("inner", 110, 9000);
        write("outer", 920, 71_000);
        let reading = reader.read().unwrap();
        assert_eq!(reading.throttled, Duration::from_millis(4));
        assert_eq!(reading.periods, 10);
    }
}
