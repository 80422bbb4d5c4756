//! Every format of one scan, kept as files under `fixtures/reports/scan/`; `BLESS=1` writes them anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::finding::{Confidence, Cost, Edit, Fix, Observation, Place};
use crate::wait::WaitKind;

const API: &str = "\
import asyncio, time
from shop.load import load

async def handler(request):
    data = load(request.url)
    time.sleep(0.1)
    return data
";
const LOAD: &str = "\
import requests

def load(url):
    größe = 1; return requests.get(url).json()  # naïve
";

fn place(path: &str, text: &str, what: &str) -> Place {
    let start = text.find(what).unwrap();
    let line = text[..start].matches('\n').count() as u32 + 1;
    let before = text[..start].rsplit('\n').next().unwrap();
    let column = before.chars().count() as u32 + 1;
    let width = what.chars().count() as u32;
    let bytes = (start as u32, (start + what.len()) as u32);
    Place { path: path.into(), line, column, end_line: line, end_column: column + width, bytes }
}

fn hop(place: Place, function: &str, callee: &str) -> Hop {
    Hop { place, function: function.into(), callee: callee.into() }
}

fn findings() -> Vec<Finding> {
    let get = place("shop/load.py", LOAD, "requests.get(url)");
    let call = place("shop/api %1.py", API, "load(request.url)");
    let sleep = place("shop/api %1.py", API, "time.sleep(0.1)");
    let seen = Observation {
        rule: "blocking-call-in-async",
        place: get.clone(),
        symbol: Arc::from("shop.load.load"),
        subject: Arc::from("requests.get"),
        chains: vec![
            vec![
                hop(call.clone(), "shop.api.handler", "shop.load.load"),
                hop(get, "shop.load.load", "requests.get"),
            ],
            vec![hop(call, "shop.api.other", "shop.load.load")],
        ],
        reached_from: 7,
        wait: Some(WaitKind::Network),
        cost: Some(Cost::Large),
        mitigations: Vec::new(),
        cause: Some(Arc::from("shop.load.load")),
        facts: Vec::new(),
        fix: None,
    };
    let finding = Finding {
        severity: Severity::Error,
        confidence: Confidence::High,
        message: "`requests.get` blocks the event loop in `shop.load.load`".into(),
        why: "nothing else of the program runs until it returns, and that may take as long as the other side likes".into(),
        cure: "await `httpx.AsyncClient.get` | or <run> it in a thread".into(),
        opportunity: false,
        fingerprint: "00112233445566778899aabbccddeeff".into(),
        seen,
    };
    let fix = Fix {
        title: "await asyncio.sleep".into(),
        edits: vec![Edit { bytes: sleep.bytes, text: "await asyncio.sleep(0.1)".into() }],
    };
    let seen = Observation {
        place: sleep,
        symbol: Arc::from("shop.api.handler"),
        subject: Arc::from("time.sleep"),
        chains: Vec::new(),
        reached_from: 1,
        cause: None,
        wait: Some(WaitKind::Sleep),
        fix: Some(fix),
        ..finding.seen.clone()
    };
    let sleep = Finding {
        severity: Severity::Warning,
        message: "`time.sleep` blocks the event loop in `shop.api.handler`".into(),
        cure: "await `asyncio.sleep`".into(),
        fingerprint: "ffeeddccbbaa99887766554433221100".into(),
        seen,
        ..finding.clone()
    };
    vec![sleep, finding]
}

