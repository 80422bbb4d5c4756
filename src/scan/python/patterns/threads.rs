//! Threads and locks: what is shared without a lock, what a lock is held over, threads that never end.

use super::Pattern;

/// The detectors.
pub(super) const PATTERNS: &[Pattern] = &[];
