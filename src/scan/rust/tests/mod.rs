//! Small programs with marks: `//~ rule` stands on the line where an observation of that rule is due, and nothing is
//! due anywhere else.

mod blocking;
mod guards;
mod names;
mod robust;
mod structure;

use super::{analyse, extract};
use crate::catalog::Catalog;
use crate::finding::Observation;
use crate::scan::source::SourceFile;

const NUMBERS: &str = "mutex-atomic";

/// What a project of these files (path, text) shows.
fn observe(files: &[(&str, &str)]) -> Vec<Observation> {
    let catalog = Catalog::builtin();
    let facts: Vec<_> = files
        .iter()
        .map(|(path, text)| {
            let file = SourceFile::new(path, text.as_bytes().to_vec()).unwrap();
            let extracted = extract(&file, catalog);
            assert_eq!(extracted.errors, [], "{path}");
            extracted.facts
        })
        .collect();
    analyse(&facts, catalog).observations
}

/// Marks and observations agree, line by line.
fn check(files: &[(&str, &str)]) {
    let mut due = Vec::new();
    for (path, text) in files {
        for (at, line) in text.lines().enumerate() {
            if let Some((_, rules)) = line.split_once("//~") {
                due.extend(rules.split_whitespace().map(|rule| (*path, at as u32 + 1, rule)));
            }
        }
    }
    let observations = observe(files);
    // Locks around a number keep the programs short; one program is about them.
    let about_numbers = due.iter().any(|(.., rule)| *rule == NUMBERS);
    let mut seen: Vec<(&str, u32, &str)> = observations
        .iter()
        .map(|seen| (&*seen.place.path, seen.place.line, seen.rule))
        .filter(|(.., rule)| about_numbers || *rule != NUMBERS)
        .collect();
    due.sort_unstable();
    seen.sort_unstable();
    assert_eq!(seen, due, "seen, due");
}

/// One file that is a library of its own.
fn check_one(text: &str) {
    check(&[("src/lib.rs", text)]);
}
