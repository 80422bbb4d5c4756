//! Acceptance cases of the model: worked figures of the guide, as data, run against the same code as advice is.

use super::model::replay::{Recorded, Replay};
use super::model::{Choice, Costs, Curve, Host, Networks, Work};
use super::predict::{self, Plan};
use super::types::Strategy;
use super::work::{ItemSource, Subject};
use crate::facts::Value;
use crate::rules::{Datum, ModelCase, RuleSet};

/// Runs one acceptance case.
///
/// # Errors
/// Which output is not as expected, with both numbers; or which input or output the model does not have.
pub fn run_model_case(rules: &RuleSet, case: &ModelCase) -> Result<(), String> {
    let costs = Costs::read(|name| rules.model(name))
        .map_err(|missing| format!("the model lacks {}", missing.join(", ")))?;
    let inputs = Inputs::read(case)?;
    let outputs = inputs.outputs(&costs)?;
    for (name, expected) in &case.expect {
        let Some(found) = outputs.iter().find(|(known, _)| known == name).map(|(_, value)| value) else {
            let known: Vec<_> = outputs.iter().map(|(name, _)| *name).collect();
            return Err(format!("no output `{name}`; there are {}", known.join(", ")));
        };
        if !expected.accepts(found) {
            return Err(format!("{name} is {found:?}, expected {expected:?}"));
        }
    }
    Ok(())
}

struct Inputs {
    subject: Subject,
    strategy: Strategy,
    workers: Option<usize>,
}

impl Inputs {
    fn read(case: &ModelCase) -> Result<Self, String> {
        let mut work = Work { items: 1, ..Work::default() };
        let mut host = Host { cores: 1.0, gil: false, loops: 1.0 };
        let mut recorded = Vec::new();
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
                ("waits", Datum::Numbers(waits)) => {
                    recorded.extend(waits.iter().map(|wait| Recorded {
                        count: 1,
                        wait: *wait,
                        cpu_gil: 0.0,
                        cpu_native: 0.0,
                    }));
                }
                _ => return Err(format!("the model takes no input `{name}` of this kind")),
            }
        }
        if !recorded.is_empty() {
            work.items = recorded.len() as u64;
            work.wait = recorded.iter().map(|one| one.wait).sum::<f64>() / recorded.len() as f64;
            longest = longest.or_else(|| recorded.iter().map(|one| one.wait).reduce(f64::max));
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
