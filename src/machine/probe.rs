//! The spin probe: how many cores' worth of work this machine gives when all its CPUs compute at once.
//!
//! Counting CPUs overstates that: two hardware threads share one core, a virtual CPU may be half a real one, the
//! clock drops when all cores are busy. Knows nothing of the program under measurement.

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A round is a slice with one thread and a slice with all: long enough to outlast a scheduler tick (4 ms at
/// 250 Hz), short enough that several rounds fit into the budget.
const SLICE: Duration = Duration::from_millis(7);
/// The start of each slice is not counted: the load balancer is still finding a CPU for each thread.
const WARM_UP: Duration = Duration::from_micros(1500);
/// Steps of the spin loop between two looks at the clock: some 20 µs.
const CHUNK: u32 = 8192;

/// Measures the parallel capacity in cores: `threads` times the speed of a thread while `threads` of them compute,
/// over the speed of one that computes alone. Between 1 and `threads`, which should be the number of CPUs the target
/// may use; 1 by definition for one thread.
///
/// Speed is work per wall time in which the scheduler let the thread run. So time on a shared core, time stolen by a
/// hypervisor and a lower clock count as lost capacity, but what *other programs* or a CPU quota take do not: they
/// come and go, the profile measures them as `runnable` and `throttled`, and with them the result would depend on
/// the moment. Slices with one and with all threads alternate, so that a slow drift of the clock spoils neither, and
/// the median slice of each sort counts: a hypervisor that takes a CPU away for some milliseconds, as it does now and
/// then, spoils a slice and not the result.
///
/// The loop is integer arithmetic with enough independent work to fill a core, so that hardware threads of one core
/// show as what they are. It does not load memory: programs bound by memory bandwidth get less than this.
///
/// Takes up to `budget` of wall time on all CPUs (80 ms are plenty), so it must not run beside the program that is
/// measured; the caller is not held longer by threads the scheduler keeps waiting. `None`: the budget is too small
/// for two rounds, the threads could not be started, or too little of them ran to tell.
#[must_use]
pub fn probe_capacity(threads: u32, budget: Duration) -> Option<f64> {
    if threads <= 1 {
        return Some(1.0);
    }
    let end = Instant::now() + budget;
    let crew = Crew::hire(threads)?;
    let mut rounds = 0;
    while Instant::now() + 2 * SLICE <= end {
        crew.run(1);
        crew.run(threads);
        rounds += 1;
    }
    if rounds < 2 { None } else { crew.result(threads) }
}

fn capacity(slices: &[Slice], threads: u32) -> Option<f64> {
    let speed = |members: u32| median(slices.iter().filter(|slice| slice.members == members));
    let ratio = speed(threads)? / speed(1)?;
    Some((ratio * f64::from(threads)).clamp(1.0, f64::from(threads)))
}

/// The median speed of slices; `None`: in none of them enough was done to tell.
fn median<'a>(slices: impl Iterator<Item = &'a Slice>) -> Option<f64> {
    let mut speeds: Vec<f64> = slices.filter_map(|slice| slice.work.speed()).collect();
    speeds.sort_by(f64::total_cmp);
    let middle = speeds.len() / 2;
    match speeds.len() {
        0 => None,
        even if even % 2 == 0 => Some(f64::midpoint(speeds[middle - 1], speeds[middle])),
        _ => Some(speeds[middle]),
    }
}

/// What the threads of one slice did together.
#[derive(Debug, Clone, Copy)]
struct Slice {
    number: u64,
    members: u32,
    work: Work,
}

/// Work done in a slice and the time threads were on a CPU for it.
#[derive(Debug, Clone, Copy, Default)]
struct Work {
    chunks: u64,
    time: Duration,
}

impl Work {
    /// Chunks per second on a CPU; `None` for too little work to tell.
    fn speed(self) -> Option<f64> {
        const FEWEST: u64 = 20;
        (self.chunks >= FEWEST && !self.time.is_zero()).then(|| self.chunks as f64 / self.time.as_secs_f64())
    }
}

/// Threads that wait for a slice of work. They end when the crew is dropped, and are not waited for: one that the
/// scheduler keeps off its CPU must not delay a report.
struct Crew(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    order: Order,
    slices: Vec<Slice>,
}

impl State {
    /// What one thread did in a slice joins what the others did in it.
    fn add(&mut self, Order { number, members, .. }: Order, work: Work) {
        match self.slices.iter_mut().find(|slice| slice.number == number) {
            Some(slice) => {
                slice.work.chunks += work.chunks;
                slice.work.time += work.time;
            }
            None => self.slices.push(Slice { number, members, work }),
        }
    }
}

#[derive(Clone, Copy)]
struct Order {
    number: u64,
    members: u32,
    from: Instant,
    until: Instant,
    dismissed: bool,
}

impl Crew {
    fn hire(threads: u32) -> Option<Self> {
        let now = Instant::now();
        let order = Order { number: 0, members: 0, from: now, until: now, dismissed: false };
        let state = Mutex::new(State { order, slices: Vec::new() });
        let crew = Self(Arc::new(Shared { state, changed: Condvar::new() }));
        for index in 0..threads {
            let shared = Arc::clone(&crew.0);
            let builder = thread::Builder::new().name("boundby-probe".to_owned()).stack_size(64 << 10);
            builder.spawn(move || shared.serve(index)).ok()?;
        }
        Some(crew)
    }

