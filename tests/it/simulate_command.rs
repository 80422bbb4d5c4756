//! `boundby simulate` from the command line to its answer: the guide's worked figures, what it refuses, its properties.

use std::path::Path;

use boundby::cli::SimulateArgs;
use boundby::commands::simulate::answer;
use boundby::report::Style;
use clap::Parser;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use crate::schema::violations;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: SimulateArgs,
}

fn parse(words: &[&str]) -> Result<SimulateArgs, String> {
    let line = Line::try_parse_from(std::iter::once(&"simulate").chain(words));
    line.map(|line| line.args).map_err(|error| error.to_string())
}

/// The answer on a computer of two cores.
fn run(words: &[&str]) -> Result<Vec<u8>, String> {
    answer(&parse(words)?, || 2.0, &Style::PLAIN).map_err(|error| format!("{error:#}"))
}

fn json(words: &str) -> Result<Value, String> {
    let words: Vec<&str> = words.split_whitespace().chain(["--format", "json"]).collect();
    Ok(serde_json::from_slice(&run(&words)?).unwrap())
}

#[derive(Deserialize)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    #[serde(default)]
    #[expect(dead_code, reason = "for the reader of the file")]
    note: String,
    args: Option<String>,
    #[serde(default)]
    expect: toml::Table,
    scan: Option<String>,
    finding: Option<String>,
}

/// A value of the answer by its path; `threads@20` is a point of a model, `4x2` a pool.
fn find<'a>(answer: &'a Value, path: &str) -> Option<&'a Value> {
    let mut at = answer;
    for (depth, word) in path.split('.').enumerate() {
        at = match (depth, at.get(word)) {
            (_, Some(value)) => value,
            (0, None) => model(answer, word)?,
            (_, None) => at.get(word.parse::<usize>().ok()?)?,
        };
    }
    Some(at)
}

fn model<'a>(answer: &'a Value, name: &str) -> Option<&'a Value> {
    let (name, workers) =
        name.split_once('@').map_or((name, None), |(name, n)| (name, n.parse::<u64>().ok()));
    let pool = name.split_once('x').and_then(|(p, t)| Some((p.parse::<u64>().ok()?, t.parse::<u64>().ok()?)));
    let found = answer["models"].as_array()?.iter().find(|model| match pool {
        Some((p, t)) => model["pool"]["processes"] == p && model["pool"]["threads"] == t,
        None => model["strategy"] == name && model["pool"].is_null(),
    })?;
    match workers {
        Some(n) => found["points"].as_array()?.iter().find(|point| point["workers"] == n),
        None => Some(found),
    }
}

fn agrees(found: &Value, expected: &toml::Value) -> bool {
    let number = |value: &toml::Value| value.as_float().or(value.as_integer().map(|n| n as f64)).unwrap();
    let within = |about: f64, tolerance: f64| {
        found.as_f64().is_some_and(|found| (found - about).abs() <= tolerance * about)
    };
    match expected {
        toml::Value::String(text) if text == "null" => found.is_null(),
        toml::Value::String(text) => found == text,
        toml::Value::Table(table) => match (table.get("about"), table.get("between")) {
            (Some(about), _) => within(number(about), number(&table["tol"])),
            (None, Some(ends)) => {
                let ends = ends.as_array().unwrap();
                found.as_f64().is_some_and(|found| (number(&ends[0])..=number(&ends[1])).contains(&found))
            }
            _ => panic!("an expectation says about or between"),
        },
        plain => within(number(plain), 0.02),
    }
}

#[test]
fn the_worked_figures_of_the_guide_come_out() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/simulate/cases.toml");
    let cases: Cases = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut failures = Vec::new();
    for case in &cases.case {
        let Some(args) = &case.args else {
            // Hazards of the source scan: there is a fixture for the rule, which `source_rules` runs.
            let (scan, rule) = (case.scan.as_ref().unwrap(), case.finding.as_ref().unwrap());
            let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join(scan);
            assert!(fixture.is_dir() && scan.ends_with(rule.as_str()), "{}: {scan}", case.id);
            continue;
        };
        let answer = json(args).unwrap_or_else(|error| panic!("{}: {error}", case.id));
        for (path, expected) in &case.expect {
            let found = find(&answer, path);
            if !found.is_some_and(|found| agrees(found, expected)) {
                failures.push(format!("{}: {path} is {found:?}, expected {expected:?}", case.id));
            }
        }
    }
    assert!(failures.is_empty(), "\n{}\n", failures.join("\n"));
    for number in 1..=25 {
        let id = format!("A{number}");
        let known = cases.case.iter().any(|case| case.id == id || case.id.starts_with(&format!("{id}-")));
        assert!(known, "{id} is not in the file");
    }
}

