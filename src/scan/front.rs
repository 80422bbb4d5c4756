//! The languages the scan reads, and how a front end is driven: files in parallel, then the whole program.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rayon::prelude::*;

use super::source::SourceFile;
use super::{Analysis, Extracted, Problem, Progress, Thresholds, python, rust};
use crate::catalog::{Catalog, Language};

/// What a front end has to say of its files.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) analysis: Analysis,
    pub(super) problems: Vec<Problem>,
}

/// A row of the table.
pub(super) struct FrontEnd {
    pub(super) language: Language,
    pub(super) run: fn(&[&SourceFile], &Catalog, &Thresholds, &dyn Progress) -> Part,
}

/// Every language; a new one is a row here.
pub(super) const LANGUAGES: &[FrontEnd] = &[
    FrontEnd {
        language: Language::Python,
        run: |files, catalog, thresholds, progress| {
            let extract = |file: &SourceFile| python::extract(file, catalog, thresholds);
            drive(files, progress, extract, |facts| python::analyse(facts, catalog))
        },
    },
    FrontEnd {
        language: Language::Rust,
        run: |files, catalog, _, progress| {
            let extract = |file: &SourceFile| rust::extract(file, catalog);
            drive(files, progress, extract, |facts| rust::analyse(facts, catalog))
        },
    },
];

/// Files into facts, facts into what the whole program shows.
fn drive<F: Send>(
    files: &[&SourceFile],
    progress: &dyn Progress,
    extract: impl Fn(&SourceFile) -> Extracted<F> + Sync,
    analyse: impl Fn(&[F]) -> Analysis,
) -> Part {
    let extracted: Vec<_> = files
        .par_iter()
        .map(|file| {
            // A mistake of ours about one file must not cost what is known of all others.
            let extracted = catch_unwind(AssertUnwindSafe(|| extract(file)));
            progress.file();
            extracted
        })
        .collect();
    let mut part = Part::default();
    let mut facts = Vec::with_capacity(files.len());
    for (file, extracted) in files.iter().zip(extracted) {
        let Ok(extracted) = extracted else {
            let what = "boundby failed on this file: please report it".to_owned();
            part.problems.push(Problem { path: Arc::clone(&file.path), line: 0, column: 0, what });
            continue;
        };
        facts.push(extracted.facts);
        part.analysis.observations.extend(extracted.observations);
        part.problems.extend(extracted.errors.into_iter().map(|error| Problem {
            path: Arc::clone(&file.path),
            line: error.line,
            column: error.column,
            what: error.what,
        }));
    }
    let whole = analyse(&facts);
    facts.into_par_iter().for_each(drop);
    let observations = std::mem::take(&mut part.analysis.observations);
    part.analysis = whole;
    part.analysis.observations.extend(observations);
    part
}
