//! Reads a project's source without building it, and says what it saw. Knows no severity, no rule text, no output
//! format, no strategy.
//!
//! ```text
//! walk ─► source ─► python/ ─┐  facts of a file      names ─► callgraph ─► patterns
//!                  rust/   ─┼─► (cacheable)     ─►  whole program            │
//!                  deploy/ ─┘  local observations ──────────────────────► observations
//! ```
//!
//! What a scan learns is kept between scans where a [`cache`] is given.
//!
//! A front end turns one file into `facts` of its own language: plain, `Send`, serialisable, without a syntax tree.
//! What one file shows alone is observed there and then; what needs the whole program (a chain of calls, the target of a
//! thread in another file) is observed after names have been resolved.

pub mod baseline;
pub mod blocking;
pub mod cache;
pub mod callgraph;
pub mod changed;
pub mod config;
pub mod deploy;
mod front;
pub mod python;
pub mod rust;
pub mod source;
pub mod suppress;
mod thresholds;
pub mod walk;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use rayon::prelude::*;

use crate::catalog::Catalog;
use crate::finding::Observation;
use cache::{Cache, Digest, Facts};
use source::SourceFile;
use suppress::{Suppressions, suppressions};
pub use thresholds::Thresholds;
use walk::{Kind, Walked};

/// Enough for the deepest source a front end accepts; it is reserved, not used.
const STACK: usize = 64 << 20;

/// What a front end has from one file.
#[derive(Debug, Clone)]
pub struct Extracted<F> {
    /// What the whole-program part needs of it.
    pub facts: F,
    /// What the file shows alone.
    pub observations: Vec<Observation>,
    /// What of it could not be parsed; the rest counts.
    pub errors: Vec<SyntaxError>,
}

/// What a front end has from all files together.
#[derive(Debug, Clone, Default)]
pub struct Analysis {
    /// What only the whole program shows.
    pub observations: Vec<Observation>,
    /// Calls in the source.
    pub calls: u64,
    /// Calls of which it is known what they call.
    pub calls_resolved: u64,
    /// Functions, blocks and closures that run on an event loop.
    pub async_functions: u64,
    /// Calls of what waits or computes.
    pub costly: CostlyCalls,
}

/// Calls of what waits or computes, of each file by its path: the first and the last line, and the name in the
/// catalogue; in order.
pub type CostlyCalls = BTreeMap<Arc<str>, Vec<(u32, u32, Arc<str>)>>;

/// A stretch of a file that could not be parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// From 1.
    pub line: u32,
    /// From 1, in code points.
    pub column: u32,
    /// What is wrong, lowercase, no full stop.
    pub what: String,
}

/// A file, or a part of it, that was not understood: what is in it is not known to be clean.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Relative to the root; empty where it is not one file's.
    pub path: Arc<str>,
    /// From 1; 0 where the whole file is meant.
    pub line: u32,
    /// From 1; 0 where the whole file is meant.
    pub column: u32,
    /// What is wrong, lowercase, no full stop.
    pub what: String,
}

/// Files to scan, and those that could not be had.
#[derive(Debug, Default)]
pub struct Tree {
    /// In order of path.
    pub files: Vec<(SourceFile, Kind)>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

/// What a scan saw.
#[derive(Debug, Default)]
pub struct Scan {
    /// In order of path, place, rule and subject, each once.
    pub observations: Vec<Observation>,
    /// In order of place.
    pub problems: Vec<Problem>,
    /// Every file that was read.
    pub sources: BTreeMap<Arc<str>, (SourceFile, Kind)>,
    /// What comments take back, of each file that has such a comment.
    pub comments: BTreeMap<Arc<str>, Suppressions>,
    /// Lines of all files.
    pub lines: u64,
    /// Calls in the source, and those of which it is known what they call.
    pub calls: (u64, u64),
    /// Functions, blocks and closures that run on an event loop.
    pub async_functions: u64,
    /// Calls of what waits or computes.
    pub costly: CostlyCalls,
}

/// Follows a scan. Called from many threads.
pub trait Progress: Sync {
    /// So many files are to be read.
    fn begin(&self, files: usize);
    /// One more has been.
    fn file(&self);
}

/// Watches nothing.
#[derive(Debug, Clone, Copy)]
pub struct Unwatched;

impl Progress for Unwatched {
    fn begin(&self, _files: usize) {}
    fn file(&self) {}
}

/// How to scan.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// How many threads; as many as there are CPUs where nothing is said.
    pub threads: Option<usize>,
    /// What detectors read.
    pub thresholds: &'a Thresholds,
    /// Who watches.
    pub progress: &'a dyn Progress,
    /// What earlier scans learnt.
    pub cache: Option<&'a Cache>,
}

