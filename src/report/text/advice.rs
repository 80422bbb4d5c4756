//! The verdict, the recommendation, what else would do, and what to be careful about.

use super::because;
use super::page::{Page, Paragraph, Role, Text};
use crate::advice::{Action, Predicted, Recommendation, Rejected, Strategy};
use crate::report::Report;
use crate::units;

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
    page.section("Because", because::because(best, report, verbose));
    let others = others.iter().map(alternative);
    page.section("Instead", others.chain(advice.rejected.iter().map(rejected)));
    let flip = best.flip.iter().map(|flip| Text::plain(flip).into());
    page.section("Careful", best.caveats.iter().map(|caveat| Text::plain(caveat).into()).chain(flip));
}

/// What to do: the plan with its gain, the sentence, the construct. What is left as it is has neither gain nor
/// price, and needs no code.
fn action(best: &Recommendation, report: &Report<'_>) -> Vec<Paragraph> {
    let changes = !matches!(best.action, Action::Keep | Action::Inconclusive);
    let mut line = Text::new(Role::Strong, &plan(best)).unbroken();
    if let Some(predicted) = best.predicted.filter(|_| changes) {
        line = line.append(Text::plain(": ")).append(gain(predicted, report.profile.wall.as_secs_f64()));
    }
    if let Some(memory) = best.memory.filter(|memory| changes && *memory > 0) {
        let memory = format!("+{} of memory", units::bytes(memory as f64));
        line = line.append(Text::plain(", ")).append(Text::plain(&memory).unbroken());
    }
    if best.confidence != report.advice.verdict.confidence && best.action != Action::Inconclusive {
        let confidence = format!("confidence {}", best.confidence.name());
        line = line.append(Text::plain(", ")).append(Text::plain(&confidence).unbroken());
    }
    let construct = best.construct.as_deref().filter(|_| changes).unwrap_or_default();
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

/// `async × 64: 11× (9.8–13×), +20 MiB; needs an async driver`.
fn alternative(one: &Recommendation) -> Paragraph {
    let gain = one.predicted.map(|gain| format!(": {} ({})", units::factor(gain.speedup), range(gain)));
    let memory =
        one.memory.filter(|memory| *memory > 0).map(|memory| format!(", +{}", units::bytes(memory as f64)));
    let mark = if gain.is_some() { "; " } else { ": " };
    let why = one.caveats.first().unwrap_or(&one.headline);
    let why = if why.is_empty() { String::new() } else { format!("{mark}{why}") };
    let numbers = [plan(one), gain.unwrap_or_default(), memory.unwrap_or_default()].concat();
    Text::plain(&format!("{numbers}{why}")).into()
}

/// `not processes (10×): each needs 310 MiB`.
fn rejected(one: &Rejected) -> Paragraph {
    let gain = one.predicted_speedup.map(|speedup| format!(" ({})", units::factor(speedup)));
    let why = if one.why.is_empty() { String::new() } else { format!(": {}", one.why) };
    Text::plain(&format!("not {}{}{why}", one.strategy.name(), gain.unwrap_or_default())).into()
}
