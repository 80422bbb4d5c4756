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

mod extract;
pub mod facts;
mod parse;
mod span;
