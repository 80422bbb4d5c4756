//! When another choice would win: the nearest change of one demand that turns threads and processes around.

use super::model::{Costs, Work};
use super::predict::{self, Plan, Plans};
use super::types::Strategy;
use super::work::Subject;
use crate::units;

/// One sentence, where a turning point lies within reach.
pub(super) fn flip(subject: &Subject, plan: &Plan, plans: &Plans, costs: &Costs) -> Option<String> {
    if !subject.host.gil || plans.get(Strategy::Processes).is_none() {
        return None;
    }
    match plan.strategy {
        Strategy::Threads | Strategy::Async if subject.work.cpu_gil > 0.0 => {
            let longer = [1.5, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 30.0, 50.0];
            let cpu = longer.into_iter().map(|factor| subject.work.cpu_gil * factor).find(|cpu| {
                let work = Work { cpu_gil: *cpu, ..subject.work };
                faster(Strategy::Processes, plan.strategy, subject, work, costs)
            })?;
            Some(format!(
                "processes would win once an item computes for about {} under the interpreter lock; now it is {}",
                units::seconds(cpu),
                units::seconds(subject.work.cpu_gil)
            ))
        }
        Strategy::Processes if subject.work.cpu() > 0.0 => {
            let cpu = subject.work.cpu();
            let now = subject.work.cpu_native / cpu;
            let share =
                (1..=10).map(|tenth| f64::from(tenth) / 10.0).filter(|share| *share > now).find(|share| {
                    let work = Work { cpu_gil: cpu * (1.0 - share), cpu_native: cpu * share, ..subject.work };
                    faster(Strategy::Threads, Strategy::Processes, subject, work, costs)
                })?;
            Some(format!(
                "threads would do as well once {} of the CPU time is outside the interpreter lock; now it is {}",
                units::percent(share),
                units::percent(now)
            ))
        }
        _ => None,
    }
}

/// Whether `one` is at least about as fast as `other` with these demands, by the closed form.
fn faster(one: Strategy, other: Strategy, subject: &Subject, work: Work, costs: &Costs) -> bool {
    let longest = work.longest.max(work.wait + work.cpu());
    let changed = Subject { work: Work { longest, ..work }, recorded: Vec::new(), ..subject.clone() };
    let plans = predict::predict(&changed, &[], costs);
    match (plans.get(one), plans.get(other)) {
        (Some(one), Some(other)) => one.time * 1.02 <= other.time,
        _ => false,
    }
}
