//! The model asked about work that is stated in numbers instead of measured: every strategy with every number of
//! workers, a pipeline, a server. Pure; knows no flags and no words but those of the model.

mod binds;
mod pipeline;
mod pool;
mod server;

pub use super::model::distribution::Distribution;
pub use super::model::pipeline::Stage;
pub use super::model::server::{Served, Shape};
pub use super::model::{Costs, Host, Work};
pub use binds::Binds;
pub use pipeline::{Pipeline, Widened, pipeline};
pub use pool::{Guide, Modelled, Point, Shown, Simulation, simulate};
pub use server::{Arrivals, Serving, serve};

use super::model::replay::Recorded;
use super::types::Strategy;

/// Items up to which those that differ are followed one by one; more are reckoned with the closed form.
const FOLLOWED: u64 = 10_000;
/// Lengths that stand for all of a distribution.
const SAMPLED: u64 = 1000;

/// Work as it is stated.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// What one item costs.
    pub work: Work,
    /// Their lengths where they differ, in order; empty: all alike, or too many to be followed.
    lengths: Vec<Recorded>,
    /// The machine and the runtime.
    pub host: Host,
    /// Items that the other side takes at once.
    pub downstream: Option<u64>,
}

impl Scenario {
    /// Items that are alike.
    #[must_use]
    pub fn new(work: Work, host: Host) -> Self {
        let longest = work.longest.max(work.wait + work.cpu());
        Self { work: Work { longest, ..work }, lengths: Vec::new(), host, downstream: None }
    }

    /// Each item waits as long as it is listed to; the number of items is that of the list.
    #[must_use]
    pub fn with_waits(mut self, waits: &[f64]) -> Self {
        let n = waits.len().max(1) as f64;
        let mean = waits.iter().sum::<f64>() / n;
        let spread = (waits.iter().map(|wait| (wait - mean).powi(2)).sum::<f64>() / n).sqrt();
        let whole = mean + self.work.cpu();
        let longest = waits.iter().copied().fold(0.0, f64::max) + self.work.cpu();
        let cv = if whole > 0.0 { spread / whole } else { 0.0 };
        self.work = Work { items: waits.len().max(1) as u64, wait: mean, cv, longest, ..self.work };
        self.lengths = waits.iter().map(|wait| self.recorded(1, *wait, 1.0)).collect();
        self
    }

    /// Items whose lengths are distributed so.
    #[must_use]
    pub fn with_distribution(mut self, distribution: Distribution, cv: f64) -> Self {
        let Work { items, .. } = self.work;
        if cv <= 0.0 || items < 2 {
            return self;
        }
        let whole = self.work.wait + self.work.cpu();
        self.work.cv = cv;
        self.work.longest = whole * distribution.longest(items, cv);
        if items <= FOLLOWED {
            let lengths = distribution.sample(items.min(SAMPLED) as usize, cv);
            let n = lengths.len() as u64;
            // Each stands for as many items as the others, but for the rest of the division.
            let stands_for = |i: u64| items / n + u64::from(i < items % n);
            self.lengths = lengths
                .iter()
                .zip(0..)
                .map(|(length, i)| self.recorded(stands_for(i), self.work.wait * length, *length))
                .collect();
            let longest = lengths.iter().copied().fold(1.0, f64::max);
            self.work.longest = whole * longest;
        }
        self
    }

    fn recorded(&self, count: u64, wait: f64, length: f64) -> Recorded {
        Recorded {
            count,
            wait,
            cpu_gil: self.work.cpu_gil * length,
            cpu_native: self.work.cpu_native * length,
        }
    }

    /// Wall time of everything one after another.
    #[must_use]
    pub fn sequential(&self) -> f64 {
        self.work.serial + self.work.sequential()
    }
}

/// The host as stated: a language and its cores.
#[must_use]
pub fn host(language: &str, gil: bool, cores: f64) -> Host {
    Host { cores, gil, loops: super::work::loops_of(language, cores) }
}

/// Effort of a change, in steps; the numbers are the rules'.
fn effort(strategy: Strategy, costs: &Costs) -> f64 {
    match strategy {
        Strategy::Sequential | Strategy::Distributed => 0.0,
        Strategy::Threads => costs.effort_threads,
        Strategy::Processes => costs.effort_processes,
        Strategy::Hybrid => costs.effort_hybrid,
        Strategy::Async => costs.effort_async,
    }
}
