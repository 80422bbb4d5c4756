//! Files that start workers: how many, of which kind, and whether that fits where they run.

use super::Thresholds;
use super::source::SourceFile;
use super::walk::Kind;
use crate::finding::Observation;

/// What the files show together.
pub(super) fn observe(_files: &[(SourceFile, Kind)], _thresholds: &Thresholds) -> Vec<Observation> {
    Vec::new()
}
