//! Records of several CPUs in the order of time. Pure: each CPU tells in its own order, and which of them was first shows only
//! when all were asked.

use crate::profile::switching::Record;

/// Records that were read and not handed over yet.
#[derive(Debug, Default)]
pub(super) struct InOrder(Vec<Record>);

impl InOrder {
    /// Takes in what was read of one CPU, in its order.
    pub(super) fn extend(&mut self, records: impl IntoIterator<Item = Record>) {
        self.0.extend(records);
    }

    /// Hands over all that happened before a moment, in the order of time; those of one CPU stay in theirs. What was read
    /// too late comes first the next time. Returns how many there were.
    pub(super) fn hand_over(&mut self, until: u64, mut take: impl FnMut(&Record)) -> usize {
        self.0.sort_by_key(|record| record.time);
        let due = self.0.partition_point(|record| record.time < until);
        for record in self.0.drain(..due) {
            take(&record);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::profile::switching::What;

    fn record(time: u64, cpu: usize, tid: i32) -> Record {
        Record { time, cpu, pid: 1, tid, what: What::In }
    }

    /// Time and thread of what is handed over.
    fn handed(order: &mut InOrder, until: u64) -> Vec<(u64, i32)> {
        let mut handed = Vec::new();
        let count = order.hand_over(until, |record| handed.push((record.time, record.tid)));
        assert_eq!(count, handed.len());
        handed
    }

    #[test]
    fn cpus_are_put_together_by_time_and_each_keeps_its_order() {
        let mut order = InOrder::default();
        // A CPU that does two things at once does them in the order in which it says so.
        order.extend([record(10, 0, 1), record(30, 0, 2), record(30, 0, 1)]);
        order.extend([record(20, 1, 3), record(40, 1, 4)]);
        assert_eq!(handed(&mut order, 100), [(10, 1), (20, 3), (30, 2), (30, 1), (40, 4)]);
    }

    #[test]
    fn what_is_not_over_waits_and_what_is_late_comes_first() {
        let mut order = InOrder::default();
        order.extend([record(10, 0, 1), record(50, 0, 2)]);
        assert_eq!(handed(&mut order, 50), [(10, 1)]);
        assert_eq!(handed(&mut order, 50), []);
        // The other CPU had not finished writing what it did at 20.
        order.extend([record(20, 1, 3), record(60, 1, 4)]);
        assert_eq!(handed(&mut order, 60), [(20, 3), (50, 2)]);
        assert_eq!(handed(&mut order, u64::MAX), [(60, 4)]);
    }

    proptest! {
        #[test]
        fn everything_is_handed_over_once_and_nothing_before_its_time(
            reads in proptest::collection::vec(
                (proptest::collection::vec((0..3usize, 0..50u64), 0..20), 0..100u64), 1..20,
            ),
        ) {
            let (mut order, mut told, mut got) = (InOrder::default(), Vec::new(), Vec::new());
            for (number, (records, until)) in (0..).zip(reads) {
                told.extend(records.iter().map(|(_, time)| (*time, number)));
                order.extend(records.into_iter().map(|(cpu, time)| record(time, cpu, number)));
                let now = handed(&mut order, until);
                prop_assert!(now.is_sorted_by_key(|(time, _)| *time));
                prop_assert!(now.iter().all(|(time, _)| *time < until));
                got.extend(now);
            }
            got.extend(handed(&mut order, u64::MAX));
            told.sort_unstable();
            got.sort_unstable();
            prop_assert_eq!(told, got);
        }
    }
}
