//! Programs beside the measured one, which want a CPU as well. Knows nothing of what is measured.

use std::process::{Child, Command};
use std::thread::available_parallelism;

/// CPUs the tests may use.
pub(crate) fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// Programs that do nothing but want a CPU.
pub(crate) struct Neighbours(Vec<Child>);

impl Neighbours {
    pub(crate) fn start(count: usize) -> Result<Self, String> {
        // Each looks now and then whether its starter still lives, so that none outlives an interrupted test run.
        let spin =
            "while kill -0 \"$1\" 2>/dev/null; do i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done; done";
        let own_id = std::process::id().to_string();
        let mut neighbours = Self(Vec::new());
        for _ in 0..count {
            let child = Command::new("sh").args(["-c", spin, "sh", &own_id]).spawn();
            neighbours.0.push(child.map_err(|error| format!("sh: {error}"))?);
        }
        Ok(neighbours)
    }
}

impl Drop for Neighbours {
    fn drop(&mut self) {
        for neighbour in &mut self.0 {
            let _ = neighbour.kill();
            let _ = neighbour.wait();
        }
    }
}
