//! How the sources of a recording fared, as it states that.

use serde::{Deserialize, Serialize};

use crate::profile::levels::{Levels, Reasons, Wakeups};
use crate::profile::stack_reads::StackReads;

/// How call stacks were looked at: how many, how many torn, whether native ones, whether while they ran; and what could
/// not be used, and why.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(in crate::profile::source::replay) struct StackReadsLine(u64, u64, bool, bool, Vec<(String, String)>);

impl From<StackReads> for StackReadsLine {
    fn from(StackReads { read, torn, native, cpu_clock, refused, .. }: StackReads) -> Self {
        Self(read, torn, native, cpu_clock, refused)
    }
}

impl From<StackReadsLine> for StackReads {
    fn from(StackReadsLine(read, torn, native, cpu_clock, refused): StackReadsLine) -> Self {
        Self { read, torn, native, cpu_clock, refused, ..Self::default() }
    }
}

/// How switches were told: whether at all, why not, records lost, pauses; how their reasons were; and wake-ups that were told,
/// those that threads handed to one another, those that were lost.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(in crate::profile::source::replay) struct LevelsLine(
    bool,
    Option<String>,
    u64,
    u64,
    #[serde(default)] ReasonsLine,
    #[serde(default)] Option<(u64, u64, u64)>,
);

/// Whether they were told at all, why not, time of the waits that were told and of the others, functions nobody knows with
/// theirs, and how often the kernel was not asked for a while.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct ReasonsLine(bool, Option<String>, u64, u64, Vec<(String, u64)>, u64);

impl From<Levels> for LevelsLine {
    fn from(Levels { followed, refused, lost, pauses, reasons, wakeups }: Levels) -> Self {
        let Reasons { followed: asked, refused: why, told, missed, others, pauses: breaks } = reasons;
        let reasons = ReasonsLine(asked, why, told, missed, others, breaks);
        let wakeups = wakeups.map(|Wakeups { told, handed_over, lost }| (told, handed_over, lost));
        Self(followed, refused, lost, pauses, reasons, wakeups)
    }
}

impl From<LevelsLine> for Levels {
    fn from(LevelsLine(followed, refused, lost, pauses, reasons, wakeups): LevelsLine) -> Self {
        let ReasonsLine(asked, why, told, missed, others, breaks) = reasons;
        let reasons = Reasons { followed: asked, refused: why, told, missed, others, pauses: breaks };
        let wakeups = wakeups.map(|(told, handed_over, lost)| Wakeups { told, handed_over, lost });
        Self { followed, refused, lost, pauses, reasons, wakeups }
    }
}
