//! What a plan does to the repeated work it is about, apart from the rest of the program.

use super::Case;
use super::predict::Plan;
use super::types::RegionGain;
use super::work::ItemSource;
use crate::facts::Value;

/// The gain of the work alone; `None` where there is nothing to compare.
pub(super) fn gain(case: &Case<'_>, plan: &Plan) -> Option<RegionGain> {
    let subject = case.subject.as_ref()?;
    let serial = subject.work.serial;
    let (now, then) = (case.plans.now - serial, plan.time - serial);
    if now <= 0.0 || then <= 0.0 {
        return None;
    }
    let number = |name: &str| case.facts.get_number(name);
    let wall = number("run.wall").filter(|wall| *wall > 0.0)?;
    let seen = subject.items != ItemSource::Divisible;
    let region = case.region.as_ref();
    Some(RegionGain {
        at: region.map(|region| region.at.clone()),
        caller: region.and_then(|region| region.callers.first().cloned()),
        share: (1.0 - serial / wall).clamp(0.0, 1.0),
        speedup: now / then,
        items: seen.then_some(subject.work.items),
        cv: number("region.cv").filter(|_| seen),
        independent: match case.facts.get("region.independent").map(|fact| &fact.value) {
            Some(Value::Bool(independent)) => Some(*independent),
            _ => None,
        },
        serial_s: serial,
    })
}
