//! `boundby decide` from the command line to its answer: what it says, what it refuses, how sure it dares to be.

use std::fs;

use boundby::cli::DecideArgs;
use boundby::commands::decide::answer;
use boundby::machine::Machine;
use boundby::report::Style;
use clap::Parser;
use proptest::prelude::*;
use serde_json::Value;

use crate::schema::violations;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: DecideArgs,
}

fn machine() -> Machine {
    Machine {
        cpus_logical: 4,
        effective: 4.0,
        memory_available: Some(8 << 30),
        max_open_files: Some(20_000),
        ..Machine::default()
    }
}

fn run(words: &[&str], style: &Style) -> Result<Vec<u8>, String> {
    let line = Line::try_parse_from(std::iter::once(&"decide").chain(words)).map_err(|e| e.to_string())?;
    answer(&line.args, &machine(), style).map_err(|error| format!("{error:#}"))
}

fn json(words: &str) -> Value {
    let words: Vec<&str> = words.split_whitespace().chain(["--format", "json"]).collect();
    serde_json::from_slice(&run(&words, &Style::PLAIN).unwrap_or_else(|e| panic!("{words:?}: {e}"))).unwrap()
}

fn text(words: &str) -> String {
    let words: Vec<&str> = words.split_whitespace().collect();
    String::from_utf8(run(&words, &Style::PLAIN).unwrap()).unwrap()
}

/// Strategy, action and number of workers of the advice.
fn first(answer: &Value) -> (String, String, Option<u64>) {
    let one = &answer["recommendations"][0];
    let word = |name: &str| one[name].as_str().unwrap().to_owned();
    (word("strategy"), word("action"), one["workers"].as_u64())
}

#[test]
fn the_guides_questions_get_their_answers() {
    for (words, strategy, action) in [
        // S2:1328: a thousand images of half a second compute.
        ("--items 1000 --cpu 500ms --wait 0 --language python", "processes", "adopt"),
        ("--items 1000 --duration 500s --bound cpu --language python", "processes", "adopt"),
        // Outside the interpreter lock threads do as well, without copying.
        ("--items 1000 --cpu 0 --cpu-outside-lock 500ms --wait 0 --language python", "threads", "adopt"),
        ("--items 1000 --cpu 500ms --wait 0 --language rust", "threads", "adopt"),
        ("--items 50 --wait 1s --cpu 5ms --bound network --language python", "threads", "adopt"),
        ("--items 20 --wait 1s --language go", "threads", "adopt"),
        // S2:1124: too little work.
        ("--items 10 --cpu 9us --wait 0 --language python", "sequential", "keep"),
        ("--items 1 --wait 10s --cpu 1ms --language python", "sequential", "keep"),
        ("--items 100 --wait 1s --cpu 1ms --language python --dependent", "sequential", "keep"),
        // S0:411, S4:147.
        ("--connections 10000 --language python", "async", "adopt"),
        ("--items 100000 --wait 1s --cpu 10us --bound network --language python", "async", "adopt"),
        ("--items 200 --wait 50ms --cpu 0.1ms --bound disk --language python", "threads", "adopt"),
        // S0:412.
        ("--background --language python", "threads", "adopt"),
        // A pause is a decision.
        ("--items 100 --wait 1s --cpu 1ms --bound sleep --language python", "sequential", "wait_for_event"),
        ("--rate 200/s --wait 50ms --cpu 4ms --language python", "processes", "adopt"),
        ("--rate 200/s --wait 50ms --cpu 4ms --language rust", "threads", "adopt"),
        ("", "sequential", "inconclusive"),
        ("--language python", "sequential", "inconclusive"),
        ("--items 1000 --language python", "sequential", "inconclusive"),
        ("--rate 200/s --language python", "sequential", "inconclusive"),
    ] {
        let answer = json(words);
        let (found, did, _) = first(&answer);
        assert_eq!((found.as_str(), did.as_str()), (strategy, action), "{words}: {answer:#}");
        for one in answer["recommendations"].as_array().unwrap() {
            assert_ne!(one["confidence"], "high", "{words}");
        }
        assert_ne!(answer["verdict"]["confidence"], "high", "{words}");
    }
}

