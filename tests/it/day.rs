//! A day of small events, without a clock: threads and children come and go, ever new peers, files, locks and lines of code.
//! What is kept of it is bounded, adds up to the nanosecond, and says what it left out. The same day is told to the books,
//! which are looked into, and played as a recording, which becomes a report.

mod service;
mod teller;

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};
use std::time::Duration;

use boundby::advice::advise;
use boundby::profile::ledger::{Closed, Reading, Under};
use boundby::profile::observation::{Birth, Life, Observation};
use boundby::profile::stack::{Frame, StackId};
use boundby::profile::switching::{Ended, Exact, Record, Switching, Waits, What, Why};
use boundby::profile::thread_clock::{Counters, Seen, Told};
use boundby::profile::{Profile, replay};
use boundby::report::{Report, json};
use boundby::rules::RuleSet;
use boundby::wait::Account;

use service::{MAIN, NETWORK, SECOND, SECONDS, Service, Truth};
use teller::Teller;

/// When in a second everybody is looked at: all wait.
const LOOK: u64 = 997_000_000;
/// Once an hour records are lost, a moment before.
const LOSS: u64 = 995_000_000;
const HOUR: u64 = 3600;

/// Largest report.
const REPORT: usize = 4 << 20;

/// A thread that is looked at.
struct Known {
    pid: i32,
    counters: Counters,
    exact: Option<Exact>,
    /// What it waits for.
    waits: Option<Why>,
}

/// The edge: what it would make of the records. Read, it is the recording of the day.
struct Day {
    service: Service,
    switching: Switching,
    teller: Teller,
    known: BTreeMap<i32, Known>,
    second: u64,
    lost: u64,
    /// Time of waits whose reason was told, and of others.
    told: (u64, u64),
    read: usize,
}

impl Day {
    fn begin() -> Self {
        let mut day = Self {
            service: Service::default(),
            switching: Switching::default(),
            teller: Teller::new(2),
            known: BTreeMap::new(),
            second: 0,
            lost: 0,
            told: (0, 0),
            read: 0,
        };
        day.switching.begin(MAIN, 0);
        day.teller.tell(Observation::Process { pid: MAIN, parent: 0, at: 0 });
        for (tid, born) in service::THREADS {
            day.meet(MAIN, tid, born);
        }
        day
    }

    /// A thread is looked at from now on.
    fn meet(&mut self, pid: i32, tid: i32, born: u64) {
        let counters = Counters::default();
        self.teller.tell(Observation::Thread(Birth { pid, tid, at: born, counters, newborn: true }));
        self.known.insert(tid, Known { pid, counters, exact: None, waits: None });
    }

    fn next_second(&mut self) {
        let begun = self.second * SECOND;
        for record in self.service.next() {
            if let (What::Off(why), Some(known)) = (&record.what, self.known.get_mut(&record.tid)) {
                known.waits = Some(*why);
            }
            self.switching.take(&record);
        }
        for end in self.switching.ended() {
            self.end(end);
        }
        for (pid, parent) in self.switching.appeared() {
            if let Some(exact) = self.switching.of(pid).filter(|_| pid != MAIN) {
                self.teller.tell(Observation::Process { pid, parent, at: exact.since });
                self.meet(pid, pid, exact.since);
                self.known.entry(pid).and_modify(|known| known.waits = Some(service::at_a_pipe()));
            }
        }
        if self.second % HOUR == HOUR / 2 {
            self.lost += 1;
            self.switching.take(&Record { time: begun + LOSS, cpu: 0, pid: 0, tid: 0, what: What::Lost });
            // Whoever is looked at is known again.
            self.known.keys().for_each(|tid| self.switching.settle(*tid, false));
        }
        self.look(begun + LOOK);
        self.second += 1;
    }

