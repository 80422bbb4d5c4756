//! Starting the command, passing signals on to it, and learning how it ended. Its output, input, exit status and
//! signals are its own; boundby sends it nothing that was not sent to boundby.

#![allow(unsafe_code)]

use std::io;
use std::process::Command;
use std::time::Duration;

use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

use super::model::Exit;

/// Signals that are passed on to the command when somebody sends them to boundby.
pub const PASSED_ON: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];

/// Why the command did not start.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// Nothing of that name.
    #[error("{command}: command not found; check the spelling, or give a path such as ./{command}")]
    NotFound {
        /// What was typed.
        command: String,
    },
    /// There, but not executable.
    #[error(
        "{command}: cannot be executed: {reason}; make it executable with chmod +x, or name its interpreter"
    )]
    NotExecutable {
        /// What was typed.
        command: String,
        /// What the system said.
        reason: io::Error,
    },
    /// The system refused something else.
    #[error("cannot start {command}: {reason}")]
    Other {
        /// What was typed.
        command: String,
        /// What the system said.
        reason: io::Error,
    },
}

/// Starts a command in boundby's own place: same terminal, same streams, same process group. Orphans of its tree are
/// handed to boundby, so that they are not lost. Returns its pid.
///
/// # Errors
/// If it cannot be started; boundby has then no child.
pub fn start(command: &[String]) -> Result<i32, LaunchError> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(LaunchError::NotFound { command: String::new() });
    };
    adopt_orphans();
    let started = Command::new(program).args(arguments).spawn();
    let child = started.map_err(|reason| {
        let command = program.clone();
        match reason.raw_os_error() {
            Some(libc::ENOENT) if !std::path::Path::new(program).exists() => {
                LaunchError::NotFound { command }
            }
            Some(
                libc::ENOENT | libc::EACCES | libc::ENOEXEC | libc::EISDIR | libc::ENOTDIR | libc::EPERM,
            ) => LaunchError::NotExecutable { command, reason },
            _ => LaunchError::Other { command, reason },
        }
    })?;
    Ok(i32::try_from(child.id()).unwrap_or(i32::MAX))
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

/// Signals to listen to: those that are passed on and are not ignored already (as `nohup` does with SIGHUP: the
/// command must inherit that), and the end of children.
#[must_use]
pub fn signals_to_watch() -> Vec<i32> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status
        .lines()
        .find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok())
        .unwrap_or(0);
    let is_ignored = |signal: i32| ignored & (1 << (signal - 1)) != 0;
    PASSED_ON.into_iter().filter(|signal| !is_ignored(*signal)).chain([SIGCHLD]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_started_says_why() {
        let start = |command: &str| start(&[command.to_owned()]).unwrap_err();
        assert!(matches!(start("boundby-no-such-command"), LaunchError::NotFound { .. }));
        assert!(matches!(start("/proc/self/status"), LaunchError::NotExecutable { .. }));
        assert!(matches!(start("/"), LaunchError::NotExecutable { .. }));
    }
}
