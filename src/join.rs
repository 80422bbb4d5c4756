//! What a scan says of source beside what a run says of it: how long the program really spent on each finding, and what
//! the calls are that its costly lines make. Pure.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use crate::catalog::{Api, Effect};
use crate::finding::{Cost, Finding, Place};
use crate::profile::{CallStacks, Location, Profile, Site, StackTime};
use crate::wait::{Account, WaitKind};

mod dependence;

pub use dependence::dependence;

/// A scan and a run of the same program, put together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Joined {
    /// The findings, those first that cost most wall time; what was not seen in the run comes last, in the order of the
    /// scan.
    pub findings: Vec<Measured>,
    /// For each site of the profile, what its source says.
    pub sites: Vec<InSource>,
    /// Why the items of the profile need each other; `None`: nothing of the kind was seen, which proves nothing.
    pub dependence: Option<String>,
}

/// A finding, and what its line cost in the run that was measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// What the scan says.
    pub finding: Finding,
    /// What the run says; `None`: the line was in no stack that was seen.
    pub spent: Option<Spent>,
}

/// Time that stacks through one line took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Wall time that the program spent.
    pub wall: Duration,
    /// Of the thread-time, what was waited.
    pub waited: Duration,
    /// Of the thread-time, what was computed.
    pub computed: Duration,
    /// Waits that ended.
    pub waits: u64,
}

/// What the scan knows of the line of a site.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct InSource {
    /// Whether its file was scanned.
    pub scanned: bool,
    /// Whether a finding is on the line.
    pub found: bool,
    /// The call there that does what was measured, as the catalogue knows it.
    pub call: Option<Api>,
}

/// A call of something that waits or computes.
#[derive(Debug, Clone)]
pub struct CostlyCall<'c> {
    /// First line.
    pub line: u32,
    /// Last line.
    pub end_line: u32,
    /// What it calls.
    pub api: &'c Api,
}

/// What a scan saw, as far as a run has something to say about it.
pub struct Scanned<'c> {
    /// What paths are relative to.
    pub root: &'c Path,
    /// What it says.
    pub findings: Vec<Finding>,
    /// Every file by its path, with its costly calls.
    pub files: BTreeMap<&'c str, Vec<CostlyCall<'c>>>,
    /// What the catalogue knows under a name of a library's function.
    pub by_name: &'c dyn Fn(&str) -> Option<&'c Api>,
}

/// Puts a scan beside a run.
#[must_use]
pub fn join(scanned: Scanned<'_>, profile: &Profile) -> Joined {
    let run = Run::of(profile, scanned.root);
    let sites = profile.sites.iter().map(|site| in_source(site, &scanned)).collect();
    let spent = |finding: Finding| Measured { spent: run.spent(&finding.seen.place), finding };
    let mut findings: Vec<Measured> = scanned.findings.into_iter().map(spent).collect();
    findings.sort_by_key(|measured| Reverse(measured.spent.map(Spent::weight)));
    Joined { findings, sites, dependence: None }
}

impl Spent {
    /// What findings are ranked by.
    #[must_use]
    pub fn weight(self) -> (Duration, Duration, Duration) {
        (self.wall, self.waited, self.computed)
    }
}

/// What takes this share of the wall time is told whatever its weight: that it might be of no account was a guess.
const COSTLY: f64 = 0.01;

/// The run of a program whose source is at a root, asked by line.
#[derive(Debug)]
pub struct Run<'p> {
    root: &'p Path,
    stacks: &'p CallStacks,
    /// Frames with a line, by the name of their file: path, line, number.
    frames: BTreeMap<&'p str, Vec<(&'p Path, u32, u32)>>,
    /// How long it was.
    pub wall: Duration,
}

impl<'p> Run<'p> {
    /// Ready to be asked.
    #[must_use]
    pub fn of(profile: &'p Profile, root: &'p Path) -> Self {
        let stacks = &profile.call_stacks;
        let mut frames: BTreeMap<&str, Vec<(&Path, u32, u32)>> = BTreeMap::new();
        for (number, frame) in (0u32..).zip(&stacks.frames) {
            let (Some(file), Some(line)) = (&frame.file, frame.line) else { continue };
            frames.entry(last_part(file)).or_default().push((Path::new(file), line, number));
        }
        Self { root, stacks, frames, wall: profile.wall }
    }

    /// Whether a stretch of source took so much of the run that it matters.
    #[must_use]
    pub fn is_costly(&self, place: &Place) -> bool {
        self.spent(place)
            .is_some_and(|spent| spent.wall >= self.wall.mul_f64(COSTLY) && !spent.wall.is_zero())
    }

