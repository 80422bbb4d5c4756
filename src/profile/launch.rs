//! Starting the command, passing signals on to it, and learning how it ended. Its output, input, exit status and
//! signals are its own; boundby sends it nothing that was not sent to boundby.

#![allow(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use signal_hook::consts::{SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

use super::model::Exit;
use super::sys::{self, Image, Refusal};

/// Signals that are passed on to the command when somebody sends them to boundby.
pub const PASSED_ON: [i32; 7] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM];
/// Signals that end an attached measurement.
const ENDING: [i32; 4] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];

/// Why the command did not start.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// Nothing of that name.
    #[error("{}", not_found(.command))]
    NotFound {
        /// What was typed.
        command: String,
    },
    /// There, but not executable.
    #[error("{command}: cannot be executed: {reason}; {}", remedy(.reason, *.is_directory))]
    NotExecutable {
        /// What was typed.
        command: String,
        /// What the system said.
        reason: io::Error,
        /// Whether it is a directory.
        is_directory: bool,
    },
    /// The system refused something else.
    #[error("cannot start {command}: {reason}; close other programs, or raise the limit (ulimit -u)")]
    Other {
        /// What was typed.
        command: String,
        /// What the system said.
        reason: io::Error,
    },
}

fn not_found(command: &str) -> String {
    match command {
        "" => "the command is empty; type it after --, such as: boundby profile -- python3 etl.py".to_owned(),
        path if path.contains('/') => format!("{path}: no such file; check the path"),
        name => format!("{name}: command not found; check the spelling, or give a path such as ./{name}"),
    }
}

fn remedy(reason: &io::Error, is_directory: bool) -> &'static str {
    match reason.raw_os_error() {
        _ if is_directory => "it is a directory: name a program in it",
        Some(libc::EACCES | libc::EPERM) => "make it executable with chmod +x, or name its interpreter",
        Some(libc::ENOENT) => {
            "the interpreter in its first line does not exist: correct the line, or name one"
        }
        Some(libc::ENOEXEC) => {
            "it is no program for this machine, or a script without a first line such as #!/bin/sh: name its interpreter"
        }
        Some(libc::E2BIG) => "its arguments and environment are too long: shorten them",
        Some(libc::ETXTBSY) => "it is being written: wait until that is done",
        _ => "check the file with: file COMMAND",
    }
}

/// Starts a command in boundby's own place: same terminal, same streams, same process group, same signal mask and
/// ignored signals. Orphans of its tree are handed to boundby, so that they are not lost. The process exists, but is not
/// the command yet, when it is handed to `prepare`, and never becomes it if that says no. Returns its pid.
///
/// # Errors
/// If it cannot be started; boundby has then no child.
pub fn start(command: &[OsString], prepare: impl FnOnce(i32) -> bool) -> Result<i32, LaunchError> {
    let typed = || command.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    adopt_orphans();
    let other = |reason| LaunchError::Other { command: typed(), reason };
    let image = Image::new(command).map_err(other)?;
    let reason = match image.start(&signals_to_watch(Launching::Yes), prepare) {
        Ok(pid) => return Ok(pid),
        Err(Refusal::Fork(reason)) => return Err(other(reason)),
        Err(Refusal::Exec(reason)) => reason,
    };
    let candidates = || image.candidates.iter().map(|path| Path::new(OsStr::from_bytes(path.to_bytes())));
    // A file that is there and yet "not found" is a script whose interpreter is missing; and a directory of PATH that
    // may not be searched makes a command that is nowhere look forbidden.
    let is_along_path = command.first().is_some_and(|word| !word.as_bytes().contains(&b'/'));
    let may_be_missing = match reason.raw_os_error() {
        Some(libc::ENOENT) => true,
        Some(libc::EACCES) => is_along_path,
        _ => false,
    };
    let is_missing = may_be_missing && candidates().all(|path| std::fs::symlink_metadata(path).is_err());
    if is_missing {
        return Err(LaunchError::NotFound { command: typed() });
    }
    if matches!(reason.raw_os_error(), Some(libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE)) {
        return Err(other(reason));
    }
    let is_directory = candidates().any(Path::is_dir);
    Err(LaunchError::NotExecutable { command: typed(), reason, is_directory })
}

fn adopt_orphans() {
    // SAFETY: prctl with this operation reads one integer and touches no memory of ours.
    unsafe {
        libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    }
}

