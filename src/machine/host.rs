//! Memory and kernel release of the whole machine: from the sysinfo crate, or from `/proc` where that fails.

use sysinfo::{MemoryRefreshKind, RefreshKind, System};

use super::tree::Tree;

/// What does not depend on the process asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Host {
    /// Physical memory, bytes.
    pub(crate) memory_total: Option<u64>,
    /// Memory that can be had without swapping, bytes.
    pub(crate) memory_available: Option<u64>,
    /// Kernel release.
    pub(crate) kernel: Option<String>,
}

/// Asks this computer.
pub(crate) fn live() -> Host {
    let refresh = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    // sysinfo says 0 for what it could not read; not measured is absent here.
    let known = |bytes: u64| (bytes > 0).then_some(bytes);
    let system = System::new_with_specifics(refresh).ok();
    let total = system.as_ref().and_then(|system| known(system.total_memory()));
    let recorded = recorded(&Tree::live());
    Host {
        memory_total: total.or(recorded.memory_total),
        // Available memory of 0 is possible, so it is believed whenever the total was read.
        memory_available: total
            .and_then(|_| system.as_ref().map(System::available_memory))
            .or(recorded.memory_available),
        kernel: System::kernel_version().ok().or(recorded.kernel),
    }
}

/// Reads a tree.
pub(crate) fn recorded(tree: &Tree) -> Host {
    let meminfo = tree.read("/proc/meminfo").unwrap_or_default();
    let kernel = tree.read("/proc/sys/kernel/osrelease").unwrap_or_default();
    Host {
        memory_total: field(&meminfo, "MemTotal:"),
        memory_available: field(&meminfo, "MemAvailable:"),
        kernel: Some(kernel.trim().to_owned()).filter(|release| !release.is_empty()),
    }
}

fn field(meminfo: &str, name: &str) -> Option<u64> {
    let rest = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
    rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_ask_this_computer_agree() {
        let (live, read) = (live(), recorded(&Tree::live()));
        assert!(live.memory_total.is_some());
        assert_eq!(live.memory_total, read.memory_total);
        assert_eq!(live.kernel, read.kernel);
    }

    #[test]
    fn a_field_without_its_unit_is_not_guessed() {
        assert_eq!(field("MemTotal:       16 kB\n", "MemTotal:"), Some(16384));
        assert_eq!(field("MemTotal:       16\n", "MemTotal:"), None);
        assert_eq!(field("MemTotal: 99999999999999999999 kB\n", "MemTotal:"), None);
    }
}
