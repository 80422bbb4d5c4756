//! The prediction model: from what one item of work costs to the wall time of every strategy and worker count.
//!
//! Pure arithmetic over seconds, bytes and counts. Must not know facts, rules, profiles or words: `predict` asks,
//! this answers. Coefficients come from `rules/model.yaml` through [`Costs`]; none is written here.

pub mod choose;
pub mod costs;
pub mod distribution;
#[cfg(test)]
mod laws;
pub mod mva;
pub mod network;
pub mod pipeline;
pub mod replay;
pub mod server;
pub mod wall;

pub use choose::{Cap, Choice};
pub use costs::Costs;
pub use network::{Host, Networks};
pub use wall::{Curve, Point};

/// What one program's dominating repeated work costs. Times are seconds per item unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Work {
    /// Number of items, at least 1.
    pub items: u64,
    /// Blocked on something outside the program; others could run meanwhile. Includes `disk`.
    pub wait: f64,
    /// The part of `wait` that queues at a disk.
    pub disk: f64,
    /// CPU while holding the interpreter lock; zero for runtimes without one.
    pub cpu_gil: f64,
    /// CPU outside it.
    pub cpu_native: f64,
    /// Time inside a critical section that only one worker may enter.
    pub held: f64,
    /// Coefficient of variation of an item's duration.
    pub cv: f64,
    /// The longest item.
    pub longest: f64,
    /// Bytes that cross a process boundary, both directions.
    pub payload: f64,
    /// Wall time of the program outside the items, in all.
    pub serial: f64,
}

impl Work {
    /// CPU of one item.
    #[must_use]
    pub fn cpu(&self) -> f64 {
        self.cpu_gil + self.cpu_native
    }

    /// The same work if an item took `share` of its CPU.
    #[must_use]
    pub fn computing(&self, share: f64) -> Self {
        Self { cpu_gil: share * self.cpu_gil, cpu_native: share * self.cpu_native, ..*self }
    }

    /// All items one after another, without the rest of the program.
    #[must_use]
    pub fn sequential(&self) -> f64 {
        self.items as f64 * (self.wait + self.cpu())
    }
}
