//! Which CPUs are online and which of them a process may use.

use std::collections::BTreeSet;
use std::path::Path;

use super::tree::Tree;

/// Far beyond any machine; keeps a garbled range from filling the memory.
const MOST_CPUS: u32 = 1 << 16;

/// The CPUs of a machine as one process sees them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Cpus {
    /// Online logical CPUs; `None`: not readable.
    pub(crate) online: Option<u32>,
    /// Those of them in the affinity mask of the process; `None`: not readable.
    pub(crate) affinity: Option<u32>,
}

/// Reads both from `/sys` and from the `status` file under `process`.
pub(crate) fn read(tree: &Tree, process: &Path) -> Cpus {
    let online = tree.read("/sys/devices/system/cpu/online").ok().and_then(|text| parse_list(&text));
    let allowed = tree.read(process.join("status")).ok().and_then(|text| allowed_cpus(&text));
    // The mask in `status` may name CPUs that exist only on paper (hot-plug slots); those run nothing.
    let affinity = allowed.map(|allowed| match &online {
        Some(online) => allowed.intersection(online).count(),
        None => allowed.len(),
    });
    let counted = || tree.read("/proc/cpuinfo").ok().and_then(|text| count_processors(&text));
    Cpus {
        online: online.map(|online| online.len() as u32).or_else(counted),
        affinity: affinity.filter(|&count| count > 0).map(|count| count as u32),
    }
}

fn allowed_cpus(status: &str) -> Option<BTreeSet<u32>> {
    status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).and_then(parse_list)
}

fn count_processors(cpuinfo: &str) -> Option<u32> {
    let is_processor =
        |line: &&str| line.strip_prefix("processor").is_some_and(|rest| rest.trim_start().starts_with(':'));
    let count = cpuinfo.lines().filter(is_processor).count() as u32;
    (count > 0).then_some(count)
}

/// The kernel's list format, `0-3,8,10-11`; `None` if it is empty or anything else.
fn parse_list(text: &str) -> Option<BTreeSet<u32>> {
    let mut cpus = BTreeSet::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.trim().parse::<u32>().ok()?, last.trim().parse::<u32>().ok()?);
        if first > last || last >= MOST_CPUS {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_as_the_kernel_prints_them() {
        assert_eq!(parse_list("0-3,8,10-11\n").map(|cpus| cpus.len()), Some(7));
        assert_eq!(parse_list("0\n").map(|cpus| cpus.len()), Some(1));
        for garbage in ["", "\n", "3-1", "a", "0-", "0-4294967295", "-1"] {
            assert_eq!(parse_list(garbage), None, "{garbage:?}");
        }
    }

    #[test]
    fn processors_are_counted_on_machines_that_write_cpuinfo_differently() {
        assert_eq!(count_processors("processor\t: 0\nmodel name\t: x\n\nprocessor\t: 1\n"), Some(2));
        assert_eq!(count_processors("Processor : ARMv7\n"), None);
    }
}
