//! What can be typed. Only clap types and the parsers of their values.

mod compare;
mod decide;
mod goals;
mod scan;
mod simulate;
mod sweep;
mod top;
pub(crate) mod values;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::report::Format;

pub use compare::{CompareArgs, CompareFormat, FailOn};
pub use decide::{BOUNDS, DecideArgs};
pub use goals::GoalArgs;
pub use scan::{Output, ScanArgs};
pub use simulate::SimulateArgs;
pub use sweep::{SweepArgs, SweepFormat};
pub use top::TopArgs;
pub use values::WorkerRange;

/// What is your program bound by, which concurrency model makes it faster, with how many workers, and by how much?
#[derive(Debug, Parser)]
#[command(name = "boundby", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Start with:  boundby profile -- python3 your_script.py")]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Measure a command or a running process, then advise
    Profile(Box<ProfileArgs>),
    /// Watch what a running process is bound by, on the terminal
    Top(Box<TopArgs>),
    /// Findings in source: blocking calls and concurrency mistakes, for people and for CI
    Scan(Box<ScanArgs>),
    /// Show a saved profile again, with the advice of the present rules
    Report(ReportArgs),
    /// Run a command with ever other numbers of workers, and find the number to use
    Sweep(SweepArgs),
    /// What changed between two saved profiles, is it more than noise, and did the prediction come true?
    Compare(CompareArgs),
    /// Which model, without a program to measure: from flags, or from a few answers
    Decide(Box<DecideArgs>),
    /// What each model would give for work stated in numbers: a table, the knee, a drawing
    Simulate(Box<SimulateArgs>),
    /// The rules behind advice and scan: list, explain, check your own
    Rules(RulesArgs),
    /// Which measuring sources work here, what each missing one costs, and what to type to enable it
    Doctor(DoctorArgs),
    /// Measure what workers cost on this computer, and keep it for the predictions to come
    Calibrate(CalibrateArgs),
    /// Print completions for a shell, to be sourced or installed
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page (show it with: boundby man | man -l -)
    Man,
}

/// Measure a command or a running process, then advise.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  boundby profile -- python3 etl.py              run it; the report follows on standard error
  boundby profile -o etl.json -- python3 etl.py  keep the profile as JSON too
  boundby profile --timeline t.json -- ./job     what each thread did when, to be opened in ui.perfetto.dev
  boundby profile --live -- ./job >out 2>&1      watch it meanwhile; a running process: boundby top --pid 4242
  boundby profile --pid 4242 --duration 30s      look at a running service, its children included

The command's own output, input, exit status and signals pass through untouched.
Exit status: the command's own (128+n if a signal ended it); 125 boundby failed, 126 not executable, 127 not found.")]
#[expect(clippy::struct_excessive_bools, reason = "flags as they are typed, not a state")]
pub struct ProfileArgs {
    /// Follow this running process and its children instead of starting a command
    #[arg(long, value_name = "PID", conflicts_with = "command")]
    pub pid: Option<i32>,
    /// With --pid: stop after this time (10s, 500ms, 2m); without it, until the process ends or Ctrl-C
    #[arg(long, value_name = "TIME", conflicts_with = "command", value_parser = parse_duration)]
    pub duration: Option<Duration>,
    /// Save the profile here, as JSON (`-`: standard output); the report is still shown
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Show how things stand on the whole screen of the terminal while it is measured; the command's output must go
    /// elsewhere, and the report follows there in the end
    #[arg(long, conflicts_with = "replay")]
    pub live: bool,
    /// Write what each thread was doing when to this file, for <https://ui.perfetto.dev> and Chrome (trace event format)
    #[arg(long, value_name = "FILE")]
    pub timeline: Option<PathBuf>,
    /// Format of the report that is shown
    #[arg(long, default_value = Format::default().name(), value_parser = format_parser(|format| !format.is_of_stacks() && !format.is_of_time()))]
    pub format: Format,
    /// Directory of your own rules, laid over the built-in ones
    #[arg(long, value_name = "DIR")]
    pub rules: Option<PathBuf>,
    /// Scan this source too, and say what its findings cost in the run
    #[arg(long, value_name = "PATH")]
    pub scan: Option<PathBuf>,
    /// Do not measure how many cores are really to be had (a spin of 80 ms after the program has ended)
    #[arg(long)]
    pub no_probe: bool,
    /// How to measure: `k` has the kernel write down every switch of every thread and why, `s` every switch, `p` reads
    /// counters only
    #[arg(long, value_enum, default_value_t)]
    pub level: LevelArg,
    /// With --level k, as root: have the kernel tell who wakes whom on the whole machine, so that what the program waited for
    /// is not inferred
    #[arg(long, conflicts_with = "replay")]
    pub wakeups: bool,
    /// Show everything: code, comparisons, every open question
    #[arg(short, long)]
    pub verbose: bool,
    /// Items of the real work, where this run has fewer: everything is reckoned for so many
    #[arg(long, value_name = "N", value_parser = values::count, allow_hyphen_values = true, help_heading = "Goals and limits")]
    pub tasks: Option<u64>,
    /// What is wanted of it and what limits it
    #[command(flatten)]
    pub goals: GoalArgs,
    /// For boundby's own tests: write down everything that was seen, to be replayed. Kept in memory until the end
    #[arg(long, value_name = "FILE", hide = true)]
    pub record: Option<PathBuf>,
    /// For boundby's own tests: report on a recorded run instead of measuring one
    #[arg(long, value_name = "FILE", hide = true, conflicts_with_all = ["command", "pid", "record"])]
    pub replay: Option<PathBuf>,
    /// The command and its arguments
    #[arg(last = true, value_name = "CMD", required_unless_present_any = ["pid", "replay"])]
    pub command: Vec<OsString>,
}

