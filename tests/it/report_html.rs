//! The report as a page and as Markdown: what is said, that it is whole, that it holds nothing foreign, that it fits.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use boundby::advice::{CurvePoint, Predicted};
use boundby::profile::{Profile, Timeline};
use boundby::report::{Format, Report, Style, render, render_all};
use boundby::wait::{Account, Book, WaitKind};

use crate::report_cases::{Case, all};
use crate::report_golden::check;

fn page(reports: &[Report<'_>]) -> String {
    String::from_utf8(render_all(reports, Format::Html, &Style::PLAIN)).unwrap()
}

/// The first program, with a timeline: it computes, then waits.
fn case() -> Case {
    let mut case = all().remove(0);
    let stretch = Duration::from_millis(620);
    let book = |account| {
        let mut book = Book::default();
        book[account] = 620_000_000;
        book
    };
    let mut books = vec![book(Account::Cpu); 2];
    books.extend(vec![book(Account::Wait(WaitKind::Network)); 18]);
    case.profile.timeline = Timeline { stretch, books };
    case
}

/// Elements that have no end.
const VOID: [&str; 2] = ["meta", "br"];

/// Checks that every element that begins ends, in order; gives their names.
fn elements(html: &str) -> Vec<String> {
    let (mut open, mut seen): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let (head, body) = html.split_once("<style>").unwrap();
    let (_, body) = body.split_once("</style>").unwrap();
    for part in [head, body] {
        for tag in part.split('<').skip(1) {
            let (tag, _) = tag.split_once('>').unwrap_or_else(|| panic!("no end of <{tag}"));
            if tag.starts_with('!') {
                continue;
            }
            let name: String =
                tag.trim_start_matches('/').chars().take_while(|c| c.is_alphanumeric()).collect();
            if tag.starts_with('/') {
                assert_eq!(open.pop(), Some(name), "</{tag}> in {html}");
            } else {
                seen.push(name.clone());
                if !tag.ends_with('/') && !VOID.contains(&name.as_str()) {
                    open.push(name);
                }
            }
        }
    }
    assert_eq!(open, Vec::<String>::new());
    seen
}

#[test]
fn the_first_program_reads_as_its_goldens() {
    let case = case();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/reports").join(case.name);
    let html = page(&[case.report()]);
    let body = &html[html.find("<body>").unwrap()..];
    check(&folder.join("body.html"), body.as_bytes());
    check(&folder.join("report.md"), &render(&case.report(), Format::Markdown, &Style::PLAIN));
}

#[test]
fn a_page_is_whole_and_asks_for_nothing_from_elsewhere() {
    let cases = all();
    let reports: Vec<Report<'_>> = cases.iter().map(Case::report).collect();
    let html = page(&reports);
    let elements = elements(&html);
    assert_eq!(elements.iter().filter(|name| *name == "article").count(), reports.len());
    for foreign in ["script", "img", "link", "iframe", "object"] {
        assert!(!elements.iter().any(|name| name == foreign), "{foreign}");
    }
    assert!(!html.contains("url(") && !html.contains("@import") && !html.contains("http"));
    for (number, case) in cases.iter().enumerate() {
        assert!(html.contains(&format!("href=\"#program-{}\"", number + 1)), "{}", case.name);
    }
}

#[test]
fn what_is_measured_stays_text() {
    let mut case = case();
    case.profile.command = vec!["sh".into(), "-c".into(), "</h1><script>alert(1)</script> & `x` |".into()];
    case.profile.blocking_points[0].resource = Some("\"><img src=x>".into());
    let html = page(&[case.report()]);
    assert!(!elements(&html).iter().any(|name| name == "script" || name == "img"));
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp;"));
    let empty = Profile::default();
    elements(&page(&[Report { profile: &empty, ..case.report() }]));
}

#[test]
fn the_timeline_shows_every_stretch() {
    let case = case();
    let html = page(&[case.report()]);
    assert_eq!(html.matches("<rect").count(), 20);
    assert_eq!(html.matches("fill=\"var(--cpu)\"").count(), 2);
    assert!(!page(&[all()[0].report()]).contains("<svg viewBox=\"0 0 960"), "nothing was kept");
}

#[test]
fn the_curve_shows_the_number_of_workers_and_its_interval() {
    let case = all().into_iter().find(|case| case.name == "network-python").unwrap();
    let mut advice = case.advice.clone();
    let best = &mut advice.recommendations[0];
    let predicted = best.predicted.unwrap();
    let chosen = best.workers.as_ref().unwrap().suggested;
    let point = |workers: u32, part: f64| CurvePoint {
        workers,
        predicted: Predicted {
            wall_s: predicted.wall_s / part,
            speedup: predicted.speedup * part,
            low: predicted.low * part,
            high: predicted.high * part,
        },
    };
    best.curve = vec![point(1, 0.1), point(chosen, 1.0), point(4 * chosen, 1.01)];
    let html = page(&[Report { advice: &advice, ..case.report() }]);
    elements(&html);
    assert_eq!(["<polyline", "<polygon", "<circle"].map(|one| html.matches(one).count()), [1, 1, 1]);
    assert!(html.contains(&format!("Marked: threads × {chosen}.")) && !html.contains("NaN"));
    assert!(!page(&[case.report()]).contains("<polyline"), "no curve was worked out");
}

/// A page in frames of several widths says how wide it really is.
#[test]
fn nothing_sticks_out_on_a_phone() {
    let Some(browser) = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| {
        Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    }) else {
        eprintln!("skipped: no Chromium is installed (apt install chromium)");
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let cases = all();
    let mut reports: Vec<Report<'_>> = cases.iter().map(Case::report).collect();
    let timed = case();
    reports.push(timed.report());
    std::fs::write(root.path().join("page.html"), page(&reports)).unwrap();
    let frames = "<!DOCTYPE html><body><script>\
        for (const width of [320, 390, 768, 1280]) {\
          const frame = document.createElement('iframe');\
          frame.width = width; frame.height = 800; frame.src = 'page.html';\
          frame.onload = () => {\
            const page = frame.contentDocument.documentElement;\
            const told = document.createElement('p');\
            told.textContent = `width ${width} fits ${page.scrollWidth <= page.clientWidth} programs ${page.querySelectorAll('article').length}.`;\
            document.body.append(told);\
          };\
          document.body.append(frame);\
        }</script></body>";
    std::fs::write(root.path().join("frames.html"), frames).unwrap();
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"])
        .args(["--virtual-time-budget=10000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", root.path().join("data").display()))
        .arg(format!("file://{}", root.path().join("frames.html").display()))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    for width in [320, 390, 768, 1280] {
        let fits = format!("width {width} fits true programs {}.", reports.len());
        assert!(told.contains(&fits), "{fits}\n{told}\n{}", String::from_utf8_lossy(&output.stderr));
    }
}
