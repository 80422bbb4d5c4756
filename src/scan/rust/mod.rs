//! Rust source: from files to observations, without a toolchain.
//!
//! ```text
//! parse ─► extract ─► facts │ names ─► values ─► program ─► detect ─► observations
//!       one file            │            the whole program
//! ```
//!
//! Nothing expands macros and nothing infers types as the compiler does: a name is followed through modules and imports,
//! a value through constructors, fields, parameters and what functions say they return. What cannot be followed is
//! unknown, and the unknown is silent.

mod calls;
mod detect;
mod extract;
pub mod facts;
mod held;
mod names;
mod parse;
mod program;
mod span;
mod values;
mod vocabulary;

pub use facts::FileFacts;

use super::source::SourceFile;
use super::{Analysis, Extracted, SyntaxError};
use crate::catalog::Catalog;

/// Reads one file. Any text will do: what cannot be parsed is an error in the result, and no facts.
#[must_use]
pub fn extract(file: &SourceFile, _catalog: &Catalog) -> Extracted<FileFacts> {
    let (facts, errors) = match parse::parse(&file.text, |tree, skipped| extract::facts(file, tree, skipped))
    {
        Ok(facts) => (facts, Vec::new()),
        Err(error) => {
            let (line, column) = file.position(error.offset);
            (FileFacts::of(&file.path), vec![SyntaxError { line, column, what: error.what }])
        }
    };
    Extracted { facts, observations: Vec::new(), errors }
}

/// What all files together show. The same files in the same order give the same observations.
#[must_use]
pub fn analyse(files: &[FileFacts], catalog: &Catalog) -> Analysis {
    let names = names::Names::new(files, catalog);
    let program = program::Program::new(values::Values::new(names, catalog));
    let (mut observations, costly) = calls::observe(&program);
    for detector in detect::DETECTORS {
        detector(&program, &mut observations);
    }
    observations.sort_by(|a, b| {
        let key = |seen: &crate::finding::Observation| {
            (seen.place.path.clone(), seen.place.bytes, seen.rule, seen.subject.clone())
        };
        key(a).cmp(&key(b))
    });
    observations.dedup_by(|a, b| a.rule == b.rule && a.place == b.place && a.subject == b.subject);
    let (calls, calls_resolved) = calls::resolved(&program);
    let async_functions =
        program.functions().filter(|id| program.function(*id).marks.is_async).count() as u64;
    Analysis { observations, calls, calls_resolved, async_functions, costly }
}

#[cfg(test)]
mod tests;
