//! Trace-driven prediction: a discrete-event simulation of N workers over the recorded items.
//!
//! One first-in-first-out lock (the interpreter's, an event loop, or the dispatcher of a process pool), cores that
//! whoever computes gets in turns, waits that overlap freely. It gets tails and convoys right where the closed form
//! assumes random service.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

use super::{Costs, Host, Work, network};
use crate::advice::types::Strategy;

/// What one item does, in this order; seconds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Item {
    /// Under the lock, to hand the item out.
    pub dispatch: f64,
    /// Blocked.
    pub wait: f64,
    /// CPU under the lock.
    pub locked: f64,
    /// CPU outside it.
    pub free: f64,
}

/// Consecutive recorded items that look alike, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recorded {
    /// Number of items, at least 1.
    pub count: u64,
    /// Wait of each.
    pub wait: f64,
    /// CPU of each under the interpreter lock.
    pub cpu_gil: f64,
    /// CPU of each outside it.
    pub cpu_native: f64,
}

/// The workload of one strategy, ready to be run with any number of workers.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    items: Vec<Item>,
    /// Items of the program; more than `items` when the recording was thinned.
    total: u64,
    cores: f64,
    quantum: f64,
    slice: f64,
}

/// Items simulated; longer recordings are thinned evenly and the steady rate carries the rest.
const SIMULATED: u64 = 1000;
/// As many rounds of all workers are simulated even so, so that the end weighs no more than it does in truth.
const ROUNDS: u64 = 8;
/// Items simulated whatever the number of workers.
const SIMULATED_AT_MOST: u64 = 8000;
/// Hand-offs of the lock simulated at most, so that long computations do not cost a step per 5 ms.
const HAND_OFFS: f64 = 10_000.0;

impl Replay {
    /// Prepares the recording for `strategy` with about `workers` workers. `None` for strategies that are not a pool, and without items.
    #[must_use]
    pub fn of(
        strategy: Strategy,
        recorded: &[Recorded],
        work: &Work,
        host: &Host,
        costs: &Costs,
        batch: u64,
        workers: usize,
    ) -> Option<Self> {
        let sample = thinned(recorded, work, SIMULATED.max(ROUNDS * workers as u64).min(SIMULATED_AT_MOST));
        if sample.is_empty() {
            return None;
        }
        let (parent, worker) = network::process_overhead(work, costs, batch);
        let shape = |one: &Recorded| {
            let cpu = one.cpu_gil + one.cpu_native;
            match strategy {
                Strategy::Threads if host.gil => Some(Item {
                    wait: one.wait,
                    locked: one.cpu_gil + costs.thread_item,
                    free: one.cpu_native,
                    ..Item::default()
                }),
                Strategy::Threads => {
                    Some(Item { wait: one.wait, free: cpu + costs.native_item, ..Item::default() })
                }
                Strategy::Async if host.loops > 1.0 => {
                    Some(Item { wait: one.wait, free: cpu + costs.async_item, ..Item::default() })
                }
                Strategy::Async => {
                    Some(Item { wait: one.wait, locked: cpu + costs.async_item, ..Item::default() })
                }
                Strategy::Processes => {
                    Some(Item { dispatch: parent, wait: one.wait, free: cpu + worker, ..Item::default() })
                }
                Strategy::Sequential | Strategy::Hybrid | Strategy::Distributed => None,
            }
        };
        let items: Vec<Item> = sample.iter().map(shape).collect::<Option<_>>()?;
        let locked: f64 = items.iter().map(|item| item.locked).sum();
        // An event loop and a dispatcher do not take turns by the clock; a global lock does.
        let preemptive = strategy == Strategy::Threads && host.gil;
        let quantum = if preemptive { costs.gil_quantum.max(locked / HAND_OFFS) } else { f64::INFINITY };
        let free: f64 = items.iter().map(|item| item.free).sum();
        let slice = costs.cpu_slice.max(free / HAND_OFFS);
        Some(Self { items, total: work.items.max(1), cores: host.cores, quantum, slice })
    }

