//! Which code the time of threads is booked on: what is told of call stacks beside the readings.

use super::{Ledger, ThreadRecord, Under};
use crate::profile::observation::Observation;
use crate::profile::places::Place;
use crate::profile::stack::{FrameId, StackId, Stacks};
use crate::profile::thread_clock::Seen;

/// Samples of a running thread kept until its next reading.
const SAMPLES_KEPT: usize = 1024;

impl Ledger {
    /// The call stacks, for those who read them; whatever is added is noted with the next reading.
    pub fn stacks(&mut self) -> &mut Stacks {
        &mut self.stacks
    }

    /// Frames that were known by their address only are given their names.
    pub fn name_frames(&mut self, name: impl FnOnce(&mut Stacks)) {
        self.note_stacks();
        name(&mut self.stacks);
        let Some(tape) = &mut self.tape else { return };
        tape.extend(self.stacks.unnamed().iter().map(|frame| {
            let levels = self.stacks.levels_of(*frame).to_vec();
            Observation::FrameNamed { frame: *frame, levels }
        }));
    }

    /// Puts frames and stacks on the tape that are not on it yet.
    pub(super) fn note_stacks(&mut self) {
        let Some(tape) = &mut self.tape else { return };
        let (frames, stacks) = self.stacks.count();
        for number in self.taped.0..frames {
            let levels = self.stacks.levels_of(FrameId(number as u32)).to_vec();
            tape.push(Observation::Frame { levels });
        }
        for number in self.taped.1..stacks {
            let frames = self.stacks.frames_of(StackId(number as u32)).to_vec();
            tape.push(Observation::Stack { frames });
        }
        self.taped = (frames, stacks);
    }

    /// The wait a thread was last seen in, and has not moved since, is in this code, which could not be read then.
    pub fn placed(&mut self, tid: i32, stack: StackId) {
        self.note_stacks();
        self.note(|| Observation::Placed { tid, stack });
        let Some(mut record) = self.live.remove(&tid) else { return };
        if let Some(Seen::Blocked(site)) = record.clock.seen() {
            record.stack = stack;
            self.draw_renamed(tid, site, stack);
            self.move_wait(&mut record, Place { site, stack });
        }
        self.live.insert(tid, record);
    }

    /// So many tasks of an event loop were seen waiting in this code.
    pub fn tasks(&mut self, stack: StackId, waiting: u32) {
        self.note_stacks();
        self.note(|| Observation::Tasks { stack, waiting });
        self.places.tasks(stack, waiting);
    }

    /// A thread was seen running in this code since its last reading: its CPU time until the next one is shared among
    /// these.
    pub fn sampled(&mut self, tid: i32, stacks: &[StackId]) {
        self.note_stacks();
        self.note(|| Observation::Sampled { tid, stacks: stacks.to_vec() });
        if let Some(record) = self.live.get_mut(&tid) {
            let room = SAMPLES_KEPT.saturating_sub(record.samples.len());
            record.samples.extend(stacks.iter().take(room));
        }
    }

    /// What was paid of the wait in progress belongs to another place.
    pub(super) fn move_wait(&mut self, record: &mut ThreadRecord, to: Place) {
        let to = self.places.admit(to);
        let Some(wait) = record.in_progress.as_mut().filter(|wait| wait.place != to) else {
            return;
        };
        let (before, paid) = (wait.place, wait.blocked);
        wait.place = to;
        self.places.repay(before, to, record.tid, paid);
        if before.site != to.site {
            self.sites.repay(before.site, to.site, paid);
            if let Some(entry) = record.sites.get_mut(&before.site) {
                entry.0 -= paid;
            }
            record.sites.entry(to.site).or_default().0 += paid;
        }
    }

    /// Shares CPU time among the samples that were taken while it passed.
    pub(super) fn place_samples(&mut self, record: &mut ThreadRecord) {
        if record.cpu_unplaced == 0 || record.samples.is_empty() {
            return;
        }
        let mut left = std::mem::take(&mut record.cpu_unplaced);
        let mut samples = std::mem::take(&mut record.samples);
        while let Some(stack) = samples.pop() {
            let share = left / (samples.len() as u64 + 1);
            self.places.compute(record.pid, stack, Under::Unknown, share);
            left -= share;
        }
    }
}
