//! Acceptance cases as data, run against the same code as advice is: of the model, which are the worked figures of the
//! guide, and of the advice as a whole, from facts to the number of workers and how sure it is.

use std::time::Duration;

use super::decide::Decision;
use super::model::replay::Replay;
use super::model::{Choice, Costs, Curve, Host, Networks, Work};
use super::predict::{self, Plan};
use super::types::Advice;
use super::types::Strategy;
use super::work::{self, ItemSource, Subject};
use super::{Case, confidence, decide};
use crate::facts::{self, Facts, Origin, Scanned, Value};
use crate::profile::{Items, Profile, Segment};
use crate::rules::{Datum, ModelCase, RuleSet};

/// Runs one acceptance case.
///
/// # Errors
/// Which output is not as expected, with both numbers; or which input or output the model does not have.
pub fn run_model_case(rules: &RuleSet, case: &ModelCase) -> Result<(), String> {
    let costs = Costs::read(|name| rules.model(name))
        .map_err(|missing| format!("the model lacks {}", missing.join(", ")))?;
    let inputs = Inputs::read(case, &costs)?;
    let outputs = inputs.outputs(&costs)?;
    compare(case, |name| {
        let found = outputs.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone()).ok_or_else(|| {
            let known: Vec<_> = outputs.iter().map(|(name, _)| *name).collect();
            format!("no output `{name}`; there are {}", known.join(", "))
        })
    })
}

