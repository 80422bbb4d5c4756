//! Small programs and what is seen in them.

mod contexts;
mod hostile;
mod names;
mod processes;
mod shares;

use super::facts::FileFacts;
use super::{analyse, extract};
use crate::catalog::Catalog;
use crate::finding::Observation;
use crate::scan::source::SourceFile;
use crate::scan::{Analysis, Thresholds};

fn facts(path: &str, text: &str) -> FileFacts {
    let file = SourceFile::new(path, text.as_bytes().to_vec()).unwrap();
    let extracted = extract(&file, Catalog::builtin(), &Thresholds::default());
    assert_eq!(extracted.errors, [], "{path}");
    extracted.facts
}

fn analysed(files: &[(&str, &str)]) -> Analysis {
    let facts: Vec<FileFacts> = files.iter().map(|(path, text)| facts(path, text)).collect();
    analyse(&facts, Catalog::builtin())
}

/// What is seen: line and subject, with the rule where it is not the common one.
fn told(observation: &Observation) -> String {
    let Observation { rule, place, subject, .. } = observation;
    match *rule {
        "blocking-call-in-async" => format!("{}:{} {subject}", place.path, place.line),
        rule => format!("{}:{} {subject} {rule}", place.path, place.line),
    }
}

fn seen(files: &[(&str, &str)]) -> Vec<String> {
    analysed(files).observations.iter().map(told).collect()
}

/// What is seen in one file called `a.py`, without its name.
fn seen_in(text: &str) -> Vec<String> {
    let seen = seen(&[("a.py", text)]);
    seen.iter().map(|told| told.trim_start_matches("a.py:").to_owned()).collect()
}
