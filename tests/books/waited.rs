//! What a child and the processes it waited for used, by `wait4`.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use rustix::process::{Pid, WaitId, WaitIdOptions};

/// Waits for a child: its status as a shell tells it, and the CPU seconds of the processes it had waited for. While it is a
/// zombie its clock can be asked what its own threads used; the rest of what `wait4` says was used by the others.
pub(crate) fn wait(pid: Pid) -> (i32, f64) {
    rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
        .expect("a child can be waited for");
    let number = pid.as_raw_nonzero().get();
    let mut status = 0;
    let mut own = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: all places live until the calls have returned, and all zeros is a valid rusage.
    #[expect(unsafe_code, reason = "no safe crate at hand offers wait4, and the clock of another process")]
    let usage = unsafe {
        let mut clock = 0;
        assert_eq!(libc::clock_getcpuclockid(number, &raw mut clock), 0, "a process has a clock");
        assert_eq!(libc::clock_gettime(clock, &raw mut own), 0, "a zombie still has it");
        assert_eq!(libc::wait4(number, &raw mut status, 0, usage.as_mut_ptr()), number, "it is our child");
        usage.assume_init()
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    let all = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    let own = own.tv_sec as f64 + own.tv_nsec as f64 / 1e9;
    let status = ExitStatus::from_raw(status);
    let told = status.code().or(status.signal().map(|signal| 128 + signal)).expect("it exited or was killed");
    (told, (all - own).max(0.0))
}
