//! Code objects: the file, the function and the lines of what a frame runs. Knows no frame and no thread.
//!
//! What was read of a code object is kept, and code objects are freed and their memory used again. Each is therefore
//! compared with what was kept, from its first line to the pointer to its table: the numbers and pointers in between
//! never change while it lives, and since 3.12 a version number is among them that no two share. That is done whenever
//! it is among the innermost of a stack and every few stacks where it is not. What remains: before 3.12 a code object
//! replaced by one of the same shape whose strings and tables all came to lie where those of the old one did, as with
//! strings that are compiled and run again and again; its file and function are then right, its line may be that of
//! the former.

use std::fs::File;
use std::os::unix::fs::FileExt;

use rustc_hash::FxHashMap;

use super::super::memory::{half, is_pointer, read, word};
use super::Torn;
use super::layout::{Bytecode, CODE_BYTES, CodeLayout, Layout};
use super::library::Library;
use super::lines::line_of;
use super::walk::Level;
use crate::profile::stack::{Frame, FrameId, Stacks};

/// Levels of a stack whose code objects are compared each time.
const INNERMOST: usize = 2;
/// After how many stacks those of the others are compared again.
const TRUSTED: u32 = 16;
/// Code objects kept.
const KEPT: usize = 16_384;
/// Instructions whose frames are kept, of one code object.
const PLACES: usize = 512;
/// Longest name of a function, in characters; the rest is cut off.
const NAME: usize = 256;
/// Longest name of a file, in characters; the rest is cut off.
const PATH: usize = 4096;
/// Longest string and table of lines that are believed, in bytes.
const LONGEST: u64 = 4 << 20;
/// Copies of the code that free-threaded builds may have: one for each thread.
const COPIES: u64 = 65_536;
/// Bytes that are read of a string at first.
const GLANCE: usize = 256;

/// The code objects of one process.
#[derive(Debug)]
pub(super) struct Codes {
    library: Library,
    known: FxHashMap<u64, Code>,
    /// The type of code objects, once one was seen.
    class: Option<u64>,
    /// Counts the stacks, to tell what was compared when.
    stacks: u32,
    buffer: Vec<u8>,
}

/// What is kept of a code object.
#[derive(Debug)]
struct Code {
    /// Its constant part.
    stamp: Box<[u8]>,
    /// The stack it was last compared for.
    compared: u32,
    function: String,
    file: String,
    own: bool,
    /// It is run once, or made while the program runs: its memory is soon used again.
    fleeting: bool,
    first_line: i32,
    table: u64,
    /// Bytes of its bytecode.
    length: i64,
    /// Bytes that the function's own instructions begin after.
    begins: i64,
    /// The copies of its bytecode that threads have; 0: none.
    copies: u64,
    /// Frames by instruction.
    places: Vec<(i64, Option<FrameId>)>,
}

impl Codes {
    pub(super) fn new(library: Library) -> Self {
        Self { library, known: FxHashMap::default(), class: None, stacks: 0, buffer: Vec::new() }
    }

    /// A new stack is told.
    pub(super) fn begin_stack(&mut self) {
        self.stacks = self.stacks.wrapping_add(1);
    }

    /// The frame of a level, the innermost being number 0. `Ok(None)`: it does not count as one yet, or there are too
    /// many already.
    pub(super) fn frame(
        &mut self,
        memory: &File,
        layout: &Layout,
        (number, level): (usize, &Level),
        stacks: &mut Stacks,
    ) -> Result<Option<FrameId>, Torn> {
        self.check(memory, layout, number, level.code).ok_or(Torn)?;
        let code = self.known.get_mut(&level.code).ok_or(Torn)?;
        let at = code.offset(memory, layout, level).ok_or(Torn)?;
        // An address that is no instruction of it was written before its code object was, or after.
        if at >= code.length {
            return Err(Torn);
        }
        if at < code.begins && !level.generator {
            return Ok(None);
        }
        if let Some((_, frame)) = code.places.iter().find(|(known, _)| *known == at) {
            return Ok(*frame);
        }
        let table = bytes_object(memory, layout, code.table, &mut self.buffer).ok_or(Torn)?;
        let frame = stacks.frame(Frame {
            function: code.function.clone(),
            file: Some(code.file.clone()),
            line: line_of(layout.lines, table, code.first_line, at),
            own: code.own,
        });
        if code.places.len() < PLACES {
            code.places.push((at, frame));
        }
        Ok(frame)
    }

    /// Makes sure that what is known of a code object is so.
    fn check(&mut self, memory: &File, layout: &Layout, number: usize, address: u64) -> Option<()> {
        let now = self.stacks;
        if let Some(known) = self.known.get(&address) {
            let age = now.wrapping_sub(known.compared);
            if age == 0 || number >= INNERMOST && age < TRUSTED && !(known.fleeting && number < 16) {
                return Some(());
            }
        }
        if !is_pointer(address) {
            return None;
        }
        let mut buffer = [0u8; CODE_BYTES];
        let bytes = buffer.get_mut(..layout.code.size)?;
        read(memory, address, bytes)?;
        self.is_code(memory, layout, bytes)?;
        let stamp = bytes.get(layout.code.constant..layout.code.table + 8)?;
        if let Some(known) = self.known.get_mut(&address).filter(|known| *known.stamp == *stamp) {
            known.compared = now;
            return Some(());
        }
        let code = Code::read(memory, layout, bytes, &self.library)?;
        if self.known.len() >= KEPT {
            self.known.clear();
        }
        self.known.insert(address, Code { stamp: stamp.into(), compared: now, ..code });
        Some(())
    }

