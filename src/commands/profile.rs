//! `boundby profile`: measure, save, advise, report; and end as the command ended.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, ErrorKind, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};

use super::calibrate;
use super::live::{self, Live, Watched};
use super::report::deliver;
use super::rules::load;
use super::scan::scanned;
use super::terminal::{Sink, style_for};
use crate::advice::advise_for;
use crate::cli::{LevelArg, ProfileArgs};
use crate::exit;
use crate::facts::{Goals, Scanned};
use crate::machine::{Machine, probe_capacity, survey};
use crate::profile::launch::LaunchError;
use crate::profile::{Exit, Extras, Level, Profile, ProfileError, Target, profile_with, replay};
use crate::report::{Format, Report, Style, render, write_trace};

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
    let goals = args.goals.goals(args.tasks).map_err(|what| own(anyhow!(what)))?;
    if args.wakeups && args.level != LevelArg::K {
        return Err(own(anyhow!("--wakeups says who ended waits whose reasons are told: add --level k")));
    }
    let mut reserved = Reserved::default();
    reserved.hold(args.output.as_deref(), "-o").map_err(own)?;
    if let Err(error) = reserved.hold(args.timeline.as_deref(), "--timeline") {
        reserved.give_back();
        return Err(own(error));
    }
    let taken = match &args.replay {
        Some(path) => play(path).map_err(own),
        None => measure(args, &goals),
    };
    let (measured, machine) = taken.inspect_err(|_| reserved.give_back())?;
    // Whatever becomes of the report.
    let drawn = args.timeline.as_deref().map_or(Ok(()), |path| draw(&measured, path));

    // A recorded run may be of any computer, and must give the same report on all of them.
    let rules = match users_rules {
        _ if args.replay.is_none() => calibrate::load(args.rules.as_deref(), &machine),
        Some(rules) => Ok(rules),
        None => load(None),
    };
    let rules = rules.map_err(own)?;
    // A profile that was measured is not lost because its source cannot be scanned.
    let scanned =
        args.scan.as_deref().map(|path| scanned(path, args.rules.as_deref(), &measured)).transpose();
    let (source, scanned) = match scanned {
        Ok(source) => (source, Ok(())),
        Err(error) => (None, Err(error)),
    };
    let known = Scanned { dependence: source.as_ref().and_then(|source| source.dependence.clone()) };
    let advice = advise_for(&measured, &machine, &known, &goals, &rules);
    let report = Report { profile: &measured, machine: &machine, advice: &advice, source: source.as_ref() };
    let saved = args.output.as_ref().map_or(Ok(()), |path| {
        let json = render(&report, Format::Json, &style_for(Sink::File));
        save(&json, path)
    });
    let to_stdout = !measured.launched && args.output.as_deref() != Some(Path::new("-"));
    let sink = if to_stdout { Sink::Stdout } else { Sink::Stderr };
    let style = Style { verbose: args.verbose, ..style_for(sink) };
    let shown = render(&report, args.format, &style);
    if to_stdout {
        deliver(&shown, None).map_err(own)?;
    } else if args.live {
        // Standard error is the command's, and goes elsewhere.
        live::leave_behind(|style| render(&report, args.format, &Style { verbose: args.verbose, ..*style }));
    } else {
        // Whoever closed standard error does not want the report; the command's status is still due.
        let _ = std::io::stderr().lock().write_all(&shown);
    }
    saved.and(drawn).and(scanned).map_err(own)?;
    Ok(match measured.exit {
        Some(Exit::Code(code)) => u8::try_from(code & 0xff).unwrap_or(exit::OWN_FAILURE),
        Some(Exit::Signal(signal)) => exit::SIGNAL_BASE.wrapping_add(u8::try_from(signal).unwrap_or(0)),
        Some(Exit::Untold) | None => exit::SUCCESS,
    })
}

