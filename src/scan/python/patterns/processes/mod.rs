//! Processes and executors: what is pickled, how pools are sized, whose results are lost.

mod children;
mod handed;
mod lifetime;
mod pools;
mod queues;
mod reads;
mod results;
mod tasks;
mod uses;

use super::{Pattern, Visit};

/// The detectors.
pub(super) const PATTERNS: &[Pattern] = &[
    Pattern { rules: &["preexec-fn"], visit: Visit::Call(children::preexec) },
    Pattern { rules: &["zombie-process"], visit: Visit::Call(children::zombie) },
    Pattern {
        rules: &["pool-never-closed", "executor-never-shut-down"],
        visit: Visit::Call(lifetime::never_closed),
    },
    Pattern { rules: &["pool-per-call"], visit: Visit::Call(lifetime::made_in_a_loop) },
    Pattern { rules: &["missing-main-guard"], visit: Visit::Call(lifetime::unguarded) },
    Pattern { rules: &["submit-result-dropped", "map-never-consumed"], visit: Visit::Call(results::dropped) },
    Pattern { rules: &["result-without-timeout"], visit: Visit::Call(results::without_timeout) },
    Pattern { rules: &["default-pool-for-many-waits"], visit: Visit::Call(lifetime::default_pool) },
    Pattern { rules: &["as-completed-in-order"], visit: Visit::Statement(results::in_order) },
    Pattern { rules: &["unpicklable-to-process-pool"], visit: Visit::Call(handed::unpicklable) },
    Pattern { rules: &["large-argument-pickled"], visit: Visit::Call(handed::large_argument) },
    Pattern { rules: &["tiny-tasks-in-process-pool"], visit: Visit::Call(tasks::tiny) },
    Pattern { rules: &["processes-for-io"], visit: Visit::Call(tasks::only_waits) },
    Pattern { rules: &["nested-pools"], visit: Visit::Call(tasks::makes_a_pool) },
    Pattern { rules: &["pool-deadlock"], visit: Visit::Call(tasks::waits_for_its_own_pool) },
    Pattern { rules: &["global-mutated-in-worker"], visit: Visit::Call(handed::mutates_global) },
    Pattern { rules: &["queue-empty-polled"], visit: Visit::Call(queues::polled) },
    Pattern { rules: &["join-before-drain"], visit: Visit::Call(queues::joined) },
];
