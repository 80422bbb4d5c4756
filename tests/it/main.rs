//! Tests of the crate as a whole, in one binary: it links once, which matters on small machines.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set up its files has nothing better to do than panic"
)]

mod architecture;
#[path = "../timeline/check.rs"]
mod check;
mod compare_command;
mod day;
mod decide_command;
mod replay;
mod report_cases;
mod report_command;
mod report_golden;
mod report_html;
mod report_json;
mod report_schema;
mod rules_builtin;
mod rules_coverage;
mod rules_load;
mod rules_readme;
mod sarif;
mod scan_command;
mod scan_profile;
mod schema;
mod simulate_command;
mod source_rules;
mod timeline;
