//! Birth of a command: with the signals boundby itself was born with, and no shell in between; and a witness of what is
//! sent to the whole process group. Knows fork, exec and signals; must not know what is measured.
//!
//! The standard library's `Command` clears the signal mask and resets `SIGPIPE`, as Rust's start-up code before it
//! ignores `SIGPIPE`; a command under boundby would behave otherwise than alone. And it leaves a file the kernel
//! refuses to the shell.

#![allow(unsafe_code)]

use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::pipe::{PipeFlags, pipe_with};

/// Signals boundby was born ignoring (bit `n - 1` for signal `n`), as `nohup` makes its command.
static IGNORED: AtomicU64 = AtomicU64::new(0);
/// Signals boundby was born with blocked.
static BLOCKED: AtomicU64 = AtomicU64::new(0);
/// Signals there are.
const SIGNALS: std::ops::RangeInclusive<i32> = 1..=64;
/// Where commands are looked for when there is no `PATH`; what `execvp` uses.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

// Runs before Rust's own start-up code, which would hide what it changes.
#[used]
// SAFETY: the section holds pointers to functions that the C library calls before `main`; this is one.
#[unsafe(link_section = ".init_array")]
static REMEMBER: extern "C" fn() = remember;

extern "C" fn remember() {
    let (mut ignored, mut blocked) = (0u64, 0u64);
    // SAFETY: both calls only read, into places that outlive them; zeroes are valid values of both types.
    unsafe {
        let mut mask: libc::sigset_t = std::mem::zeroed();
        libc::sigprocmask(libc::SIG_BLOCK, ptr::null(), &raw mut mask);
        for signal in SIGNALS {
            let mut action: libc::sigaction = std::mem::zeroed();
            let is_known = libc::sigaction(signal, ptr::null(), &raw mut action) == 0;
            ignored |= u64::from(is_known && action.sa_sigaction == libc::SIG_IGN) << (signal - 1);
            blocked |= u64::from(libc::sigismember(&raw const mask, signal) == 1) << (signal - 1);
        }
    }
    IGNORED.store(ignored, Ordering::Relaxed);
    BLOCKED.store(blocked, Ordering::Relaxed);
}

/// Whether boundby was born ignoring this signal.
#[must_use]
pub(super) fn is_ignored(signal: i32) -> bool {
    IGNORED.load(Ordering::Relaxed) & bit(signal) != 0
}

fn bit(signal: i32) -> u64 {
    u32::try_from(signal - 1).ok().and_then(|shift| 1u64.checked_shl(shift)).unwrap_or(0)
}

fn set_of(is_member: impl Fn(i32) -> bool) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the set, sigaddset changes it; numbers that are no signals are refused.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in SIGNALS.filter(|signal| is_member(*signal)) {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        set.assume_init()
    }
}

/// Lets signals reach boundby that were blocked when it was born: it could not know of its children's end, and could
/// not pass on what the command may well be waiting for.
pub(super) fn listen_to(signals: &[i32]) {
    let set = set_of(|signal| signals.contains(&signal));
    // SAFETY: the set outlives the call.
    unsafe {
        libc::sigprocmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut());
    }
}

/// A command and where it may be: everything exec needs, made before the fork, after which nothing may be allocated.
pub(super) struct Image {
    /// Paths to try, in order.
    pub(super) candidates: Vec<CString>,
    arguments: Vec<CString>,
}

