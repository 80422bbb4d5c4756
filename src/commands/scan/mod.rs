//! `boundby scan`: reads, judges, compares, repairs, reports.

mod cache;
mod fix;
mod judge;
mod progress;
mod settings;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result, anyhow, bail};

use self::judge::{Judged, judge};
use self::progress::Watched;
use self::settings::{Ground, Settings};
use super::report::{deliver, load};
use super::rules::load_source;
use super::terminal::{Sink, style_for};
use crate::catalog::{Catalog, Language};
use crate::cli::{Output, ScanArgs};
use crate::exit;
use crate::finding::Finding;
use crate::join::{CostlyCall, Joined, Run, Scanned, Spent, dependence, join};
use crate::profile::Profile;
use crate::report::Style;
use crate::report::scan::{Notice, NoticeKind, ScanFormat, ScanReport, Totals, render, statistics};
use crate::rules::source::SourceRules;
use crate::scan::baseline::{Baseline, Key};
use crate::scan::cache::Cache;
use crate::scan::source::SourceFile;
use crate::scan::walk::{self, Kind};
use crate::scan::{self, Options, Scan, Thresholds, Tree, Unwatched, changed};
use crate::units;
use crate::yaml::RuleError;

/// Scans and reports; returns the exit code.
///
/// # Errors
/// What keeps a scan from being carried out: arguments, settings, rules, paths, git, an output that cannot be written.
pub fn run(args: &ScanArgs) -> Result<u8> {
    let here = std::env::current_dir().context("the current directory is not there")?;
    let outcome = scan_in(args, &here)?;
    for (output, bytes) in &outcome.outputs {
        deliver(bytes, output.as_deref())?;
    }
    for line in &outcome.asides {
        // A standard error that went away takes nothing that was asked for.
        let _ = writeln!(io::stderr(), "boundby: {line}");
    }
    Ok(outcome.code)
}

/// What a run came to, before any of it is written.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code.
    pub code: u8,
    /// Reports with the files they go to; standard output where there is none.
    pub outputs: Vec<(Option<PathBuf>, Vec<u8>)>,
    /// Lines for standard error.
    pub asides: Vec<String>,
}

/// A scan of this source by the settings of its project, opportunities included, beside a run.
///
/// # Errors
/// See [`run`].
pub fn scanned(path: &Path, own: Option<&Path>, profile: &Profile) -> Result<Joined> {
    let here = std::env::current_dir().context("the current directory is not there")?;
    let args = ScanArgs {
        paths: vec![path.to_owned()],
        rules: own.map(Path::to_owned),
        quiet: true,
        ..ScanArgs::default()
    };
    let Prepared { settings, rules, own_apis, own } = prepare(&args, &here, None)?;
    // That there is no cache is no news to who asks about a profile.
    let cache = cache::open(&here, &settings, own.as_deref(), &mut Vec::new());
    let seen = look(&args, &settings, &rules, cache.as_ref(), || catalog(own_apis.as_ref()))?;
    let catalog = catalog(own_apis.as_ref());
    let mut files: BTreeMap<&str, Vec<CostlyCall<'_>>> =
        seen.sources.keys().map(|path| (&**path, Vec::new())).collect();
    for (path, calls) in &seen.costly {
        let Some(Kind::Source(language)) = seen.sources.get(path).map(|(_, kind)| *kind) else { continue };
        let calls = calls.iter().filter_map(|(line, end_line, name)| {
            Some(CostlyCall { line: *line, end_line: *end_line, api: catalog.find(language, name)? })
        });
        files.entry(&**path).or_default().extend(calls);
    }
    let by_name = |name: &str| {
        let language = if name.contains("::") { Language::Rust } else { Language::Python };
        catalog.find(language, name)
    };
    let judged = judge(seen.observations, &seen.comments, &settings, &rules);
    // What only explains a measurement is not told of otherwise.
    let region = profile.items.as_ref().and_then(|items| items.region.as_ref());
    let dependence = region.and_then(|region| dependence(region, &judged.findings, &settings.root));
    let run = Run::of(profile, &settings.root);
    let counts = |finding: &Finding| {
        ((finding.severity >= settings.level || finding.opportunity)
            && finding.confidence >= settings.confidence)
            || run.is_costly(&finding.seen.place)
    };
    let findings = judged.findings.into_iter().filter(counts).collect();
    let scanned = Scanned { root: &settings.root, findings, files, by_name: &by_name };
    Ok(Joined { dependence, ..join(scanned, profile) })
}

