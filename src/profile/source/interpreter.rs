//! The global interpreter lock of a running CPython, read without stopping it.
//!
//! A waiter sleeps on a futex inside `_PyRuntime`, so an address test finds it (`measuring.md` B4.3). The owner is
//! read from the lock itself. Its place in `_PyRuntime` moves with every version, but its beginning is the same in all
//! since 3.2 (CPython `Python/ceval_gil.c` and `pycore_gil.h`): the switch interval of 5,000 us, the last holder's
//! thread state, and a flag. That pattern was found exactly once on each of 3.7 to 3.13, at the true lock. A program
//! that changed its switch interval before it was looked at falls back to the offsets measured per size of
//! `_PyRuntime`.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::memory::{half, is_pointer, read_word, word};

/// Default switch interval in microseconds (`DEFAULT_INTERVAL`).
const SWITCH_INTERVAL: u64 = 5000;
/// Size of `_PyRuntime` and offset of the lock in it; measured on x86-64 builds of the version named.
const KNOWN_OFFSETS: &[(u64, u64)] = &[
    (1520, 0x4f0),      // 3.7
    (1464, 0x480),      // 3.8
    (656, 0x160),       // 3.9
    (672, 0x160),       // 3.10
    (166_688, 0x168),   // 3.11
    (459_944, 0x12e78), // 3.12
    (283_320, 0x17768), // 3.13
];
/// First bytes of `_PyRuntime` since 3.13; the third word says whether the build is free-threaded.
const DEBUG_COOKIE: &[u8; 8] = b"xdebugpy";
/// Offset of the condition variable in the lock, behind interval, holder, flag and switch count.
const CONDITION: u64 = 32;
/// Bytes of the lock that are read: up to the end of the condition variable.
const LOCK_BYTES: usize = 80;
/// Bytes of a thread state that are searched for the thread's identity.
const THREAD_STATE: usize = 256;
/// Where the C library keeps the kernel's thread id, counted from the `pthread_t`: glibc on x86-64 and on aarch64, musl.
pub(super) const TID_OFFSETS: [u64; 3] = [720, 208, 48];

/// A CPython process's lock, found in its memory.
#[derive(Debug)]
pub struct Interpreter {
    /// Address range of `_PyRuntime`.
    range: std::ops::Range<u64>,
    /// Address of the lock; `None`: not found, only waiting can be told.
    lock: Option<u64>,
    /// A build without the lock, where it was not switched on again.
    pub free_threaded: bool,
    /// How a thread state names its thread, once learnt.
    identity: Option<Identity>,
    /// Where the lock's condition variable counts those inside its wait, once learnt: from the lock's start.
    waiters: Option<u64>,
}

/// Where a thread state holds its thread's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    /// The kernel's thread id, at this offset (3.11 and later).
    Native(u64),
    /// A `pthread_t` at the first offset; the thread id at the second one from there.
    Pthread(u64, u64),
}

/// The lock at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockState {
    /// Who holds it.
    pub owner: Owner,
    /// Threads that queue for it, among them those that were woken and do not run yet. Zero while not known.
    pub queued: u32,
}

/// Who holds the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Nobody.
    Nobody,
    /// This thread.
    Thread(i32),
    /// Somebody, but not told who.
    Unclear,
}

impl Interpreter {
    /// Looks for the lock in `_PyRuntime` at this place of a process's memory.
    #[must_use]
    pub fn find(memory: &File, address: u64, size: u64) -> Self {
        let mut runtime = vec![0u8; usize::try_from(size).unwrap_or(0).min(4 << 20)];
        let read = memory.read_at(&mut runtime, address).unwrap_or(0);
        runtime.truncate(read);
        let offset = lock_offset(&runtime, size);
        let debug = runtime.starts_with(DEBUG_COOKIE) && word(&runtime, 16) == Some(1);
        let enabled = offset.and_then(|at| at.checked_sub(8)).and_then(|at| word(&runtime, at));
        Self {
            range: address..address + size,
            lock: offset.map(|offset| address + offset as u64),
            // In a free-threaded build the switch stands before the interval.
            free_threaded: debug && enabled.is_none_or(|enabled| enabled as u32 == 0),
            identity: None,
            waiters: None,
        }
    }

    /// Where futexes belong to the lock.
    #[must_use]
    pub fn range(&self) -> std::ops::Range<u64> {
        self.range.clone()
    }

    /// Whether a futex address belongs to the lock.
    #[must_use]
    pub fn contains(&self, address: u64) -> bool {
        self.range.contains(&address)
    }

