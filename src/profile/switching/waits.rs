//! The waits of one thread that the kernel gave a reason for, added up between two looks at it. Pure and bounded: a
//! thread waits in a few places again and again.

/// Kinds of waits kept apart between two looks.
const KEPT_APART: usize = 32;
/// Lengths of single waits kept for each.
const LENGTHS: usize = 64;

/// Where in the kernel a thread left its CPU, and with what arguments it had come there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Why {
    /// Number of the kernel's call chain, as `source::perf::reasons::Chains` counts them.
    pub chain: u32,
    /// The arguments of its system call, if it is in one.
    pub args: [u64; 6],
    /// Its stack pointer, outside of the kernel.
    pub sp: u64,
    /// Its program counter there.
    pub pc: u64,
}

/// Waits for the same thing. Times are nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Waits {
    /// For what; `None`: the kernel was not asked, or there were too many to be kept apart.
    pub why: Option<Why>,
    /// All of them together, as far as they lie between the two looks.
    pub time: u64,
    /// Those that are over.
    pub ended: u64,
    /// Of the time, that in which nobody else ran, or was ready to.
    pub quiet: u64,
    /// Time on a CPU after them.
    pub progress: u64,
    /// How long those that are over took, each; the first of them.
    pub lengths: Vec<u64>,
}

/// Whether two waits are for the same. Which of the other arguments and which stack makes no difference to what it is.
pub(super) fn is_same(one: Option<Why>, other: Option<Why>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => {
            (one.chain, one.pc, one.args[0]) == (other.chain, other.pc, other.args[0])
        }
        (one, other) => one == other,
    }
}

/// What one thread waited for since it was last looked at.
#[derive(Debug, Clone, Default)]
pub(super) struct Account {
    sums: Vec<Waits>,
    /// The wait it is in, and the one it came out of last.
    current: Option<Why>,
    last: Option<Why>,
    /// Of the present wait: what was added up already.
    told: u64,
    quiet_told: u64,
}

impl Account {
    /// A wait begins.
    pub(super) fn begin(&mut self, why: Option<Why>) {
        self.current = why;
        self.told = 0;
        self.quiet_told = 0;
    }

    /// The kernel gives the reason of the wait that began last.
    pub(super) fn reason(&mut self, why: Why) {
        self.current = Some(why);
    }

    /// What the wait in progress is for, if that is known.
    pub(super) fn current(&self) -> Option<Why> {
        self.current
    }

    /// The wait in progress is over: so long it took, and so much of it everybody waited.
    pub(super) fn end(&mut self, length: u64, quiet: u64) {
        self.add(length, quiet);
        let sum = self.sum(self.current);
        sum.ended += 1;
        if sum.lengths.len() < LENGTHS {
            sum.lengths.push(length);
        }
        self.last = self.current.take();
        self.begin(None);
    }

    /// It ran for so long.
    pub(super) fn run(&mut self, time: u64) {
        if time > 0 {
            self.sum(self.last).progress += time;
        }
    }

    /// What came together; of the wait in progress so much up to now.
    pub(super) fn take(&mut self, in_progress: Option<(u64, u64)>) -> Vec<Waits> {
        if let Some((length, quiet)) = in_progress {
            self.add(length, quiet);
        }
        std::mem::take(&mut self.sums)
    }

    /// Adds what was not told yet of the wait in progress.
    fn add(&mut self, length: u64, quiet: u64) {
        let time = length.saturating_sub(std::mem::replace(&mut self.told, length));
        let still = quiet.saturating_sub(std::mem::replace(&mut self.quiet_told, quiet));
        let sum = self.sum(self.current);
        sum.time += time;
        sum.quiet += still;
    }

    fn sum(&mut self, why: Option<Why>) -> &mut Waits {
        let at = match self.sums.iter().position(|sum| is_same(sum.why, why)) {
            Some(at) => at,
            None if self.sums.len() < KEPT_APART => {
                self.sums.push(Waits { why, ..Waits::default() });
                self.sums.len() - 1
            }
            // The first of the many stands for the rest.
            None => KEPT_APART - 1,
        };
        &mut self.sums[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(chain: u32) -> Why {
        Why { chain, args: [3, 0, 0, 0, 0, 0], sp: 1, pc: 2 }
    }

    #[test]
    fn a_wait_is_told_once_however_often_it_is_looked_at() {
        let mut account = Account::default();
        account.begin(None);
        account.reason(why(1));
        let first = account.take(Some((30, 10)));
        assert_eq!(first, [Waits { why: Some(why(1)), time: 30, quiet: 10, ..Waits::default() }]);
        account.end(50, 20);
        account.run(7);
        let lengths = vec![50];
        let then = Waits { why: Some(why(1)), time: 20, ended: 1, quiet: 10, progress: 7, lengths };
        assert_eq!(account.take(None), [then]);
    }

    #[test]
    fn however_many_places_there_are_no_time_is_lost() {
        let mut account = Account::default();
        for number in 0..100 {
            account.begin(Some(why(number)));
            account.end(10, 5);
            account.run(1);
        }
        let sums = account.take(None);
        assert_eq!(sums.len(), KEPT_APART);
        let all = |of: fn(&Waits) -> u64| sums.iter().map(of).sum::<u64>();
        assert_eq!(
            (all(|sum| sum.time), all(|sum| sum.quiet), all(|sum| sum.ended), all(|sum| sum.progress)),
            (1000, 500, 100, 100)
        );
    }
}
