//! What this computer offers a program: CPUs, affinity, quota, memory, limits.
//!
//! Knows the operating system's sources; must not know profiles, rules or strategies.

mod cgroup;
mod cpus;
mod host;
mod limits;
mod others;
mod probe;
mod tree;

pub use cgroup::{QuotaReader, QuotaReading};
pub use others::Others;
pub use probe::probe_capacity;

use host::Host;
use tree::{Tree, proc_dir};

/// A survey of the machine as one process (the target) is allowed to use it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Machine {
    /// Online logical CPUs.
    pub cpus_logical: u32,
    /// CPUs in the affinity mask of the target.
    pub cpus_affinity: Option<u32>,
    /// CPU quota in cores: the tightest over all ancestor cgroups. `None`: no quota, or not readable (then
    /// `notes` says so).
    pub quota: Option<f64>,
    /// Cores really to be had: the smallest of the above and of the measured capacity.
    pub effective: f64,
    /// Parallel capacity in cores as measured by the spin probe; `None`: not measured.
    pub capacity: Option<f64>,
    /// Physical memory, bytes.
    pub memory_total: Option<u64>,
    /// Memory available to new work, bytes.
    pub memory_available: Option<u64>,
    /// The tightest cgroup memory limit, bytes.
    pub memory_limit: Option<u64>,
    /// Soft limit on open files.
    pub max_open_files: Option<u64>,
    /// The tightest limit on tasks (cgroup `pids.max`, `RLIMIT_NPROC`).
    pub max_tasks: Option<u64>,
    /// Kernel release, as `uname -r` prints it.
    pub kernel: String,
    /// What could not be read and what that costs.
    pub notes: Vec<String>,
}

/// Surveys this computer as `target` (`None`: boundby itself) may use it. Reads files only, takes about a
/// millisecond and never fails: what cannot be read is absent and named in [`Machine::notes`]. The capacity is not
/// probed; see [`probe_capacity`] and [`Machine::set_capacity`].
#[must_use]
pub fn survey(target: Option<i32>) -> Machine {
    let mut machine = survey_tree(&Tree::live(), host::live(), target);
    if machine.cpus_logical == 0 {
        machine.cpus_logical = std::thread::available_parallelism().map_or(1, |count| count.get() as u32);
        machine.settle();
    }
    machine
}

impl Machine {
    /// Records the result of [`probe_capacity`].
    pub fn set_capacity(&mut self, capacity: Option<f64>) {
        self.capacity = capacity;
        self.settle();
    }

    /// CPUs the target may run on at all, whatever is left of them: what [`probe_capacity`] wants to know.
    #[must_use]
    pub fn cpus(&self) -> u32 {
        self.cpus_affinity.unwrap_or(self.cpus_logical).max(1)
    }

    /// The one place where `effective` is computed.
    fn settle(&mut self) {
        let bounds = [self.quota, self.capacity].into_iter().flatten();
        self.effective = bounds.fold(f64::from(self.cpus()), f64::min);
    }
}

fn survey_tree(tree: &Tree, host: Host, target: Option<i32>) -> Machine {
    let process = proc_dir(target);
    let cpus = cpus::read(tree, &process);
    let mut notes = Vec::new();
    if cpus.affinity.is_none() {
        notes.push("the affinity mask cannot be read: all online CPUs are assumed to be usable".to_owned());
    }

    let quota = match cgroup::cpu(tree, target) {
        Ok(limit) => {
            let cost = "a CPU quota there would be missed";
            notes.extend(limit.unread.iter().map(|what| format!("{what}: {cost}")));
            limit.cores
        }
        Err(why) => {
            notes.push(format!("{why}: a CPU quota would be missed"));
            None
        }
    };
    let memory = cgroup::memory(tree, target).unwrap_or_else(|why| {
        notes.push(format!("{why}: a memory limit would be missed"));
        cgroup::MemoryLimit::default()
    });
    notes.extend(memory.unread.iter().map(|what| format!("{what}: a memory limit there would be missed")));
    let group_tasks = cgroup::tasks(tree, target).unwrap_or_else(|why| {
        notes.push(format!("{why}: a limit on tasks would be missed"));
        None
    });

    let limits = limits::read(tree, &process).unwrap_or_else(|| {
        notes.push(format!(
            "{}/limits cannot be read: worker counts are not capped by open files",
            process.display()
        ));
        limits::Limits::default()
    });

    let mut machine = Machine {
        cpus_logical: cpus.online.unwrap_or(0),
        cpus_affinity: cpus.affinity,
        quota,
        memory_total: host.memory_total,
        memory_available: tighter(host.memory_available, memory.available),
        memory_limit: memory.limit,
        max_open_files: limits.open_files,
        max_tasks: tighter(limits.tasks, group_tasks),
        kernel: host.kernel.unwrap_or_else(|| "unknown".to_owned()),
        notes,
        ..Machine::default()
    };
    machine.settle();
    machine
}

/// The smaller of two limits, where each may be absent.
fn tighter(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    [one, other].into_iter().flatten().min()
}

#[cfg(test)]
mod tests;
