//! Laws of the books: they hold for whatever the kernel may show, in whatever order.

mod quiet;

use proptest::prelude::*;

use super::*;
use crate::profile::stack::Frame;
use crate::profile::thread_clock::{Counters, Told};

const MS: u64 = 1_000_000;
const CPUS: f64 = 2.0;
/// Threads 1 to 6 belong to processes 1 to 3, two each; process 3 runs under an interpreter lock.
const THREADS: i32 = 6;
const STACKS: u32 = 3;

fn reason(kind: WaitKind, operation: &'static str, external: bool) -> Reason {
    Reason { kind, operation, resource: None, external, event_loop: false }
}

fn process_of(tid: i32) -> i32 {
    1 + (tid - 1) / 2
}

/// One thing that happens. Times are relative, so that any sequence makes sense.
#[derive(Debug, Clone)]
enum Event {
    /// Time goes by. Zero: two readings of the clock were equal.
    Pass(u64),
    /// A thread appears, perhaps with the number of one that is still booked.
    Born { tid: i32, run: u64, delay: u64, newborn: bool },
    /// A thread is gone, perhaps one that never was.
    Gone(i32),
    /// A process is gone, perhaps with threads still booked.
    ProcessGone(i32),
    /// The number of a process is given out again.
    Reused(i32),
    /// A program is replaced by another: its threads start to count from somewhere else.
    Exec { tid: i32, run: u64 },
    /// A round over these threads. What each did since its last reading, and where it was found.
    Round(Vec<Look>),
    /// The last reading of a thread.
    LastWords(Look),
    /// What a thread waits for turns out to be something else.
    Named { tid: i32, place: u32 },
    /// A thread was seen running.
    Sampled { tid: i32, stacks: Vec<u32> },
    /// The code a thread waits in is seen only now.
    Placed { tid: i32, stack: u32 },
    /// The kernel tells what a thread waited for: where, for how long, how often, how much of it everybody did.
    Told { tid: i32, waits: Vec<(u32, u64, u64, u64)> },
}

#[derive(Debug, Clone, Copy)]
struct Look {
    tid: i32,
    run: u64,
    delay: u64,
    slices: u64,
    /// 0: active.
    place: u32,
    under: Under,
    /// 0: not seen.
    stack: u32,
}

fn look() -> impl Strategy<Value = Look> {
    let under =
        prop_oneof![Just(Under::Unknown), Just(Under::Lock), Just(Under::Outside), Just(Under::Queued)];
    let time = || prop_oneof![3 => Just(0), 3 => 0..12 * MS, 1 => 0..300 * MS];
    (1..=THREADS, time(), time(), 0..5u64, 0..5u32, under, 0..=STACKS).prop_map(
        |(tid, run, delay, slices, place, under, stack)| Look {
            tid,
            run,
            delay,
            slices,
            place,
            under,
            stack,
        },
    )
}

/// A thread's time from one dispatch to the next: in the run queue, on a CPU, waiting.
#[derive(Debug, Clone, Copy)]
struct Turn {
    delay: u64,
    run: u64,
    wait: u64,
}

