//! What the groups of a process allow: CPU quota, memory, tasks.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{Controller, Found, Place, Version, locate};
use crate::machine::tree::Tree;

/// Version 1 writes "no limit" as the largest page count in bytes, which depends on the page size; older kernels
/// write the largest 64-bit number. No real limit is near either.
const V1_UNLIMITED: u64 = 0x7fff_ffff_fff0_0000;

/// The tightest CPU quota.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CpuLimit {
    /// Cores; `None`: no level has a quota.
    pub(crate) cores: Option<f64>,
    /// Version of the files.
    pub(crate) version: Version,
    /// The directories that set a quota, innermost first.
    pub(crate) limiting: Vec<PathBuf>,
    /// Files that exist and could not be read or understood.
    pub(crate) unread: Vec<String>,
}

/// The tightest memory limit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct MemoryLimit {
    /// Bytes; `None`: no level has a limit.
    pub(crate) limit: Option<u64>,
    /// What may still be used below the limit, page cache that can be dropped included, bytes.
    pub(crate) available: Option<u64>,
    /// Files that exist and could not be read or understood.
    pub(crate) unread: Vec<String>,
}

/// The tightest CPU quota over all visible ancestors of `pid`.
pub(crate) fn cpu(tree: &Tree, pid: Option<i32>) -> Found<CpuLimit> {
    let place = locate(tree, pid, Controller::Cpu)?;
    let mut reader = Reader::new(tree);
    let mut limit =
        CpuLimit { cores: None, version: place.version, limiting: Vec::new(), unread: Vec::new() };
    for level in &place.levels {
        let quota = match place.version {
            Version::V1 => reader
                .parse(level, "cpu.cfs_quota_us", |text| text.trim().parse::<i64>().ok())
                .zip(reader.parse(level, "cpu.cfs_period_us", |text| text.trim().parse::<i64>().ok()))
                .and_then(|(quota, period)| cores(quota, period)),
            Version::V2 => reader.parse(level, "cpu.max", parse_cpu_max).flatten(),
        };
        if let Some(quota) = quota {
            limit.cores = Some(limit.cores.map_or(quota, |tightest: f64| tightest.min(quota)));
            limit.limiting.push(level.clone());
        }
    }
    limit.unread = reader.unread;
    Ok(limit)
}

/// The tightest memory limit over all visible ancestors of `pid`.
pub(crate) fn memory(tree: &Tree, pid: Option<i32>) -> Found<MemoryLimit> {
    let Place { version, levels } = locate(tree, pid, Controller::Memory)?;
    let mut reader = Reader::new(tree);
    let mut tightest = MemoryLimit::default();
    // Above `memory.high` a group is slowed down until it shrinks: for sizing it is as hard as `memory.max`.
    let (limits, usage, cache): (&[&str], _, _) = match version {
        Version::V1 => (&["memory.limit_in_bytes"], "memory.usage_in_bytes", "total_inactive_file "),
        Version::V2 => (&["memory.max", "memory.high"], "memory.current", "inactive_file "),
    };
    for level in &levels {
        let limit = limits.iter().filter_map(|file| reader.parse(level, file, parse_limit).flatten()).min();
        let Some(limit) = limit else { continue };
        tightest.limit = Some(tightest.limit.map_or(limit, |other| other.min(limit)));
        let Some(used) = reader.parse(level, usage, |text| text.trim().parse::<u64>().ok()) else { continue };
        let droppable = reader.parse(level, "memory.stat", |text| field(text, cache)).unwrap_or(0);
        let free = limit.saturating_sub(used.saturating_sub(droppable));
        tightest.available = Some(tightest.available.map_or(free, |other| other.min(free)));
    }
    tightest.unread = reader.unread;
    Ok(tightest)
}

/// The tightest limit on tasks over all visible ancestors of `pid`; `Ok(None)`: no limit.
pub(crate) fn tasks(tree: &Tree, pid: Option<i32>) -> Found<Option<u64>> {
    let place = locate(tree, pid, Controller::Pids)?;
    let mut reader = Reader::new(tree);
    let limits =
        place.levels.iter().filter_map(|level| reader.parse(level, "pids.max", parse_limit)).flatten();
    Ok(limits.min())
}

/// Reads files of groups; a file that is absent (the root has none, or the controller is off at that level) is no
/// limit, one that is there and cannot be used is kept as a complaint.
struct Reader<'t> {
    tree: &'t Tree,
    unread: Vec<String>,
}

impl<'t> Reader<'t> {
    fn new(tree: &'t Tree) -> Self {
        Self { tree, unread: Vec::new() }
    }

    fn parse<T>(&mut self, level: &Path, file: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let path = level.join(file);
        match self.tree.read(&path) {
            Ok(text) => {
                let value = parse(&text);
                if value.is_none() {
                    self.unread.push(format!("{} is not understood", path.display()));
                }
                value
            }
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                self.unread.push(format!("{} cannot be read ({error})", path.display()));
                None
            }
        }
    }
}

/// `max 100000` or `150000 100000`; the outer `None`: not understood, the inner: no quota.
#[allow(clippy::option_option)] // Two different answers: "no limit" must not look like a file nobody understands.
fn parse_cpu_max(text: &str) -> Option<Option<f64>> {
    let mut words = text.split_whitespace();
    let quota = words.next()?;
    let period = words.next().map_or(Some(100_000), |period| period.parse::<i64>().ok())?;
    if quota == "max" {
        return Some(None);
    }
    cores(quota.parse().ok()?, period).map(Some)
}

/// Version 1 writes -1 for "no quota".
fn cores(quota_us: i64, period_us: i64) -> Option<f64> {
    (quota_us > 0 && period_us > 0).then(|| quota_us as f64 / period_us as f64)
}

/// A number or `max`; the outer `None`: not understood, the inner: no limit.
#[allow(clippy::option_option)] // See `parse_cpu_max`.
fn parse_limit(text: &str) -> Option<Option<u64>> {
    match text.trim() {
        "max" | "-1" => Some(None),
        number => number.parse::<u64>().ok().map(|limit| (limit < V1_UNLIMITED).then_some(limit)),
    }
}

fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_in_both_notations() {
        assert_eq!(parse_cpu_max("150000 100000\n"), Some(Some(1.5)));
        assert_eq!(parse_cpu_max("max 100000\n"), Some(None));
        assert_eq!(parse_cpu_max("20000"), Some(Some(0.2)));
        for garbage in ["", "x 1", "1 x", "100 0", "-5 100000"] {
            assert_eq!(parse_cpu_max(garbage), None, "{garbage:?}");
        }
        assert_eq!(cores(-1, 100_000), None);
    }

    #[test]
    fn every_spelling_of_unlimited() {
        for unlimited in ["max", "-1", "9223372036854771712", "9223372036854710272", "18446744073709551615"] {
            assert_eq!(parse_limit(unlimited), Some(None), "{unlimited}");
        }
        assert_eq!(parse_limit("536870912\n"), Some(Some(536_870_912)));
        assert_eq!(parse_limit("lots"), None);
    }
}
