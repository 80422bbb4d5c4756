//! Tasks, queues and opportunities: what is dropped or unbounded on a loop, and what could overlap.

use super::Pattern;

/// The detectors.
pub(super) const PATTERNS: &[Pattern] = &[];
