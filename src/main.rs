//! Parse, run, exit code.

use std::io::Write as _;
use std::process::ExitCode;

use boundby::cli::Cli;
use boundby::commands;
use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match commands::run(Cli::parse()) {
        Ok(code) => ExitCode::from(code),
        Err((code, error)) => {
            // Standard error may be full or gone; the exit code says it then.
            let _ = writeln!(anstream::stderr(), "boundby: {error:#}");
            ExitCode::from(code)
        }
    }
}
