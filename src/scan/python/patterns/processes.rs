//! Processes and executors: what is pickled, how pools are sized, whose results are lost.

use super::Pattern;

/// The detectors.
pub(super) const PATTERNS: &[Pattern] = &[];
