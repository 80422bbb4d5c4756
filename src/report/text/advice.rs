//! The recommendation: what to do, what it gives, on what terms, and what to be careful about.

use super::page::{Page, Paragraph, Role, Text};
use super::{because, doubt, evidence, instead};
use crate::advice::{Action, Confidence, Predicted, Recommendation, Stage, Strategy, Workers};
use crate::facts::Origin;
use crate::report::Report;
use crate::units;

/// Caveats shown when not everything is asked for.
const CAVEATS: usize = 3;
/// From this share of the wall time on, what a plan leaves as it is makes the gain of the program another than that of
/// its items.
const REST: f64 = 0.05;
/// Memory below this costs nobody a thought, bytes.
const NOTABLE_MEMORY: u64 = 1 << 20;

/// The recommendation and everything that belongs to it.
pub(super) fn write(page: &mut Page<'_>, report: &Report<'_>, verbose: bool) {
    let advice = report.advice;
    let Some((best, others)) = advice.recommendations.split_first() else {
        return page.section("Do this", [Text::plain("nothing can be advised on this evidence").into()]);
    };
    page.section("Wanted", wanted(report));
    page.section("Do this", action(best, report));
    page.section("Divided", divided(best));
    page.section("Curve", Some(best).filter(|_| verbose).and_then(curve));
    if let Some(snippet) = best.snippet.as_deref().filter(|_| verbose) {
        page.blank();
        page.code(snippet);
        page.blank();
    }
    page.section("Because", because::because(best, report, verbose));
    instead::write(page, best, others, &advice.rejected, verbose);
    let shown = match best.action {
        _ if verbose => usize::MAX,
        // What keeps it from being known is all there is to be careful about.
        Action::Inconclusive => 0,
        _ => CAVEATS,
    };
    let caveats = best.caveats.iter().chain(best.flip.iter().filter(|_| verbose)).take(shown);
    page.section("Careful", caveats.map(|caveat| Text::plain(caveat).into()));
}

/// What to do: the plan with its gain, the construct, what it costs and how sure it is. What is left as it is has
/// neither gain nor price, and needs no code.
pub(super) fn action(best: &Recommendation, report: &Report<'_>) -> Vec<Paragraph> {
    let changes = !matches!(best.action, Action::Keep | Action::Inconclusive);
    let gain = best.predicted.filter(|_| changes);
    let gain = gain.map(gain_of);
    let mut lines: Vec<Paragraph> = Vec::new();
    if best.confidence == Confidence::Low && changes {
        let doubt = format!("not sure: {}", doubt::largest(best, report));
        lines.push(Text::new(Role::Warning, &doubt).into());
    }
    match (best.told().0, gain) {
        (Some(what), gain) => {
            lines.push(Text::new(Role::Strong, what).into());
            lines.extend(gain.map(Into::into));
        }
        (None, Some(gain)) => {
            let plan = Text::new(Role::Strong, &plan(best)).unbroken();
            lines.push(plan.append(Text::plain(": ")).append(gain).into());
        }
        (None, None) => lines.push(Text::new(Role::Strong, &plan(best)).into()),
    }
    if changes {
        lines.extend(best.construct.as_deref().map(|construct| Text::new(Role::Strong, construct).into()));
        lines.push(Text::plain(&terms(best, report).join("; ")).into());
    }
    lines
}

/// The goals and limits that were stated beside a measurement.
fn wanted(report: &Report<'_>) -> Vec<Paragraph> {
    evidence::said(&report.advice.stated, Origin::Declared)
}

/// How work is divided over computers.
fn divided(best: &Recommendation) -> Option<Paragraph> {
    let cluster = best.cluster.as_ref()?;
    let text = format!(
        "{} on {}, {} of {} each",
        cluster.engine,
        units::count(cluster.nodes.into(), "computer"),
        units::count(cluster.tasks, "task"),
        units::rough_seconds(cluster.task_s)
    );
    Some(Text::plain(&text).into())
}

/// What other numbers of workers would give: powers of two and the chosen one.
fn curve(best: &Recommendation) -> Option<Paragraph> {
    let chosen = best.workers.as_ref()?.suggested;
    let shown = best.curve.iter().filter(|point| point.workers.is_power_of_two() || point.workers == chosen);
    let points: Vec<String> =
        shown.map(|point| format!("{}: {}", point.workers, units::factor(point.predicted.speedup))).collect();
    (points.len() > 1).then(|| Text::plain(&format!("with so many workers, {}", points.join(", "))).into())
}

