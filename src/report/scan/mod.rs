//! What a scan found, for people and for machines. Pure: same findings in, same bytes out.
//!
//! One file per format. Paths are relative to the root of the scan, which is what machines want; a reader is shown
//! them from where they stand.

mod causes;
mod concise;
mod github;
mod gitlab;
mod json;
mod junit;
mod markdown;
mod sarif;
mod text;

use std::borrow::Cow;

use crate::finding::{Finding, Hop, Severity};
use crate::join::{Run, Spent};
use crate::report::Style;
use crate::report::formats::Formats;
use crate::rules::source::SourceRules;
use crate::units;

/// What a report shows.
#[derive(Clone, Copy)]
pub struct ScanReport<'a> {
    /// What is shown, in order of path and place.
    pub findings: &'a [Finding],
    /// What else has to be said, in order.
    pub notices: &'a [Notice],
    /// What was counted.
    pub totals: &'a Totals,
    /// Titles and groups of the rules.
    pub rules: &'a SourceRules,
    /// The run that the findings are put beside, if there is one.
    pub run: Option<&'a Run<'a>>,
    /// The text of a file of the scan.
    pub text: &'a dyn Fn(&str) -> Option<&'a str>,
    /// Findings only: no summary for people.
    pub quiet: bool,
    /// A path as the reader would type it.
    pub from_here: &'a dyn Fn(&str) -> String,
}

/// Something that is not a finding and must not go unsaid.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Notice {
    /// What it is about.
    pub kind: NoticeKind,
    /// Relative to the root; empty where it is not one file's.
    pub path: String,
    /// From 1; 0 where the whole file is meant.
    pub line: u32,
    /// From 1; 0 where the whole file is meant.
    pub column: u32,
    /// Lowercase, no full stop.
    pub what: String,
}

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoticeKind {
    /// A file, or a part of it, that was not understood.
    NotUnderstood,
    /// A suppression that suppresses nothing, or is wrong.
    Suppression,
    /// An entry of the baseline that is no longer found.
    Baseline,
    /// The installation itself.
    Installation,
}

impl NoticeKind {
    /// The name in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NotUnderstood => "not-understood",
            Self::Suppression => "suppression",
            Self::Baseline => "baseline",
            Self::Installation => "installation",
        }
    }
}

/// What was counted on the way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Files read.
    pub files: u64,
    /// Their lines.
    pub lines: u64,
    /// Files that were not understood, in part or whole.
    pub not_understood: u64,
    /// Calls in the source.
    pub calls: u64,
    /// Calls of which it is known what they call.
    pub calls_resolved: u64,
    /// Functions that run on an event loop.
    pub async_functions: u64,
    /// Findings below the level or the confidence that is shown.
    pub below_level: u64,
    /// Findings a comment takes back.
    pub suppressed: u64,
    /// Findings in the baseline, or in the commit that is compared with.
    pub known: u64,
    /// Findings shown that can be fixed at once.
    pub fixable: u64,
    /// Findings shown that fail the build.
    pub failing: u64,
    /// The commit that is compared with.
    pub base: Option<String>,
}

/// The formats. A new one is one file, one variant and one row of `RENDERERS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ScanFormat {
    /// For people: excerpts of the source.
    #[default]
    Text,
    /// A line per finding.
    Concise,
    /// For programs: schema `boundby/scan/1`.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// Annotations of GitHub workflows.
    Github,
    /// The code quality report of GitLab.
    Gitlab,
    /// For whatever shows test results.
    Junit,
    /// For summaries and comments.
    Markdown,
}

type Render = fn(&ScanReport<'_>, &Style) -> String;

const RENDERERS: Formats<ScanFormat, Render> = Formats(&[
    (ScanFormat::Text, "text", text::render),
    (ScanFormat::Concise, "concise", |report, _| concise::render(report)),
    (ScanFormat::Json, "json", |report, _| json::render(report)),
    (ScanFormat::Sarif, "sarif", |report, _| sarif::render(report)),
    (ScanFormat::Github, "github", |report, _| github::render(report)),
    (ScanFormat::Gitlab, "gitlab", |report, _| gitlab::render(report)),
    (ScanFormat::Junit, "junit", |report, _| junit::render(report)),
    (ScanFormat::Markdown, "markdown", |report, _| markdown::render(report)),
]);

impl ScanFormat {
    /// Every format, in the order of the help text.
    pub fn all() -> impl Iterator<Item = Self> {
        RENDERERS.all()
    }

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        RENDERERS.name(self)
    }

    /// The format with this [`name`](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        RENDERERS.named(name)
    }
}

/// The report in a format, ending in a newline unless there is nothing to say.
#[must_use]
pub fn render(report: &ScanReport<'_>, format: ScanFormat, style: &Style) -> String {
    RENDERERS.renderer(format)(report, style)
}

