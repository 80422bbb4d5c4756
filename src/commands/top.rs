//! `boundby top`: watch what a running process is bound by.

use anyhow::anyhow;

use super::live::{Live, Watched};
use super::profile::code;
use super::report::deliver;
use super::terminal::{Sink, style_for};
use super::{calibrate, rules};
use crate::advice::advise_for;
use crate::cli::TopArgs;
use crate::exit;
use crate::facts::Scanned;
use crate::machine::survey;
use crate::profile::{Extras, Level, Target, profile_with};
use crate::report::{Format, Report, render};

/// Runs it and returns the exit code.
///
/// # Errors
/// Whatever kept boundby from its work, with the exit code that goes with it.
pub fn run(args: &TopArgs) -> Result<u8, (u8, anyhow::Error)> {
    let own = |error: anyhow::Error| (exit::OWN_FAILURE, error);
    if let Some(overlay) = &args.rules {
        rules::load(Some(overlay)).map_err(own)?;
    }
    let goals = args.goals.goals(None).map_err(|what| own(anyhow!(what)))?;
    let live = Live::prepare(Watched::Process(args.pid)).map_err(own)?;
    let target = Target::Pid { pid: args.pid, duration: args.duration };
    let mut machine = survey(Some(args.pid));
    let (measured, _) = live
        .show(args.rules.as_deref(), &goals, |watcher| {
            profile_with(&target, &mut machine, Some(Level::Proc), Extras::default(), Some(watcher))
        })
        .map_err(own)?
        .map_err(|error| (code(&error), error.into()))?;
    // Whoever quits has seen it.
    if measured.exit.is_some() {
        if let Ok(calibration) = calibrate::here(&machine) {
            machine.set_capacity(calibration.capacity);
        }
        let rules = calibrate::load(args.rules.as_deref(), &machine).map_err(own)?;
        let advice = advise_for(&measured, &machine, &Scanned::default(), &goals, &rules);
        let report = Report { profile: &measured, machine: &machine, advice: &advice, source: None };
        deliver(&render(&report, Format::Text, &style_for(Sink::Stdout)), None).map_err(own)?;
    }
    Ok(exit::SUCCESS)
}
