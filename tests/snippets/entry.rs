//! A file with a job for a snippet: its first line says which snippet, a mark says where it goes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use boundby::facts::{Facts, Origin, Value};
use boundby::rules::{Realisation, RuleSet};
use serde::Deserialize;

/// What a file says of itself in its first line, behind the sign of a comment.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    pub(crate) strategy: String,
    #[serde(default = "adopt")]
    pub(crate) action: String,
    /// Words and shares that an entry may ask for.
    #[serde(default)]
    pub(crate) given: BTreeMap<String, String>,
    /// The function of the program that is called for each item.
    #[serde(default = "work")]
    pub(crate) function: String,
    /// The oldest Python it runs on.
    #[serde(default)]
    pub(crate) python: Option<(u32, u32)>,
    /// What `boundby decide` is asked, for an engine.
    #[serde(default)]
    pub(crate) decide: Option<String>,
    /// What pip has to install.
    #[serde(default)]
    pub(crate) packages: Vec<String>,
    /// A program that must be there beside them.
    #[serde(default)]
    pub(crate) needs: Option<String>,
}

fn adopt() -> String {
    "adopt".to_owned()
}

fn work() -> String {
    "work".to_owned()
}

/// A file with its header.
#[derive(Debug)]
pub(crate) struct Fixture {
    pub(crate) path: PathBuf,
    pub(crate) header: Header,
    pub(crate) text: String,
}

/// All files of a directory, in order of name.
///
/// # Panics
/// Where there are none, or one has no header.
pub(crate) fn fixtures(directory: &str) -> Vec<Fixture> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let entries = fs::read_dir(&root).unwrap_or_else(|error| panic!("{}: {error}", root.display()));
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{directory} is empty");
    paths.into_iter().map(Fixture::read).collect()
}

impl Fixture {
    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).expect("it was listed");
        let first = text.lines().next().unwrap_or_default().trim_start_matches(['#', '/', '!', ' ']);
        let header = serde_yaml::from_str(first)
            .unwrap_or_else(|error| panic!("{}: the first line says no snippet: {error}", path.display()));
        Self { path, header, text }
    }

    pub(crate) fn name(&self) -> String {
        self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The entry that the rules take under these facts.
    ///
    /// # Panics
    /// Where they have none.
    pub(crate) fn realisation<'a>(&self, rules: &'a RuleSet, language: &str) -> &'a Realisation {
        let mut facts = Facts::default();
        for (name, value) in &self.header.given {
            let value = value.parse().map_or_else(|_| Value::Text(value.clone()), Value::Number);
            facts.set(name, value, Origin::Declared);
        }
        let found = rules.realisation(language, &self.header.strategy, &self.header.action, &facts);
        found.unwrap_or_else(|| panic!("{}: there is no such entry", self.path.display()))
    }

    /// The snippet with the values of a small program in it.
    ///
    /// # Panics
    /// Where the entry has no snippet, or a place in it stays open.
    pub(crate) fn snippet(&self, rules: &RuleSet, language: &str) -> String {
        let values: BTreeMap<&str, String> = [
            ("workers", "3"),
            ("threads", "3"),
            ("processes", "3"),
            ("queue", "6"),
            ("batch", "4"),
            ("io_workers", "4"),
            ("cpu_workers", "2"),
            ("nodes", "2"),
            ("tasks", "5"),
            ("engine", "an engine"),
            ("function", self.header.function.as_str()),
            ("where", "does for one item what etl:42 does"),
            ("wait_function", "fetch"),
            ("compute_function", "parse"),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .into();
        let template = self.realisation(rules, language).snippet.as_ref();
        let template = template.unwrap_or_else(|| panic!("{}: no code there", self.path.display()));
        template.render(&values)
    }

    /// The file with code in the place of its mark.
    ///
    /// # Panics
    /// Where there is no mark.
    pub(crate) fn filled(&self, mark: &str, code: &str) -> String {
        assert!(self.text.contains(mark), "{}: there is no `{mark}`", self.path.display());
        self.text.replacen(mark, code, 1)
    }
}
