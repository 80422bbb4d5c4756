//! The decision as recommendations: workers, gain, evidence, caveats, the construct; and what was not offered.

use super::Case;
use super::confidence;
use super::decide::{Decision, action_of};
use super::evidence;
use super::flip;
use super::goals;
use super::predict::{Plan, Timed};
use super::types::{
    Action, Confidence, CurvePoint, Predicted, Recommendation, Rejected, Strategy, Verdict, WHY, Workers,
};
use super::work::Subject;
use super::{realise, region};
use crate::facts::Value;
use crate::rules::{Outcome, RuleKind, Template, Then, Truth};
use crate::units;

/// Facts shown beside every plan.
const BASICS: [&str; 8] = [
    "region.n",
    "region.share",
    "region.cv",
    "wait.total",
    "cpu.gil",
    "cpu.native",
    "cpu.gil_share",
    "host.p_eff",
];

/// The advice, the alternatives in order, and what was not offered.
pub(super) fn recommend(
    case: &Case<'_>,
    decision: &Decision,
    verdict: &Verdict,
) -> (Vec<Recommendation>, Vec<Rejected>) {
    let gates = case.rules.evaluate(RuleKind::Gate, &case.facts);
    let gate = decision.gate.as_ref().and_then(|id| gates.iter().find(|outcome| outcome.rule.id == *id));
    let mut out = Vec::new();
    let mut offers: Vec<Strategy> = decision.ranking.clone();
    if let Some(gate) = gate {
        let first = by_gate(case, gate, verdict);
        if !leaves_alternatives(first.action) {
            offers.clear();
        }
        offers.retain(|strategy| *strategy != first.strategy);
        out.push(first);
    }
    let least = case.rules.constant("min_gain").unwrap_or(1.0);
    for strategy in offers {
        let Some(plan) = case.plans.get(strategy) else { continue };
        if case.plans.gain(plan) < least && !out.is_empty() {
            continue;
        }
        let mut one = by_plan(case, plan, decision.ranking.first() == Some(&strategy));
        if gate.is_some() {
            // What a gate stands before rests on the gate's question being answered.
            one.confidence = Confidence::Low;
        }
        out.push(one);
    }
    if out.is_empty() {
        out.push(inconclusive(""));
    }
    let rejected = rejected(case, decision, &out);
    (out, rejected)
}

/// The advice where there is nothing to go by.
pub(super) fn inconclusive(rule: &str) -> Recommendation {
    Recommendation {
        strategy: Strategy::Sequential,
        action: Action::Inconclusive,
        headline: format!("not known yet: profile a longer run{WHY}nothing that was seen decides"),
        workers: None,
        stages: Vec::new(),
        cluster: None,
        predicted: None,
        curve: Vec::new(),
        region: None,
        confidence: Confidence::Low,
        rule: rule.to_owned(),
        because: Vec::new(),
        caveats: Vec::new(),
        flip: None,
        construct: None,
        snippet: None,
        memory: None,
    }
}

/// Whether another plan may stand beside this action. Beside "keep" or "measure again" it would contradict it.
fn leaves_alternatives(action: Action) -> bool {
    match action {
        Action::Adopt
        | Action::Resize
        | Action::Unblock
        | Action::Batch
        | Action::ShareMemory
        | Action::WaitForEvent => true,
        Action::Keep | Action::ReduceContention | Action::RaiseQuota | Action::Inconclusive => false,
    }
}

/// Whether the action is carried out by writing the construct of a strategy.
fn introduces_workers(action: Action) -> bool {
    match action {
        Action::Adopt | Action::Resize | Action::Unblock | Action::Batch | Action::ShareMemory => true,
        Action::Keep
        | Action::ReduceContention
        | Action::RaiseQuota
        | Action::WaitForEvent
        | Action::Inconclusive => false,
    }
}