/// What else there is to say of a plan: the range of workers, what holds their number, memory, confidence.
fn terms(best: &Recommendation, report: &Report<'_>) -> Vec<String> {
    let mut terms: Vec<String> = alone(best).into_iter().collect();
    if let (Some(workers), true) = (&best.workers, best.predicted.is_some()) {
        if workers.low < workers.high {
            terms.push(format!("{} to {} workers do as well", workers.low, workers.high));
        }
        terms.extend(held(workers));
    }
    terms.extend(memory(best).map(|memory| format!("{memory} of memory")));
    if best.confidence != report.advice.verdict.confidence {
        terms.push(format!("confidence {}", best.confidence.name()));
    }
    terms
}

/// What becomes of the items alone, where that is not what becomes of the program.
fn alone(best: &Recommendation) -> Option<String> {
    let now = best.predicted?.now();
    let region = best.region.as_ref().filter(|region| region.serial_s >= REST * now)?;
    let what = if region.items.is_some() { "the items alone" } else { "that part alone" };
    let rest = units::seconds(region.serial_s);
    Some(format!("{what} {}, the other {rest} stay as they are", units::factor(region.speedup)))
}

/// The limit that keeps the number of workers below what would be useful, where a rule sets one.
fn held(workers: &Workers) -> Option<String> {
    let natural = ["", "knee", "items", "cores"];
    let cap = Some(workers.binding_cap.as_str()).filter(|cap| !natural.contains(cap))?;
    Some(format!("rule {cap} allows no more"))
}

/// Resident memory it adds, where anybody would notice.
pub(in crate::report) fn memory(one: &Recommendation) -> Option<String> {
    let memory = one.memory.filter(|memory| *memory >= NOTABLE_MEMORY)?;
    Some(format!("+{}", units::rough_bytes(memory as f64)))
}

/// The shortest words for what to do: `threads × 16`, `keep sequential`.
pub(in crate::report) fn plan(one: &Recommendation) -> String {
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
        Action::Inconclusive => "not known yet: the evidence does not decide".to_owned(),
    }
}

/// The model with its numbers: `async × 64`, `hybrid: fetch async × 24 → parse processes × 2`.
fn model(one: &Recommendation) -> String {
    let sized = |strategy: Strategy, workers: u32| format!("{} × {workers}", strategy.name());
    if !one.stages.is_empty() {
        let name = |stage: &Stage| stage.function.clone().unwrap_or_else(|| stage.name.clone());
        let stages = one
            .stages
            .iter()
            .map(|stage| format!("{} {}", name(stage), sized(stage.strategy, stage.workers)));
        return format!("{}: {}", one.strategy.name(), stages.collect::<Vec<_>>().join(" → "));
    }
    match &one.workers {
        Some(workers) if one.strategy != Strategy::Sequential => sized(one.strategy, workers.suggested),
        _ => one.strategy.name().to_owned(),
    }
}

/// What it gives, no more precisely than it is known.
fn gain_of(predicted: Predicted) -> Text {
    let Predicted { wall_s, speedup, .. } = predicted;
    let times = format!("{} → {}", units::seconds(predicted.now()), units::rough_seconds(wall_s));
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
pub(in crate::report) fn range(predicted: Predicted) -> String {
    units::factors(predicted.low, predicted.high)
}

/// What to do, in the fewest words: a rule's own, else the plan.
pub(in crate::report) fn named(one: &Recommendation) -> String {
    one.told().0.map_or_else(|| plan(one), str::to_owned)
}

/// The columns of what was considered.
pub(in crate::report) const CONSIDERED: [&str; 6] =
    ["model", "time", "speedup", "90 % interval", "memory", "because"];

/// Everything that was considered, a row each: what is offered first, then what was rejected, which is marked. None where
/// there was no choice.
pub(in crate::report) fn considered(report: &Report<'_>) -> Vec<(bool, [String; 6])> {
    let advice = report.advice;
    let predicted = advice.recommendations.iter().filter(|one| one.predicted.is_some()).count();
    if predicted + advice.rejected.len() < 2 {
        return Vec::new();
    }
    let offered = advice.recommendations.iter().map(|one| {
        let cells = [
            named(one),
            one.predicted.map(|predicted| units::rough_seconds(predicted.wall_s)).unwrap_or_default(),
            one.predicted.map(|predicted| units::factor(predicted.speedup)).unwrap_or_default(),
            one.predicted.map(range).unwrap_or_default(),
            memory(one).unwrap_or_default(),
            one.told().1.to_owned(),
        ];
        (false, cells)
    });
    let rejected = advice.rejected.iter().map(|one| {
        let (name, why) = (one.strategy.name().to_owned(), format!("not: {}", one.why));
        let speedup = one.predicted_speedup.map(units::factor).unwrap_or_default();
        (true, [name, String::new(), speedup, String::new(), String::new(), why])
    });
    offered.chain(rejected).collect()
}
