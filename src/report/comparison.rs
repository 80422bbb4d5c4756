//! Two versions of a program side by side: for people, for programs, for a comment.

use serde_json::{Value, json};

use super::Style;
use super::markdown;
use super::text::advice::{named, range};
use super::text::book::name_of;
use super::text::page::{Page, Paragraph, Role, Text};
use crate::compare::{Change, Comparison, Direction, Part, Place};
use crate::units;
use crate::wait::Account;

const SCHEMA: &str = "boundby/compare/1";
/// Lines of each kind.
const SHOWN: usize = 8;

/// For people.
#[must_use]
pub fn to_text(comparison: &Comparison, style: &Style) -> String {
    fill(comparison, style).finish()
}

/// For a comment or a summary.
#[must_use]
pub fn to_markdown(comparison: &Comparison) -> String {
    let mut out = format!("## {}\n\n", said(&comparison.wall));
    markdown::sections(&mut out, &fill(comparison, &Style::PLAIN).into_blocks());
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn fill<'s>(comparison: &Comparison, style: &'s Style) -> Page<'s> {
    let mut page = Page::new(style);
    let (before, after) = comparison.runs;
    let runs =
        format!("{} before, {} after", units::count(before as u64, "run"), units::grouped(after as u64));
    page.section(
        "Wall time",
        [Text::new(Role::Strong, &said(&comparison.wall)).into(), Text::new(Role::Faint, &runs).into()],
    );
    page.section("CPU time", [Text::plain(&said(&comparison.cpu)).into()]);
    let (was, is) = &comparison.bound_by;
    let bound = if comparison.bound_changed() {
        Text::new(Role::Strong, &format!("{was} → {is}"))
    } else {
        Text::plain(&format!("{is}, as before"))
    };
    page.section("Bound by", [bound.into()]);
    page.section("Predicted", predicted(comparison));
    page.blank();
    page.section("Program", changes(&comparison.wall_book, |account| name_of(*account).to_owned()));
    page.section("Threads", changes(&comparison.thread_book, |account| name_of(*account).to_owned()));
    page.section("Where", changes(&comparison.places, place));
    page.section("Careful", comparison.caveats.iter().map(|caveat| Text::plain(caveat).into()));
    page
}

/// `2.9× faster (2.7–3.1×), 12.4 s → 4.28 s`.
fn said(change: &Change) -> String {
    let times = format!("{} → {}", units::seconds(change.before), units::seconds(change.after));
    let (low, high) = (change.low, change.high);
    match change.direction() {
        Direction::Faster => {
            format!("{} faster ({}), {times}", units::factor(change.speedup), units::factors(low, high))
        }
        Direction::Slower => {
            let slower = units::factor(1.0 / change.speedup);
            format!("{slower} slower ({}), {times}", units::factors(1.0 / high, 1.0 / low))
        }
        Direction::Same => {
            let noise = units::percent((high - 1.0).max(1.0 / low - 1.0));
            format!("no difference beyond noise of {noise}, {times}")
        }
    }
}

/// What was advised before, and whether it came true.
fn predicted(comparison: &Comparison) -> Option<Paragraph> {
    let achieved = comparison.achieved.as_ref()?;
    let reached = units::factor(comparison.wall.speedup);
    let outcome = if comparison.came_true()? {
        Text::plain(&format!("it is {reached}, as predicted"))
    } else if comparison.wall.speedup < achieved.predicted.low {
        Text::new(Role::Warning, &format!("it is {reached}: not reached, or not done"))
    } else {
        Text::plain(&format!("it is {reached}: better than predicted"))
    };
    let advised = named(&achieved.advised);
    let factor = units::factor(achieved.predicted.speedup);
    let text = format!("{advised}: {factor} ({}); ", range(achieved.predicted));
    Some(Text::plain(&text).append(outcome).into())
}

fn changes<K>(parts: &[Part<K>], name: impl Fn(&K) -> String) -> Vec<Paragraph> {
    let signed = |part: &Part<K>| {
        let change = part.after - part.before;
        format!("{}{}", if change < 0.0 { "−" } else { "+" }, units::seconds(change.abs()))
    };
    let shown = &parts[..parts.len().min(SHOWN)];
    let width = shown.iter().map(|part| signed(part).chars().count()).max().unwrap_or(0);
    let mut rows: Vec<Paragraph> = shown
        .iter()
        .map(|part| {
            let role = if part.after < part.before { Role::Busy } else { Role::Waiting };
            let lead = Text::new(role, &format!("{:>width$}  ", signed(part))).unbroken();
            let times = format!(": {} → {}", units::seconds(part.before), units::seconds(part.after));
            Paragraph { lead, body: Text::new(Role::Strong, &name(&part.key)).and(Role::Plain, &times) }
        })
        .collect();
    if parts.len() > shown.len() {
        let rest = format!("{} smaller changes", parts.len() - shown.len());
        rows.push(Text::new(Role::Faint, &rest).into());
    }
    rows
}

/// `network in fetch_row of jobs/etl.py`.
fn place(place: &Place) -> String {
    let Place { account, file, function } = place;
    let of = if file.is_empty() { String::new() } else { format!(" of {file}") };
    match function.as_str() {
        "" | "<module>" => format!("{} at the top level{of}", account.name()),
        function => format!("{} in {function}{of}", account.name()),
    }
}

/// For programs: schema `boundby/compare/1`. Times in seconds; names may be added.
#[must_use]
pub fn to_json(comparison: &Comparison) -> String {
    let change = |change: &Change| {
        json!({
            "before_s": change.before,
            "after_s": change.after,
            "speedup": change.speedup,
            "low": change.low,
            "high": change.high,
            "direction": direction(change.direction()),
        })
    };
    let accounts = |parts: &[Part<Account>]| -> Vec<Value> {
        let part = |part: &Part<Account>| json!({"kind": part.key.name(), "before_s": part.before, "after_s": part.after});
        parts.iter().map(part).collect()
    };
    let places: Vec<Value> = comparison
        .places
        .iter()
        .map(|Part { key: Place { account, file, function }, before, after }| {
            json!({
                "kind": account.name(), "file": file, "function": function, "before_s": before, "after_s": after,
            })
        })
        .collect();
    let predicted = comparison.achieved.as_ref().map(|achieved| {
        json!({
            "strategy": achieved.advised.strategy.name(),
            "action": achieved.advised.action.name(),
            "workers": achieved.advised.workers.as_ref().map(|workers| workers.suggested),
            "speedup": achieved.predicted.speedup,
            "low": achieved.predicted.low,
            "high": achieved.predicted.high,
            "came_true": comparison.came_true(),
        })
    });
    let value = json!({
        "schema": SCHEMA,
        "runs": {"before": comparison.runs.0, "after": comparison.runs.1},
        "wall": change(&comparison.wall),
        "cpu": change(&comparison.cpu),
        "bound_by": {
            "before": comparison.bound_by.0,
            "after": comparison.bound_by.1,
            "changed": comparison.bound_changed(),
        },
        "predicted": predicted,
        "program": accounts(&comparison.wall_book),
        "threads": accounts(&comparison.thread_book),
        "sites": places,
        "caveats": comparison.caveats,
    });
    let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.push('\n');
    text
}

fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Faster => "faster",
        Direction::Slower => "slower",
        Direction::Same => "same",
    }
}
