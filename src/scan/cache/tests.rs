//! What a cache gives back is what it was given, or nothing.

use std::path::Path;

use super::*;
use crate::catalog::Catalog;
use crate::scan::python;
use crate::scan::rust;
use crate::scan::{Options, Thresholds, Tree, Unwatched};

const PYTHON: &str = "\
import time
import asyncio


async def handler():
    for _ in range(3):
        time.sleep(1)
    asyncio.create_task(handler())

async def broken(:
";
const RUST: &str = "\
async fn handler(lock: std::sync::Mutex<u32>) {
    let held = lock.lock().unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    std::thread::sleep(std::time::Duration::from_secs(*held as u64));
}
";

fn source(path: &str, text: &str) -> SourceFile {
    SourceFile::new(path, text.as_bytes().to_vec()).unwrap()
}

fn key(text: &str) -> Digest {
    Digest::of(&[text.as_bytes()])
}

fn open(directory: &Path) -> Cache {
    Cache::open(directory, key("rules"), key("about")).unwrap()
}

fn scanned(cache: Option<&Cache>, files: &[(&str, &str)]) -> Scan {
    let kind = |path: &str| crate::scan::walk::kind_by_name(path.as_ref()).unwrap();
    let files = files.iter().map(|(path, text)| (source(path, text), kind(path))).collect();
    let thresholds = Thresholds::default();
    let options = Options { threads: Some(2), thresholds: &thresholds, progress: &Unwatched, cache };
    crate::scan::scan(|| Tree { files, problems: Vec::new() }, &options, Catalog::builtin).unwrap()
}

fn assert_same(one: &Scan, other: &Scan) {
    assert_eq!(one.observations, other.observations);
    assert_eq!(one.problems, other.problems);
    assert_eq!((one.lines, one.calls), (other.lines, other.calls));
    assert_eq!(one.async_functions, other.async_functions);
    assert_eq!(one.comments, other.comments);
}

/// The names of the files of a sort.
fn named(directory: &Path, sort: &str) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.starts_with(sort)).collect();
    names.sort();
    names
}

#[test]
fn facts_come_back_as_they_went() {
    let (python, rust) = (source("a.py", PYTHON), source("src/lib.rs", RUST));
    let extracted = python::extract(&python, Catalog::builtin(), &Thresholds::default());
    assert!(!extracted.observations.is_empty() && !extracted.errors.is_empty());
    let bytes = entry::of_extracted(&extracted).unwrap();
    let back: Extracted<python::facts::FileFacts> = entry::extracted_of(&bytes, &python).unwrap();
    assert_eq!(format!("{extracted:?}"), format!("{back:?}"));
    let extracted = rust::extract(&rust, Catalog::builtin());
    let bytes = entry::of_extracted(&extracted).unwrap();
    let back: Extracted<rust::FileFacts> = entry::extracted_of(&bytes, &rust).unwrap();
    assert_eq!(extracted.facts, back.facts);
}

#[test]
fn what_is_known_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let cache = open(directory.path());
    let mut files = vec![("a.py", PYTHON), ("src/lib.rs", RUST)];
    let other = "from a import handler\nasync def f():\n    await handler()\n";
    for edit in
        [None, Some(("b.py", other)), Some(("c.py", "import time\ntime.sleep(1) # boundby: ignore[A] x\n"))]
    {
        files.extend(edit);
        let fresh = scanned(None, &files);
        assert!(!fresh.observations.is_empty());
        // As nothing, as some files, and as the whole is known.
        for _ in 0..2 {
            assert_same(&fresh, &scanned(Some(&cache), &files));
        }
        for scan in named(directory.path(), SCAN) {
            fs::remove_file(directory.path().join(scan)).unwrap();
        }
        assert_same(&fresh, &scanned(Some(&cache), &files));
    }
}

#[test]
fn what_was_damaged_is_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let cache = open(directory.path());
    let files = [("a.py", PYTHON), ("src/lib.rs", RUST)];
    let fresh = scanned(Some(&cache), &files);
    let kept: Vec<_> = [FACTS, SCAN].iter().flat_map(|sort| named(directory.path(), sort)).collect();
    assert_eq!(kept.len(), 2);
    for name in kept {
        let file = directory.path().join(&name);
        let bytes = fs::read(&file).unwrap();
        let damaged = (0..bytes.len()).step_by(7).flat_map(|at| {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            [flipped, bytes[..at].to_vec()]
        });
        for bytes in damaged.step_by(bytes.len() / 40 + 1) {
            fs::write(&file, bytes).unwrap();
            assert_same(&fresh, &scanned(Some(&cache), &files));
        }
    }
}

#[test]
fn an_entry_belongs_to_its_key() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pack");
    pack::write(&file, &[(key("one"), b"1"), (key("two"), b"22")]).unwrap();
    let pack = Pack::read(&file);
    assert_eq!(pack.get(key("two")), Some(b"22".as_slice()));
    assert_eq!(pack.get(key("three")), None);
    // The bytes of one under the key of another.
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.windows(16).position(|window| window == key("one").bytes()).unwrap();
    bytes[at..at + 16].copy_from_slice(&key("three").bytes());
    fs::write(&file, bytes).unwrap();
    assert_eq!(Pack::read(&file).get(key("three")), None);
    assert!(Pack::read(directory.path()).get(key("one")).is_none());
}

#[test]
fn other_rules_have_other_keys() {
    let directory = tempfile::tempdir().unwrap();
    let files = [(source("a.py", PYTHON), crate::scan::walk::Kind::Deploy)];
    let keys = |rules| Cache::open(directory.path(), key(rules), key("about")).unwrap().keys(&files);
    assert_eq!(keys("one"), keys("one"));
    assert_ne!(keys("one"), keys("other"));
}

#[test]
fn old_files_go() {
    let directory = tempfile::tempdir().unwrap();
    let cache = open(directory.path());
    for number in 0..20 {
        let text = format!("x = {number}\n");
        scanned(Some(&cache.about(&number.to_string())), &[("a.py", &text)]);
    }
    assert_eq!(named(directory.path(), SCAN).len(), 16);
    assert_eq!(named(directory.path(), FACTS).len(), 4);
    assert_eq!(named(directory.path(), "tmp-"), [""; 0]);
    assert_eq!(named(directory.path(), ".gitignore").len(), 1);
}
