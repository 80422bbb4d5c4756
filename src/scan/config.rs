//! The settings of a project: the nearest `boundby.toml`, `[tool.boundby]` of a `pyproject.toml` or
//! `[package.metadata.boundby]` of a `Cargo.toml`. Knows the files and their keys; which rules there are is the
//! caller's to check, so every word keeps its place.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use crate::finding::{Confidence, Severity};

/// How many files may extend each other.
const DEEPEST: usize = 8;
/// The names of the files, in the order they are looked for in a directory.
const NAMES: [&str; 4] = ["boundby.toml", ".boundby.toml", "pyproject.toml", "Cargo.toml"];

/// A word of a settings file, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The word.
    pub text: String,
    /// Where.
    pub at: At,
}

/// A place in a settings file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct At {
    /// The file.
    pub file: PathBuf,
    /// From 1; 0 where the whole file is meant.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// Characters to underline.
    pub width: usize,
    /// The line itself.
    pub source: String,
}

/// What is wrong in a settings file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Where.
    pub at: At,
    /// What, lowercase, no full stop.
    pub what: String,
    /// What would be right.
    pub help: Option<String>,
}

/// The settings, those of extended files included. What nobody set is `None` or empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// The file they come from.
    pub origin: Option<PathBuf>,
    /// Its directory: globs are relative to it.
    pub base: PathBuf,
    /// Only these rules.
    pub select: Option<Vec<Word>>,
    /// Not these rules.
    pub ignore: Vec<Word>,
    /// Globs of what is not read.
    pub exclude: Vec<Word>,
    /// The least severity that is shown.
    pub level: Option<Severity>,
    /// The least confidence that is shown.
    pub confidence: Option<Confidence>,
    /// The least severity that fails.
    pub fail_on: Option<Severity>,
    /// Whether opportunities fail like the rest.
    pub fail_on_opportunities: Option<bool>,
    /// Whether a suppression must give a reason.
    pub require_reason: Option<bool>,
    /// The file of known findings.
    pub baseline: Option<PathBuf>,
    /// The directory of the cache.
    pub cache_dir: Option<PathBuf>,
    /// The directory of the project's own rules.
    pub rules: Option<PathBuf>,
    /// Globs of test code, which is held to less; the usual names where nothing is set.
    pub tests: Option<Vec<Word>>,
    /// Severity by rule.
    pub severity: Vec<(Word, Severity)>,
    /// Rules that do not hold for paths, by glob.
    pub path_ignores: Vec<(Word, Vec<Word>)>,
    /// Severity by rule for paths, by glob.
    pub path_severity: Vec<(Word, Vec<(Word, Severity)>)>,
}

type Words = Vec<Spanned<String>>;
type Named<T> = BTreeMap<Spanned<String>, T>;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    extend: Option<Spanned<String>>,
    select: Option<Words>,
    ignore: Option<Words>,
    exclude: Option<Words>,
    level: Option<Spanned<String>>,
    confidence: Option<Spanned<String>>,
    fail_on: Option<Spanned<String>>,
    fail_on_opportunities: Option<bool>,
    require_reason: Option<bool>,
    baseline: Option<String>,
    cache_dir: Option<String>,
    rules: Option<String>,
    tests: Option<Words>,
    #[serde(default)]
    severity: Named<Spanned<String>>,
    #[serde(default)]
    per_path_ignores: Named<Words>,
    #[serde(default)]
    per_path_severity: Named<Named<Spanned<String>>>,
}

#[derive(Deserialize)]
struct PyProject {
    tool: Option<Tables>,
}

#[derive(Deserialize)]
struct CargoToml {
    package: Option<Metadata>,
    workspace: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    metadata: Option<Tables>,
}

