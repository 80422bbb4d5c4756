//! `boundby scan` from the arguments to the files it writes, on small projects.

use std::fs;
use std::path::Path;
use std::process::Command;

use boundby::cli::ScanArgs;
use boundby::commands::scan::{Outcome, scan_in};
use clap::Parser;
use tempfile::TempDir;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: ScanArgs,
}

const API: &str = "\
import asyncio
import time
from load import load


async def handler(url):
    time.sleep(0.1)
    return load(url)
";
const LOAD: &str = "import requests\n\n\ndef load(url):\n    return requests.get(url)\n";

fn project(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, text) in files {
        put(root.path(), name, text);
    }
    root
}

fn put(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn shop() -> TempDir {
    project(&[("api.py", API), ("load.py", LOAD)])
}

fn outcome(root: &Path, words: &[&str]) -> Result<Outcome, String> {
    let line =
        Line::try_parse_from(std::iter::once(&"scan").chain(words)).map_err(|error| error.to_string())?;
    scan_in(&line.args, root).map_err(|error| format!("{error:#}"))
}

/// The exit code, and what goes to standard output, a line per finding.
fn concise(root: &Path, words: &[&str]) -> (u8, String) {
    let words: Vec<_> = ["--format", "concise"].iter().chain(words).copied().collect();
    let outcome = outcome(root, &words).unwrap();
    (outcome.code, String::from_utf8(outcome.outputs[0].1.clone()).unwrap())
}

fn git(root: &Path, words: &[&str]) {
    let identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"];
    let done = Command::new("git").current_dir(root).args(identity).args(words).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn a_call_that_blocks_is_found_through_another_file() {
    let shop = shop();
    let (code, text) = concise(shop.path(), &[]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("api.py:7:5: error[blocking-call-in-async] `time.sleep`"), "{text}");
    assert!(text.contains("load.py:5:12: error[blocking-call-in-async] `requests.get`"), "{text}");
    assert!(text.ends_with("2 errors in 2 of 2 files\n"), "{text}");
    assert_eq!(concise(shop.path(), &["--exit-zero"]).0, 0);
    assert_eq!(concise(shop.path(), &["--ignore", "A"]), (0, "no findings in 2 files\n".to_owned()));
    assert_eq!(concise(shop.path(), &["api.py", "--exclude", "load.py"]).1.lines().count(), 2);
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let shop = shop();
    let one = outcome(shop.path(), &["--format", "json", "--threads", "1"]).unwrap();
    let many = outcome(shop.path(), &["--format", "json", "--threads", "7"]).unwrap();
    assert_eq!(one.outputs, many.outputs);
}

#[test]
fn several_formats_go_to_their_files() {
    let shop = shop();
    let words = ["--format", "github", "--format", "sarif=out.sarif", "--format", "junit=out.xml"];
    let outcome = outcome(shop.path(), &words).unwrap();
    let files: Vec<_> = outcome.outputs.iter().map(|(file, _)| file.clone()).collect();
    assert_eq!(files, [None, Some(shop.path().join("out.sarif")), Some(shop.path().join("out.xml"))]);
    let sarif: serde_json::Value = serde_json::from_slice(&outcome.outputs[1].1).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    let flow = results.iter().find(|result| !result["codeFlows"].is_null()).unwrap();
    assert_eq!(flow["codeFlows"][0]["threadFlows"][0]["locations"].as_array().unwrap().len(), 2);
    let refusal = self::outcome(shop.path(), &["--format", "github", "--format", "text"]).unwrap_err();
    assert!(refusal.contains("name a file for all but one"), "{refusal}");
}

#[test]
fn a_comment_takes_a_finding_back_when_it_says_why() {
    let with = |comment: &str| {
        let api = API.replace("time.sleep(0.1)", &format!("time.sleep(0.1)  # boundby: {comment}"));
        concise(project(&[("api.py", &api)]).path(), &[])
    };
    assert_eq!(with("ignore[blocking-call-in-async] once a day"), (0, "no findings in 1 file\n".to_owned()));
    let (code, text) = with("ignore[blocking-call-in-async]");
    assert!(code == 1 && text.contains("has no effect without a reason"), "{text}");
    let (code, text) = with("ignore[dropped-task] why");
    assert!(code == 1 && text.contains("`dropped-task` is not found here"), "{text}");
    let (_, text) = with("ignore[blocking-call-in-asinc] why");
    assert!(text.contains("did you mean `blocking-call-in-async`?"), "{text}");
    let shop = project(&[("api.py", &API.replace("time.sleep(0.1)", "pass  # boundby: ignore[A] why"))]);
    assert_eq!(concise(shop.path(), &["--strict"]).0, 1);
    assert_eq!(concise(shop.path(), &["--strict", "--ignore", "A"]).0, 0);
}

#[test]
fn a_baseline_knows_what_was_found_wherever_it_moves_and_never_takes_new_ones_in_silently() {
    let shop = shop();
    let base = |words: &[&str]| {
        let words: Vec<_> = ["--baseline", "known.json"].iter().chain(words).copied().collect();
        concise(shop.path(), &words)
    };
    let refusal = outcome(shop.path(), &["--baseline", "known.json"]).unwrap_err();
    assert!(refusal.contains("write it with --update-baseline"), "{refusal}");
    assert_eq!(base(&["--update-baseline"]).0, 0);
    put(shop.path(), "api.py", &format!("# moved\n\n{API}"));
    assert_eq!(base(&[]), (0, "no findings in 2 files\n".to_owned()));

    // A second one like the first is new, and stays new until somebody says so.
    put(shop.path(), "api.py", &API.replace("    return", "    time.sleep(9)\n    return"));
    for words in [&[][..], &["--update-baseline"]] {
        let (code, text) = base(words);
        assert!(code == 1 && text.contains("api.py:8:5"), "{text}");
    }
    let accepted =
        outcome(shop.path(), &["--baseline", "known.json", "--update-baseline", "--accept-new"]).unwrap();
    assert!(accepted.code == 0 && accepted.asides[0].contains("accepted api.py:8"), "{:?}", accepted.asides);

    // What is gone is said, and taken out when asked.
    put(shop.path(), "api.py", &API.replace("time.sleep(0.1)", "pass"));
    let (code, text) = base(&[]);
    assert!(code == 0 && text.contains("2 × blocking-call-in-async of `time.sleep`"), "{text}");
    assert_eq!(base(&["--strict"]).0, 1);
    // Part of a project does not show what reaches it from the rest.
    assert!(!base(&["load.py"]).1.contains("no longer found"));
    base(&["--update-baseline"]);
    assert_eq!(base(&["--strict"]), (0, "no findings in 2 files\n".to_owned()));

    put(shop.path(), "known.json", "{\"schema\": 1}");
    let refusal = outcome(shop.path(), &["--baseline", "known.json"]).unwrap_err();
    assert!(refusal.contains("is no baseline") && refusal.contains("line 1"), "{refusal}");
}

#[test]
fn a_comparison_shows_what_a_branch_adds_through_code_it_did_not_touch() {
    let shop = shop();
    let root = shop.path();
    git(root, &["init", "-q", "-b", "main"]);
    git(root, &["add", "."]);
    git(root, &["commit", "-qm", "first"]);
    git(root, &["checkout", "-qb", "work"]);
    assert_eq!(concise(root, &["--diff", "main"]), (0, "no new findings in 2 files\n".to_owned()));

    // The helper is as it was, and one more coroutine calls it now.
    put(root, "more.py", "from load import load\n\n\nasync def more():\n    return load('x')\n");
    let (code, text) = concise(root, &["--diff", "main"]);
    assert!(code == 1 && text.contains("load.py:5:12") && !text.contains("api.py"), "{text}");

    // Moved is not new.
    fs::remove_file(root.join("more.py")).unwrap();
    fs::create_dir(root.join("deep")).unwrap();
    git(root, &["mv", "api.py", "handlers.py"]);
    let (_, text) = concise(root, &["--diff", "main"]);
    assert!(!text.contains("load.py"), "{text}");

    let refusal = outcome(root, &["--diff", "nowhere"]).unwrap_err();
    assert!(refusal.contains("no commit `nowhere`") && refusal.contains("fetch"), "{refusal}");
    let elsewhere = self::shop();
    let refusal = outcome(elsewhere.path(), &["--diff", "main"]).unwrap_err();
    assert!(refusal.contains("is in no git repository"), "{refusal}");
}

#[test]
fn fixes_are_shown_and_made() {
    let shop = shop();
    let shown = outcome(shop.path(), &["--diff-fixes"]).unwrap();
    let diff = String::from_utf8(shown.outputs[0].1.clone()).unwrap();
    assert!(diff.contains("-    time.sleep(0.1)\n+    await asyncio.sleep(0.1)\n"), "{diff}");
    assert_eq!(fs::read_to_string(shop.path().join("api.py")).unwrap(), API);
    let made = outcome(shop.path(), &["--fix"]).unwrap();
    assert_eq!(made.asides, ["1 finding fixed in 1 file"]);
    let fixed = fs::read_to_string(shop.path().join("api.py")).unwrap();
    assert_eq!(fixed, API.replace("time.sleep", "await asyncio.sleep"));
    assert!(!concise(shop.path(), &[]).1.contains("time.sleep"));
}

#[test]
fn what_is_not_understood_is_never_silently_clean() {
    let broken = project(&[("a.py", "def f(:\n"), ("b.py", "x = '\0'\n")]);
    let (code, text) = concise(broken.path(), &[]);
    assert!(code == 0 && text.contains("a.py:1:7: ") && text.contains("b.py: holds zero bytes"), "{text}");
    assert_eq!(concise(broken.path(), &["--strict"]).0, 2);
    let empty = project(&[]);
    let outcome = outcome(empty.path(), &[]).unwrap();
    assert!(outcome.code == 0 && outcome.asides[0].contains("nothing to scan"), "{:?}", outcome.asides);
    assert_eq!(concise(empty.path(), &["--strict"]).0, 2);
}

#[test]
fn settings_hold_for_their_paths_and_flags_win() {
    let settings = "\
[tool.boundby]
level = 'note'
[tool.boundby.severity]
blocking-call-in-async = 'note'
[tool.boundby.per-path-severity.'api.py']
A = 'error'
[tool.boundby.per-path-ignores]
'load.py' = ['ALL']
";
    let shop = shop();
    put(shop.path(), "pyproject.toml", settings);
    let (code, text) = concise(shop.path(), &[]);
    assert!(code == 1 && text.contains("api.py:7:5: error") && !text.contains("load.py"), "{text}");
    assert!(concise(shop.path(), &["--isolated"]).1.contains("load.py:5:12: error"));
    put(shop.path(), "pyproject.toml", &settings.replace("['ALL']", "['ALLE']"));
    let refusal = outcome(shop.path(), &[]).unwrap_err();
    assert!(refusal.contains("pyproject.toml:8:14: no rule `ALLE`"), "{refusal}");
    let refusal = outcome(shop.path(), &["--isolated", "--select", "blocking-call-in-asinc"]).unwrap_err();
    assert!(refusal.contains("did you mean `blocking-call-in-async`?"), "{refusal}");
}

#[test]
fn test_code_is_held_to_less() {
    let shop =
        project(&[("tests/test_api.py", "import time\n\n\nasync def test_it():\n    time.sleep(1)\n")]);
    let (_, text) = concise(shop.path(), &["--level", "note"]);
    assert!(!text.contains("error["), "{text}");
    assert!(text.contains("[blocking-call-in-async]"), "{text}");
}

#[test]
fn a_path_that_is_not_there_is_an_error() {
    let refusal = outcome(shop().path(), &["absent"]).unwrap_err();
    assert!(refusal.contains("cannot read absent"), "{refusal}");
}

#[test]
fn the_workflow_and_the_hook_of_the_readme_can_be_typed() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let blocks = readme.split("```yaml").skip(1).filter_map(|rest| rest.split("```").next());
    let settings = blocks.collect::<String>().replace("${{ github.base_ref }}", "main");
    let mut typed = 0;
    for rest in settings.split("boundby scan\n").flat_map(|part| part.split("boundby scan ")).skip(1) {
        // Every option in them has a value.
        let mut words = rest.split_whitespace();
        let mut line = vec!["scan"];
        while let Some(option) = words.next().filter(|word| word.starts_with("--")) {
            line.extend([option, words.next().unwrap().trim_matches('"')]);
        }
        assert!(Line::try_parse_from(&line).is_ok(), "{line:?}");
        typed += usize::from(line.len() > 1);
    }
    assert_eq!(typed, 2);
}

#[test]
fn a_cache_changes_nothing_but_the_time() {
    let cached = shop();
    let plain = |root: &Path| outcome(root, &["--format", "json"]).unwrap().outputs;
    let fresh = |root: &Path, threads: &str| {
        let words = ["--format", "json", "--cache-dir", ".boundby_cache", "--threads", threads];
        let outcome = outcome(root, &words).unwrap();
        assert!(outcome.asides.is_empty(), "{:?}", outcome.asides);
        outcome.outputs
    };
    let edits: [(&str, &str); 5] = [
        ("api.py", API),
        ("load.py", "def load(url):\n    return url\n"),
        ("load.py", LOAD),
        ("api.py", &API.replace("time.sleep(0.1)", "time.sleep(0.1)  # boundby: ignore[A] why")),
        ("new.py", "import asyncio\n\nasync def f():\n    asyncio.create_task(f())\n"),
    ];
    for (name, text) in edits {
        put(cached.path(), name, text);
        let expected = plain(cached.path());
        for threads in ["1", "4", "2"] {
            assert_eq!(fresh(cached.path(), threads), expected, "{name}");
        }
    }
    // What other tools go by, and what is not to be scanned or committed.
    let ignored = fs::read_to_string(cached.path().join(".boundby_cache/.gitignore")).unwrap();
    assert_eq!(ignored, "*\n");
}

#[test]
fn a_cache_is_named_by_the_settings_and_done_without_where_it_cannot_be() {
    let shop = shop();
    put(shop.path(), "boundby.toml", "cache-dir = 'kept'\n");
    put(shop.path(), "sub/x.py", "");
    concise(&shop.path().join("sub"), &["--no-cache"]);
    assert!(!shop.path().join("kept").exists());
    concise(&shop.path().join("sub"), &[]);
    assert!(shop.path().join("kept/CACHEDIR.TAG").exists());
    put(shop.path(), "file", "");
    let refused = outcome(shop.path(), &["--cache-dir", "file/cache"]).unwrap();
    assert!(refused.code == 1 && refused.asides[0].starts_with("no cache in "), "{:?}", refused.asides);
}

#[test]
fn the_commit_that_is_compared_with_is_remembered_as_well() {
    let shop = shop();
    git(shop.path(), &["init", "-q", "-b", "main"]);
    git(shop.path(), &["add", "."]);
    git(shop.path(), &["commit", "-qm", "a shop"]);
    put(shop.path(), "new.py", "import asyncio\n\nasync def f():\n    asyncio.create_task(f())\n");
    let plain = outcome(shop.path(), &["--format", "json", "--diff", "main"]).unwrap();
    for _ in 0..2 {
        let words = ["--format", "json", "--diff", "main", "--cache-dir", "cache"];
        assert_eq!(outcome(shop.path(), &words).unwrap().outputs, plain.outputs);
    }
}