/// What a scan goes by.
struct Prepared {
    settings: Settings,
    rules: SourceRules,
    /// The user's own rules.
    own: Option<PathBuf>,
    /// The catalogue with the user's own entries, if there are any.
    own_apis: Option<Catalog>,
}

fn prepare(args: &ScanArgs, here: &Path, top: Option<PathBuf>) -> Result<Prepared> {
    // Reading the catalogue takes about as long as listing some thousand files. Whoever needs it first waits for it, or
    // reads it where there was no thread to be had.
    let _ = thread::Builder::new().spawn(Catalog::builtin);
    let ground = Ground::find(args, here, top)?;
    let own = args.rules.as_ref().map(|path| here.join(path)).or_else(|| ground.config.rules.clone());
    let rules = load_source(own.as_deref())?;
    let settings = Settings::new(args, ground, &rules)?;
    let own_apis = own_catalog(own.as_deref())?;
    Ok(Prepared { settings, rules, own, own_apis })
}

/// The catalogue to ask. Whoever asks waits for the one that is built in: what is known from an earlier scan needs none.
fn catalog(own: Option<&Catalog>) -> &Catalog {
    own.unwrap_or_else(|| Catalog::builtin())
}

/// Scans as if started in a directory; writes only what `--fix` and `--update-baseline` are for.
///
/// # Errors
/// See [`run`].
pub fn scan_in(args: &ScanArgs, here: &Path) -> Result<Outcome> {
    let top = args.diff.as_ref().map(|_| changed::top(here)).transpose()?;
    let top = top.map(|top| top.canonicalize().unwrap_or(top));
    let profile = args.profile.as_ref().map(|path| load(&here.join(path))).transpose()?;
    let Prepared { settings, rules, own_apis, own } = prepare(args, here, top)?;
    let run = profile.as_ref().map(|saved| Run::of(&saved.profile, &settings.root));
    let catalog = || catalog(own_apis.as_ref());
    let mut asides = Vec::new();
    let cache = cache::open(here, &settings, own.as_deref(), &mut asides);
    let seen = look(args, &settings, &rules, cache.as_ref(), catalog)?;
    if seen.sources.is_empty() && !args.quiet {
        asides.push(
            "nothing to scan: no Python, no Rust, no file that starts workers below the paths named"
                .to_owned(),
        );
    }
    let totals = totals(&seen);
    let mut report =
        Report { here, args, settings: &settings, rules: &rules, cache: cache.as_ref(), run, asides, totals };
    let problems = notices(&seen);
    let Scan { observations, sources, comments, .. } = seen;
    let judged = judge(observations, &comments, &settings, &rules);
    report.totals.suppressed = judged.suppressed;
    let Judged { findings, notices, .. } = judged;
    let mut notices = [notices, problems].concat();
    let known = report.known(&findings, &mut notices, catalog)?;
    let mut shown: Vec<Finding> = findings
        .into_iter()
        .zip(known)
        .filter_map(|(finding, known)| {
            let low = (finding.severity < settings.level || finding.confidence < settings.confidence)
                && !report.run.as_ref().is_some_and(|run| run.is_costly(&finding.seen.place));
            // A finding that is both is counted once, where it would have been shown.
            report.totals.below_level += u64::from(low && !known);
            report.totals.known += u64::from(known);
            (!low && !known).then_some(finding)
        })
        .collect();
    if let Some(run) = &report.run {
        shown.sort_by_cached_key(|finding| Reverse(run.spent(&finding.seen.place).map(Spent::weight)));
    }
    report.finish(shown, notices, &sources)
}

