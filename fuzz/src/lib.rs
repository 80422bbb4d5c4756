//! What every target does with its input: a scan of one file from memory, with everything a scan of a project runs but
//! reading the disk.

use std::sync::LazyLock;

use boundby::catalog::Catalog;
use boundby::rules::source::SourceRules;
use boundby::scan::walk::kind_by_name;
use boundby::scan::{self, Options, Thresholds, Tree, Unwatched};

static THRESHOLDS: LazyLock<Thresholds> =
    LazyLock::new(|| SourceRules::builtin().expect("the built-in rules are right").options().collect());

/// Scans one file of this name.
pub fn scan_file(name: &str, bytes: &[u8]) {
    let kind = kind_by_name(name.as_ref()).expect("a name that is scanned");
    let Ok(file) = Tree::file(name, bytes.to_vec(), kind) else { return };
    let tree = Tree { files: vec![file], problems: Vec::new() };
    let options = Options { threads: Some(1), thresholds: &THRESHOLDS, progress: &Unwatched, cache: None };
    let scan = scan::scan(|| tree, &options, Catalog::builtin).expect("a thread");
    let (resolved, calls) = (scan.calls.1, scan.calls.0);
    assert!(resolved <= calls, "{resolved} of {calls} calls resolved");
    let lines = bytes.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() + 1;
    for seen in &scan.observations {
        assert!(seen.place.line as usize <= lines, "{} stands behind the end", seen.rule);
    }
}
