//! Snippets of Python, run by the Python that is installed.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use boundby::rules::RuleSet;

use crate::entry::{Fixture, fixtures};
use crate::say;

/// Where the code goes.
pub(crate) const MARK: &str = "# the advice goes here";
/// After so many seconds a program hangs.
const PATIENCE: &str = "240";

/// Runs a program of Python that prints what came out; what it said where that is not "ok".
pub(crate) fn run(python: &Path, name: &str, code: &str) -> Result<(), String> {
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    // Not its own name: a job for celery must not be what `import celery` finds.
    let file = directory.path().join("etl.py");
    fs::write(&file, code).map_err(|error| error.to_string())?;
    let output: Output = Command::new("timeout")
        .args(["-s", "KILL", PATIENCE])
        .arg(python)
        .arg(&file)
        .current_dir(directory.path())
        .env("RAY_USAGE_STATS_ENABLED", "0")
        .env_remove("PYTHONPATH")
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() && String::from_utf8_lossy(&output.stdout).trim_end().ends_with("ok") {
        return Ok(());
    }
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    Err(format!("{name}: {}, it said:\n{said}\nit was:\n{code}", output.status))
}

/// The version of a Python; `None`: there is none.
pub(crate) fn version(python: &Path) -> Option<(u32, u32)> {
    let code = "import sys; print(sys.version_info[0], sys.version_info[1])";
    let output =
        Command::new(python).args(["-c", code]).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut numbers = text.split_whitespace().filter_map(|word| word.parse().ok());
    Some((numbers.next()?, numbers.next()?))
}

#[test]
fn every_snippet_of_python_does_its_job() {
    let python = Path::new("python3");
    let Some(version) = version(python) else {
        return say("snippets of Python: skipped, python3 is not installed");
    };
    let rules = RuleSet::builtin().unwrap();
    let mut failures = Vec::new();
    for fixture in fixtures("fixtures/snippets/python") {
        if let Some(least) = fixture.header.python.filter(|least| version < *least) {
            say(&format!(
                "snippet {}: skipped, python3 is older than {}.{}",
                fixture.name(),
                least.0,
                least.1
            ));
            continue;
        }
        let code = program(&fixture, &rules);
        failures.extend(run(python, &fixture.name(), &code).err());
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

fn program(fixture: &Fixture, rules: &RuleSet) -> String {
    fixture.filled(MARK, &fixture.snippet(rules, "python"))
}