struct Report<'a> {
    here: &'a Path,
    args: &'a ScanArgs,
    settings: &'a Settings,
    rules: &'a SourceRules,
    cache: Option<&'a Cache>,
    run: Option<Run<'a>>,
    asides: Vec<String>,
    totals: Totals,
}

impl Report<'_> {
    /// For each finding, whether it is known: to the baseline, or to the commit that is compared with.
    fn known<'c>(
        &mut self,
        findings: &[Finding],
        notices: &mut Vec<Notice>,
        catalog: impl FnOnce() -> &'c Catalog + Send,
    ) -> Result<Vec<bool>> {
        if let Some(base) = &self.args.diff {
            return self.known_to_commit(base, findings, catalog);
        }
        let Some(file) = &self.settings.baseline else {
            if self.args.update_baseline {
                bail!("--update-baseline has no file to write: name it with --baseline FILE");
            }
            return Ok(vec![false; findings.len()]);
        };
        let file = self.here.join(file);
        let shown = |finding: &&Finding| {
            finding.severity >= self.settings.level && finding.confidence >= self.settings.confidence
        };
        if !file.exists() {
            if !self.args.update_baseline {
                bail!("{}: no such baseline; write it with --update-baseline", file.display());
            }
            let baseline = Baseline::of(findings.iter().filter(shown));
            write(&file, &baseline.to_text())?;
            self.asides.push(format!(
                "{} written with {}",
                file.display(),
                units::count(baseline.len(), "finding")
            ));
            return Ok(baseline.knows(findings));
        }
        let text =
            std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let baseline = Baseline::parse(&text).map_err(|what| {
            anyhow!("{} is no baseline: {what}; write a new one with --update-baseline", file.display())
        })?;
        let known = baseline.knows(findings);
        // What a part of the project does not show may still be there through another part.
        let whole = baseline.known.keys().all(|key| self.settings.is_named(&key.path));
        let stale = if whole { baseline.stale(findings) } else { Baseline::default() };
        if !self.args.update_baseline {
            notices.extend(stale.known.iter().map(|(key, count)| stale_notice(key, *count)));
            return Ok(known);
        }
        let mut updated = baseline.without(&stale);
        if !stale.is_empty() {
            self.asides.push(format!(
                "{} taken out of {}",
                units::count(stale.len(), "finding"),
                file.display()
            ));
        }
        let mut known = known;
        if self.args.accept_new {
            for (finding, known) in findings.iter().zip(&mut known) {
                if !*known && shown(&finding) {
                    *updated.known.entry(Key::of(finding)).or_default() += 1;
                    *known = true;
                    let place = &finding.seen.place;
                    let at = format!("{}:{}", place.path, place.line);
                    self.asides.push(format!("accepted {at}: {} ({})", finding.message, finding.seen.rule));
                }
            }
        }
        write(&file, &updated.to_text())?;
        Ok(known)
    }

    /// Scans the commit where this branch left `base` by the same settings. What it has as well is known, unless it
    /// is reached from more functions now.
    fn known_to_commit<'c>(
        &mut self,
        base: &str,
        findings: &[Finding],
        catalog: impl FnOnce() -> &'c Catalog + Send,
    ) -> Result<Vec<bool>> {
        let (settings, rules) = (self.settings, self.rules);
        let base = changed::base(&settings.root, base, &settings.exclude, |path| settings.is_named(path))?;
        let thresholds = rules.options().collect();
        // Its facts would take the place of those of the files as they are.
        let cache = self.cache.map(|cache| cache.about("base"));
        let options = options(self.args, &thresholds, &Unwatched, cache.as_ref());
        let (tree, renamed) = (base.tree, base.renamed);
        let before = scan::scan(move || tree, &options, catalog)?;
        let before = judge(before.observations, &before.comments, settings, rules);
        let mut reached: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
        for finding in &before.findings {
            reached.entry(Key::of(finding)).or_default().push(finding.seen.reached_from);
        }
        self.totals.base = Some(base.commit);
        let known = findings.iter().map(|finding| {
            let mut key = Key::of(finding);
            if let Some(old) = renamed.get(&key.path) {
                key.path.clone_from(old);
            }
            let Some(left) = reached.get_mut(&key) else { return false };
            // Each that was there before explains one that is there now.
            let explains = left.iter().position(|before| *before >= finding.seen.reached_from);
            explains.map(|at| left.remove(at)).is_some()
        });
        Ok(known.collect())
    }

    fn finish(
        mut self,
        mut shown: Vec<Finding>,
        mut notices: Vec<Notice>,
        sources: &BTreeMap<Arc<str>, (SourceFile, Kind)>,
    ) -> Result<Outcome> {
        notices.sort();
        let file = |path: &str| sources.get(path).map(|(file, _)| file);
        let plans = fix::plan(&shown, file);
        let mut diffs = String::new();
        if self.args.fix {
            let mut repaired: Vec<usize> = Vec::new();
            for (path, plan) in &plans {
                let Some(source) = file(path) else { continue };
                let text = fix::edited(&source.text, &plan.edits);
                fix::replace(&self.settings.root.join(path), &source.text, &text)?;
                repaired.extend(&plan.repaired);
            }
            if !repaired.is_empty() {
                let files = units::count(plans.len() as u64, "file");
                self.asides
                    .push(format!("{} fixed in {files}", units::count(repaired.len() as u64, "finding")));
            }
            let mut index = 0;
            shown.retain(|_| {
                index += 1;
                !repaired.contains(&(index - 1))
            });
        } else {
            self.totals.fixable = plans.values().map(|plan| plan.repaired.len() as u64).sum();
            for (path, plan) in plans.iter().filter(|_| self.args.diff_fixes) {
                diffs.extend(file(path).map(|source| fix::diff(path, &source.text, &plan.edits)));
            }
        }
        let fails = |finding: &&Finding| {
            finding.severity >= self.settings.fail_on
                && (!finding.opportunity || self.settings.fail_on_opportunities)
        };
        self.totals.failing = shown.iter().filter(fails).count() as u64;
        let code = self.code(&notices);
        let outputs = if self.args.diff_fixes {
            vec![(self.args.output_file.clone(), diffs.into_bytes())]
        } else if self.args.statistics {
            vec![(self.args.output_file.clone(), statistics(&shown).into_bytes())]
        } else {
            self.rendered(&shown, &notices, sources)?
        };
        Ok(Outcome { code, outputs, asides: self.asides })
    }

    fn code(&self, notices: &[Notice]) -> u8 {
        let not_understood = notices.iter().any(|notice| notice.kind == NoticeKind::NotUnderstood);
        let out_of_date = notices.iter().any(|notice| notice.kind != NoticeKind::NotUnderstood);
        if self.args.strict && (not_understood || self.totals.files == 0) {
            exit::USAGE
        } else if self.args.exit_zero {
            exit::SUCCESS
        } else if self.totals.failing > 0 || (self.args.strict && out_of_date) {
            exit::FINDINGS
        } else {
            exit::SUCCESS
        }
    }

    fn rendered(
        &self,
        findings: &[Finding],
        notices: &[Notice],
        sources: &BTreeMap<Arc<str>, (SourceFile, Kind)>,
    ) -> Result<Vec<(Option<PathBuf>, Vec<u8>)>> {
        let mut wanted = self.args.formats.clone();
        if wanted.is_empty() {
            wanted.push(Output { format: ScanFormat::Text, file: None });
        }
        let to_stdout = wanted.iter().filter(|output| output.file.is_none()).count();
        if to_stdout > 1 {
            bail!(
                "{to_stdout} formats go to standard output: name a file for all but one, as in sarif=out.sarif"
            );
        }
        let root = &self.settings.root;
        let from_here = |path: &str| shown_path(self.here, root, path);
        let text = |path: &str| sources.get(path).map(|(file, _)| &*file.text);
        let report = ScanReport {
            findings,
            notices,
            totals: &self.totals,
            rules: self.rules,
            run: self.run.as_ref(),
            text: &text,
            quiet: self.args.quiet,
            from_here: &from_here,
        };
        let outputs = wanted.into_iter().map(|Output { format, file }| {
            let file = file.or_else(|| self.args.output_file.clone());
            let sink = if file.is_some() { Sink::File } else { Sink::Stdout };
            let style = Style { verbose: self.args.verbose, ..style_for(sink) };
            (file.map(|file| self.here.join(file)), render(&report, format, &style).into_bytes())
        });
        Ok(outputs.collect())
    }
}

