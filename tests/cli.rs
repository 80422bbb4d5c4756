//! The real `boundby` as a user meets it: exit codes, streams, signals, processes that come and go, hostile input.
//!
//! Nothing here waits for time to pass: programs say when they are ready, and a deadline only turns a hang into a
//! failure. What a machine lacks is skipped, and said.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set up its processes has nothing better to do than panic"
)]
#![allow(clippy::print_stderr, reason = "what is skipped is said")]

#[path = "cli/attach.rs"]
mod attach;
#[path = "cli/calibrate.rs"]
mod calibrate;
#[path = "timeline/check.rs"]
mod check;
#[path = "cli/exit_codes.rs"]
mod exit_codes;
#[path = "cli/input.rs"]
mod input;
#[path = "cli/kernel.rs"]
mod kernel;
#[path = "cli/levels.rs"]
mod levels;
#[path = "cli/live.rs"]
mod live;
#[path = "cli/matrix.rs"]
mod matrix;
#[path = "cli/output.rs"]
mod output;
#[path = "cli/privilege.rs"]
mod privilege;
#[path = "cli/processes.rs"]
mod processes;
#[path = "../src/commands/live/screen.rs"]
#[allow(dead_code, reason = "the view uses more of it")]
mod screen;
#[path = "cli/session.rs"]
mod session;
#[path = "cli/signals.rs"]
mod signals;
#[path = "cli/stated.rs"]
mod stated;
#[path = "cli/streams.rs"]
mod streams;
#[path = "cli/sweep.rs"]
mod sweep;
#[path = "cli/timeline.rs"]
mod timeline;
#[path = "cli/untouched.rs"]
mod untouched;
