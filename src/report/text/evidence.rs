//! Everything the advice rests on, for whoever asks for it: the blocking point, the event loop, the facts with the
//! comparisons they took part in, and how the number of workers came about.

use std::time::Duration;

use super::lines::waits;
use super::page::{Paragraph, Text};
use crate::advice::{Evidence, Recommendation, Workers};
use crate::facts::{self, Origin, Unit, Value};
use crate::profile::{BlockingPoint, EventLoop};
use crate::report::Report;
use crate::units;

/// Columns of the longest name in a sentence.
const NAME: usize = 100;

pub(super) fn paragraphs(best: &Recommendation, report: &Report<'_>) -> Vec<Paragraph> {
    let profile = report.profile;
    let site = profile.blocking_points.first().map(blocking_point);
    let event_loop = profile.event_loop.map(looped);
    let mut paragraphs: Vec<Paragraph> =
        site.into_iter().chain(event_loop).map(|text| Text::plain(&text).into()).collect();
    let values: Vec<String> = best.because.iter().map(value).collect();
    let widest = values.iter().map(|value| value.chars().count()).max().unwrap_or(0).min(12);
    for (piece, value) in best.because.iter().zip(values) {
        let lead = Text::plain(&format!("{value:<widest$}  ")).unbroken();
        paragraphs.push(Paragraph { lead, body: Text::plain(&meaning(piece)) });
    }
    paragraphs.extend(best.workers.as_ref().and_then(number).map(|text| Text::plain(&text).into()));
    paragraphs
}

/// The costliest blocking point as the kernel knows it.
fn blocking_point(site: &BlockingPoint) -> String {
    let p95 = site.p95.map(|p95| format!(" (95 % under {})", units::seconds(p95.as_secs_f64())));
    let short = |name: &str| Text::plain(name).shortened(NAME, "…").to_string();
    let resource = site.resource.as_ref().map(|resource| format!(" on {}", short(resource)));
    let threads = (site.threads > 1).then(|| format!(", {} threads", site.threads));
    [
        waits(site.episodes, site.counted, false, site.wait),
        p95.unwrap_or_default(),
        format!(" in {}", short(&site.operation)),
        resource.unwrap_or_default(),
        threads.unwrap_or_default(),
    ]
    .concat()
}

/// What the event loop did with its time.
fn looped(event_loop: EventLoop) -> String {
    let time = |time: Duration| units::seconds(time.as_secs_f64());
    let connections =
        event_loop.connections.map(|most| format!("; {} watched at most", units::count(most, "connection")));
    format!(
        "event loop: {} waiting for events, {} blocked elsewhere, {} CPU{}",
        time(event_loop.waiting),
        time(event_loop.blocked),
        time(event_loop.cpu),
        connections.unwrap_or_default(),
    )
}

pub(super) fn value(piece: &Evidence) -> String {
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

/// What a fact means, where it comes from if it was not measured, and the comparison it took part in.
fn meaning(piece: &Evidence) -> String {
    let meaning = facts::spec(&piece.fact).map_or(piece.fact.as_str(), |spec| spec.meaning);
    let origin = match piece.origin {
        Origin::Measured | Origin::Machine => String::new(),
        // The vocabulary says "predicted" in the meaning of every predicted fact.
        Origin::Predicted if meaning.contains("predicted") => String::new(),
        Origin::Predicted | Origin::Assumed | Origin::Declared | Origin::Scanned => {
            format!(" ({})", piece.origin.name())
        }
    };
    let comparison =
        if piece.comparison.is_empty() { String::new() } else { format!(" [{}]", piece.comparison) };
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
    let count = units::count(workers.suggested.into(), "worker");
    (!reasons.is_empty()).then(|| format!("{count}: {}", reasons.join("; ")))
}

/// The facts of one origin, each with its value.
pub(super) fn said(stated: &[Evidence], origin: Origin) -> Vec<Paragraph> {
    let of_origin: Vec<&Evidence> = stated.iter().filter(|piece| piece.origin == origin).collect();
    let values: Vec<String> = of_origin.iter().map(|piece| value(piece)).collect();
    let widest = values.iter().map(|value| value.chars().count()).max().unwrap_or(0);
    let line = |(piece, value): (&&Evidence, String)| {
        let meaning = phrase(&piece.fact);
        let lead = Text::plain(&format!("{value:<widest$}  ")).unbroken();
        Paragraph { lead, body: Text::plain(meaning) }
    };
    of_origin.iter().zip(values).map(line).collect()
}

/// What a value is, in the words of whoever stated it; else in those of the vocabulary.
fn phrase(fact: &str) -> &str {
    match fact {
        "region.n" => "items",
        "wait.total" => "of waiting in each",
        "cpu.gil" => "of computing in each, under the interpreter lock",
        "cpu.native" => "of computing in each, outside an interpreter lock",
        "region.item_wall" => "for one item",
        "wait.share" => "of an item is waiting",
        "run.wall" => "for everything, one after another",
        "wall.network" => "of the time is waiting for the network",
        "work.kind" => "are what it works on",
        "runtime.lang" => "is the language",
        "host.p_eff" => "cores",
        "host.mem_budget" => "of memory",
        "limit.downstream" => "requests at once are what the other side takes",
        fact => facts::spec(fact).map_or(fact, |spec| spec.meaning),
    }
}
