//! One file per subcommand: the only place that joins stages.

pub mod calibrate;
pub mod compare;
pub mod decide;
pub mod doctor;
mod live;
pub mod profile;
pub mod report;
pub mod rules;
pub mod scan;
pub mod simulate;
pub mod sweep;
pub mod terminal;
pub mod top;

use std::io::Write;

use anyhow::anyhow;
use clap::CommandFactory as _;

use crate::advice::advise_for;
use crate::cli::{Cli, Command};
use crate::exit;

/// Runs a subcommand and returns the exit code.
///
/// # Errors
/// What went wrong, with the exit code that goes with it.
pub fn run(cli: Cli) -> Result<u8, (u8, anyhow::Error)> {
    let usage = |error: anyhow::Error| (exit::USAGE, error);
    match cli.command {
        Command::Profile(args) => profile::run(&args),
        Command::Top(args) => top::run(&args),
        Command::Scan(args) => scan::run(&args).map_err(usage),
        Command::Report(args) => {
            let rules = rules::load(args.rules.as_deref()).map_err(usage)?;
            let goals = args.goals.goals(args.tasks).map_err(|what| usage(anyhow!(what)))?;
            let shown = report::run(&args, |profile, machine, known| {
                Ok(advise_for(profile, machine, known, &goals, &rules))
            });
            shown.map(|()| exit::SUCCESS).map_err(usage)
        }
        Command::Sweep(args) => sweep::run(&args).map_err(usage),
        Command::Compare(args) => compare::run(&args).map_err(usage),
        Command::Decide(args) => decide::run(&args).map(|()| exit::SUCCESS).map_err(usage),
        Command::Simulate(args) => simulate::run(&args).map(|()| exit::SUCCESS).map_err(usage),
        Command::Rules(args) => to_stdout(|out| rules::run(&args, out)),
        Command::Calibrate(args) => to_stdout(|out| calibrate::run(&args, out)),
        Command::Doctor(args) => to_stdout(|out| doctor::run(&args, out)),
        Command::Completions { shell } => to_stdout(|out| {
            clap_complete::generate(shell, &mut Cli::command(), "boundby", out);
            Ok(exit::SUCCESS)
        }),
        Command::Man => to_stdout(|out| {
            clap_mangen::Man::new(Cli::command()).render(out)?;
            Ok(exit::SUCCESS)
        }),
    }
}

/// Collects what a command prints and writes it at once. A reader that went away is no error.
fn to_stdout(command: impl FnOnce(&mut dyn Write) -> anyhow::Result<u8>) -> Result<u8, (u8, anyhow::Error)> {
    let mut bytes = Vec::new();
    let code = command(&mut bytes).map_err(|error| (exit::USAGE, error))?;
    report::deliver(&bytes, None).map(|()| code).map_err(|error| (exit::USAGE, error))
}
