//! Follows a program by the records of its switches: reads them in time, keeps the state machine up to date, and leaves a
//! program alone that switches too fast. The edge; what follows from a record is [`switching`](super::switching)'s to know,
//! and what a function of the kernel means, [`KernelFunctions`]'.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use super::governor::{self, Governor, Order};
use super::levels;
use super::source::perf::Refused;
use super::source::perf::events::{Patience, SwitchRecords};
use super::source::perf::kallsyms::Names;
use super::switching::{Ended, Exact, Link, Overlap, Switching, Waits, What, Why};
use super::thread_clock::Counters;
use crate::wait::kernel::KernelFunctions;

/// Functions of the kernel remembered that nobody knows.
const UNKNOWN_KEPT: usize = 64;
/// Time that threads have waited from which on it is worth forty milliseconds of a CPU to learn what the kernel's functions
/// are called, nanoseconds: whoever only computes waits less.
const WORTH_NAMES: u64 = 1_000_000;

/// What a call chain of the kernel says of a wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chain {
    /// The system call.
    pub(super) call: Option<i64>,
    /// The function that decides.
    pub(super) function: Option<Box<str>>,
    /// It is a page fault.
    pub(super) faults: bool,
    /// The innermost function that not all waits have.
    inner: Box<str>,
}

/// What the records say of the program as a whole since they were asked last.
#[derive(Debug)]
pub(super) struct Told {
    /// `None`: not known.
    pub(super) overlap: Option<Overlap>,
    /// Where wake-ups are told: how quiet time divides; and the overlap without them, `None` as above.
    pub(super) chained: Option<(Vec<Link>, Option<Overlap>)>,
}

/// What is exact of a program.
#[derive(Debug)]
pub(super) struct Following {
    records: SwitchRecords,
    state: Switching,
    /// See [`Following::before`].
    held: (i32, Counters),
    /// The same without wake-ups, where they are told: what would have to be inferred.
    inferred: Option<Box<Switching>>,
    governor: Option<Governor>,
    /// Whether reasons are told at present, if they may be.
    reasons: Option<governor::Reasons>,
    names: Names,
    /// Nothing is missed any more while names are waited for.
    is_over: bool,
    /// What chains say, by number, as far as anybody asked.
    chains: Vec<Option<Rc<Chain>>>,
    /// Time of the waits that were told, and of the others.
    told: (u64, u64),
    unknown: BTreeMap<Box<str>, u64>,
    /// How often reasons had not been told, and whether they were, when the program as a whole was asked for last.
    told_up_to: Option<(u64, bool)>,
    lost: u64,
    /// How often it was left alone.
    pub(super) pauses: u64,
}

impl Following {
    /// Follows a process that has yet to become the command, and waits until it may; see [`Following::begin`].
    ///
    /// # Errors
    /// Why it cannot be.
    pub(super) fn launch(pid: i32, patience: Patience, reasons: bool) -> Result<Self, Refused> {
        Self::open(&[pid], 0, patience, reasons)
    }

    /// The recording of a process that was launched begins now: times count from `began`, `CLOCK_MONOTONIC` in nanoseconds,
    /// and what the scheduler counted `before` is none of the program's.
    pub(super) fn begin(&mut self, pid: i32, began: u64, before: Counters) {
        self.records.count_from(began);
        self.states().for_each(|state| state.begin(pid, 0));
        self.held = (pid, before);
    }

    /// What the scheduler had counted of a thread before it became the program.
    pub(super) fn before(&self, tid: i32) -> Counters {
        let (held, before) = self.held;
        if held == tid { before } else { Counters::default() }
    }

    /// Follows processes that run already, whose threads `list` names each time it is asked.
    ///
    /// # Errors
    /// Why it cannot be.
    pub(super) fn attach(
        mut list: impl FnMut() -> Vec<i32>,
        began: u64,
        patience: Patience,
        reasons: bool,
    ) -> Result<Self, Refused> {
        let mut known = list();
        let mut following = Self::open(&known, began, patience, reasons)?;
        // Whatever a followed thread starts is followed. What others had started meanwhile is found by looking again.
        loop {
            let news: Vec<i32> = list().into_iter().filter(|tid| !known.contains(tid)).collect();
            if news.is_empty() {
                return Ok(following);
            }
            for tid in &news {
                following.records.add(*tid)?;
            }
            known.extend(news);
        }
    }