#[derive(Deserialize)]
struct Tables {
    boundby: Option<File>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let At { file, line, column, width, source } = &self.at;
        if *line == 0 {
            write!(f, "{}: {}", file.display(), self.what)?;
        } else {
            let margin = " ".repeat(line.to_string().len());
            let source: String = source.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            write!(f, "{}:{line}:{column}: {}\n {line} | {source}", file.display(), self.what)?;
            write!(f, "\n {margin} | {}{}", " ".repeat(column - 1), "^".repeat((*width).clamp(1, 60)))?;
        }
        self.help.as_ref().map_or(Ok(()), |help| write!(f, "\n = {help}"))
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// The settings that hold for a directory: of the nearest file at or above it that has any.
    ///
    /// # Errors
    /// What is wrong in that file, or in one it extends.
    pub fn nearest(directory: &Path) -> Result<Self, ConfigError> {
        for directory in directory.ancestors() {
            for name in NAMES {
                let path = directory.join(name);
                if let Some(config) = Self::of_file(&path, 0)? {
                    return Ok(Self { base: directory.to_owned(), ..config });
                }
            }
        }
        Ok(Self::default())
    }

    /// The settings of one file.
    ///
    /// # Errors
    /// It is not there, holds none, or something is wrong in it.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let whole = |what: &str, help: &str| ConfigError {
            at: At { file: path.to_owned(), ..At::default() },
            what: what.to_owned(),
            help: Some(help.to_owned()),
        };
        if !path.exists() {
            return Err(whole("no such file", "name a boundby.toml, pyproject.toml or Cargo.toml"));
        }
        let config = Self::of_file(path, 0)?;
        let config = config.ok_or_else(|| whole("has no settings of boundby", "add [tool.boundby] to it"))?;
        Ok(Self { base: path.parent().unwrap_or(Path::new("")).to_owned(), ..config })
    }

    fn of_file(path: &Path, depth: usize) -> Result<Option<Self>, ConfigError> {
        let whole = |what: String| ConfigError {
            at: At { file: path.to_owned(), ..At::default() },
            what,
            help: None,
        };
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(whole(format!("cannot be read: {error}"))),
        };
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // Most of these files are about something else: their errors are not ours to report.
        if matches!(&*name, "pyproject.toml" | "Cargo.toml") && !text.contains("boundby") {
            return Ok(None);
        }
        let place = Places { file: path, text: &text };
        let Some(file) = parse(&name, &text).map_err(|error| place.error(&error))? else { return Ok(None) };
        let config = place.config(&file)?;
        let Some(extend) = &file.extend else { return Ok(Some(config)) };
        let error = |what: String| ConfigError { at: place.word(extend).at, what, help: None };
        if depth == DEEPEST {
            return Err(error(format!("more than {DEEPEST} files extend each other")));
        }
        let other = place.beside(extend.get_ref());
        let under = Self::of_file(&other, depth + 1)?;
        let under = under.ok_or_else(|| error(format!("{} has no settings of boundby", other.display())))?;
        Ok(Some(config.over(under)))
    }

    /// Key by key, what stands here wins.
    fn over(self, under: Self) -> Self {
        let list = |over: Vec<Word>, under: Vec<Word>| if over.is_empty() { under } else { over };
        let map = |mut over: Vec<(Word, Severity)>, under: Vec<(Word, Severity)>| {
            // The last that fits wins.
            over.splice(0..0, under);
            over
        };
        Self {
            origin: self.origin,
            base: self.base,
            select: self.select.or(under.select),
            ignore: list(self.ignore, under.ignore),
            exclude: list(self.exclude, under.exclude),
            level: self.level.or(under.level),
            confidence: self.confidence.or(under.confidence),
            fail_on: self.fail_on.or(under.fail_on),
            fail_on_opportunities: self.fail_on_opportunities.or(under.fail_on_opportunities),
            require_reason: self.require_reason.or(under.require_reason),
            baseline: self.baseline.or(under.baseline),
            cache_dir: self.cache_dir.or(under.cache_dir),
            rules: self.rules.or(under.rules),
            tests: self.tests.or(under.tests),
            severity: map(self.severity, under.severity),
            path_ignores: under.path_ignores.into_iter().chain(self.path_ignores).collect(),
            path_severity: under.path_severity.into_iter().chain(self.path_severity).collect(),
        }
    }
}

fn parse(name: &str, text: &str) -> Result<Option<File>, toml::de::Error> {
    Ok(match name {
        "pyproject.toml" => toml::from_str::<PyProject>(text)?.tool.and_then(|tool| tool.boundby),
        "Cargo.toml" => {
            let cargo = toml::from_str::<CargoToml>(text)?;
            let tables = [cargo.package, cargo.workspace].into_iter().flatten();
            tables.filter_map(|table| table.metadata).find_map(|metadata| metadata.boundby)
        }
        _ => Some(toml::from_str(text)?),
    })
}

