//! Parse, run, exit code.

use std::process::ExitCode;

use boundby::cli::Cli;
use boundby::commands;
use clap::Parser as _;

fn main() -> ExitCode {
    match commands::run(Cli::parse()) {
        Ok(code) => ExitCode::from(code),
        Err((code, error)) => {
            anstream::eprintln!("boundby: {error:#}");
            ExitCode::from(code)
        }
    }
}
