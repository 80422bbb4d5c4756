//! The code that boundby proposes, for real: every snippet of Python runs, every one of Rust is compiled and runs, each with
//! a small job around it whose results are checked; those for engines of several computers run on the engine itself.
//!
//! `BOUNDBY_ENGINES=install` installs the engines that are missing into a directory of their own under the target
//! directory; without it they are skipped, and it is said. `BLESS=1` writes the snippets into the files of Rust.

#[path = "snippets/engines.rs"]
mod engines;
#[path = "snippets/entry.rs"]
mod entry;
#[path = "snippets/python.rs"]
mod python;
#[path = "snippets/rust.rs"]
mod rust;

use boundby::rules::RuleSet;

use crate::entry::{Fixture, fixtures};

/// Runs what is skipped past whoever runs the tests.
fn say(text: &str) {
    use std::io::Write as _;
    // A test's own output is captured, and a reason nobody reads is none.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Every snippet of a language is in some file here, under the facts that call for it.
#[test]
fn no_snippet_is_left_out() {
    let rules = RuleSet::builtin().unwrap();
    for (language, directories) in [
        ("python", &["fixtures/snippets/python", "fixtures/snippets/engines"][..]),
        ("rust", &["tests/snippets/rust"]),
    ] {
        let all: Vec<Fixture> = directories.iter().flat_map(|directory| fixtures(directory)).collect();
        let tried: Vec<_> = all.iter().map(|fixture| fixture.realisation(&rules, language)).collect();
        for one in rules.realisations().iter().filter(|one| one.lang == language && one.snippet.is_some()) {
            let is_tried = tried.iter().any(|tried| std::ptr::eq(*tried, one));
            assert!(is_tried, "{language}: no file tries `{}`", one.construct.text());
        }
    }
}
