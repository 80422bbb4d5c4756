//! Where CPython's structures hold what a stack is read from: one row of offsets per version. Knows no memory but the
//! beginning of `_PyRuntime`, which describes itself from 3.13 on.
//!
//! The rows up to 3.12 are what `offsetof` says of CPython's headers on 64-bit Linux (`pystate.h`, `frameobject.h`,
//! `code.h`, `unicodeobject.h` and, of the internal ones, `pycore_runtime.h`, `pycore_interp.h`, `pycore_frame.h`); they
//! have been the same in all releases of a minor version. Later versions are read from `_Py_DebugOffsets`
//! (`pycore_runtime.h`, `pycore_debug_offsets.h`), whose own order is told per version.

use super::super::memory::word;

/// Longest thread state, frame and code object that are read: up to the last field that is used.
pub(super) const THREAD_BYTES: usize = 256;
/// See [`THREAD_BYTES`].
pub(super) const FRAME_BYTES: usize = 192;
/// See [`THREAD_BYTES`].
pub(super) const CODE_BYTES: usize = 320;

/// Offsets of one version, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// The first interpreter in `_PyRuntime`.
    pub(super) interpreters: usize,
    /// The next interpreter in an interpreter.
    pub(super) next_interpreter: usize,
    /// An interpreter's first thread state.
    pub(super) threads: usize,
    /// A thread state.
    pub(super) thread: ThreadLayout,
    /// A frame.
    pub(super) frame: FrameLayout,
    /// A code object.
    pub(super) code: CodeLayout,
    /// How a code object tells lines.
    pub(super) lines: LineTable,
    /// A string.
    pub(super) text: TextLayout,
    /// Length and first byte of a bytes object.
    pub(super) bytes: (usize, usize),
    /// The type in an object, and the name in a type.
    pub(super) object: (usize, usize),
}

/// Offsets in a thread state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ThreadLayout {
    /// Bytes that hold all of them.
    pub(super) size: usize,
    /// The next state.
    pub(super) next: usize,
    /// The interpreter it belongs to.
    pub(super) interpreter: usize,
    /// Where the innermost frame is found.
    pub(super) head: Head,
    /// How it names its thread.
    pub(super) id: ThreadId,
}

/// Where a thread state leads to its innermost frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    /// It points to it.
    Frame(usize),
    /// It points to a `_PyCFrame` that points to it.
    CFrame {
        /// In the thread state.
        at: usize,
        /// In the `_PyCFrame`.
        current: usize,
    },
}

/// How a thread state names its thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ThreadId {
    /// By the kernel's number.
    Native(usize),
    /// By its `pthread_t`.
    Pthread(usize),
}

/// Offsets in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameLayout {
    /// Bytes that hold all of them.
    pub(super) size: usize,
    /// The caller's frame.
    pub(super) previous: usize,
    /// The code object.
    pub(super) code: usize,
    /// The current instruction.
    pub(super) instruction: usize,
    /// What kind of frame.
    pub(super) kind: FrameKind,
}

/// The two kinds of frames CPython had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FrameKind {
    /// `PyFrameObject`, up to 3.10: on the heap, with the number of the instruction.
    Object {
        /// A byte that says whether it runs.
        state: usize,
        /// Its values if so.
        runs: &'static [u8],
        /// Bytes that an instruction counts for.
        unit: i64,
    },
    /// `_PyInterpreterFrame`, since 3.11: one after another in the thread's own memory, with the address of the
    /// instruction.
    Interpreter {
        /// The byte that says who owns it.
        owner: usize,
        /// The top of its stack: -1 while the interpreter executes it and not a function it calls. 3.14 does not keep
        /// this up.
        stack_top: Option<usize>,
        /// The byte that says whether C code called it. Since 3.12 a frame of its own says so.
        entry: Option<usize>,
        /// Which copy of the code it runs, in a free-threaded 3.14.
        copy: Option<usize>,
    },
}

/// Offsets in a code object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CodeLayout {
    /// Bytes that hold all of them.
    pub(super) size: usize,
    /// The source file's name.
    pub(super) file: usize,
    /// The function's name, qualified where there is such.
    pub(super) name: usize,
    /// The first line.
    pub(super) first_line: usize,
    /// The table of lines.
    pub(super) table: usize,
    /// From here to the end of the pointer to the table nothing changes while the object lives.
    pub(super) constant: usize,
    /// Where the instructions are.
    pub(super) bytecode: Bytecode,
}

/// Where a code object holds its instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bytecode {
    /// In a bytes object.
    Object(usize),
    /// At its own end.
    Inline {
        /// The first one.
        at: usize,
        /// How many there are.
        units: usize,
        /// The number of the first one that counts as the function's own.
        first_traceable: usize,
        /// The copies that threads have, in a free-threaded 3.14.
        copies: Option<usize>,
    },
}

/// The formats of the table of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineTable {
    /// `co_lnotab`, up to 3.9.
    Lnotab,
    /// `co_linetable` of 3.10 (PEP 626).
    Ranges,
    /// `co_linetable` since 3.11.
    Locations,
}