fn with_report<T>(findings: &[Finding], notices: &[Notice], act: impl FnOnce(&ScanReport<'_>) -> T) -> T {
    let totals = Totals {
        files: 120,
        lines: 41_000,
        not_understood: notices.len() as u64,
        calls: 12_340,
        calls_resolved: 10_800,
        async_functions: 310,
        below_level: 14,
        suppressed: 2,
        known: 3,
        fixable: 1,
        failing: findings.len() as u64,
        base: None,
    };
    let text = |path: &str| match path {
        "shop/load.py" => Some(LOAD),
        "shop/api %1.py" => Some(API),
        _ => None,
    };
    let rules = SourceRules::default();
    let from_here = |path: &str| path.to_owned();
    act(&ScanReport {
        findings,
        notices,
        totals: &totals,
        rules: &rules,
        run: None,
        text: &text,
        quiet: false,
        from_here: &from_here,
    })
}

fn notices() -> Vec<Notice> {
    vec![Notice {
        kind: NoticeKind::NotUnderstood,
        path: "shop/old.py".into(),
        line: 3,
        column: 7,
        what: "expected an expression & \"more\"\u{1b}[31m".into(),
    }]
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/reports/scan").join(name)
}

#[test]
fn every_format_says_the_same_as_its_file() {
    for format in ScanFormat::all() {
        let shown = with_report(&findings(), &notices(), |report| render(report, format, &Style::PLAIN));
        assert!(!shown.contains('\u{1b}'), "{} lets a file steer the terminal", format.name());
        let file = golden(&format!("{}.{}", format.name(), extension(format)));
        if std::env::var_os("BLESS").is_some() {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, &shown).unwrap();
        }
        let kept = fs::read_to_string(&file).unwrap_or_default();
        assert!(kept == shown, "{}: run with BLESS=1 if this is right\n{shown}", file.display());
    }
}

fn extension(format: ScanFormat) -> &'static str {
    match format {
        ScanFormat::Json | ScanFormat::Sarif | ScanFormat::Gitlab => "json",
        ScanFormat::Junit => "xml",
        ScanFormat::Markdown => "md",
        ScanFormat::Text | ScanFormat::Concise | ScanFormat::Github => "txt",
    }
}

#[test]
fn nothing_found_is_said_in_every_format() {
    for format in ScanFormat::all() {
        let shown = with_report(&[], &[], |report| render(report, format, &Style::PLAIN));
        match format {
            ScanFormat::Gitlab => assert_eq!(shown, "[]\n"),
            ScanFormat::Json | ScanFormat::Sarif => {
                serde_json::from_str::<serde_json::Value>(&shown).unwrap();
            }
            _ => assert!(shown.contains("no findings in 120 files"), "{}: {shown}", format.name()),
        }
    }
}

#[test]
fn every_format_has_one_row_and_is_found_by_its_name() {
    for format in ScanFormat::all() {
        assert_eq!(ScanFormat::all().filter(|other| *other == format).count(), 1);
        assert_eq!(ScanFormat::from_name(format.name()), Some(format));
    }
    assert_eq!(ScanFormat::from_name("pdf"), None);
}

#[test]
fn github_shows_the_worst_ten_of_each_and_counts_the_rest() {
    let mut many = Vec::new();
    for number in 0..25 {
        let mut finding = findings().remove(1);
        finding.seen.cause = None;
        finding.severity = if number < 12 { Severity::Warning } else { Severity::Error };
        many.push(finding);
    }
    let shown = with_report(&many, &[], |report| render(report, ScanFormat::Github, &Style::PLAIN));
    assert_eq!(shown.matches("::error ").count(), 10);
    assert_eq!(shown.matches("::warning ").count(), 10);
    assert!(shown.contains("5 more are not annotated"), "{shown}");
    assert!(shown.find("::error ").unwrap() < shown.find("::warning ").unwrap());
}

#[test]
fn places_that_do_not_fit_the_text_do_no_harm() {
    let mut finding = findings().remove(1);
    for bytes in [(0, 0), (5, 5), (90_000, 90_010), (20, 4_000_000_000)] {
        finding.seen.place.bytes = bytes;
        for format in ScanFormat::all() {
            let shown = with_report(&[finding.clone()], &[], |report| render(report, format, &Style::PLAIN));
            assert!(!shown.is_empty());
        }
    }
}
