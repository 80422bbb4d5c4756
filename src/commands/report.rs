//! `boundby report`: shows saved reports again, advised upon by the rules of now.
//!
//! Reads and checks the files; what to advise is the caller's, so that this can be tested without rules.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::scan::scanned;
use super::terminal::{Sink, style_for};
use crate::advice::Advice;
use crate::cli::ReportArgs;
use crate::facts::Scanned;
use crate::machine::Machine;
use crate::profile::Profile;
use crate::report::json::{Saved, from_json};
use crate::report::{Report, Style, render_all};

/// More than any run writes; what is larger is not a report, and must not fill the memory.
const SIZE_MAX: u64 = 16 << 20;

/// Reads, advises, writes.
///
/// # Errors
///
/// A file that cannot be read or is not a report, rules that fail, an output that cannot be written; a usage error
/// in the sense of [`crate::exit`]. A reader that goes away is none.
pub fn run(args: &ReportArgs, advise: impl Fn(&Profile, &Machine, &Scanned) -> Result<Advice>) -> Result<()> {
    if !args.format.holds_several() && args.profiles.len() > 1 {
        bail!(
            "{} profiles do not fit into one {} report: give one --profile, or --format text, html or markdown",
            args.profiles.len(),
            args.format.name()
        );
    }
    let sink = if args.output.is_some() { Sink::File } else { Sink::Stdout };
    let style = Style { verbose: args.verbose, ..style_for(sink) };
    let mut programs = Vec::with_capacity(args.profiles.len());
    for path in &args.profiles {
        let Saved { profile, machine, .. } = load(path)?;
        if args.format.is_of_stacks() && profile.call_stacks.stacks.is_empty() {
            bail!("{} holds no call stacks: profile the program again", path.display());
        }
        if args.format.is_of_time() && profile.timeline.books.is_empty() {
            bail!("{} holds no timeline: profile the program again", path.display());
        }
        let source =
            args.scan.as_deref().map(|path| scanned(path, args.rules.as_deref(), &profile)).transpose()?;
        let known = Scanned { dependence: source.as_ref().and_then(|source| source.dependence.clone()) };
        let conclusion = advise(&profile, &machine, &known)?;
        programs.push((profile, machine, conclusion, source));
    }
    let reports: Vec<Report<'_>> = programs
        .iter()
        .map(|(profile, machine, advice, source)| Report {
            profile,
            machine,
            advice,
            source: source.as_ref(),
        })
        .collect();
    let bytes = render_all(&reports, args.format, &style);
    deliver(&bytes, args.output.as_deref())
}

/// Reads a saved report; `-` is standard input.
///
/// # Errors
///
/// Names the file and what is wrong with it.
pub fn load(path: &Path) -> Result<Saved> {
    let bytes = if path == Path::new("-") {
        read(io::stdin().lock()).context("cannot read standard input")?
    } else {
        let refused = || format!("cannot read {}: give a profile saved with -o", path.display());
        read(File::open(path).with_context(refused)?).with_context(refused)?
    };
    from_json(&bytes).with_context(|| format!("cannot use {}", path.display()))
}

fn read(source: impl Read) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(SIZE_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > SIZE_MAX {
        bail!(
            "it is larger than {} MiB and cannot be a report: give a file written by boundby",
            SIZE_MAX >> 20
        );
    }
    Ok(bytes)
}

/// Writes a finished report to a file, or to standard output.
///
/// # Errors
///
/// Names the file and what is wrong with it. A reader of standard output that went away is no error.
pub fn deliver(bytes: &[u8], output: Option<&Path>) -> Result<()> {
    if let Some(path) = output {
        return std::fs::write(path, bytes)
            .with_context(|| format!("cannot write {}: choose another file with -o", path.display()));
    }
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => {
            result.context("cannot write to standard output: redirect it to a file that can be written")
        }
    }
}
