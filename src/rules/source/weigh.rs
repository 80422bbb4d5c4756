//! Observations into findings: severity by cost, lowered by circumstances, and the texts filled in.

use std::collections::{BTreeMap, BTreeSet};

use super::{SourceKind, SourceRule, SourceRules};
use crate::finding::{Confidence, Finding, Mitigation, Observation, Severity};
use crate::units;

/// What became of observations.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Weighed {
    /// In the order of the observations.
    pub findings: Vec<Finding>,
    /// Rules that were observed and of which no file says anything: a broken installation.
    pub without_rule: BTreeSet<&'static str>,
}

impl SourceRules {
    /// Weighs observations that are in order of place: the fingerprint of equals counts them.
    #[must_use]
    pub fn weigh(&self, observations: Vec<Observation>) -> Weighed {
        let by_id: BTreeMap<&str, &SourceRule> =
            self.rules.iter().map(|rule| (rule.id.as_str(), rule)).collect();
        let mut weighed = Weighed::default();
        let mut equals: BTreeMap<String, usize> = BTreeMap::new();
        for seen in observations {
            let Some(rule) = by_id.get(seen.rule) else {
                weighed.without_rule.insert(seen.rule);
                continue;
            };
            let key = key(&seen);
            let number = equals.entry(key.clone()).or_default();
            *number += 1;
            let fingerprint = fingerprint(&key, *number);
            weighed.findings.push(rule.finding(seen, fingerprint));
        }
        weighed
    }
}

impl SourceRule {
    fn finding(&self, seen: Observation, fingerprint: String) -> Finding {
        let by_cost = seen.cost.and_then(|cost| self.severity.by_cost.get(&cost).copied());
        let mut severity = by_cost.unwrap_or(self.severity.otherwise);
        let mut confidence = self.confidence;
        for mitigation in &seen.mitigations {
            let steps = self.lowered_by.get(mitigation).copied().unwrap_or(0);
            if lowers_confidence(*mitigation) {
                confidence = lower(Confidence::ALL, confidence, steps);
            } else {
                severity = lower(Severity::ALL, severity, steps);
            }
        }
        let values = values(&seen);
        let [message, why, cure] = [&self.message, &self.why, &self.cure].map(|words| words.fill(&values));
        let opportunity = self.kind == SourceKind::Opportunity;
        Finding { seen, severity, confidence, message, why, cure, opportunity, fingerprint }
    }
}

/// Most circumstances make a finding matter less; these make it less certain.
fn lowers_confidence(mitigation: Mitigation) -> bool {
    matches!(mitigation, Mitigation::DeepChain | Mitigation::Inferred)
}

fn lower<T: Copy + PartialEq>(all: &[T], from: T, steps: u8) -> T {
    let at = all.iter().position(|value| *value == from).unwrap_or(0);
    all[at.saturating_sub(usize::from(steps))]
}

/// What the names in a rule's texts stand for.
fn values(seen: &Observation) -> BTreeMap<&'static str, String> {
    let callee = seen.chains.first().and_then(|chain| chain.last()).map_or(&seen.subject, |hop| &hop.callee);
    let mut values = BTreeMap::from([
        ("subject", seen.subject.to_string()),
        ("symbol", seen.symbol.to_string()),
        ("callee", callee.to_string()),
        ("callers", units::count(seen.reached_from as u64, "function")),
    ]);
    values.extend(seen.wait.map(|wait| ("wait", wait.name().to_owned())));
    values.extend(seen.cost.map(|cost| ("cost", cost.name().to_owned())));
    values.extend(seen.facts.iter().cloned());
    values
}

fn key(seen: &Observation) -> String {
    [seen.rule, &*seen.place.path, &*seen.symbol, &*seen.subject].join("\n")
}

/// A name for a finding that edits elsewhere in its file do not change.
#[must_use]
pub fn fingerprint(key: &str, number: usize) -> String {
    // FNV-1a of 128 bits: baselines outlive releases, so the hash must be one that never changes.
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let bytes = key.bytes().chain(b"\n".iter().copied()).chain(number.to_string().into_bytes());
    let hash = bytes.fold(BASIS, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME));
    format!("{hash:032x}")
}
