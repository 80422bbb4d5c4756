//! What is known about each workload by construction (`truth.yaml`), and what a mode may expect of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use boundby::advice::types::{Action, Strategy};
use boundby::wait::Account;
use serde::Deserialize;

/// One directory of `fixtures/workloads`.
#[derive(Debug)]
pub(crate) struct Workload {
    pub(crate) name: String,
    pub(crate) directory: PathBuf,
    pub(crate) truth: Truth,
}

/// `truth.yaml`. `{python}`, `{node}`, `{exe}`, `{port}`, `{clients}`, `{cgroup}`, `{dir}` and, in the concurrent variant,
/// `{workers}` are replaced in commands.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Truth {
    pub(crate) description: String,
    pub(crate) command: Vec<String>,
    #[serde(default)]
    pub(crate) needs: Vec<Need>,
    /// How `{exe}` comes to be.
    #[serde(default)]
    pub(crate) build: Option<Build>,
    /// The other side, started outside the measured tree.
    #[serde(default)]
    pub(crate) server: Option<Server>,
    /// Who calls the program, from outside the measured tree.
    #[serde(default)]
    pub(crate) clients: Option<Clients>,
    /// A CPU quota in cores for the cgroup `{cgroup}`.
    #[serde(default)]
    pub(crate) quota: Option<f64>,
    /// Spinning programs beside the measured one.
    #[serde(default)]
    pub(crate) neighbours_per_core: Option<usize>,
    /// Everything the program writes to its standard output.
    #[serde(default)]
    pub(crate) prints: String,
    #[serde(default)]
    pub(crate) exit: i32,
    /// Acceptable `bound_by`, the truth first.
    pub(crate) verdict: Vec<String>,
    pub(crate) strategy: Vec<String>,
    pub(crate) action: Vec<String>,
    /// Bands of the shares of the wall book; they hold on a quiet machine.
    #[serde(default)]
    pub(crate) shares: BTreeMap<String, [f64; 2]>,
    /// Band of the advised number of workers.
    #[serde(default)]
    pub(crate) workers: Option<[f64; 2]>,
    #[serde(default)]
    pub(crate) min_confidence: Option<Level>,
    #[serde(default)]
    pub(crate) max_confidence: Option<Level>,
    /// Why this is the truth, from the mechanism.
    pub(crate) why: String,
    /// What boundby is known to get wrong here as yet, and why. The table says so; it does not fail the run.
    #[serde(default)]
    pub(crate) known_gap: Option<String>,
    /// What changes when every core has a spinning neighbour.
    #[serde(default)]
    pub(crate) busy: Option<Busy>,
    /// The same work done the advised way.
    #[serde(default)]
    pub(crate) concurrent: Option<Concurrent>,
}

/// Something a machine may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Need {
    Python,
    Node,
    Cc,
    Rustc,
    /// At least two CPUs, so that there is something to win.
    Cores,
    /// A scratch directory on a device that makes a program wait.
    Disk,
    /// The right to create a cgroup with a CPU quota.
    RootCgroup,
}

/// Source file of `{exe}`; exactly one is set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Build {
    #[serde(default)]
    pub(crate) c: Option<String>,
    #[serde(default)]
    pub(crate) rust: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Server {
    pub(crate) delay_ms: f64,
}

/// So many connections, one every so often, each with one request after a while.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Clients {
    pub(crate) count: u32,
    pub(crate) every_ms: f64,
    pub(crate) think_ms: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Busy {
    /// Whether the workload is among the handful that CI runs beside neighbours.
    #[serde(default)]
    pub(crate) in_ci: bool,
    #[serde(default)]
    verdict: Option<Vec<String>>,
    #[serde(default)]
    strategy: Option<Vec<String>>,
    #[serde(default)]
    action: Option<Vec<String>>,
    #[serde(default)]
    max_confidence: Option<Level>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Concurrent {
    pub(crate) command: Vec<String>,
    /// Why no speedup can be predicted from the profile; without it one is expected.
    pub(crate) unpredicted: Option<String>,
}

/// Confidence as the report spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Low,
    Medium,
    High,
}

impl Level {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// How the programs are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Quiet,
    User,
    Busy,
    Variants,
    Levels,
}

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::User => "user",
            Self::Busy => "busy",
            Self::Variants => "variants",
            Self::Levels => "levels",
        }
    }
}

