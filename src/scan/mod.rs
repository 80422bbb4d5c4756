//! Reads a project's source without building it, and says what it saw. Knows no severity, no rule text, no output
//! format, no strategy.
//!
//! ```text
//! walk ─► source ─► python/ ─┐  facts of a file      names ─► callgraph ─► patterns
//!                  rust/   ─┼─► (cacheable)     ─►  whole program            │
//!                  deploy/ ─┘  local observations ──────────────────────► observations
//! ```
//!
//! A front end turns one file into [`facts`] of its own language: plain, `Send`, serialisable, without a syntax tree.
//! What one file shows alone is observed there and then; what needs the whole program (a chain of calls, the target of a
//! thread in another file) is observed after names have been resolved.

pub mod blocking;
pub mod callgraph;
pub mod python;
pub mod rust;
pub mod source;
pub mod walk;

use crate::finding::Observation;

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
}

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