/// A file under its name, to say where things stand in it.
struct Places<'a> {
    file: &'a Path,
    text: &'a str,
}

impl Places<'_> {
    fn config(&self, file: &File) -> Result<Config, ConfigError> {
        let words = |words: &Option<Words>| words.iter().flatten().map(|word| self.word(word)).collect();
        let severities = |entries: &Named<Spanned<String>>| {
            let entries = entries.iter();
            entries
                .map(|(name, word)| Ok((self.word(name), self.severity(word)?)))
                .collect::<Result<Vec<_>, _>>()
        };
        let mut path_severity = Vec::new();
        for (glob, entries) in &file.per_path_severity {
            path_severity.push((self.word(glob), severities(entries)?));
        }
        let of_path = |(glob, rules): (&Spanned<String>, &Words)| {
            (self.word(glob), rules.iter().map(|rule| self.word(rule)).collect())
        };
        Ok(Config {
            origin: Some(self.file.to_owned()),
            base: PathBuf::new(),
            select: file.select.as_ref().map(|list| list.iter().map(|word| self.word(word)).collect()),
            ignore: words(&file.ignore),
            exclude: words(&file.exclude),
            level: file.level.as_ref().map(|word| self.severity(word)).transpose()?,
            confidence: file.confidence.as_ref().map(|word| self.confidence(word)).transpose()?,
            fail_on: file.fail_on.as_ref().map(|word| self.severity(word)).transpose()?,
            fail_on_opportunities: file.fail_on_opportunities,
            require_reason: file.require_reason,
            baseline: file.baseline.as_deref().map(|path| self.beside(path)),
            cache_dir: file.cache_dir.as_deref().map(|path| self.beside(path)),
            rules: file.rules.as_deref().map(|path| self.beside(path)),
            tests: file.tests.as_ref().map(|list| list.iter().map(|word| self.word(word)).collect()),
            severity: severities(&file.severity)?,
            path_ignores: file.per_path_ignores.iter().map(of_path).collect(),
            path_severity,
        })
    }

    fn beside(&self, path: &str) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(path)
    }

    fn severity(&self, word: &Spanned<String>) -> Result<Severity, ConfigError> {
        Severity::from_name(word.get_ref())
            .ok_or_else(|| self.unknown(word, "severity", Severity::ALL.iter().map(|value| value.name())))
    }

    fn confidence(&self, word: &Spanned<String>) -> Result<Confidence, ConfigError> {
        Confidence::from_name(word.get_ref())
            .ok_or_else(|| self.unknown(word, "confidence", Confidence::ALL.iter().map(|value| value.name())))
    }

    fn unknown<'n>(
        &self,
        word: &Spanned<String>,
        what: &str,
        known: impl Iterator<Item = &'n str>,
    ) -> ConfigError {
        let known: Vec<_> = known.collect();
        let Word { text, at } = self.word(word);
        ConfigError {
            at,
            what: format!("unknown {what} `{text}`"),
            help: Some(format!("one of {}", known.join(", "))),
        }
    }

    fn word(&self, word: &Spanned<String>) -> Word {
        Word { text: word.get_ref().clone(), at: self.at(word.span()) }
    }

    fn at(&self, span: std::ops::Range<usize>) -> At {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let source = self.text[line_start..].lines().next().unwrap_or_default().to_owned();
        At {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            width: self
                .text
                .get(span)
                .map_or(1, |text| text.lines().next().unwrap_or_default().chars().count()),
            source,
        }
    }

    fn error(&self, error: &toml::de::Error) -> ConfigError {
        let at = match error.span() {
            Some(span) => self.at(span),
            None => At { file: self.file.to_owned(), ..At::default() },
        };
        let message = error.message();
        // The parser of TOML ends some of its messages with an advice on a line of its own.
        let (what, help) =
            message.split_once('\n').map_or((message, None), |(what, help)| (what, Some(help.to_owned())));
        ConfigError { at, what: what.to_owned(), help }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn texts(words: &[Word]) -> Vec<&str> {
        words.iter().map(|word| &*word.text).collect()
    }

    #[test]
    fn the_nearest_file_with_settings_is_used() {
        let root = project(&[
            ("boundby.toml", "ignore = ['A']"),
            ("py/pyproject.toml", "[project]\nname = 'x'\n[tool.boundby]\nignore = ['B']\n"),
            ("py/deep/pyproject.toml", "[project]\nname = 'boundby-user'\n"),
            ("rs/Cargo.toml", "[package]\nname = 'x'\n[package.metadata.boundby]\nignore = ['C']\n"),
            ("ws/Cargo.toml", "[workspace.metadata.boundby]\nlevel = 'note'\n"),
            ("bad/pyproject.toml", "this is no TOML"),
        ]);
        let ignore = |at: &str| {
            let config = Config::nearest(&root.path().join(at)).unwrap();
            (config.base.strip_prefix(root.path()).unwrap().to_owned(), texts(&config.ignore).join(" "))
        };
        assert_eq!(ignore(""), (PathBuf::new(), "A".to_owned()));
        assert_eq!(ignore("py/deep"), (PathBuf::from("py"), "B".to_owned()));
        assert_eq!(ignore("rs/src"), (PathBuf::from("rs"), "C".to_owned()));
        assert_eq!(ignore("bad"), (PathBuf::new(), "A".to_owned()));
        assert_eq!(Config::nearest(&root.path().join("ws")).unwrap().level, Some(Severity::Note));
    }

    #[test]
    fn an_extended_file_gives_what_is_not_set() {
        let root = project(&[
            (
                "base/boundby.toml",
                "select = ['A']\nbaseline = 'known.json'\n[severity]\nB = 'note'\nC = 'note'\n",
            ),
            ("boundby.toml", "extend = 'base/boundby.toml'\nselect = ['B']\n[severity]\nC = 'error'\n"),
        ]);
        let config = Config::nearest(root.path()).unwrap();
        assert_eq!(texts(config.select.as_ref().unwrap()), ["B"]);
        assert_eq!(config.baseline.unwrap(), root.path().join("base/known.json"));
        let severity: Vec<_> =
            config.severity.iter().map(|(word, severity)| (&*word.text, *severity)).collect();
        assert_eq!(severity, [("B", Severity::Note), ("C", Severity::Note), ("C", Severity::Error)]);
    }

    #[test]
    fn every_word_keeps_its_place_and_every_error_has_one() {
        let root = project(&[("boundby.toml", "# x\n[per-path-ignores]\n'tests/**' = ['A', 'sleepy']\n")]);
        let config = Config::nearest(root.path()).unwrap();
        let (glob, rules) = &config.path_ignores[0];
        assert_eq!((glob.at.line, glob.at.column, &*glob.text), (3, 1, "tests/**"));
        assert_eq!((rules[1].at.line, rules[1].at.column, rules[1].at.width), (3, 20, 8));

        let error = |text: &str| {
            let root = project(&[("boundby.toml", text)]);
            let message = Config::nearest(root.path()).unwrap_err().to_string();
            message.replace(&format!("{}/", root.path().display()), "")
        };
        assert!(
            error("a = 1\n").starts_with("boundby.toml:1:1: unknown field `a`, expected one of"),
            "{}",
            error("a = 1\n")
        );
        let unknown = "\nlevel = 'wrong'\n";
        assert_eq!(
            error(unknown),
            "boundby.toml:2:9: unknown severity `wrong`\n 2 | level = 'wrong'\n   |         ^^^^^^^\n = one of note, warning, error"
        );
        assert!(
            error("select = 'A'\n").starts_with("boundby.toml:1:10: invalid type"),
            "{}",
            error("select = 'A'\n")
        );
        assert!(error("select = [\n").starts_with("boundby.toml:"), "{}", error("select = [\n"));
        assert!(
            error("extend = 'absent.toml'\n").contains("1:10: "),
            "{}",
            error("extend = 'absent.toml'\n")
        );
        assert!(error("extend = 'boundby.toml'\n").contains("extend each other"));
    }
}