fn turn() -> impl Strategy<Value = Turn> {
    let delay = prop_oneof![3 => Just(0), 2 => 0..5 * MS, 1 => 0..80 * MS, 1 => 50 * MS..400 * MS];
    let wait = prop_oneof![2 => Just(0), 3 => 200_000..400 * MS];
    (delay, 50_000..20 * MS, wait).prop_map(|(delay, run, wait)| Turn { delay, run, wait })
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => prop_oneof![1 => Just(0), 4 => 0..15 * MS, 1 => 0..2000 * MS].prop_map(Event::Pass),
        2 => (1..=THREADS, 0..20 * MS, 0..20 * MS, any::<bool>())
            .prop_map(|(tid, run, delay, newborn)| Event::Born { tid, run, delay, newborn }),
        1 => (1..=THREADS).prop_map(Event::Gone),
        1 => (1..=3i32).prop_map(Event::ProcessGone),
        1 => (1..=3i32).prop_map(Event::Reused),
        1 => (1..=THREADS, 0..50 * MS).prop_map(|(tid, run)| Event::Exec { tid, run }),
        8 => proptest::collection::vec(look(), 0..8).prop_map(Event::Round),
        1 => look().prop_map(Event::LastWords),
        1 => (1..=THREADS, 0..4u32).prop_map(|(tid, place)| Event::Named { tid, place }),
        1 => (1..=THREADS, 0..=STACKS).prop_map(|(tid, stack)| Event::Placed { tid, stack }),
        1 => (1..=THREADS, proptest::collection::vec(0..=STACKS, 0..4))
            .prop_map(|(tid, stacks)| Event::Sampled { tid, stacks }),
        2 => (1..=THREADS, proptest::collection::vec((0..4u32, 0..20 * MS, 0..4u64, 0..20 * MS), 0..4))
            .prop_map(|(tid, waits)| Event::Told { tid, waits }),
    ]
}

/// Books with the threads' counters, as a kernel would keep them.
struct World {
    books: Ledger,
    now: u64,
    counters: BTreeMap<i32, Counters>,
    places: Vec<SiteId>,
}

impl World {
    fn new() -> Self {
        let mut books = Ledger::new(CPUS);
        for pid in 1..=3 {
            books.process(pid, 0, 0);
        }
        books.runtime(3, Runtime { gil: Some(true), ..Runtime::default() });
        for line in 1..=STACKS {
            let frame = books.stacks().frame(Frame { line: Some(line), ..Frame::default() }).unwrap();
            assert_eq!(books.stacks().stack(&[frame]), StackId(line));
        }
        let places = [
            reason(WaitKind::Network, "recv", true),
            reason(WaitKind::Lock, "futex", false),
            reason(WaitKind::Gil, "take the GIL", false),
        ];
        let places = places.iter().map(|reason| books.site(3, 9, reason, 0));
        let places = [SiteId::UNKNOWN].into_iter().chain(places.collect::<Vec<_>>()).collect();
        Self { books, now: 0, counters: BTreeMap::new(), places }
    }

    fn reading(&mut self, look: &Look) -> Reading {
        let counters = self.counters.entry(look.tid).or_default();
        counters.run += look.run;
        counters.delay += look.delay;
        counters.slices += look.slices;
        let seen = match look.place {
            0 => Seen::Active,
            place => Seen::Blocked(self.places[place as usize - 1]),
        };
        Reading {
            tid: look.tid,
            counters: *counters,
            seen,
            under: look.under,
            stack: StackId(look.stack),
            quiet: None,
        }
    }

    fn tell(&mut self, event: &Event) {
        match event {
            Event::Pass(time) => self.now += time,
            Event::Born { tid, run, delay, newborn } => {
                let counters = Counters { run: *run, delay: *delay, slices: 1 };
                self.counters.insert(*tid, counters);
                let (tid, newborn) = (*tid, *newborn);
                self.books.thread(Birth { pid: process_of(tid), tid, at: self.now, counters, newborn });
            }
            Event::Gone(tid) => self.books.thread_gone(*tid),
            Event::ProcessGone(pid) => self.books.process_gone(*pid, self.now),
            Event::Reused(pid) => self.books.process(*pid, 0, self.now),
            Event::Exec { tid, run } => {
                self.counters.insert(*tid, Counters { run: *run, delay: 0, slices: 0 });
            }
            Event::Round(looks) => {
                let readings: Vec<Reading> = looks.iter().map(|look| self.reading(look)).collect();
                self.books.round(self.now, &readings);
            }
            Event::LastWords(look) => {
                let reading = self.reading(look);
                self.books.last_words(self.now, reading);
            }
            Event::Sampled { tid, stacks } => {
                let stacks: Vec<StackId> = stacks.iter().map(|stack| StackId(*stack)).collect();
                self.books.sampled(*tid, &stacks);
            }
            Event::Placed { tid, stack } => self.books.placed(*tid, StackId(*stack)),
            Event::Named { tid, place } => self.books.named(*tid, self.places[*place as usize]),
            Event::Told { tid, waits } => {
                let told = waits.iter().map(|(place, time, ended, quiet)| Told {
                    site: self.places[*place as usize],
                    time: *time,
                    ended: *ended,
                    quiet: *quiet,
                    progress: *ended * MS,
                    lengths: (0..*ended).map(|_| time / ended.max(&1)).collect(),
                });
                self.books.told(*tid, told.collect());
            }
        }
    }