#[test]
fn what_cannot_be_is_refused_with_what_to_type() {
    for (words, says) in [
        ("--wait 1s", "type --tasks"),
        ("--tasks 0 --wait 1s", "is nothing: type 1 or more"),
        ("--tasks -5 --wait 1s", "type a whole number"),
        ("--tasks 10", "type --wait or --cpu"),
        ("--tasks 10 --wait 0s --cpu 0s", "type --wait or --cpu"),
        ("--tasks 10 --wait -1s", "less than nothing"),
        ("--tasks 10 --wait soon", "is no duration"),
        ("--tasks 10 --wait 1s --cpus 0", "type a number above 0"),
        ("--tasks 10 --wait 1s --cpus nan", "type a number above 0"),
        ("--tasks 10 --wait 1s --cv -1", "from 0 to 10"),
        ("--tasks 10 --wait 1s --distribution fixed --cv 0.5", "contradict"),
        ("--tasks 10 --wait 1s --distribution exponential --cv 0.5", "contradict"),
        ("--tasks 3 --wait 1s,2s", "leave --tasks out"),
        ("--wait 1s,2s --cv 0.5", "leave --cv and --distribution out"),
        ("--tasks 10 --wait 1s --critical-section 2s", "longer than the whole task"),
        ("--tasks 10 --wait 1s --workers 8-2", "type 2-8"),
        ("--tasks 10 --wait 1s --workers 0", "no number of workers"),
        ("--tasks 10 --wait 1s --workers 8 --downstream-limit 4", "change one of them"),
        ("--tasks 10 --wait 1s --pool 4x2 --downstream-limit 4", "change one of them"),
        ("--tasks 10 --wait 1s --workers 99999999", "type fewer"),
        ("--tasks 10 --wait 1s --latency 2s", "--rate"),
        ("--rate 0 --wait 1s", "no rate"),
        ("--rate 10/s --wait 1s --latency 500ms", "type a longer --latency"),
        ("--rate 10/s --wait 1s --tasks 5", "cannot be used with"),
        ("--rate 10/s --wait 1s,2s", "takes one --wait"),
        ("--tasks 8 --stage 1s --wait 1s", "cannot be used with"),
        ("--tasks 8 --stage 0s", "no time at all"),
        ("--stage 1s", "type --tasks"),
        ("--tasks 8 --wait 1s --pool 4", "processes x threads"),
        ("--rate 10/s --wait 1s --format svg", "no curve"),
        ("--tasks 8 --wait 1s --language go --strategy hybrid", "leave --strategy out"),
    ] {
        let words: Vec<&str> = words.split_whitespace().collect();
        let Err(refused) = run(&words) else { panic!("{words:?} is answered") };
        assert!(refused.contains(says), "{words:?}: {refused}");
    }
}

#[test]
fn the_text_keeps_to_its_width_and_to_ascii() {
    for words in [
        "--tasks 1000 --wait 100ms --cpu 1ms --pool 4x2",
        "--tasks 8 --stage 300ms --stage 400ms",
        "--rate 200/s --wait 50ms --cpu 4ms --latency 100ms",
        "--tasks 1e9 --wait 1ms --cpu 10us --language rust",
    ] {
        for (width, unicode) in [(80, true), (80, false), (60, true)] {
            let style = Style { width, unicode, ..Style::PLAIN };
            let args = parse(&words.split_whitespace().collect::<Vec<_>>()).unwrap();
            let text = String::from_utf8(answer(&args, || 2.0, &style).unwrap()).unwrap();
            for line in text.lines() {
                assert!(line.chars().count() <= width, "{words} at {width}: {line}");
                assert!(unicode || line.is_ascii(), "{line}");
            }
            assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
        }
    }
}