impl Tree {
    /// Reads what a walk found.
    #[must_use]
    pub fn read(walked: Walked) -> Self {
        let refused = walked.refused.into_iter();
        let mut problems: Vec<_> = refused.map(|(path, what)| whole_file(&path, what)).collect();
        let read: Vec<_> = walked
            .files
            .into_par_iter()
            .map(|found| match fs::read(&found.file) {
                Ok(bytes) => Self::file(&found.path, bytes, found.kind),
                Err(error) => Err(whole_file(&found.path, format!("cannot be read: {error}"))),
            })
            .collect();
        let mut files = Vec::with_capacity(read.len());
        for file in read {
            match file {
                Ok(file) => files.push(file),
                Err(problem) => problems.push(problem),
            }
        }
        Self { files, problems }
    }

    /// The bytes of one file as source.
    ///
    /// # Errors
    /// Why it is none.
    pub fn file(path: &str, bytes: Vec<u8>, kind: Kind) -> Result<(SourceFile, Kind), Problem> {
        let source = SourceFile::new(path, bytes).map_err(|why| whole_file(path, why.to_string()))?;
        Ok((source, kind))
    }
}

fn whole_file(path: &str, what: String) -> Problem {
    Problem { path: path.into(), line: 0, column: 0, what }
}

/// Scans files that have been read. The same files give the same scan, whatever the number of threads and whatever is
/// known from earlier ones.
///
/// # Errors
/// The system gives no threads.
pub fn scan<'c>(
    read: impl FnOnce() -> Tree + Send,
    options: &Options<'_>,
    catalog: impl FnOnce() -> &'c Catalog + Send,
) -> Result<Scan, rayon::ThreadPoolBuildError> {
    let threads = options.threads.unwrap_or(0);
    let pool = rayon::ThreadPoolBuilder::new().stack_size(STACK).num_threads(threads).build()?;
    Ok(pool.install(|| in_pool(read(), options, catalog)))
}

fn in_pool<'c>(tree: Tree, options: &Options<'_>, catalog: impl FnOnce() -> &'c Catalog) -> Scan {
    let Tree { files, problems } = tree;
    let mut scan = match options.cache {
        None => look(&files, options, catalog(), None),
        Some(cache) => {
            let keys = cache.keys(&files);
            cache.recall(&keys).unwrap_or_else(|| {
                let facts = cache.facts();
                let scan = look(&files, options, catalog(), Some((&facts, &keys)));
                facts.write(&keys);
                cache.keep(&keys, &scan);
                scan
            })
        }
    };
    scan.problems.extend(problems);
    scan.problems.sort();
    scan.comments = comments(&files);
    scan.sources = files.into_iter().map(|file| (Arc::clone(&file.0.path), file)).collect();
    scan
}

/// What the contents of the files show, and nothing else does.
fn look(
    files: &[(SourceFile, Kind)],
    options: &Options<'_>,
    catalog: &Catalog,
    known: Option<(&Facts, &[Digest])>,
) -> Scan {
    options.progress.begin(files.len());
    let (mut scan, (deployed, lines)) = rayon::join(
        || languages(files, options, catalog, known),
        || rayon::join(|| deploy::observe(files, options.thresholds), || lines(files)),
    );
    scan.observations.extend(deployed);
    scan.observations.sort_by(|a, b| order(a).cmp(&order(b)));
    scan.observations.dedup();
    scan.lines = lines;
    scan
}

fn comments(files: &[(SourceFile, Kind)]) -> BTreeMap<Arc<str>, Suppressions> {
    let all = files.par_iter().map(|(file, kind)| (Arc::clone(&file.path), suppressions(file, *kind)));
    all.filter(|(_, found)| !found.is_empty()).collect()
}

fn lines(files: &[(SourceFile, Kind)]) -> u64 {
    files.par_iter().map(|(file, _)| u64::from(file.lines())).sum()
}

/// What the front ends see.
fn languages(
    files: &[(SourceFile, Kind)],
    options: &Options<'_>,
    catalog: &Catalog,
    known: Option<(&Facts, &[Digest])>,
) -> Scan {
    let mut scan = Scan::default();
    for front in front::LANGUAGES {
        let key = |at: usize| known.map(|(_, keys)| keys[at]);
        let of_it = files.iter().enumerate().filter(|(_, (_, kind))| *kind == Kind::Source(front.language));
        let files: Vec<_> = of_it.map(|(at, (file, _))| (file, key(at))).collect();
        if files.is_empty() {
            continue;
        }
        let (progress, thresholds) = (options.progress, options.thresholds);
        let known = known.map(|(facts, _)| facts);
        let part = (front.run)(&front::Work { files, catalog, thresholds, progress, known });
        scan.observations.extend(part.analysis.observations);
        scan.problems.extend(part.problems);
        scan.calls.0 += part.analysis.calls;
        scan.calls.1 += part.analysis.calls_resolved;
        scan.async_functions += part.analysis.async_functions;
        scan.costly.extend(part.analysis.costly);
    }
    scan
}

fn order(seen: &Observation) -> (&str, (u32, u32), &str, &str, &str) {
    (&seen.place.path, seen.place.bytes, seen.rule, &seen.subject, &seen.symbol)
}
