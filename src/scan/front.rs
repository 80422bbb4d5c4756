//! The languages the scan reads, and how a front end is driven: files in parallel, then the whole program.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rayon::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::cache::{Digest, Facts};
use super::source::SourceFile;
use super::{Analysis, Extracted, Problem, Progress, Thresholds, python, rust};
use crate::catalog::{Catalog, Language};

/// What a front end is given.
pub(super) struct Work<'a> {
    /// The files of its language; each with its key, where facts are kept.
    pub(super) files: Vec<(&'a SourceFile, Option<Digest>)>,
    pub(super) catalog: &'a Catalog,
    pub(super) thresholds: &'a Thresholds,
    pub(super) progress: &'a dyn Progress,
    /// What is known of files already.
    pub(super) known: Option<&'a Facts>,
}

/// What a front end has to say of its files.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) analysis: Analysis,
    pub(super) problems: Vec<Problem>,
}

/// A row of the table.
pub(super) struct FrontEnd {
    pub(super) language: Language,
    pub(super) run: fn(&Work<'_>) -> Part,
}

/// Every language; a new one is a row here.
pub(super) const LANGUAGES: &[FrontEnd] = &[
    FrontEnd {
        language: Language::Python,
        run: |work| {
            let extract = |file: &SourceFile| python::extract(file, work.catalog, work.thresholds);
            drive(work, extract, |facts| python::analyse(facts, work.catalog))
        },
    },
    FrontEnd {
        language: Language::Rust,
        run: |work| {
            let extract = |file: &SourceFile| rust::extract(file, work.catalog);
            drive(work, extract, |facts| rust::analyse(facts, work.catalog))
        },
    },
];

/// Files into facts, facts into what the whole program shows.
fn drive<F: Send + Serialize + DeserializeOwned>(
    work: &Work<'_>,
    extract: impl Fn(&SourceFile) -> Extracted<F> + Sync,
    analyse: impl Fn(&[F]) -> Analysis,
) -> Part {
    let known = |key: Option<Digest>| Some((work.known?, key?));
    let extracted: Vec<_> = work
        .files
        .par_iter()
        .map(|(file, key)| {
            let known = known(*key);
            let extracted = known.and_then(|(facts, key)| facts.recall(key, file)).map_or_else(
                || {
                    // A mistake of ours about one file must not cost what is known of all others.
                    let extracted = catch_unwind(AssertUnwindSafe(|| extract(file)));
                    if let (Some((facts, key)), Ok(extracted)) = (known, &extracted) {
                        facts.keep(key, extracted);
                    }
                    extracted
                },
                Ok,
            );
            work.progress.file();
            extracted
        })
        .collect();
    let mut part = Part::default();
    let mut facts = Vec::with_capacity(extracted.len());
    for ((file, _), extracted) in work.files.iter().zip(extracted) {
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
