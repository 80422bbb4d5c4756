//! Everything that needs no live program, in one binary so that it links once.

mod report_cases;
mod report_command;
mod report_golden;
mod report_json;
