//! The house rules that a compiler does not check: which module may use which, where `unsafe` and printing are
//! allowed, how long a file may be, and that the documents say what the code says.
//!
//! Each rule is a function from a file's text to its breaches, so that the rules themselves are tested on wrong code.

mod code;
mod docs;
mod paths;

use std::fs;
use std::path::{Path, PathBuf};

/// Which module may use which others. `main` and `lib` are the two crate roots. A module that is missing here fails
/// the test, so that whoever adds one decides where it stands.
const ARROWS: &[(&str, &[&str])] = &[
    ("lib", &[]),
    ("exit", &[]),
    ("units", &[]),
    ("yaml", &[]),
    ("wait", &["yaml"]),
    ("finding", &["wait"]),
    ("catalog", &["yaml", "finding", "wait"]),
    ("scan", &["catalog", "finding", "wait", "units"]),
    ("machine", &["units"]),
    ("profile", &["machine", "wait", "units"]),
    ("facts", &["profile", "machine", "wait", "units"]),
    ("rules", &["facts", "catalog", "finding", "yaml", "wait", "units"]),
    ("advice", &["facts", "rules", "profile", "machine", "wait", "units"]),
    ("join", &["catalog", "finding", "profile", "wait"]),
    ("sweep", &[]),
    ("compare", &["advice", "machine", "profile", "wait"]),
    (
        "report",
        &[
            "compare", "sweep", "join", "advice", "rules", "catalog", "finding", "facts", "profile",
            "machine", "wait", "units",
        ],
    ),
    // The enums that a flag is parsed into, and the parsers of numbers with units.
    ("cli", &["report", "advice", "facts", "finding", "units"]),
    (
        "commands",
        &[
            "cli", "report", "compare", "sweep", "join", "advice", "rules", "facts", "profile", "machine",
            "scan", "catalog", "finding", "yaml", "wait", "units", "exit",
        ],
    ),
    ("main", &["cli", "commands", "exit"]),
];

/// A file longer than this is two modules.
const LONGEST_FILE: usize = 600;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a directory of the project with its path relative to that directory, in order of name.
fn rust_files(directory: &str) -> Vec<(String, String)> {
    let base = root().join(directory);
    let mut files = Vec::new();
    let mut pending = vec![base.clone()];
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("a directory of the project can be listed");
            pending.extend(entries.map(|entry| entry.expect("an entry can be read").path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(&base).expect("it was found below").to_string_lossy().into_owned();
            files.push((name, fs::read_to_string(&path).expect("a source file is readable UTF-8")));
        }
    }
    files.sort();
    files
}

fn document(name: &str) -> Option<String> {
    let path: PathBuf = root().join(name);
    path.is_file().then(|| fs::read_to_string(path).expect("a document is readable UTF-8"))
}

/// Fails with every breach of a rule in `src`.
fn assert_kept(rule: impl Fn(&str, &str) -> Vec<String>) {
    let files = rust_files("src");
    assert!(files.len() > 10, "the sources were not found");
    let breaches: Vec<String> = files
        .iter()
        .flat_map(|(name, source)| {
            rule(name, source).into_iter().map(move |what| format!("src/{name}: {what}"))
        })
        .collect();
    assert!(breaches.is_empty(), "\n{}\n", breaches.join("\n"));
}

#[test]
fn modules_use_only_what_stands_left_of_them() {
    assert_kept(paths::wrong_arrows);
}

#[test]
fn the_table_agrees_with_the_reading_order_of_the_crate() {
    let order = docs::modules_of_the_crate();
    let place = |name: &str| order.iter().position(|module| module == name);
    for module in &order {
        assert!(ARROWS.iter().any(|(name, _)| name == module), "{module} has no row in ARROWS");
    }
    for (module, uses) in ARROWS.iter().filter(|(module, _)| !matches!(*module, "lib" | "main")) {
        let here = place(module).unwrap_or_else(|| panic!("{module} is in ARROWS but not in lib.rs"));
        for used in *uses {
            assert!(
                place(used).is_some_and(|there| there < here),
                "{module} uses {used}, which stands after it"
            );
        }
    }
}

#[test]
fn unsafe_code_stays_where_the_kernel_is_asked() {
    assert_kept(code::unsafe_elsewhere);
}

#[test]
fn only_main_writes_to_the_terminal_and_ends_the_process() {
    assert_kept(code::prints_and_exits);
}

#[test]
fn after_the_edge_there_is_no_file_clock_or_environment() {
    assert_kept(paths::impure);
}

#[test]
fn internal_types_are_not_a_public_format() {
    assert_kept(code::serialized_internals);
}

#[test]
fn every_module_says_what_it_knows() {
    assert_kept(|_, source| {
        let documented = source.trim_start().starts_with("//!");
        if documented { Vec::new() } else { vec!["begins without a module doc".to_owned()] }
    });
}

#[test]
fn no_file_is_two_modules() {
    for directory in ["src", "tests", "benches"] {
        for (name, source) in rust_files(directory) {
            let lines = source.lines().count();
            assert!(lines <= LONGEST_FILE, "{directory}/{name} has {lines} lines: split it");
        }
    }
}
