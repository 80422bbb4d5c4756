//! What queues where under each strategy: the networks whose minimum is the throughput.

use super::mva::Station;
use super::server::Shape;
use super::{Costs, Work};
use crate::advice::types::Strategy;

/// What the model needs to know of the machine and the runtime.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Host {
    /// Cores really to be had, above 0.
    pub cores: f64,
    /// Whether one lock serialises the language's code.
    pub gil: bool,
    /// Threads an event loop of the runtime computes on.
    pub loops: f64,
}

/// A strategy as queueing networks and ceilings. Throughput is the minimum over all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Networks {
    /// Closed networks.
    pub stations: Vec<Station>,
    /// Items per second that cannot be exceeded whatever the number of workers: a critical section, a disk.
    pub ceilings: Vec<f64>,
    /// Start-up: seconds before the first worker works, and seconds per worker.
    pub start: Start,
}

/// Start-up of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Start {
    fixed: f64,
    each: f64,
    many_from: f64,
    each_of_many: f64,
}

impl Start {
    /// Seconds to start `workers` workers.
    #[must_use]
    pub fn seconds(&self, workers: usize) -> f64 {
        let n = workers as f64;
        self.fixed + self.each * n.min(self.many_from) + self.each_of_many * (n - self.many_from).max(0.0)
    }
}

impl Networks {
    /// The networks of `strategy`; `batch` items travel together to a process (1: each alone). `None` for
    /// strategies that are not a pool of workers.
    #[must_use]
    pub fn of(strategy: Strategy, work: &Work, host: &Host, costs: &Costs, batch: u64) -> Option<Self> {
        let Work { wait, cpu_gil, cpu_native, .. } = *work;
        let cores = host.cores;
        let station = |delay, demand, servers| Station { delay, demand, servers };
        let (stations, start) = match strategy {
            Strategy::Threads if host.gil => (
                vec![
                    station(wait, cpu_gil + costs.thread_item + cpu_native, cores),
                    station(wait + cpu_native, cpu_gil + costs.thread_item, 1.0_f64.min(cores)),
                ],
                Start {
                    fixed: 0.0,
                    each: costs.thread_start,
                    many_from: costs.threads_many,
                    each_of_many: costs.thread_start_many,
                },
            ),
            Strategy::Threads => (
                vec![station(wait, work.cpu() + costs.native_item, cores)],
                Start { each: costs.native_thread_start, many_from: f64::INFINITY, ..Start::default() },
            ),
            Strategy::Async => (
                // Everything that is not awaited is service on the loop.
                vec![station(wait, work.cpu() + costs.async_item, host.loops.min(cores))],
                Start { fixed: costs.async_start, ..Start::default() },
            ),
            Strategy::Processes => {
                let (parent, worker) = process_overhead(work, costs, batch);
                (
                    vec![
                        station(wait, work.cpu() + parent + worker, cores),
                        station(wait + work.cpu() + worker, parent, 1.0_f64.min(cores)),
                    ],
                    Start {
                        fixed: costs.process_pool_start,
                        each: costs.process_start,
                        many_from: f64::INFINITY,
                        each_of_many: 0.0,
                    },
                )
            }
            Strategy::Sequential | Strategy::Hybrid | Strategy::Distributed => return None,
        };
        let mut ceilings = Vec::new();
        if work.held > 0.0 {
            ceilings.push(1.0 / work.held);
        }
        if work.disk > 0.0 {
            ceilings.push(costs.disk_depth.max(1.0) / work.disk);
        }
        Some(Self { stations, ceilings, start })
    }

    /// Several processes with threads in each: as threads, with a lock in every process. Workers are the threads.
    #[must_use]
    pub fn of_shape(shape: Shape, work: &Work, host: &Host, costs: &Costs) -> Self {
        let threads = Self::of(Strategy::Threads, work, host, costs, 1);
        let Self { mut stations, ceilings, start } =
            threads.unwrap_or(Self { stations: Vec::new(), ceilings: Vec::new(), start: Start::default() });
        // The second station of threads under a lock is that lock.
        if let (true, Some(lock)) = (host.gil, stations.get_mut(1)) {
            lock.servers = (shape.processes as f64).min(host.cores);
        }
        let processes = costs.process_pool_start + costs.process_start * shape.processes as f64;
        let fixed = if shape.processes > 1 { processes } else { 0.0 };
        Self { stations, ceilings, start: Start { fixed: start.fixed + fixed, ..start } }
    }

    /// Throughput with 1 … `workers` workers.
    #[must_use]
    pub fn throughput(&self, workers: usize) -> Vec<f64> {
        let mut out = vec![f64::INFINITY; workers];
        for station in &self.stations {
            for (least, rate) in out.iter_mut().zip(station.throughput(workers)) {
                *least = least.min(rate);
            }
        }
        for rate in &mut out {
            *rate = self.under_ceilings(*rate);
        }
        out
    }

    /// Best case with `workers` workers.
    #[must_use]
    pub fn optimistic(&self, workers: usize) -> f64 {
        let least = self.stations.iter().map(|s| s.optimistic(workers)).fold(f64::INFINITY, f64::min);
        self.under_ceilings(least)
    }

    /// Lock-step worst case with `workers` workers.
    #[must_use]
    pub fn pessimistic(&self, workers: usize) -> f64 {
        let least = self.stations.iter().map(|s| s.pessimistic(workers)).fold(f64::INFINITY, f64::min);
        self.under_ceilings(least)
    }

    /// Workers from which on more of them do not help, in steady state.
    #[must_use]
    pub fn saturation(&self) -> f64 {
        self.stations.iter().map(Station::saturation).fold(f64::INFINITY, f64::min)
    }

    fn under_ceilings(&self, rate: f64) -> f64 {
        self.ceilings.iter().copied().fold(rate, f64::min)
    }
}

/// CPU per item in the parent and in the worker of a process pool.
#[must_use]
pub fn process_overhead(work: &Work, costs: &Costs, batch: u64) -> (f64, f64) {
    let together = batch.max(1) as f64;
    let each = if batch > 1 { costs.process_item_batched } else { 0.0 };
    let parent = costs.process_item_parent / together + each + work.payload / costs.parent_bandwidth.max(1.0);
    let worker = costs.process_item_worker / together + each + work.payload / costs.worker_bandwidth.max(1.0);
    (parent, worker)
}

/// Items per batch for a process pool of `workers`: large enough to hide the overhead of sending one, small
/// enough that the last batches do not leave workers idle.
#[must_use]
pub fn batch_size(work: &Work, costs: &Costs, workers: usize) -> u64 {
    let item = work.cpu() + work.wait;
    if item <= 0.0 {
        return 1;
    }
    let hiding = (costs.batch_overhead * costs.process_item_parent / item).ceil();
    let balanced = (work.items as f64 / (costs.batches_per_worker * workers.max(1) as f64)).ceil();
    hiding.clamp(1.0, balanced.max(1.0)) as u64
}
