//! The arguments of `boundby simulate`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::values::{self, WorkerRange};
use crate::advice::Strategy;
use crate::advice::simulate::{Distribution, Shape, Stage};
use crate::report::simulation::SimulationFormat;

/// What each model would give for work that is described in numbers: wall time, speedup, what binds, where the knee is
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  boundby simulate --tasks 1000 --wait 100ms --cpu 1ms              every model, and the number of workers to use
  boundby simulate --tasks 1000 --wait 100ms --pool 4x2             4 processes of 2 threads
  boundby simulate --tasks 500 --cpu 20ms --language rust --cpus 8 --workers 1-16
  boundby simulate --tasks 8 --stage 300ms --stage 400ms --stage 200ms    a pipeline, and which stage to widen
  boundby simulate --rate 200/s --wait 50ms --cpu 4ms --latency 100ms     a server: processes and threads
  boundby simulate --tasks 1000 --wait 100ms --format svg -o curve.svg

Exit status: 0 answered, 2 what was stated cannot be.")]
pub struct SimulateArgs {
    /// Number of tasks; needed but for a server, and where --wait lists one time for each
    #[arg(long, value_name = "N", value_parser = values::count, allow_hyphen_values = true, help_heading = "The work")]
    pub tasks: Option<u64>,
    /// How long each task waits; or a list, one for each task: 0.8s,0.5s,0.3s
    #[arg(long, value_name = "TIME", value_parser = values::time, value_delimiter = ',', allow_hyphen_values = true, help_heading = "The work")]
    pub wait: Vec<f64>,
    /// CPU time of each task; in Python and Ruby under the interpreter lock
    #[arg(long, value_name = "TIME", value_parser = values::time, allow_hyphen_values = true, help_heading = "The work")]
    pub cpu: Option<f64>,
    /// Further CPU time of each task, outside the interpreter lock: codecs, hashes, numerical libraries
    #[arg(long, value_name = "TIME", value_parser = values::time, allow_hyphen_values = true, help_heading = "The work")]
    pub cpu_outside_lock: Option<f64>,
    /// Part of each task inside a lock of the program that only one may hold
    #[arg(long, value_name = "TIME", value_parser = values::time, allow_hyphen_values = true, help_heading = "The work")]
    pub critical_section: Option<f64>,
    /// Wall time of the program beside its tasks, which stays as it is
    #[arg(long, value_name = "TIME", value_parser = values::time, allow_hyphen_values = true, help_heading = "The work")]
    pub serial: Option<f64>,
    /// How unequal tasks are: standard deviation of their length over its mean
    #[arg(long, value_name = "X", value_parser = values::variation, allow_hyphen_values = true, help_heading = "The work")]
    pub cv: Option<f64>,
    /// How their lengths are distributed [default: fixed; lognormal with --cv]
    #[arg(long, value_name = "NAME", value_parser = distributions(), help_heading = "The work")]
    pub distribution: Option<Distribution>,
    /// Bytes sent to a worker process and back for each task
    #[arg(long, value_name = "SIZE", value_parser = values::size, help_heading = "The work")]
    pub payload: Option<f64>,
    /// Stage of a pipeline, in order, with its workers where it has several: 400msx2; each stage is --stage once
    #[arg(long = "stage", value_name = "TIME[xN]", value_parser = values::stage, allow_hyphen_values = true,
        conflicts_with_all = ["wait", "cpu", "cpu_outside_lock", "critical_section", "strategy", "workers", "pool", "rate", "payload", "cv", "distribution"],
        help_heading = "The work")]
    pub stages: Vec<Stage>,
    /// Requests that arrive per second at a server: 200, 200/s, 30/min
    #[arg(long, value_name = "RATE", value_parser = values::rate, allow_hyphen_values = true,
        conflicts_with_all = ["tasks", "strategy", "workers", "cv", "distribution", "payload", "serial", "critical_section"],
        help_heading = "The work")]
    pub rate: Option<f64>,
    /// Time within which 95 % of the requests should be answered
    #[arg(long, value_name = "TIME", value_parser = values::some_time, allow_hyphen_values = true, help_heading = "The work")]
    pub latency: Option<f64>,
    /// Language of the program
    #[arg(long, value_name = "NAME", default_value = "python", value_parser = languages(), help_heading = "The machine")]
    pub language: String,
    /// No lock serialises the interpreter: free-threaded Python
    #[arg(long, help_heading = "The machine")]
    pub no_gil: bool,
    /// Cores to be had [default: those of this computer]
    #[arg(long, value_name = "N", value_parser = values::cores, allow_hyphen_values = true, help_heading = "The machine")]
    pub cpus: Option<f64>,
    /// CPU quota in cores
    #[arg(long, value_name = "X", value_parser = values::cores, allow_hyphen_values = true, help_heading = "The machine")]
    pub quota: Option<f64>,
    /// Requests that the other side takes at once: connections of a pool, a rate limiter
    #[arg(long, value_name = "N", value_parser = values::count, allow_hyphen_values = true, help_heading = "The machine")]
    pub downstream_limit: Option<u64>,
    /// Only these models; all that apply where none is named
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = strategies(), help_heading = "The models")]
    pub strategy: Vec<Strategy>,
    /// These numbers of workers: 8, or 1,2,4,8, or 1-64 [default: those around the knee]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = values::workers, allow_hyphen_values = true, help_heading = "The models")]
    pub workers: Vec<WorkerRange>,
    /// A pool of processes with threads in each: 4x2; may be given several times
    #[arg(long, value_name = "PxT", value_parser = values::shape, help_heading = "The models")]
    pub pool: Vec<Shape>,
    /// Format of the answer
    #[arg(long, default_value = SimulationFormat::default().name(), value_parser = formats(), help_heading = "Output")]
    pub format: SimulationFormat,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
    /// Directory of your own rules, laid over the built-in ones
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub rules: Option<PathBuf>,
}

fn distributions() -> impl TypedValueParser<Value = Distribution> {
    PossibleValuesParser::new(Distribution::ALL.map(Distribution::name)).try_map(|name| {
        let found = Distribution::ALL.into_iter().find(|one| one.name() == name);
        found.ok_or_else(|| format!("no distribution is called {name}"))
    })
}

/// Models that are pools of workers.
fn strategies() -> impl TypedValueParser<Value = Strategy> {
    let pools = [Strategy::Threads, Strategy::Async, Strategy::Processes, Strategy::Hybrid];
    PossibleValuesParser::new(pools.map(Strategy::name))
        .try_map(|name| Strategy::from_name(&name).ok_or_else(|| format!("no model is called {name}")))
}

/// The languages whose runtime changes the advice.
pub(super) fn languages() -> PossibleValuesParser {
    PossibleValuesParser::new(crate::facts::LANGUAGES.map(|(name, _)| name))
}

fn formats() -> impl TypedValueParser<Value = SimulationFormat> {
    PossibleValuesParser::new(SimulationFormat::all().map(SimulationFormat::name)).try_map(|name| {
        SimulationFormat::from_name(&name).ok_or_else(|| format!("no format is called {name}"))
    })
}
