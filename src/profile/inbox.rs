//! Signals to boundby while a recording runs, and a way to sleep that they interrupt. Knows who sent what; what is done about
//! it is the recording's to know.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::SIGCHLD;
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::origin::WithOrigin;
use signal_hook::low_level::siginfo::Cause;

use super::launch::{self, Launching};
use super::sys;

/// What arrived while waiting.
#[derive(Debug, Default)]
pub(super) struct News {
    /// From the kernel, which told boundby alone.
    pub(super) to_pass_on: Vec<i32>,
    /// From somebody, who may have sent it to the command as well.
    pub(super) sent: Vec<i32>,
    /// A child has ended.
    pub(super) child_ended: bool,
    /// Somebody wants an end.
    pub(super) interrupted: bool,
}

impl News {
    /// Whether the sleep was cut short by anything that matters.
    pub(super) fn has_any(&self) -> bool {
        self.child_ended || self.interrupted
    }
}

/// Signals to boundby, and a way to sleep that they interrupt.
pub(super) struct Inbox {
    signals: SignalsInfo<WithOrigin>,
    wake: UnixStream,
}

impl Inbox {
    /// Listens from now on.
    ///
    /// # Errors
    /// No handlers can be set.
    pub(super) fn open(launching: Launching) -> io::Result<Self> {
        let watched = launch::signals_to_watch(launching);
        let signals = SignalsInfo::<WithOrigin>::new(&watched)?;
        let (wake, sender) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        for signal in &watched {
            signal_hook::low_level::pipe::register(*signal, sender.try_clone()?)?;
        }
        sys::listen_to(&watched);
        Ok(Self { signals, wake })
    }

    /// What arrives within so long.
    pub(super) fn wait(&mut self, longest: Duration) -> News {
        let timeout = Timespec {
            tv_sec: i64::try_from(longest.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(longest.subsec_nanos()),
        };
        // An interrupted poll is as good as one that woke up: the signals are looked at.
        if poll(&mut [PollFd::new(&self.wake.as_fd(), PollFlags::IN)], Some(&timeout)) == Ok(0) {
            return News::default();
        }
        let mut drained = [0u8; 64];
        while io::Read::read(&mut self.wake, &mut drained).is_ok_and(|count| count > 0) {}
        let mut news = News::default();
        for origin in self.signals.pending() {
            match origin.signal {
                SIGCHLD => news.child_ended = true,
                signal => {
                    news.interrupted = true;
                    if origin.cause != Cause::Kernel {
                        news.sent.push(signal);
                    } else if !launch::reaches_the_command_too(signal) {
                        news.to_pass_on.push(signal);
                    }
                }
            }
        }
        news
    }
}
