//! The measured processes as a tree: who belongs to it, and one round of readings over all of them.

use std::collections::{BTreeMap, BTreeSet};

use super::ledger::{Ledger, Reading, Under};
use super::process::{Lookups, Outcome, Process};
use super::source::descriptors::Descriptors;
use super::source::elf::ElfFiles;
use super::source::procfs::{numbered, parse_children, parse_schedstat, parse_stat, read_small};
use super::thread_clock::Seen;

/// How often orphans are looked for among boundby's own children.
const ORPHANS_NS: u64 = 20_000_000;

/// Ended processes remembered before those are forgotten that their parents have asked for.
const ENDED_KEPT: usize = 4096;

/// A process tree under observation.
#[derive(Debug)]
pub(super) struct Tree {
    /// The books.
    pub(super) ledger: Ledger,
    /// Shared look-ups, with what they could not read.
    pub(super) lookups: Lookups,
    processes: BTreeMap<i32, Process>,
    /// Processes that have ended but may still be listed as children: nobody has asked for them yet.
    ended: BTreeSet<i32>,
    readings: Vec<Reading>,
    adopts: bool,
    next_orphans: u64,
}

impl Tree {
    /// A tree that starts with `root` at time zero, and the books to keep of it. `adopts`: orphans of the tree become children of boundby.
    #[must_use]
    pub(super) fn new(root: i32, ledger: Ledger, adopts: bool, descriptors_left: usize) -> Self {
        let mut tree = Self {
            ledger,
            lookups: Lookups {
                files: ElfFiles::default(),
                descriptors: Descriptors::new(),
                pids: Vec::new(),
                descriptors_left,
                hidden: 0,
            },
            processes: BTreeMap::new(),
            ended: BTreeSet::new(),
            readings: Vec::new(),
            adopts,
            next_orphans: 0,
        };
        tree.add(root, 0, 0);
        tree
    }

    fn add(&mut self, pid: i32, parent: i32, now: u64) {
        if self.ended.contains(&pid) {
            if is_zombie(pid) {
                return;
            }
            // The number was given to a new process.
            self.ended.remove(&pid);
        }
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
        if self.adopts && now >= self.next_orphans {
            self.next_orphans = now + ORPHANS_NS;
            for orphan in own_children() {
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
                Outcome::Gone => {
                    self.remove(pid, now);
                    self.ended.insert(pid);
                }
            }
        }
        if self.ended.len() > ENDED_KEPT {
            self.ended.retain(|pid| is_zombie(*pid));
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
            self.ledger.last_words(now, reading);
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

/// Whether a process has ended and only waits for its parent to ask for it.
fn is_zombie(pid: i32) -> bool {
    read_small(format!("/proc/{pid}/stat").as_ref())
        .ok()
        .and_then(|text| parse_stat(&text))
        .is_some_and(|stat| matches!(stat.state, 'Z' | 'X' | 'x'))
}

/// Children of boundby itself: the command, and orphans of the tree that were handed to it.
fn own_children() -> Vec<i32> {
    numbered("/proc/self/task".as_ref())
        .into_iter()
        .filter_map(|tid| read_small(format!("/proc/self/task/{tid}/children").as_ref()).ok())
        .flat_map(|text| parse_children(&text))
        .collect()
}
