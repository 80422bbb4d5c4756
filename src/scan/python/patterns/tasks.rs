//! Tasks, queues and opportunities: what is dropped or unbounded on a loop, and what could overlap.

mod across;
mod cancellation;
mod carried;
mod computing;
mod definitions;
mod fan_out;
mod lazy;
mod lost;
mod needless;
mod overlap;
mod polling;
mod queues;
mod sentinels;

use super::{Pattern, Visit};

/// The detectors.
pub(super) const PATTERNS: &[Pattern] = &[
    Pattern { rules: &["dropped-task"], visit: Visit::Call(lost::dropped) },
    Pattern { rules: &["coroutine-never-awaited"], visit: Visit::Call(lost::never_awaited) },
    Pattern { rules: &["gather-exceptions-ignored"], visit: Visit::Call(lost::exceptions_ignored) },
    Pattern {
        rules: &["offload-called-not-passed", "offload-of-coroutine", "lazy-iterator-offloaded"],
        visit: Visit::Call(lost::offloaded),
    },
    Pattern { rules: &["swallowed-cancellation"], visit: Visit::Statement(cancellation::swallowed) },
    Pattern { rules: &["shielded-resource"], visit: Visit::Call(cancellation::shielded) },
    Pattern {
        rules: &["unbounded-queue", "get-without-sentinel", "task-done-missing", "too-few-sentinels"],
        visit: Visit::Module(queues::queues),
    },
    Pattern { rules: &["loop-carried-call"], visit: Visit::Statement(carried::in_loop) },
    Pattern { rules: &["loop-carried-call"], visit: Visit::Function(carried::in_function) },
    Pattern { rules: &["await-in-loop"], visit: Visit::Call(overlap::awaits) },
    Pattern {
        rules: &["blocking-loop-to-threads", "fetch-then-compute"],
        visit: Visit::Call(overlap::blocks),
    },
    Pattern { rules: &["cpu-loop-to-processes"], visit: Visit::Call(computing::loops) },
    Pattern { rules: &["poll-loop"], visit: Visit::Statement(polling::polls) },
    Pattern { rules: &["unbounded-fan-out"], visit: Visit::Call(fan_out::unbounded) },
    Pattern { rules: &["async-without-await"], visit: Visit::Function(needless::without_await) },
    Pattern { rules: &["sequential-awaits"], visit: Visit::Function(needless::sequential) },
    Pattern { rules: &["asyncio-primitive-across-loops"], visit: Visit::Call(across::primitives) },
];
