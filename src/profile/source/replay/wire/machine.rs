//! The machine as a recording states it.

use serde::{Deserialize, Serialize};

use super::Line;
use crate::machine::Machine;

/// The machine as it was known in the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::profile::source::replay) struct MachineLine {
    cpus_logical: u32,
    cpus_affinity: Option<u32>,
    quota: Option<f64>,
    effective: f64,
    capacity: Option<f64>,
    memory_total: Option<u64>,
    memory_available: Option<u64>,
    memory_limit: Option<u64>,
    max_open_files: Option<u64>,
    max_tasks: Option<u64>,
    kernel: String,
    notes: Vec<String>,
}

impl From<&Machine> for Line {
    fn from(machine: &Machine) -> Self {
        let machine = machine.clone();
        Self::Machine(MachineLine {
            cpus_logical: machine.cpus_logical,
            cpus_affinity: machine.cpus_affinity,
            quota: machine.quota,
            effective: machine.effective,
            capacity: machine.capacity,
            memory_total: machine.memory_total,
            memory_available: machine.memory_available,
            memory_limit: machine.memory_limit,
            max_open_files: machine.max_open_files,
            max_tasks: machine.max_tasks,
            kernel: machine.kernel,
            notes: machine.notes,
        })
    }
}

impl From<MachineLine> for Machine {
    fn from(line: MachineLine) -> Self {
        Self {
            cpus_logical: line.cpus_logical,
            cpus_affinity: line.cpus_affinity,
            quota: line.quota,
            effective: line.effective,
            capacity: line.capacity,
            memory_total: line.memory_total,
            memory_available: line.memory_available,
            memory_limit: line.memory_limit,
            max_open_files: line.max_open_files,
            max_tasks: line.max_tasks,
            kernel: line.kernel,
            notes: line.notes,
        }
    }
}
