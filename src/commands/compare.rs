//! `boundby compare`: reads saved profiles, compares, reports.

use std::path::PathBuf;

use anyhow::{Result, anyhow};

use super::report::{deliver, load};
use super::rules;
use super::terminal::{Sink, style_for};
use crate::advice::{Advice, advise};
use crate::cli::{CompareArgs, CompareFormat, FailOn};
use crate::compare::{Comparison, Direction, Noise, Run, compare};
use crate::exit;
use crate::report::comparison;
use crate::report::json::Saved;

/// Compares and reports; returns the exit code.
///
/// # Errors
/// A file that cannot be read or is not a report, rules that fail, an output that cannot be written.
pub fn run(args: &CompareArgs) -> Result<u8> {
    let (before, after) = match args.profiles.as_slice() {
        [before, after] => (std::slice::from_ref(before), std::slice::from_ref(after)),
        _ => (args.before.as_slice(), args.after.as_slice()),
    };
    let rules = rules::load(args.rules.as_deref())?;
    let read = |paths: &[PathBuf]| -> Result<Vec<(Saved, Advice)>> {
        let one = |path: &PathBuf| {
            let saved = load(path)?;
            let advice = advise(&saved.profile, &saved.machine, &rules);
            Ok((saved, advice))
        };
        paths.iter().map(one).collect()
    };
    let (before, after) = (read(before)?, read(after)?);
    let number = |name: &str| {
        rules.constant(name).ok_or_else(|| anyhow!("the rules have no constant `{name}`: reinstall boundby"))
    };
    let noise =
        Noise { single_run: number("single_run_noise")?, worth_telling: number("change_worth_telling")? };
    let comparison = compare(&runs(&before), &runs(&after), noise)
        .ok_or_else(|| anyhow!("nothing to compare: give a profile before and one after"))?;
    let sink = if args.output.is_some() { Sink::File } else { Sink::Stdout };
    let text = match args.format {
        CompareFormat::Text => comparison::to_text(&comparison, &style_for(sink)),
        CompareFormat::Json => comparison::to_json(&comparison),
        CompareFormat::Markdown => comparison::to_markdown(&comparison),
    };
    deliver(text.as_bytes(), args.output.as_deref())?;
    let fails = args.fail_on.iter().any(|what| fails(*what, &comparison));
    Ok(if fails { exit::FINDINGS } else { exit::SUCCESS })
}

fn runs(saved: &[(Saved, Advice)]) -> Vec<Run<'_>> {
    saved
        .iter()
        .map(|(Saved { profile, machine, advice_was }, advice)| Run { profile, machine, advice, advice_was })
        .collect()
}

fn fails(what: FailOn, comparison: &Comparison) -> bool {
    match what {
        FailOn::Slower => comparison.wall.direction() == Direction::Slower,
        FailOn::BoundChanged => comparison.bound_changed(),
        FailOn::Missed => {
            comparison.achieved.as_ref().is_some_and(|one| comparison.wall.high < one.predicted.low)
        }
        FailOn::Never => false,
    }
}
