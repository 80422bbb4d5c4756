//! The measured processes as a tree: who belongs to it, and one round of readings over all of them.

use std::collections::BTreeMap;

use rustix::thread::gettid;

use super::ledger::{Ledger, Reading, Under};
use super::process::{Lookups, Outcome, Process};
use super::source::descriptors::Descriptors;
use super::source::elf::ElfFiles;
use super::source::procfs::{ChildrenOf, parse_schedstat, read_small};
use super::thread_clock::Seen;

/// How often orphans are looked for among boundby's own children.
const ORPHANS_NS: u64 = 20_000_000;

/// A process tree under observation.
#[derive(Debug)]
pub(super) struct Tree {
    /// The books.
    pub(super) ledger: Ledger,
    /// Shared look-ups, with what they could not read.
    pub(super) lookups: Lookups,
    processes: BTreeMap<i32, Process>,
    readings: Vec<Reading>,
    own_children: Vec<ChildrenOf>,
    next_orphans: u64,
}

impl Tree {
    /// A tree that starts with `root` at time zero. `adopts`: orphans of the tree become children of boundby.
    #[must_use]
    pub(super) fn new(root: i32, cpus: f64, adopts: bool, descriptors_left: usize) -> Self {
        let mut tree = Self {
            ledger: Ledger::new(cpus),
            lookups: Lookups {
                files: ElfFiles::default(),
                descriptors: Descriptors::new(),
                pids: Vec::new(),
                descriptors_left,
                hidden: 0,
            },
            processes: BTreeMap::new(),
            readings: Vec::new(),
            own_children: if adopts { own_children() } else { Vec::new() },
            next_orphans: 0,
        };
        tree.add(root, 0, 0);
        tree
    }

    fn add(&mut self, pid: i32, parent: i32, now: u64) {
        if let Err(at) = self.lookups.pids.binary_search(&pid) {
            self.lookups.pids.insert(at, pid);
            self.processes.insert(pid, Process::new(pid, now));
            self.ledger.process(pid, parent, now);
        }
    }

    /// Whether no process of the tree is left.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.processes.is_empty()
    }

    /// Processes alive.
    #[must_use]
    pub(super) fn pids(&self) -> &[i32] {
        &self.lookups.pids
    }

    /// One round of readings over every process, newly found ones included. `attached`: what is found now was there
    /// before the recording began.
    pub(super) fn round(&mut self, now: u64, attached: bool) {
        self.readings.clear();
        if now >= self.next_orphans {
            self.next_orphans = now + ORPHANS_NS;
            let orphans: Vec<i32> = self.own_children.iter_mut().flat_map(|own| own.read(true)).collect();
            for orphan in orphans {
                self.add(orphan, 0, now);
            }
        }
        let mut due: Vec<i32> = self.processes.keys().copied().collect();
        while let Some(pid) = due.pop() {
            let Some(process) = self.processes.get_mut(&pid) else { continue };
            match process.round(now, attached, &mut self.lookups, &mut self.ledger, &mut self.readings) {
                Outcome::Alive(children) => {
                    for child in children {
                        self.add(child, pid, now);
                        due.push(child);
                    }
                }
                Outcome::Gone => self.remove(pid, now),
            }
        }
        self.ledger.round(now, &self.readings);
    }

    /// A child of boundby has ended but is not reaped yet: its counters can be read a last time.
    pub(super) fn last_words(&mut self, pid: i32, now: u64) {
        let counters = read_small(format!("/proc/{pid}/task/{pid}/schedstat").as_ref())
            .ok()
            .and_then(|text| parse_schedstat(&text));
        if let Some(counters) = counters.filter(|_| self.processes.contains_key(&pid)) {
            let reading = Reading { tid: pid, counters, seen: Seen::Active, under: Under::Unknown };
            self.ledger.round(now, &[reading]);
        }
        self.remove(pid, now);
    }

    fn remove(&mut self, pid: i32, now: u64) {
        if let Some(mut process) = self.processes.remove(&pid) {
            process.forget(&mut self.lookups, &mut self.ledger);
            self.ledger.process_gone(pid, now);
        }
        self.lookups.pids.retain(|known| *known != pid);
    }
}

/// Children of boundby itself: the command, which this thread started, and orphans of the tree, which the kernel hands
/// to the first thread.
fn own_children() -> Vec<ChildrenOf> {
    let (process, thread) = (std::process::id().cast_signed(), gettid().as_raw_nonzero().get());
    let of = |tid: i32| ChildrenOf::at(format!("/proc/self/task/{tid}/children").into());
    if process == thread { vec![of(process)] } else { vec![of(process), of(thread)] }
}
