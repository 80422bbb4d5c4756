//! A server: which processes and threads an arrival rate needs, and what other shapes would make of it.

use super::Scenario;
use crate::advice::model::Costs;
use crate::advice::model::server::{self, Served, Shape};

/// What arrives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrivals {
    /// Requests per second.
    pub rate: f64,
    /// Seconds within which most should be answered.
    pub latency: Option<f64>,
}

/// What a server needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Serving {
    /// The arrivals.
    pub arrivals: Arrivals,
    /// Requests in flight on average (Little's law), and slots to have for them.
    pub busy: f64,
    /// See `busy`.
    pub slots: f64,
    /// Shapes by size, the advised one among them.
    pub shapes: Vec<Served>,
    /// Place of the smallest that keeps up and answers in time; `None`: none does.
    pub advised: Option<usize>,
    /// Requests per second that this computer can compute at most.
    pub most: f64,
    /// Computers like this one that it takes.
    pub machines: f64,
}

/// Reckons a server; `stated` are shapes that the reader wants to see.
#[must_use]
pub fn serve(scenario: &Scenario, arrivals: Arrivals, stated: &[Shape], costs: &Costs) -> Serving {
    let Scenario { work, host, .. } = scenario;
    let Arrivals { rate, latency } = arrivals;
    let limit = scenario.downstream.map(|limit| limit as f64);
    let (busy, slots) = server::slots(work, rate, costs);
    let best = server::smallest(work, host, rate, latency, limit, costs);
    let in_time = best.response.is_some_and(|(_, tail)| latency.is_none_or(|latency| tail <= latency));
    let Shape { processes, threads } = best.shape;
    let around = [
        Shape { processes: 1, threads: best.shape.slots() },
        Shape { processes, threads: (threads / 2).max(1) },
        Shape { processes, threads: threads * 2 },
        Shape { processes: processes * 2, threads: (threads / 2).max(1) },
    ];
    let allowed = |shape: &Shape| limit.is_none_or(|limit| shape.slots() as f64 <= limit);
    let mut shapes: Vec<Shape> = if stated.is_empty() { around.to_vec() } else { stated.to_vec() };
    shapes.retain(|shape| !stated.is_empty() || allowed(shape));
    shapes.push(best.shape);
    shapes.sort_by_key(|shape| (shape.processes, shape.threads));
    shapes.dedup();
    let served = |shape: &Shape| server::served(work, host, *shape, rate, costs);
    let processes_most = if host.gil { host.cores.ceil().max(1.0) as usize } else { 1 };
    Serving {
        arrivals,
        busy,
        slots,
        advised: shapes.iter().position(|shape| *shape == best.shape).filter(|_| in_time),
        shapes: shapes.iter().map(served).collect(),
        most: server::most(work, host, processes_most),
        machines: server::machines(work, host, rate, costs),
    }
}