/// How to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LevelArg {
    /// The best of the others that the system permits and the program can bear
    Auto,
    /// Counters and states, read again and again
    #[default]
    P,
    /// Every switch; an error where that cannot be had
    S,
    /// Every switch, and why; an error where that cannot be had
    K,
}

/// Show a saved profile again, with the advice of the present rules
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Saved profile (JSON); `-` reads standard input. Several are shown one after another
    #[arg(long = "profile", value_name = "FILE", required = true, num_args = 1..)]
    pub profiles: Vec<PathBuf>,
    /// Format of the report, or of its call stacks or its course (`trace`) for a viewer
    #[arg(long, default_value = Format::default().name(), value_parser = format_parser(|_| true))]
    pub format: Format,
    /// Scan this source too, and say what its findings cost in the run
    #[arg(long, value_name = "PATH")]
    pub scan: Option<PathBuf>,
    /// Items of the real work, where this run has fewer: everything is reckoned for so many
    #[arg(long, value_name = "N", value_parser = values::count, allow_hyphen_values = true, help_heading = "Goals and limits")]
    pub tasks: Option<u64>,
    /// What is wanted of it and what limits it
    #[command(flatten)]
    pub goals: GoalArgs,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Directory of your own rules, laid over the built-in ones
    #[arg(long, value_name = "DIR")]
    pub rules: Option<PathBuf>,
    /// Show everything: code, comparisons, every open question
    #[arg(short, long)]
    pub verbose: bool,
}

/// The arguments of `boundby rules`.
#[derive(Debug, Args)]
pub struct RulesArgs {
    /// A directory of your own rules, laid over the built-in ones
    #[arg(long, value_name = "DIR", global = true)]
    pub rules: Option<PathBuf>,
    /// What to do
    #[command(subcommand)]
    pub command: RulesCommand,
}

/// What to do with the rules.
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// List every rule
    List {
        /// Only rules of this kind
        #[arg(long, value_enum)]
        kind: Option<KindArg>,
    },
    /// Show one rule: when it fires, what follows, why, and its tests
    Explain {
        /// The id of the rule, as listed
        id: String,
    },
    /// Where each number of the decision guide lives: rules, coefficients, cases, words; as Markdown
    Coverage,
    /// Check rules: names, types, units, and the tests they carry
    Check {
        /// Your directory of rules, or one file; without it the built-in rules are checked
        path: Option<PathBuf>,
    },
}

/// A kind of rule, as typed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum KindArg {
    /// Says what binds
    Verdict,
    /// Rules strategies out
    Gate,
    /// Limits the number of workers
    Cap,
    /// Adds weight to a strategy
    Prefer,
    /// Adds a sentence to the report
    Note,
    /// Reports what goes wrong under circumstances
    Hazard,
    /// Names the engine for work on several machines
    Engine,
    /// Scan: does not do what it looks like
    Mistake,
    /// Scan: could be faster
    Opportunity,
}

/// Which measuring sources work here, what each missing one costs, and what to type to enable it.
#[derive(Debug, Clone, Default, Args)]
pub struct DoctorArgs {
    /// Also tell whether this running process could be profiled with `profile --pid`
    #[arg(long, value_name = "PID")]
    pub pid: Option<i32>,
}

/// Measure what workers cost on this computer, and keep it for the predictions to come.
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = "\
What is measured: starting threads and processes, handing an item to each, pickling, and how much work all CPUs do together.
It takes some ten seconds and is kept in $XDG_CONFIG_HOME/boundby/calibration.json (~/.config where that is not set).
profile, decide and simulate use it from then on, in the place of numbers measured elsewhere; your own --rules outrank it. It
is not believed on another computer; boundby doctor says whether it is there. Measure while nothing else runs.
Exit status: 0 measured, 2 it could not be kept.")]
pub struct CalibrateArgs {
    /// Python whose workers are measured [default: python3]
    #[arg(long, value_name = "PROGRAM")]
    pub python: Option<PathBuf>,
    /// Show what comes out and keep nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Remove what was kept
    #[arg(long, conflicts_with_all = ["python", "dry_run"])]
    pub forget: bool,
}

/// Accepts the names of these report formats.
pub fn format_parser(accepted: fn(Format) -> bool) -> impl TypedValueParser<Value = Format> {
    let names: Vec<&'static str> =
        Format::all().filter(|format| accepted(*format)).map(Format::name).collect();
    PossibleValuesParser::new(names)
        .try_map(|name| Format::from_name(&name).ok_or_else(|| format!("no format is called {name}")))
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, f64); 4] = [("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    let (number, scale) = UNITS
        .iter()
        .find_map(|(unit, scale)| text.strip_suffix(unit).map(|number| (number, *scale)))
        .unwrap_or((text, 1.0));
    let seconds = number.trim().parse::<f64>().ok().map(|number| number * scale);
    seconds
        .filter(|seconds| *seconds > 0.0)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "write a time such as 10s, 500ms, 2m or 1h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_are_written_as_people_write_them() {
        assert_eq!(parse_duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_mins(2)));
        assert_eq!(parse_duration("1.5"), Ok(Duration::from_millis(1500)));
        for wrong in ["", "s", "-1s", "0", "nan", "inf", "1e400s", "ten"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