impl Image {
    /// # Errors
    /// A zero byte in a word.
    pub(super) fn new(command: &[OsString]) -> io::Result<Self> {
        let c_string = |bytes: Vec<u8>| CString::new(bytes).map_err(io::Error::from);
        let program = command.first().map(|word| word.as_bytes()).unwrap_or_default();
        let candidates: Vec<Vec<u8>> = if program.is_empty() {
            Vec::new()
        } else if program.contains(&b'/') {
            vec![program.to_vec()]
        } else {
            let path = std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
            // An empty directory is the present one.
            let below = |directory: &[u8]| match directory {
                b"" => program.to_vec(),
                directory => [directory, b"/", program].concat(),
            };
            path.as_bytes().split(|byte| *byte == b':').map(below).collect()
        };
        Ok(Self {
            candidates: candidates.into_iter().map(c_string).collect::<Result<_, _>>()?,
            arguments: command
                .iter()
                .map(|word| c_string(word.clone().into_vec()))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Starts it with the streams, the process group, the signal mask and the ignored signals boundby was born with;
    /// `handled` are the signals boundby has handlers for now. The process waits until `prepare` has returned, and becomes
    /// the command if it says so. Returns its pid.
    ///
    /// # Errors
    /// What `fork`, or the best of the calls to `exec`, failed with.
    pub(super) fn start(&self, handled: &[i32], prepare: impl FnOnce(i32) -> bool) -> Result<i32, Refusal> {
        let mut pointers: Vec<_> = self.arguments.iter().map(|word| word.as_ptr()).collect();
        pointers.push(ptr::null());
        let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(|error| Refusal::Fork(error.into()));
        let ((failure, report), (gate, release)) = (pipe()?, pipe()?);
        let everything = set_of(|_| true);
        let mut at_gate = 0u8;
        let at_birth = set_of(|signal| BLOCKED.load(Ordering::Relaxed) & bit(signal) != 0);
        // SAFETY: between fork and exec the child only calls what is safe in a signal handler, and allocates nothing.
        // Signals are blocked meanwhile, so that one that is meant for the command finds the command's dispositions
        // and not boundby's handlers.
        let pid = unsafe {
            let mut before = MaybeUninit::uninit();
            libc::sigprocmask(libc::SIG_SETMASK, &raw const everything, before.as_mut_ptr());
            let pid = libc::fork();
            if pid == 0 {
                for signal in handled.iter().copied().chain([libc::SIGPIPE]) {
                    let action = if is_ignored(signal) { libc::SIG_IGN } else { libc::SIG_DFL };
                    libc::signal(signal, action);
                }
                libc::sigprocmask(libc::SIG_SETMASK, &raw const at_birth, ptr::null_mut());
                // If boundby closes the gate, or ends, there will be no command; only it may hold it open.
                libc::close(release.as_raw_fd());
                if libc::read(gate.as_raw_fd(), (&raw mut at_gate).cast(), 1) != 1 {
                    libc::_exit(127);
                }
                let error = self.exec(&pointers).to_ne_bytes();
                libc::write(report.as_raw_fd(), error.as_ptr().cast(), error.len());
                libc::_exit(127);
            }
            libc::sigprocmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut());
            pid
        };
        if pid < 0 {
            return Err(Refusal::Fork(io::Error::last_os_error()));
        }
        drop((report, gate));
        await_sleep(pid);
        if prepare(pid) {
            // It may have been killed meanwhile: then there is nobody to let through.
            let _ = rustix::io::write(&release, &[0]);
        }
        drop(release);
        match reported(failure) {
            None => Ok(pid),
            Some(error) => {
                // SAFETY: the child is ours and about to end; its status does not matter.
                unsafe { libc::waitpid(pid, ptr::null_mut(), 0) };
                Err(Refusal::Exec(error))
            }
        }
    }

    /// Becomes the first candidate that can be; returns the error number, if none can. As `execvp`, without the shell.
    ///
    /// # Safety
    /// `pointers` are the arguments of a command and end with a null pointer.
    unsafe fn exec(&self, pointers: &[*const libc::c_char]) -> i32 {
        let mut error = libc::ENOENT;
        for candidate in &self.candidates {
            // SAFETY: the candidate is a C string, and the caller answers for the rest.
            unsafe { libc::execv(candidate.as_ptr(), pointers.as_ptr()) };
            match io::Error::last_os_error().raw_os_error().unwrap_or(libc::ENOENT) {
                libc::ENOENT | libc::ENOTDIR | libc::ESTALE | libc::ENODEV | libc::ETIMEDOUT => {}
                // A file further along the path may do.
                libc::EACCES => error = libc::EACCES,
                other => return other,
            }
        }
        error
    }
}

/// Waits a moment for a process of ours to have come to where it waits.
fn await_sleep(pid: i32) {
    for _ in 0..100 {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if stat.rsplit_once(')').is_none_or(|(_, fields)| !fields.starts_with(" R")) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_micros(50));
    }
}

/// Why a command did not start.
pub(super) enum Refusal {
    /// There could be no process.
    Fork(io::Error),
    /// The process could not become the command.
    Exec(io::Error),
}

/// What the child says; nothing, if the exec closed its end.
fn reported(failure: OwnedFd) -> Option<io::Error> {
    let mut error = [0; 4];
    File::from(failure).read_exact(&mut error).ok()?;
    Some(io::Error::from_raw_os_error(i32::from_ne_bytes(error)))
}

/// A process that does nothing but stand in boundby's process group with every signal blocked: what is pending for it
/// was sent to the whole group, and has reached the command without boundby.
///
/// A signal does not tell whether it was sent to one process or to its group; passed on regardless, the command would
/// get it twice.
pub(super) struct Witness {
    pid: i32,
}

impl Witness {
    /// A new one; nothing, where there can be no process.
    pub(super) fn start() -> Option<Self> {
        let words = command_line_memory();
        let everything = set_of(|_| true);
        let us = std::process::id();
        // SAFETY: the child calls only what is safe in a signal handler, touches no memory of ours but the words of
        // its own copy of the command line, and never returns.
        let pid = unsafe {
            let mut before = MaybeUninit::uninit();
            libc::sigprocmask(libc::SIG_SETMASK, &raw const everything, before.as_mut_ptr());
            let pid = libc::fork();
            if pid == 0 {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                // Whoever reads the streams must not wait for the witness to close them.
                libc::syscall(libc::SYS_close_range, 0, libc::c_uint::MAX, 0);
                for descriptor in 0..3 {
                    libc::close(descriptor);
                }
                // Signals that are sent by name are not sent to a group: it must not look like boundby.
                libc::prctl(libc::PR_SET_NAME, c"signal-witness".as_ptr());
                if let Some((start, length)) = words {
                    ptr::write_bytes(start as *mut u8, 0, length);
                }
                while libc::getppid().cast_unsigned() == us {
                    libc::poll(ptr::null_mut(), 0, 60_000);
                }
                libc::_exit(0);
            }
            libc::sigprocmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut());
            pid
        };
        (pid > 0).then_some(Self { pid })
    }

    /// Its pid.
    pub(super) fn pid(&self) -> i32 {
        self.pid
    }

    /// It has ended and was reaped with the other children: its pid may be somebody else's now.
    pub(super) fn was_reaped(self) {
        std::mem::forget(self);
    }

    /// Whether this signal was sent to it, too.
    pub(super) fn has_seen(&self, signal: i32) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let pending = status.lines().find_map(|line| line.strip_prefix("ShdPnd:"));
        pending
            .and_then(|set| u64::from_str_radix(set.trim(), 16).ok())
            .is_some_and(|set| set & bit(signal) != 0)
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        // SAFETY: the pid is a child of ours that was not reaped, so it cannot be somebody else's.
        unsafe {
            libc::kill(self.pid, libc::SIGKILL);
            libc::waitpid(self.pid, ptr::null_mut(), 0);
        }
    }
}

/// Where the words of our command line are, and how long they are together.
fn command_line_memory() -> Option<(usize, usize)> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // proc(5) counts from 1; the state is field 3 and stands first behind the name.
    let mut places = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(48 - 3);
    let (first, behind) = (places.next()?.parse().ok()?, places.next()?.parse::<usize>().ok()?);
    (first != 0).then_some((first, behind.checked_sub(first)?))
}
