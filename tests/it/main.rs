//! One binary for all integration tests: it links once.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set up its files has nothing better to do than panic"
)]

mod rules_builtin;
mod rules_load;
mod rules_readme;
