//! Which wait explains the time in which nobody ran.

use super::*;
use crate::profile::switching::Overlap;

/// Nobody ran for `quiet`, then somebody for `active`.
fn exactly(quiet: u64, active: u64) -> Overlap {
    Overlap { running: vec![quiet, active], ..Overlap::default() }
}

#[test]
fn a_wait_explains_no_more_quiet_time_than_there_was_while_it_lasted() {
    let mut books = Ledger::new(2.0);
    books.process(1, 0, 0);
    let site = |books: &mut Ledger, pc, kind, operation| books.site(1, pc, &reason(kind, operation, true), 0);
    let pipe = site(&mut books, 1, WaitKind::Pipe, "read");
    let network = site(&mut books, 2, WaitKind::Network, "recv");
    let counters = |run, slices| Counters { run, delay: 0, slices };
    let reading = |tid, counters, seen, quiet| Reading {
        tid,
        counters,
        seen,
        under: Under::Unknown,
        stack: StackId::UNSEEN,
        quiet: Some(quiet),
    };
    for tid in [1, 2] {
        books.thread(Birth { pid: 1, tid, at: 0, counters: counters(0, 0), newborn: true });
    }
    let blocked = |tid, site| reading(tid, counters(0, 0), Seen::Blocked(site), 0);
    books.exactly(exactly(0, 0));
    books.round(0, &[blocked(1, pipe), blocked(2, network)]);
    // One waits for a pipe while a child nobody looked at computes; then both wait for 300 ms.
    books.exactly(exactly(0, 400 * MS));
    books.round(400 * MS, &[]);
    books.exactly(exactly(300 * MS, 0));
    let out = |tid, quiet| reading(tid, counters(MS, 1), Seen::Active, quiet);
    books.round(700 * MS, &[out(2, 300 * MS)]);
    books.exactly(exactly(0, MS));
    books.round(701 * MS, &[out(1, 0)]);
    let closed = books.close(1, 0);
    let waits = closed.wall.by_site();
    assert_eq!((waits.get(&network), waits.get(&pipe)), (Some(&(300 * MS)), None));
    assert_eq!((closed.wall.cpu, closed.wall.exact), (401 * MS, 701 * MS));
}

#[test]
fn a_child_nobody_looked_at_is_a_thread_of_the_book() {
    let mut books = Ledger::new(2.0);
    books.process(1, 0, 0);
    let counters = Counters { run: 3 * MS, delay: MS, slices: 2 };
    let name = "true".to_owned();
    let waits = Vec::new();
    books.lived(Life { pid: 1, tid: 1, name, born: 5 * MS, died: 15 * MS, counters, waits });
    books.process_gone(1, 15 * MS);
    books.exactly(exactly(17 * MS, 3 * MS));
    books.round(20 * MS, &[]);
    let closed = books.close(1, 0);
    let thread = &closed.threads[0];
    assert_eq!((thread.clock.cpu(), thread.clock.delay(), thread.clock.lifetime()), (3 * MS, MS, 10 * MS));
    assert_eq!((closed.process_name(1).as_str(), closed.lives, closed.threads_seen), ("true", 1, 1));
    assert_eq!((closed.wall.cpu, closed.wall.total()), (3 * MS, 20 * MS));
}

#[test]
fn a_thread_that_lives_for_one_wait_explains_the_quiet_it_leaves() {
    let mut books = Ledger::new(CPUS);
    books.process(1, 0, 0);
    let sleep = books.site(1, 8, &reason(WaitKind::Sleep, "sleep", true), 0);
    let join = books.site(1, 9, &reason(WaitKind::Lock, "futex", false), 0);
    books.thread(Birth { pid: 1, tid: 1, at: 0, counters: Counters::default(), newborn: true });
    for i in 0..100 {
        let (tid, at) = (i as i32 + 2, i * 10 * MS);
        let main = Counters { run: i * MS, delay: 0, slices: i + 1 };
        books.thread(Birth { pid: 1, tid, at, counters: Counters::default(), newborn: true });
        let blocked = |tid, counters, site| Reading {
            tid,
            counters,
            seen: Seen::Blocked(site),
            under: Under::Unknown,
            stack: StackId::UNSEEN,
            quiet: None,
        };
        books.round(at, &[blocked(1, main, join), blocked(tid, Counters::default(), sleep)]);
        books.thread_gone(tid);
    }
    let books = books.close(1, 10 * MS);
    assert!(
        books.wall.by_site()[&sleep] > 20 * books.wall.by_site().get(&join).copied().unwrap_or(0),
        "{:?}",
        books.wall
    );
}

