//! How the sources of a recording fared, as it states that.

use serde::{Deserialize, Serialize};

use crate::profile::levels::{Levels, Reasons};
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

/// How switches were told: whether at all, why not, records lost, pauses; and how their reasons were.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(in crate::profile::source::replay) struct LevelsLine(
    bool,
    Option<String>,
    u64,
    u64,
    #[serde(default)] ReasonsLine,
);

/// Whether they were told at all, why not, time of the waits that were told and of the others, functions nobody knows with
/// theirs, and how often the kernel was not asked for a while.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct ReasonsLine(bool, Option<String>, u64, u64, Vec<(String, u64)>, u64);

impl From<Levels> for LevelsLine {
    fn from(Levels { followed, refused, lost, pauses, reasons }: Levels) -> Self {
        let Reasons { followed: asked, refused: why, told, missed, others, pauses: breaks } = reasons;
        Self(followed, refused, lost, pauses, ReasonsLine(asked, why, told, missed, others, breaks))
    }
}

impl From<LevelsLine> for Levels {
    fn from(LevelsLine(followed, refused, lost, pauses, reasons): LevelsLine) -> Self {
        let ReasonsLine(asked, why, told, missed, others, breaks) = reasons;
        let reasons = Reasons { followed: asked, refused: why, told, missed, others, pauses: breaks };
        Self { followed, refused, lost, pauses, reasons }
    }
}