/// Offsets in a string object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TextLayout {
    /// How many characters.
    pub(super) length: usize,
    /// The bits that tell the format.
    pub(super) state: usize,
    /// The first of them that tells the width of a character.
    pub(super) kind_bit: u32,
    /// The first character of a string of ASCII.
    pub(super) ascii: usize,
    /// The first character of another one.
    pub(super) wide: usize,
}

const V3_6: Layout = Layout {
    interpreters: 0,
    next_interpreter: 0,
    threads: 8,
    thread: ThreadLayout {
        size: 160,
        next: 8,
        interpreter: 16,
        head: Head::Frame(24),
        id: ThreadId::Pthread(152),
    },
    frame: FrameLayout {
        size: 136,
        previous: 24,
        code: 32,
        instruction: 120,
        kind: FrameKind::Object { state: 132, runs: &[1], unit: 1 },
    },
    code: CodeLayout {
        size: 120,
        file: 96,
        name: 104,
        first_line: 36,
        table: 112,
        constant: 16,
        bytecode: Bytecode::Object(40),
    },
    lines: LineTable::Lnotab,
    text: TextLayout { length: 16, state: 32, kind_bit: 2, ascii: 48, wide: 72 },
    bytes: (16, 32),
    object: (8, 24),
};

const V3_7: Layout = Layout {
    interpreters: 24,
    thread: ThreadLayout { size: 184, id: ThreadId::Pthread(176), ..V3_6.thread },
    frame: FrameLayout {
        size: 120,
        instruction: 104,
        kind: FrameKind::Object { state: 116, runs: &[1], unit: 1 },
        ..V3_6.frame
    },
    ..V3_6
};

const V3_8: Layout = Layout {
    interpreters: 32,
    code: CodeLayout {
        size: 128,
        file: 104,
        name: 112,
        first_line: 40,
        table: 120,
        constant: 16,
        bytecode: Bytecode::Object(48),
    },
    ..V3_7
};

const V3_10: Layout = Layout {
    frame: FrameLayout {
        size: 112,
        instruction: 96,
        // FRAME_EXECUTING and FRAME_UNWINDING.
        kind: FrameKind::Object { state: 108, runs: &[0, 2], unit: 2 },
        ..V3_8.frame
    },
    lines: LineTable::Ranges,
    ..V3_8
};

const V3_11: Layout = Layout {
    interpreters: 40,
    threads: 16,
    thread: ThreadLayout {
        size: 168,
        head: Head::CFrame { at: 56, current: 8 },
        id: ThreadId::Native(160),
        ..V3_10.thread
    },
    frame: FrameLayout {
        size: 72,
        previous: 48,
        code: 32,
        instruction: 56,
        kind: FrameKind::Interpreter { owner: 69, stack_top: Some(64), entry: Some(68), copy: None },
    },
    code: CodeLayout {
        size: 184,
        file: 112,
        name: 128,
        first_line: 72,
        table: 136,
        constant: 72,
        bytecode: Bytecode::Inline { at: 184, units: 16, first_traceable: 168, copies: None },
    },
    lines: LineTable::Locations,
    ..V3_10
};

const V3_12: Layout = Layout {
    threads: 72,
    thread: ThreadLayout {
        size: 152,
        head: Head::CFrame { at: 56, current: 0 },
        id: ThreadId::Native(144),
        ..V3_11.thread
    },
    frame: FrameLayout {
        previous: 8,
        code: 0,
        kind: FrameKind::Interpreter { owner: 70, stack_top: Some(64), entry: None, copy: None },
        ..V3_11.frame
    },
    code: CodeLayout {
        size: 192,
        first_line: 68,
        constant: 64,
        bytecode: Bytecode::Inline { at: 192, units: 16, first_traceable: 176, copies: None },
        ..V3_11.code
    },
    text: TextLayout { ascii: 40, wide: 56, ..V3_11.text },
    ..V3_11
};

/// The versions whose offsets are known beforehand.
const KNOWN: &[((u8, u8), Layout)] = &[
    ((3, 6), V3_6),
    ((3, 7), V3_7),
    ((3, 8), V3_8),
    ((3, 9), V3_8),
    ((3, 10), V3_10),
    ((3, 11), V3_11),
    ((3, 12), V3_12),
];

/// Where `_Py_DebugOffsets` holds the description of a structure: number of its first word.
struct Described {
    thread: usize,
    frame: usize,
    code: usize,
    object: usize,
    class: usize,
    bytes: usize,
    text: usize,
    /// From a frame's instruction to the top of its stack, where that says what it does.
    stack_top: Option<usize>,
    /// Which copy of the code a frame runs, and the copies of a code object.
    copies: Option<(usize, usize)>,
}

