//! From a frame to its caller, and on to the outer end of the stack.
//!
//! Unwind tables come first. Without them, a frame pointer that is known is followed. Where a frame lies relative to a
//! frame pointer that is not known, the stack is asked: the function's first instructions say how deep it is, and where
//! its return address should then be there must be an address behind a call; or else the address behind the call of
//! just this function is looked for.

use super::calls::Call;
use super::cfi::{Cfi, Stop};
use super::image::{ImageId, Images, MapId};
use super::memory::Memory;
use super::registers::{FRAME_POINTER, RETURN_ADDRESS, Registers, STACK_POINTER};
use super::space::Space;
use crate::profile::stack::{FrameId, Stacks};

/// Frames passed: a program may recurse as deep as its stack is.
const PASSED: usize = 1024;
/// Frames kept of a stack, innermost; a call that calls itself from one place counts once.
const KEPT: usize = 192;
/// How far a function's own frame is searched for its return address, bytes.
const SEARCHED: u64 = 16 * 1024;
/// How far a frame pointer may lie above the stack pointer.
const LARGEST_FRAME: u64 = 8 << 20;

/// One walk.
pub(super) struct Walk<'w> {
    pub(super) pid: i32,
    pub(super) space: &'w mut Space,
    /// What is known of the code it makes.
    pub(super) map: Option<MapId>,
    pub(super) images: &'w mut Images,
    pub(super) memory: &'w mut dyn Memory,
    pub(super) stacks: &'w mut Stacks,
    /// It came to an address where nothing was mapped when that was last looked at.
    pub(super) lost: bool,
}

/// Code with a file: its link-time address, and what to add to that for where it is mapped.
#[derive(Debug, Clone, Copy)]
struct Code {
    image: ImageId,
    address: u64,
    bias: u64,
}