/// A path of the scan as somebody in `here` would type it.
fn shown_path(here: &Path, root: &Path, path: &str) -> String {
    if path.is_empty() {
        return String::new();
    }
    let file = root.join(path);
    let here = here.canonicalize().unwrap_or_else(|_| here.to_owned());
    file.strip_prefix(&here).unwrap_or(&file).display().to_string()
}

fn look<'c>(
    args: &ScanArgs,
    settings: &Settings,
    rules: &SourceRules,
    cache: Option<&Cache>,
    catalog: impl FnOnce() -> &'c Catalog + Send,
) -> Result<Scan> {
    let thresholds = rules.options().collect();
    let bar = Watched::new(args.quiet);
    let options = options(args, &thresholds, &bar, cache);
    let walked = walk::walk(&settings.root, &settings.paths, &settings.exclude);
    let walked = walked.map_err(|(path, error)| anyhow!("cannot read {}: {error}", path.display()))?;
    let scan = scan::scan(|| Tree::read(walked), &options, catalog);
    bar.clear();
    Ok(scan?)
}

fn options<'a>(
    args: &ScanArgs,
    thresholds: &'a Thresholds,
    progress: &'a dyn scan::Progress,
    cache: Option<&'a Cache>,
) -> Options<'a> {
    Options { threads: args.threads.map(usize::from), thresholds, progress, cache }
}