/// As a recording had it: the dispatch that ended the last wait was taken for one after a preemption.
#[test]
fn a_wait_nobody_saw_end_still_explains_the_quiet_it_took() {
    let mut books = Ledger::new(CPUS);
    books.process(1, 0, 0);
    let reason = reason(WaitKind::Network, "recv", true);
    let site = books.site(1, 9, &reason, 0);
    let started = Counters { run: MS, delay: 0, slices: 1 };
    books.thread(Birth { pid: 1, tid: 1, at: 0, counters: started, newborn: true });
    let reading = |run, seen| Reading {
        tid: 1,
        counters: Counters { run, ..started },
        seen,
        under: Under::Unknown,
        stack: StackId::UNSEEN,
        quiet: None,
    };
    books.round(2 * MS, &[reading(2 * MS, Seen::Blocked(site))]);
    books.round(352 * MS, &[reading(10 * MS, Seen::Active)]);
    books.thread_gone(1);
    let books = books.close(1, MS);
    assert!(books.wall.by_site()[&site] >= 340 * MS, "{:?}", books.wall);
}

#[test]
fn a_wait_whose_name_is_found_late_is_booked_under_it_whole() {
    let mut books = Ledger::new(CPUS);
    books.process(1, 0, 0);
    let unnamed = books.site(1, 9, &reason(WaitKind::Network, "recv", true), 0);
    let client = Reason { resource: Some("client".to_owned()), ..reason(WaitKind::Idle, "recv", true) };
    let inbound = books.site(1, 9, &client, 0);
    let started = Counters { run: MS, delay: 0, slices: 1 };
    books.thread(Birth { pid: 1, tid: 1, at: 0, counters: started, newborn: false });
    let reading = |counters, site| Reading {
        tid: 1,
        counters,
        seen: Seen::Blocked(site),
        under: Under::Unknown,
        stack: StackId::UNSEEN,
        quiet: None,
    };
    books.round(5 * MS, &[reading(started, unnamed)]);
    assert_eq!(books.sites.waiting(WaitKind::Network), 1);
    books.named(1, inbound);
    assert_eq!((books.sites.waiting(WaitKind::Network), books.sites.waiting(WaitKind::Idle)), (0, 1));
    // Nobody who moves is renamed, nor who is not there.
    books.named(2, inbound);
    books.round(101 * MS, &[Reading { seen: Seen::Active, ..reading(started, inbound) }]);
    books.named(1, unnamed);
    books.round(102 * MS, &[reading(Counters { run: 2 * MS, delay: 0, slices: 2 }, inbound)]);
    let books = books.close(1, 0);
    assert_eq!(books.sites.get(unnamed).waits.blocked, 0);
    assert_eq!(books.sites.get(inbound).waits.blocked, 101 * MS);
    assert_eq!(books.wall.by_site().get(&unnamed), None);
    assert_eq!(books.threads[0].sites.get(&unnamed).map_or(0, |(blocked, _)| *blocked), 0);
}

/// Two processes, the first of which waits for the second, which sleeps, from 1 to 401 ms: told by `end`.
fn of_a_parent_and_a_sleeper(end: impl FnOnce(&mut Ledger, Reading)) -> (u64, u64) {
    let mut books = Ledger::new(CPUS);
    books.process(1, 0, 0);
    books.process(2, 1, 0);
    let sleep = books.site(2, 8, &reason(WaitKind::Sleep, "sleep", true), 0);
    let wait = books.site(1, 9, &reason(WaitKind::Child, "wait", false), 0);
    let started = Counters { run: MS / 2, delay: 0, slices: 1 };
    let blocked = |tid, counters, site| Reading {
        tid,
        counters,
        seen: Seen::Blocked(site),
        under: Under::Unknown,
        stack: StackId::UNSEEN,
        quiet: None,
    };
    for pid in [1, 2] {
        books.thread(Birth { pid, tid: pid, at: 0, counters: started, newborn: true });
    }
    books.round(MS, &[blocked(1, started, wait), blocked(2, started, sleep)]);
    end(&mut books, blocked(1, Counters { run: MS, delay: 0, slices: 2 }, wait));
    let waits = books.close(1, 0).wall.by_site();
    (waits.get(&sleep).copied().unwrap_or(0), waits.get(&wait).copied().unwrap_or(0))
}

#[test]
fn a_child_may_be_found_gone_after_its_parent_went_on() {
    let (sleep, wait) = of_a_parent_and_a_sleeper(|books, returned| {
        // On to the next child, while nobody has looked for the first one again.
        books.round(401 * MS, &[returned]);
        books.thread_gone(2);
        books.round(403 * MS, &[]);
    });
    assert!(sleep >= 399 * MS && wait <= 3 * MS, "{sleep} {wait}");
}

#[test]
fn a_child_may_be_found_gone_after_its_parent_ended() {
    let (sleep, wait) = of_a_parent_and_a_sleeper(|books, returned| {
        books.last_words(401 * MS, Reading { seen: Seen::Active, ..returned });
        books.thread_gone(1);
        books.thread_gone(2);
        books.round(402 * MS, &[]);
    });
    assert!(sleep >= 399 * MS && wait <= 3 * MS, "{sleep} {wait}");
}

#[test]
fn a_child_that_was_never_seen_to_end_is_all_there_is_to_say() {
    let (sleep, wait) = of_a_parent_and_a_sleeper(|books, returned| {
        books.round(401 * MS, &[returned]);
        books.round(402 * MS, &[]);
    });
    assert!(wait >= 399 * MS && sleep <= 3 * MS, "{sleep} {wait}");
}
