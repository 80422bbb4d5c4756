//! Threads and locks: what is shared without a lock, what a lock is held over, threads that never end.
//!
//! Most of these questions are about functions of the file together: who runs in a thread, what is held meanwhile.
//! So the file is read once, into a [`model::Model`], and only if it speaks of threads at all.

mod brokers;
mod forks;
mod locks;
mod model;
mod shared;
mod starts;

use ruff_python_ast::Stmt;

use super::{Pattern, Visit};
use crate::scan::python::context::Context;

/// The detectors.
pub(super) const PATTERNS: &[Pattern] = &[Pattern {
    rules: &[
        "ack-off-thread",
        "check-then-act",
        "connection-shared-across-threads",
        "double-lock",
        "endless-thread-without-stop",
        "fork-after-threads",
        "lock-order-inversion",
        "lock-without-with",
        "pool-appends-to-one-file",
        "prefetch-not-workers",
        "thread-args-not-tuple",
        "thread-lock-across-await",
        "thread-target-called",
        "unlocked-shared-update",
    ],
    visit: Visit::Module(module),
}];

fn module<'a>(context: &mut Context<'a>, body: &'a [Stmt]) {
    if !context.file.text.contains("hread") {
        return;
    }
    let model = model::Model::of(context, body);
    locks::observe(context, &model);
    starts::observe(context, &model);
    shared::observe(context, &model);
    brokers::observe(context, &model);
    forks::observe(context, &model);
}
