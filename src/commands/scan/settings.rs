//! What holds for a scan: flags over the project's settings over what is usual. Checks every word a user wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use globset::GlobSet;

use crate::cli::ScanArgs;
use crate::finding::{Confidence, Severity};
use crate::rules::source::SourceRules;
use crate::scan::config::{Config, ConfigError, Word};
use crate::scan::walk;

/// What is test code where a project does not say.
const TESTS: [&str; 8] =
    ["tests", "test", "testing", "benches", "test_*.py", "*_test.py", "conftest.py", "tests.rs"];

/// Everything a scan goes by.
pub(super) struct Settings {
    /// Every path of the scan is relative to it.
    pub(super) root: PathBuf,
    /// What to read, absolute.
    pub(super) paths: Vec<PathBuf>,
    pub(super) exclude: GlobSet,
    /// Ids of the rules that count.
    pub(super) enabled: BTreeSet<String>,
    pub(super) level: Severity,
    pub(super) confidence: Confidence,
    pub(super) fail_on: Severity,
    pub(super) fail_on_opportunities: bool,
    pub(super) require_reason: bool,
    pub(super) baseline: Option<PathBuf>,
    /// The directory of the cache, where one is wanted.
    pub(super) cache: Option<PathBuf>,
    tests: GlobSet,
    severity: BTreeMap<String, Severity>,
    path_ignores: Vec<(GlobSet, BTreeSet<String>)>,
    path_severity: Vec<(GlobSet, BTreeMap<String, Severity>)>,
    /// From the root to the directory that globs are relative to, with `/` at its end.
    base: String,
}

/// The directory that paths are relative to, and the settings that hold.
pub(super) struct Ground {
    pub(super) root: PathBuf,
    pub(super) paths: Vec<PathBuf>,
    pub(super) config: Config,
}

impl Ground {
    /// Finds them. `top` is the top of a repository where one has been asked for.
    pub(super) fn find(args: &ScanArgs, here: &Path, top: Option<PathBuf>) -> Result<Self> {
        let here = here.canonicalize().context("the current directory is not there")?;
        let mut paths = Vec::new();
        for path in &args.paths {
            let absolute = here.join(path);
            // The name itself stays as typed: a link that is named is read under its name.
            let parent = absolute.parent().filter(|_| absolute.is_file()).unwrap_or(&absolute);
            let parent = parent.canonicalize();
            let parent = parent
                .with_context(|| format!("cannot read {}: name a file or directory", path.display()))?;
            let is_file = absolute.is_file();
            paths.push(match absolute.file_name().filter(|_| is_file) {
                Some(name) => parent.join(name),
                None => parent,
            });
        }
        if paths.is_empty() {
            paths.push(here.clone());
        }
        let common = common(&paths);
        let config = match &args.config {
            Some(file) => {
                let config = Config::load(&here.join(file))?;
                Config { base: config.base.canonicalize().unwrap_or(config.base), ..config }
            }
            None if args.isolated => Config::default(),
            None => Config::nearest(&common)?,
        };
        let repository =
            || common.ancestors().find(|directory| directory.join(".git").exists()).map(Path::to_owned);
        let of_config = || {
            let base = &config.base;
            (config.origin.is_some() && common.starts_with(base)).then(|| base.clone())
        };
        let root = top
            .or_else(repository)
            .or_else(of_config)
            .or_else(|| common.starts_with(&here).then(|| here.clone()))
            .unwrap_or(common);
        Ok(Self { root, paths, config })
    }
}

/// The deepest directory that holds all of them.
fn common(paths: &[PathBuf]) -> PathBuf {
    let first = paths.first().map_or(Path::new("/"), PathBuf::as_path);
    let directory = if first.is_file() { first.parent().unwrap_or(first) } else { first };
    let holds_all = |directory: &&Path| paths.iter().all(|path| path.starts_with(directory));
    directory.ancestors().find(holds_all).unwrap_or(Path::new("/")).to_owned()
}

