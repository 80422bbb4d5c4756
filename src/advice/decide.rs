//! What the rules make of the facts: verdict, caps, vetoes, the gate that decides, the order of the candidates.

use std::collections::BTreeMap;

use super::Case;
use super::confidence;
use super::goals;
use super::model::Cap;
use super::predict::{Plan, StrategyCap};
use super::predicted;
use super::types::{Action, Confidence, NotDecided, Strategy, Verdict};
use crate::facts::{self, Facts, Value};
use crate::rules::{Outcome, RuleKind, RuleSet, Then, Truth};

/// What was decided, by id of the rules.
pub(super) struct Decision {
    /// The gate that takes the place of a candidate, where one does.
    pub gate: Option<String>,
    /// Candidates that may be offered, best first.
    pub ranking: Vec<Strategy>,
    /// Strategies ruled out, with the rule that did it.
    pub vetoed: BTreeMap<Strategy, String>,
}

/// The number of workers each cap that fires allows, by strategy.
pub(super) fn caps(rules: &RuleSet, facts: &Facts) -> Vec<StrategyCap> {
    rules
        .evaluate(RuleKind::Cap, facts)
        .into_iter()
        .filter(|outcome| outcome.truth == Truth::True)
        .filter_map(|outcome| match &outcome.rule.then {
            Then::Cap { workers, strategies, .. } => {
                let bound = workers.number(rules, facts).ok()?;
                let strategies = strategies.iter().filter_map(|name| Strategy::from_name(name)).collect();
                Some((strategies, Cap { name: outcome.rule.id.clone(), workers: bound }))
            }
            _ => None,
        })
        .collect()
}

/// Settles everything that depends on predictions, stating them as facts on the way.
pub(super) fn decide(case: &mut Case<'_>) -> Decision {
    predicted::pools(&mut case.facts, &case.plans);
    // Whether two stages are worth it is judged against the best pool that remains.
    let before = vetoes(case.rules, &case.facts);
    let single = case
        .plans
        .plans
        .iter()
        .find(|plan| plan.strategy != Strategy::Hybrid && !before.contains_key(&plan.strategy));
    predicted::hybrid(&mut case.facts, &case.plans, single);
    let vetoed = vetoes(case.rules, &case.facts);
    let mut scored: Vec<(f64, &Plan)> = case
        .plans
        .plans
        .iter()
        .filter(|plan| !vetoed.contains_key(&plan.strategy))
        .map(|plan| (score(case, plan), plan))
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.strategy.cmp(&b.1.strategy)));
    if let Some((_, best)) = scored.first() {
        predicted::best(&mut case.facts, &case.plans, best);
    }
    goals::cluster(&mut case.facts, case.subject.as_ref(), &case.plans, &case.costs);
    goals::name_engine(&mut case.facts, case.rules);
    let ranking = scored.iter().map(|(_, plan)| plan.strategy).collect();
    let gate = case
        .rules
        .evaluate(RuleKind::Gate, &case.facts)
        .into_iter()
        .filter(|outcome| outcome.truth == Truth::True)
        .find(|outcome| matches!(&outcome.rule.then, Then::Gate { action: Some(_), .. }))
        .map(|outcome| outcome.rule.id.clone());
    Decision { gate, ranking, vetoed }
}

/// Strategies ruled out, each with the first rule that does it.
pub(super) fn vetoes(rules: &RuleSet, facts: &Facts) -> BTreeMap<Strategy, String> {
    let mut out = BTreeMap::new();
    for outcome in rules.evaluate(RuleKind::Gate, facts) {
        let (Truth::True, Then::Gate { only, veto, .. }) = (&outcome.truth, &outcome.rule.then) else {
            continue;
        };
        for strategy in Strategy::ALL {
            let named = |list: &[String]| list.iter().any(|name| name == strategy.name());
            if named(veto) || (!only.is_empty() && !named(only)) {
                out.entry(strategy).or_insert_with(|| outcome.rule.id.clone());
            }
        }
    }
    out
}

/// Logarithm of the gain, less the effort, plus what the rules prefer.
pub(super) fn score(case: &Case<'_>, plan: &Plan) -> f64 {
    let gain = case.plans.gain(plan).max(f64::MIN_POSITIVE).ln();
    let preferred: f64 = case
        .rules
        .evaluate(RuleKind::Prefer, &case.facts)
        .iter()
        .map(|outcome| match &outcome.rule.then {
            Then::Prefer { strategy, weight } if strategy == plan.strategy.name() => {
                weight * leaning(&outcome.truth, case)
            }
            _ => 0.0,
        })
        .sum();
    gain - case.costs.effort_weight * effort(case, plan.strategy) + preferred
}

