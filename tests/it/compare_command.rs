//! `boundby compare` from saved profiles to what it prints and its exit code.

use std::fs;
use std::path::Path;
use std::time::Duration;

use boundby::cli::CompareArgs;
use boundby::commands::compare::run;
use boundby::report::json;
use boundby::wait::{Account, WaitKind};
use clap::Parser;
use serde_json::Value;
use tempfile::TempDir;

use crate::report_cases::{Case, all};
use crate::report_golden::check;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: CompareArgs,
}

/// The design's example, with its network time divided by a factor.
fn case(factor: u64) -> Case {
    let mut case = all().remove(0);
    let network = Account::Wait(WaitKind::Network);
    let gone = case.profile.wall_book[network] - case.profile.wall_book[network] / factor;
    case.profile.wall_book[network] -= gone;
    case.profile.wall -= Duration::from_nanos(gone);
    case.profile.sites[0].critical -= Duration::from_nanos(gone);
    case
}

/// Profiles named by their factors, and by `-2` where there are several of one.
fn saved(factors: &[u64]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for factor in factors {
        fs::write(root.path().join(format!("{factor}.json")), json::to_json(&case(*factor).report()))
            .unwrap();
    }
    root
}

/// The exit code, and what was written.
fn compared(root: &Path, words: &[&str]) -> Result<(u8, String), String> {
    let output = root.join("out");
    let words = words.iter().map(|word| {
        if Path::new(word).extension().is_some() {
            root.join(word).display().to_string()
        } else {
            (*word).to_owned()
        }
    });
    let line = ["compare".to_owned(), "-o".to_owned(), output.display().to_string()].into_iter().chain(words);
    let args = Line::try_parse_from(line).map_err(|error| error.to_string())?.args;
    let code = run(&args).map_err(|error| format!("{error:#}"))?;
    Ok((code, fs::read_to_string(output).unwrap()))
}

#[test]
fn what_came_of_an_advice_reads_as_its_goldens() {
    let root = saved(&[1, 12]);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/reports/compare");
    for (format, file) in [("text", "80.txt"), ("markdown", "report.md"), ("json", "report.json")] {
        let (code, written) = compared(root.path(), &["1.json", "12.json", "--format", format]).unwrap();
        assert_eq!(code, 0);
        check(&folder.join(file), written.as_bytes());
    }
}

#[test]
fn the_exit_code_says_what_was_asked_for() {
    let root = saved(&[1, 2, 12, 100]);
    let code = |words: &[&str]| compared(root.path(), words).unwrap().0;
    assert_eq!(code(&["1.json", "2.json"]), 0);
    assert_eq!(code(&["2.json", "1.json"]), 1, "slower");
    assert_eq!(code(&["1.json", "1.json"]), 0, "the same run is no slower");
    assert_eq!(code(&["2.json", "1.json", "--fail-on", "never"]), 0);
    assert_eq!(code(&["1.json", "100.json", "--fail-on", "bound-changed"]), 1, "network to cpu");
    assert_eq!(code(&["1.json", "2.json", "--fail-on", "slower,bound-changed"]), 0);
    assert_eq!(code(&["1.json", "2.json", "--fail-on", "missed"]), 1, "11 times was predicted");
}

#[test]
fn several_runs_of_each_are_told_together() {
    let root = saved(&[1, 2, 3, 4, 5, 6]);
    let words = ["--before", "1.json", "2.json", "3.json", "--after", "4.json", "5.json", "6.json"];
    let (_, written) = compared(root.path(), &[&words[..], &["--format", "json"]].concat()).unwrap();
    let value: Value = serde_json::from_str(&written).unwrap();
    assert_eq!(value["runs"], serde_json::json!({"before": 3, "after": 3}));
    assert_eq!(value["wall"]["direction"], "faster");
    assert_eq!(value["caveats"], serde_json::json!([]));
    let before = case(2).profile.wall.as_secs_f64();
    assert!((value["wall"]["before_s"].as_f64().unwrap() - before).abs() < 1e-9, "the median");
}

#[test]
fn what_cannot_be_compared_is_an_error() {
    let root = saved(&[1]);
    fs::write(root.path().join("2.json"), "{}").unwrap();
    assert!(compared(root.path(), &["1.json"]).unwrap_err().contains("BEFORE"));
    assert!(compared(root.path(), &["1.json", "3.json"]).unwrap_err().contains("cannot read"));
    assert!(compared(root.path(), &["1.json", "2.json"]).unwrap_err().contains("2.json"));
    assert!(compared(root.path(), &["--before", "1.json"]).is_err());
}

/// The constants that only a comparison reads, by the golden that pins them: each a fifth more or less shows.
#[test]
fn what_is_noise_and_what_is_worth_telling_is_in_the_rules() {
    // A change of 1.05 % of the run stands between the shipped threshold and one that is a fifth higher; one of 0.95 % below.
    let mut more = case(1);
    let (network, disk) = (Account::Wait(WaitKind::Network), Account::Wait(WaitKind::Disk));
    let (told, untold) = (more.profile.wall.mul_f64(0.0105), more.profile.wall.mul_f64(0.0095));
    for (account, by) in [(network, told), (disk, untold)] {
        more.profile.wall_book[account] += by.as_nanos() as u64;
        more.profile.wall += by;
    }
    let root = saved(&[1]);
    fs::write(root.path().join("more.json"), json::to_json(&more.report())).unwrap();
    let overlay = root.path().join("rules");
    fs::create_dir(&overlay).unwrap();
    let rules = overlay.display().to_string();
    let compared_by = |constants: &str| {
        fs::write(overlay.join("overlay.yaml"), format!("constants: {{{constants}}}\n")).unwrap();
        let words =
            ["1.json", "more.json", "--format", "json", "--fail-on", "never", "--rules", rules.as_str()];
        compared(root.path(), &words).unwrap().1
    };
    let shipped = compared_by("single_run_noise: 5%, change_worth_telling: 1%");
    let (_, plain) = compared(root.path(), &["1.json", "more.json", "--format", "json"]).unwrap();
    assert_eq!(shipped, plain, "the shipped rules say so");
    let value: Value = serde_json::from_str(&shipped).unwrap();
    let parts = value["program"].as_array().unwrap();
    assert_eq!(parts.len(), 1, "{parts:?}");
    for moved in [
        "single_run_noise: 4%",
        "single_run_noise: 6%",
        "change_worth_telling: 0.8%",
        "change_worth_telling: 1.2%",
    ] {
        assert_ne!(compared_by(moved), shipped, "{moved}");
    }
}