    /// Wall time of all items with `workers` workers, without start-up.
    #[must_use]
    pub fn time(&self, workers: usize) -> f64 {
        let workers = workers.clamp(1, self.items.len());
        let mut run = Run::new(&self.items, self.cores, self.quantum, self.slice);
        let end = run.finish(workers);
        let missing = self.total.saturating_sub(self.items.len() as u64) as f64;
        if missing == 0.0 {
            return end;
        }
        // The steady rate between two whole rounds carries the items that were thinned out.
        let n = self.items.len();
        let first = workers * (n / (2 * workers));
        let last = workers * ((n - 1) / workers);
        let each = if last > first {
            (run.taken[last] - run.taken[first]) / (last - first) as f64
        } else {
            end / n as f64
        };
        end + missing * each
    }
}

/// At most `limit` items, evenly taken, scaled so that they carry the same mean demands as the work.
fn thinned(recorded: &[Recorded], work: &Work, limit: u64) -> Vec<Recorded> {
    let total: u64 = recorded.iter().map(|one| one.count).sum();
    if total == 0 {
        return Vec::new();
    }
    let wanted = total.min(limit);
    let mut sample = Vec::with_capacity(wanted as usize);
    let mut passed = 0_u64;
    let mut next = 0_u64;
    for one in recorded {
        passed += one.count;
        while next < wanted && next * total / wanted < passed {
            sample.push(Recorded { count: 1, ..*one });
            next += 1;
        }
    }
    let n = sample.len() as f64;
    let scale = |mean: f64, sum: f64| if sum > 0.0 { mean * n / sum } else { 0.0 };
    let wait = scale(work.wait, sample.iter().map(|one| one.wait).sum());
    let gil = scale(work.cpu_gil, sample.iter().map(|one| one.cpu_gil).sum());
    let native = scale(work.cpu_native, sample.iter().map(|one| one.cpu_native).sum());
    for one in &mut sample {
        one.wait *= wait;
        one.cpu_gil *= gil;
        one.cpu_native *= native;
    }
    sample
}

/// A point in time (or in service) at which a worker goes on; ordered so that a heap yields the earliest.
#[derive(Debug, Clone, Copy)]
struct Due {
    at: f64,
    worker: usize,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.total_cmp(&self.at).then(other.worker.cmp(&self.worker))
    }
}

#[derive(Debug, Clone, Copy)]
struct Claim {
    worker: usize,
    left: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    Dispatch,
    Wait,
    Locked,
    Free,
}

/// One simulation.
struct Run<'a> {
    items: &'a [Item],
    cores: f64,
    quantum: f64,
    slice: f64,
    now: f64,
    /// Service a computing thread would have received since the start, had it computed all the time.
    served: f64,
    waiting: BinaryHeap<Due>,
    /// Whose turn on a core ends when; at most one for each core.
    computing: BinaryHeap<Due>,
    /// Who waits for a core, with the CPU time still needed.
    ready: VecDeque<Claim>,
    /// CPU time each worker still needs after its present turn.
    left: Vec<f64>,
    holder: Option<Claim>,
    turn_left: f64,
    queue: VecDeque<Claim>,
    /// Item and phase of each worker.
    at: Vec<(usize, Phase)>,
    /// When each item was taken.
    taken: Vec<f64>,
}

impl<'a> Run<'a> {
    fn new(items: &'a [Item], cores: f64, quantum: f64, slice: f64) -> Self {
        Self {
            items,
            cores,
            quantum,
            slice,
            now: 0.0,
            served: 0.0,
            waiting: BinaryHeap::new(),
            computing: BinaryHeap::new(),
            ready: VecDeque::new(),
            left: Vec::new(),
            holder: None,
            turn_left: quantum,
            queue: VecDeque::new(),
            at: Vec::new(),
            taken: Vec::with_capacity(items.len()),
        }
    }

    fn finish(&mut self, workers: usize) -> f64 {
        for worker in 0..workers {
            self.at.push((0, Phase::Dispatch));
            self.left.push(0.0);
            self.take(worker);
        }
        while self.step() {}
        self.now
    }

    /// Lets a worker take the next item, if there is one.
    fn take(&mut self, worker: usize) {
        let item = self.taken.len();
        if item < self.items.len() {
            self.taken.push(self.now);
            self.at[worker] = (item, Phase::Dispatch);
            self.enter(worker);
        }
    }