fn by_gate(case: &Case<'_>, gate: &Outcome<'_>, verdict: &Verdict) -> Recommendation {
    let action = action_of(&gate.rule.then).unwrap_or(Action::Inconclusive);
    let (strategy, headline, construct, snippet) = match &gate.rule.then {
        Then::Gate { strategy, headline, construct, snippet, .. } => {
            (strategy.as_deref(), headline.as_ref(), construct.as_ref(), snippet.as_ref())
        }
        _ => (None, None, None, None),
    };
    let written = |text: Option<&Template>| text.map(|text| text.render(case.rules, &case.facts));
    let strategy = strategy.and_then(Strategy::from_name).unwrap_or_else(|| now(case));
    let plan = case.plans.get(strategy).filter(|_| action == Action::Unblock);
    let because = gate.rule.because.render(case.rules, &case.facts);
    let headline = written(headline);
    let headline = headline.map_or_else(|| because.clone(), |text| format!("{text}{WHY}{because}"));
    let gains = plan.filter(|plan| case.plans.gain(plan) > 1.0);
    let predicted = gains.map(|plan| predicted(case, plan));
    let planned = plan.map(|plan| workers(case, plan));
    let mut evidence = evidence::of_trace(&gate.trace);
    evidence::add_plain(&mut evidence, &case.facts, &BASICS);
    let confidence = match action {
        Action::Inconclusive => Confidence::Low,
        // A plan behind it can only make it less sure.
        _ => plan.map_or(verdict.confidence, |plan| plan_confidence(case, plan).min(verdict.confidence)),
    };
    let mut one = Recommendation {
        strategy,
        action,
        headline,
        workers: planned.or_else(|| as_is(case, strategy)),
        stages: Vec::new(),
        cluster: None,
        predicted,
        curve: gains.map(|plan| curve(case, plan)).unwrap_or_default(),
        region: gains.and_then(|plan| region::gain(case, plan)),
        confidence,
        rule: gate.rule.id.clone(),
        because: evidence,
        caveats: if plan.is_some() { notes(case) } else { standing_notes(case) },
        flip: None,
        construct: written(construct),
        snippet: written(snippet),
        memory: None,
    };
    if strategy == Strategy::Distributed {
        if let Some((cluster, said)) = goals::engine(case) {
            one.cluster = Some(cluster);
            one.caveats.splice(0..0, said);
        }
        one.predicted = cluster_predicted(case);
        // Nobody has measured how this work divides over computers.
        one.confidence = Confidence::Low;
        realise::realise(case, &mut one, None);
    } else if introduces_workers(action) && action != Action::Adopt {
        // Who is told to adopt something without a plan is told in words how.
        realise::realise(case, &mut one, plan);
    }
    one
}

/// A plan as a recommendation. Notes and the turning point speak of the favourite only.
fn by_plan(case: &Case<'_>, plan: &Plan, favourite: bool) -> Recommendation {
    let (rule, sentence, mut because) = preferring(case, plan.strategy);
    let now_workers = case.subject.as_ref().map_or(1, |subject| subject.now_workers);
    evidence::add_plain(&mut because, &case.facts, &BASICS);
    if now_workers > 1 {
        evidence::add_plain(&mut because, &case.facts, &["now.strategy", "now.workers"]);
    }
    let same = now(case) == plan.strategy;
    let about_right = (plan.choice.low..=plan.choice.high).contains(&now_workers);
    let action = match (same, about_right) {
        (true, true) => Action::Keep,
        (true, false) => Action::Resize,
        (false, _) => Action::Adopt,
    };
    let mut one = Recommendation {
        strategy: plan.strategy,
        action,
        headline: sentence,
        workers: Some(workers(case, plan)),
        stages: realise::stages(plan, case.region.as_ref()),
        cluster: None,
        predicted: Some(predicted(case, plan)),
        curve: curve(case, plan),
        region: region::gain(case, plan),
        confidence: plan_confidence(case, plan),
        rule,
        because,
        caveats: if favourite { notes(case) } else { Vec::new() },
        flip: case
            .subject
            .as_ref()
            .filter(|_| favourite)
            .and_then(|subject| flip::flip(subject, plan, &case.plans, &case.costs)),
        construct: None,
        snippet: None,
        memory: memory(case, plan),
    };
    realise::realise(case, &mut one, Some(plan));
    one
}

fn plan_confidence(case: &Case<'_>, plan: &Plan) -> Confidence {
    confidence::level(confidence::plan(case, plan), &case.costs)
}

