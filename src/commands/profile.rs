//! `boundby profile`: measure, save, advise, report; and end as the command ended.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

use super::report::deliver;
use super::rules::load;
use super::terminal::{Sink, style_for};
use crate::advice::advise;
use crate::cli::ProfileArgs;
use crate::exit;
use crate::machine::{probe_capacity, survey};
use crate::profile::launch::LaunchError;
use crate::profile::{Exit, ProfileError, Target, profile};
use crate::report::{Format, Report, Style, render};

/// Time the spin probe may take. It runs when the program has ended, before the report appears.
const PROBE: Duration = Duration::from_millis(80);

/// Runs it and returns the exit code.
///
/// # Errors
/// Whatever kept boundby itself from its work, with the exit code that goes with it. The measured profile is saved
/// even then, where there is one.
pub fn run(args: &ProfileArgs) -> Result<u8, (u8, anyhow::Error)> {
    let own = |error: anyhow::Error| (exit::OWN_FAILURE, error);
    // Everything that can be known to be wrong is found before the program runs, not after. The rules of boundby
    // itself are known to be right, so the program need not wait for them.
    let users_rules = args.rules.as_deref().map(|overlay| load(Some(overlay))).transpose().map_err(own)?;
    if let Some(path) = file(args) {
        check_writable(path).map_err(own)?;
    }
    let target = match args.pid {
        Some(pid) => Target::Pid { pid, duration: args.duration },
        None => Target::Command(args.command.clone()),
    };
    let mut machine = survey(args.pid);
    let measured = profile(&target, &mut machine).map_err(|error| (code(&error), error.into()))?;
    // A running service must not be disturbed by a spin.
    if !args.no_probe && measured.launched {
        machine.set_capacity(probe_capacity(machine.cpus(), PROBE));
    }

    let rules = users_rules.map_or_else(|| load(None), Ok).map_err(own)?;
    let advice = advise(&measured, &machine, &rules);
    let report = Report { profile: &measured, machine: &machine, advice: &advice };
    if let Some(path) = &args.output {
        let json = render(&report, Format::Json, &style_for(Sink::File));
        save(&json, path).map_err(own)?;
    }
    let to_stdout = !measured.launched && args.output.as_deref() != Some(Path::new("-"));
    let sink = if to_stdout { Sink::Stdout } else { Sink::Stderr };
    let style = Style { verbose: args.verbose, ..style_for(sink) };
    let shown = render(&report, args.format, &style);
    if to_stdout {
        deliver(&shown, None).map_err(own)?;
    } else {
        // Whoever closed standard error does not want the report; the command's status is still due.
        let _ = std::io::Write::write_all(&mut std::io::stderr().lock(), &shown);
    }
    Ok(match measured.exit {
        Some(Exit::Code(code)) => u8::try_from(code & 0xff).unwrap_or(exit::OWN_FAILURE),
        Some(Exit::Signal(signal)) => exit::SIGNAL_BASE.wrapping_add(u8::try_from(signal).unwrap_or(0)),
        None => exit::SUCCESS,
    })
}

fn code(error: &ProfileError) -> u8 {
    match error {
        ProfileError::Launch(LaunchError::NotFound { .. }) => exit::NOT_FOUND,
        ProfileError::Launch(LaunchError::NotExecutable { .. }) => exit::NOT_EXECUTABLE,
        _ => exit::OWN_FAILURE,
    }
}

/// The file to save to, if it is one.
fn file(args: &ProfileArgs) -> Option<&Path> {
    args.output.as_deref().filter(|path| *path != Path::new("-"))
}

/// Opens the file as it will be opened later, without touching what is in it.
fn check_writable(path: &Path) -> anyhow::Result<()> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map(drop)
        .with_context(|| format!("cannot write {}: choose another file with -o", path.display()))
}

/// Saves the profile; if its place fails it now, somewhere else.
fn save(json: &[u8], path: &Path) -> anyhow::Result<()> {
    let place = (path != Path::new("-")).then_some(path);
    let Err(error) = deliver(json, place) else { return Ok(()) };
    let rescue = rescue_path();
    match std::fs::write(&rescue, json) {
        Ok(()) => Err(error.context(format!("the profile was saved as {} instead", rescue.display()))),
        Err(_) => Err(error),
    }
}

fn rescue_path() -> PathBuf {
    std::env::temp_dir().join(format!("boundby-profile-{}.json", std::process::id()))
}
