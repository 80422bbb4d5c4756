//! Everything that needs no live program, in one binary so that it links once.

// The builders and checkers are tests as well, though clippy sees only the functions marked so.
#![allow(clippy::unwrap_used)]

mod report_cases;
mod report_command;
mod report_golden;
mod report_json;
mod report_schema;
