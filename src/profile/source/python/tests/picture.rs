//! Pictures of memory, made by hand: one interpreter, one thread, some frames. Addresses are offsets in a file.

use std::io::Write;

use proptest::prelude::*;

use super::super::layout::{Bytecode, FrameKind, Head, ThreadId};
use super::*;

const RUNTIME: usize = 0x1_0000;
const INTERPRETER: usize = 0x1_2000;
const THREAD: usize = 0x1_4000;
const PTHREAD: usize = 0x1_5000;
const FRAMES: usize = 0x1_6000;
const FROM_C: usize = 0x1_7000;
const CODE: usize = 0x1_8000;
const TEXTS: usize = 0x1_9000;
const CLASS: usize = 0x1_a000;
const END: usize = 0x1_b000;
const TID: i32 = 4242;

/// Versions whose layout needs no description.
const VERSIONS: [(u8, u8); 7] = [(3, 6), (3, 7), (3, 8), (3, 9), (3, 10), (3, 11), (3, 12)];

struct Picture {
    version: (u8, u8),
    layout: Layout,
    bytes: Vec<u8>,
}

impl Picture {
    /// A thread that runs `outer`, which called `inner`, both made from one code object.
    fn of(version: (u8, u8)) -> Self {
        let layout = Layout::of(version, &[]).unwrap();
        let mut picture = Self { version, layout, bytes: vec![0; END] };
        picture.word(RUNTIME + layout.interpreters, INTERPRETER);
        picture.word(INTERPRETER + layout.threads, THREAD);
        picture.word(THREAD + layout.thread.interpreter, INTERPRETER);
        match layout.thread.id {
            ThreadId::Native(at) => picture.word(THREAD + at, TID as usize),
            ThreadId::Pthread(at) => {
                picture.word(THREAD + at, PTHREAD);
                picture.word(PTHREAD + 720, TID as usize);
            }
        }
        match layout.thread.head {
            Head::Frame(at) => picture.word(THREAD + at, frame(0)),
            Head::CFrame { at, current } => {
                picture.word(THREAD + at, THREAD + 0x200);
                picture.word(THREAD + 0x200 + current, frame(0));
            }
        }
        for number in 0..2 {
            picture.write_frame(number, if number == 0 { frame(1) } else { FROM_C });
        }
        match layout.frame.kind {
            FrameKind::Interpreter { owner, entry: None, .. } => picture.bytes[FROM_C + owner] = 3,
            FrameKind::Interpreter { entry: Some(entry), .. } => {
                let outer = frame(1);
                picture.bytes[outer + entry] = 1;
                picture.word(outer + layout.frame.previous, 0);
            }
            FrameKind::Object { .. } => picture.word(frame(1) + layout.frame.previous, 0),
        }
        picture.write_code();
        picture
    }

    fn write_frame(&mut self, number: usize, previous: usize) {
        let (at, frame) = (frame(number), self.layout.frame);
        self.word(at + frame.previous, previous);
        self.word(at + frame.code, CODE);
        match frame.kind {
            FrameKind::Object { state, runs, .. } => {
                self.bytes[at + state] = runs[0];
                self.bytes[at + frame.instruction] = 2;
            }
            FrameKind::Interpreter { .. } => {
                let Bytecode::Inline { at: bytecode, .. } = self.layout.code.bytecode else { unreachable!() };
                self.word(at + frame.instruction, CODE + bytecode + 2);
            }
        }
    }

    fn write_code(&mut self) {
        let (code, (class, name)) = (self.layout.code, self.layout.object);
        self.word(CODE + class, CLASS);
        self.word(CLASS + name, CLASS + 0x100);
        self.bytes[CLASS + 0x100..CLASS + 0x104].copy_from_slice(b"code");
        for (field, text) in [(code.file, "etl.py"), (code.name, "load")] {
            let at = TEXTS + 0x100 * field / 8;
            self.word(CODE + field, at);
            let layout = self.layout.text;
            self.word(at + layout.length, text.len());
            // One byte a character, compact, ASCII.
            self.word(at + layout.state, (1 | 3 << 3) << layout.kind_bit);
            self.bytes[at + layout.ascii..at + layout.ascii + text.len()].copy_from_slice(text.as_bytes());
        }
        self.bytes[CODE + code.first_line] = 88;
        self.word(CODE + code.table, TEXTS);
        match code.bytecode {
            Bytecode::Object(at) => {
                self.word(CODE + at, TEXTS);
                self.word(TEXTS + self.layout.bytes.0, 8);
            }
            Bytecode::Inline { units, .. } => {
                self.word(CODE + units, 4);
                self.word(TEXTS + self.layout.bytes.0, 2);
            }
        }
        // Eight instructions, or eight bytes, of line 88.
        let table = TEXTS + self.layout.bytes.1;
        self.bytes[table..table + 2].copy_from_slice(match self.layout.lines {
            layout::LineTable::Locations => &[0x87, 0],
            _ => &[8, 0],
        });
    }

