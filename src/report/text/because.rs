//! Why: the waits and the work items in words, then the facts the rules compared, then the number of workers.

use std::time::Duration;

use super::page::{NO_BREAK, Paragraph, Role, Text};
use crate::advice::{Evidence, Recommendation, Workers};
use crate::facts::{self, Origin, Unit, Value};
use crate::profile::{EventLoop, Items, Site};
use crate::report::Report;
use crate::units;
use crate::wait::WaitKind;

/// Columns of the longest name in a sentence.
const NAME: usize = 100;

/// Facts that the sentence about the items already says.
const SAID_OF_ITEMS: [&str; 11] = [
    "region.n",
    "region.lanes",
    "region.share",
    "wait.total",
    "wait.net",
    "wait.disk",
    "wait.sleep",
    "wait.pipe",
    "wait.lock",
    "cpu.gil",
    "cpu.native",
];

/// The paragraphs of the section; none where there is nothing to say.
pub(super) fn because(best: &Recommendation, report: &Report<'_>, verbose: bool) -> Vec<Paragraph> {
    let Report { profile, advice, .. } = *report;
    let mut paragraphs: Vec<Paragraph> = Vec::new();
    let items = profile.items.as_ref().filter(|items| items.count > 1);
    // A wait is a reason only where that kind of waiting is the verdict.
    let bound_by = advice.verdict.bound_by.as_str();
    let binds = |site: &&Site| bound_by == "mixed" || site.kind.name() == bound_by;
    if let Some(site) = profile.sites.iter().find(binds).filter(|site| site.kind != WaitKind::Idle) {
        paragraphs.push(Text::plain(&waits(site)).into());
    }
    if let Some(items) = items {
        paragraphs.push(repeated(items, profile.runtime.gil == Some(true)).into());
    }
    paragraphs.extend(profile.event_loop.map(|event_loop| Text::plain(&looped(event_loop)).into()));
    let already_said = |piece: &Evidence| {
        let fact = piece.fact.as_str();
        let of_items = items.is_some() && SAID_OF_ITEMS.contains(&fact);
        of_items || (best.predicted.is_some() && fact.starts_with("pred."))
    };
    let mut pieces: Vec<&Evidence> = Vec::new();
    for piece in best.because.iter().filter(|piece| verbose || !already_said(piece)) {
        // A fact that took part in several comparisons is one fact to the reader.
        if verbose || !pieces.iter().any(|other| other.fact == piece.fact) {
            pieces.push(piece);
        }
    }
    let values: Vec<String> = pieces.iter().map(|piece| value(piece)).collect();
    let widest = values.iter().map(|value| value.chars().count()).max().unwrap_or(0).min(12);
    for (piece, value) in pieces.into_iter().zip(values) {
        let lead = Text::plain(&format!("{value:<widest$}  ")).unbroken();
        paragraphs.push(Paragraph { lead, body: Text::plain(&meaning(piece, verbose)) });
    }
    paragraphs.extend(best.workers.as_ref().and_then(number).map(|text| Text::plain(&text).into()));
    if !best.rule.is_empty() {
        paragraphs.push(Text::new(Role::Faint, &format!("rule {}", best.rule)).into());
    }
    paragraphs
}

/// The costliest blocking point in words.
fn waits(site: &Site) -> String {
    let about = if site.counted { "" } else { "about " };
    let mean = site.wait.as_secs_f64() / site.episodes as f64;
    let mean = (site.episodes > 0).then(|| format!(" of {}", nb(&units::seconds(mean))));
    let p95 =
        site.p95.map(|p95| format!(" ({} under {})", nb("95 %"), nb(&units::seconds(p95.as_secs_f64()))));
    let short = |name: &str| Text::plain(name).shortened(NAME, "…").to_string();
    let resource = site.resource.as_ref().map(|resource| format!(" on {}", short(resource)));
    let threads = (site.threads > 1).then(|| format!(", {} threads", site.threads));
    [
        format!("{about}{}", units::count(site.episodes, "wait")),
        mean.unwrap_or_default(),
        p95.unwrap_or_default(),
        format!(" in {}", short(&site.operation)),
        resource.unwrap_or_default(),
        threads.unwrap_or_default(),
    ]
    .concat()
}

