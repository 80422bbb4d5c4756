//! The measured processes as a tree: who belongs to it, and one round of readings over all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;

use super::clients::{Clients, SOCK_DIAG};
use super::following::{Following, Told};
use super::ledger::{Ledger, Reading};
use super::observation::Life;
use super::process::{
    Lookups, Outcome, PREEMPTIONS_COUNTED, Process, ended, told_of_the_gone, told_site_of_the_gone,
};
use super::source::descriptors::Descriptors;
use super::source::elf::ElfFiles;
use super::source::host::Host;
use super::source::native::Images;
use super::source::procfs::{Stat, children, descendants, numbered, parents, read_stat, scheduled};
use super::stack_reads::StackReads;
use super::switching::{Ended, Exact, Link};
use super::thread_clock::{Counters, SiteId};

/// How often processes are looked for that no known one lists as its child: orphans, and every child on a kernel
/// that keeps no such lists.
const SEARCH_NS: u64 = 20_000_000;
/// The search takes at most one part in so many of the time.
const SEARCH_BUDGET: u64 = 100;

/// Processes whose threads are looked at while they run: each takes memory for what the kernel writes down.
const SAMPLERS: usize = 8;

/// Where the kernel shows its processes.
const PROC: &str = "/proc";

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
    /// Processes nobody looked at, some of whose threads have ended.
    brief: BTreeSet<i32>,
    readings: Vec<Reading>,
    adopts: bool,
    /// Not of the tree, though a process of it may be their parent: boundby, and children it was born with.
    strangers: Vec<i32>,
    lists_children: bool,
    next_search: u64,
    host: Host,
    /// When the recording ends; what is learnt later was so then.
    end: u64,
    clients: Clients,
}

impl Tree {
    /// A tree that starts with `root` at time zero, and the books to keep of it. `adopts`: orphans of the tree become children of boundby.
    /// `strangers` never belong to it.
    #[must_use]
    pub(super) fn new(
        root: i32,
        ledger: Ledger,
        adopts: bool,
        mut strangers: Vec<i32>,
        descriptors_left: usize,
        following: Option<Following>,
    ) -> Self {
        strangers.push(own_pid());
        let in_use = following.as_ref().map_or(0, Following::descriptors);
        let descriptors_left = descriptors_left.saturating_sub(in_use);
        let mut tree = Self {
            ledger,
            lookups: Lookups {
                files: ElfFiles::default(),
                descriptors: Descriptors::new(),
                pids: Vec::new(),
                descriptors_left,
                preemptions_left: PREEMPTIONS_COUNTED,
                hidden: 0,
                stack_reads: StackReads::default(),
                images: Images::default(),
                samplers_left: SAMPLERS,
                following,
            },
            brief: BTreeSet::new(),
            processes: BTreeMap::new(),
            ended: BTreeSet::new(),
            readings: Vec::new(),
            adopts,
            strangers,
            lists_children: own_children().is_some(),
            next_search: 0,
            host: Host::open(),
            end: u64::MAX,
            clients: Clients::new(),
        };
        tree.add(root, 0, 0);
        tree
    }