    fn open(tids: &[i32], began: u64, patience: Patience, reasons: bool) -> Result<Self, Refused> {
        let open = if reasons { SwitchRecords::open_with_reasons } else { SwitchRecords::open };
        let records = open(tids, began, patience)?;
        let is_limited = patience == Patience::Limited;
        Ok(Self {
            reasons: records.tells_reasons().then(|| governor::Reasons::new(!is_limited)),
            records,
            state: Switching::default(),
            held: (0, Counters::default()),
            inferred: None,
            governor: is_limited.then(Governor::default),
            names: Names::default(),
            is_over: false,
            chains: Vec::new(),
            told: (0, 0),
            unknown: BTreeMap::new(),
            told_up_to: None,
            lost: 0,
            pauses: 0,
        })
    }

    /// Has wake-ups told, too.
    ///
    /// # Errors
    /// Why they cannot be.
    pub(super) fn with_wakeups(mut self) -> Result<Self, Refused> {
        self.records.add_wakeups().map_err(Refused::Wakeups)?;
        self.inferred = Some(Box::new(self.state.clone()));
        self.state.with_wakeups();
        Ok(self)
    }

    /// The state, and the same without wake-ups.
    fn states(&mut self) -> impl Iterator<Item = &mut Switching> {
        [Some(&mut self.state), self.inferred.as_deref_mut()].into_iter().flatten()
    }

    /// Takes in what happened up to now. Returns the processes that appeared, with their parents, and the threads that
    /// ended.
    pub(super) fn advance(&mut self, now: u64) -> (Vec<(i32, i32)>, Vec<Ended>) {
        let (state, governor, reasons) = (&mut self.state, &mut self.governor, &mut self.reasons);
        let inferred = &mut self.inferred;
        self.records.drain(now, |record| {
            if let What::Out { .. } = &record.what {
                if let Some(governor) = governor.as_mut() {
                    governor.count(record.cpu, 1);
                }
                if let Some(reasons) = reasons.as_mut() {
                    reasons.count(record.cpu);
                }
            }
            if let Some(inferred) = inferred.as_mut().filter(|_| !matches!(record.what, What::Woken { .. })) {
                inferred.take(record);
            }
            state.take(record);
        });
        if let Some(inferred) = inferred {
            // The other one tells of them.
            inferred.appeared();
            inferred.ended();
        }
        let lost = self.records.lost > self.lost;
        self.lost = self.records.lost;
        if self.reasons.is_some() && self.state.waited() >= WORTH_NAMES {
            self.names.ask();
        }
        self.govern(now, lost);
        (self.state.appeared(), self.state.ended())
    }

    /// What costs most is given up first: the reasons of switches, then the switches.
    fn govern(&mut self, now: u64, lost: bool) {
        let threads = self.state.count();
        let mut has_cause = lost;
        if let Some(reasons) = &mut self.reasons {
            has_cause &= !reasons.are_told();
            let order = reasons.decide(now, threads, lost);
            if order != Order::Nothing && self.is_told() {
                self.records.pause_reasons(order == Order::Pause);
            }
        }
        match self.governor.as_mut().map_or(Order::Nothing, |governor| governor.decide(now, has_cause)) {
            Order::Nothing => {}
            Order::Pause => {
                self.pauses += 1;
                self.records.pause(true);
                self.records.pause_reasons(true);
                self.states().for_each(|state| state.gap(now));
            }
            Order::Resume => {
                self.records.pause(false);
                self.records.pause_reasons(!self.reasons.as_ref().is_some_and(governor::Reasons::are_told));
                self.states().for_each(|state| state.gap(now));
            }
        }
    }

    /// The program has ended, and what it did is told to its end.
    pub(super) fn is_over(&mut self) {
        self.is_over = true;
    }

    /// What a thread waited for since this was asked last, and why; nothing, where no reasons are asked for.
    pub(super) fn waits(&mut self, tid: i32) -> Vec<Waits> {
        if self.reasons.is_some() { self.state.waits(tid) } else { Vec::new() }
    }

    /// What the kernel's call chain says of a wait; `None`: what its functions are called is not known yet.
    pub(super) fn chain(&mut self, why: &Why) -> Option<Rc<Chain>> {
        let at = why.chain as usize;
        if let Some(Some(chain)) = self.chains.get(at) {
            return Some(Rc::clone(chain));
        }
        let symbols = if self.is_over { self.names.wait()? } else { self.names.get()? };
        let functions: Vec<&str> =
            self.records.chains().get(why.chain).iter().filter_map(|at| symbols.name(*at)).collect();
        let known = KernelFunctions::builtin();
        let told = known.read(&functions);
        let chain = Rc::new(Chain {
            call: told.call,
            function: told.function.map(Box::from),
            faults: told.faults,
            inner: known.inner(&functions).unwrap_or("a function without a name").into(),
        });
        if self.chains.len() <= at {
            self.chains.resize(at + 1, None);
        }
        self.chains[at] = Some(Rc::clone(&chain));
        Some(chain)
    }

