//! How a recording stands while it lasts, for somebody who looks on. Knows no terminal.

use std::time::Duration;

use super::model::Profile;
use super::record::Recording;
use super::summary::summarise;
use crate::machine::Machine;

/// Somebody who looks on while a program is measured. It is asked between two looks at the program, which wait for it.
pub trait Watcher {
    /// Whether it wants to know how things stand at this age of the recording.
    fn is_due(&mut self, age: Duration) -> bool;

    /// How things stand.
    fn see(&mut self, standing: Standing);

    /// Whether it has seen enough. What was attached to is then left alone; a command is followed to its end in any case.
    fn has_enough(&self) -> bool;
}

/// A recording as if it ended now, not summed up yet: that can be done elsewhere while the recording goes on. What native
/// code is called is looked up at the end only.
#[derive(Debug)]
pub struct Standing {
    recording: Recording,
    machine: Machine,
    /// What it cost to put this together.
    pub cost: Duration,
}

impl Standing {
    pub(super) fn new(recording: Recording, machine: Machine, cost: Duration) -> Self {
        Self { recording, machine, cost }
    }

    /// The profile so far, from the same books as the one in the end, and the machine.
    #[must_use]
    pub fn profile(self) -> (Profile, Machine) {
        (summarise(self.recording), self.machine)
    }
}
