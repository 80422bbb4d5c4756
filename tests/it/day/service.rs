//! What a service does all day, as the kernel would write it down: the records of its switches, second by second, and what
//! they add up to. Knows nothing of boundby's books.
//!
//! ```text
//! main     CPU 0   runs once, waits for its children
//! network  CPU 0   asks four times, ever new peers
//! disk     CPU 1   reads twice, ever new files
//! 3 threads        come, wait for a lock of their own, and end
//! 2 children       come, wait at a pipe, and end
//! 1 orphan         of a child, every other second; it lives across the end of the second
//! ```

use boundby::profile::switching::{Record, What, Why};
use boundby::profile::thread_clock::Counters;
use boundby::wait::WaitKind;
use boundby::wait::classify::Reason;

pub(super) const SECONDS: u64 = 24 * 60 * 60;
pub(super) const SECOND: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;
const US: u64 = 1_000;

pub(super) const MAIN: i32 = 1;
pub(super) const NETWORK: i32 = 2;
pub(super) const DISK: i32 = 3;
/// The threads that are there all day, and when they are born: they run at once.
pub(super) const THREADS: [(i32, u64); 3] = [(MAIN, 0), (NETWORK, 100 * MS), (DISK, 60 * MS)];
/// So many names have the programs of children.
const NAMES: i32 = 20_000;

/// Which call chain of the kernel a wait has: one for each reason.
#[derive(Clone, Copy)]
#[repr(u32)]
enum Chain {
    Peer,
    File,
    Lock,
    Pipe,
    Child,
}

/// Why a thread of this service waits, and where in its code.
pub(super) fn reason(why: &Why) -> (u64, Reason) {
    let number = why.args[0];
    let (kind, operation, resource, external) = match why.chain {
        of if of == Chain::Peer as u32 => {
            let peer = format!("10.{}.{}.{}:5432", number >> 16, number >> 8 & 255, number & 255);
            (WaitKind::Network, "recv", Some(peer), true)
        }
        of if of == Chain::File as u32 => {
            (WaitKind::Disk, "read", Some(format!("/srv/cache/{number}")), true)
        }
        of if of == Chain::Lock as u32 => (WaitKind::Lock, "futex", Some(format!("{number:#x}")), false),
        of if of == Chain::Pipe as u32 => (WaitKind::Pipe, "read", None, true),
        _ => (WaitKind::Child, "wait", None, false),
    };
    (why.pc, Reason { kind, operation, resource, external, event_loop: false })
}

/// What all threads add up to so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Truth {
    pub(super) threads: u64,
    pub(super) processes: u64,
    /// Nanoseconds on a CPU, and of whole lives.
    pub(super) run: u64,
    pub(super) lived: u64,
}

/// The service, up to some second.
#[derive(Default)]
pub(super) struct Service {
    second: u64,
    numbers: i32,
    records: Vec<Record>,
    orphan: Option<i32>,
    pub(super) truth: Truth,
}

/// A stint on a CPU that a wait for this ends.
struct Stint {
    from: u64,
    run: u64,
    then: Option<Why>,
}

