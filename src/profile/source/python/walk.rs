//! From a thread's innermost frame outwards. Knows frames, not what their code objects say.

use std::fs::File;

use super::super::memory::{half, is_pointer, read, word};
use super::Torn;
use super::layout::{FRAME_BYTES, FrameKind, Layout};

/// Frames that are followed; of a deeper stack the outermost are not seen.
const FOLLOWED: usize = 2048;
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Level {
    /// Address of its code object.
    pub(super) code: u64,
    /// Its instruction: up to 3.10 the byte in the bytecode, later the address.
    pub(super) instruction: i64,
    /// Which copy of the code it runs; 0: the only one.
    pub(super) copy: u32,
    /// Whether it runs what a generator or coroutine function says.
    pub(super) generator: bool,
}

/// The frames found in one walk, and what it read.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Innermost first.
    pub(super) levels: Vec<Level>,
    pages: Vec<Page>,
    /// Which page is replaced next.
    oldest: usize,
}

#[derive(Debug)]
struct Page {
    address: u64,
    bytes: Box<[u8; PAGE as usize]>,
}

impl Walk {
    /// Begins anew.
    pub(super) fn clear(&mut self) {
        self.levels.clear();
        self.forget();
    }

    /// What was read is not believed any more.
    pub(super) fn forget(&mut self) {
        for page in &mut self.pages {
            page.address = 0;
        }
    }

    /// Adds the frames from this one outwards.
    pub(super) fn follow(&mut self, memory: &File, layout: &Layout, head: u64) -> Result<(), Torn> {
        let mut address = head;
        // A circle comes back to a frame that was remembered a power of two ago.
        let (mut remembered, mut next) = (0, 1);
        for number in 0..FOLLOWED {
            if address == 0 {
                return Ok(());
            }
            if address == remembered || !is_pointer(address) {
                return Err(Torn);
            }
            if number == next {
                (remembered, next) = (address, next * 2);
            }
            address = self.step(memory, layout, address).ok_or(Torn)?;
        }
        Ok(())
    }

    /// Reads a frame; gives the address of its caller's.
    fn step(&mut self, memory: &File, layout: &Layout, address: u64) -> Option<u64> {
        let frame = &layout.frame;
        let mut buffer = [0u8; FRAME_BYTES];
        let bytes = buffer.get_mut(..frame.size)?;
        match frame.kind {
            FrameKind::Object { .. } => read(memory, address, bytes)?,
            // They lie one after another: who reads one has read its neighbours.
            FrameKind::Interpreter { .. } => self.read_pages(memory, address, bytes)?,
        }
        let code = word(bytes, frame.code)?;
        let level = match frame.kind {
            FrameKind::Object { state, runs, unit } => {
                // Who has left it, or has not begun, is not in it.
                let running = runs.contains(bytes.get(state)?);
                let instruction = i64::from(half(bytes, frame.instruction)? as i32).checked_mul(unit)?;
                running.then_some(Some(Level { code, instruction, copy: 0, generator: false }))?
            }
            FrameKind::Interpreter { owner, copy } => {
                let owner = *bytes.get(owner)?;
                // The lowest bits of a reference to the code are flags.
                (owner < OWNED_BY_INTERPRETER).then_some(Level {
                    code: code & !7,
                    instruction: word(bytes, frame.instruction)? as i64,
                    copy: match copy {
                        Some(copy) => half(bytes, copy)?,
                        None => 0,
                    },
                    generator: owner == OWNED_BY_GENERATOR,
                })
            }
        };
        self.levels.extend(level);
        word(bytes, frame.previous)
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