    /// Whether it belongs to the condition that those who want the lock wait for. (Who has just given it away under
    /// request waits for another one, until the lock has changed hands.)
    #[must_use]
    pub fn queues_at(&self, address: u64) -> bool {
        self.lock.is_some_and(|lock| (lock + CONDITION..lock + LOCK_BYTES as u64).contains(&address))
    }

    /// Whether the owner can be read.
    #[must_use]
    pub fn has_lock(&self) -> bool {
        self.lock.is_some() && !self.free_threaded
    }

    /// A thread was seen waiting at this futex of the lock. It is one of the two group words at the end of glibc's
    /// condition variable, and the count of waiters stands right before them (`bits/thread-shared-types.h`; at 36
    /// up to glibc 2.40, at 28 since).
    pub fn waiter_at(&mut self, address: u64) {
        let Some(lock) = self.lock.filter(|_| self.waiters.is_none()) else { return };
        self.waiters = match address.checked_sub(lock + CONDITION) {
            Some(40 | 44) => Some(CONDITION + 36),
            Some(32) => Some(CONDITION + 28),
            _ => None,
        };
    }

    /// The lock now. `is_thread` tells the threads of the process. `None`: not readable.
    pub fn state(&mut self, memory: &File, is_thread: impl Fn(i32) -> bool) -> Option<LockState> {
        let mut bytes = [0u8; LOCK_BYTES];
        memory.read_exact_at(&mut bytes, self.lock?).ok()?;
        let holder = word(&bytes, 8)?;
        let locked = half(&bytes, 16)? as i32;
        let references = self.waiters.and_then(|at| half(&bytes, usize::try_from(at).ok()?)).unwrap_or(0);
        let owner =
            if locked <= 0 || holder == 0 { Owner::Nobody } else { self.thread(memory, holder, is_thread) };
        // The three lowest bits are flags.
        Some(LockState { owner, queued: references >> 3 })
    }

    fn thread(&mut self, memory: &File, holder: u64, is_thread: impl Fn(i32) -> bool) -> Owner {
        let known =
            self.identity.and_then(|identity| identity.read(memory, holder)).filter(|tid| is_thread(*tid));
        if let Some(tid) = known {
            return Owner::Thread(tid);
        }
        let Some((identity, tid)) = learn(memory, holder, is_thread) else { return Owner::Unclear };
        self.identity = Some(identity);
        Owner::Thread(tid)
    }
}

impl Identity {
    /// The kernel's id of the thread whose state lies at this address.
    fn read(self, memory: &File, state: u64) -> Option<i32> {
        match self {
            Self::Native(offset) => i32::try_from(read_word(memory, state.checked_add(offset)?)?).ok(),
            Self::Pthread(offset, tid) => {
                let thread = read_word(memory, state.checked_add(offset)?)?;
                Some(read_word(memory, thread.checked_add(tid)?)? as i32)
            }
        }
    }

    /// As [`Self::read`], from the bytes of a thread state.
    pub(super) fn of(self, memory: &File, state: &[u8]) -> Option<i32> {
        match self {
            Self::Native(offset) => i32::try_from(word(state, usize::try_from(offset).ok()?)?).ok(),
            Self::Pthread(offset, tid) => {
                let thread = word(state, usize::try_from(offset).ok()?)?;
                Some(read_word(memory, thread.checked_add(tid)?)? as i32)
            }
        }
    }
}

/// Finds where a thread state names its thread: a `pthread_t` (a pointer), followed since 3.11 by the kernel's id.
fn learn(memory: &File, state: u64, is_thread: impl Fn(i32) -> bool) -> Option<(Identity, i32)> {
    let mut bytes = [0u8; THREAD_STATE];
    let read = memory.read_at(&mut bytes, state).ok()?;
    let words: Vec<u64> = (0..read / 8).filter_map(|i| word(&bytes, i * 8)).collect();
    let native = words.windows(2).enumerate().find_map(|(i, pair)| {
        let tid = i32::try_from(pair[1]).ok().filter(|tid| *tid > 0 && is_thread(*tid))?;
        is_pointer(pair[0]).then_some((Identity::Native((i as u64 + 1) * 8), tid))
    });
    native.or_else(|| {
        words.iter().enumerate().filter(|(_, value)| is_pointer(**value)).find_map(|(i, value)| {
            // The first word of glibc's thread descriptor on x86-64 points to itself; so does musl's.
            if read_word(memory, *value) != Some(*value) && cfg!(target_arch = "x86_64") {
                return None;
            }
            TID_OFFSETS.iter().find_map(|offset| {
                let identity = Identity::Pthread(i as u64 * 8, *offset);
                let tid = identity.read(memory, state).filter(|tid| *tid > 0 && is_thread(*tid))?;
                Some((identity, tid))
            })
        })
    })
}