/// The versions that describe themselves.
const DESCRIBED: &[((u8, u8), Described)] = &[
    (
        (3, 13),
        Described {
            thread: 19,
            frame: 28,
            code: 34,
            object: 44,
            class: 46,
            bytes: 64,
            text: 67,
            stack_top: Some(8),
            copies: None,
        },
    ),
    (
        (3, 14),
        Described {
            thread: 22,
            frame: 31,
            code: 39,
            object: 50,
            class: 52,
            bytes: 74,
            text: 77,
            stack_top: None,
            copies: Some((38, 49)),
        },
    ),
];
/// First bytes of `_PyRuntime` since 3.13.
const COOKIE: &[u8; 8] = b"xdebugpy";
/// Bytes of `_Py_DebugOffsets` that are read.
pub(super) const DESCRIPTION_BYTES: usize = 81 * 8;
/// No offset within a structure is beyond this.
const FARTHEST: u64 = 1 << 20;

impl Layout {
    /// The layout of a version; `runtime` is the beginning of `_PyRuntime`. `None`: it is not known.
    pub(super) fn of(version: (u8, u8), runtime: &[u8]) -> Option<Self> {
        if let Some((_, layout)) = KNOWN.iter().find(|(known, _)| *known == version) {
            return Some(*layout);
        }
        let (_, at) = DESCRIBED.iter().find(|(known, _)| *known == version)?;
        let offset = |number: usize| {
            word(runtime, number * 8).filter(|value| *value < FARTHEST).map(|value| value as usize)
        };
        let told = word(runtime, 8)?;
        if !runtime.starts_with(COOKIE) || told >> 16 != u64::from(version.0) << 8 | u64::from(version.1) {
            return None;
        }
        let free_threaded = word(runtime, 16)? != 0;
        let copies = at.copies.filter(|_| free_threaded);
        let (native, current) = (offset(at.thread + 6)?, offset(at.thread + 4)?);
        let (instruction, owner) = (offset(at.frame + 3)?, offset(at.frame + 5)?);
        let (table, bytecode, first_line) =
            (offset(at.code + 4)?, offset(at.code + 9)?, offset(at.code + 5)?);
        let ascii = offset(at.text + 3)?;
        let layout = Self {
            interpreters: offset(5)?,
            next_interpreter: offset(8)?,
            threads: offset(9)?,
            thread: ThreadLayout {
                size: native.max(current) + 8,
                next: offset(at.thread + 2)?,
                interpreter: offset(at.thread + 3)?,
                head: Head::Frame(current),
                id: ThreadId::Native(native),
            },
            frame: FrameLayout {
                // Up to where its variables begin.
                size: offset(at.frame + 4)?,
                previous: offset(at.frame + 1)?,
                code: offset(at.frame + 2)?,
                instruction,
                kind: FrameKind::Interpreter {
                    owner,
                    stack_top: at.stack_top.map(|further| instruction + further),
                    entry: None,
                    copy: match copies {
                        Some((frame, _)) => Some(offset(frame)?),
                        None => None,
                    },
                },
            },
            code: CodeLayout {
                size: bytecode,
                file: offset(at.code + 1)?,
                name: offset(at.code + 3)?,
                first_line,
                table,
                constant: first_line & !7,
                bytecode: Bytecode::Inline {
                    at: bytecode,
                    // Right behind the header of the object.
                    units: offset(at.object)?,
                    // It is not described: before the pointer to extra data, and that to the copies.
                    first_traceable: bytecode.checked_sub(if copies.is_some() { 24 } else { 16 })?,
                    copies: match copies {
                        Some((_, code)) => Some(offset(code)?),
                        None => None,
                    },
                },
            },
            lines: LineTable::Locations,
            text: TextLayout {
                length: offset(at.text + 2)?,
                state: offset(at.text + 1)?,
                // A free-threaded 3.14 keeps the two bits before it in a byte of their own.
                kind_bit: if copies.is_some() { 8 } else { 2 },
                ascii,
                wide: ascii + 16,
            },
            bytes: (offset(at.bytes + 1)?, offset(at.bytes + 2)?),
            object: (offset(at.object + 1)?, offset(at.class + 1)?),
        };
        layout.fits().then_some(layout)
    }

    /// Whether everything lies within what is read.
    fn fits(&self) -> bool {
        let Self { thread, frame, code, text, bytes, object, .. } = self;
        let FrameKind::Interpreter { owner, stack_top, copy, .. } = frame.kind else { return true };
        let Bytecode::Inline { units, copies, .. } = code.bytecode else { return true };
        let within = |size: usize, words: &[usize]| words.iter().all(|word| word + 8 <= size);
        thread.size <= THREAD_BYTES
            && within(thread.size, &[thread.next, thread.interpreter])
            && frame.size <= FRAME_BYTES
            && within(frame.size, &[frame.previous, frame.code, frame.instruction])
            && owner < frame.size
            && stack_top.is_none_or(|top| top + 4 <= frame.size)
            && copy.is_none_or(|copy| copy + 4 <= frame.size)
            && code.size <= CODE_BYTES
            && within(code.size, &[code.file, code.name, code.first_line, code.table, units, object.0])
            && copies.is_none_or(|copies| copies + 8 <= code.size)
            && code.constant < code.table
            && [text.length, text.state, text.wide, bytes.0, bytes.1, object.1]
                .iter()
                .all(|offset| *offset <= 128)
    }
}