/// How much a preference counts: less for every fact it lacks.
fn leaning(truth: &Truth, case: &Case<'_>) -> f64 {
    match truth {
        Truth::True => 1.0,
        Truth::False => 0.0,
        Truth::Unknown(missing) => case.costs.confidence_unknown.powf(missing.len() as f64),
    }
}

fn effort(case: &Case<'_>, strategy: Strategy) -> f64 {
    let costs = &case.costs;
    if case.subject.as_ref().is_some_and(|subject| subject.now == strategy) {
        return costs.effort_resize;
    }
    let event_loop = case.facts.get("runtime.async").is_some_and(|fact| fact.value == Value::Bool(true));
    match strategy {
        Strategy::Sequential | Strategy::Distributed => 0.0,
        Strategy::Threads => costs.effort_threads,
        Strategy::Processes => costs.effort_processes,
        Strategy::Hybrid => costs.effort_hybrid,
        Strategy::Async if event_loop => costs.effort_async_already,
        Strategy::Async => costs.effort_async,
    }
}

/// What binds the program now.
pub(super) fn verdict(case: &Case<'_>) -> Verdict {
    let outcomes = case.rules.evaluate(RuleKind::Verdict, &case.facts);
    let confidence = confidence::level(confidence::verdict(&case.facts, &case.costs), &case.costs);
    let verdict = first_verdict(case.rules, &case.facts, &outcomes, confidence);
    // A share that close to where the verdict turns may stand on the other side of it in the next run; and so may one
    // that would be there if other programs had left the CPUs free.
    let turns_at = case.rules.constant("dominates");
    let queueing = case.facts.get_number("wall.runnable").unwrap_or(0.0).min(0.99);
    let at_the_edge = turns_at.is_some_and(|edge| {
        let (low, high) = (verdict.share, verdict.share / (1.0 - queueing));
        let near = case.costs.confidence_edge;
        low - near < edge && edge < high + near
    });
    let confidence =
        if at_the_edge { verdict.confidence.min(Confidence::Medium) } else { verdict.confidence };
    Verdict { confidence, ..verdict }
}

/// The first verdict that fires; "mixed" with low confidence where none does.
pub(super) fn first_verdict(
    rules: &RuleSet,
    facts: &Facts,
    outcomes: &[Outcome<'_>],
    confidence: Confidence,
) -> Verdict {
    let fired = outcomes.iter().find(|outcome| outcome.truth == Truth::True);
    let Some((outcome, Then::Verdict { bound_by, share })) = fired.map(|o| (o, &o.rule.then)) else {
        return Verdict { bound_by: "mixed".to_owned(), ..Verdict::default() };
    };
    let share = share.number(rules, facts);
    Verdict {
        bound_by: bound_by.clone(),
        confidence: if share.is_ok() { confidence } else { Confidence::Low },
        share: share.unwrap_or_default(),
        summary: outcome.rule.because.render(rules, facts),
        rule: outcome.rule.id.clone(),
    }
}

/// Rules that could not be decided for want of facts that could be learned.
pub(super) fn not_decided(case: &Case<'_>) -> Vec<NotDecided> {
    // Of what was only described a first profile may tell everything.
    let stated = confidence::is_stated(&case.facts);
    [RuleKind::Gate, RuleKind::Cap, RuleKind::Prefer]
        .into_iter()
        .flat_map(|kind| case.rules.evaluate(kind, &case.facts))
        .filter_map(|outcome| {
            let Truth::Unknown(missing) = outcome.truth else { return None };
            let specs: Vec<_> = missing
                .iter()
                .filter_map(|name| facts::spec(name))
                .filter(
                    |spec| if stated { is_of_the_work(spec.name) } else { spec.needs_more_than_a_profile() },
                )
                .filter(|spec| !spec.name.starts_with("pred.") && !spec.name.starts_with("goal."))
                // What a program has not got cannot be learned about it.
                .filter(|spec| case.facts.reason(spec.name) != Some(facts::NO_ITEMS))
                .collect();
            let how_to_learn = match specs.first()? {
                spec if stated && !spec.only_the_user_knows() => facts::PROFILE.to_owned(),
                spec => spec.how_to_learn.to_owned(),
            };
            let missing = specs.iter().map(|spec| spec.name.to_owned()).collect();
            Some(NotDecided { rule: outcome.rule.id.clone(), missing, how_to_learn })
        })
        .collect()
}

/// Whether a fact is about the work and not about a run of it: what a description could hold.
fn is_of_the_work(name: &str) -> bool {
    ["region.", "wait.", "cpu.", "runtime.", "limit.", "data.", "work."]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

/// The action a gate names.
pub(super) fn action_of(then: &Then) -> Option<Action> {
    match then {
        Then::Gate { action: Some(name), .. } => Action::from_name(name),
        _ => None,
    }
}
