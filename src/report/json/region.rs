//! Where repeated work is and what becomes of it, in schema 1: written and read back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::code::{LocationV1, location, location_v1};
use super::read::{JsonError, at_least_zero, share};
use super::write::derived;
use crate::advice::RegionGain;
use crate::profile::{Location, Region};

/// Where in the program's own code the items are.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct RegionV1 {
    /// Source file of the line that most of their waiting is on.
    file: Option<String>,
    /// Line in it.
    line: Option<u32>,
    /// Function.
    function: String,
    /// What the line calls, where that is a library.
    call: Option<String>,
    /// The program's own code that leads there, nearest first.
    #[serde(default)]
    callers: Vec<LocationV1>,
    /// The function that waits, and does nothing else of an item; null: it waits among other things.
    waits_in: Option<String>,
    /// The line that most of their computing is on; null: not seen, or in several functions.
    computes_at: Option<LocationV1>,
    /// The function that computes, and does nothing else of an item; null: it computes among other things.
    computes_in: Option<String>,
}

/// The repeated work that a plan is about, and what becomes of it alone.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct RegionGainV1 {
    /// The line it is at; null: not seen.
    site: Option<LocationV1>,
    /// The program's own code that calls the function it is in.
    caller: Option<LocationV1>,
    /// Share of the wall time.
    share: Option<f64>,
    /// How much faster it becomes; `predicted` is of the whole program.
    speedup: Option<f64>,
    /// Items; null: none were told apart.
    items: Option<u64>,
    /// Coefficient of variation of an item's duration.
    cv: Option<f64>,
    /// Whether the items are independent of each other; null: nobody knows.
    independent: Option<bool>,
    /// Wall time of the rest of the program, which the plan leaves as it is.
    serial_s: Option<f64>,
}

pub(super) fn region_v1(region: &Region) -> RegionV1 {
    let Location { function, file, line } = region.at.clone();
    RegionV1 {
        file,
        line,
        function,
        call: region.call.clone(),
        callers: region.callers.iter().map(location_v1).collect(),
        waits_in: region.waits_in.clone(),
        computes_at: region.computes_at.as_ref().map(location_v1),
        computes_in: region.computes_in.clone(),
    }
}

pub(super) fn region(found: &RegionV1) -> Region {
    let RegionV1 { file, line, function, .. } = found;
    Region {
        at: Location { function: function.clone(), file: file.clone(), line: *line },
        call: found.call.clone(),
        callers: found.callers.iter().map(location).collect(),
        waits_in: found.waits_in.clone(),
        computes_at: found.computes_at.as_ref().map(location),
        computes_in: found.computes_in.clone(),
    }
}

pub(super) fn gain_v1(gain: &RegionGain) -> RegionGainV1 {
    RegionGainV1 {
        site: gain.at.as_ref().map(location_v1),
        caller: gain.caller.as_ref().map(location_v1),
        share: derived(gain.share),
        speedup: derived(gain.speedup),
        items: gain.items,
        cv: gain.cv.and_then(derived),
        independent: gain.independent,
        serial_s: derived(gain.serial_s),
    }
}

pub(super) fn gain(found: &RegionGainV1, i: usize) -> Result<RegionGain, JsonError> {
    let number =
        |value: f64, name: &str| at_least_zero(value, format_args!("recommendations[{i}].region.{name}"));
    Ok(RegionGain {
        at: found.site.as_ref().map(location),
        caller: found.caller.as_ref().map(location),
        share: share(found.share.unwrap_or_default(), format_args!("recommendations[{i}].region.share"))?,
        speedup: number(found.speedup.unwrap_or_default(), "speedup")?,
        items: found.items,
        cv: found.cv.map(|cv| number(cv, "cv")).transpose()?,
        independent: found.independent,
        serial_s: number(found.serial_s.unwrap_or_default(), "serial_s")?,
    })
}
