//! The arguments of `boundby decide`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::simulate::languages;
use super::{GoalArgs, format_parser, values};
use crate::report::Format;

/// What work can be said to be bound by.
pub const BOUNDS: [&str; 10] =
    ["io", "cpu", "mixed", "network", "disk", "sleep", "child", "pipe", "lock", "gil"];

/// Which model, without a program to measure: from what you know about it
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = "\
Examples:
  boundby decide                                                       asks what it has to know
  boundby decide --items 1000 --wait 100ms --cpu 1ms --language python
  boundby decide --items 1000 --duration 8min --bound cpu --language python --cpus 8
  boundby decide --rate 200/s --wait 50ms --cpu 4ms --latency 100ms --language python
  boundby decide --items 1e6 --cpu 50ms --language python --deadline 10min --machines 40
  boundby decide --task 'Resize 1000 images' --from-description        the guide's answer by words alone

What is not stated stays unknown: it lowers the confidence and is listed with what would settle it.
Exit status: 0 answered, 2 what was stated cannot be.")]
#[expect(clippy::struct_excessive_bools, reason = "a flag is a bool")]
pub struct DecideArgs {
    /// The task in your own words; they count only where nothing else is known
    #[arg(long, value_name = "TEXT", help_heading = "The work")]
    pub task: Option<String>,
    /// What it is bound by
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(BOUNDS), help_heading = "The work")]
    pub bound: Option<String>,
    /// How long everything takes, one after another
    #[arg(long, value_name = "TIME", value_parser = values::some_time, allow_hyphen_values = true, help_heading = "The work")]
    pub duration: Option<f64>,
    /// Number of items: requests, files, rows in batches
    #[arg(long, visible_alias = "tasks", value_name = "N", value_parser = values::count, allow_hyphen_values = true, help_heading = "The work")]
    pub items: Option<u64>,
    /// How long each item waits
    #[arg(long, value_name = "TIME", value_parser = values::time, allow_hyphen_values = true, help_heading = "The work")]
    pub wait: Option<f64>,
    /// CPU time of each item; in Python and Ruby under the interpreter lock
    #[arg(long, value_name = "TIME", value_parser = values::time, allow_hyphen_values = true, help_heading = "The work")]
    pub cpu: Option<f64>,
    /// Further CPU time of each item outside the interpreter lock: codecs, hashes, numerical libraries
    #[arg(long, value_name = "TIME", value_parser = values::time, allow_hyphen_values = true, help_heading = "The work")]
    pub cpu_outside_lock: Option<f64>,
    /// Items need each other's results
    #[arg(long, help_heading = "The work")]
    pub dependent: bool,
    /// It runs beside something that matters more
    #[arg(long, help_heading = "The work")]
    pub background: bool,
    /// What is wanted of it and what limits it
    #[command(flatten)]
    pub goals: GoalArgs,
    /// Language of the program
    #[arg(long, value_name = "NAME", value_parser = languages(), help_heading = "The machine")]
    pub language: Option<String>,
    /// No lock serialises the interpreter: free-threaded Python
    #[arg(long, help_heading = "The machine")]
    pub no_gil: bool,
    /// Cores to be had [default: those of this computer]
    #[arg(long, value_name = "N", value_parser = values::cores, allow_hyphen_values = true, help_heading = "The machine")]
    pub cpus: Option<f64>,
    /// Memory to be had [default: that of this computer]
    #[arg(long, value_name = "SIZE", value_parser = values::size, help_heading = "The machine")]
    pub memory: Option<f64>,
    /// Only what the guide's word lists make of --task
    #[arg(long, requires = "task", help_heading = "How to answer")]
    pub from_description: bool,
    /// Ask nothing, even on a terminal
    #[arg(long, help_heading = "How to answer")]
    pub no_ask: bool,
    /// Format of the answer
    #[arg(long, default_value = Format::default().name(), value_parser = format_parser(|format| matches!(format, Format::Text | Format::Json)), help_heading = "How to answer")]
    pub format: Format,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE", help_heading = "How to answer")]
    pub output: Option<PathBuf>,
    /// Directory of your own rules, laid over the built-in ones
    #[arg(long, value_name = "DIR", help_heading = "How to answer")]
    pub rules: Option<PathBuf>,
    /// Show everything: code, comparisons, every open question
    #[arg(short, long, help_heading = "How to answer")]
    pub verbose: bool,
}
