//! A measured run written down and played again: one line of JSON per observation, between how it began and how it
//! ended. Knows the order of the lines; `wire` knows what stands in one.

mod wire;

use std::io::{self, BufRead, Write};

use self::wire::{FORMAT, Line};
use crate::machine::Machine;
use crate::profile::ledger::{Ledger, Reading};
use crate::profile::observation::{Life, Observation};
use crate::profile::record::Recording;
use crate::profile::stack::{FrameId, StackId};
use crate::profile::thread_clock::Seen;

/// Everything the edge saw of one run.
#[derive(Debug)]
pub struct Tape(Vec<Line>);

/// Why a recording cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It cannot be read.
    #[error("the recording cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// Something else, or a recording of another version.
    #[error("not a recording of this version: give a file written by `boundby profile --record FILE -- CMD`")]
    Foreign,
    /// A line that says nothing, or nothing possible.
    #[error("line {line} of the recording is not understood: {what}; record the program again")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// It ends too early.
    #[error("the recording is cut off: it does not say how the program ended; record the program again")]
    CutOff,
}

impl Tape {
    /// What was seen of a program that could use `cpus` CPUs when it began.
    #[must_use]
    pub(in crate::profile) fn of(cpus: f64, recording: &Recording) -> Self {
        let begin = Line::Begin { format: FORMAT.to_owned(), cpus };
        let seen = recording.books.tape.iter().map(Line::from);
        Self([begin].into_iter().chain(seen).chain([Line::from(recording)]).collect())
    }

    /// Writes the recording, and the machine as it was known in the end.
    ///
    /// # Errors
    /// Whatever `out` says.
    pub fn write(&self, machine: &Machine, mut out: impl Write) -> io::Result<()> {
        for line in self.0.iter().chain([&Line::from(machine)]) {
            serde_json::to_writer(&mut out, line)?;
            out.write_all(b"\n")?;
        }
        out.flush()
    }
}

/// Tells fresh books what a recording says.
pub(in crate::profile) fn play(input: impl BufRead) -> Result<(Recording, Machine), ReplayError> {
    let mut books: Option<Ledger> = None;
    let (mut end, mut machine) = (None, None);
    for (i, text) in input.lines().enumerate() {
        let text = text?;
        let wrong = |what: String| ReplayError::Line { line: i + 1, what };
        let line: Line = serde_json::from_str(&text)
            .map_err(|error| if i == 0 { ReplayError::Foreign } else { wrong(error.to_string()) })?;
        match (line, &mut books) {
            (Line::Begin { format, cpus }, None) if format == FORMAT => {
                books = Some(Ledger::new(cpus).tracked());
            }
            (Line::Begin { .. }, None) => return Err(ReplayError::Foreign),
            (_, None) => return Err(wrong("it stands before `begin`".to_owned())),
            (Line::Begin { .. }, Some(_)) => return Err(wrong("a second `begin`".to_owned())),
            (Line::End(line), Some(_)) => end = Some(line),
            (Line::Machine(line), Some(_)) => machine = Some(Machine::from(line)),
            (line, Some(books)) => {
                let observation = line.observation().map_err(wrong)?;
                if let Some(what) = unknown(&observation, books) {
                    return Err(wrong(what.to_owned()));
                }
                books.replay(observation);
            }
        }
    }
    let (Some(books), Some(end), Some(machine)) = (books, end, machine) else {
        return Err(ReplayError::CutOff);
    };
    Ok((end.recording(books).ok_or(ReplayError::CutOff)?, machine))
}

/// What it speaks of that was not introduced.
fn unknown(observation: &Observation, books: &mut Ledger) -> Option<&'static str> {
    let (frames, stacks) = books.stacks().count();
    let is_stack = |stack: StackId| (stack.0 as usize) < stacks;
    let is_frame = |frame: &FrameId| (frame.0 as usize) < frames;
    let readings: &[Reading] = match observation {
        Observation::Round { readings, .. } => readings,
        Observation::LastWords { reading, .. } => std::slice::from_ref(reading),
        _ => &[],
    };
    let knows_site = match observation {
        Observation::Named { site, .. } => books.knows(*site),
        Observation::Chained { waits, .. } => waits.iter().all(|(site, _)| books.knows(*site)),
        Observation::Told { waits, .. } | Observation::Lived(Life { waits, .. }) => {
            waits.iter().all(|told| books.knows(told.site))
        }
        _ => readings.iter().all(|reading| match reading.seen {
            Seen::Active => true,
            Seen::Blocked(site) => books.knows(site),
        }),
    };
    let knows_stack = match observation {
        Observation::Placed { stack, .. } | Observation::Tasks { stack, .. } => is_stack(*stack),
        Observation::Sampled { stacks, .. } => stacks.iter().all(|stack| is_stack(*stack)),
        Observation::Stack { frames } => frames.iter().all(is_frame),
        Observation::FrameNamed { frame, .. } => is_frame(frame),
        _ => readings.iter().all(|reading| is_stack(reading.stack)),
    };
    match (knows_site, knows_stack) {
        (false, _) => Some("a thread blocks at a site that was not introduced"),
        (_, false) => Some("a stack or a frame is named that was not introduced"),
        (true, true) => None,
    }
}

#[cfg(test)]
mod tests;
