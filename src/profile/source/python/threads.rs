//! Which thread states of CPython belong to a thread of the kernel. Knows the lists of interpreters and thread states;
//! knows no frame.

use std::fs::File;

use rustc_hash::FxHashMap;

use super::super::interpreter::{Identity, TID_OFFSETS};
use super::super::memory::{is_pointer, read, read_word, word};
use super::Torn;
use super::layout::{Head, Layout, THREAD_BYTES, ThreadId};

/// Interpreters and thread states that are looked at in one search.
const INTERPRETERS: usize = 256;
/// See [`INTERPRETERS`].
const STATES: usize = 65_536;
/// After how many uses the states of a thread are searched again: it may have entered another interpreter.
const USES: u32 = 256;
/// Threads remembered at once.
const REMEMBERED: usize = 65_536;

/// The threads that were asked for.
#[derive(Debug)]
pub(super) struct Threads {
    /// Address of the pointer to the first interpreter.
    interpreters: u64,
    /// How thread states name their thread; `None`: not learnt yet.
    identity: Option<Identity>,
    known: FxHashMap<i32, Known>,
}

/// What is known of one thread.
#[derive(Debug)]
struct Known {
    /// Its states, that of the youngest interpreter first. Empty: it has none.
    states: Vec<u64>,
    /// How often this may be used before it is searched again.
    uses: u32,
    /// How often it could be used after the last search.
    granted: u32,
    /// Its outermost frame, and another one that was seen last.
    outermost: [u64; 2],
}

impl Threads {
    /// `interpreters` is the address of the pointer to the first one.
    pub(super) fn new(layout: &Layout, interpreters: u64) -> Self {
        let identity = match layout.thread.id {
            ThreadId::Native(at) => Some(Identity::Native(at as u64)),
            ThreadId::Pthread(_) => None,
        };
        Self { interpreters, identity, known: FxHashMap::default() }
    }

    /// The thread states of a thread, that of the youngest interpreter first. One that enters an interpreter from
    /// another one has a state in each, and the one it entered last is usually the youngest.
    pub(super) fn states(&mut self, memory: &File, layout: &Layout, tid: i32) -> Result<&[u64], Torn> {
        let granted = match self.known.get_mut(&tid) {
            Some(known) if known.uses > 0 => {
                known.uses -= 1;
                None
            }
            // Threads without a state are asked for as often, and each search goes through all states in vain.
            Some(known) => Some(if known.states.is_empty() { (known.granted * 2).min(USES) } else { USES }),
            None => Some(1),
        };
        if let Some(granted) = granted {
            let states = self.search(memory, layout, tid)?;
            let granted = if states.is_empty() { granted } else { USES };
            if self.known.len() >= REMEMBERED {
                self.known.clear();
            }
            self.known.insert(tid, Known { states, uses: granted, granted, outermost: [0; 2] });
        }
        self.known.get(&tid).map(|known| known.states.as_slice()).ok_or(Torn)
    }

    /// Whether a frame is the outermost of a thread: it is always the same, unless that is seen twice in a row. A
    /// generator that has just been suspended has no caller either.
    pub(super) fn is_outermost(&mut self, tid: i32, frame: u64) -> bool {
        let Some(Known { outermost: [known, last], .. }) = self.known.get_mut(&tid) else { return false };
        if *last == frame {
            *known = frame;
        }
        *last = frame;
        *known == frame
    }

    /// What was believed of a thread was wrong.
    pub(super) fn forget(&mut self, tid: i32) {
        self.known.remove(&tid);
    }

    /// The innermost frame of a thread state; 0: none. `None`: it is not this thread's any more.
    pub(super) fn head_of(&self, memory: &File, layout: &Layout, state: u64, tid: i32) -> Option<u64> {
        let mut buffer = [0u8; THREAD_BYTES];
        let bytes = buffer.get_mut(..layout.thread.size)?;
        read(memory, state, bytes)?;
        if self.identity?.of(memory, bytes)? != tid {
            return None;
        }
        match layout.thread.head {
            Head::Frame(at) => word(bytes, at),
            Head::CFrame { at, current } => read_word(memory, word(bytes, at)?.checked_add(current as u64)?),
        }
    }

    /// Goes through all interpreters; in each the youngest threads stand first.
    fn search(&mut self, memory: &File, layout: &Layout, tid: i32) -> Result<Vec<u64>, Torn> {
        let mut found = Vec::new();
        let mut left = STATES;
        let mut interpreter = read_word(memory, self.interpreters).ok_or(Torn)?;
        for _ in 0..INTERPRETERS {
            if interpreter == 0 {
                break;
            }
            let first = at(interpreter, layout.threads).and_then(|place| read_word(memory, place));
            let mut state = first.ok_or(Torn)?;
            while state != 0 {
                left = left.checked_sub(1).ok_or(Torn)?;
                let mut buffer = [0u8; THREAD_BYTES];
                let bytes = buffer.get_mut(..layout.thread.size).ok_or(Torn)?;
                if !is_pointer(state) || read(memory, state, bytes).is_none() {
                    return Err(Torn);
                }
                if word(bytes, layout.thread.interpreter) != Some(interpreter) {
                    return Err(Torn);
                }
                if self.belongs(memory, layout, bytes, tid) {
                    found.push(state);
                    break;
                }
                state = word(bytes, layout.thread.next).ok_or(Torn)?;
            }
            interpreter = at(interpreter, layout.next_interpreter)
                .and_then(|place| read_word(memory, place))
                .ok_or(Torn)?;
        }
        Ok(found)
    }

    /// Whether a thread state is that of this thread.
    fn belongs(&mut self, memory: &File, layout: &Layout, bytes: &[u8], tid: i32) -> bool {
        if let Some(identity) = self.identity {
            return identity.of(memory, bytes) == Some(tid);
        }
        let ThreadId::Pthread(at) = layout.thread.id else { return false };
        let learnt = TID_OFFSETS
            .into_iter()
            .map(|offset| Identity::Pthread(at as u64, offset))
            .find(|identity| identity.of(memory, bytes) == Some(tid));
        self.identity = learnt;
        learnt.is_some()
    }
}

fn at(address: u64, offset: usize) -> Option<u64> {
    address.checked_add(offset as u64)
}

/// The innermost frame of a thread state that was believed a moment ago.
pub(super) fn head_again(memory: &File, layout: &Layout, state: u64) -> Option<u64> {
    match layout.thread.head {
        Head::Frame(offset) => read_word(memory, at(state, offset)?),
        Head::CFrame { at: offset, current } => {
            read_word(memory, at(read_word(memory, at(state, offset)?)?, current)?)
        }
    }
}
