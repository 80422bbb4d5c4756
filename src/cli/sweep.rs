//! The arguments of `boundby sweep`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::parse_duration;
use super::values::{self, WorkerRange};

/// Measure how the time of a command depends on its number of workers, and find the number to use
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = "\
Examples:
  boundby sweep -- xz -T{workers} -k -f -c big.tar
  boundby sweep --workers 1,2,4,8 -- make -j{workers} -B
  boundby sweep --env OMP_NUM_THREADS --max 16 -- ./solver
  boundby sweep --profile etl.json -- python3 etl.py --workers {workers}

The command's output goes nowhere unless --show asks for it. Numbers are doubled until more of them no longer help, then
the knee is closed in on; what the answer hangs on is repeated until it is certain.
Exit status: 0 a number was found, 1 no number of workers works, 2 the sweep could not be carried out.")]
pub struct SweepArgs {
    /// Only these numbers of workers, as in 1,2,4,8 or 1-16
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = values::workers, conflicts_with = "max")]
    pub workers: Vec<WorkerRange>,
    /// Numbers from 1 to this [default: four times the CPUs]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub max: Option<u32>,
    /// Give the number in this environment variable
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Most runs of one number
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub repeats: u16,
    /// Try every number, each as often as --repeats says
    #[arg(long)]
    pub exhaustive: bool,
    /// Begin no further run after this time
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub limit: Option<Duration>,
    /// Compare with what this profile predicts
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// Let the command's output through
    #[arg(long)]
    pub show: bool,
    /// Format of the report
    #[arg(long, value_enum, default_value_t)]
    pub format: SweepFormat,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The command; `{workers}` stands for the number
    #[arg(last = true, value_name = "CMD", required = true)]
    pub command: Vec<OsString>,
}

/// How a sweep is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum SweepFormat {
    /// For people
    #[default]
    Text,
    /// For programs: schema `boundby/sweep/1`
    Json,
    /// The curve as a drawing
    Svg,
}
