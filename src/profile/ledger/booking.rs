//! Books what a thread did between two readings: which blocking point, which code and which process it counts for, and what
//! quiet time of the program it may explain. Pure.

use super::records::InProgress;
use super::{Ledger, ThreadRecord};
use crate::profile::places::Place;
use crate::profile::stack::StackId;
use crate::profile::thread_clock::{Payment, Seen, Step, Told};
use crate::profile::wall::Credit;
use crate::wait::WaitKind;

/// One wait, or several of the same kind, that a thread paid for.
#[derive(Debug, Clone, Copy)]
struct Paid<'l> {
    payment: Payment,
    stack: StackId,
    /// Quiet time it may explain.
    quiet: u64,
    /// How long single waits took, where each is known.
    lengths: Option<&'l [u64]>,
}

impl Ledger {
    /// `waited_in`: the code of the wait at the beginning of the step, if it began with one; `now`: that at its end.
    pub(super) fn book(
        &mut self,
        record: &mut ThreadRecord,
        step: &Step,
        waited_in: Option<StackId>,
        now: StackId,
    ) {
        let paid: u64 = step.payments.iter().flatten().map(|payment| payment.blocked).sum();
        // A wait explains no more quiet time than there was while it lasted; where that is not known, than it took.
        let quiet = record.quiet.map(|quiet| quiet.min(paid));
        record.quiet = record.quiet.zip(quiet).map(|(all, explained)| all - explained);
        let may_explain = |blocked: u64| {
            let share =
                |quiet: u64| (u128::from(quiet) * u128::from(blocked) / u128::from(paid.max(1))) as u64;
            quiet.map_or(blocked, share)
        };
        let stacks = [waited_in.unwrap_or(now), now];
        let waits = step.payments.iter().zip(stacks).filter_map(|(payment, stack)| {
            let payment = (*payment)?;
            Some(Paid { payment, stack, quiet: may_explain(payment.blocked), lengths: None })
        });
        self.book_all(record, step, waits.collect());
    }

    /// As [`Ledger::book`], where the kernel told of every wait, with what each kind of them is paid. `places`: where it was
    /// seen at the beginning of the step and at its end, and in which code.
    pub(super) fn book_told<'t>(
        &mut self,
        record: &mut ThreadRecord,
        step: &Step,
        waits: impl Iterator<Item = (&'t Told, &'t u64)>,
        places: [(Option<Seen>, StackId); 2],
    ) {
        let mut explained = 0u64;
        let mut paid: Vec<Paid<'t>> = waits
            .map(|(told, blocked)| {
                let Told { site, ended, progress, .. } = *told;
                let at = |(seen, _): &&(Option<Seen>, StackId)| *seen == Some(Seen::Blocked(site));
                let stack = places.iter().find(at).map_or(StackId::UNSEEN, |(_, stack)| *stack);
                explained = explained.saturating_add(told.quiet);
                let payment = Payment { site, blocked: *blocked, ended, whole: None, progress };
                Paid { payment, stack, quiet: told.quiet.min(*blocked), lengths: Some(&told.lengths) }
            })
            .collect();
        record.quiet = record.quiet.map(|quiet| quiet.saturating_sub(explained));
        // What is not over yet comes last.
        paid.sort_by_key(|paid| paid.payment.ended == 0 && paid.payment.progress == 0);
        self.book_all(record, step, paid);
    }

    fn book_all(&mut self, record: &mut ThreadRecord, step: &Step, waits: Vec<Paid<'_>>) {
        record.cpu_unseen += step.cpu;
        record.cpu_unplaced += step.cpu;
        if let Some(process) = self.processes.get_mut(&record.pid) {
            process.cpu += step.cpu;
        }
        let (mut overlappable, mut ended) = (0u64, 0u64);
        for paid in waits {
            if self.book_wait(record, paid) {
                overlappable = overlappable.saturating_add(paid.payment.blocked);
                ended = ended.saturating_add(paid.payment.ended);
            }
        }
        record.segments.add(step.cpu, overlappable, ended, self.last_round);
        self.place_samples(record);
    }

    /// Returns whether something outside of the program ends such waits.
    fn book_wait(&mut self, record: &mut ThreadRecord, paid: Paid<'_>) -> bool {
        let Paid { payment, stack, quiet, lengths } = paid;
        let place = self.places.admit(Place { site: payment.site, stack });
        if !record.sites.contains_key(&payment.site) {
            record.clock.forget_unseen();
        }
        record.waited_last = Some(place);
        // What was paid while the wait was in progress is a part of it.
        let (before, quiet_before) = match record.in_progress.take() {
            Some(wait) if wait.place == place => (wait.blocked, wait.quiet),
            Some(over) => {
                self.credit_over(over.place, over.quiet);
                (0, 0)
            }
            None => (0, 0),
        };
        let whole = payment.whole.map(|rest| before + rest).filter(|whole| *whole > 0);
        self.sites.pay(&payment, whole);
        self.places.pay(place, record.tid, &payment, whole);
        for length in lengths.into_iter().flatten() {
            let counted = Payment { blocked: 0, ended: 0, progress: 0, ..payment };
            self.sites.pay(&counted, Some(*length));
            self.places.pay(place, record.tid, &counted, Some(*length));
        }
        let entry = record.sites.entry(payment.site).or_default();
        entry.0 += payment.blocked;
        entry.1 = entry.1.saturating_add(payment.ended);
        let site = self.sites.get(payment.site);
        let (external, is_child) = (site.external, site.key.kind == WaitKind::Child);
        let (blocked, quiet) = (before + payment.blocked, quiet_before + quiet);
        // It explains quiet time once it is over. The CPU time it leads to may be booked later still: at a tick, or when
        // the thread leaves the CPU.
        if payment.progress > 0 || payment.ended > 0 {
            let credit = Credit { place, progress: payment.progress, blocked: quiet, external };
            if !is_child {
                self.wall.credit(credit);
            } else if let Some((credit, ended_in)) = self.children.wait(record.pid, credit) {
                self.credit_child(credit, ended_in);
            }
        } else {
            record.in_progress = Some(InProgress { place, blocked, quiet });
        }
        external
    }

    /// A wait for a child that had been in this place explains quiet time only as far as that does not.
    pub(super) fn credit_child(&mut self, waited: Credit, ended_in: Place) {
        let external = self.sites.get(ended_in.site).external;
        self.wall.credit(Credit { place: ended_in, progress: waited.progress, blocked: 0, external });
        self.wall.credit(waited);
    }

    /// A wait that something else came after explains quiet time, whoever saw it end.
    pub(super) fn credit_over(&mut self, place: Place, blocked: u64) {
        let external = self.sites.get(place.site).external;
        self.wall.credit(Credit { place, progress: 0, blocked, external });
    }
}