    /// Nobody knows what a thread waits for there.
    pub(super) fn is_unknown(&mut self, chain: &Chain, time: u64) {
        if self.unknown.len() < UNKNOWN_KEPT || self.unknown.contains_key(&chain.inner) {
            *self.unknown.entry(chain.inner.clone()).or_default() += time;
        }
    }

    /// Of waits that took so long together, the reasons were told; of others they were not.
    pub(super) fn has_told(&mut self, told: u64, untold: u64) {
        self.told.0 += told;
        self.told.1 += untold;
    }

    /// What became of the reasons; `None`: they were not asked for.
    pub(super) fn reasons(&self) -> Option<levels::Reasons> {
        let governor = self.reasons.as_ref()?;
        let mut others: Vec<(String, u64)> =
            self.unknown.iter().map(|(function, time)| (function.to_string(), *time)).collect();
        others.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
        Some(levels::Reasons {
            followed: true,
            refused: None,
            told: self.told.0,
            missed: self.told.1,
            others,
            pauses: governor.pauses,
        })
    }

    /// Whether switches are told at present.
    pub(super) fn is_told(&self) -> bool {
        !self.governor.as_ref().is_some_and(Governor::is_paused)
    }

    /// What is known exactly of a thread.
    pub(super) fn of(&self, tid: i32) -> Option<Exact> {
        self.state.of(tid).filter(|_| self.is_told())
    }

    /// Whether the end of a thread is still to be told.
    pub(super) fn will_tell_the_end_of(&self, tid: i32) -> bool {
        self.is_told() && self.state.knows(tid)
    }

    /// Somebody looked at a thread: the scheduler's counters, those of the look before, and whether it runs or may run.
    pub(super) fn looked(&mut self, (pid, tid): (i32, i32), now: Counters, before: Counters, active: bool) {
        if !self.is_told() {
            if let Some(governor) = &mut self.governor {
                governor.count(0, now.slices.saturating_sub(before.slices));
            }
            return;
        }
        for state in self.states() {
            if state.of(tid).is_none() {
                if now != before {
                    state.missed();
                }
                state.follow(pid, tid);
                state.settle(tid, active);
            }
            state.delayed(tid, now.delay);
        }
    }

    /// Somebody looked at a thread that is where it was.
    pub(super) fn rests(&mut self, tid: i32) {
        if self.is_told() {
            self.states().for_each(|state| state.settle(tid, false));
        }
    }

    /// A process has its interpreter lock here, or none any more.
    pub(super) fn lock(&mut self, pid: i32, lock: Option<Range<u64>>) {
        if let Some(inferred) = &mut self.inferred {
            inferred.lock(pid, lock.clone());
        }
        self.state.lock(pid, lock);
    }

    /// What the program as a whole did since this was asked last. `is_there`: the threads that were found.
    pub(super) fn overlap(&mut self, now: u64, is_there: impl Fn(i32) -> bool) -> Told {
        let is_told = self.is_told();
        let mut overlap = self.state.overlap(now).filter(|_| is_told);
        // Whoever waits for an interpreter lock is known by the reasons only.
        let pauses = self.reasons.as_ref().map(|reasons| (reasons.pauses, reasons.are_told()));
        let all_told = std::mem::replace(&mut self.told_up_to, pauses) == pauses;
        if let Some(overlap) =
            overlap.as_mut().filter(|_| !(all_told && pauses.is_some_and(|(_, told)| told)))
        {
            overlap.serialised = None;
        }
        let chained = self.inferred.as_mut().map(|inferred| {
            // Locks are no matter of wake-ups.
            let serialised = overlap.as_ref().and_then(|overlap| overlap.serialised);
            let inferred = inferred.overlap(now).map(|inferred| Overlap { serialised, ..inferred });
            (self.state.divided(), inferred.filter(|_| is_told))
        });
        for state in self.states().filter(|state| state.is_unsettled()) {
            state.forget(&is_there);
        }
        Told { overlap, chained }
    }

    /// What became of wake-ups; `None`: nobody asked for them.
    pub(super) fn wakeups(&self) -> Option<levels::Wakeups> {
        let lost = self.records.wakeups_lost()?;
        let (told, handed_over) = self.state.wakeups();
        Some(levels::Wakeups { told, handed_over, lost })
    }

    /// Descriptors that are spent on it.
    pub(super) fn descriptors(&self) -> usize {
        self.records.descriptors()
    }

    /// Records there was no room for.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }
}
