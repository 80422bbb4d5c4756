//! Call stacks of native code, of a process that is neither stopped nor changed: of threads that wait, from where the
//! kernel says their code and their stack are; of threads that run, from copies the kernel takes.
//!
//! ```text
//! maps ─► space ─► image ─► cfi ─┐                  after the run:
//! mem, or a copy ─► memory ──────┴─► walk ─► Stacks ─► names (symbols, debug information, whose code it is)
//! ```
//!
//! A blocked thread shows its stack pointer and its next instruction (`/proc/PID/task/TID/syscall`), but no other
//! register. What a caller left in its registers is therefore unknown until a frame is passed that saved it; where a
//! frame lies relative to a frame pointer that is still unknown, it is found by what its code must have left on the
//! stack. What cannot be followed is marked, never guessed.
//!
//! Knows files, memory and code; must not know what a wait is, or how time is accounted.

mod calls;
mod cfi;
mod debug_info;
mod go;
mod image;
mod layout;
mod memory;
mod names;
pub mod on_cpu;
mod ownership;
mod packed;
mod perf_map;
mod registers;
mod space;
mod symbols;
#[cfg(test)]
mod tests;
mod walk;

use std::fs::File;
use std::os::unix::fs::FileExt;

pub use self::debug_info::Without;
pub use self::image::Images;
use self::image::{Identity, MapId};
use self::memory::{Copied, Living};
pub use self::names::Named;
use self::on_cpu::CpuSample;
pub use self::registers::Registers;
use self::space::{Lookup, Region, Space};
use self::walk::Walk;
use super::super::stack::{FrameId, StackId, Stacks};

/// Walks between two looks at the mappings for the sake of an address that is in none.
const WALKS_BETWEEN_LOOKS: u32 = 64;
/// Longest listing of mappings that is read, bytes.
const LISTING: u64 = 16 << 20;
/// Longest image the kernel maps.
const KERNELS: u64 = 1 << 20;

/// What a process wrote down of the code it made.
#[derive(Debug)]
enum Map {
    /// It makes none.
    None,
    /// There is this file, which nobody asked anything of yet.
    Unread(File),
    /// It has a number.
    Known(MapId),
}

/// A call stack that was followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unwound {
    /// The stack; [`StackId::UNSEEN`], if there is nothing to see.
    pub stack: StackId,
    /// It did not come to its outer end.
    pub truncated: bool,
}

/// The native code of one process image: where it is mapped. A process that calls exec needs a new one.
#[derive(Debug)]
pub struct NativeStacks {
    pid: i32,
    space: Space,
    walks_since_look: u32,
    /// The last walk ended where there was no code when it was last looked.
    lost: bool,
    /// Of a process that makes code at run time and writes it down.
    map: Map,
    /// Kept from one walk to the next.
    buffer: Vec<u8>,
    frames: Vec<FrameId>,
}

impl NativeStacks {
    /// Of the process of this pid, as it is mapped now.
    #[must_use]
    pub fn new(pid: i32) -> Self {
        Self::with(pid, Map::None)
    }

    /// Of a process whose runtime makes code and tells where it is (`/tmp/perf-PID.map`). `None`: it does not tell, yet.
    #[must_use]
    pub fn of_runtime(pid: i32) -> Option<Self> {
        perf_map::open(pid).map(|file| Self::with(pid, Map::Unread(file)))
    }

    fn with(pid: i32, map: Map) -> Self {
        let mut new = Self {
            pid,
            space: Space::default(),
            walks_since_look: WALKS_BETWEEN_LOOKS,
            lost: false,
            map,
            buffer: Vec::new(),
            frames: Vec::new(),
        };
        new.remap();
        new
    }

    /// Looks at the mappings again. It does so by itself when a stack leads to where there was nothing.
    pub fn remap(&mut self) {
        self.walks_since_look = 0;
        // One that has ended keeps what it had: stacks of it may be waiting to be followed.
        if let Some(listing) = listing(self.pid).filter(|listing| !listing.is_empty()) {
            self.space.renew(&listing);
        }
    }

