//! Runs one workload under `boundby profile`, or alone, with everything it needs around it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tempfile::TempDir;

use crate::neighbours::{Neighbours, cores};
use crate::scratch::{compile, copy_directory, open_directory, waits_for_its_device};
use crate::surroundings::{Person, Quota, RunningServer, failed};
use crate::truth::{Clients, Level, Mode, Need, Truth, Workload};

/// After this long a run counts as hung. The longest workload takes some ten seconds beside neighbours.
const PATIENCE: &str = "120";
/// The status of a program that was killed by SIGKILL, as `timeout` passes it on.
const KILLED: i32 = 137;

/// Why a workload gave no report.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The machine lacks something it needs.
    Skip(String),
    /// It should have worked.
    Broken(String),
}

impl Stop {
    pub(crate) fn is_skip(&self) -> bool {
        matches!(self, Self::Skip(_))
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Skip(reason) | Self::Broken(reason) => f.write_str(reason),
        }
    }
}

impl From<String> for Stop {
    fn from(reason: String) -> Self {
        Self::Broken(reason)
    }
}

/// One mode: who runs, and where the reports are kept.
pub(crate) struct Stage {
    person: Person,
    python: Option<PathBuf>,
    /// The server's interpreter; the server is always run by the tests' own user.
    server_python: Option<PathBuf>,
    node: Option<PathBuf>,
    directory: TempDir,
    boundby: PathBuf,
    kept: PathBuf,
}

impl Stage {
    /// # Errors
    /// A directory that cannot be written, named.
    pub(crate) fn build(mode: Mode, person: Person) -> Result<Self, String> {
        let directory = open_directory("boundby-live-")?;
        // The build directory may be closed to a plain user.
        let boundby = directory.path().join("boundby");
        let built = Path::new(env!("CARGO_BIN_EXE_boundby"));
        fs::copy(built, &boundby).map_err(|error| failed(built, &error))?;
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("live").join(mode.name());
        fs::create_dir_all(&kept).map_err(|error| failed(&kept, &error))?;
        Ok(Self {
            person,
            python: person.python(),
            server_python: Person::Current.python(),
            node: person.program("node"),
            directory,
            boundby,
            kept,
        })
    }

    /// Who runs, and what decides what can be measured and won here.
    pub(crate) fn circumstances(&self) -> String {
        let paranoid = fs::read_to_string("/proc/sys/kernel/perf_event_paranoid");
        let python = self.python.as_deref().map_or("no python3".into(), Path::to_string_lossy);
        format!(
            "uid {}, {} CPUs, perf_event_paranoid {}, {python}",
            self.person.uid(),
            cores(),
            paranoid.as_deref().map_or("unknown", str::trim)
        )
    }

    /// Copies, compiles and starts what the workload needs.
    ///
    /// # Errors
    /// [`Stop::Skip`] for what the machine lacks.
    pub(crate) fn prepare<'a>(&'a self, workload: &'a Workload) -> Result<Ready<'a>, Stop> {
        let truth = &workload.truth;
        let directory = self.directory.path().join(&workload.name);
        copy_directory(&workload.directory, &directory, self.person)?;
        for need in &truth.needs {
            self.check_need(*need, &directory)?;
        }
        let exe = match &truth.build {
            Some(build) => Some(compile(build, &directory)?),
            None => None,
        };
        let quota = match truth.quota {
            Some(cores) => Some(Quota::create(cores, self.person).map_err(Stop::Skip)?),
            None => None,
        };
        let start = |script, options: &[(&str, f64)]| {
            let python = self.server_python.as_deref().ok_or_else(|| lacking("python3 for the server"))?;
            RunningServer::start(python, script, options).map_err(Stop::Broken)
        };
        let server = match &truth.server {
            Some(server) => Some(start("delayed.py", &[("--delay-ms", server.delay_ms)])?),
            None => None,
        };
        let clients = match &truth.clients {
            Some(Clients { count, every_ms, think_ms }) => Some(start(
                "clients.py",
                &[("--count", f64::from(*count)), ("--every-ms", *every_ms), ("--think-ms", *think_ms)],
            )?),
            None => None,
        };
        let neighbours = match truth.neighbours_per_core {
            Some(count) => Some(Neighbours::start(count * cores())?),
            None => None,
        };
        Ok(Ready { stage: self, workload, directory, exe, quota, server, clients, _neighbours: neighbours })
    }