    fn look(&mut self, at: u64) {
        let line = self.second as u32 + 1;
        let frame = Frame {
            function: format!("handler_{line}"),
            file: Some("service.py".to_owned()),
            line: Some(line),
            own: true,
        };
        let stack = self.teller.stack(frame);
        self.teller.tell(Observation::Sampled { tid: NETWORK, stacks: vec![stack] });
        let mut readings = Vec::new();
        for (tid, known) in &mut self.known {
            let exact = self.switching.of(*tid);
            let then = std::mem::replace(&mut known.exact, exact);
            let quiet = match (then, exact) {
                (Some(then), Some(now)) if then.gap == now.gap => Some(now.quiet - then.quiet),
                (None, Some(now)) if now.from_birth => Some(now.quiet),
                _ => None,
            };
            known.counters = service::counted(known.counters, *tid);
            self.switching.delayed(*tid, known.counters.delay);
            let waits = of_waits(&mut self.teller, &mut self.told, known.pid, self.switching.waits(*tid));
            if !waits.is_empty() {
                self.teller.tell(Observation::Told { tid: *tid, waits });
            }
            let seen = match known.waits.as_ref().map(service::reason) {
                Some((pc, reason)) => Seen::Blocked(self.teller.site(known.pid, pc, &reason)),
                None => Seen::Active,
            };
            let stack = if *tid == NETWORK { stack } else { StackId::UNSEEN };
            let counters = known.counters;
            readings.push(Reading { tid: *tid, counters, seen, under: Under::Unknown, stack, quiet });
        }
        if let Some(overlap) = self.switching.overlap(at) {
            self.teller.tell(Observation::Exactly(overlap));
        }
        self.teller.tell(Observation::Round { at, readings });
    }

    fn end(&mut self, end: Ended) {
        let Ended { pid, parent, tid, name, at, exact, ready, waits } = end;
        let exact = exact.expect("no records are lost while it lives");
        let waits = of_waits(&mut self.teller, &mut self.told, pid, waits);
        let counters = Counters { run: exact.run, delay: ready, slices: exact.waits };
        if let Some(known) = self.known.remove(&tid) {
            let quiet = known.exact.map(|then| exact.quiet - then.quiet);
            if !waits.is_empty() {
                self.teller.tell(Observation::Told { tid, waits });
            }
            let (seen, under, stack) = (Seen::Active, Under::Unknown, StackId::UNSEEN);
            let reading = Reading { tid, counters, seen, under, stack, quiet };
            self.teller.tell(Observation::LastWords { at, reading });
            self.teller.tell(Observation::ThreadGone { tid });
        } else {
            if tid == pid {
                self.teller.tell(Observation::Process { pid, parent, at: exact.since });
            }
            let life = Life { pid, tid, name, born: exact.since, died: at, counters, waits };
            self.teller.tell(Observation::Lived(life));
        }
        if tid == pid {
            self.teller.tell(Observation::ProcessGone { pid, at });
        }
    }

    /// How the day ended, and the machine.
    fn over(&mut self) {
        let wall = SECONDS * SECOND;
        let (Truth { run, .. }, (told, untold), lost) = (self.service.truth, self.told, self.lost);
        self.teller.write(&format!(
            r#"{{"end":{{"command":["service"],"root":{MAIN},"launched":true,"exit_code":0,"exit_signal":null,"wall":{wall},"cpu_user":{run},"cpu_system":0,"max_rss":null,"periods":null,"throttled_periods":null,"throttled":null,"rounds":{SECONDS},"late":0,"own_cpu":0,"hidden":0,"levels":[true,null,{lost},0,[true,null,{told},{untold},[],0]],"left_running":0,"interrupted":false}}}}"#
        ));
        self.teller.write(
            r#"{"machine":{"cpus_logical":2,"cpus_affinity":2,"quota":null,"effective":2.0,"capacity":2.0,"memory_total":null,"memory_available":null,"memory_limit":null,"max_open_files":null,"max_tasks":null,"kernel":"6.8.0","notes":[]}}"#,
        );
    }
}