/// The work items in words: how many, how they run today, what each of them takes.
fn repeated(items: &Items, locked: bool) -> Text {
    let how =
        if items.lanes > 1 { format!("{} at a time", items.lanes) } else { "one after another".to_owned() };
    let takes = |time: Duration, what: &str| {
        (time.as_nanos() > 0).then(|| format!("{} {what}", nb(&units::seconds(time.as_secs_f64()))))
    };
    let mut parts: Vec<String> =
        items.wait.iter().filter_map(|(kind, wait)| takes(*wait, wait_of(*kind))).collect();
    if locked {
        parts.extend(takes(items.cpu_gil, "CPU holding the GIL"));
        parts.extend(takes(items.cpu_native, "CPU outside it"));
    } else {
        parts.extend(takes(items.cpu_gil + items.cpu_native, "CPU"));
    }
    let each = if parts.is_empty() { String::new() } else { format!("; each is {}", parts.join(" + ")) };
    let share = format!("{} of the wall time", nb(&units::percent(items.share)));
    Text::plain(&format!("{} {how}, {share}{each}", units::count(items.count, "item")))
}

/// What the event loop did with its time.
fn looped(event_loop: EventLoop) -> String {
    let time = |time: Duration| nb(&units::seconds(time.as_secs_f64()));
    let connections =
        event_loop.connections.map(|most| format!("; {} watched at most", units::count(most, "descriptor")));
    format!(
        "event loop: {} waiting for events, {} blocked elsewhere, {} CPU{}",
        time(event_loop.waiting),
        time(event_loop.blocked),
        time(event_loop.cpu),
        connections.unwrap_or_default(),
    )
}

fn wait_of(kind: WaitKind) -> &'static str {
    match kind {
        WaitKind::Gil => "queueing for the GIL",
        WaitKind::Network => "waiting for the network",
        WaitKind::Disk => "waiting for files",
        WaitKind::Pipe => "waiting for a pipe",
        WaitKind::Lock => "waiting for a lock",
        WaitKind::Sleep => "sleeping",
        WaitKind::Child => "waiting for a child process",
        WaitKind::Paging => "paging",
        WaitKind::Tty => "waiting for the terminal",
        WaitKind::Idle => "idle",
    }
}

fn nb(text: &str) -> String {
    text.replace(' ', &NO_BREAK.to_string())
}

fn value(piece: &Evidence) -> String {
    match (&piece.value, piece.unit) {
        (Value::Bool(truth), _) => if *truth { "yes" } else { "no" }.to_owned(),
        (Value::Text(word), _) => word.clone(),
        (Value::Number(number), Some(Unit::Ratio)) => units::percent(*number),
        (Value::Number(number), Some(Unit::Seconds)) => units::seconds(*number),
        (Value::Number(number), Some(Unit::Bytes)) => units::bytes(*number),
        (Value::Number(number), Some(Unit::Rate)) => format!("{}/s", units::plain(*number)),
        (Value::Number(number), Some(Unit::Count) | None) => units::plain(*number),
    }
}

/// What a fact means, where it comes from if it was not measured, and the comparison where all is asked for.
fn meaning(piece: &Evidence, verbose: bool) -> String {
    let meaning = facts::spec(&piece.fact).map_or(piece.fact.as_str(), |spec| spec.meaning);
    let origin = match piece.origin {
        Origin::Measured | Origin::Machine => String::new(),
        // The vocabulary says "predicted" in the meaning of every predicted fact.
        Origin::Predicted if meaning.contains("predicted") => String::new(),
        Origin::Predicted | Origin::Assumed | Origin::Declared => format!(" ({})", piece.origin.name()),
    };
    let asked = verbose && !piece.comparison.is_empty();
    let comparison = if asked { format!(" [{}]", piece.comparison) } else { String::new() };
    format!("{meaning}{origin}{comparison}")
}

/// How the number of workers came about.
fn number(workers: &Workers) -> Option<String> {
    let mut reasons = Vec::new();
    if !workers.formula.is_empty() {
        reasons.push(workers.formula.clone());
    }
    if workers.low < workers.high {
        reasons.push(format!("{} to {} do about as well", workers.low, workers.high));
    }
    if !workers.binding_cap.is_empty() {
        reasons.push(format!("limited by {}", workers.binding_cap));
    }
    let count = nb(&units::count(workers.suggested.into(), "worker"));
    (!reasons.is_empty()).then(|| format!("{count}: {}", reasons.join("; ")))
}