#[test]
fn several_computers_are_for_what_one_cannot_do() {
    let far = "--items 1000000 --cpu 50ms --wait 0 --language python --deadline 10min";
    let cluster = |answer: &Value| {
        let one = &answer["recommendations"][0];
        (one["strategy"].as_str().unwrap().to_owned(), one["engine"].clone(), one["nodes"].as_u64())
    };
    let (strategy, engine, nodes) = cluster(&json(far));
    assert_eq!((strategy.as_str(), engine), ("distributed", "ray".into()));
    // n*c / (P * 0.7 * 0.8 * T): 50,000 s of computing on four cores in 590 s.
    assert!((37..=39).contains(&nodes.unwrap()), "{nodes:?}");
    let task = json(far)["recommendations"][0]["task_s"].as_f64().unwrap();
    assert!((100.0..180.0).contains(&task), "{task}");

    let few = format!("{far} --machines 10");
    assert_eq!(first(&json(&few)).0, "processes");
    assert!(text(&few).contains("computers, 10 may be used"), "{}", text(&few));
    let easy = "--items 1000 --cpu 50ms --wait 0 --language python --deadline 10min";
    assert_eq!(first(&json(easy)).0, "processes");

    let tables = "--items 1e6 --cpu 50ms --wait 0 --language python --work tables";
    for (words, engine) in [
        (format!("{tables} --deadline 1h --data-size 10GB --machines 40"), "dask"),
        (format!("{tables} --deadline 10min --data-size 2TiB --machines 900"), "spark"),
        (format!("{far} --work stream"), "flink"),
        (format!("{far} --work jobs"), "task queue"),
        (format!("{far} --work arrays"), "ray"),
        (far.replace("python", "rust"), "queue of workers"),
    ] {
        let answer = json(&words);
        assert_eq!(cluster(&answer).1, engine, "{words}: {:#}", answer["recommendations"][0]);
        let said = answer["recommendations"][0]["caveats"].to_string();
        assert!(said.contains(&format!("{engine}: ")) && said.contains("not "), "{words}: {said}");
    }
    // More computers do not help where the other side sets the pace.
    let limited = "--items 100000 --wait 1s --cpu 1ms --bound network --language python --deadline 1min \
                   --downstream-limit 10";
    assert_ne!(first(&json(limited)).0, "distributed");
}

/// The largest number of requests that a piece of advice has in flight at once.
fn at_once(one: &Value) -> u64 {
    let number = |name: &str| one[name].as_u64().unwrap_or(1);
    match one["stages"].as_array().and_then(|stages| stages.first()) {
        Some(waiting) => waiting["workers"].as_u64().unwrap(),
        None => number("workers") * number("nodes"),
    }
}

#[test]
fn the_limit_of_the_other_side_holds_whatever_is_waited_for() {
    let work = "--items 5 --wait 12ms --cpu 8ms --language python --downstream-limit 1";
    for bound in ["disk", "network", "io", "pipe", "child", "sleep", "mixed"] {
        let answer = json(&format!("{work} --bound {bound}"));
        for one in answer["recommendations"].as_array().unwrap() {
            assert!(at_once(one) <= 1, "{bound}: {one:#}");
        }
    }
    // Several computers ask the same other side; what misses the deadline says so.
    let far = "--items 1e6 --wait 50ms --cpu 20ms --language python --deadline 10min --downstream-limit 20";
    let answer = json(far);
    assert!(answer["recommendations"].as_array().unwrap().iter().all(|one| at_once(one) <= 20), "{answer:#}");
    assert!(text(far).contains("misses the deadline"), "{}", text(far));
    // What waits for nobody asks nobody.
    assert_eq!(
        first(&json("--items 1000 --wait 0 --cpu 50ms --language python --downstream-limit 1")).2,
        Some(4)
    );
}

#[test]
fn a_server_keeps_to_the_limit_of_the_other_side_or_says_that_it_cannot() {
    let said = text("--rate 20/s --wait 50ms --cpu 9ms --language python --downstream-limit 2");
    assert!(
        said.contains("gunicorn -w 1 --threads 2") || said.contains("gunicorn -w 2 --threads 1"),
        "{said}"
    );
    for (words, says) in [
        (
            "--rate 200/s --wait 50ms --cpu 9ms --language python --downstream-limit 5",
            "answers 100 requests/s at most",
        ),
        ("--rate 19/s --wait 50ms --cpu 9ms --language python --downstream-limit 1", "at most"),
        ("--rate 17/s --wait 50ms --cpu 9ms --language python --downstream-limit 1", "grows without end"),
    ] {
        let said = text(words).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(says), "{words}: {said}");
    }
}