#[test]
fn the_drawing_is_one_whole_file_without_anything_from_elsewhere() {
    let words = "--tasks 1000 --wait 100ms --cpu 1ms --format svg";
    let svg = String::from_utf8(run(&words.split_whitespace().collect::<Vec<_>>()).unwrap()).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && !svg.contains("NaN"), "{svg}");
    assert!(!svg.replace("http://www.w3.org/2000/svg", "").contains("http") && !svg.contains("script"));
}

#[test]
fn every_answer_follows_the_schema() {
    let schema: Value = serde_json::from_str(&boundby::report::json::simulation_schema()).unwrap();
    for words in [
        "--tasks 1000 --wait 100ms --cpu 1ms",
        "--tasks 100 --wait 20ms --cpu 5ms --cv 0.5 --payload 1MB --pool 4x2 --workers 1-8 --serial 1s",
        "--wait 0.8s,0.5s,0.3s --language rust --downstream-limit 2 --cpus 1.5",
        "--tasks 8 --stage 300ms --stage 400msx2 --stage 200ms",
        "--rate 200/s --wait 50ms --cpu 4ms --latency 100ms",
        "--rate 2000/s --wait 50ms --cpu 4ms",
        "--tasks 1 --wait 0 --cpu 0.001ms",
    ] {
        let answer = json(words).unwrap_or_else(|error| panic!("{words}: {error}"));
        let errors = violations(&schema, &schema, &answer, words);
        assert!(errors.is_empty(), "{errors:#?}");
    }
    let other = serde_json::json!({"schema": "boundby/simulation/2", "stated": {}});
    assert!(violations(&schema, &schema, &other, "other").len() > 2);
}

/// Work within the bounds of what people have.
fn work() -> impl Strategy<Value = (u64, u32, u32, u32, &'static str, Option<u64>)> {
    let language = prop::sample::select(vec!["python", "rust", "node"]);
    (1_u64..1000, 0_u32..200, 0_u32..200, 0_u32..50, language, prop::option::of(1_u64..40))
}

fn words(case: &(u64, u32, u32, u32, &'static str, Option<u64>), cpus: f64) -> Vec<String> {
    let (tasks, wait, cpu, outside, language, limit) = case;
    let mut words = vec![
        format!("--tasks={tasks}"),
        format!("--wait={}us", wait * 100 + 1),
        format!("--cpu={}us", cpu * 50),
        format!("--cpu-outside-lock={}us", outside * 100),
        format!("--language={language}"),
        format!("--cpus={cpus}"),
    ];
    words.extend(limit.map(|limit| format!("--downstream-limit={limit}")));
    words
}

fn answered(words: &[String]) -> Value {
    json(&words.join(" ")).unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn taking_cores_away_is_never_faster(case in work(), cores in 1_u32..16, fewer in 0.05_f64..1.0) {
        let case = (case.0, case.1, case.2, case.3, case.4, None);
        let on = |cores: f64| {
            let mut words = words(&case, cores);
            words.push("--workers=1,2,4,8,32".to_owned());
            answered(&words)
        };
        let (more, less) = (on(f64::from(cores)), on(f64::from(cores) * fewer));
        for model in more["models"].as_array().unwrap() {
            let name = model["strategy"].as_str().unwrap();
            for workers in [1, 2, 4, 8, 32] {
                let time = |answer: &Value| {
                    find(answer, &format!("{name}@{workers}.wall_s")).and_then(Value::as_f64)
                };
                if let (Some(with), Some(without)) = (time(&more), time(&less)) {
                    // Batches for fewer processes are larger and cost a little less to send.
                    let least = if name == "processes" { 0.97 } else { 1.0 - 1e-4 };
                    prop_assert!(without >= least * with, "{name} × {workers}: {without} on fewer, {with} on more");
                }
            }
        }
    }

    #[test]
    fn no_number_of_workers_exceeds_a_cap(case in work()) {
        let answer = answered(&words(&case, 2.0));
        for model in answer["models"].as_array().unwrap() {
            if model["stages"].is_null() {
                let workers = model["workers"].as_u64().unwrap();
                prop_assert!(workers <= case.0.max(1));
                prop_assert!(case.5.is_none_or(|limit| workers <= limit), "{model}");
            }
        }
    }

    #[test]
    fn the_order_of_flags_does_not_matter(case in work(), turn in 0_usize..7) {
        let one = words(&case, 2.0);
        let mut other = one.clone();
        other.rotate_left(turn % one.len());
        other.reverse();
        prop_assert_eq!(answered(&one), answered(&other));
    }
}