    fn close(self, tail: u64) -> Closed {
        let pass = self.now - self.books.last_round();
        self.books.close(1, pass + tail)
    }
}

fn told(events: &[Event]) -> World {
    let mut world = World::new();
    for event in events {
        world.tell(event);
    }
    world
}

/// Everything a thread's time was booked as.
fn booked(thread: &ThreadRecord) -> u64 {
    let blocked: u64 = thread.sites.values().map(|(blocked, _)| blocked).sum();
    thread.clock.cpu() + thread.clock.delay() + blocked + thread.unexplained
}

/// What must be the same however the threads of a round are ordered.
fn outcome(books: &Closed) -> impl PartialEq + std::fmt::Debug + use<> {
    let mut threads: Vec<_> = books
        .threads
        .iter()
        .map(|thread| {
            (thread.tid, booked(thread), thread.sites.clone(), thread.cpu_under, thread.cpu_outside)
        })
        .collect();
    threads.sort();
    let processes: Vec<_> =
        books.processes.iter().map(|(pid, process)| (*pid, process.cpu, process.lock_samples)).collect();
    (books.wall.clone(), threads, processes)
}

proptest! {
    /// The wall book sums to the time that went by, whatever was seen.
    #[test]
    fn the_wall_book_sums_to_the_time_that_went_by(
        events in proptest::collection::vec(event(), 0..60),
        tail in 0..50 * MS,
    ) {
        let world = told(&events);
        let time = world.now + tail;
        let books = world.close(tail);
        prop_assert_eq!(books.wall.total(), time);
        let running: u64 = books.wall.running.iter().sum();
        prop_assert!(running.abs_diff(time) <= time / 1000 + 1000, "{} {}", running, time);
    }

    /// Each thread's book sums to its life, and no CPU time is lost or made up on the way to its process.
    #[test]
    fn thread_books_sum_to_lifetimes(events in proptest::collection::vec(event(), 0..60), tail in 0..50 * MS) {
        let books = told(&events).close(tail);
        for thread in &books.threads {
            prop_assert_eq!(booked(thread), thread.clock.lifetime());
            let (accounted, elapsed) = thread.clock.balance();
            prop_assert_eq!(accounted, elapsed);
            prop_assert!(thread.clock.lifetime() as i64 >= elapsed);
            prop_assert!(thread.cpu_under + thread.cpu_outside <= thread.clock.cpu());
        }
        let threads: u64 = books.threads.iter().map(|thread| thread.clock.cpu()).sum();
        let processes: u64 = books.processes.values().map(|process| process.cpu).sum();
        prop_assert_eq!(threads, processes);
        // What the sites were paid is what the threads paid.
        let paid: u64 = books.sites.iter().map(|(_, site)| site.waits.blocked).sum();
        let waited: u64 = books.threads.iter().flat_map(|thread| thread.sites.values()).map(|(b, _)| b).sum();
        prop_assert_eq!(paid, waited);
    }

    /// Nothing is lost or made up on the way to the places in the code.
    #[test]
    fn places_hold_what_sites_and_processes_do(
        events in proptest::collection::vec(event(), 0..60),
        tail in 0..50 * MS,
    ) {
        let books = told(&events).close(tail);
        for (id, site) in books.sites.iter() {
            let of_site = books.places.waits().filter(|(place, _)| place.site == id);
            let sums = of_site.fold((0, 0, 0), |(blocked, ended, progress), (_, waits)| {
                (blocked + waits.blocked, ended + waits.ended, progress + waits.progress)
            });
            prop_assert_eq!(sums, (site.waits.blocked, site.waits.ended, site.waits.progress));
        }
        let placed: u64 = books.places.computing().map(|(_, _, computing)| computing.total()).sum();
        let threads: u64 = books.threads.iter().map(|thread| thread.clock.cpu()).sum();
        prop_assert_eq!(placed, threads);
        let quiet: u64 = books.wall.waits.values().sum();
        prop_assert_eq!(quiet, books.wall.by_site().values().sum::<u64>());
    }

    /// A thread whose counters keep to the clock is booked for exactly its life.
    #[test]
    fn honest_counters_leave_no_remainder(
        steps in proptest::collection::vec((1..20 * MS, 0.0..1.0f64, 0.0..1.0f64, 0..3u64, 0..5u32), 1..40),
    ) {
        let mut world = told(&[Event::Born { tid: 1, run: 0, delay: 0, newborn: true }]);
        for (time, run, delay, slices, place) in steps {
            let run = (time as f64 * run) as u64;
            let delay = ((time - run) as f64 * delay) as u64;
            world.tell(&Event::Pass(time));
            world.tell(&Event::Round(vec![Look { tid: 1, run, delay, slices, place, under: Under::Unknown, stack: 0 }]));
        }
        let time = world.now;
        let books = world.close(0);
        prop_assert_eq!(booked(&books.threads[0]), time);
        prop_assert_eq!(books.wall.total(), time);
    }

    /// One thread alone is the program: whenever it waits, the program waits for the same. The kernel books the CPU
    /// time of a running thread at its ticks and when it leaves the CPU; a dispatch, and the time in the run queue
    /// before it, at once.
    #[test]
    fn the_times_of_the_only_thread_are_those_of_the_program(
        turns in proptest::collection::vec(turn(), 1..60),
        jitter in proptest::collection::vec(4 * MS..8 * MS, 16),
        tick in prop_oneof![Just(MS), Just(4 * MS), Just(10 * MS)],
    ) {
        let mut world = told(&[Event::Born { tid: 1, run: 0, delay: 0, newborn: true }]);
        let network = world.places[1];
        let mut done = Counters::default();
        let (mut start, mut at, mut waited) = (0, 0, 0);
        let mut looks = jitter.iter().cycle();
        for Turn { delay, run, wait } in turns {
            let dispatched = Counters { delay: done.delay + delay, slices: done.slices + 1, ..done };
            let (runs, waits, end) = (start + delay, start + delay + run, start + delay + run + wait);
            while at < end {
                let (counters, seen) = if at < runs {
                    (done, Seen::Active)
                } else if at < waits {
                    let booked = (at - at % tick).saturating_sub(runs);
                    (Counters { run: done.run + booked, ..dispatched }, Seen::Active)
                } else {
                    (Counters { run: done.run + run, ..dispatched }, Seen::Blocked(network))
                };
                world.books.round(at, &[Reading { tid: 1, counters, seen, under: Under::Unknown, stack: StackId::UNSEEN, quiet: None }]);
                at += looks.next().unwrap();
            }
            done = Counters { run: done.run + run, ..dispatched };
            start = end;
            waited += wait;
        }
        world.now = start;
        let last = Reading { tid: 1, counters: done, seen: Seen::Active, under: Under::Unknown, stack: StackId::UNSEEN, quiet: None };
        world.books.last_words(start, last);
        let books = world.close(0);
        let network = books.wall.by_site().get(&network).copied().unwrap_or(0);
        // Counters run late, and spans are cut where the looks were.
        let slack = 2 * tick + 8 * MS + start / 50;
        let found = [network, books.wall.cpu, books.wall.runnable];
        for (found, truth) in found.into_iter().zip([waited, done.run, done.delay]) {
            prop_assert!(found.abs_diff(truth) <= slack, "{} of {}: {:?}", found, truth, books.wall);
        }
    }

    /// Threads are read one after another, but a round is one moment: their order means nothing.
    #[test]
    fn the_order_of_threads_in_a_round_means_nothing(
        events in proptest::collection::vec(event(), 0..60),
        rotation in 0..8usize,
    ) {
        // A thread that is read twice in one round would have moved in between.
        let once = |looks: &[Look]| {
            let mut seen = std::collections::BTreeSet::new();
            looks.iter().copied().filter(|look| seen.insert(look.tid)).collect::<Vec<_>>()
        };
        let straight: Vec<Event> = events
            .into_iter()
            .map(|event| match event {
                Event::Round(looks) => Event::Round(once(&looks)),
                other => other,
            })
            .collect();
        let turned: Vec<Event> = straight
            .iter()
            .cloned()
            .map(|event| match event {
                Event::Round(mut looks) => {
                    looks.reverse();
                    let by = rotation.min(looks.len());
                    looks.rotate_left(by);
                    Event::Round(looks)
                }
                other => other,
            })
            .collect();
        prop_assert_eq!(outcome(&told(&straight).close(0)), outcome(&told(&turned).close(0)));
    }

    /// A round in which nothing is new changes nothing but the time.
    #[test]
    fn seeing_the_same_again_books_nothing(
        events in proptest::collection::vec(event(), 0..40),
        look in look(),
    ) {
        let again = Look { run: 0, delay: 0, slices: 0, ..look };
        let mut once = told(&events);
        once.tell(&Event::Round(vec![look]));
        let mut twice = told(&events);
        twice.tell(&Event::Round(vec![look]));
        twice.tell(&Event::LastWords(again));
        twice.tell(&Event::LastWords(again));
        let (once, twice) = (once.close(0), twice.close(0));
        prop_assert_eq!(&once.wall.total(), &twice.wall.total());
        let cpu = |books: &Closed| books.threads.iter().map(|thread| thread.clock.cpu()).collect::<Vec<_>>();
        prop_assert_eq!(cpu(&once), cpu(&twice));
        prop_assert_eq!(
            once.threads.iter().map(booked).collect::<Vec<_>>(),
            twice.threads.iter().map(booked).collect::<Vec<_>>()
        );
    }

    /// What went onto the tape makes the same books.
    #[test]
    fn a_tape_makes_the_same_books(events in proptest::collection::vec(event(), 0..60)) {
        let mut world = told(&[]);
        world.books = world.books.taped();
        let mut known = told(&[]);
        for event in &events {
            world.tell(event);
        }
        let books = world.close(MS);
        for observation in &books.tape {
            known.books.replay(observation.clone());
        }
        known.now = books.wall.total() - MS;
        prop_assert_eq!(outcome(&books), outcome(&known.close(MS)));
    }
}

