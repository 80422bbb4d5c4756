//! Command lines out of the files that hold them: words with their places. Knows shells, exec forms and units as far
//! as words go; no program.

use std::path::Path;

/// A word and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    /// Bytes of the file, quotes included.
    pub(super) bytes: (u32, u32),
}

/// A command line, and what surrounds it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Line {
    /// What it is called where it stands: `CMD`, a service, a process.
    pub(super) name: String,
    pub(super) words: Vec<Word>,
    /// CPUs that the file grants.
    pub(super) cpus: Option<f64>,
    /// Variables the file sets for it.
    pub(super) variables: Vec<(String, Word)>,
}

/// What sort of file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Container,
    Compose,
    Manifest,
    Processes,
    Unit,
    Shell,
}

impl Sort {
    /// By name.
    pub(super) fn of(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
        let extension = Path::new(&name).extension().and_then(|extension| extension.to_str());
        match extension {
            Some("yml" | "yaml") if name.contains("compose") => Self::Compose,
            Some("yml" | "yaml") => Self::Manifest,
            Some("service") => Self::Unit,
            _ if name.contains("dockerfile") || name.contains("containerfile") => Self::Container,
            _ if name.starts_with("procfile") => Self::Processes,
            _ => Self::Shell,
        }
    }

    /// Whether what it starts runs in a container.
    pub(super) fn is_container(self) -> bool {
        matches!(self, Self::Container | Self::Compose | Self::Manifest)
    }
}

/// Every command line of a file.
pub(super) fn lines(path: &str, text: &str) -> Vec<Line> {
    match Sort::of(path) {
        Sort::Container => container(text),
        Sort::Compose => super::compose::lines(text),
        Sort::Manifest => super::kubernetes::lines(text),
        Sort::Processes => processes(text),
        Sort::Unit => unit(text),
        Sort::Shell => {
            let commands = logical(text).into_iter();
            commands.map(|(start, end)| Line { words: words(text, start, end), ..Line::default() }).collect()
        }
    }
}

fn container(text: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut variables: Vec<(String, Word)> = Vec::new();
    for (start, end) in logical(text) {
        let words = words(text, start, end);
        let Some((instruction, rest)) = words.split_first() else { continue };
        match instruction.text.to_ascii_uppercase().as_str() {
            name @ ("CMD" | "ENTRYPOINT") => {
                lines.push(Line { name: name.to_owned(), words: rest.to_vec(), ..Line::default() });
            }
            // A new stage starts from the variables of its own image.
            "FROM" => variables.clear(),
            "ENV" => match rest {
                [name, value] if !name.text.contains('=') => {
                    variables.push((name.text.clone(), value.clone()));
                }
                _ => variables.extend(rest.iter().filter_map(assignment)),
            },
            _ => {}
        }
        if let Some(last) = lines.last_mut() {
            last.variables.clone_from(&variables);
        }
    }
    // `CMD` gives `ENTRYPOINT` its arguments.
    if let [entry, command] = &mut lines[..]
        && entry.name == "ENTRYPOINT"
        && command.name == "CMD"
    {
        entry.words.append(&mut command.words);
        entry.variables = std::mem::take(&mut command.variables);
        lines.pop();
    }
    lines
}

fn processes(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    for (start, end) in logical(text) {
        let Some(colon) = text[start..end].find(':') else { continue };
        let name = text[start..start + colon].trim().to_owned();
        lines.push(Line { name, words: words(text, start + colon + 1, end), ..Line::default() });
    }
    lines
}

fn unit(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut variables = Vec::new();
    let mut cpus = None;
    for (start, end) in logical(text) {
        let Some(equals) = text[start..end].find('=') else { continue };
        let words = words(text, start + equals + 1, end);
        match text[start..start + equals].trim() {
            "ExecStart" => lines.push(Line { name: "ExecStart".to_owned(), words, ..Line::default() }),
            "Environment" => variables.extend(words.iter().filter_map(assignment)),
            "CPUQuota" => {
                cpus = words
                    .first()
                    .and_then(|word| Some(word.text.strip_suffix('%')?.parse::<f64>().ok()? / 100.0));
            }
            _ => {}
        }
    }
    for line in &mut lines {
        line.variables.clone_from(&variables);
        line.cpus = cpus;
    }
    lines
}

/// `NAME=value` as a variable.
pub(super) fn assignment(word: &Word) -> Option<(String, Word)> {
    let (name, value) = word.text.split_once('=')?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then(|| {
        (name.to_owned(), Word { text: value.trim_matches(['"', '\'']).to_owned(), bytes: word.bytes })
    })
}

/// Lines as byte ranges, continued ones as one; empty lines and comments left out.
fn logical(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut open: Option<usize> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let content = line.trim_end();
        // A comment between continued lines does not end them.
        if content.trim_start().starts_with('#') {
            continue;
        }
        let begin = *open.get_or_insert(start);
        if content.ends_with('\\') {
            continue;
        }
        open = None;
        if !text[begin..start + content.len()].trim().is_empty() {
            found.push((begin, start + content.len()));
        }
    }
    found.extend(open.map(|begin| (begin, text.len())));
    found
}

/// The words of a stretch, as a shell splits them; brackets and commas of an exec form part words too.
pub(super) fn words(text: &str, start: usize, end: usize) -> Vec<Word> {
    let bytes = &text.as_bytes()[..end];
    let exec = text[start..end].contains("[\"") || text[start..end].contains("['");
    let parts = |byte: u8| byte.is_ascii_whitespace() || (exec && matches!(byte, b'[' | b']' | b','));
    let mut words = Vec::new();
    let mut at = start;
    while at < end {
        if parts(bytes[at]) || bytes[at..].starts_with(b"\\\n") {
            at += 1;
            continue;
        }
        let from = at;
        let mut word: Vec<u8> = Vec::new();
        let (mut quote, mut depth) = (None, 0_usize);
        while at < end {
            let byte = bytes[at];
            match quote {
                None if depth == 0 && parts(byte) => break,
                None if matches!(byte, b'"' | b'\'') => quote = Some(byte),
                Some(open) if byte == open => quote = None,
                _ if byte == b'\\' && bytes.get(at + 1) == Some(&b'\n') => break,
                _ => {
                    // `$(nproc --all)` is one word.
                    match byte {
                        b'(' => depth += 1,
                        b')' => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                    word.push(byte);
                }
            }
            at += 1;
        }
        let text = String::from_utf8_lossy(&word).into_owned();
        words.push(Word { text, bytes: (from as u32, at as u32) });
    }
    words
}