    /// Lets `members` threads work for one slice.
    fn run(&self, members: u32) {
        let start = Instant::now();
        self.0.give(|state| {
            state.order.number += 1;
            state.order.members = members;
            state.order.from = start + WARM_UP;
            state.order.until = start + SLICE;
        });
        thread::sleep(SLICE);
    }

    /// What was handed in so far. Threads that never got a CPU are missing, with their work and with their time.
    fn result(&self, threads: u32) -> Option<f64> {
        let state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        capacity(&state.slices, threads)
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.0.give(|state| state.order.dismissed = true);
    }
}

impl Shared {
    fn give(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    fn serve(&self, index: u32) {
        let queue = RunQueue::of_this_thread();
        let mut seen = 0;
        while let Some(order) = self.next(seen) {
            seen = order.number;
            if index < order.members {
                let work = carry_out(&order, &queue);
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                state.add(order, work);
            }
        }
    }

    fn next(&self, seen: u64) -> Option<Order> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = |state: &mut State| state.order.number == seen && !state.order.dismissed;
        let state = self.changed.wait_while(state, waiting).unwrap_or_else(PoisonError::into_inner);
        (!state.order.dismissed).then_some(state.order)
    }
}

fn carry_out(order: &Order, queue: &RunQueue) -> Work {
    while Instant::now() < order.from {
        spin();
    }
    let (start, queued) = (Instant::now(), queue.waited());
    let (mut now, mut chunks) = (start, 0);
    while now < order.until {
        spin();
        chunks += 1;
        now = Instant::now();
    }
    let time = (now - start).saturating_sub(queue.waited().saturating_sub(queued));
    Work { chunks, time }
}

/// How long a thread has been ready without a CPU, from its scheduler statistics; zero where there are none.
struct RunQueue(Option<File>);

impl RunQueue {
    fn of_this_thread() -> Self {
        Self(File::open("/proc/thread-self/schedstat").ok())
    }

    fn waited(&self) -> Duration {
        let mut buffer = [0; 128];
        let length = self.0.as_ref().and_then(|file| file.read_at(&mut buffer, 0).ok()).unwrap_or(0);
        let text = std::str::from_utf8(&buffer[..length]).unwrap_or_default();
        let nanos = text.split_whitespace().nth(1).and_then(|field| field.parse().ok());
        Duration::from_nanos(nanos.unwrap_or(0))
    }
}

/// Four independent chains of multiply, shift and add: one chain would leave most of a core idle, and a second
/// hardware thread would look like a second core.
fn spin() {
    let mut lanes = black_box([1_u64, 2, 3, 4]);
    for _ in 0..CHUNK {
        for lane in &mut lanes {
            *lane = (*lane ^ (*lane >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9).wrapping_add(1);
        }
    }
    black_box(lanes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacity_lies_between_one_core_and_all_threads() {
        let cpus = thread::available_parallelism().map_or(1, |count| count.get() as u32);
        let capacity = probe_capacity(cpus, Duration::from_millis(300)).unwrap();
        assert!((1.0..=f64::from(cpus)).contains(&capacity), "{capacity} cores on {cpus} CPUs");
    }

    #[test]
    fn one_thread_is_one_core_and_a_budget_for_one_round_is_none() {
        assert_eq!(probe_capacity(1, Duration::ZERO), Some(1.0));
        assert_eq!(probe_capacity(2, SLICE * 3), None);
    }

    /// Slices of one thread and of two in turn, by chunks per second.
    fn slices(speeds: &[(u64, u64)]) -> Vec<Slice> {
        let slice = |members, chunks| {
            let work = Work { chunks, time: Duration::from_secs(1) };
            Slice { number: 0, members, work }
        };
        speeds.iter().flat_map(|(alone, together)| [slice(1, *alone), slice(2, *together)]).collect()
    }

    #[test]
    fn capacity_is_a_ratio_of_speeds_and_stays_possible() {
        let cores = |alone, together| capacity(&slices(&[(alone, together)]), 2).unwrap();
        assert!((cores(1000, 900) - 1.8).abs() < 1e-9);
        assert!((cores(1000, 1100) - 2.0).abs() < 1e-9);
        assert!((cores(1000, 400) - 1.0).abs() < 1e-9);
        assert_eq!(capacity(&slices(&[(0, 1000)]), 2), None);
        assert_eq!(capacity(&[], 2), None);
    }

    #[test]
    fn a_slice_that_a_hypervisor_spoils_does_not_count() {
        let steady = [(1000, 950); 5];
        let mut spoiled = steady;
        (spoiled[1].1, spoiled[3].0) = (500, 400);
        assert_eq!(capacity(&slices(&spoiled), 2), capacity(&slices(&steady), 2));
    }

    #[test]
    fn what_threads_do_in_one_slice_is_added_up() {
        let now = Instant::now();
        let order = |number| Order { number, members: 2, from: now, until: now, dismissed: false };
        let mut state = State { order: order(0), slices: Vec::new() };
        let work = Work { chunks: 30, time: Duration::from_millis(5) };
        for number in [1, 1, 2] {
            state.add(order(number), work);
        }
        let done: Vec<u64> = state.slices.iter().map(|slice| slice.work.chunks).collect();
        assert_eq!(done, [60, 30]);
    }

    #[test]
    fn too_little_work_has_no_speed() {
        assert_eq!(Work { chunks: 3, time: Duration::from_millis(1) }.speed(), None);
        assert_eq!(Work { chunks: 300, time: Duration::ZERO }.speed(), None);
        assert_eq!(Work { chunks: 300, time: Duration::from_millis(100) }.speed(), Some(3000.0));
    }
}
