//! The verdict, the recommendation, its reasons, what else would do, and what to be careful about.

use super::page::{Page, Paragraph, Role, Text};
use crate::advice::{Action, Evidence, Predicted, Recommendation, Rejected, Strategy, Workers};
use crate::facts::{self, Origin, Unit, Value};
use crate::profile::{Items, Site};
use crate::report::Report;
use crate::units;
use crate::wait::WaitKind;

/// What binds, and how sure that is.
pub(super) fn verdict(page: &mut Page<'_>, report: &Report<'_>) {
    let verdict = &report.advice.verdict;
    let bound = if verdict.bound_by.is_empty() { "not known" } else { &verdict.bound_by };
    let mut line = Text::new(Role::Strong, bound);
    // The share of a mixture would be a share of what?
    if verdict.share > 0.0 && verdict.bound_by != "mixed" {
        let wall = units::seconds(report.profile.wall.as_secs_f64());
        let share = format!("{} of {wall} wall time", units::percent(verdict.share));
        line = line.append(Text::plain(": ")).append(Text::plain(&share).unbroken());
    }
    let confidence = Text::plain(&format!("confidence {}", verdict.confidence.name())).unbroken();
    line = line.append(Text::plain(", ")).append(confidence);
    let summary = Text::plain(&verdict.summary);
    page.section("Bound by", [line.into(), summary.into()]);
}

/// The recommendation and everything that belongs to it.
pub(super) fn write(page: &mut Page<'_>, report: &Report<'_>, verbose: bool) {
    let advice = report.advice;
    let Some((best, others)) = advice.recommendations.split_first() else {
        return page.section("Do this", [Text::plain("nothing can be advised on this evidence").into()]);
    };
    page.section("Do this", action(best, report));
    if let Some(snippet) = best.snippet.as_deref().filter(|_| verbose) {
        page.blank();
        page.code(snippet);
        page.blank();
    }
    page.section("Because", because(best, report, verbose));
    let others = others.iter().map(alternative);
    page.section("Instead", others.chain(advice.rejected.iter().map(rejected)));
    let flip = best.flip.iter().map(|flip| Text::plain(flip).into());
    page.section("Careful", best.caveats.iter().map(|caveat| Text::plain(caveat).into()).chain(flip));
}

/// What to do: the plan with its gain, the sentence, the construct.
fn action(best: &Recommendation, report: &Report<'_>) -> Vec<Paragraph> {
    let plan = Text::new(Role::Strong, &plan(best)).unbroken();
    let mut line = match best.predicted {
        Some(predicted) if best.action != Action::Keep && best.action != Action::Inconclusive => {
            plan.append(Text::plain(": ")).append(gain(predicted, report.profile.wall.as_secs_f64()))
        }
        _ => plan,
    };
    if let Some(memory) = best.memory.filter(|memory| *memory > 0) {
        let memory = format!("+{} of memory", units::bytes(memory as f64));
        line = line.append(Text::plain(", ")).append(Text::plain(&memory).unbroken());
    }
    if best.confidence != report.advice.verdict.confidence && best.action != Action::Inconclusive {
        let confidence = format!("confidence {}", best.confidence.name());
        line = line.append(Text::plain(", ")).append(Text::plain(&confidence).unbroken());
    }
    let construct = best.construct.as_deref().unwrap_or_default();
    vec![line.into(), Text::plain(&best.headline).into(), Text::new(Role::Strong, construct).into()]
}

/// The shortest words for what to do: `threads × 16`, `keep sequential`.
fn plan(one: &Recommendation) -> String {
    let model = model(one);
    match one.action {
        Action::Adopt => model,
        Action::Keep => format!("keep {model}"),
        Action::Resize => format!("resize to {model}"),
        Action::Unblock => "unblock the event loop".to_owned(),
        Action::Batch => format!("larger tasks, {model}"),
        Action::ReduceContention => "hold the lock less".to_owned(),
        Action::ShareMemory => format!("share memory, {model}"),
        Action::RaiseQuota => "raise the CPU quota".to_owned(),
        Action::WaitForEvent => "wait for the event".to_owned(),
        Action::Inconclusive => "nothing yet: the evidence does not decide".to_owned(),
    }
}

/// The model with its numbers: `async × 64`, `hybrid: fetch async × 24 → parse processes × 2`.
fn model(one: &Recommendation) -> String {
    let sized = |strategy: Strategy, workers: u32| format!("{} × {workers}", strategy.name());
    if !one.stages.is_empty() {
        let stages =
            one.stages.iter().map(|stage| format!("{} {}", stage.name, sized(stage.strategy, stage.workers)));
        return format!("{}: {}", one.strategy.name(), stages.collect::<Vec<_>>().join(" → "));
    }
    match &one.workers {
        Some(workers) if one.strategy != Strategy::Sequential => sized(one.strategy, workers.suggested),
        _ => one.strategy.name().to_owned(),
    }
}

