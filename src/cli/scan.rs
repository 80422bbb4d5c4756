//! The arguments of `boundby scan`.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args};

use crate::finding::{Confidence, Severity};
use crate::report::scan::ScanFormat;

/// Findings in source, for people and for CI
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = "\
Examples:
  boundby scan src/                                   findings, with the source they are about
  boundby scan --diff origin/main                     only what this branch adds
  boundby scan --format github --format sarif=out.sarif
  boundby scan --profile etl.json                     what each finding cost in a run, the costliest first
  boundby scan --baseline known.json --update-baseline
  boundby rules explain blocking-call-in-async        what a rule is about

A comment takes a finding back:  # boundby: ignore[RULE] reason
Settings: boundby.toml, [tool.boundby] of pyproject.toml, [package.metadata.boundby] of Cargo.toml.
Exit status: 0 nothing that fails, 1 findings at or above --fail-on, 2 the scan could not be carried out.")]
#[expect(clippy::struct_excessive_bools, reason = "a flag is a bool")]
pub struct ScanArgs {
    /// Files and directories; the current directory where none is named
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Format of the report, and the file it goes to; may be given several times
    #[arg(long = "format", value_name = "FORMAT[=FILE]", value_parser = parse_output, help_heading = "Output")]
    pub formats: Vec<Output>,
    /// Write to this file what would go to standard output
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output_file: Option<PathBuf>,
    /// Findings only: no summary, no progress
    #[arg(short, long, help_heading = "Output")]
    pub quiet: bool,
    /// Count the findings of each rule instead of showing them
    #[arg(long, help_heading = "Output")]
    pub statistics: bool,
    /// Only these rules: an id, the beginning of one, the letter of a group, ALL
    #[arg(long, value_name = "RULE", value_delimiter = ',', help_heading = "What counts")]
    pub select: Vec<String>,
    /// Not these rules
    #[arg(long, value_name = "RULE", value_delimiter = ',', help_heading = "What counts")]
    pub ignore: Vec<String>,
    /// Do not read what fits this glob; may be given several times
    #[arg(long, value_name = "GLOB", help_heading = "What counts")]
    pub exclude: Vec<String>,
    /// The least severity that is shown [default: warning]
    #[arg(long, value_name = "SEVERITY", value_parser = severities(), help_heading = "What counts")]
    pub level: Option<Severity>,
    /// The least confidence that is shown [default: medium]
    #[arg(long, value_name = "CONFIDENCE", value_parser = confidences(), help_heading = "What counts")]
    pub confidence: Option<Confidence>,
    /// Only findings that are not in this file
    #[arg(long, value_name = "FILE", help_heading = "What counts")]
    pub baseline: Option<PathBuf>,
    /// Take out of the baseline what is no longer found; write it with all findings where there is none yet
    #[arg(long, help_heading = "What counts")]
    pub update_baseline: bool,
    /// With --update-baseline: add the new findings, each of which is named
    #[arg(long, requires = "update_baseline", help_heading = "What counts")]
    pub accept_new: bool,
    /// Only findings that this branch adds to the commit where it left BASE (a branch, tag or commit)
    #[arg(long, value_name = "BASE", conflicts_with_all = ["baseline", "update_baseline"], help_heading = "What counts")]
    pub diff: Option<String>,
    /// The least severity that makes the exit status 1 [default: warning]
    #[arg(long, value_name = "SEVERITY", value_parser = severities(), help_heading = "Exit status")]
    pub fail_on: Option<Severity>,
    /// Let opportunities fail like mistakes and hazards
    #[arg(long, help_heading = "Exit status")]
    pub fail_on_opportunities: bool,
    /// Exit with 0 whatever is found
    #[arg(long, help_heading = "Exit status")]
    pub exit_zero: bool,
    /// Fail where a file was not understood (2), and where a suppression or the baseline is out of date (1)
    #[arg(long, help_heading = "Exit status")]
    pub strict: bool,
    /// Say what each finding cost in this run, the costliest first: a profile of this source, saved with `profile -o`
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub profile: Option<PathBuf>,
    /// Rewrite the source where that is safe
    #[arg(long, conflicts_with = "diff_fixes", help_heading = "Fixes")]
    pub fix: bool,
    /// Show what --fix would do, as a diff
    #[arg(long, help_heading = "Fixes")]
    pub diff_fixes: bool,
    /// Take the settings from this file
    #[arg(long, value_name = "FILE", help_heading = "Settings")]
    pub config: Option<PathBuf>,
    /// Take no settings from any file
    #[arg(long, conflicts_with = "config", help_heading = "Settings")]
    pub isolated: bool,
    /// Directory of your own rules and catalogue, laid over the built-in ones
    #[arg(long, value_name = "DIR", help_heading = "Settings")]
    pub rules: Option<PathBuf>,
    /// Keep in this directory what a scan learns, so that the next one is quick; what is found does not depend on it
    #[arg(long, value_name = "DIR", help_heading = "Settings")]
    pub cache_dir: Option<PathBuf>,
    /// Use no cache, whatever the settings say
    #[arg(long, conflicts_with = "cache_dir", help_heading = "Settings")]
    pub no_cache: bool,
    /// How many threads; what is found does not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Settings")]
    pub threads: Option<u16>,
    /// Show everything: what is below the level, every open question
    #[arg(short, long, action = ArgAction::SetTrue, help_heading = "Output")]
    pub verbose: bool,
}

/// A format, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// How it is written.
    pub format: ScanFormat,
    /// The file; standard output where there is none.
    pub file: Option<PathBuf>,
}

fn parse_output(text: &str) -> Result<Output, String> {
    let (name, file) = text.split_once('=').map_or((text, None), |(name, file)| (name, Some(file)));
    let format = ScanFormat::from_name(name).ok_or_else(|| {
        let names: Vec<_> = ScanFormat::all().map(ScanFormat::name).collect();
        format!("no format is called `{name}`; there are {}", names.join(", "))
    })?;
    if file == Some("") {
        return Err(format!("name the file: {name}=FILE"));
    }
    Ok(Output { format, file: file.map(PathBuf::from) })
}

fn severities() -> impl TypedValueParser<Value = Severity> {
    let names: Vec<&'static str> = Severity::ALL.iter().map(|severity| severity.name()).collect();
    PossibleValuesParser::new(names)
        .try_map(|name| Severity::from_name(&name).ok_or_else(|| format!("no severity is called {name}")))
}

fn confidences() -> impl TypedValueParser<Value = Confidence> {
    let names: Vec<&'static str> = Confidence::ALL.iter().map(|confidence| confidence.name()).collect();
    PossibleValuesParser::new(names)
        .try_map(|name| Confidence::from_name(&name).ok_or_else(|| format!("no confidence is called {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_may_name_its_file() {
        let output = parse_output("sarif=a=b.sarif").unwrap();
        assert_eq!((output.format, output.file), (ScanFormat::Sarif, Some(PathBuf::from("a=b.sarif"))));
        assert_eq!(parse_output("text").unwrap().file, None);
        assert!(parse_output("sarif=").unwrap_err().contains("name the file"));
        assert!(parse_output("pdf").unwrap_err().contains("there are text, concise, json"));
    }
}
