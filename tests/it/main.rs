//! Tests of the crate as a whole, in one binary: it links once, which matters on small machines.

// The builders and checkers are tests as well, though clippy sees only the functions marked so.
#![allow(clippy::unwrap_used)]

mod architecture;
mod report_cases;
mod report_command;
mod report_golden;
mod report_json;
mod report_schema;