/// Each wait at its blocking point.
fn of_waits(teller: &mut Teller, times: &mut (u64, u64), pid: i32, waits: Vec<Waits>) -> Vec<Told> {
    let mut told = Vec::new();
    for Waits { why, time, ended, quiet, progress, lengths } in waits {
        let Some(why) = why else {
            times.1 += time;
            continue;
        };
        times.0 += time;
        let (pc, reason) = service::reason(&why);
        let site = teller.site(pid, pc, &reason);
        told.push(Told { site, time, ended, quiet, progress, lengths });
    }
    told
}

impl Read for Day {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for Day {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.read == self.teller.lines.len() {
            self.read = 0;
            self.teller.lines.clear();
            if self.second < SECONDS {
                self.next_second();
                if self.second == SECONDS {
                    self.over();
                }
            }
        }
        Ok(&self.teller.lines[self.read..])
    }

    fn consume(&mut self, length: usize) {
        self.read += length;
    }
}

/// What the tables of the books hold, and what they may (`benches/README.md`).
fn sizes(books: &Closed) -> [(&'static str, usize, usize); 9] {
    const SITES: usize = 2 * 8192 + 64;
    const PLACES: usize = 65_536;
    let (frames, stacks) = books.stacks.count();
    [
        ("blocking points", books.sites.count(), SITES),
        ("places that wait", books.places.waits().count(), PLACES + SITES),
        ("places that compute", books.places.computing().count(), PLACES + 1),
        ("frames", frames, 65_536),
        ("stacks", stacks, 65_536),
        ("processes", books.processes.len(), 8192 + 1),
        ("threads", books.threads.len(), 4096),
        ("waits of the wall book", books.wall.waits.len(), PLACES + SITES),
        ("stretches", books.wall.history.stretches.len(), 256),
    ]
}

/// To the nanosecond, however much was summed up.
fn assert_balanced(profile: &Profile, books: &Closed, truth: &Truth) {
    let day = Duration::from_secs(SECONDS);
    assert_eq!((profile.wall, profile.wall_book.total()), (day, day));
    assert_eq!(Duration::from_nanos(books.wall.total()), day);
    assert_eq!((profile.threads, profile.processes), (truth.threads, truth.processes));
    assert_eq!(profile.thread_book.total(), Duration::from_nanos(truth.lived));
    assert_eq!(profile.thread_book[Account::Cpu], truth.run);
    let is_wait = |account: &Account| !matches!(account, Account::Runnable | Account::Unattributed);
    let waited: u64 =
        profile.thread_book.iter().filter(|(account, _)| is_wait(account)).map(|(_, time)| time).sum();
    let placed: Duration = profile.call_stacks.stacks.iter().map(|stack| stack.time).sum();
    assert_eq!(placed, Duration::from_nanos(waited));
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes unless optimised: cargo test --profile ci --test it day"
)]
fn a_day_of_small_events_is_kept_in_bounded_books_that_add_up() {
    let mut day = Day::begin();
    let (profile, machine) = replay(&mut day).unwrap();
    assert!(day.known.len() == service::THREADS.len() && day.switching.count() == day.known.len());
    let truth = day.service.truth;
    let books = day.teller.books.close(MAIN, SECOND - LOOK);
    for (table, holds, most) in sizes(&books) {
        assert!(holds <= most, "{table}: {holds} are kept, {most} may be");
    }
    assert_balanced(&profile, &books, &truth);

    let rules = RuleSet::builtin().unwrap();
    let advice = advise(&profile, &machine, &rules);
    let report =
        json::to_json(&Report { profile: &profile, machine: &machine, advice: &advice, source: None });
    assert!(report.len() <= REPORT, "the report has {} bytes", report.len());
    let remarks = &profile.quality.remarks;
    let told = ["24 records", "threads and", "216,000 processes", "blocking points", "call stacks"];
    for said in told {
        assert!(remarks.iter().any(|remark| remark.contains(said)), "{said} is not in {remarks:?}");
    }
}
