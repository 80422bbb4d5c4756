//! Processes and executors: what is pickled, how pools are sized, whose results are lost.

mod children;
mod globals;
mod handed;
mod lifetime;
pub(super) mod pools;
mod queues;
mod reads;
mod results;
mod sizes;
mod tasks;
mod uses;

use ruff_python_ast::ExprCall;

use super::{Pattern, Visit};
use crate::catalog::Offload;
use crate::scan::python::context::Context;

/// The detectors.
pub(super) const PATTERNS: &[Pattern] = &[
    Pattern { rules: &["preexec-fn"], visit: Visit::Call(children::preexec) },
    Pattern { rules: &["zombie-process"], visit: Visit::Call(children::zombie) },
    Pattern {
        rules: &["pool-never-closed", "executor-never-shut-down"],
        visit: Visit::Call(lifetime::never_closed),
    },
    Pattern { rules: &["pool-per-call"], visit: Visit::Call(lifetime::made_in_a_loop) },
    Pattern { rules: &["workers-exceed-cores"], visit: Visit::Call(sizes::too_many) },
    Pattern { rules: &["missing-main-guard"], visit: Visit::Call(lifetime::unguarded) },
    Pattern { rules: &["result-without-timeout"], visit: Visit::Call(results::without_timeout) },
    Pattern { rules: &["default-pool-for-many-waits"], visit: Visit::Call(lifetime::default_pool) },
    Pattern { rules: &["as-completed-in-order"], visit: Visit::Statement(results::in_order) },
    Pattern {
        rules: &[
            "submit-result-dropped",
            "map-never-consumed",
            "unpicklable-to-process-pool",
            "large-argument-pickled",
            "tiny-tasks-in-process-pool",
            "processes-for-io",
            "nested-pools",
            "pool-deadlock",
            "global-mutated-in-worker",
        ],
        visit: Visit::Call(handed),
    },
    Pattern { rules: &["global-mutated-in-worker"], visit: Visit::Call(globals::of_process) },
    Pattern { rules: &["queue-empty-polled"], visit: Visit::Call(queues::polled) },
    Pattern { rules: &["join-before-drain"], visit: Visit::Call(queues::joined) },
];

/// A call that hands a function to a pool: which that is, is found out once for all who ask.
fn handed<'a>(context: &mut Context<'a>, call: &'a ExprCall) {
    let Some(task) = pools::handed(context, call) else { return };
    results::dropped(context, call, &task);
    tasks::makes_a_pool(context, &task);
    tasks::waits_for_its_own_pool(context, &task);
    if task.to == Offload::Process {
        handed::unpicklable(context, call, &task);
        handed::large_argument(context, call, &task);
        tasks::tiny(context, call, &task);
        tasks::only_waits(context, call, &task);
        globals::of_task(context, call, &task);
    }
}
