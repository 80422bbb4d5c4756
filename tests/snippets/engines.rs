//! The code for several computers, as `boundby decide` prints it, on the engines themselves: each of them runs on one
//! computer just as well.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::entry::{Fixture, fixtures};
use crate::python::{MARK, run, version};
use crate::say;

/// Why an engine is not tried.
enum Stop {
    Skip(String),
    Broken(String),
}

#[test]
fn every_engine_runs_what_is_advised_for_it() {
    let mut failures = Vec::new();
    for fixture in fixtures("fixtures/snippets/engines") {
        match tried(&fixture) {
            Ok(()) => {}
            Err(Stop::Skip(why)) => say(&format!("engine {}: skipped, {why}", fixture.name())),
            Err(Stop::Broken(what)) => failures.push(what),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

fn tried(fixture: &Fixture) -> Result<(), Stop> {
    if let Some(program) = &fixture.header.needs
        && Command::new(program).arg("-version").output().is_err()
    {
        return Err(Stop::Skip(format!("{program} is not installed")));
    }
    let python = with_packages(&fixture.header.packages)?;
    let code = fixture.filled(MARK, &advised(fixture));
    run(&python, &fixture.name(), &code).map_err(Stop::Broken)
}

/// The code that boundby prints for what the file asks.
fn advised(fixture: &Fixture) -> String {
    let question = fixture.header.decide.as_deref().unwrap_or_default();
    let output = Command::new(env!("CARGO_BIN_EXE_boundby"))
        .args(["decide", "--no-ask", "--format", "json"])
        .args(question.split_whitespace())
        .output()
        .expect("boundby was built");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let answer: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    let first = &answer["recommendations"][0];
    assert_eq!(first["strategy"], fixture.header.strategy, "{}: {answer}", fixture.name());
    let snippet = first["snippet"].as_str();
    snippet.unwrap_or_else(|| panic!("{}: no code: {answer}", fixture.name())).to_owned()
}

/// A Python that has these packages.
fn with_packages(packages: &[String]) -> Result<PathBuf, Stop> {
    let system = Path::new("python3");
    let (major, minor) = version(system).ok_or_else(|| Stop::Skip("python3 is not installed".to_owned()))?;
    if imports(system, packages) {
        return Ok(system.to_owned());
    }
    // Kept between runs, and thrown away with the target directory.
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("engines-{major}.{minor}"));
    let python = directory.join("bin/python");
    if imports(&python, packages) {
        return Ok(python);
    }
    if std::env::var_os("BOUNDBY_ENGINES").is_none_or(|value| value != "install") {
        return Err(Stop::Skip("it is not installed (BOUNDBY_ENGINES=install installs it)".to_owned()));
    }
    if version(&python).is_none() {
        succeeds(Command::new(system).args(["-m", "venv"]).arg(&directory))?;
    }
    succeeds(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(packages))?;
    if imports(&python, packages) {
        Ok(python)
    } else {
        Err(Stop::Broken(format!("{packages:?}: installed in vain")))
    }
}

fn imports(python: &Path, packages: &[String]) -> bool {
    let modules: Vec<_> = packages.iter().map(|package| format!("import {package}")).collect();
    Command::new(python)
        .arg("-c")
        .arg(modules.join("; "))
        .output()
        .is_ok_and(|output| output.status.success())
}

/// Runs a step of an installation; that it fails is no fault of the code.
fn succeeds(command: &mut Command) -> Result<(), Stop> {
    let output: Output = command.output().map_err(|error| Stop::Skip(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = said.lines().next_back().unwrap_or_default().to_owned();
    Err(Stop::Skip(format!("it cannot be installed: {last}")))
}
