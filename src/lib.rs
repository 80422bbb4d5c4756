//! What is a program bound by, and which concurrency model, with how many workers, makes it faster.
//!
//! One direction of data flow; everything right of the measuring edge is pure:
//!
//! ```text
//! machine ─┐
//! profile ─┼─► facts ─► rules ─► advice ─► report ─► bytes
//! scan ────┘
//! ```
//!
//! The modules stand in reading order; each may use only what stands before it
//! (`tests/it/architecture.rs` holds the table and fails on a wrong arrow).

pub mod exit;
pub mod units;

pub mod yaml;

pub mod wait;

pub mod finding;

pub mod catalog;

pub mod scan;

pub mod machine;

pub mod profile;

pub mod facts;

pub mod rules;

pub mod advice;

pub mod join;

pub mod compare;

pub mod sweep;

pub mod report;

pub mod cli;
pub mod commands;
