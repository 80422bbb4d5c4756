//! From a thread's innermost frame outwards. Knows frames, not what their code objects say.
//!
//! A running thread calls and returns while its frames are read. Two things tell what was true all the same. From 3.11
//! to 3.13 a frame says whether the interpreter executes it or it waits for a function it called: one that executes is
//! the innermost, and what seemed to be inside of it has returned. In other versions the innermost frames are looked
//! at again after the walk: a frame that is unchanged has been there all the time, so have its callers, and what
//! changed inside of it is left out.

use std::fs::File;

use super::super::memory::{half, is_pointer, read, word};
use super::Torn;
use super::layout::{FRAME_BYTES, FrameKind, Layout};

/// Frames that are followed; of a deeper stack the outermost are not seen.
const FOLLOWED: usize = 2048;
/// Frames that are looked at again until one is unchanged.
const LOOKED_AT_AGAIN: usize = 64;
/// Bytes that are read at once, and their alignment, so that whatever holds the frame is readable as a whole.
const PAGE: u64 = 4096;
/// Pages kept for one walk.
const PAGES: usize = 4;
/// From here on a frame's owner is the interpreter itself: it stands for a call from C (`FRAME_OWNED_BY_CSTACK`, since
/// 3.14 `FRAME_OWNED_BY_INTERPRETER`).
const OWNED_BY_INTERPRETER: u8 = 3;
/// A frame inside a generator or coroutine (`FRAME_OWNED_BY_GENERATOR`).
const OWNED_BY_GENERATOR: u8 = 1;

/// One Python frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Level {
    /// Address of the frame.
    pub(super) frame: u64,
    /// Address of its caller's.
    previous: u64,
    /// Address of its code object.
    pub(super) code: u64,
    /// Its instruction: up to 3.10 the byte in the bytecode, later the address.
    pub(super) instruction: i64,
    /// Which copy of the code it runs; 0: the only one.
    pub(super) copy: u32,
    /// Whether it runs what a generator or coroutine function says.
    pub(super) generator: bool,
}

impl Level {
    /// The frame of a coroutine that is suspended: nobody executes it, and it was called by nobody.
    pub(super) fn suspended(memory: &File, layout: &Layout, frame: u64) -> Option<Self> {
        let mut buffer = [0u8; FRAME_BYTES];
        let bytes = buffer.get_mut(..layout.frame.size)?;
        read(memory, frame, bytes)?;
        match layout.frame.kind {
            FrameKind::Object { unit, .. } => object_level(layout, frame, bytes, unit),
            FrameKind::Interpreter { .. } => match parse(layout, frame, bytes)? {
                Step::Python { level, .. } => Some(level),
                Step::FromC(_) => None,
            },
        }
    }
}

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// A call of a Python function.
    Python {
        level: Level,
        /// The interpreter executes it and nothing inside of it.
        executing: bool,
        /// Its caller is C code.
        entry: bool,
    },
    /// A call from C code; the address of the frame before it.
    FromC(u64),
}

/// The frames found in one walk, and what it read.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Innermost first.
    pub(super) levels: Vec<Level>,
    pages: Vec<Page>,
    /// Which page is replaced next.
    oldest: usize,
    /// Frames read.
    steps: usize,
}

#[derive(Debug)]
struct Page {
    address: u64,
    bytes: Box<[u8; PAGE as usize]>,
}

impl Walk {
    /// Begins a stack.
    pub(super) fn begin(&mut self) {
        self.steps = 0;
    }

    /// Whether nothing more should be spent on this stack.
    pub(super) fn is_spent(&self) -> bool {
        self.steps > FOLLOWED
    }

    /// Begins anew.
    pub(super) fn clear(&mut self) {
        self.levels.clear();
        for page in &mut self.pages {
            page.address = 0;
        }
    }

    /// The outermost frame, which nobody called.
    pub(super) fn outermost(&self) -> Option<u64> {
        self.levels.last().filter(|level| level.previous == 0).map(|level| level.frame)
    }

    /// Adds the frames from this one outwards. `again` tells the innermost frame once more.
    pub(super) fn follow(
        &mut self,
        memory: &File,
        layout: &Layout,
        head: u64,
        again: impl FnOnce() -> Option<u64>,
    ) -> Result<(), Torn> {
        let start = self.levels.len();
        self.outwards(memory, layout, head, start)?;
        if head == 0 {
            return Ok(());
        }
        let now = again().ok_or(Torn)?;
        match layout.frame.kind {
            FrameKind::Interpreter { stack_top: Some(_), .. } => {
                self.leave(now, start);
                Ok(())
            }
            _ => self.confirm(memory, layout, now, start).ok_or(Torn),
        }
    }

    /// Leaves out what is inside of this frame: it is the innermost by now.
    fn leave(&mut self, head: u64, start: usize) {
        let walked = self.levels.get(start..).unwrap_or_default();
        if let Some(returned) = walked.iter().position(|level| level.frame == head) {
            self.levels.drain(start..start + returned);
        }
    }

    fn outwards(&mut self, memory: &File, layout: &Layout, head: u64, start: usize) -> Result<(), Torn> {
        let mut address = head;
        // A circle comes back to a frame that was remembered a power of two ago.
        let (mut remembered, mut next) = (0, 1);
        let mut from_c = true;
        for number in 0..FOLLOWED {
            if address == 0 {
                // Whoever is called by nobody was called from C; otherwise it is not linked to its caller yet.
                return if from_c { Ok(()) } else { Err(Torn) };
            }
            if address == remembered || !is_pointer(address) {
                return Err(Torn);
            }
            if number == next {
                (remembered, next) = (address, next * 2);
            }
            match self.step(memory, layout, address).ok_or(Torn)? {
                Step::Python { level, executing, entry } => {
                    if executing && !from_c {
                        self.levels.truncate(start);
                    }
                    self.levels.push(level);
                    (address, from_c) = (level.previous, entry);
                }
                Step::FromC(previous) => (address, from_c) = (previous, true),
            }
        }
        Ok(())
    }