impl Walk<'_> {
    /// Follows a stack, and puts its frames behind one another, innermost first. `is_behind_call`: the instruction
    /// that counts is the one before the program counter. Says whether it came to the end.
    pub(super) fn follow(
        &mut self,
        mut registers: Registers,
        mut is_behind_call: bool,
        frames: &mut Vec<FrameId>,
    ) -> bool {
        for _ in 0..PASSED {
            if registers.pc == 0 {
                return !frames.is_empty();
            }
            let at = registers.pc.wrapping_sub(u64::from(is_behind_call));
            if !self.space.has_code(at) {
                self.lost = true;
                return false;
            }
            let code = self.code(at);
            let place = code.map(|code| self.images.place(code.image, code.address, self.stacks));
            let frame = match (place, self.map) {
                (Some(place), _) => place.frame,
                (None, Some(map)) => self.images.made(map, at, self.stacks),
                (None, None) => self.images.generated(self.stacks),
            };
            let Some(frame) = frame else { return false };
            if frames.last() != Some(&frame) {
                if frames.len() == KEPT {
                    return false;
                }
                frames.push(frame);
            }
            let mut was_interrupted = false;
            let caller = match code.zip(place) {
                Some((code, place)) => match self.images.get(code.image).rule(place) {
                    Some((cfi, rule)) => {
                        was_interrupted = rule.is_signal;
                        match cfi.caller(rule, &registers, self.memory) {
                            Err(Stop::NeedsFramePointer) if Cfi::has_usual_frame(rule) => {
                                let start = rule.start;
                                self.find_frame(code, start, &registers).and_then(|frame| {
                                    let (cfi, rule) =
                                        self.images.get(code.image).rule(place).ok_or(Stop::Broken)?;
                                    cfi.caller_at(rule, frame, &registers, self.memory)
                                })
                            }
                            other => other,
                        }
                    }
                    None if self.images.get(code.image).layout.is_beginning(code.address) => Err(Stop::End),
                    None => self.without_rule(&registers),
                },
                None => self.without_rule(&registers),
            };
            match caller {
                // A stack that does not shrink leads nowhere; a signal may have been delivered on another one.
                Ok(caller) if was_interrupted || caller.sp() > registers.sp() => registers = caller,
                #[cfg(not(target_arch = "x86_64"))]
                Ok(caller) if caller.sp() == registers.sp() && caller.pc != registers.pc => {
                    registers = caller
                }
                Ok(_) => return false,
                Err(stop) => return stop == Stop::End,
            }
            is_behind_call = !was_interrupted;
        }
        false
    }

    /// The code at an address, where a file tells of it.
    fn code(&mut self, address: u64) -> Option<Code> {
        let region = self.space.at(address)?;
        let offset = (address - region.start).wrapping_add(region.offset);
        let image = super::image_of(self.pid, region, self.images)?;
        self.images.get_mut(image).is_runtime |= self.map.is_some();
        let linked = self.images.get(image).layout.address_of(offset)?;
        Some(Code { image, address: linked, bias: address.wrapping_sub(linked) })
    }

    /// What called the code before a return address; `None`: nothing did.
    fn call_before(&mut self, address: u64) -> Option<(Code, Call)> {
        // The last byte of the call is looked up: a call that does not return may be the last of its range.
        let code = self.code(address.checked_sub(1)?)?;
        let call = self.images.get_mut(code.image).call_before(code.address.checked_add(1)?)?;
        Some((code, call))
    }

    /// Whether the call before a return address is known to call what is mapped at `function`.
    fn calls(&mut self, address: u64, function: u64) -> bool {
        let Some((code, call)) = self.call_before(address) else { return false };
        match call {
            Call::Near(distance) => {
                let target = address.wrapping_add_signed(distance);
                let stub = target.wrapping_sub(code.bias);
                target == function
                    || self.images.get_mut(code.image).stub_slot(stub).is_some_and(|slot| {
                        self.memory.far_word(slot.wrapping_add(code.bias)) == Some(function)
                    })
            }
            Call::Through(distance) => {
                self.memory.far_word(address.wrapping_add_signed(distance)) == Some(function)
            }
            Call::Anyone => false,
        }
    }

    /// The frame of a function that keeps its caller's frame pointer and its return address where functions usually
    /// do, and whose own frame pointer is not known.
    fn find_frame(&mut self, code: Code, start: u64, registers: &Registers) -> Result<u64, Stop> {
        let (sp, function) = (registers.sp(), start.wrapping_add(code.bias));
        let told = self.images.get_mut(code.image).frame_depth(start);
        let told = told.and_then(|depth| sp.checked_add(depth)?.checked_add(16));
        let behind = told.and_then(|frame| self.memory.word(frame.wrapping_sub(8)));
        let call = behind.and_then(|address| self.call_before(address));
        if let (Some(frame), Some(address), Some((_, call))) = (told, behind, call)
            && (call == Call::Anyone || self.calls(address, function))
        {
            return Ok(frame);
        }
        // Arguments on the stack, or a beginning that was not understood. Frames are aligned to 16 bytes.
        let first = sp.saturating_add(15) & !15;
        for frame in (first..first.saturating_add(SEARCHED)).step_by(16).skip(1) {
            let Some(address) = self.memory.word(frame - 8) else { break };
            if self.space.has_code(address.wrapping_sub(1)) && self.calls(address, function) {
                return Ok(frame);
            }
        }
        // Another function may have ended by going over to this one.
        told.filter(|_| call.is_some()).ok_or(Stop::Broken)
    }

    /// The caller of code that no table tells of.
    fn without_rule(&mut self, registers: &Registers) -> Result<Registers, Stop> {
        let sp = registers.sp();
        // So the outermost function is called (System V ABI AMD64 section 3.4.1).
        if registers.get(FRAME_POINTER) == Some(0) {
            return Err(Stop::End);
        }
        let framed = registers
            .get(FRAME_POINTER)
            .filter(|base| base % 8 == 0 && base.checked_sub(sp).is_some_and(|depth| depth < LARGEST_FRAME));
        if let Some(base) = framed {
            let caller = self.saved_at(base, registers);
            if let Some(caller) = caller.filter(|caller| caller.pc == 0 || self.is_behind_call(caller.pc)) {
                return Ok(caller);
            }
        }
        // A function that begins with a system call has pushed nothing yet.
        let behind = self.memory.word(sp).ok_or(Stop::Broken)?;
        let near = match self.call_before(behind) {
            Some((_, Call::Near(distance))) => behind.wrapping_add_signed(distance),
            _ => return Err(Stop::Broken),
        };
        if registers.pc.wrapping_sub(near) > SHORT_FUNCTION {
            return Err(Stop::Broken);
        }
        let mut caller = registers.kept();
        caller.set(STACK_POINTER, Some(sp.checked_add(8).ok_or(Stop::Broken)?));
        caller.pc = behind;
        Ok(caller)
    }

    fn is_behind_call(&mut self, address: u64) -> bool {
        // Code that was made at run time is not read.
        let has_file = self.space.at(address.wrapping_sub(1)).map(|region| region.has_image());
        match has_file {
            Some(true) => self.call_before(address).is_some(),
            Some(false) => true,
            None => false,
        }
    }

    /// The caller of a function whose frame pointer points to its caller's, with the return address behind it.
    fn saved_at(&mut self, base: u64, registers: &Registers) -> Option<Registers> {
        let mut caller = registers.kept();
        caller.set(FRAME_POINTER, Some(self.memory.word(base)?));
        caller.set(STACK_POINTER, Some(base.checked_add(16)?));
        caller.set(RETURN_ADDRESS, None);
        caller.pc = self.memory.word(base.checked_add(8)?)?;
        Some(caller)
    }
}

/// How far into a function without a frame a system call is.
const SHORT_FUNCTION: u64 = 256;
