//! Tasks, queues and opportunities: what is dropped or unbounded on a loop, and what could overlap.

mod cancellation;
mod definitions;
mod lost;

use super::{Pattern, Visit};

/// The detectors.
pub(super) const PATTERNS: &[Pattern] = &[
    Pattern { rules: &["dropped-task"], visit: Visit::Call(lost::dropped) },
    Pattern { rules: &["coroutine-never-awaited"], visit: Visit::Call(lost::never_awaited) },
    Pattern { rules: &["gather-exceptions-ignored"], visit: Visit::Call(lost::exceptions_ignored) },
    Pattern {
        rules: &["offload-called-not-passed", "offload-of-coroutine"],
        visit: Visit::Call(lost::offloaded),
    },
    Pattern { rules: &["swallowed-cancellation"], visit: Visit::Statement(cancellation::swallowed) },
    Pattern { rules: &["shielded-resource"], visit: Visit::Call(cancellation::shielded) },
];
