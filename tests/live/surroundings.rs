//! What stands around a measured program: who runs it, with which interpreters, servers, neighbours and quota.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::truth::root;

/// User and group ids of nobody, on every distribution.
const NOBODY: u32 = 65534;

/// Who runs boundby and with it the measured program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Person {
    /// Whoever runs the tests.
    Current,
    /// A user without any privilege; only root can become one.
    Plain,
}

impl Person {
    pub(crate) fn current_is_root() -> bool {
        rustix::process::geteuid().is_root()
    }

    pub(crate) fn uid(self) -> u32 {
        match self {
            Self::Current => rustix::process::geteuid().as_raw(),
            Self::Plain => NOBODY,
        }
    }

    /// A command that runs as this person, without input.
    pub(crate) fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.stdin(Stdio::null());
        if self == Self::Plain {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    /// Gives a file to this person.
    pub(crate) fn adopt(self, path: &Path) -> Result<(), String> {
        match self {
            Self::Current => Ok(()),
            Self::Plain => chown(path, Some(NOBODY), Some(NOBODY)).map_err(|error| failed(path, &error)),
        }
    }

    fn can_run(self, program: &Path, version: &[&str]) -> bool {
        let mut command = self.command(program);
        command.args(version).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    /// A Python of at least 3.7 that this person may execute, as the interpreter's own path: a version manager's
    /// shim is a shell script, whose start would be measured as well.
    pub(crate) fn python(self) -> Option<PathBuf> {
        let asked = std::env::var("BOUNDBY_LIVE_PYTHON").ok();
        let names = asked.as_deref().map_or(vec!["python3", "/usr/bin/python3"], |name| vec![name]);
        names
            .into_iter()
            .filter_map(interpreter_path)
            .find(|path| self.can_run(path, &["-c", "import sys; sys.exit(sys.version_info < (3, 7))"]))
    }

    /// A program of the search path that this person may execute.
    pub(crate) fn program(self, name: &str) -> Option<PathBuf> {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path)
            .map(|directory| directory.join(name))
            .find(|candidate| self.can_run(candidate, &["--version"]))
    }
}

fn interpreter_path(name: &str) -> Option<PathBuf> {
    let asked = Command::new(name).args(["-c", "import sys; print(sys.executable)"]).output().ok()?;
    let path = String::from_utf8(asked.stdout).ok()?;
    asked.status.success().then(|| PathBuf::from(path.trim()))
}

/// The other side of a network workload, outside the measured tree.
pub(crate) struct RunningServer {
    process: Child,
    pub(crate) port: u16,
}

impl RunningServer {
    /// Starts a script of `servers/`, which says its port.
    pub(crate) fn start(python: &Path, script: &str, options: &[(&str, f64)]) -> Result<Self, String> {
        let script = root().join("servers").join(script);
        let mut process = Command::new(python)
            .arg(&script)
            .args(options.iter().flat_map(|(name, value)| [(*name).to_owned(), value.to_string()]))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| failed(python, &error))?;
        let mut line = String::new();
        if let Some(stdout) = process.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(|error| failed(&script, &error))?;
        }
        if let Ok(port) = line.trim().parse() {
            return Ok(Self { process, port });
        }
        let status = process.wait().map_err(|error| failed(&script, &error))?;
        Err(format!("the server printed no port and ended with {status}"))
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        // The server ends when its standard input does.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// A cgroup with a CPU quota, which a person may enter.
pub(crate) struct Quota {
    pub(crate) directory: PathBuf,
}

impl Quota {
    /// Creates the group below the top of whichever hierarchy has the CPU controller.
    pub(crate) fn create(cores: f64, person: Person) -> Result<Self, String> {
        const PERIOD_US: f64 = 100_000.0;
        let limit = (cores * PERIOD_US).round();
        let name = format!("boundby-live-{}", std::process::id());
        let (directory, settings) = if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
            if person == Person::Plain {
                return Err("moving into a cgroup v2 takes rights on the common ancestor".to_owned());
            }
            (Path::new("/sys/fs/cgroup").join(name), vec![("cpu.max", format!("{limit} {PERIOD_US}"))])
        } else {
            let settings =
                vec![("cpu.cfs_period_us", PERIOD_US.to_string()), ("cpu.cfs_quota_us", limit.to_string())];
            (Path::new("/sys/fs/cgroup/cpu").join(name), settings)
        };
        fs::create_dir(&directory).map_err(|error| failed(&directory, &error))?;
        let quota = Self { directory };
        for (file, value) in settings {
            let path = quota.directory.join(file);
            fs::write(&path, value).map_err(|error| failed(&path, &error))?;
        }
        person.adopt(&quota.directory.join("cgroup.procs"))?;
        Ok(quota)
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.directory);
    }
}

pub(crate) fn failed(path: &Path, error: &dyn std::error::Error) -> String {
    format!("{}: {error}", path.display())
}