fn lock_offset(runtime: &[u8], size: u64) -> Option<usize> {
    let matches = |at: usize| {
        let holder = word(runtime, at + 8).unwrap_or(1);
        let locked = half(runtime, at + 16).map(|half| half as i32);
        word(runtime, at) == Some(SWITCH_INTERVAL)
            && (holder == 0 || is_pointer(holder))
            && matches!(locked, Some(-1..=1))
    };
    let mut found = (0..runtime.len().saturating_sub(24)).step_by(8).filter(|at| matches(*at));
    match (found.next(), found.next()) {
        (Some(only), None) => Some(only),
        _ => KNOWN_OFFSETS
            .iter()
            .find(|(known, _)| *known == size)
            .and_then(|(_, offset)| usize::try_from(*offset).ok())
            .filter(|offset| offset + 24 <= runtime.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime(interval: u64, at: usize, size: usize) -> Vec<u8> {
        let mut bytes = vec![0u8; size];
        bytes[at..at + 8].copy_from_slice(&interval.to_ne_bytes());
        bytes[at + 8..at + 16].copy_from_slice(&0x5555_0000_1000u64.to_ne_bytes());
        bytes[at + 16..at + 20].copy_from_slice(&1i32.to_ne_bytes());
        bytes
    }

    #[test]
    fn the_lock_is_found_by_its_switch_interval_wherever_it_lies() {
        assert_eq!(lock_offset(&runtime(5000, 0x1238, 8192), 8192), Some(0x1238));
    }

    #[test]
    fn a_changed_switch_interval_falls_back_to_the_measured_offset() {
        assert_eq!(lock_offset(&runtime(100, 0x160, 656), 656), Some(0x160));
        assert_eq!(lock_offset(&runtime(100, 0x160, 640), 640), None);
    }

    #[test]
    fn memory_that_ends_early_gives_no_lock() {
        assert_eq!(lock_offset(&[], 656), None);
        assert_eq!(lock_offset(&[0; 20], 20), None);
    }

    /// The whole path on a picture of memory: lock, thread state, thread id (layout of 3.11 and later).
    #[test]
    fn the_owner_is_read_from_memory() {
        let mut memory = vec![0u8; 0x4000];
        let put = |memory: &mut Vec<u8>, at: usize, value: u64| {
            memory[at..at + 8].copy_from_slice(&value.to_ne_bytes());
        };
        // Addresses must look like pointers, so the picture is a sparse file with the state high up.
        let (runtime_at, state_at) = (0x10_0000usize, 0x11_0000usize);
        memory.resize(0x12_0000, 0);
        put(&mut memory, runtime_at + 0x160, 5000);
        put(&mut memory, runtime_at + 0x168, state_at as u64);
        put(&mut memory, runtime_at + 0x170, 1);
        put(&mut memory, state_at + 0x98, 0x7f00_0000_0740);
        put(&mut memory, state_at + 0xa0, 4242);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &memory).unwrap();
        let opened = File::open(file.path()).unwrap();
        let mut interpreter = Interpreter::find(&opened, runtime_at as u64, 656);
        assert!(interpreter.has_lock() && interpreter.contains(runtime_at as u64 + 0x188));
        interpreter.waiter_at(runtime_at as u64 + 0x160 + 32 + 44);
        put(&mut memory, runtime_at + 0x160 + 32 + 32, 3 << 3 << 32);
        std::fs::write(file.path(), &memory).unwrap();
        let opened = File::open(file.path()).unwrap();
        let state = |owner, queued| Some(LockState { owner, queued });
        assert_eq!(interpreter.state(&opened, |tid| tid == 4242), state(Owner::Thread(4242), 3));
        assert_eq!(interpreter.identity, Some(Identity::Native(0xa0)));
        assert_eq!(interpreter.state(&opened, |tid| tid == 1), state(Owner::Unclear, 3));
        put(&mut memory, runtime_at + 0x170, 0);
        std::fs::write(file.path(), &memory).unwrap();
        let opened = File::open(file.path()).unwrap();
        assert_eq!(interpreter.state(&opened, |_| true), state(Owner::Nobody, 3));
    }
}