    /// Looks at the innermost frames again, and leaves out of the walk what changed since.
    fn confirm(&mut self, memory: &File, layout: &Layout, head: u64, start: usize) -> Option<()> {
        let mut address = head;
        let mut inner: Option<Level> = None;
        for _ in 0..LOOKED_AT_AGAIN {
            let step = if address == 0 { None } else { Some(look(memory, layout, address)?) };
            let level = match step {
                Some(Step::FromC(previous)) => {
                    address = previous;
                    continue;
                }
                Some(Step::Python { level, .. }) => Some(level),
                None => None,
            };
            let walked = self.levels.get_mut(start..)?;
            let unchanged = match level {
                Some(level) => walked.iter().position(|known| *known == level),
                // Beyond the outermost there is nothing that could change.
                None => Some(walked.len()),
            };
            if let Some(mut unchanged) = unchanged {
                // The frame inside of it is another instruction further, or another call.
                let called = unchanged.checked_sub(1).and_then(|before| walked.get_mut(before));
                if let (Some(called), Some(inner)) = (called, inner)
                    && (called.frame, called.code) == (inner.frame, inner.code)
                {
                    *called = inner;
                    unchanged -= 1;
                } else if level.is_none() {
                    return None;
                }
                self.levels.drain(start..start + unchanged);
                return Some(());
            }
            address = level?.previous;
            inner = level;
        }
        None
    }

    fn step(&mut self, memory: &File, layout: &Layout, address: u64) -> Option<Step> {
        self.steps += 1;
        match layout.frame.kind {
            FrameKind::Object { .. } => look(memory, layout, address),
            // They lie one after another: who reads one has read its neighbours.
            FrameKind::Interpreter { .. } => {
                let mut buffer = [0u8; FRAME_BYTES];
                let bytes = buffer.get_mut(..layout.frame.size)?;
                self.read_pages(memory, address, bytes)?;
                parse(layout, address, bytes)
            }
        }
    }

    fn read_pages(&mut self, memory: &File, mut address: u64, mut buffer: &mut [u8]) -> Option<()> {
        while !buffer.is_empty() {
            let start = (address % PAGE) as usize;
            let part = buffer.len().min(PAGE as usize - start);
            let page = self.page(memory, address - address % PAGE)?;
            let (now, later) = buffer.split_at_mut(part);
            now.copy_from_slice(page.get(start..start + part)?);
            (address, buffer) = (address.checked_add(part as u64)?, later);
        }
        Some(())
    }

    fn page(&mut self, memory: &File, address: u64) -> Option<&[u8]> {
        let index = if let Some(known) = self.pages.iter().position(|page| page.address == address) {
            known
        } else {
            if self.pages.len() < PAGES {
                self.pages.push(Page { address: 0, bytes: Box::new([0; PAGE as usize]) });
            }
            let free = self.pages.iter().position(|page| page.address == 0);
            let index = free.unwrap_or_else(|| {
                self.oldest = (self.oldest + 1) % self.pages.len();
                self.oldest
            });
            let page = self.pages.get_mut(index)?;
            page.address = 0;
            read(memory, address, page.bytes.as_mut_slice())?;
            page.address = address;
            index
        };
        self.pages.get(index).map(|page| page.bytes.as_slice())
    }
}

/// Reads one frame as it is now.
fn look(memory: &File, layout: &Layout, address: u64) -> Option<Step> {
    let mut buffer = [0u8; FRAME_BYTES];
    let bytes = buffer.get_mut(..layout.frame.size)?;
    read(memory, address, bytes)?;
    parse(layout, address, bytes)
}

fn parse(layout: &Layout, frame: u64, bytes: &[u8]) -> Option<Step> {
    match layout.frame.kind {
        FrameKind::Object { state, runs, unit } => {
            // Who has left it, or has not begun, is not in it.
            if !runs.contains(bytes.get(state)?) {
                return None;
            }
            let level = object_level(layout, frame, bytes, unit)?;
            Some(Step::Python { level, executing: false, entry: true })
        }
        FrameKind::Interpreter { owner, stack_top, entry, copy } => {
            let owner = *bytes.get(owner)?;
            let previous = word(bytes, layout.frame.previous)?;
            if owner >= OWNED_BY_INTERPRETER {
                return Some(Step::FromC(previous));
            }
            let generator = owner == OWNED_BY_GENERATOR;
            let level = Level {
                frame,
                previous,
                // The lowest bits of a reference to it are flags.
                code: word(bytes, layout.frame.code)? & !7,
                instruction: word(bytes, layout.frame.instruction)? as i64,
                copy: copy.map_or(Some(0), |copy| half(bytes, copy))?,
                generator,
            };
            let executing = stack_top.is_some_and(|top| half(bytes, top) == Some(u32::MAX));
            // A generator that has no caller is suspended.
            let entry =
                entry.is_some_and(|entry| bytes.get(entry) == Some(&1)) && !(generator && previous == 0);
            Some(Step::Python { level, executing, entry })
        }
    }
}

/// What a frame of the older kind says, whatever state it is in.
fn object_level(layout: &Layout, frame: u64, bytes: &[u8], unit: i64) -> Option<Level> {
    let instruction = i64::from(half(bytes, layout.frame.instruction)? as i32).checked_mul(unit)?;
    let previous = word(bytes, layout.frame.previous)?;
    let code = word(bytes, layout.frame.code)?;
    Some(Level { frame, previous, code, instruction, copy: 0, generator: false })
}