/// The rule that speaks for a strategy, its sentence and its evidence: the first that fires, else the first that
/// lacks a fact.
fn preferring(case: &Case<'_>, strategy: Strategy) -> (String, String, Vec<super::types::Evidence>) {
    let outcomes = case.rules.evaluate(RuleKind::Prefer, &case.facts);
    let speaks =
        |o: &&Outcome<'_>| matches!(&o.rule.then, Then::Prefer { strategy: s, .. } if s == strategy.name());
    let found = outcomes
        .iter()
        .filter(speaks)
        .find(|outcome| outcome.truth == Truth::True)
        .or_else(|| outcomes.iter().filter(speaks).find(|o| matches!(o.truth, Truth::Unknown(_))));
    found.map_or_else(Default::default, |outcome| {
        let sentence = outcome.rule.because.render(case.rules, &case.facts);
        (outcome.rule.id.clone(), sentence, evidence::of_trace(&outcome.trace))
    })
}

fn now(case: &Case<'_>) -> Strategy {
    match case.facts.get("now.strategy").map(|fact| &fact.value) {
        Some(Value::Text(word)) => Strategy::from_name(word).unwrap_or(Strategy::Sequential),
        _ => Strategy::Sequential,
    }
}

/// The number of workers the program has, where the advice leaves it.
fn as_is(case: &Case<'_>, strategy: Strategy) -> Option<Workers> {
    let number = case.facts.get_number("now.workers").filter(|n| *n >= 1.0)? as u32;
    (strategy == now(case)).then(|| Workers {
        suggested: number,
        low: number,
        high: number,
        formula: "as it is".to_owned(),
        binding_cap: String::new(),
    })
}

fn workers(case: &Case<'_>, plan: &Plan) -> Workers {
    let choice = &plan.choice;
    Workers {
        suggested: choice.workers as u32,
        low: choice.low as u32,
        high: choice.high as u32,
        formula: case.subject.as_ref().map(|subject| formula(subject, plan)).unwrap_or_default(),
        binding_cap: choice.binding.clone(),
    }
}

/// The closed form that explains the number, with its numbers put in: what is printed can be checked by hand. The
/// chosen number differs from it by overheads, rounds and the 95 % that are enough.
pub(super) fn formula(subject: &Subject, plan: &Plan) -> String {
    let work = &subject.work;
    let (wait, cpu) = (units::seconds(work.wait), units::seconds(work.cpu()));
    let cores = units::significant(subject.host.cores);
    let keeps_busy =
        |servers: f64, service: f64| units::significant(servers * (work.wait + work.cpu()) / service);
    match plan.strategy {
        Strategy::Hybrid => {
            let (waiting, computing) = plan.stages.unwrap_or_default();
            format!(
                "{waiting} threads that wait {wait} per item keep {computing} processes that compute {cpu} fed"
            )
        }
        _ if work.wait <= 0.0 => format!("one per core really to be had: {cores}"),
        _ if work.cpu() <= 0.0 => format!("{} waits of {wait} without computing", work.items),
        Strategy::Threads if subject.host.gil && work.cpu_gil > work.cpu() / subject.host.cores => {
            let (lock, knee) = (units::seconds(work.cpu_gil), keeps_busy(1.0, work.cpu_gil));
            format!("(wait {wait} + CPU {cpu}) / {lock} under the lock = {knee} keep the lock busy")
        }
        Strategy::Async if subject.host.loops <= 1.0 => {
            let knee = keeps_busy(1.0, work.cpu());
            format!("(wait {wait} + CPU {cpu}) / CPU {cpu} on one loop = {knee} keep the loop busy")
        }
        _ => {
            let knee = keeps_busy(subject.host.cores, work.cpu());
            format!("{cores} cores × (1 + wait {wait} / CPU {cpu}) = {knee} keep the cores busy")
        }
    }
}

fn predicted(case: &Case<'_>, plan: &Plan) -> Predicted {
    promised(case, plan.timed())
}

/// What each number of workers gives.
fn curve(case: &Case<'_>, plan: &Plan) -> Vec<CurvePoint> {
    let point = |&(workers, timed): &(usize, Timed)| CurvePoint {
        workers: workers as u32,
        predicted: promised(case, timed),
    };
    plan.curve.iter().map(point).collect()
}