/// Runs or follows the program, and probes the machine when it is done.
fn measure(args: &ProfileArgs, goals: &Goals) -> Result<(Profile, Machine), (u8, anyhow::Error)> {
    let own = |error: anyhow::Error| (exit::OWN_FAILURE, error);
    let watched = args.pid.map_or(Watched::Command, Watched::Process);
    let live = args.live.then(|| Live::prepare(watched)).transpose().map_err(own)?;
    let target = match args.pid {
        Some(pid) => Target::Pid { pid, duration: args.duration },
        None => Target::Command(args.command.clone()),
    };
    let level = match args.level {
        LevelArg::Auto => None,
        LevelArg::P => Some(Level::Proc),
        LevelArg::S => Some(Level::Switch),
        LevelArg::K => Some(Level::Kernel),
    };
    let mut machine = survey(args.pid);
    let (tape, tracks) = (args.record.is_some(), args.timeline.is_some());
    let extras = Extras { tape, tracks, wakeups: args.wakeups };
    let measured = match live {
        Some(live) => live
            .show(args.rules.as_deref(), goals, |watcher| {
                profile_with(&target, &mut machine, level, extras, Some(watcher))
            })
            .map_err(own)?,
        None => profile_with(&target, &mut machine, level, extras, None),
    };
    let (measured, tape) = measured.map_err(|error| (code(&error), error.into()))?;
    // A running service must not be disturbed by a spin.
    if !args.no_probe && measured.launched {
        machine.set_capacity(probe_capacity(machine.cpus(), PROBE));
    } else if let Ok(calibration) = calibrate::here(&machine) {
        machine.set_capacity(calibration.capacity);
    }
    if let Some((tape, path)) = tape.zip(args.record.as_ref()) {
        File::create(path)
            .and_then(|file| tape.write(&machine, BufWriter::new(file)))
            .with_context(|| format!("cannot write {}: choose another file with --record", path.display()))
            .map_err(own)?;
    }
    Ok((measured, machine))
}

fn play(path: &Path) -> anyhow::Result<(Profile, Machine)> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    replay(BufReader::new(file)).with_context(|| path.display().to_string())
}

pub(super) fn code(error: &ProfileError) -> u8 {
    match error {
        ProfileError::Launch(LaunchError::NotFound { .. }) => exit::NOT_FOUND,
        ProfileError::Launch(LaunchError::NotExecutable { .. }) => exit::NOT_EXECUTABLE,
        _ => exit::OWN_FAILURE,
    }
}

/// Files that were made before the program ran, so that they can be written when it has.
#[derive(Debug, Default)]
struct Reserved<'a>(Vec<&'a Path>);

impl<'a> Reserved<'a> {
    /// Makes sure that the file that was given with this flag can be written.
    fn hold(&mut self, path: Option<&'a Path>, flag: &str) -> anyhow::Result<()> {
        if let Some(path) = path.filter(|path| *path != Path::new("-"))
            && reserve(path, flag)?
        {
            self.0.push(path);
        }
        Ok(())
    }

    /// There will be nothing to write: an empty file would look like a profile that went wrong.
    fn give_back(&self) {
        for path in &self.0 {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Writes the timeline to its place; `-` is standard output.
fn draw(measured: &Profile, path: &Path) -> anyhow::Result<()> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        write_trace(measured, &mut bytes).context("cannot write the timeline")?;
        return deliver(&bytes, None);
    }
    let write = || {
        let mut file = BufWriter::new(File::create(path)?);
        write_trace(measured, &mut file)?;
        file.flush()
    };
    write().with_context(|| format!("cannot write {}: choose another file with --timeline", path.display()))
}

/// Makes sure that the file can be written later, without touching what is in it. Says whether it is new.
fn reserve(path: &Path, flag: &str) -> anyhow::Result<bool> {
    // Opening a named pipe waits for its reader, and closing it tells the reader that this was all.
    if std::fs::metadata(path).is_ok_and(|data| data.file_type().is_fifo()) {
        return Ok(false);
    }
    let mut options = OpenOptions::new();
    options.append(true);
    match options.clone().create_new(true).open(path) {
        Ok(_) => return Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => options.create(true).open(path).map(drop),
        Err(error) => Err(error),
    }
    .with_context(|| format!("cannot write {}: choose another file with {flag}", path.display()))?;
    Ok(false)
}

/// Saves the profile; if its place fails it now, somewhere else.
fn save(json: &[u8], path: &Path) -> anyhow::Result<()> {
    let place = (path != Path::new("-")).then_some(path);
    let Err(error) = deliver(json, place) else { return Ok(()) };
    match rescue(json) {
        Ok(rescue) => {
            let rescue = rescue.display();
            Err(error.context(format!(
                "the profile was saved as {rescue} instead (show it with: boundby report --profile {rescue})"
            )))
        }
        Err(_) => Err(error),
    }
}

/// Writes the profile to a new file among the temporary ones, and to none that somebody else put there.
fn rescue(json: &[u8]) -> std::io::Result<PathBuf> {
    let id = std::process::id();
    for attempt in 0..100 {
        let path = std::env::temp_dir().join(format!("boundby-profile-{id}-{attempt}.json"));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => return file.write_all(json).map(|()| path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}