/// A user's catalogue, laid over the built-in one.
fn own_catalog(own: Option<&Path>) -> Result<Option<Catalog>> {
    let own = own.filter(|path| path.is_dir()).map(Catalog::with);
    own.transpose().map_err(|errors| anyhow!("the catalogue cannot be used\n\n{}", listed(&errors)))
}

fn listed(errors: &[RuleError]) -> String {
    let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
    errors.join("\n\n")
}

fn totals(scan: &Scan) -> Totals {
    let mut not_understood: Vec<_> = scan.problems.iter().map(|problem| &problem.path).collect();
    not_understood.dedup();
    Totals {
        files: scan.sources.len() as u64,
        lines: scan.lines,
        not_understood: not_understood.len() as u64,
        calls: scan.calls.0,
        calls_resolved: scan.calls.1,
        async_functions: scan.async_functions,
        ..Totals::default()
    }
}

/// One notice per file: the first thing in it that was not understood, and how many more there are.
fn notices(scan: &Scan) -> Vec<Notice> {
    let mut notices: Vec<Notice> = Vec::new();
    let mut more = 0;
    for problem in &scan.problems {
        match notices.last_mut() {
            Some(last) if !last.path.is_empty() && last.path == *problem.path => {
                more += 1;
                if let Some((what, _)) = last.what.split_once(" (and ") {
                    last.what = what.to_owned();
                }
                last.what = format!("{} (and {more} more)", last.what);
            }
            _ => {
                more = 0;
                notices.push(Notice {
                    kind: NoticeKind::NotUnderstood,
                    path: problem.path.to_string(),
                    line: problem.line,
                    column: problem.column,
                    what: problem.what.clone(),
                });
            }
        }
    }
    notices
}

fn stale_notice(key: &Key, count: u64) -> Notice {
    let number = if count > 1 { format!("{count} × ") } else { String::new() };
    Notice {
        kind: NoticeKind::Baseline,
        path: key.path.clone(),
        line: 0,
        column: 0,
        what: format!(
            "{number}{} of `{}` in `{}` is no longer found: take it out with --update-baseline",
            key.rule, key.subject, key.symbol
        ),
    }
}

fn write(file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}