    fn word(&mut self, at: usize, value: usize) {
        self.bytes[at..at + 8].copy_from_slice(&(value as u64).to_ne_bytes());
    }

    fn file(&self) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&self.bytes).unwrap();
        file
    }

    fn read(&self) -> Result<Vec<String>, Torn> {
        let (file, mut stacks) = (self.file(), Stacks::default());
        let mut reader = PythonStacks::find(&file, RUNTIME as u64, self.version).unwrap();
        let stack = reader.read(&file, TID, false, &mut stacks)?;
        Ok(stacks.levels(stack).map(|level| format!("{} {:?}", level.function, level.line)).collect())
    }
}

fn frame(number: usize) -> usize {
    FRAMES + 0x200 * number
}

#[test]
fn a_picture_of_memory_gives_its_stack() {
    for version in VERSIONS {
        let two = ["load Some(88)", "load Some(88)"].map(str::to_owned);
        assert_eq!(Picture::of(version).read(), Ok(two.to_vec()), "{version:?}");
    }
}

#[test]
fn a_circle_of_frames_is_torn() {
    for version in VERSIONS {
        let mut picture = Picture::of(version);
        picture.write_frame(1, frame(0));
        assert_eq!(picture.read(), Err(Torn), "{version:?}");
    }
}

#[test]
fn what_is_no_code_object_is_torn() {
    for version in VERSIONS {
        let mut picture = Picture::of(version);
        picture.bytes[CLASS + 0x100] = b'k';
        assert_eq!(picture.read(), Err(Torn), "{version:?}");
    }
}

#[test]
fn a_thread_without_a_state_runs_no_python() {
    for version in VERSIONS {
        let (file, mut stacks) = (Picture::of(version).file(), Stacks::default());
        let mut reader = PythonStacks::find(&file, RUNTIME as u64, version).unwrap();
        assert_eq!(reader.read(&file, 1, false, &mut stacks), Ok(StackId::UNSEEN), "{version:?}");
    }
}

#[test]
fn why_stacks_cannot_be_read_is_told() {
    let find = |picture: &Picture, version| {
        PythonStacks::find(&picture.file(), RUNTIME as u64, version).map(|_| ()).unwrap_err()
    };
    let mut picture = Picture::of((3, 11));
    assert_eq!(find(&picture, (3, 5)), NotReadable::Version);
    assert_eq!(find(&picture, (3, 14)), NotReadable::Version, "it does not describe itself");
    picture.word(THREAD + picture.layout.thread.interpreter, THREAD);
    assert_eq!(find(&picture, (3, 11)), NotReadable::Implausible);
    picture.word(RUNTIME + picture.layout.interpreters, 0);
    assert_eq!(find(&picture, (3, 11)), NotReadable::NotStarted);
}

/// What a word may be overwritten with: anything, or an address in the picture.
fn value() -> impl Strategy<Value = usize> {
    prop_oneof![
        any::<usize>(),
        (RUNTIME / 8..END / 8).prop_map(|word| word * 8),
        0..64usize,
        Just(usize::MAX)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever lies in memory, reading ends, and without a panic.
    #[test]
    fn any_memory_is_survived(
        version in 0..VERSIONS.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..64usize, value()), 0..12),
    ) {
        let version = VERSIONS[version];
        let mut picture = Picture::of(version);
        // Where something is that is read.
        let places = [RUNTIME, INTERPRETER, THREAD, PTHREAD, FRAMES, FRAMES + 0x200, FROM_C, CODE, TEXTS, CLASS];
        let (file, mut stacks) = (picture.file(), Stacks::default());
        let mut reader = PythonStacks::find(&file, RUNTIME as u64, version).unwrap();
        reader.read(&file, TID, false, &mut stacks).unwrap();
        for (place, word, value) in changes {
            picture.word(place.get(&places) + 8 * word, value);
        }
        let changed = picture.file();
        if let Ok(mut reader) = PythonStacks::find(&changed, RUNTIME as u64, version) {
            reader.read(&changed, TID, false, &mut stacks).ok();
        }
        // And by one who believes to know it.
        reader.read(&changed, TID, false, &mut stacks).ok();
    }

    /// A description of the layout may say anything, too.
    #[test]
    fn any_description_is_survived(
        minor in 13..=14u8,
        words in prop::collection::vec(prop_oneof![any::<u64>(), 0..400u64], 81),
    ) {
        let mut bytes = Vec::new();
        for (number, word) in words.iter().enumerate() {
            let word = match number {
                0 => u64::from_ne_bytes(*b"xdebugpy"),
                1 => 0x0300_0000 | u64::from(minor) << 16,
                _ => *word,
            };
            bytes.extend(word.to_ne_bytes());
        }
        let mut picture = Picture::of((3, 12));
        picture.bytes[RUNTIME..RUNTIME + bytes.len()].copy_from_slice(&bytes);
        let (file, mut stacks) = (picture.file(), Stacks::default());
        if let Ok(mut reader) = PythonStacks::find(&file, RUNTIME as u64, (3, minor)) {
            reader.read(&file, TID, false, &mut stacks).ok();
        }
    }
}
