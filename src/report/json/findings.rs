//! Findings of the scan in schema 1, with what was measured of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::write::seconds;
use crate::catalog::Effect;
use crate::join::{InSource, Measured};

/// A finding of the scan.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct FindingV1 {
    /// The rule that says so.
    rule: String,
    /// Source file, relative to the root of the scan.
    file: String,
    /// Line in it.
    line: u32,
    /// Column in that, code points.
    column: u32,
    /// The function or class around it.
    function: String,
    /// How bad: `note`, `warning`, `error`.
    severity: String,
    /// How sure.
    confidence: String,
    /// Whether it is an opportunity and no mistake.
    opportunity: bool,
    /// One sentence.
    message: String,
    /// What to write instead.
    cure: String,
    /// Wall time that the program spent on the line; null: the line was in no stack that was seen.
    measured_s: Option<f64>,
    /// Thread-time that was waited through the line; null as above.
    waited_s: Option<f64>,
    /// CPU time through the line; null as above.
    cpu_s: Option<f64>,
    /// Waits that ended there; null as above.
    waits: Option<u64>,
    /// Stable across edits elsewhere in the file.
    fingerprint: String,
}

/// What a scan says of the line of a site.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct InSourceV1 {
    /// Whether its file was scanned.
    scanned: bool,
    /// Whether a finding is on the line.
    finding: bool,
    /// The call there that does what was measured, by its name in the catalogue; null: not known.
    call: Option<String>,
    /// What the catalogue says that it waits for; null: it computes, or the call is not known.
    waits_for: Option<String>,
    /// Whether it lets go of the interpreter lock while it computes; null: not known.
    releases_gil: Option<bool>,
    /// What to call instead on an event loop.
    async_sibling: Option<String>,
    /// What to do, where no sibling says it.
    cure: Option<String>,
}

pub(super) fn in_source(known: &InSource) -> InSourceV1 {
    let InSource { scanned, found, call } = known;
    let effect = call.as_ref().map(|api| &api.effect);
    InSourceV1 {
        scanned: *scanned,
        finding: *found,
        call: call.as_ref().map(|api| api.name.clone()),
        waits_for: match effect {
            Some(Effect::Blocks { wait, .. }) => Some(wait.name().to_owned()),
            _ => None,
        },
        releases_gil: match effect {
            Some(Effect::Computes { releases_gil, .. }) => *releases_gil,
            _ => None,
        },
        async_sibling: call.as_ref().and_then(|api| api.sibling.clone()),
        cure: call.as_ref().and_then(|api| api.cure.clone()),
    }
}

pub(super) fn finding(measured: &Measured) -> FindingV1 {
    let Measured { finding, spent } = measured;
    FindingV1 {
        rule: finding.seen.rule.to_owned(),
        file: finding.seen.place.path.to_string(),
        line: finding.seen.place.line,
        column: finding.seen.place.column,
        function: finding.seen.symbol.to_string(),
        severity: finding.severity.name().to_owned(),
        confidence: finding.confidence.name().to_owned(),
        opportunity: finding.opportunity,
        message: finding.message.clone(),
        cure: finding.cure.clone(),
        measured_s: spent.map(|spent| seconds(spent.wall)),
        waited_s: spent.map(|spent| seconds(spent.waited)),
        cpu_s: spent.map(|spent| seconds(spent.computed)),
        waits: spent.map(|spent| spent.waits),
        fingerprint: finding.fingerprint.clone(),
    }
}