#[test]
fn a_server_gets_its_settings_as_lines_to_type() {
    for (words, strategy, lines) in [
        (
            "--rate 200/s --wait 50ms --cpu 4ms --latency 200ms --language python",
            "processes",
            ["gunicorn --workers 2 --threads 8 --worker-class gthread", "workers = 2\nthreads = 8\n"],
        ),
        // Little: 500/s, each 0.6 s, are 300 in flight, 390 with room to spare.
        (
            "--rate 500/s --wait 600ms --cpu 2ms --language python",
            "async",
            [
                "uvicorn app:app --workers 2 --limit-concurrency 392",
                "--worker-class uvicorn_worker.UvicornWorker",
            ],
        ),
    ] {
        let answer = json(words);
        let one = &answer["recommendations"][0];
        assert_eq!(one["strategy"], strategy, "{words}: {one:#}");
        assert!(one["construct"].as_str().unwrap().starts_with(lines[0]), "{one:#}");
        assert!(one["snippet"].as_str().unwrap().contains(lines[1]), "{one:#}");
        assert!(text(words).contains(lines[0]), "{}", text(words));
    }
    // More than threads are good for, but the other side takes no more either.
    let narrow = json("--rate 500/s --wait 600ms --cpu 2ms --language python --downstream-limit 360");
    assert_ne!(first(&narrow).0, "async", "{narrow:#}");
}

#[test]
fn words_alone_give_the_guides_answers_and_what_measuring_would_say() {
    let of = |task: &str, more: &[&str]| -> Value {
        let words: Vec<&str> = ["--task", task, "--from-description", "--format", "json"]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        serde_json::from_slice(&run(&words, &Style::PLAIN).unwrap()).unwrap()
    };
    let download = of("Download 100 web pages and save to files", &[]);
    assert_eq!((&download["helper"], &download["words_for_waiting"]), (&"threads".into(), &3.into()));
    let csv = of("Process 10GB CSV file", &["--duration", "60s", "--data-size", "10GB"]);
    assert_eq!(csv["approach"], "threads_first");
    assert!(csv["instead"][0].as_str().unwrap().contains("Dask"));
    assert_eq!(of("Quick database lookup", &["--duration", "50ms"])["approach"], "sequential");
    assert!(run(&["--from-description"], &Style::PLAIN).unwrap_err().contains("--task"));
}

#[test]
fn what_cannot_be_is_refused_with_what_to_type() {
    for (words, says) in [
        ("--items 0", "is nothing: type 1 or more"),
        ("--wait -1s --items 5", "less than nothing"),
        ("--wait 0 --cpu 0 --items 5", "type --wait or --cpu"),
        ("--items 10 --wait 1s --cpu 0 --duration 1h", "leave one of them out"),
        ("--bound cpu --wait 1s --items 5", "contradict"),
        ("--bound network --wait 0 --cpu 1s --items 5", "contradict"),
        ("--rate 10/s --wait 1s --latency 100ms", "type a longer --latency"),
        ("--latency 100ms", "--rate"),
        ("--concurrency 100 --downstream-limit 10", "change one of them"),
        ("--deadline 0s", "no time at all"),
        ("--machines 0", "type 1 or more"),
        ("--bound magic", "possible values"),
    ] {
        let words: Vec<&str> = words.split_whitespace().collect();
        let Err(refused) = run(&words, &Style::PLAIN) else { panic!("{words:?} is answered") };
        assert!(refused.contains(says), "{words:?}: {refused}");
    }
}

#[test]
fn a_billion_items_are_answered() {
    let (strategy, _, workers) =
        first(&json("--items 1e9 --wait 1ms --cpu 10us --language rust --bound network"));
    assert!(strategy != "sequential" && workers.unwrap() > 10);
}

#[test]
fn the_text_keeps_to_its_width_and_names_the_measurement() {
    for words in [
        "--items 1000 --wait 100ms --cpu 1ms --language python",
        "--rate 200/s --wait 50ms --cpu 4ms --latency 100ms --language python",
        "--items 1000000 --cpu 50ms --wait 0 --language python --deadline 10min",
        "",
    ] {
        for (width, unicode) in [(80, true), (60, true), (80, false)] {
            let style = Style { width, unicode, ..Style::PLAIN };
            let words: Vec<&str> = words.split_whitespace().collect();
            let text = String::from_utf8(run(&words, &style).unwrap()).unwrap();
            assert!(text.contains("boundby profile -- CMD"), "{text}");
            for line in text.lines() {
                assert!(line.chars().count() <= width, "{words:?} at {width}: {line}");
                assert!(unicode || line.is_ascii(), "{line}");
            }
        }
    }
}

#[test]
fn a_decision_follows_the_schema_of_reports() {
    let schema: Value = serde_json::from_str(&boundby::report::json::schema()).unwrap();
    for words in [
        "--items 1000 --wait 100ms --cpu 1ms --language python",
        "--items 1000000 --cpu 50ms --wait 0 --language python --deadline 10min",
        "",
    ] {
        let errors = violations(&schema, &schema, &json(words), words);
        assert!(errors.is_empty(), "{errors:#?}");
    }
}