    /// Whether an object is a code object: its type is called so.
    fn is_code(&mut self, memory: &File, layout: &Layout, object: &[u8]) -> Option<()> {
        let (class_at, name_at) = layout.object;
        let class = word(object, class_at)?;
        if self.class == Some(class) {
            return Some(());
        }
        if self.class.is_some() || !is_pointer(class) {
            return None;
        }
        let mut name = [0u8; 8];
        read(memory, class.checked_add(name_at as u64)?, &mut name)?;
        let mut text = [0u8; 5];
        read(memory, u64::from_ne_bytes(name), &mut text)?;
        if text != *b"code\0" {
            return None;
        }
        self.class = Some(class);
        Some(())
    }
}

impl Code {
    fn read(memory: &File, layout: &Layout, bytes: &[u8], library: &Library) -> Option<Self> {
        let CodeLayout { file, name, first_line, table, bytecode, .. } = layout.code;
        let text = |at: usize, longest: usize| string(memory, layout, word(bytes, at)?, longest);
        let file = text(file, PATH)?;
        let (length, begins, copies) = match bytecode {
            Bytecode::Object(at) => {
                let size = word(bytes, at)?.checked_add(layout.bytes.0 as u64)?;
                let mut length = [0u8; 8];
                read(memory, size, &mut length)?;
                (i64::from_ne_bytes(length), i64::MIN, 0)
            }
            Bytecode::Inline { at: _, units, first_traceable, copies } => {
                let length = (word(bytes, units)? as i64).checked_mul(2)?;
                let begins = i64::from(half(bytes, first_traceable)?) * 2;
                let copies = copies.map_or(Some(0), |at| word(bytes, at))?;
                (length, begins, copies)
            }
        };
        let function = text(name, NAME)?;
        Some(Self {
            stamp: Box::default(),
            compared: 0,
            fleeting: function == "<module>" || file.starts_with('<') && !file.starts_with("<frozen "),
            function,
            own: library.is_own(&file),
            file,
            first_line: half(bytes, first_line)? as i32,
            table: word(bytes, table)?,
            length,
            begins,
            copies,
            places: Vec::new(),
        })
    }

    /// The byte of the bytecode that a level's instruction is; negative: before the first.
    fn offset(&self, memory: &File, layout: &Layout, level: &Level) -> Option<i64> {
        let Bytecode::Inline { at, .. } = layout.code.bytecode else { return Some(level.instruction) };
        let start = match level.copy {
            0 => level.code.checked_add(at as u64)?,
            // Behind the number of copies.
            copy if u64::from(copy) < COPIES => {
                let mut place = [0u8; 8];
                read(memory, self.copies.checked_add(8 + 8 * u64::from(copy))?, &mut place)?;
                u64::from_ne_bytes(place)
            }
            _ => return None,
        };
        let offset = level.instruction.checked_sub(i64::try_from(start).ok()?)?;
        (offset >= -2 && offset % 2 == 0).then_some(offset)
    }
}

/// The bytes of a bytes object.
fn bytes_object<'b>(
    memory: &File,
    layout: &Layout,
    address: u64,
    buffer: &'b mut Vec<u8>,
) -> Option<&'b [u8]> {
    let (size, first) = layout.bytes;
    let mut length = [0u8; 8];
    read(memory, address.checked_add(size as u64)?, &mut length)?;
    let length = u64::from_ne_bytes(length);
    if !is_pointer(address) || length > LONGEST {
        return None;
    }
    buffer.clear();
    buffer.resize(length as usize, 0);
    read(memory, address.checked_add(first as u64)?, buffer)?;
    Some(buffer)
}

/// The text of a compact string object, up to this many characters.
pub(super) fn string(memory: &File, layout: &Layout, address: u64, longest: usize) -> Option<String> {
    let text = &layout.text;
    if !is_pointer(address) {
        return None;
    }
    let mut glance = [0u8; GLANCE];
    let read_bytes = memory.read_at(&mut glance, address).ok()?;
    let seen = glance.get(..read_bytes)?;
    let (length, state) = (word(seen, text.length)?, half(seen, text.state)?);
    let kind = state >> text.kind_bit & 7;
    let (compact, ascii) = (state >> (text.kind_bit + 3) & 1 == 1, state >> (text.kind_bit + 4) & 1 == 1);
    let width = match kind {
        1 | 2 | 4 => u64::from(kind),
        _ => return None,
    };
    if !compact || ascii && width != 1 || length > LONGEST {
        return None;
    }
    let start = if ascii { text.ascii } else { text.wide };
    let bytes = (length.min(longest as u64) * width) as usize;
    let mut rest = Vec::new();
    let characters = if let Some(characters) = seen.get(start..start + bytes) {
        characters
    } else {
        rest.resize(bytes, 0);
        read(memory, address.checked_add(start as u64)?, &mut rest)?;
        &rest
    };
    let characters = characters.chunks_exact(width as usize).map(|unit| {
        let number = unit.iter().rev().fold(0u32, |number, byte| number << 8 | u32::from(*byte));
        // File names that are no UTF-8 hold lone surrogates.
        char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER)
    });
    Some(characters.collect())
}