/// Everything that is not as expected.
fn compare(case: &ModelCase, output: impl Fn(&str) -> Result<Value, String>) -> Result<(), String> {
    let mut wrong = Vec::new();
    for (name, expected) in &case.expect {
        match output(name) {
            Ok(found) if expected.accepts(&found) => {}
            Ok(found) => wrong.push(format!("{name} is {found:?}, expected {expected}")),
            Err(missing) => wrong.push(missing),
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}

/// Runs one acceptance case of the advice: facts by name, and `assumed`, the name of one that nobody stated or measured.
///
/// # Errors
/// As [`run_model_case`].
pub fn run_advice_case(rules: &RuleSet, case: &ModelCase) -> Result<(), String> {
    let costs = Costs::read(|name| rules.model(name))
        .map_err(|missing| format!("the model lacks {}", missing.join(", ")))?;
    let (case_of, decision) =
        super::work_out(stated(case)?, &Profile::default(), &Scanned::default(), rules, &costs);
    let advice = super::tell(&case_of, &decision);
    compare(case, |name| {
        told(&case_of, &decision, &advice, name).ok_or_else(|| format!("{name} is not known"))
    })
}

/// The facts of a case.
fn stated(case: &ModelCase) -> Result<Facts, String> {
    let mut facts = Facts::default();
    for (name, datum) in &case.given {
        let Datum::One(value) = datum else { return Err(format!("`{name}` is one value")) };
        if name == "assumed" {
            continue;
        }
        facts::spec(name).ok_or_else(|| format!("no fact is called `{name}`"))?;
        let assumed =
            matches!(case.given.get("assumed"), Some(Datum::One(Value::Text(word))) if word == name);
        let origin = if assumed { Origin::Assumed } else { Origin::Declared };
        facts.set(name, value.clone(), origin);
    }
    Ok(facts)
}

/// A fact that was predicted, or a part of the advice, by its name in a report; `sure` is the confidence as a number,
/// `low.threads` and `high.threads` the interval of a strategy, and `score.threads` what it is weighed at against others.
fn told(case: &Case<'_>, decision: &Decision, advice: &Advice, name: &str) -> Option<Value> {
    let (number, text) = (Value::Number, |word: &str| Value::Text(word.to_owned()));
    let one = advice.recommendations.first()?;
    let favourite = || case.plans.get(*decision.ranking.first()?);
    if let Some((what, strategy)) = name.split_once('.')
        && let Some(plan) = Strategy::from_name(strategy).and_then(|strategy| case.plans.get(strategy))
    {
        return Some(number(match what {
            "score" => decide::score(case, plan),
            "low" => case.plans.now / plan.slow,
            "high" => case.plans.now / plan.fast,
            _ => return None,
        }));
    }
    if let Some(fact) = case.facts.get(name) {
        return Some(fact.value.clone());
    }
    Some(match name {
        "strategy" => text(one.strategy.name()),
        "action" => text(one.action.name()),
        "rule" => text(&one.rule),
        "workers" => number(f64::from(one.workers.as_ref()?.suggested)),
        "workers_low" => number(f64::from(one.workers.as_ref()?.low)),
        "workers_high" => number(f64::from(one.workers.as_ref()?.high)),
        "speedup" => number(one.predicted?.speedup),
        "low" => number(one.predicted?.low),
        "high" => number(one.predicted?.high),
        "memory" => number(one.memory? as f64),
        "construct" => text(one.construct.as_ref()?),
        "tasks" => number(one.cluster.as_ref()?.tasks as f64),
        "confidence" => text(one.confidence.name()),
        "sure" => number(confidence::plan(case, favourite()?)),
        "sure_of_verdict" => number(confidence::verdict(&case.facts, &case.costs)),
        "confidence_of_verdict" => text(advice.verdict.confidence.name()),
        _ => return None,
    })
}

struct Inputs {
    subject: Subject,
    strategy: Strategy,
    workers: Option<usize>,
}

impl Inputs {
    fn read(case: &ModelCase, costs: &Costs) -> Result<Self, String> {
        let mut work = Work { items: 1, ..Work::default() };
        let mut host = Host { cores: 1.0, gil: false, loops: 1.0 };
        let mut waits: &[f64] = &[];
        let mut strategy = None;
        let mut workers = None;
        let mut longest = None;
        for (name, datum) in &case.given {
            match (name.as_str(), datum) {
                ("n", Datum::One(Value::Number(n))) => work.items = *n as u64,
                ("wait", Datum::One(Value::Number(n))) => work.wait = *n,
                ("cpu_gil", Datum::One(Value::Number(n))) => work.cpu_gil = *n,
                ("cpu_native", Datum::One(Value::Number(n))) => work.cpu_native = *n,
                ("disk", Datum::One(Value::Number(n))) => work.disk = *n,
                ("held", Datum::One(Value::Number(n))) => work.held = *n,
                ("cv", Datum::One(Value::Number(n))) => work.cv = *n,
                ("longest", Datum::One(Value::Number(n))) => longest = Some(*n),
                ("serial", Datum::One(Value::Number(n))) => work.serial = *n,
                ("payload", Datum::One(Value::Number(n))) => work.payload = *n,
                ("p_eff", Datum::One(Value::Number(n))) => host.cores = *n,
                ("gil", Datum::One(Value::Bool(gil))) => host.gil = *gil,
                ("workers", Datum::One(Value::Number(n))) => workers = Some(*n as usize),
                ("strategy", Datum::One(Value::Text(name))) => strategy = Strategy::from_name(name),
                ("waits", Datum::Numbers(each)) => waits = each,
                _ => return Err(format!("the model takes no input `{name}` of this kind")),
            }
        }
        let mut recorded = Vec::new();
        if !waits.is_empty() {
            // Who says how many there are besides listing them says what was counted beside what was recorded.
            if !case.given.contains_key("n") {
                work.items = waits.len() as u64;
            }
            work.wait = waits.iter().sum::<f64>() / waits.len() as f64;
            longest = longest.or_else(|| waits.iter().copied().reduce(f64::max));
            let segment = |wait: &f64| Segment {
                count: 1,
                wait: Duration::from_secs_f64(*wait),
                cpu_gil: Duration::from_secs_f64(work.cpu_gil),
                cpu_native: Duration::from_secs_f64(work.cpu_native),
            };
            let items = Items {
                count: work.items,
                segments: waits.iter().map(segment).collect(),
                longest: longest.map(|longest| Duration::from_secs_f64(longest + work.cpu())),
                ..Items::default()
            };
            recorded = work::recorded(&items, host.gil, costs);
        }
        work.longest = longest.unwrap_or(work.wait + work.cpu());
        let strategy = strategy.ok_or("a case needs a `strategy`")?;
        let subject = Subject {
            spare: 1.0,
            work,
            host,
            recorded,
            now: Strategy::Sequential,
            now_workers: 1,
            now_items: work.sequential(),
            items: ItemSource::Seen,
        };
        Ok(Self { subject, strategy, workers })
    }

    fn outputs(&self, costs: &Costs) -> Result<Vec<(&'static str, Value)>, String> {
        let plans = predict::predict(&self.subject, &[], costs);
        let chosen = plans.get(self.strategy).ok_or("the model has no such strategy for these inputs")?;
        let plan = match self.workers {
            Some(workers) => {
                self.fixed(chosen, workers, costs).ok_or("a pool is due where workers are given")?
            }
            None => chosen.clone(),
        };
        let number = Value::Number;
        let items = plan.time - plan.start - self.subject.work.serial;
        let rounds = self.subject.work.items.div_ceil(plan.choice.workers.max(1) as u64);
        let mut out = vec![
            ("time", number(plan.time)),
            ("items", number(items)),
            ("gain", number(plans.gain(&plan))),
            ("workers", number(plan.choice.workers as f64)),
            ("rounds", number(rounds as f64)),
        ];
        out.extend(plan.barrier.map(|barrier| ("barrier", number(barrier))));
        out.extend(plans.plans.first().map(|best| ("fastest", Value::Text(best.strategy.name().to_owned()))));
        Ok(out)
    }

    /// The plan with a number of workers somebody else chose.
    fn fixed(&self, chosen: &Plan, workers: usize, costs: &Costs) -> Option<Plan> {
        let Subject { work, host, recorded, .. } = &self.subject;
        let networks = Networks::of(self.strategy, work, host, costs, chosen.batch)?;
        let point = Curve::closed_form(&networks, work, workers).at(workers)?;
        let replayed = Replay::of(self.strategy, recorded, work, host, costs, chosen.batch, workers)
            .map(|replay| point.start + replay.time(workers));
        Some(Plan {
            time: work.serial + replayed.unwrap_or(point.time),
            start: point.start,
            choice: Choice { workers, ..chosen.choice.clone() },
            ..chosen.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_acceptance_case_comes_out() {
        let rules = RuleSet::builtin().unwrap_or_else(|errors| {
            let text: Vec<_> = errors.iter().map(ToString::to_string).collect();
            panic!("{}", text.join("\n"))
        });
        assert!(rules.model_cases().len() >= 40, "{}", rules.model_cases().len());
        let failures: Vec<_> = rules
            .model_cases()
            .iter()
            .filter_map(|case| run_model_case(&rules, case).err().map(|why| format!("{}: {why}", case.id)))
            .collect();
        assert!(failures.is_empty(), "{}", failures.join("\n"));
        let of_advice = rules.advice_cases().iter();
        let failures: Vec<_> = of_advice
            .filter_map(|case| run_advice_case(&rules, case).err().map(|why| format!("{}: {why}", case.id)))
            .collect();
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }

    #[test]
    fn no_coefficient_can_be_a_fifth_larger_or_smaller_without_a_case_that_notices() {
        let rules = RuleSet::builtin().unwrap();
        let notices = |moved: &RuleSet| {
            moved.advice_cases().iter().any(|case| run_advice_case(moved, case).is_err())
                || moved.model_cases().iter().any(|case| run_model_case(moved, case).is_err())
        };
        let survivors: Vec<String> = Costs::NAMES
            .iter()
            .flat_map(|name| [0.8, 1.2].map(|factor| (name, factor)))
            .filter(|(name, factor)| !notices(&rules.with_coefficient(name, *factor)))
            .map(|(name, factor)| format!("{name} × {factor}"))
            .collect();
        assert!(survivors.is_empty(), "no case notices {}", survivors.join(", "));
    }

    #[test]
    fn every_shipped_rule_passes_its_own_tests() {
        let failures = crate::rules::check(&RuleSet::builtin().unwrap());
        let text: Vec<_> = failures.iter().map(|f| format!("{:?} {}: {}", f.kind, f.rule, f.what)).collect();
        assert!(text.is_empty(), "{}", text.join("\n"));
    }

    #[test]
    fn the_rules_have_every_coefficient() {
        let rules = RuleSet::builtin().unwrap();
        assert_eq!(rules.missing_coefficients(Costs::NAMES), Vec::new());
    }
}
