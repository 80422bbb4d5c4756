//! The child on which the sources are tried: a small program that waits for input and is removed in any case.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

/// Programs that block on their input; the first that exists is taken.
const PROGRAMS: &[(&str, &[&str])] = &[("cat", &[]), ("sh", &["-c", "read line"]), ("head", &["-c1000"])];

/// How long the child gets to reach its blocking read.
const PATIENCE: Duration = Duration::from_millis(500);

/// A child that waits for input.
#[derive(Debug)]
pub(super) struct Subject {
    child: Child,
}

impl Subject {
    pub(super) fn start() -> io::Result<Self> {
        let mut refused = io::Error::from(io::ErrorKind::NotFound);
        for (program, args) in PROGRAMS {
            let mut command = Command::new(program);
            command.args(*args).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
            match command.spawn() {
                Ok(child) => {
                    let subject = Self { child };
                    subject.settle();
                    return Ok(subject);
                }
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    pub(super) fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Its directory under `/proc`.
    pub(super) fn directory(&self) -> PathBuf {
        Path::new("/proc").join(self.child.id().to_string())
    }

    /// Makes it run for a moment and block again.
    pub(super) fn poke(&mut self) -> io::Result<()> {
        self.child.stdin.as_mut().map_or(Ok(()), |input| input.write_all(b"x").and_then(|()| input.flush()))
    }

    /// Waits until it blocks: before that it is still loading its libraries. Where that cannot be seen, the checks
    /// themselves will say so.
    fn settle(&self) {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            let syscall = fs::read_to_string(self.directory().join("syscall")).unwrap_or_default();
            if syscall.split(' ').next() == Some(&libc::SYS_read.to_string()) {
                return;
            }
            thread::sleep(Duration::from_millis(2));
            // Without the `syscall` file a short rest has to do.
            if syscall.is_empty() && start.elapsed() > Duration::from_millis(50) {
                return;
            }
        }
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // Both fail only if the child is gone already, which is what they are for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