    /// What stacks through a stretch of source took, wherever in them it stands.
    #[must_use]
    pub fn spent(&self, place: &Place) -> Option<Spent> {
        let lines = place.line..=place.end_line.max(place.line);
        let file = self.root.join(&*place.path);
        let frames: BTreeSet<u32> = self
            .frames
            .get(last_part(&place.path))?
            .iter()
            .filter(|(path, line, _)| lines.contains(line) && is_same(path, &file))
            .map(|(.., number)| *number)
            .collect();
        if frames.is_empty() {
            return None;
        }
        let through = |stack: &&StackTime| stack.frames.iter().any(|frame| frames.contains(frame));
        let mut found = None;
        for stack in self.stacks.stacks.iter().filter(through) {
            let spent = found.get_or_insert_with(Spent::default);
            spent.wall += stack.critical;
            if stack.account == Account::Cpu {
                spent.computed += stack.time;
            } else {
                spent.waited += stack.time;
            }
            spent.waits += stack.episodes;
        }
        found
    }
}

fn in_source(site: &Site, scanned: &Scanned<'_>) -> InSource {
    let named = || site.call.as_deref().and_then(scanned.by_name).filter(|api| does(api, site.account));
    let Some(Location { file: Some(file), line: Some(line), .. }) = &site.at else {
        return InSource { call: named().cloned(), ..InSource::default() };
    };
    let is_here =
        |path: &str| last_part(path) == last_part(file) && is_same(Path::new(file), &scanned.root.join(path));
    let of_file = scanned.files.iter().find(|(path, _)| is_here(path)).map(|(_, calls)| calls);
    let on_line = of_file.into_iter().flatten().filter(|call| (call.line..=call.end_line).contains(line));
    let doing = on_line.map(|call| call.api).filter(|api| does(api, site.account));
    let found = scanned.findings.iter().map(|finding| &finding.seen.place);
    InSource {
        scanned: of_file.is_some(),
        found: found.clone().any(|at| (at.line..=at.end_line).contains(line) && is_here(&at.path)),
        call: doing.max_by_key(|api| cost(api)).or_else(named).cloned(),
    }
}

/// Kinds under which the same wait may be known to who wrote a catalogue and to who looks at the kernel: a child is
/// waited for at the end of its output, a mapped file is read by faults, and where a thread waits for its turn or for a
/// request nothing may be due.
const ALIKE: [[WaitKind; 2]; 4] = [
    [WaitKind::Child, WaitKind::Pipe],
    [WaitKind::Disk, WaitKind::Paging],
    [WaitKind::Lock, WaitKind::Idle],
    [WaitKind::Network, WaitKind::Idle],
];

/// Whether a call may be what was measured.
fn does(api: &Api, measured: Account) -> bool {
    match (&api.effect, measured) {
        (Effect::Blocks { wait, .. }, Account::Wait(kind)) => {
            *wait == kind || ALIKE.iter().any(|pair| pair.contains(wait) && pair.contains(&kind))
        }
        (Effect::Computes { .. }, Account::Cpu) => true,
        _ => false,
    }
}

