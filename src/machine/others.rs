//! What other programs take of this computer while something of ours runs. Knows the counters of all CPUs and those of this
//! process and of its children that have ended; the clock tick of both is a hundredth of a second on every Linux.

use std::fs;
use std::time::Instant;

/// Ticks per second of `/proc`.
const TICKS: f64 = 100.0;
/// user, nice, system, irq, softirq and steal: what is neither idle nor waiting for a disk.
const OF_ALL: [usize; 6] = [0, 1, 2, 5, 6, 7];
/// user and system, of this process and of its children that have ended, counted behind the name of the program.
const OF_OURS: [usize; 4] = [11, 12, 13, 14];

/// A stretch of time in which others are watched.
#[derive(Debug, Clone, Copy)]
pub struct Others {
    began: Instant,
    used: f64,
}

impl Others {
    /// Begins now; `None`: `/proc` does not say.
    #[must_use]
    pub fn watch() -> Option<Self> {
        Some(Self { began: Instant::now(), used: used_by_others()? })
    }

    /// Share of so many CPUs that others have taken since then.
    #[must_use]
    pub fn share(&self, cpus: u32) -> Option<f64> {
        let time = self.began.elapsed().as_secs_f64() * f64::from(cpus.max(1));
        Some(((used_by_others()? - self.used) / time).clamp(0.0, 1.0))
    }
}

/// CPU seconds of everybody else since the machine started.
fn used_by_others() -> Option<f64> {
    let all = fs::read_to_string("/proc/stat").ok()?;
    let ours = fs::read_to_string("/proc/self/stat").ok()?;
    let all = sum(all.lines().next()?.strip_prefix("cpu ")?, &OF_ALL)?;
    // The name may hold anything, brackets too.
    let ours = sum(ours.rsplit_once(')')?.1, &OF_OURS)?;
    Some((all - ours) / TICKS)
}

fn sum(text: &str, fields: &[usize]) -> Option<f64> {
    let words: Vec<&str> = text.split_whitespace().collect();
    fields.iter().map(|field| words.get(*field)?.parse::<f64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_from_the_first_word() {
        assert_eq!(sum("10 1 5 900 7 2 3 4 0 0", &OF_ALL), Some(25.0));
        assert_eq!(sum(" S 1 2 3 0 -1 0 0 0 0 0 11 12 13 14 20", &OF_OURS), Some(50.0));
        assert_eq!(sum("1 2", &OF_ALL), None);
        assert_eq!(sum("1 2 x 4 5 6 7 8", &OF_ALL), None);
    }

    #[test]
    fn others_take_a_share() {
        let watched = Others::watch().unwrap();
        assert!((0.0..=1.0).contains(&watched.share(2).unwrap()));
    }
}