/// What it gives, no more precisely than it is known.
fn gain(predicted: Predicted, now: f64) -> Text {
    let Predicted { wall_s, speedup, .. } = predicted;
    let times = format!("{} → {}", units::seconds(now), units::rough_seconds(wall_s));
    let doubt = if predicted.low < 1.0 { "; it may not be faster at all" } else { "" };
    // Where the printed factor would be 1.0, there is no gain to speak of.
    let text = match units::factor(speedup).as_str() {
        "1.0×" => format!("about as fast as now ({})", range(predicted)),
        factor if speedup > 1.0 => format!("about {factor} faster ({}), {times}{doubt}", range(predicted)),
        factor => format!("slower, {factor} the speed ({}), {times}", range(predicted)),
    };
    text.split(", ").enumerate().fold(Text::default(), |line, (i, part)| {
        let line = if i > 0 { line.append(Text::plain(", ")) } else { line };
        line.append(Text::plain(part).unbroken())
    })
}

/// `9.4–12×`.
fn range(predicted: Predicted) -> String {
    let (low, high) = (units::factor(predicted.low), units::factor(predicted.high));
    if low == high { low } else { format!("{}–{high}", low.trim_end_matches('×')) }
}

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

fn because(best: &Recommendation, report: &Report<'_>, verbose: bool) -> Vec<Paragraph> {
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
    let mut text = format!("{about}{}", units::count(site.episodes, "wait"));
    if site.episodes > 0 {
        text.push_str(&format!(
            " of {}",
            nb(&units::seconds(site.wait.as_secs_f64() / site.episodes as f64))
        ));
    }
    if let Some(p95) = site.p95 {
        text.push_str(&format!(" ({} under {})", nb("95 %"), nb(&units::seconds(p95.as_secs_f64()))));
    }
    text.push_str(&format!(" in {}", site.operation));
    if let Some(resource) = &site.resource {
        text.push_str(&format!(" on {resource}"));
    }
    if site.threads > 1 {
        text.push_str(&format!(", {} threads", site.threads));
    }
    text
}

/// The work items in words: how many, how they run today, what each of them takes.
fn repeated(items: &Items, locked: bool) -> Text {
    let how =
        if items.lanes > 1 { format!("{} at a time", items.lanes) } else { "one after another".to_owned() };
    let takes = |time: std::time::Duration, what: &str| {
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
    text.replace(' ', &super::page::NO_BREAK.to_string())
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
    let mut text =
        facts::spec(&piece.fact).map_or_else(|| piece.fact.clone(), |spec| spec.meaning.to_owned());
    match piece.origin {
        Origin::Measured | Origin::Machine => {}
        // The vocabulary says "predicted" in the meaning of every predicted fact.
        Origin::Predicted if text.contains("predicted") => {}
        Origin::Predicted | Origin::Assumed | Origin::Declared => {
            text.push_str(&format!(" ({})", piece.origin.name()));
        }
    }
    if verbose && !piece.comparison.is_empty() {
        text.push_str(&format!(" [{}]", piece.comparison));
    }
    text
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

/// `async × 64: 11× (9.8–13×), +20 MiB; needs an async driver`.
fn alternative(one: &Recommendation) -> Paragraph {
    let mut text = plan(one);
    if let Some(predicted) = one.predicted {
        text.push_str(&format!(": {} ({})", units::factor(predicted.speedup), range(predicted)));
    }
    if let Some(memory) = one.memory.filter(|memory| *memory > 0) {
        text.push_str(&format!(", +{}", nb(&units::bytes(memory as f64))));
    }
    let why = one.caveats.first().or(Some(&one.headline)).filter(|why| !why.is_empty());
    if let Some(why) = why {
        text.push_str(if one.predicted.is_some() { "; " } else { ": " });
        text.push_str(why);
    }
    Text::plain(&text).into()
}

/// `not processes (10×): each needs 310 MiB`.
fn rejected(one: &Rejected) -> Paragraph {
    let gain = one.predicted_speedup.map(|speedup| format!(" ({})", units::factor(speedup)));
    let why = if one.why.is_empty() { String::new() } else { format!(": {}", one.why) };
    Text::plain(&format!("not {}{}{why}", one.strategy.name(), gain.unwrap_or_default())).into()
}