fn cost(api: &Api) -> Option<Cost> {
    match api.effect {
        Effect::Blocks { cost, .. } | Effect::Computes { cost, .. } => Some(cost),
        _ => None,
    }
}

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether a path as the program knows its source is that of a file: programs may name it from where they were started,
/// and may have run elsewhere than they are scanned.
fn is_same(named: &Path, file: &Path) -> bool {
    let named = named.strip_prefix(".").unwrap_or(named);
    file.ends_with(named) || (named.is_absolute() && file.is_relative() && named.ends_with(file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Catalog, Language};
    use crate::finding::{Confidence, Observation, Severity};
    use crate::profile::stack::Frame;
    use crate::wait::WaitKind;

    pub(super) fn finding(path: &str, line: u32) -> Finding {
        let place =
            Place { path: path.into(), line, column: 1, end_line: line, end_column: 9, bytes: (0, 9) };
        Finding {
            seen: Observation::new("blocking-call-in-async", place, "f".into(), "time.sleep".into()),
            severity: Severity::Error,
            confidence: Confidence::High,
            message: String::new(),
            why: String::new(),
            cure: String::new(),
            opportunity: false,
            fingerprint: format!("{path}:{line}"),
        }
    }

    fn stacks() -> CallStacks {
        let frame = |file: &str, line| Frame {
            function: "f".to_owned(),
            file: Some(file.to_owned()),
            line: Some(line),
            own: true,
        };
        let stack = |account, frames: &[u32], ms| StackTime {
            process: "python3".to_owned(),
            account,
            operation: String::new(),
            resource: None,
            frames: frames.to_vec(),
            time: Duration::from_millis(ms),
            critical: Duration::from_millis(ms / 2),
            episodes: 1,
        };
        CallStacks {
            frames: vec![frame("/srv/app/web.py", 12), frame("/srv/app/main.py", 3), frame("web.py", 40)],
            stacks: vec![
                stack(Account::Wait(WaitKind::Network), &[0, 1], 100),
                stack(Account::Cpu, &[1], 10),
                stack(Account::Wait(WaitKind::Sleep), &[2, 1], 600),
            ],
            read: 3,
            torn: 0,
        }
    }

    fn profile(sites: Vec<Site>) -> Profile {
        Profile { call_stacks: stacks(), sites, ..Profile::default() }
    }

    fn scanned(findings: Vec<Finding>, calls: Vec<CostlyCall<'_>>) -> Scanned<'_> {
        let files = BTreeMap::from([("web.py", calls), ("main.py", Vec::new())]);
        Scanned { root: Path::new("/srv/app"), findings, files, by_name: &|_| None }
    }

    #[test]
    fn what_costs_most_comes_first_and_what_was_not_seen_last() {
        let findings =
            vec![finding("web.py", 99), finding("web.py", 12), finding("main.py", 3), finding("web.py", 40)];
        let joined = join(scanned(findings, Vec::new()), &profile(Vec::new()));
        let lines: Vec<u32> =
            joined.findings.iter().map(|measured| measured.finding.seen.place.line).collect();
        assert_eq!(lines, [3, 40, 12, 99]);
        let whole = joined.findings[0].spent.unwrap();
        assert_eq!(
            (whole.wall.as_millis(), whole.waited.as_millis(), whole.computed.as_millis()),
            (355, 700, 10)
        );
        assert_eq!(joined.findings[3].spent, None);
    }

    #[test]
    fn what_took_a_hundredth_of_the_run_is_costly() {
        let place = finding("main.py", 3).seen.place;
        let costly = |wall: u64| {
            let profile = Profile { wall: Duration::from_millis(wall), ..profile(Vec::new()) };
            Run::of(&profile, Path::new("/srv/app")).is_costly(&place)
        };
        assert!(costly(35_500) && !costly(35_600));
    }

    fn site(account: Account, file: &str, line: u32) -> Site {
        let at = Location { function: "f".to_owned(), file: Some(file.to_owned()), line: Some(line) };
        Site {
            account,
            at: Some(at),
            call: None,
            callers: Vec::new(),
            operation: String::new(),
            resource: None,
            process: "python3".to_owned(),
            episodes: 1,
            counted: true,
            wait: Duration::ZERO,
            critical: Duration::ZERO,
            p95: None,
            cpu: Duration::ZERO,
            under_lock: None,
            threads: 1,
            in_event_loop: false,
            tasks: None,
            blocks_event_loop: false,
        }
    }

    #[test]
    fn a_site_is_explained_by_the_call_on_its_line_that_does_what_was_measured() {
        let catalog = Catalog::builtin();
        let api = |name| catalog.find(Language::Python, name).unwrap();
        let call = |line, name| CostlyCall { line, end_line: line + 1, api: api(name) };
        let calls = vec![call(12, "time.sleep"), call(12, "requests.get"), call(40, "subprocess.run")];
        let network = Account::Wait(WaitKind::Network);
        let sites = vec![
            site(network, "/srv/app/web.py", 12),
            site(Account::Wait(WaitKind::Sleep), "web.py", 13),
            site(Account::Wait(WaitKind::Pipe), "web.py", 40),
            site(network, "web.py", 40),
            site(Account::Cpu, "web.py", 12),
            site(network, "/usr/lib/python3/socket.py", 12),
        ];
        let joined = join(scanned(vec![finding("web.py", 12)], calls), &profile(sites));
        let named: Vec<Option<&str>> =
            joined.sites.iter().map(|site| site.call.as_ref().map(|api| api.name.as_str())).collect();
        let sleep = Some("time.sleep");
        assert_eq!(named, [Some("requests.get"), sleep, Some("subprocess.run"), None, None, None]);
        let marks: Vec<(bool, bool)> = joined.sites.iter().map(|site| (site.scanned, site.found)).collect();
        let here = (true, false);
        assert_eq!(marks, [(true, true), here, here, here, (true, true), (false, false)]);
    }

    #[test]
    fn without_the_line_a_site_is_explained_by_the_function_of_the_library() {
        let catalog = Catalog::builtin();
        let mut site = site(Account::Wait(WaitKind::Network), "other.py", 3);
        site.call = Some("requests.api.get".to_owned());
        let by_name = |name: &str| catalog.find(Language::Python, name);
        let joined =
            join(Scanned { by_name: &by_name, ..scanned(Vec::new(), Vec::new()) }, &profile(vec![site]));
        assert_eq!(joined.sites[0].call.as_ref().map(|api| api.name.as_str()), Some("requests.get"));
    }

    #[test]
    fn a_path_is_known_by_its_end() {
        let same = |named: &str, file: &str| is_same(Path::new(named), Path::new(file));
        assert!(same("./jobs/etl.py", "/srv/jobs/etl.py") && same("etl.py", "/srv/jobs/etl.py"));
        assert!(same("/build/src/main.rs", "src/main.rs"));
        assert!(!same("other/etl.py", "/srv/jobs/etl.py") && !same("tl.py", "/srv/jobs/etl.py"));
        assert!(!same("/elsewhere/etl.py", "/srv/jobs/etl.py"));
    }
}
