//! What is wrong, or could be better, in a Rust program. Each detector asks the [`Program`](super::program::Program) and
//! gives observations; none knows how bad they are.

mod channels;
mod guards;
mod loops;
mod order;
mod select;
mod sequential;
mod tasks;
mod under_lock;

use crate::finding::{Mitigation, Observation, Place};

use super::names::FunctionId;
use super::program::Program;

/// A detector.
type Detector = fn(&Program<'_>, &mut Vec<Observation>);

/// Every detector.
pub(super) const DETECTORS: &[Detector] = &[
    guards::detect,
    order::detect,
    under_lock::detect,
    tasks::detect,
    channels::detect,
    loops::detect,
    select::detect,
    sequential::detect,
];

/// An observation of something that one place shows.
fn observe(
    program: &Program<'_>,
    rule: &'static str,
    id: FunctionId,
    place: Place,
    subject: &str,
) -> Observation {
    let mut mitigations = Vec::new();
    if program.is_test(id) {
        mitigations.push(Mitigation::Test);
    }
    Observation { mitigations, ..Observation::new(rule, place, program.name(id), subject.into()) }
}