#[test]
fn a_clock_that_goes_back_stands_still() {
    let mut world = told(&[Event::Born { tid: 1, run: 0, delay: 0, newborn: true }]);
    let reading = |run| Reading {
        tid: 1,
        counters: Counters { run, delay: 0, slices: 1 },
        seen: Seen::Active,
        under: Under::Unknown,
        stack: StackId::UNSEEN,
        quiet: None,
    };
    world.books.round(10 * MS, &[reading(10 * MS)]);
    world.books.round(4 * MS, &[reading(10 * MS)]);
    world.books.round(12 * MS, &[reading(12 * MS)]);
    let books = world.books.close(1, 0);
    assert_eq!((books.wall.total(), books.wall.cpu), (12 * MS, 12 * MS));
}

#[test]
fn a_number_given_out_twice_loses_neither_process() {
    let mut world = World::new();
    for run in [3, 4] {
        world.tell(&Event::Reused(1));
        world.tell(&Event::Pass(10 * MS));
        world.tell(&Event::Born { tid: 1, run: run * MS, delay: 0, newborn: true });
        world.tell(&Event::Round(vec![]));
        world.tell(&Event::Gone(1));
        world.tell(&Event::ProcessGone(1));
    }
    let books = world.close(0);
    assert_eq!(books.processes.values().map(|process| process.cpu).sum::<u64>(), 7 * MS);
    // The one that was there before any thread counts as well.
    assert_eq!(books.processes_summed, 2);
}