    /// Why boundby cannot measure at this level here; `None`: it can.
    ///
    /// # Errors
    /// boundby cannot be run at all.
    pub(crate) fn refusal(&self, level: &str) -> Result<Option<String>, String> {
        let words = ["profile", "--no-probe", "--level", level, "--", "true"];
        let output = self.person.command(&self.boundby).args(words).output();
        let output = output.map_err(|error| failed(&self.boundby, &error))?;
        let said = String::from_utf8_lossy(&output.stderr);
        Ok((!output.status.success()).then(|| said.trim().to_owned()))
    }

    fn check_need(&self, need: Need, directory: &Path) -> Result<(), Stop> {
        let here = match need {
            Need::Python => self.python.is_some(),
            Need::Node => self.node.is_some(),
            // Compiling is the tests' own business, whoever runs the program afterwards.
            Need::Cc => Person::Current.program("cc").is_some(),
            Need::Rustc => Person::Current.program("rustc").is_some(),
            Need::Cores => cores() >= 2,
            Need::RootCgroup => Person::current_is_root(),
            Need::Disk => return waits_for_its_device(directory).map_err(Stop::Skip),
        };
        let name = match need {
            Need::Python => "python3 (3.7 or newer) that this user may run",
            Need::Node => "node that this user may run",
            Need::Cc => "cc",
            Need::Rustc => "rustc",
            Need::Cores => "second CPU",
            Need::RootCgroup => "right to create a cgroup",
            Need::Disk => "disk",
        };
        if here { Ok(()) } else { Err(lacking(name)) }
    }
}

fn lacking(what: &str) -> Stop {
    Stop::Skip(format!("no {what}"))
}

/// A workload with everything around it running; dropping it ends that.
pub(crate) struct Ready<'a> {
    stage: &'a Stage,
    workload: &'a Workload,
    directory: PathBuf,
    exe: Option<PathBuf>,
    quota: Option<Quota>,
    server: Option<RunningServer>,
    clients: Option<RunningServer>,
    _neighbours: Option<Neighbours>,
}

/// A finished run under boundby.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) report: Report,
    /// Where the JSON is kept.
    pub(crate) path: PathBuf,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
}