/// A table of how often each rule was found.
#[must_use]
pub fn statistics(findings: &[Finding]) -> String {
    let mut counts: std::collections::BTreeMap<&str, (u64, Severity)> = std::collections::BTreeMap::new();
    for finding in findings {
        let entry = counts.entry(finding.seen.rule).or_insert((0, finding.severity));
        *entry = (entry.0 + 1, entry.1.max(finding.severity));
    }
    let mut rows: Vec<_> = counts.into_iter().collect();
    rows.sort_by_key(|(rule, (count, severity))| (std::cmp::Reverse((*count, *severity)), *rule));
    let digits = rows.first().map_or(0, |(_, (count, _))| count.to_string().len());
    let lines = rows
        .iter()
        .map(|(rule, (count, severity))| format!("{count:digits$}  {:7}  {rule}\n", severity.name()));
    lines.collect()
}

impl ScanReport<'_> {
    /// The findings, worst first, in stable order; beside a run as they are, the costliest first.
    fn worst_first(&self) -> Vec<&Finding> {
        let mut findings: Vec<_> = self.findings.iter().collect();
        if self.run.is_some() {
            return findings;
        }
        findings.sort_by_key(|finding| {
            std::cmp::Reverse((!finding.opportunity, finding.severity, finding.confidence))
        });
        findings
    }

    fn spent(&self, finding: &Finding) -> Option<Spent> {
        self.run?.spent(&finding.seen.place)
    }

    /// What a finding cost in the run: `3.2 s of 12.4 s, 57 waits`. `None` where there is no run.
    fn measured(&self, finding: &Finding) -> Option<String> {
        let run = self.run?;
        let Some(spent) = run.spent(&finding.seen.place) else {
            return Some("not seen in the run".to_owned());
        };
        let time = |time: std::time::Duration| units::seconds(time.as_secs_f64());
        let waits = (spent.waits > 0).then(|| format!(", {}", units::count(spent.waits, "wait")));
        let computes = spent.computed > spent.waited;
        let cpu = computes.then(|| format!(", {} of CPU time", time(spent.computed)));
        let said = format!("{} of the run's {}", time(spent.wall), time(run.wall));
        let said = [said, waits.unwrap_or_default(), cpu.unwrap_or_default()].concat();
        Some(said)
    }

    /// The message of a finding, with what it cost.
    fn message<'f>(&self, finding: &'f Finding) -> Cow<'f, str> {
        match self.measured(finding) {
            Some(measured) => Cow::Owned(format!("{} ({measured})", finding.message)),
            None => Cow::Borrowed(&finding.message),
        }
    }

    fn title<'b>(&'b self, rule: &'b str) -> &'b str {
        self.rules.get(rule).map_or(rule, |rule| &rule.title)
    }

    /// `2 errors, 1 warning in 2 of 120 files, with 2 causes`.
    fn summary(&self) -> String {
        let count =
            |severity| self.findings.iter().filter(|finding| finding.severity == severity).count() as u64;
        let mut files: Vec<_> = self.findings.iter().map(|finding| &finding.seen.place.path).collect();
        files.sort();
        files.dedup();
        let of = units::count(self.totals.files, "file");
        if files.is_empty() {
            let new = if self.totals.base.is_some() { "new " } else { "" };
            return format!("no {new}findings in {of}");
        }
        let counts: Vec<String> =
            [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "note")]
                .into_iter()
                .filter(|(severity, _)| count(*severity) > 0)
                .map(|(severity, name)| units::count(count(severity), name))
                .collect();
        let causes = causes::causes(self.findings).len();
        let causes = if causes < self.findings.len() {
            format!(", with {}", units::count(causes as u64, "cause"))
        } else {
            String::new()
        };
        format!("{} in {} of {of}{causes}", counts.join(", "), units::grouped(files.len() as u64))
    }

    /// What is not shown, and how much was understood.
    fn asides(&self) -> Vec<String> {
        let totals = self.totals;
        let mut asides = Vec::new();
        let mut add = |number: u64, words: &str| {
            if number > 0 {
                asides.push(format!("{} {words}", units::grouped(number)));
            }
        };
        add(totals.below_level, "below the level shown (--level note --confidence low)");
        add(totals.suppressed, "suppressed in the source");
        let known = totals
            .base
            .as_ref()
            .map_or("in the baseline".to_owned(), |base| format!("already in {}", short(base)));
        add(totals.known, &known);
        add(totals.fixable, "fixable (--diff-fixes shows how, --fix does it)");
        add(totals.not_understood, "not understood, in part or whole");
        if totals.calls > 0 {
            let share = totals.calls_resolved as f64 / totals.calls as f64;
            asides.push(format!(
                "calls resolved: {} of {}",
                units::percent(share),
                units::grouped(totals.calls)
            ));
        }
        asides
    }
}

fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

/// `a → b → c`: the way down a chain.
fn way(chain: &[Hop]) -> String {
    let first = chain.first().map(|hop| &*hop.function);
    let names: Vec<&str> = first.into_iter().chain(chain.iter().map(|hop| &*hop.callee)).collect();
    names.join(" → ")
}

/// Text of a file or a name in one line, without what could steer a terminal or split a record.
fn harmless(text: &str) -> Cow<'_, str> {
    let steers = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if text.contains(steers) {
        Cow::Owned(text.chars().map(|c| if steers(c) { ' ' } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests;