    /// The stack of a thread that is blocked in a system call. `memory` is its `/proc/PID/mem`.
    pub fn blocked(
        &mut self,
        memory: &File,
        pc: u64,
        sp: u64,
        images: &mut Images,
        stacks: &mut Stacks,
    ) -> Unwound {
        let mut buffer = std::mem::take(&mut self.buffer);
        let registers = Registers::blocked(pc, sp);
        // The instruction behind the system call may be another function's.
        let unwound = self.follow(&mut Living::new(memory, &mut buffer), &registers, true, images, stacks);
        self.buffer = buffer;
        unwound
    }

    /// The stack of a thread that was seen on a CPU. `memory` is its process's `/proc/PID/mem`, if that is open: of use
    /// where the thread was in the kernel, which tells less of its registers.
    pub fn running(
        &mut self,
        sample: &CpuSample<'_>,
        memory: Option<&File>,
        images: &mut Images,
        stacks: &mut Stacks,
    ) -> Unwound {
        let registers = &sample.registers;
        let mut memory = Copied { start: registers.sp(), bytes: sample.stack, file: memory };
        self.follow(&mut memory, registers, false, images, stacks)
    }

    fn follow(
        &mut self,
        memory: &mut dyn memory::Memory,
        registers: &Registers,
        is_behind_call: bool,
        images: &mut Images,
        stacks: &mut Stacks,
    ) -> Unwound {
        self.walks_since_look = self.walks_since_look.saturating_add(1);
        if self.walks_since_look > WALKS_BETWEEN_LOOKS && (self.lost || !self.space.has_code(registers.pc)) {
            self.remap();
        }
        let map = match std::mem::replace(&mut self.map, Map::None) {
            Map::Unread(file) => images.add_map(file),
            Map::Known(map) => Some(map),
            Map::None => None,
        };
        self.map = map.map_or(Map::None, Map::Known);
        let mut frames = std::mem::take(&mut self.frames);
        frames.clear();
        let mut walk =
            Walk { pid: self.pid, space: &mut self.space, map, images, memory, stacks, lost: false };
        let complete = walk.follow(*registers, is_behind_call, &mut frames);
        self.lost = walk.lost;
        let unwound = Unwound { stack: stacks.stack(&frames), truncated: !complete };
        self.frames = frames;
        unwound
    }
}

/// What a process has mapped.
fn listing(pid: i32) -> Option<String> {
    use std::io::Read;
    let mut text = Vec::new();
    File::open(format!("/proc/{pid}/maps")).ok()?.take(LISTING).read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// The image behind a range, which is asked for once.
fn image_of(pid: i32, region: &mut Region, images: &mut Images) -> Option<image::ImageId> {
    if region.image == Lookup::Unasked {
        let found = region.has_image().then(|| open_image(pid, region, images)).flatten();
        region.image = found.map_or(Lookup::Nothing, Lookup::Image);
    }
    match region.image {
        Lookup::Image(id) => Some(id),
        _ => None,
    }
}

fn open_image(pid: i32, region: &Region, images: &mut Images) -> Option<image::ImageId> {
    if region.inode == 0 {
        let length = usize::try_from((region.end - region.start).min(KERNELS)).ok()?;
        return images.of_kernel(&region.path, || {
            let mut bytes = vec![0; length];
            File::open(format!("/proc/{pid}/mem")).ok()?.read_exact_at(&mut bytes, region.start).ok()?;
            Some(bytes)
        });
    }
    // The executable can be opened even if its name is gone, and a path is what the process sees: it may live in
    // another mount namespace. A name may have become another file's meanwhile.
    let path = region.path.trim_end_matches(" (deleted)");
    [format!("/proc/{pid}/exe"), format!("/proc/{pid}/root{path}"), path.to_owned()]
        .into_iter()
        .filter(|candidate| std::fs::metadata(candidate).is_ok_and(|data| data.is_file()))
        .filter_map(|candidate| File::open(candidate).ok())
        .find(|file| Identity::of(file).is_some_and(|identity| identity.inode() == region.inode))
        .and_then(|file| images.of_file(file, path))
}
