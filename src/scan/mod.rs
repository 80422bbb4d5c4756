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

pub mod rust;
pub mod source;
