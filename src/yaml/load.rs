//! The files: those of boundby itself, those of a user's directory. Every error of every file is collected; a file that
//! does not parse costs only itself.

use std::fs;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::Spanned;
use super::error::RuleError;

/// The files of boundby itself: path from the root of the crate, and text.
const BUILTIN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/rules.rs"));
/// Largest file that is read, bytes.
const MAX_FILE: u64 = 1024 * 1024;
/// Most files of a user's directory.
const MAX_FILES: usize = 10_000;
/// Deepest nesting of a user's directory.
const MAX_LEVELS: usize = 8;

/// One file of rules.
pub(crate) struct Source {
    /// As shown in errors.
    pub(crate) file: String,
    /// From the root of its tree of rules, with `/`.
    pub(crate) relative: String,
    pub(crate) text: String,
    pub(crate) builtin: bool,
}

pub(crate) fn builtin() -> Vec<Source> {
    let source = |&(file, text): &(&str, &str)| Source {
        file: file.to_owned(),
        relative: file.strip_prefix("rules/").unwrap_or(file).to_owned(),
        text: text.to_owned(),
        builtin: true,
    };
    BUILTIN.iter().map(source).collect()
}

/// Reads a user's directory, or one file of rules.
pub(crate) fn read(path: &Path, errors: &mut Vec<RuleError>) -> Vec<Source> {
    let mut sources = Vec::new();
    if path.is_dir() {
        walk(path, path, 0, &mut sources, errors);
        if sources.is_empty() && errors.is_empty() {
            let error = RuleError::whole_file(&path.display().to_string(), "no .yaml file in it");
            errors.push(error.help("rules/README.md describes what belongs in a directory of rules"));
        }
    } else {
        let relative = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        read_file(path, relative, &mut sources, errors);
    }
    sources
}

fn walk(root: &Path, directory: &Path, level: usize, sources: &mut Vec<Source>, errors: &mut Vec<RuleError>) {
    let name = directory.display().to_string();
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => return errors.push(RuleError::whole_file(&name, format!("cannot be read: {error}"))),
    };
    if level > MAX_LEVELS {
        return errors
            .push(RuleError::whole_file(&name, format!("nested deeper than {MAX_LEVELS} directories")));
    }
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if path.is_dir() {
            // A link to a directory above would never end.
            if !path.is_symlink() {
                walk(root, &path, level + 1, sources, errors);
            }
        } else if is_yaml {
            if sources.len() == MAX_FILES {
                return errors.push(RuleError::whole_file(&name, format!("more than {MAX_FILES} files")));
            }
            let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            read_file(&path, relative, sources, errors);
        }
    }
}

fn read_file(path: &Path, relative: String, sources: &mut Vec<Source>, errors: &mut Vec<RuleError>) {
    let file = path.display().to_string();
    match text_of(path) {
        Ok(text) => sources.push(Source { file, relative, text, builtin: false }),
        Err(what) => errors.push(RuleError::whole_file(&file, what)),
    }
}

fn text_of(path: &Path) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err("not a file".to_owned());
    }
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too large from one that just fits.
    fs::File::open(path)
        .map_err(unreadable)?
        .take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("larger than {} MiB", MAX_FILE / 1024 / 1024));
    }
    String::from_utf8(bytes).map_err(|_| "not UTF-8 text".to_owned())
}

impl Source {
    /// The schema a file names, told without parsing it: whose file it is must be known before what is wrong in it.
    pub(crate) fn schema(&self) -> Option<&str> {
        let value = self.text.lines().find_map(|line| line.strip_prefix("schema:"))?;
        Some(value.split(" #").next().unwrap_or_default().trim().trim_matches(['"', '\'']))
    }

    /// Its YAML as `T`.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, RuleError> {
        let options = serde_yaml::options! { strict_booleans: true, with_snippet: false };
        serde_yaml::from_str_with_options(&self.text, options).map_err(|error| self.yaml_error(&error))
    }

    fn yaml_error(&self, error: &serde_yaml::Error) -> RuleError {
        let message = error.without_snippet().to_string();
        let place = error.location().map_or((0, 0), |at| (at.line() as usize, at.column() as usize));
        // The message repeats the place, which stands in front of it already.
        let what = match message.find(" at line ") {
            Some(end) if place.0 > 0 => message[..end].to_owned(),
            _ => message,
        };
        self.error(place, 1, what)
    }

    fn error(&self, (line, column): (usize, usize), width: usize, what: String) -> RuleError {
        let source = line.checked_sub(1).and_then(|line| self.text.lines().nth(line)).map(str::to_owned);
        RuleError { file: self.file.clone(), line, column, width: width.max(1), what, help: None, source }
    }

    /// An error at the first line that starts with `field`, where there is one.
    pub(crate) fn whole(&self, what: String, field: &str) -> RuleError {
        match self.text.lines().position(|line| line.starts_with(field)) {
            Some(line) => self.error((line + 1, 1), field.len(), what),
            None => RuleError::whole_file(&self.file, what),
        }
    }

    /// An error at a value.
    pub(crate) fn at<T>(&self, value: &Spanned<T>, what: impl Into<String>) -> RuleError {
        let at = value.defined;
        let width = if self.line_of(at.line() as usize).is_some() { at.span().len() as usize } else { 1 };
        let rest = self
            .line_of(at.line() as usize)
            .map_or(1, |line| line.chars().count().saturating_sub((at.column() as usize).saturating_sub(1)));
        self.error((at.line() as usize, at.column() as usize), width.min(rest), what.into())
    }

    /// An error at a stretch of a text that is a language of its own, bytes of it: at the very token, where the file
    /// holds the text as it is; at the value, where quoting or folding changed it.
    pub(crate) fn inside(&self, text: &Spanned<String>, span: &Range<usize>, what: &str) -> RuleError {
        self.token(text, span, what).unwrap_or_else(|| self.at(text, what))
    }

    fn token(&self, text: &Spanned<String>, span: &Range<usize>, what: &str) -> Option<RuleError> {
        let start = text.defined.span().byte_offset()? as usize;
        let rest = self.text.get(start..)?;
        let quote = usize::from(rest.starts_with(['"', '\'']));
        if !rest[quote..].starts_with(text.value.as_str()) {
            return None;
        }
        let token = self.text.get(..start + quote + span.start)?;
        let line = token.matches('\n').count() + 1;
        let column = token.rsplit('\n').next()?.chars().count() + 1;
        let width = text.value.get(span.clone())?.chars().count();
        Some(self.error((line, column), width, what.to_owned()))
    }

    fn line_of(&self, line: usize) -> Option<&str> {
        self.text.lines().nth(line.checked_sub(1)?)
    }
}