    fn add(&mut self, pid: i32, parent: i32, now: u64) {
        if self.is_stranger(pid) {
            return;
        }
        if self.ended.contains(&pid) {
            // Listed a moment ago, and it may have been asked for since. An end may be told before it shows; who goes on
            // after it changed its user, and is told of no more.
            let told = self.lookups.has_told_the_end_of(pid);
            if stat(pid).is_none_or(|stat| ended(stat.state) || told && stat.exiting) {
                return;
            }
            // It goes on, or the number was given to a new process.
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

    /// Whether it belongs to boundby and not to the tree.
    pub(super) fn is_stranger(&self, pid: i32) -> bool {
        self.strangers.contains(&pid)
    }

    /// What belongs to boundby and not to the tree has become another process.
    pub(super) fn replace_stranger(&mut self, gone: Option<i32>, new: Option<i32>) {
        self.strangers.retain(|stranger| Some(*stranger) != gone);
        self.strangers.extend(new);
    }

    /// Whether this kernel lists the children of a process; without that they are found later, by their parents.
    #[must_use]
    pub(super) fn lists_children(&self) -> bool {
        self.lists_children
    }

    /// Processes alive.
    #[must_use]
    pub(super) fn pids(&self) -> &[i32] {
        &self.lookups.pids
    }

    /// One round of readings over every process, newly found ones included. `attached`: what is found now was there
    /// before the recording began.
    pub(super) fn round(&mut self, now: u64, attached: bool) {
        self.catch_up(now);
        self.readings.clear();
        self.lookups.preemptions_left = PREEMPTIONS_COUNTED;
        if now >= self.next_search {
            let started = Instant::now();
            self.search(now);
            let cost = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.next_search = now.saturating_add(SEARCH_NS.max(cost.saturating_mul(SEARCH_BUDGET)));
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
        let processes = &self.processes;
        let is_there = |tid: i32| processes.values().any(|process| process.has(tid));
        let told = self.lookups.following.as_mut().map(|following| following.overlap(now, is_there));
        if let Some(told) = told {
            self.tell(told, now);
        }
        self.ledger.round(now, &self.readings);
        if let Some(share) = self.host.since_last(now) {
            self.ledger.host(share);
        }
        self.clients.look_if_due(now, self.lookups.descriptors.serving(), !self.adopts);
    }

    /// Lets the books know what the records say of the program as a whole.
    fn tell(&mut self, told: Told, now: u64) {
        if let Some(overlap) = told.overlap {
            self.ledger.exactly(overlap);
        }
        let Some((links, inferred)) = told.chained else { return };
        let Self { ledger, lookups, processes, .. } = self;
        let site = |Link { pid, tid, why, quiet }: Link| {
            let site = match processes.get_mut(&pid) {
                Some(process) => process.told_site(tid, (&why?, 0), now, lookups, ledger),
                None => told_site_of_the_gone(pid, (&why?, 0), lookups, ledger),
            };
            Some((site.filter(|site| *site != SiteId::UNKNOWN)?, quiet))
        };
        let waits = links.into_iter().filter_map(site).collect();
        self.ledger.chained(waits, inferred);
    }

    /// The recording is over: what clients asked is told to the books.
    pub(super) fn count_requests(&mut self) {
        if !self.is_empty() {
            self.clients.look(self.lookups.descriptors.serving(), !self.adopts);
        }
        let (traffic, refused) = std::mem::replace(&mut self.clients, Clients::new()).close();
        for (pid, traffic) in traffic {
            self.ledger.traffic(pid, traffic);
        }
        if let Some(why) = refused {
            self.lookups.stack_reads.refuse(SOCK_DIAG, why.to_owned());
        }
    }

    /// The recording ends now.
    pub(super) fn ends_at(&mut self, now: u64) {
        self.end = now;
    }

    /// The program has ended: there is time to understand what was told of it.
    pub(super) fn is_over(&mut self) {
        if let Some(following) = &mut self.lookups.following {
            following.is_over();
        }
    }

    /// Takes in what the kernel told of switches, births and ends up to now.
    pub(super) fn catch_up(&mut self, now: u64) {
        let Some(following) = &mut self.lookups.following else { return };
        let (appeared, ended) = following.advance(now);
        for end in ended {
            self.end(&end);
        }
        for (pid, parent) in appeared {
            self.add(pid, parent, now);
        }
    }

    /// A thread has ended.
    fn end(&mut self, end: &Ended) {
        let Ended { pid, parent, tid, at, .. } = *end;
        let at = at.min(self.end);
        if let Some(process) = self.processes.get_mut(&pid) {
            if let Some(reading) = process.end(end, &mut self.lookups, &mut self.ledger) {
                self.ledger.last_words(at, reading);
                self.ledger.thread_gone(tid);
                return;
            }
        } else if !self.ended.contains(&pid) && self.brief.insert(pid) {
            let born = end.exact.map_or(at, |exact| exact.since.min(at));
            self.ledger.process(pid, parent, born);
        }
        if let Some(Exact { run, waits, since: born, .. }) = end.exact.filter(|exact| exact.since <= at) {
            let counters = Counters { run, delay: end.ready, slices: waits };
            let waits = told_of_the_gone(pid, end.waits.clone(), &mut self.lookups, &mut self.ledger);
            self.ledger.lived(Life { pid, tid, name: end.name.clone(), born, died: at, counters, waits });
        }
        // Told of before it was found, it may have been found to be gone before its end was told.
        if tid == pid && self.brief.remove(&pid) {
            self.ledger.process_gone(pid, at);
            self.ended.insert(pid);
        }
    }

    /// Adds the processes that no known one lists as its child.
    pub(super) fn search(&mut self, now: u64) {
        for (pid, parent) in self.unlisted() {
            self.add(pid, parent, now);
        }
    }

    /// Processes that no known one lists as its child, with their parents; of orphans that is nobody.
    fn unlisted(&self) -> Vec<(i32, i32)> {
        let proc = Path::new(PROC);
        if self.lists_children {
            let orphans = if self.adopts { own_children() } else { None };
            return orphans.unwrap_or_default().into_iter().map(|pid| (pid, 0)).collect();
        }
        let mut pairs = parents(proc);
        // boundby's own children are the tree's only where it adopts; whoever is strange is so with its descendants.
        let us = own_pid();
        pairs.retain(|(pid, parent)| !self.strangers.contains(pid) && (self.adopts || *parent != us));
        let mut roots = self.lookups.pids.clone();
        roots.push(us);
        let found = descendants(&roots, &pairs);
        found.into_iter().map(|(pid, parent)| (pid, if parent == us { 0 } else { parent })).collect()
    }

    /// Looks up what native code is called, which takes its time: when no more looks are due.
    pub(super) fn name_frames(&mut self) {
        let Self { ledger, lookups, .. } = self;
        ledger.name_frames(|stacks| {
            lookups.images.name_all(stacks);
        });
    }

    /// A child of boundby has ended but is not reaped yet: its counters can be read a last time.
    pub(super) fn last_words(&mut self, pid: i32, now: u64) {
        self.catch_up(now);
        let now = now.min(self.end);
        let reading =
            scheduled(pid).and_then(|counters| self.processes.get_mut(&pid)?.last_words(pid, counters));
        if let Some(reading) = reading {
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
    stat(pid).is_some_and(|stat| ended(stat.state))
}

fn stat(pid: i32) -> Option<Stat> {
    read_stat(format!("/proc/{pid}/stat").as_ref())
}

/// Children of boundby itself: the command, and orphans of the tree that were handed to it; and those it was born
/// with, if the process had any before it became boundby. `None`: this kernel keeps no lists of children.
#[must_use]
pub(super) fn own_children() -> Option<Vec<i32>> {
    children(PROC.as_ref(), "self").ok()
}

/// All threads of a process and of those it started, as far as they are listed; but for boundby, which may be one of them.
pub(super) fn threads_below(root: i32) -> Vec<i32> {
    let proc = Path::new(PROC);
    let mut processes = vec![root];
    let us = own_pid();
    let mut pairs = parents(proc);
    pairs.retain(|(pid, _)| *pid != us);
    processes.extend(descendants(&[root], &pairs).into_iter().map(|(pid, _)| pid));
    let threads = |pid: &i32| numbered(&proc.join(pid.to_string()).join("task")).unwrap_or_default();
    processes.iter().flat_map(threads).collect()
}

fn own_pid() -> i32 {
    i32::try_from(std::process::id()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::process::{Command, Stdio};

    /// Processes of a shell with two children, one of which has a child, found in the first round.
    fn found(lists_children: bool) -> usize {
        let mut shell = Command::new("sh")
            .args(["-c", "exec 3<&0; (sh -c 'echo; read x' <&3; true) & read x"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // The innermost process has started, so all of them have.
        shell.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let root = i32::try_from(shell.id()).unwrap();
        let mut tree = Tree::new(root, Ledger::new(1.0), false, Vec::new(), 1000, None);
        tree.lists_children = lists_children;
        tree.round(0, true);
        let count = tree.pids().len();
        drop(shell.stdin.take());
        shell.wait().unwrap();
        count
    }

    #[test]
    fn a_tree_is_found_with_and_without_lists_of_children() {
        let without = found(false);
        assert_eq!(without, 3);
        if own_children().is_some() {
            assert_eq!(found(true), without);
        }
    }
}