impl Settings {
    pub(super) fn new(args: &ScanArgs, ground: Ground, rules: &SourceRules) -> Result<Self> {
        let Ground { root, paths, config } = ground;
        let base = config.base.strip_prefix(&root).map(|base| base.to_string_lossy().replace('\\', "/"));
        let base =
            base.ok().filter(|base| !base.is_empty()).map(|base| format!("{base}/")).unwrap_or_default();
        let names = Names { rules };
        let mut enabled = if args.select.is_empty() {
            let all = || rules.all().iter().map(|rule| rule.id.clone()).collect();
            let mut enabled =
                config.select.as_deref().map_or_else(|| Ok(all()), |words| names.words(words))?;
            for id in names.words(&config.ignore)? {
                enabled.remove(&id);
            }
            enabled
        } else {
            names.flags("--select", &args.select)?
        };
        for id in names.flags("--ignore", &args.ignore)? {
            enabled.remove(&id);
        }
        let fail_on = args.fail_on.or(config.fail_on).unwrap_or(Severity::Warning);
        let lowest = if args.verbose { Severity::Note } else { Severity::Warning };
        // What fails a build must be seen.
        let level = args.level.or(config.level).unwrap_or(lowest).min(fail_on);
        let least = if args.verbose { Confidence::Low } else { Confidence::Medium };
        // A glob without a `/` holds for a name anywhere below the settings.
        let below = |glob: &str| if glob.contains('/') || base.is_empty() { "" } else { "**/" };
        let exclude = config.exclude.iter().map(|word| format!("{base}{}{}", below(&word.text), word.text));
        let exclude: Vec<String> = exclude.chain(args.exclude.iter().cloned()).collect();
        let mut path_ignores = Vec::new();
        for (glob, ids) in &config.path_ignores {
            path_ignores.push((one_glob(glob)?, names.words(ids)?));
        }
        let mut path_severity = Vec::new();
        for (glob, entries) in &config.path_severity {
            path_severity.push((one_glob(glob)?, names.severities(entries)?));
        }
        Ok(Self {
            exclude: globs(exclude.iter().map(String::as_str))?,
            enabled,
            level,
            confidence: args.confidence.or(config.confidence).unwrap_or(least),
            fail_on,
            fail_on_opportunities: args.fail_on_opportunities
                || config.fail_on_opportunities.unwrap_or(false),
            require_reason: config.require_reason.unwrap_or(true),
            baseline: args.baseline.clone().or(config.baseline),
            cache: args.cache_dir.clone().or(config.cache_dir).filter(|_| !args.no_cache),
            tests: match &config.tests {
                Some(words) => globs(words.iter().map(|word| word.text.as_str()))?,
                None => globs(TESTS)?,
            },
            severity: names.severities(&config.severity)?,
            path_ignores,
            path_severity,
            base,
            root,
            paths,
        })
    }

    /// Whether a path, relative to the root, is test code.
    pub(super) fn is_test(&self, path: &str) -> bool {
        self.tests.is_match(self.below_base(path))
    }

    /// Whether a rule counts for a path.
    pub(super) fn counts(&self, rule: &str, path: &str) -> bool {
        let below = self.below_base(path);
        let ignored =
            |(globs, ids): &(GlobSet, BTreeSet<String>)| ids.contains(rule) && globs.is_match(below);
        self.enabled.contains(rule) && !self.path_ignores.iter().any(ignored)
    }

    /// The severity that the project gives a rule at a path; of several, the one written last.
    pub(super) fn severity(&self, rule: &str, path: &str) -> Option<Severity> {
        let below = self.below_base(path);
        let of_path = self.path_severity.iter().rev().filter(|(globs, _)| globs.is_match(below));
        let mut of_path = of_path.filter_map(|(_, severity)| severity.get(rule));
        of_path.next().or_else(|| self.severity.get(rule)).copied()
    }

    /// Whether a path, relative to the root, is among what was named.
    pub(super) fn is_named(&self, path: &str) -> bool {
        let file = self.root.join(path);
        self.paths.iter().any(|named| file.starts_with(named))
    }

    fn below_base<'a>(&self, path: &'a str) -> &'a str {
        path.strip_prefix(&self.base).unwrap_or(path)
    }
}

fn globs<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<GlobSet> {
    walk::globs(patterns).map_err(|(pattern, what)| anyhow!("`{pattern}` is no glob: {what}"))
}

fn one_glob(word: &Word) -> Result<GlobSet> {
    walk::globs([word.text.as_str()]).map_err(|(_, what)| {
        anyhow!(ConfigError { at: word.at.clone(), what: format!("not a glob: {what}"), help: None })
    })
}

/// Selectors into ids.
struct Names<'a> {
    rules: &'a SourceRules,
}

impl Names<'_> {
    fn words(&self, words: &[Word]) -> Result<BTreeSet<String>> {
        let mut ids = BTreeSet::new();
        for word in words {
            ids.extend(self.word(word)?);
        }
        Ok(ids)
    }

    fn word(&self, word: &Word) -> Result<BTreeSet<String>> {
        let ids = self.ids(&word.text);
        if ids.is_empty() {
            let what = format!("no rule `{}`", word.text);
            bail!(ConfigError { at: word.at.clone(), what, help: Some(self.help(&word.text)) });
        }
        Ok(ids)
    }

    fn severities(&self, entries: &[(Word, Severity)]) -> Result<BTreeMap<String, Severity>> {
        let mut severities = BTreeMap::new();
        for (word, severity) in entries {
            severities.extend(self.word(word)?.into_iter().map(|id| (id, *severity)));
        }
        Ok(severities)
    }

    fn flags(&self, flag: &str, selectors: &[String]) -> Result<BTreeSet<String>> {
        let mut ids = BTreeSet::new();
        for selector in selectors {
            let found = self.ids(selector);
            if found.is_empty() {
                bail!("{flag} {selector}: no such rule; {}", self.help(selector));
            }
            ids.extend(found);
        }
        Ok(ids)
    }

    fn ids(&self, selector: &str) -> BTreeSet<String> {
        self.rules.selected(selector).into_iter().map(str::to_owned).collect()
    }

    fn help(&self, selector: &str) -> String {
        match self.rules.nearest(selector) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "list them: boundby rules list".to_owned(),
        }
    }
}
