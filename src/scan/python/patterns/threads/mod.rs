//! Threads and locks: what is shared without a lock, what a lock is held over, threads that never end, and those that
//! are no good for what they do.
//!
//! Most of these questions are about functions of the file together: who runs in a thread, what is held meanwhile.
//! So the file is read once, into a [`model::Model`], and only if it speaks of threads at all.

mod brokers;
mod computing;
mod daemons;
mod forks;
mod locals;
mod locks;
mod model;
mod shared;
mod starts;

use ruff_python_ast::Stmt;
use ruff_text_size::TextRange;

use super::{Pattern, Visit};
use crate::scan::python::context::Context;
use crate::scan::python::scope::ScopeId;

/// The detectors.
pub(super) const PATTERNS: &[Pattern] = &[Pattern {
    rules: &[
        "ack-off-thread",
        "check-then-act",
        "connection-shared-across-threads",
        "daemon-thread-writes",
        "double-lock",
        "endless-thread-without-stop",
        "fork-after-threads",
        "lock-order-inversion",
        "lock-per-call",
        "lock-without-with",
        "pool-appends-to-one-file",
        "prefetch-not-workers",
        "thread-args-not-tuple",
        "thread-local-read-elsewhere",
        "thread-lock-across-await",
        "thread-target-called",
        "threads-for-cpu-bound",
        "unlocked-shared-update",
    ],
    visit: Visit::Module(module),
}];

fn module<'a>(context: &mut Context<'a>, body: &'a [Stmt]) {
    if !context.mentions("hread") {
        return;
    }
    let model = model::Model::of(context, body);
    locks::observe(context, &model);
    starts::observe(context, &model);
    shared::observe(context, &model);
    brokers::observe(context, &model);
    forks::observe(context, &model);
    daemons::observe(context, &model);
    locals::observe(context, &model);
    computing::observe(context, &model);
}

/// Reports at a node that stands in this scope.
fn tell(
    context: &mut Context<'_>,
    rule: &'static str,
    (scope, range): (ScopeId, TextRange),
    subject: &str,
    facts: Vec<(&'static str, String)>,
) {
    let outer = std::mem::replace(&mut context.scope, scope);
    let mut seen = context.observation(rule, range, subject);
    seen.facts = facts;
    context.observe(seen);
    context.scope = outer;
}
