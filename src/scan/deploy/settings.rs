//! Settings written as Python: `gunicorn.conf.py`, Celery's. Reads assignments line by line, which is how these files
//! are written; a computed value is kept as it is written.

use super::launch::Setting;
use crate::scan::source::SourceFile;

/// What a module assigns at its top level, in order: names and what they are set to.
pub(super) fn assignments(file: &SourceFile) -> Vec<(String, Setting)> {
    let mut found = Vec::new();
    let mut at = 0_usize;
    for line in file.text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let Some((name, value)) = line.split_once('=') else { continue };
        let name = name.split(':').next().unwrap_or_default().trim_end();
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_name || value.starts_with('=') {
            continue;
        }
        found.push((name.to_owned(), setting(line, value, start)));
    }
    found
}

/// Values of settings by name wherever a line sets one: `name = value`, `conf.name = value`, `name=value,`,
/// `"name": value`, `CELERY_NAME = value`.
pub(super) fn anywhere(file: &SourceFile, names: &[&str]) -> Vec<(String, Setting)> {
    let mut found = Vec::new();
    let mut at = 0_usize;
    for line in file.text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let Some(split) = line.find(['=', ':']) else { continue };
        let (left, right) = line.split_at(split);
        let left = left.trim().trim_matches(['"', '\'']);
        let name = left.rsplit('.').next().unwrap_or(left).to_ascii_lowercase();
        let name = name.strip_prefix("celery_").unwrap_or(&name);
        if names.contains(&name) && !right.starts_with("==") {
            found.push((name.to_owned(), setting(line, &right[1..], start)));
        }
    }
    found
}

/// The value at the end of a line, without a comment and the comma of an argument.
fn setting(line: &str, value: &str, start: usize) -> Setting {
    let from = start + line.len() - value.len();
    let text = value.split(" #").next().unwrap_or(value).trim().trim_end_matches(',').trim_end();
    let from = from + (value.len() - value.trim_start().len());
    Setting { text: text.to_owned(), bytes: (from as u32, (from + text.len()) as u32) }
}