fn promised(case: &Case<'_>, timed: Timed) -> Predicted {
    let against = |time: f64| if time > 0.0 { case.plans.now / time } else { 1.0 };
    let speedup = against(timed.time);
    let wall = case.facts.get_number("run.wall").unwrap_or(case.plans.now);
    Predicted {
        wall_s: wall / speedup.max(f64::MIN_POSITIVE),
        speedup,
        low: against(timed.slow).min(speedup),
        high: against(timed.fast).max(speedup),
    }
}

/// What several computers give, against the program as it is. They may lose as much again as a plan leaves them free, and
/// at best lose nothing.
fn cluster_predicted(case: &Case<'_>) -> Option<Predicted> {
    let time = case.facts.get_number("pred.cluster.time").filter(|time| *time > 0.0)?;
    let speedup = case.plans.now / time;
    let (low, high) =
        (speedup * case.costs.cluster_busy, speedup / goals::efficiency(&case.facts, &case.costs));
    Some(Predicted { wall_s: time, speedup, low, high })
}

/// Resident memory the workers add.
fn memory(case: &Case<'_>, plan: &Plan) -> Option<u64> {
    let n = plan.choice.workers as f64;
    let process = case.facts.get_number("mem.per_process")?;
    let thread = case.facts.get_number("mem.per_thread")?;
    let bytes = match plan.strategy {
        Strategy::Threads => n * thread,
        Strategy::Async => n * case.costs.task_resident,
        Strategy::Processes => n * process,
        Strategy::Hybrid => {
            let (waiting, computing) = plan.stages?;
            waiting as f64 * thread + computing as f64 * process
        }
        Strategy::Sequential | Strategy::Distributed => return None,
    };
    Some(bytes as u64)
}

/// Every note that fires, as a caveat.
fn notes(case: &Case<'_>) -> Vec<String> {
    let outcomes = case.rules.evaluate(RuleKind::Note, &case.facts);
    let fired = outcomes.iter().filter(|outcome| outcome.truth == Truth::True);
    fired
        .filter_map(|outcome| match &outcome.rule.then {
            Then::Note { text, .. } => Some(text.render(case.rules, &case.facts)),
            _ => None,
        })
        .collect()
}

/// Notes about the program as it is: those that do not speak of a predicted plan.
fn standing_notes(case: &Case<'_>) -> Vec<String> {
    let outcomes = case.rules.evaluate(RuleKind::Note, &case.facts);
    let about_a_plan = |outcome: &&Outcome<'_>| {
        outcome.trace.iter().any(|line| line.facts.iter().any(|(name, _)| name.starts_with("pred.")))
    };
    outcomes
        .iter()
        .filter(|outcome| outcome.truth == Truth::True && !about_a_plan(outcome))
        .filter_map(|outcome| match &outcome.rule.then {
            Then::Note { text, .. } => Some(text.render(case.rules, &case.facts)),
            _ => None,
        })
        .collect()
}

/// Strategies that were considered and stand nowhere in the advice, each with its reason.
fn rejected(case: &Case<'_>, decision: &Decision, offered: &[Recommendation]) -> Vec<Rejected> {
    let considered = [Strategy::Threads, Strategy::Processes, Strategy::Async, Strategy::Hybrid];
    considered
        .into_iter()
        .filter(|strategy| *strategy != now(case))
        .filter(|strategy| !offered.iter().any(|one| one.strategy == *strategy))
        .filter_map(|strategy| {
            let plan = case.plans.get(strategy)?;
            let gain = case.plans.gain(plan);
            let why = if let Some(rule) = decision.vetoed.get(&strategy) {
                case.rules.get(rule)?.because.render(case.rules, &case.facts)
            } else {
                let least = case.rules.constant("min_gain").unwrap_or(1.0);
                let settled = offered.first().map(|one| one.rule.as_str()).unwrap_or_default();
                if gain >= least {
                    format!("rule {settled} decides")
                } else if gain >= 1.05 {
                    format!("predicted {}, not worth the change", units::factor(gain))
                } else if gain > 0.95 {
                    "predicted to be no faster".to_owned()
                } else {
                    format!("predicted {}, slower", units::factor(gain))
                }
            };
            Some(Rejected { strategy, why, predicted_speedup: Some(gain) })
        })
        .collect()
}