/// A child that ended, with everything it and the children it waited for had used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reaped {
    /// Its pid.
    pub pid: i32,
    /// How it ended.
    pub exit: Exit,
    /// User CPU time.
    pub user: Duration,
    /// System CPU time.
    pub system: Duration,
    /// Largest resident set of it or of a child it waited for, bytes.
    pub max_rss: u64,
}

/// A child that has ended and can still be looked at; `None`: none at the moment.
#[must_use]
pub fn ended_child() -> Option<i32> {
    // SAFETY: siginfo_t is plain data for which all zeroes is a valid value, and it outlives the call.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        if libc::waitid(libc::P_ALL, 0, &raw mut info, options) != 0 {
            return None;
        }
        let pid = info.si_pid();
        (pid > 0).then_some(pid)
    }
}

/// Reaps one ended child. `None`: it was not ours, or is still running.
#[must_use]
pub fn reap(pid: i32) -> Option<Reaped> {
    let mut status = 0;
    // SAFETY: rusage is plain data for which all zeroes is a valid value; both places outlive the call.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        if libc::wait4(pid, &raw mut status, libc::WNOHANG, &raw mut usage) != pid {
            return None;
        }
        usage
    };
    let exit = if libc::WIFSIGNALED(status) {
        Exit::Signal(libc::WTERMSIG(status))
    } else {
        Exit::Code(libc::WEXITSTATUS(status))
    };
    let time = |value: libc::timeval| {
        Duration::new(
            u64::try_from(value.tv_sec).unwrap_or(0),
            u32::try_from(value.tv_usec).unwrap_or(0) * 1000,
        )
    };
    Some(Reaped {
        pid,
        exit,
        user: time(usage.ru_utime),
        system: time(usage.ru_stime),
        max_rss: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
    })
}

/// Passes a signal on to the command.
pub fn pass_on(pid: i32, signal: i32) {
    // SAFETY: kill touches no memory; the pid is a child that was not reaped yet, so it cannot be somebody else's.
    unsafe {
        libc::kill(pid, signal);
    }
}

/// Lets boundby open as many files as it is allowed to: it keeps up to three per thread. The command was started
/// before and keeps the limit it had. Returns how many may be open.
#[must_use]
pub fn raise_open_files() -> usize {
    // SAFETY: rlimit is plain data that outlives both calls.
    unsafe {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) != 0 {
            return 256;
        }
        let wanted = limit.rlim_max.min(1 << 20);
        if wanted > limit.rlim_cur {
            let raised = libc::rlimit { rlim_cur: wanted, rlim_max: limit.rlim_max };
            if libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) == 0 {
                limit.rlim_cur = wanted;
            }
        }
        usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX)
    }
}

/// Whether a command is started or a running one is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Launching {
    /// Started.
    Yes,
    /// Watched.
    No,
}

/// Signals to listen to: those that are passed on, or that end the measurement, and the end of children; but none
/// that boundby was born ignoring (as `nohup` does with SIGHUP).
#[must_use]
pub fn signals_to_watch(launching: Launching) -> Vec<i32> {
    let wanted = |signal: &i32| !sys::is_ignored(*signal);
    match launching {
        // An ignored SIGCHLD would let children vanish unread.
        Launching::Yes => PASSED_ON.into_iter().filter(wanted).chain([SIGCHLD]).collect(),
        Launching::No => ENDING.into_iter().filter(wanted).collect(),
    }
}

/// Whether the kernel sends this signal to the command, too, when it sends it to boundby. What a terminal sends
/// reaches the whole process group; but its hanging up is told to the leader of the session alone, and an alarm is
/// what boundby inherited in the command's stead.
#[must_use]
pub fn reaches_the_command_too(signal: i32) -> bool {
    let leads_session = rustix::process::getsid(None) == Ok(rustix::process::getpid());
    match signal {
        SIGINT | SIGQUIT => true,
        SIGHUP => !leads_session,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(command: &str) -> LaunchError {
        start(&[OsString::from(command)], |_| true).unwrap_err()
    }

    #[test]
    fn what_cannot_be_started_says_why() {
        assert!(matches!(refused("boundby-no-such-command"), LaunchError::NotFound { .. }));
        assert!(matches!(refused(""), LaunchError::NotFound { .. }));
        assert!(matches!(refused("/proc/self/status"), LaunchError::NotExecutable { .. }));
        assert!(matches!(refused("/"), LaunchError::NotExecutable { is_directory: true, .. }));
        assert!(matches!(
            refused("/proc/self/status/x"),
            LaunchError::NotExecutable { .. } | LaunchError::NotFound { .. }
        ));
    }
}