impl Service {
    /// What the kernel writes down of the next second, in the order of time.
    pub(super) fn next(&mut self) -> Vec<Record> {
        let begun = self.second * SECOND;
        let second = self.second;
        self.second += 1;
        if second == 0 {
            self.numbers = DISK;
            self.truth = Truth { threads: 3, processes: 1, ..Truth::default() };
            for (tid, born) in THREADS {
                self.truth.lived += SECONDS * SECOND - born;
                if tid != MAIN {
                    self.push(born, 0, (MAIN, tid), What::Born { parent: MAIN });
                }
            }
        }
        self.stint(
            0,
            (MAIN, MAIN),
            &Stint { from: begun + 50 * MS, run: MS, then: Some(why(Chain::Child, 0)) },
        );
        for turn in 0..4 {
            let peer = (second * 4 + turn) / 8;
            let from = begun + (100 + turn * 100) * MS;
            self.stint(0, (MAIN, NETWORK), &Stint { from, run: MS, then: Some(why(Chain::Peer, peer)) });
        }
        for turn in 0..2 {
            let from = begun + (60 + turn * 200) * MS;
            self.stint(1, (MAIN, DISK), &Stint { from, run: 2 * MS, then: Some(why(Chain::File, second)) });
        }
        for turn in 0..3 {
            let tid = self.number();
            let lock = why(Chain::Lock, 0x10_0000 + 64 * u64::from(tid.unsigned_abs()));
            let born = begun + (110 + turn * 200) * MS;
            self.life((MAIN, tid), MAIN, born, &[(100 * US, 300 * US, Some(lock)), (5 * MS, 200 * US, None)]);
        }
        if let Some(orphan) = self.orphan.take() {
            let from = begun + 320 * MS;
            self.stint(1, (orphan, orphan), &Stint { from, run: 500 * US, then: None });
            self.truth.lived += from + 500 * US - (begun - 100 * MS);
        }
        let mut child = MAIN;
        for turn in 0..2 {
            child = self.number();
            let born = begun + (150 + turn * 200) * MS;
            let stints = [(100 * US, 500 * US, Some(why(Chain::Pipe, 0))), (20 * MS, 500 * US, None)];
            self.life((child, child), MAIN, born, &stints);
            let name = format!("job-{}", child % NAMES);
            self.push(born + 101 * US, 1, (child, child), What::Named { name, exec: true });
        }
        if second % 2 == 1 && second + 1 < SECONDS {
            // Its parent has ended by then.
            let orphan = self.number();
            let born = begun + 900 * MS;
            self.push(born, 1, (orphan, orphan), What::Born { parent: child });
            let then = Some(why(Chain::Pipe, 0));
            self.stint(1, (orphan, orphan), &Stint { from: born + 100 * US, run: 500 * US, then });
            self.truth.threads += 1;
            self.truth.processes += 1;
            self.orphan = Some(orphan);
        }
        self.records.sort_by_key(|record| record.time);
        std::mem::take(&mut self.records)
    }

    fn number(&mut self) -> i32 {
        self.numbers += 1;
        self.numbers
    }

    /// A whole life on CPU 1: when it is on a CPU, from its birth on, and what it waits for then.
    fn life(&mut self, (pid, tid): (i32, i32), parent: i32, born: u64, stints: &[(u64, u64, Option<Why>)]) {
        self.push(born, 1, (pid, tid), What::Born { parent });
        for (from, run, then) in stints {
            self.stint(1, (pid, tid), &Stint { from: born + from, run: *run, then: *then });
        }
        let end = stints.last().map_or(0, |(from, run, _)| from + run);
        self.truth.lived += end;
        self.truth.threads += 1;
        self.truth.processes += u64::from(pid == tid);
    }

    /// A stint, and a wait after it or the end.
    fn stint(&mut self, cpu: usize, who: (i32, i32), stint: &Stint) {
        let end = stint.from + stint.run;
        self.truth.run += stint.run;
        self.push(stint.from, cpu, who, What::In);
        match stint.then {
            Some(why) => {
                self.push(end, cpu, who, What::Off(why));
                self.push(end, cpu, who, What::Out { ready: false });
            }
            None => self.push(end, cpu, who, What::Died),
        }
    }

    fn push(&mut self, time: u64, cpu: usize, (pid, tid): (i32, i32), what: What) {
        self.records.push(Record { time, cpu, pid, tid, what });
    }
}

/// What an orphan waits for.
pub(super) fn at_a_pipe() -> Why {
    why(Chain::Pipe, 0)
}

/// Its place in the code is that of the chain.
fn why(chain: Chain, number: u64) -> Why {
    Why { chain: chain as u32, args: [number, 0, 0, 0, 0, 0], sp: 1, pc: 0x4000 + chain as u64 }
}

/// What the scheduler counts of a thread in a second that is over: all of them wait then.
pub(super) fn counted(before: Counters, tid: i32) -> Counters {
    let (run, slices) = match tid {
        MAIN => (MS, 1),
        NETWORK => (4 * MS, 4),
        DISK => (4 * MS, 2),
        // An orphan, which was new for a moment.
        _ => return Counters { run: 500 * US, delay: 100 * US, slices: 1 },
    };
    Counters { run: before.run + run, slices: before.slices + slices, ..before }
}
