//! What keeps a number of workers from being faster.

use crate::advice::model::{Costs, Networks, Work, mva::Station, wall};
use crate::advice::types::Strategy;

/// What binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binds {
    /// More workers would be faster.
    Workers,
    /// There is a worker for every item.
    Items,
    /// The longest item.
    LongestItem,
    /// The lock of the interpreter.
    InterpreterLock,
    /// The cores.
    Cores,
    /// The thread that runs the event loop.
    Loop,
    /// Sending items to worker processes.
    Sending,
    /// A lock of the program.
    CriticalSection,
    /// What the other side takes.
    Downstream,
    /// Starting the workers.
    StartUp,
}

impl Binds {
    /// The name in JSON and text.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Workers => "workers",
            Self::Items => "tasks",
            Self::LongestItem => "longest task",
            Self::InterpreterLock => "interpreter lock",
            Self::Cores => "cores",
            Self::Loop => "event loop",
            Self::Sending => "sending tasks",
            Self::CriticalSection => "critical section",
            Self::Downstream => "downstream limit",
            Self::StartUp => "start-up",
        }
    }
}

/// The stations of a strategy by name, in the order in which [`Networks::of`] makes them.
pub(super) fn stations(strategy: Strategy, gil: bool, loops: f64) -> &'static [Binds] {
    match strategy {
        Strategy::Threads if gil => &[Binds::Cores, Binds::InterpreterLock],
        Strategy::Async if loops <= 1.0 => &[Binds::Loop],
        Strategy::Processes => &[Binds::Cores, Binds::Sending],
        _ => &[Binds::Cores],
    }
}

/// What binds `workers` workers that take `point`.
pub(super) fn of(
    networks: &Networks,
    names: &[Binds],
    work: &Work,
    workers: usize,
    point: wall::Point,
    costs: &Costs,
) -> Binds {
    if point.start > point.time / 2.0 {
        return Binds::StartUp;
    }
    let steady = networks.throughput(workers).last().copied().unwrap_or(f64::INFINITY);
    let full = |station: &Station| station.servers / station.demand.max(f64::MIN_POSITIVE);
    let stations = networks.stations.iter().zip(names).map(|(station, name)| (full(station), *name));
    let held = (work.held > 0.0).then(|| (1.0 / work.held, Binds::CriticalSection));
    let nearest = stations.chain(held).min_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((_, name)) = nearest.filter(|(full, _)| steady >= costs.about_as_good * full) {
        return name;
    }
    if workers as u64 >= work.items {
        return Binds::Items;
    }
    if point.time - point.start <= work.longest * (1.0 + 1e-6) {
        return Binds::LongestItem;
    }
    Binds::Workers
}
