//! The arguments of `boundby top`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::GoalArgs;

/// Watch what a running process is bound by, on the terminal
#[derive(Debug, Args)]
#[command(after_help = "\
Keys: q quits, p stands still, s sorts the lines, j k and arrows scroll, ? explains.
The process is neither stopped nor signalled, and goes on when the view is left. If it ends
first, the report of what was seen is printed.
A report instead of a view: boundby profile --pid PID
A command from its beginning: boundby profile --live -- CMD
Exit status: 0; 125 boundby failed.")]
pub struct TopArgs {
    /// The process; its children are watched too
    #[arg(long, value_name = "PID")]
    pub pid: i32,
    /// Stop after this time (10s, 500ms, 2m); without it, until the process ends or you quit
    #[arg(long, value_name = "TIME", value_parser = super::parse_duration)]
    pub duration: Option<Duration>,
    /// Directory of your own rules, laid over the built-in ones
    #[arg(long, value_name = "DIR")]
    pub rules: Option<PathBuf>,
    /// What is wanted of it and what limits it
    #[command(flatten)]
    pub goals: GoalArgs,
}
