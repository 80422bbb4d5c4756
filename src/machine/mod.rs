//! What this computer offers a program: CPUs, affinity, quota, memory, limits.
//!
//! Knows the operating system's sources; must not know profiles, rules or strategies.

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
