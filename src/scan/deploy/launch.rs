//! Programs that start workers, and with how many: gunicorn, uvicorn and Celery on their command lines and in their
//! settings. Knows the names of their options; no threshold and no opinion.

use super::words::{Line, Sort, Word};
use crate::scan::source::SourceFile;

/// A program that starts workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    Gunicorn,
    Uvicorn,
    Celery,
}

const PROGRAMS: [(&str, Program); 3] =
    [("gunicorn", Program::Gunicorn), ("uvicorn", Program::Uvicorn), ("celery", Program::Celery)];

/// A value somebody set, and where.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Setting {
    /// As written.
    pub(super) text: String,
    /// Where: bytes of its file.
    pub(super) bytes: (u32, u32),
}

impl Setting {
    /// Its number, where it is one; `${NAME:-4}` is 4 until somebody sets the name.
    pub(super) fn number(&self) -> Option<f64> {
        let text = self.text.trim();
        let inner = text.strip_prefix("${").and_then(|text| text.strip_suffix('}'));
        let text = inner.and_then(|inner| inner.split_once(":-")).map_or(text, |(_, default)| default);
        text.parse::<f64>().ok().filter(|number| number.is_finite())
    }
}

/// A program as it is started.
#[derive(Debug, Clone)]
pub(super) struct Launch<'a> {
    pub(super) program: Program,
    pub(super) file: &'a SourceFile,
    /// What the command is called where it stands.
    pub(super) name: String,
    pub(super) in_container: bool,
    pub(super) cpus: Option<f64>,
    arguments: Vec<Word>,
    variables: Vec<(String, Word)>,
}

/// The variable in which gunicorn looks for arguments; those of the command line win.
const ARGUMENTS: (Program, &str) = (Program::Gunicorn, "GUNICORN_CMD_ARGS");

/// What a file starts.
pub(super) fn launches(file: &SourceFile) -> Vec<Launch<'_>> {
    let in_container = Sort::of(&file.path).is_container();
    let lines = super::words::lines(&file.path, &file.text);
    lines.iter().flat_map(|line| of_line(file, line, in_container)).collect()
}

fn of_line<'a>(file: &'a SourceFile, line: &Line, in_container: bool) -> Vec<Launch<'a>> {
    // `sh -c "gunicorn -w 4"` holds a command in one word.
    let words: Vec<Word> = line.words.iter().flat_map(split).collect();
    let more = more_arguments(line);
    let mut launches = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let name = word.text.rsplit('/').next().unwrap_or(&word.text);
        let Some((_, program)) = PROGRAMS.iter().find(|(known, _)| *known == name) else { continue };
        // `pip install gunicorn` starts nothing.
        let before = at.checked_sub(1).map(|before| words[before].text.as_str());
        let started = before.is_none_or(|before| {
            matches!(
                before,
                "exec"
                    | "run"
                    | "-m"
                    | "--"
                    | "-c"
                    | "&&"
                    | ";"
                    | "||"
                    | "do"
                    | "then"
                    | "gosu"
                    | "nohup"
                    | "/bin/sh"
            ) || before.contains('=')
                || before.ends_with(';')
        });
        if !started {
            continue;
        }
        let ends = |word: &&Word| !matches!(word.text.as_str(), "&&" | "||" | ";" | "|" | "&");
        let own = words[at + 1..].iter().take_while(ends).cloned();
        let more = more.iter().filter(|_| *program == ARGUMENTS.0).cloned();
        launches.push(Launch {
            program: *program,
            file,
            name: line.name.clone(),
            in_container,
            cpus: line.cpus,
            arguments: own.chain(more).collect(),
            variables: line.variables.clone(),
        });
    }
    // What its image starts is known by the variable that it reads.
    if words.is_empty() && !more.is_empty() {
        launches.push(Launch {
            program: ARGUMENTS.0,
            file,
            name: line.name.clone(),
            in_container,
            cpus: line.cpus,
            arguments: more,
            variables: line.variables.clone(),
        });
    }
    launches
}

/// The arguments that a variable holds; all share its place.
fn more_arguments(line: &Line) -> Vec<Word> {
    let held = line.variables.iter().filter(|(name, _)| name == ARGUMENTS.1);
    held.flat_map(|(_, value)| {
        value.text.split_whitespace().map(|text| Word { text: text.to_owned(), bytes: value.bytes })
    })
    .collect()
}

/// The words of a word that is a command of its own; all share its place.
fn split(word: &Word) -> Vec<Word> {
    let inner: Vec<&str> = word.text.split_whitespace().collect();
    let is_command =
        inner.len() > 1 && PROGRAMS.iter().any(|(name, _)| inner.iter().any(|word| word.ends_with(name)));
    if !is_command {
        return vec![word.clone()];
    }
    inner.iter().map(|text| Word { text: (*text).to_owned(), bytes: word.bytes }).collect()
}

impl Launch<'_> {
    /// The value of an option by its short and long name, else of a variable.
    pub(super) fn option(&self, short: &str, long: &str, variable: Option<&str>) -> Option<Setting> {
        let setting = |text: &str, bytes| Some(Setting { text: text.to_owned(), bytes });
        for (at, word) in self.arguments.iter().enumerate() {
            if word.text == short || word.text == long {
                let value = self.arguments.get(at + 1)?;
                return setting(&value.text, (word.bytes.0, value.bytes.1));
            }
            if let Some(value) = word.text.strip_prefix(long).and_then(|rest| rest.strip_prefix('=')) {
                return setting(value, word.bytes);
            }
            let attached = word.text.strip_prefix(short).filter(|rest| {
                short.len() == 2
                    && !word.text.starts_with("--")
                    && rest.starts_with(|c: char| c.is_ascii_digit())
            });
            if let Some(value) = attached {
                return setting(value, word.bytes);
            }
        }
        let (_, value) = self.variables.iter().rev().find(|(name, _)| Some(name.as_str()) == variable)?;
        setting(&value.text, value.bytes)
    }

    /// Whether an argument stands there as it is.
    pub(super) fn has(&self, argument: &str) -> bool {
        self.arguments.iter().any(|word| word.text == argument)
    }
}