    /// Starts the phase a worker is in, skipping phases without duration.
    fn enter(&mut self, worker: usize) {
        loop {
            let (item, phase) = self.at[worker];
            let todo = self.items[item];
            match phase {
                Phase::Dispatch if todo.dispatch > 0.0 => return self.claim(worker, todo.dispatch),
                Phase::Dispatch => self.at[worker].1 = Phase::Wait,
                Phase::Wait if todo.wait > 0.0 => {
                    return self.waiting.push(Due { at: self.now + todo.wait, worker });
                }
                Phase::Wait => self.at[worker].1 = Phase::Locked,
                Phase::Locked if todo.locked > 0.0 => return self.claim(worker, todo.locked),
                Phase::Locked => self.at[worker].1 = Phase::Free,
                Phase::Free if todo.free > 0.0 => {
                    self.ready.push_back(Claim { worker, left: todo.free });
                    return self.fill_cores();
                }
                Phase::Free => {
                    let next = self.taken.len();
                    if next >= self.items.len() {
                        return;
                    }
                    self.taken.push(self.now);
                    self.at[worker] = (next, Phase::Dispatch);
                }
            }
        }
    }

    /// Gives free cores to those who are ready, first come first served.
    fn fill_cores(&mut self) {
        // The holder of the lock computes on one of the cores.
        let held = usize::from(self.holder.is_some());
        let free = (self.cores.ceil().max(1.0) as usize).saturating_sub(held).max(1);
        while self.computing.len() < free {
            let Some(Claim { worker, left }) = self.ready.pop_front() else { return };
            let turn = left.min(self.slice);
            self.left[worker] = left - turn;
            self.computing.push(Due { at: self.served + turn, worker });
        }
    }

    fn claim(&mut self, worker: usize, left: f64) {
        let claim = Claim { worker, left };
        if self.holder.is_none() {
            self.holder = Some(claim);
            self.turn_left = self.quantum;
        } else {
            // The holder's turn is counted from the first request.
            if self.queue.is_empty() {
                self.turn_left = self.quantum;
            }
            self.queue.push_back(claim);
        }
    }

    fn pass_on(&mut self) {
        self.holder = self.queue.pop_front();
        self.turn_left = self.quantum;
        self.fill_cores();
    }

    /// Goes to the next event; `false` when nothing is left.
    fn step(&mut self) -> bool {
        let running = self.computing.len() + usize::from(self.holder.is_some());
        let speed = if running == 0 { 1.0 } else { (self.cores / running as f64).min(1.0) };
        let wake = self.waiting.peek().map_or(f64::INFINITY, |due| due.at - self.now);
        let done = self.computing.peek().map_or(f64::INFINITY, |due| (due.at - self.served) / speed);
        let release = self.holder.map_or(f64::INFINITY, |claim| claim.left / speed);
        let turn = if self.queue.is_empty() { f64::INFINITY } else { self.turn_left };
        let ahead = wake.min(done).min(release).min(turn);
        if !ahead.is_finite() {
            return false;
        }
        let ahead = ahead.max(0.0);
        self.now += ahead;
        self.served += ahead * speed;
        if !self.queue.is_empty() {
            self.turn_left -= ahead;
        }
        if let Some(claim) = &mut self.holder {
            claim.left -= ahead * speed;
        }
        if wake <= ahead {
            if let Some(due) = self.waiting.pop() {
                self.at[due.worker].1 = Phase::Locked;
                self.enter(due.worker);
            }
        } else if done <= ahead {
            if let Some(Due { worker, .. }) = self.computing.pop() {
                let left = self.left[worker];
                if left > 0.0 {
                    self.ready.push_back(Claim { worker, left });
                } else {
                    self.take(worker);
                }
                self.fill_cores();
            }
        } else if release <= ahead {
            if let Some(claim) = self.holder {
                self.pass_on();
                let phase = &mut self.at[claim.worker].1;
                *phase = if *phase == Phase::Dispatch { Phase::Wait } else { Phase::Free };
                self.enter(claim.worker);
            }
        } else if let Some(claim) = self.holder.take() {
            self.queue.push_back(claim);
            self.pass_on();
        }
        true
    }
}