#[test]
fn a_decision_is_no_profile_and_says_so_when_it_is_read_as_one() {
    let bytes = run(&["--items", "10", "--wait", "1s", "--format", "json"], &Style::PLAIN).unwrap();
    let refused = boundby::report::json::from_json(&bytes).unwrap_err().to_string();
    assert!(refused.contains("only stated") && refused.contains("profile the program"), "{refused}");
}

/// How sure a decision is: 0 low, 1 medium.
fn sure(words: &[String]) -> usize {
    let answer = json(&words.join(" "));
    let one = &answer["recommendations"][0];
    ["low", "medium"].iter().position(|level| one["confidence"] == *level).expect("never high")
}

fn statements() -> impl Strategy<Value = Vec<String>> {
    let language = prop::sample::select(vec!["python", "rust", "node", "ruby"]);
    let bound = prop::sample::select(vec!["network", "disk", "io", "pipe", "child", "sleep", "mixed"]);
    (1_u64..5000, 1_u32..500, 0_u32..500, language, bound, 1_u64..200).prop_map(
        |(items, wait, cpu, language, bound, limit)| {
            vec![
                format!("--items={items}"),
                format!("--wait={wait}ms"),
                format!("--cpu={}us", cpu * 100),
                format!("--language={language}"),
                format!("--bound={bound}"),
                format!("--downstream-limit={limit}"),
            ]
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn what_is_left_out_never_makes_it_surer(words in statements(), out in 0_usize..6) {
        let mut fewer = words.clone();
        let left_out = fewer.remove(out);
        prop_assert!(sure(&fewer) <= sure(&words), "without {left_out}: {words:?}");
    }

    #[test]
    fn the_order_of_flags_does_not_matter(words in statements(), turn in 0_usize..6) {
        let mut other = words.clone();
        other.rotate_left(turn);
        prop_assert_eq!(json(&words.join(" ")), json(&other.join(" ")));
    }

    #[test]
    fn taking_cores_away_is_never_faster(words in statements(), cores in 1_u32..16, fewer in 0.1_f64..1.0) {
        let on = |cores: f64| json(&format!("{} --cpus={cores}", words[..5].join(" ")));
        let (more, less) = (on(f64::from(cores)), on(f64::from(cores) * fewer));
        let time = |answer: &Value, strategy: &Value| {
            let all = answer["recommendations"].as_array().unwrap();
            let one = all.iter().find(|one| one["strategy"] == *strategy)?;
            one["predicted"]["wall_s"].as_f64()
        };
        for one in more["recommendations"].as_array().unwrap() {
            let strategy = &one["strategy"];
            if let (Some(with), Some(without)) = (time(&more, strategy), time(&less, strategy)) {
                // The number of workers is the smallest that comes within 5 % of the best.
                prop_assert!(without >= 0.92 * with, "{strategy}: {without} on fewer, {with} on more");
            }
        }
    }

    #[test]
    fn no_number_of_workers_exceeds_what_the_other_side_takes(words in statements()) {
        let limit: u64 = words[5].rsplit('=').next().unwrap().parse().unwrap();
        let answer = json(&words.join(" "));
        for one in answer["recommendations"].as_array().unwrap() {
            prop_assert!(at_once(one) <= limit, "{one:#}");
        }
    }
}

/// What is assumed of work where only a word is said of it, and a word that leads to it; nothing of nothing stays nothing.
const ASSUMED_SHARES: [(&str, &str, f64); 3] =
    [("stated_waits", "network", 0.9), ("stated_computes", "cpu", 0.0), ("stated_mixed", "mixed", 0.5)];

#[test]
fn what_a_word_stands_for_is_in_the_rules() {
    let folder = tempfile::tempdir().unwrap();
    let overlay = folder.path().display();
    for (name, bound, share) in ASSUMED_SHARES {
        let waits = |share: f64, more: &str| {
            fs::write(
                folder.path().join("overlay.yaml"),
                format!("constants: {{{name}: {}%}}\n", 100.0 * share),
            )
            .unwrap();
            let words = format!("--items 100 --duration 100s --bound {bound} --language python{more}");
            let stated = json(&words)["stated"].as_array().unwrap().clone();
            let found = stated.iter().find(|piece| piece["fact"] == "wait.share");
            found.unwrap_or_else(|| panic!("{name}: {stated:?}"))["value"].as_f64().unwrap()
        };
        let shipped = waits(share, "");
        assert!((shipped - share).abs() < 1e-9, "{name}: {shipped}");
        for factor in [0.8, 1.1] {
            let moved = waits(factor * share, &format!(" --rules {overlay}"));
            assert!((moved - factor * share).abs() < 1e-9, "{name} × {factor}: {moved}");
        }
    }
}
