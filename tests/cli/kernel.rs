//! What only the kernel can do for a test: signals, dispositions, terminals, name spaces.
#![allow(unsafe_code, reason = "the standard library offers none of this")]

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Sends a signal; to a group, if the pid is negative. Nobody there is no error.
pub(crate) fn kill(pid: i32, signal: i32) {
    // SAFETY: kill touches no memory.
    unsafe { libc::kill(pid, signal) };
}

/// Waits until a child has ended, and leaves it a zombie.
pub(crate) fn wait_for_zombie(pid: i32) {
    // SAFETY: siginfo_t is plain data and outlives the call.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let id = libc::id_t::try_from(pid).unwrap();
        assert_eq!(libc::waitid(libc::P_PID, id, &raw mut info, libc::WEXITED | libc::WNOWAIT), 0);
    }
}

/// The id of the calling thread.
pub(crate) fn thread_id() -> i32 {
    // SAFETY: it touches no memory.
    unsafe { libc::gettid() }
}

/// How a process is born.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Birth {
    /// Ignoring these.
    Ignoring(&'static [i32]),
    /// With every signal blocked.
    Blocking,
    /// With an alarm that is due after this many seconds.
    Alarmed(u32),
    /// Dying of a terminal's signals, whatever the tests were started with (`nohup`, a job in the background).
    Mortal,
    /// Without the right to borrow descriptors of other processes, as in a container with the usual profile.
    Unlent,
    /// Without the right to this system call, as a container's filter may have it.
    Refusing(i64),
}

/// Lets the command be born so.
pub(crate) fn born(command: &mut Command, birth: Birth) -> &mut Command {
    let prepare = move || {
        // SAFETY: all of these may be called between fork and exec; the set outlives its use.
        unsafe {
            match birth {
                Birth::Ignoring(signals) => {
                    for signal in signals {
                        libc::signal(*signal, libc::SIG_IGN);
                    }
                }
                Birth::Blocking => {
                    let mut all: libc::sigset_t = std::mem::zeroed();
                    libc::sigfillset(&raw mut all);
                    libc::sigprocmask(libc::SIG_SETMASK, &raw const all, std::ptr::null_mut());
                }
                Birth::Alarmed(seconds) => {
                    libc::alarm(seconds);
                }
                Birth::Mortal => {
                    for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT] {
                        libc::signal(signal, libc::SIG_DFL);
                    }
                }
                Birth::Unlent => return refuse(libc::SYS_pidfd_getfd),
                Birth::Refusing(call) => return refuse(call),
            }
        }
        Ok(())
    };
    // SAFETY: see above; nothing is allocated.
    unsafe { command.pre_exec(prepare) }
}

/// From now on this system call is refused (`EPERM`) to the process and its descendants.
fn refuse(call: i64) -> io::Result<()> {
    let load = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    let jump_if = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    let answer = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    // The number of the call is the first field of `struct seccomp_data`.
    let mut filter = [
        step(load, 0, 0, 0),
        step(jump_if, 0, 1, call as u32),
        step(answer, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
        step(answer, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the kernel copies the program, which outlives the calls.
    let refused = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            || libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) != 0
    };
    if refused { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Whether the tests may do everything.
pub(crate) fn is_root() -> bool {
    // SAFETY: it touches no memory.
    unsafe { libc::geteuid() == 0 }
}

/// A terminal: our end and the program's.
pub(crate) fn terminal() -> (File, OwnedFd) {
    let (mut ours, mut theirs) = (0, 0);
    let none = std::ptr::null_mut();
    // SAFETY: both places outlive the call, which is told to set neither name nor modes; on success the descriptors
    // are ours alone.
    unsafe {
        let opened = libc::openpty(&raw mut ours, &raw mut theirs, none, none.cast(), none.cast());
        assert_eq!(opened, 0, "{}", io::Error::last_os_error());
        for descriptor in [ours, theirs] {
            libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC);
        }
        (File::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs))
    }
}

/// Lets the command lead a session on this terminal, which is its standard input as well.
pub(crate) fn on_terminal<'a>(command: &'a mut Command, terminal: &OwnedFd) -> &'a mut Command {
    let descriptor = terminal.as_raw_fd();
    born(command, Birth::Mortal);
    command.stdin(terminal.try_clone().unwrap());
    // SAFETY: both may be called between fork and exec.
    unsafe {
        command.pre_exec(move || {
            if libc::setsid() < 0 || libc::ioctl(descriptor, libc::TIOCSCTTY, 0) < 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(())
        })
    }
}

/// A named pipe.
pub(crate) fn named_pipe(path: &Path) {
    let name = CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: the name outlives the call.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0, "{}", io::Error::last_os_error());
}

/// Something mounted where something else is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cover {
    pub(crate) place: &'static CStr,
    pub(crate) kind: &'static CStr,
    pub(crate) options: &'static CStr,
}

/// What a command finds around it.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    pub(crate) covers: Vec<Cover>,
    /// Who it is; `None`: who we are.
    pub(crate) user: Option<u32>,
    /// It may not open events.
    pub(crate) without_perf: bool,
}

/// Lets the command be born in other surroundings.
pub(crate) fn surrounded(command: &mut Command, surroundings: Surroundings) -> &mut Command {
    let prepare = move || {
        // SAFETY: the calls may be made between fork and exec; nothing is allocated, and all texts live as long as the
        // program.
        unsafe {
            if !surroundings.covers.is_empty() {
                alone()?;
                for cover in &surroundings.covers {
                    mount(cover)?;
                }
            }
            if let Some(user) = surroundings.user
                && (libc::setgroups(0, std::ptr::null()) != 0
                    || libc::setgid(user) != 0
                    || libc::setuid(user) != 0)
            {
                return Err(io::Error::last_os_error());
            }
        }
        if surroundings.without_perf { refuse(libc::SYS_perf_event_open) } else { Ok(()) }
    };
    // SAFETY: see above.
    unsafe { command.pre_exec(prepare) }
}

/// Lets the command see another `/proc` than we do: mounted over ours in a name space of its own.
pub(crate) fn with_proc<'a>(
    command: &'a mut Command,
    kind: &'static CStr,
    options: &'static CStr,
) -> &'a mut Command {
    let cover = Cover { place: c"/proc", kind, options };
    surrounded(command, Surroundings { covers: vec![cover], user: None, without_perf: false })
}

/// From now on nobody else sees what is mounted.
unsafe fn alone() -> io::Result<()> {
    let none = std::ptr::null();
    // SAFETY: the text is a C string; absent ones are allowed.
    unsafe {
        if libc::unshare(libc::CLONE_NEWNS) != 0
            || libc::mount(none, c"/".as_ptr(), none, libc::MS_REC | libc::MS_PRIVATE, none.cast()) != 0
        {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

unsafe fn mount(cover: &Cover) -> io::Result<()> {
    let Cover { place, kind, options } = cover;
    // SAFETY: the texts are C strings.
    let mounted =
        unsafe { libc::mount(kind.as_ptr(), place.as_ptr(), kind.as_ptr(), 0, options.as_ptr().cast()) };
    if mounted == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Whether we may do that at all.
pub(crate) fn may_mount() -> bool {
    let mut command = Command::new("true");
    is_root() && with_proc(&mut command, c"proc", c"").status().is_ok_and(|status| status.success())
}