#[test]
fn threads_beyond_the_limit_are_booked_in_full() {
    let mut books = Ledger::new(CPUS);
    books.process(1, 0, 0);
    let reason = reason(WaitKind::Network, "recv", true);
    let site = books.site(1, 9, &reason, 0);
    let lives = FINISHED_KEPT as u64 + 10;
    for i in 0..lives {
        let (tid, at) = (i as i32 + 2, i * 2 * MS);
        books.thread(Birth { pid: 1, tid, at, counters: Counters::default(), newborn: true });
        let blocked = Reading {
            tid,
            counters: Counters::default(),
            seen: Seen::Blocked(site),
            under: Under::Unknown,
            stack: StackId::UNSEEN,
            quiet: None,
        };
        books.round(at, &[blocked]);
        books.round(at + MS, &[]);
        books.thread_gone(tid);
    }
    let books = books.close(1, 0);
    assert_eq!((books.threads.len(), books.threads_seen), (FINISHED_KEPT, lives));
    assert_eq!(books.folded.blocked, BTreeMap::from([(site, 10 * MS)]));
    assert_eq!(books.sites.get(site).waits.blocked, lives * MS);
}

/// A build that runs for hours: ever new processes, each with a thread that computes and waits.
#[test]
fn a_long_recording_takes_no_more_memory_than_a_short_one() {
    let reason = reason(WaitKind::Disk, "read", true);
    let mut ledger = Ledger::new(2.0);
    let mut now = 0;
    for pid in 1..30_000 {
        ledger.process(pid, 0, now);
        ledger.thread(Birth { pid, tid: pid, at: now, counters: Counters::default(), newborn: true });
        let site = ledger.site(pid, 7, &reason, 0);
        for step in 1..4 {
            now += MS;
            let counters = Counters { run: step * MS / 4, delay: 0, slices: step };
            let seen = Seen::Blocked(site);
            ledger.round(
                now,
                &[Reading {
                    tid: pid,
                    counters,
                    seen,
                    under: Under::Unknown,
                    stack: StackId::UNSEEN,
                    quiet: None,
                }],
            );
        }
        ledger.thread_gone(pid);
        ledger.process_gone(pid, now);
    }
    assert!(ledger.live.is_empty());
    assert_eq!(ledger.finished.len(), FINISHED_KEPT);
    assert!(ledger.processes.len() <= PROCESSES_KEPT + 1, "{}", ledger.processes.len());
    assert!(ledger.sites.iter().count() <= 2 * 8192 + 10, "{}", ledger.sites.iter().count());
    let segments: usize = ledger.finished.iter().map(|thread| thread.segments.list().len()).sum();
    assert!(segments <= 10 * FINISHED_SEGMENTS, "{segments}");
    // Nothing is lost for it: what was summed up is still there.
    let kept: u64 = ledger.finished.iter().map(|thread| thread.clock.cpu()).sum();
    assert_eq!(kept + ledger.folded.cpu, 29_999 * 3 * MS / 4);
    assert_eq!(ledger.processes.values().map(|process| process.cpu).sum::<u64>(), 29_999 * 3 * MS / 4);
}

#[test]
fn orphans_leave_nothing_behind() {
    let mut books = Ledger::new(CPUS);
    books.process(1, 0, 0);
    for pid in 2..50 {
        // Its parent has ended before it was seen.
        books.process(pid, 1000 + pid, 0);
        let reading = Reading {
            tid: pid,
            counters: Counters { run: MS, delay: 0, slices: 1 },
            seen: Seen::Blocked(SiteId::UNKNOWN),
            under: Under::Unknown,
            stack: StackId::UNSEEN,
            quiet: None,
        };
        books.thread(Birth { pid, tid: pid, at: 0, counters: Counters::default(), newborn: true });
        books.round(MS, &[reading]);
        books.thread_gone(pid);
        books.process_gone(pid, MS);
    }
    assert_eq!(format!("{:?}", books.children), format!("{:?}", Children::default()));
}