/// What a report must say in one mode.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expectation<'a> {
    pub(crate) verdict: &'a [String],
    pub(crate) strategy: &'a [String],
    pub(crate) action: &'a [String],
    pub(crate) min_confidence: Option<Level>,
    pub(crate) max_confidence: Option<Level>,
    /// `None`: the bands do not hold in this mode.
    pub(crate) shares: Option<&'a BTreeMap<String, [f64; 2]>>,
}

impl Truth {
    pub(crate) fn expectation(&self, mode: Mode) -> Expectation<'_> {
        let mut expectation = Expectation {
            verdict: &self.verdict,
            strategy: &self.strategy,
            action: &self.action,
            min_confidence: self.min_confidence,
            max_confidence: self.max_confidence,
            shares: Some(&self.shares),
        };
        if mode == Mode::Busy {
            // Neighbours turn a part of every account into run-queue time, so only the conclusions can hold.
            expectation.shares = None;
            expectation.min_confidence = None;
            if let Some(busy) = &self.busy {
                expectation.verdict = busy.verdict.as_deref().unwrap_or(expectation.verdict);
                expectation.strategy = busy.strategy.as_deref().unwrap_or(expectation.strategy);
                expectation.action = busy.action.as_deref().unwrap_or(expectation.action);
                expectation.max_confidence = busy.max_confidence.or(expectation.max_confidence);
            }
        }
        expectation
    }
}

/// Names `verdict.bound_by` may take beside the accounts of the wall book.
const CONCLUSIONS: [&str; 3] = ["memory", "contended", "mixed"];

impl Workload {
    /// What is wrong with the truth itself: names that no report can contain, bands outside 0–1, nothing said.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let truth = &self.truth;
        let accounts: Vec<&str> = Account::ALL.iter().map(|account| account.name()).collect();
        let mut wrong = Vec::new();
        for mode in [Mode::Quiet, Mode::Busy] {
            let expectation = truth.expectation(mode);
            let verdicts = [accounts.as_slice(), &CONCLUSIONS].concat();
            let strategies: Vec<&str> = Strategy::ALL.iter().map(|strategy| strategy.name()).collect();
            let actions: Vec<&str> = Action::ALL.iter().map(|action| action.name()).collect();
            for (field, names, known) in [
                ("verdict", expectation.verdict, &verdicts),
                ("strategy", expectation.strategy, &strategies),
                ("action", expectation.action, &actions),
            ] {
                if names.is_empty() {
                    wrong.push(format!("{field} is empty"));
                }
                let strangers = names.iter().filter(|name| !known.contains(&name.as_str()));
                wrong.extend(strangers.map(|name| format!("{field}: there is no '{name}'")));
            }
        }
        for (account, [low, high]) in &truth.shares {
            let is_band = 0.0 <= *low && low < high && *high <= 1.0;
            if !accounts.contains(&account.as_str()) || !is_band {
                wrong.push(format!("shares: {account} [{low}, {high}] is not a band of an account"));
            }
        }
        if truth.description.is_empty() || truth.why.is_empty() || truth.command.is_empty() {
            wrong.push("description, why and command must not be empty".to_owned());
        }
        let uses = |placeholder: &str| truth.command.iter().any(|word| word.contains(placeholder));
        for (placeholder, provided) in [
            ("{port}", truth.server.is_some()),
            ("{clients}", truth.clients.is_some()),
            ("{exe}", truth.build.is_some()),
            ("{cgroup}", truth.quota.is_some()),
            ("{python}", truth.needs.contains(&Need::Python)),
            ("{node}", truth.needs.contains(&Need::Node)),
        ] {
            if uses(placeholder) && !provided {
                wrong.push(format!("{placeholder} is used and nothing provides it"));
            }
        }
        wrong.into_iter().map(|complaint| format!("{}: {complaint}", self.name)).collect()
    }
}

/// All workloads in order of name.
///
/// # Errors
/// A directory or file that cannot be read or parsed, named.
pub(crate) fn load_all() -> Result<Vec<Workload>, String> {
    let root = root();
    let entries = fs::read_dir(&root).map_err(|error| format!("{}: {error}", root.display()))?;
    let mut workloads = Vec::new();
    for entry in entries {
        let directory = entry.map_err(|error| error.to_string())?.path();
        let file = directory.join("truth.yaml");
        if !file.is_file() {
            continue; // the servers
        }
        let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let truth = serde_yaml::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
        let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        workloads.push(Workload { name, directory, truth });
    }
    workloads.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(workloads)
}

/// The directory of the workloads and of the servers they need.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/workloads")
}
