//! The recorded rhythm of one thread: how long it waited and how much it computed, item by item. Pure and bounded.

use super::places::Span;

/// Segments kept per thread; when full, neighbours are merged.
const KEPT: usize = 512;

/// Consecutive items of one thread that look alike. Nanoseconds per item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RawSegment {
    /// Items.
    pub count: u64,
    /// Wait of each.
    pub wait: u64,
    /// CPU of each.
    pub cpu: u64,
    /// When the last of them ended, nanoseconds since the recording began.
    pub end: u64,
}

/// Collects a thread's segments.
#[derive(Debug, Clone, Default)]
pub struct Segments {
    list: Vec<RawSegment>,
    /// CPU before the first wait.
    opening: u64,
    wait: u64,
    cpu: u64,
}

impl Segments {
    /// Adds what one interval of the thread showed: CPU, waiting that could overlap with that of other items, and how
    /// many waits ended; the interval ended `at`.
    pub fn add(&mut self, cpu: u64, wait: u64, ended: u64, at: u64) {
        self.cpu += cpu;
        self.wait += wait;
        if ended == 0 || self.wait == 0 {
            return;
        }
        let segment = RawSegment { count: ended, wait: self.wait / ended, cpu: self.cpu / ended, end: at };
        self.wait = 0;
        self.cpu = 0;
        if self.list.is_empty() {
            self.opening = segment.cpu;
        }
        self.list.push(segment);
        if self.list.len() >= KEPT {
            self.halve();
        }
    }

    fn halve(&mut self) {
        self.list = self
            .list
            .chunks(2)
            .map(|pair| {
                let count: u64 = pair.iter().map(|segment| segment.count).sum();
                let mean = |of: fn(&RawSegment) -> u64| {
                    pair.iter().map(|segment| of(segment) * segment.count).sum::<u64>() / count.max(1)
                };
                RawSegment {
                    count,
                    wait: mean(|segment| segment.wait),
                    cpu: mean(|segment| segment.cpu),
                    end: pair.iter().map(|segment| segment.end).max().unwrap_or_default(),
                }
            })
            .collect();
    }

    /// Merges neighbours until no more than this many are left, and gives back the memory.
    pub fn thin(&mut self, kept: usize) {
        while self.list.len() > kept.max(1) {
            self.halve();
        }
        self.list.shrink_to_fit();
    }

    /// What was recorded of items that ended in a part of the run.
    #[must_use]
    pub fn within(&self, part: Span) -> Self {
        let list: Vec<RawSegment> =
            self.list.iter().filter(|segment| part.holds(segment.end)).copied().collect();
        let opening = list.first().map_or(0, |first| first.cpu);
        Self { list, opening, wait: 0, cpu: 0 }
    }

    /// Waiting of all items, and all CPU up to their ends, nanoseconds.
    #[must_use]
    pub fn totals(&self) -> (u64, u64) {
        let sum = |of: fn(&RawSegment) -> u64| {
            self.list.iter().map(|segment| of(segment) * segment.count).sum::<u64>()
        };
        (sum(|segment| segment.wait), sum(|segment| segment.cpu))
    }

    /// CPU that belongs to no item, nanoseconds: what the thread did before its first wait and after its last, beyond what
    /// is usual between two. Start and end of a program are not repeated.
    #[must_use]
    pub fn once(&self) -> u64 {
        let mut between: Vec<(u64, u64)> =
            self.list.iter().skip(1).map(|segment| (segment.cpu, segment.count)).collect();
        between.sort_unstable();
        let half = between.iter().map(|(_, count)| count).sum::<u64>().div_ceil(2);
        let mut seen = 0;
        let usual = between.iter().find(|(_, count)| {
            seen += count;
            seen >= half
        });
        // Of one wait it cannot be told what is usual.
        usual.map_or(0, |(usual, _)| (self.opening + self.cpu).saturating_sub(*usual))
    }

    /// What was recorded, in order.
    #[must_use]
    pub fn list(&self) -> &[RawSegment] {
        &self.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_ends_with_its_wait_and_brings_the_cpu_before_it() {
        let mut segments = Segments::default();
        segments.add(3, 0, 0, 1);
        segments.add(2, 40, 1, 2);
        segments.add(6, 60, 3, 3);
        assert_eq!(
            segments.list(),
            [
                RawSegment { count: 1, wait: 40, cpu: 5, end: 2 },
                RawSegment { count: 3, wait: 20, cpu: 2, end: 3 }
            ]
        );
    }

    #[test]
    fn start_and_end_belong_to_no_item() {
        let mut segments = Segments::default();
        segments.add(90, 40, 1, 1);
        assert_eq!(segments.once(), 0);
        segments.add(5, 40, 1, 2);
        segments.add(7, 80, 2, 3);
        segments.add(20, 0, 0, 4);
        assert_eq!(segments.once(), 90 + 20 - 3);
    }

    #[test]
    fn what_passes_before_a_part_of_the_run_belongs_to_none_of_its_items() {
        let mut segments = Segments::default();
        for (at, cpu) in [(1, 9), (2, 9), (3, 500), (4, 6), (5, 6), (6, 700)] {
            segments.add(cpu, 40, 1, at);
        }
        let part = segments.within(Span { first: 3, last: 5 });
        assert_eq!((part.totals(), part.once()), ((120, 512), 494));
    }

    #[test]
    fn a_long_recording_is_thinned_without_losing_items_or_time() {
        let mut segments = Segments::default();
        for _ in 0..10_000 {
            segments.add(10, 100, 1, 1);
        }
        assert!(segments.list().len() <= KEPT);
        let (items, wait) =
            segments.list().iter().fold((0, 0), |(n, w), s| (n + s.count, w + s.count * s.wait));
        assert_eq!((items, wait), (10_000, 1_000_000));
        segments.thin(3);
        let left = segments.list();
        assert!(left.len() <= 3 && left.iter().map(|segment| segment.count).sum::<u64>() == 10_000);
    }
}