impl Ready<'_> {
    /// Runs the workload under `boundby profile` and reads the report.
    ///
    /// # Errors
    /// No report, or one that is not of schema 1: what boundby said instead.
    pub(crate) fn profile(&self) -> Result<Outcome, Stop> {
        self.profile_at(std::env::var("BOUNDBY_LEVEL").ok().as_deref(), &self.workload.name)
    }

    /// As [`Ready::profile`], at this level; the report is kept under this name.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn profile_at(&self, level: Option<&str>, kept_as: &str) -> Result<Outcome, Stop> {
        let written = self.directory.join("boundby-report.json");
        let mut words: Vec<String> =
            ["profile", "--format", "json", "-o"].into_iter().map(str::to_owned).collect();
        words.push(written.display().to_string());
        if let Some(level) = level {
            words.extend(["--level".to_owned(), level.to_owned()]);
        }
        words.push("--".to_owned());
        words.extend(self.expand(&self.workload.truth.command, 1)?);
        let output = self.run_within_patience(&self.stage.boundby, &words)?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.code() == Some(KILLED) {
            return Err(Stop::Broken(format!("killed: not done after {PATIENCE} s; it said:\n{said}")));
        }
        let text = fs::read_to_string(&written).map_err(|error| {
            format!("no report at {} ({error}), {}; boundby said:\n{said}", written.display(), output.status)
        })?;
        let path = self.stage.kept.join(format!("{kept_as}.json"));
        fs::write(&path, &text).map_err(|error| failed(&path, &error))?;
        let report = serde_json::from_str(&text)
            .map_err(|error| format!("{} is not a report of schema 1: {error}", path.display()))?;
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(Outcome { report, path, code: output.status.code(), stdout })
    }

    /// Runs a command of the workload without boundby and returns its wall time.
    ///
    /// # Errors
    /// It failed, or did not print what the truth says.
    pub(crate) fn time(&self, command: &[String], workers: u32) -> Result<Duration, Stop> {
        let truth: &Truth = &self.workload.truth;
        let words = self.expand(command, workers)?;
        let (program, arguments) = words.split_first().ok_or_else(|| "empty command".to_owned())?;
        let mut child = self.stage.person.command(Path::new(program));
        let start = Instant::now();
        let output = child
            .args(arguments)
            .current_dir(&self.directory)
            .output()
            .map_err(|error| format!("{program}: {error}"))?;
        let wall = start.elapsed();
        if output.status.code() == Some(truth.exit) && String::from_utf8_lossy(&output.stdout) == truth.prints
        {
            return Ok(wall);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(Stop::Broken(format!("`{}` alone: {}, it said:\n{said}", words.join(" "), output.status)))
    }

    fn run_within_patience(&self, program: &Path, words: &[String]) -> Result<Output, String> {
        self.stage
            .person
            .command(Path::new("timeout"))
            .args(["--foreground", "-s", "KILL", PATIENCE])
            .arg(program)
            .args(words)
            .current_dir(&self.directory)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .map_err(|error| format!("timeout: {error}"))
    }

    fn expand(&self, command: &[String], workers: u32) -> Result<Vec<String>, Stop> {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let values = [
            ("{python}", path(&self.stage.python)),
            ("{node}", path(&self.stage.node)),
            ("{exe}", path(&self.exe)),
            ("{dir}", Some(self.directory.display().to_string())),
            ("{port}", self.server.as_ref().map(|server| server.port.to_string())),
            ("{clients}", self.clients.as_ref().map(|clients| clients.port.to_string())),
            ("{cgroup}", self.quota.as_ref().map(|quota| quota.directory.display().to_string())),
            ("{workers}", Some(workers.to_string())),
        ];
        let fill = |word: &String| {
            values.iter().try_fold(word.clone(), |word, (placeholder, value)| match value {
                Some(value) => Ok(word.replace(placeholder, value)),
                None if word.contains(placeholder) => Err(lacking(placeholder)),
                None => Ok(word),
            })
        };
        command.iter().map(fill).collect()
    }
}

/// The parts of a report (schema 1) that the truth speaks about.
#[derive(Debug, Deserialize)]
pub(crate) struct Report {
    pub(crate) schema: String,
    pub(crate) exit: Exit,
    pub(crate) profile: Profile,
    pub(crate) verdict: Verdict,
    pub(crate) recommendations: Vec<Recommendation>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Exit {
    #[serde(default)]
    pub(crate) code: Option<i32>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Profile {
    pub(crate) wall_s: f64,
    pub(crate) cpu_user_s: f64,
    pub(crate) cpu_system_s: f64,
    pub(crate) threads: f64,
    pub(crate) level: String,
    /// An account that was not measured is null.
    pub(crate) wall: BTreeMap<String, Option<f64>>,
    pub(crate) threads_total: BTreeMap<String, Option<f64>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) bound_by: String,
    #[serde(default)]
    pub(crate) share: Option<f64>,
    pub(crate) confidence: Level,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Recommendation {
    pub(crate) strategy: String,
    pub(crate) action: String,
    #[serde(default)]
    pub(crate) workers: Option<f64>,
    #[serde(default)]
    pub(crate) predicted: Option<Predicted>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Predicted {
    #[serde(default)]
    pub(crate) speedup: Option<f64>,
    #[serde(default)]
    pub(crate) low: Option<f64>,
    #[serde(default)]
    pub(crate) high: Option<f64>,
}
