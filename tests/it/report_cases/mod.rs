//! Eleven programs as the measuring edge and the adviser would describe them: the input of the golden reports.
//! Built by hand, so that the renderers are tested without either.

use boundby::advice::Advice;
use boundby::machine::Machine;
use boundby::profile::Profile;
use boundby::report::Report;

mod build;
mod programs;

/// A program, its machine and its advice, by name.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) profile: Profile,
    pub(crate) machine: Machine,
    pub(crate) advice: Advice,
}

impl Case {
    pub(crate) fn report(&self) -> Report<'_> {
        Report { profile: &self.profile, machine: &self.machine, advice: &self.advice, source: None }
    }
}

pub(crate) fn all() -> Vec<Case> {
    vec![
        programs::network_python(),
        programs::gil_threads(),
        programs::native_threads(),
        programs::idle_server(),
        programs::throttled(),
        programs::lock_bound(),
        programs::sleep_poll(),
        programs::too_short(),
        programs::inconclusive(),
        programs::fetch_then_parse(),
        programs::child_tree(),
    ]
}
