//! What is kept, as bytes and back. Knows the format; what does not fit it is not there.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::wire::Observations;
use crate::scan::source::SourceFile;
use crate::scan::{CostlyCalls, Extracted, Problem, Scan, SyntaxError};

#[derive(Serialize, Deserialize)]
struct OfFile<F> {
    facts: F,
    observations: Observations,
    /// Line, column, what.
    errors: Vec<(u32, u32, String)>,
}

#[derive(Serialize, Deserialize)]
struct OfScan {
    observations: Observations,
    /// Path, line, column, what.
    problems: Vec<(String, u32, u32, String)>,
    lines: u64,
    calls: (u64, u64),
    async_functions: u64,
    costly: CostlyCalls,
}

pub(super) fn of_extracted<F: Serialize>(extracted: &Extracted<F>) -> Option<Vec<u8>> {
    let errors = extracted.errors.iter().map(|error| (error.line, error.column, error.what.clone()));
    let observations = Observations::of(&extracted.observations);
    postcard::to_allocvec(&OfFile { facts: &extracted.facts, observations, errors: errors.collect() }).ok()
}

pub(super) fn extracted_of<F: DeserializeOwned>(bytes: &[u8], file: &SourceFile) -> Option<Extracted<F>> {
    let OfFile { facts, observations, errors } = postcard::from_bytes::<OfFile<F>>(bytes).ok()?;
    let observations = observations.read(Some(&file.path))?;
    let errors = errors.into_iter().map(|(line, column, what)| SyntaxError { line, column, what });
    Some(Extracted { facts, observations, errors: errors.collect() })
}

pub(super) fn of_scan(scan: &Scan) -> Option<Vec<u8>> {
    let problem = |problem: &Problem| {
        let Problem { path, line, column, what } = problem;
        (path.to_string(), *line, *column, what.clone())
    };
    postcard::to_allocvec(&OfScan {
        observations: Observations::of(&scan.observations),
        problems: scan.problems.iter().map(problem).collect(),
        lines: scan.lines,
        calls: scan.calls,
        async_functions: scan.async_functions,
        costly: scan.costly.clone(),
    })
    .ok()
}

pub(super) fn scan_of(bytes: &[u8]) -> Option<Scan> {
    let OfScan { observations, problems, lines, calls, async_functions, costly } =
        postcard::from_bytes(bytes).ok()?;
    let problem = |(path, line, column, what): (String, u32, u32, String)| Problem {
        path: Arc::from(path),
        line,
        column,
        what,
    };
    Some(Scan {
        observations: observations.read(None)?,
        problems: problems.into_iter().map(problem).collect(),
        lines,
        calls,
        async_functions,
        costly,
        ..Scan::default()
    })
}
