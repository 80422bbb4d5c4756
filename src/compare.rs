//! Two versions of a program, each measured once or several times: what changed, whether that is more than noise, and
//! whether what was predicted came true. Pure; knows no format.

use std::collections::BTreeMap;

use crate::advice::{Action, Advice, Predicted, Recommendation};
use crate::machine::Machine;
use crate::profile::{Location, Profile, Site};
use crate::wait::Account;

/// One measured run.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// What was measured.
    pub profile: &'a Profile,
    /// Where.
    pub machine: &'a Machine,
    /// What the rules of now say of it.
    pub advice: &'a Advice,
    /// What was advised when it was measured.
    pub advice_was: &'a Advice,
}

/// What noise is taken to be where runs are too few to tell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// By how much the wall time of a single run may be off, as a share.
    pub single_run: f64,
    /// Changes of a part below this share of the wall time are not told.
    pub worth_telling: f64,
}

/// How a number changed: medians, and a 90 % interval of their ratio.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// Before, seconds.
    pub before: f64,
    /// After, seconds.
    pub after: f64,
    /// Before over after: above 1 is faster.
    pub speedup: f64,
    /// Lower end of the interval of `speedup`.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Which way a change goes, if it is more than noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// It takes less time.
    Faster,
    /// It takes more time.
    Slower,
    /// What difference there is may be noise.
    Same,
}

impl Change {
    /// Which way it goes.
    #[must_use]
    pub fn direction(&self) -> Direction {
        if self.low > 1.0 {
            Direction::Faster
        } else if self.high < 1.0 {
            Direction::Slower
        } else {
            Direction::Same
        }
    }
}

/// Time of a part before and after, seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Part<K> {
    /// Which part.
    pub key: K,
    /// Before.
    pub before: f64,
    /// After.
    pub after: f64,
}

/// A line of the program, known again by its function: lines move.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Computing, or waiting for this.
    pub account: Account,
    /// The end of the file's path; empty: not known.
    pub file: String,
    /// Function.
    pub function: String,
}

/// A prediction, and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Achieved {
    /// What was advised.
    pub advised: Recommendation,
    /// What it was to give.
    pub predicted: Predicted,
}

/// What changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Runs before and after.
    pub runs: (usize, usize),
    /// Wall time.
    pub wall: Change,
    /// CPU time of all processes.
    pub cpu: Change,
    /// What bound it, and what does.
    pub bound_by: (String, String),
    /// What the program was doing, where that changed; the largest change first.
    pub wall_book: Vec<Part<Account>>,
    /// The same in thread-time.
    pub thread_book: Vec<Part<Account>>,
    /// Wall time by function, where that changed; the largest change first.
    pub places: Vec<Part<Place>>,
    /// What was predicted before, where something was advised.
    pub achieved: Option<Achieved>,
    /// What makes the two hard to compare, a sentence each.
    pub caveats: Vec<String>,
}

impl Comparison {
    /// Whether another thing binds than did.
    #[must_use]
    pub fn bound_changed(&self) -> bool {
        self.bound_by.0 != self.bound_by.1
    }

    /// Whether the speedup and the interval that was predicted agree; `None`: nothing was predicted.
    #[must_use]
    pub fn came_true(&self) -> Option<bool> {
        let predicted = self.achieved.as_ref()?.predicted;
        Some(self.wall.high >= predicted.low && self.wall.low <= predicted.high)
    }
}

/// Compares two groups of runs; `None` where one of them is empty.
#[must_use]
pub fn compare(before: &[Run<'_>], after: &[Run<'_>], noise: Noise) -> Option<Comparison> {
    let (typical_before, typical_after) = (typical(before)?, typical(after)?);
    let wall_of = |runs: &[Run<'_>]| -> Vec<f64> { runs.iter().map(|run| wall(run)).collect() };
    let cpu = |run: &Run<'_>| (run.profile.cpu_user + run.profile.cpu_system).as_secs_f64();
    let cpu_of = |runs: &[Run<'_>]| -> Vec<f64> { runs.iter().map(cpu).collect() };
    // What other programs took is no property of this one.
    let queued = |run: &Run<'_>| run.profile.wall_book.share(Account::Runnable).unwrap_or(0.0);
    let disturbed = before.iter().chain(after).map(queued).fold(0.0, f64::max);
    let walls = change(&wall_of(before), &wall_of(after), noise.single_run + disturbed);
    let least = noise.worth_telling * walls.before.max(walls.after);
    let wall_book = parts(before, after, least, |run| accounts(&run.profile.wall_book));
    let thread_book = parts(before, after, least, |run| accounts(&run.profile.thread_book));
    let bound = |run: &Run<'_>| run.advice.verdict.bound_by.clone();
    Some(Comparison {
        runs: (before.len(), after.len()),
        wall: walls,
        cpu: change(&cpu_of(before), &cpu_of(after), noise.single_run),
        bound_by: (bound(typical_before), bound(typical_after)),
        wall_book,
        thread_book,
        places: parts(before, after, least, |run| by_place(&run.profile.sites)),
        achieved: achieved(typical_before),
        caveats: caveats(typical_before, typical_after, before, after),
    })
}

fn wall(run: &Run<'_>) -> f64 {
    run.profile.wall.as_secs_f64()
}

/// The run in the middle.
fn typical<'r, 'a>(runs: &'r [Run<'a>]) -> Option<&'r Run<'a>> {
    let mut ordered: Vec<&Run<'_>> = runs.iter().collect();
    ordered.sort_by(|one, other| wall(one).total_cmp(&wall(other)));
    ordered.get(runs.len().saturating_sub(1) / 2).copied()
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => values[odd / 2],
        even => f64::midpoint(values[even / 2 - 1], values[even / 2]),
    }
}

/// 90 % of a normal distribution lie within so many deviations.
const WITHIN: f64 = 1.645;
/// Runs on each side from which on they tell their own noise.
const TELLING: usize = 3;

/// The ratio of two groups with its interval: of all ratios of one to the other the median, and those that the rank-sum
/// test would not reject (Hodges and Lehmann 1963). A group too small to tell its noise is given the one that is assumed.
fn change(before: &[f64], after: &[f64], assumed: f64) -> Change {
    let pairs = before.iter().flat_map(|before| after.iter().map(move |after| (*before, *after)));
    let ratio = |(before, after): (f64, f64)| if after > 0.0 { before / after } else { 1.0 };
    let mut ratios: Vec<f64> = pairs.map(ratio).collect();
    ratios.sort_by(f64::total_cmp);
    let (n, m) = (before.len() as f64, after.len() as f64);
    let outside = (n * m / 2.0 - WITHIN * (n * m * (n + m + 1.0) / 12.0).sqrt()).floor().max(0.0) as usize;
    let last = ratios.len().saturating_sub(1);
    let (low, high) = (ratios[outside.min(last / 2)], ratios[last - outside.min(last / 2)]);
    let margin = 1.0 + if before.len().min(after.len()) < TELLING { assumed } else { 0.0 };
    Change {
        before: median(before),
        after: median(after),
        speedup: median(&ratios),
        low: low / margin,
        high: high * margin,
    }
}

fn accounts(book: &crate::wait::Book) -> BTreeMap<Account, f64> {
    Account::ALL.into_iter().map(|account| (account, book.get(account).as_secs_f64())).collect()
}

/// The last two parts of a path: enough to tell files apart, and the same wherever the project lies.
fn tail(path: &str) -> String {
    let parts: Vec<&str> = path.rsplit('/').take(2).collect();
    parts.into_iter().rev().collect::<Vec<_>>().join("/")
}

fn by_place(sites: &[Site]) -> BTreeMap<Place, f64> {
    let mut sums = BTreeMap::new();
    for site in sites {
        let Some(Location { function, file, .. }) = &site.at else { continue };
        let file = file.as_deref().map(tail).unwrap_or_default();
        let place = Place { account: site.account, file, function: function.clone() };
        *sums.entry(place).or_default() += site.critical.as_secs_f64();
    }
    sums
}

/// The parts that changed by at least this many seconds.
fn parts<K: Ord + Clone>(
    before: &[Run<'_>],
    after: &[Run<'_>],
    least: f64,
    told: impl Fn(&Run<'_>) -> BTreeMap<K, f64>,
) -> Vec<Part<K>> {
    let (before, after): (Vec<_>, Vec<_>) =
        (before.iter().map(&told).collect(), after.iter().map(&told).collect());
    let mut keys: Vec<&K> = before.iter().chain(&after).flat_map(BTreeMap::keys).collect();
    keys.sort();
    keys.dedup();
    let of = |runs: &[BTreeMap<K, f64>], key: &K| {
        median(&runs.iter().map(|run| run.get(key).copied().unwrap_or(0.0)).collect::<Vec<_>>())
    };
    let part = |key: &K| Part { key: key.clone(), before: of(&before, key), after: of(&after, key) };
    let mut parts: Vec<Part<K>> = keys.into_iter().map(part).collect();
    parts.retain(|part| (part.after - part.before).abs() >= least.max(f64::MIN_POSITIVE));
    parts.sort_by(|one, other| (other.after - other.before).abs().total_cmp(&(one.after - one.before).abs()));
    parts
}

/// What was advised before, if that was a change with a gain.
fn achieved(before: &Run<'_>) -> Option<Achieved> {
    let advised = before.advice_was.recommendations.first()?;
    let changes = !matches!(advised.action, Action::Keep | Action::Inconclusive);
    let predicted = advised.predicted.filter(|_| changes)?;
    Some(Achieved { advised: advised.clone(), predicted })
}

fn caveats(one: &Run<'_>, other: &Run<'_>, before: &[Run<'_>], after: &[Run<'_>]) -> Vec<String> {
    let mut caveats = Vec::new();
    let mut differ = |what: &str, before: String, after: String| {
        if before != after {
            caveats.push(format!("{what} differ: {before} before, {after} after"));
        }
    };
    let runtime = |run: &Run<'_>| {
        let runtime = &run.profile.runtime;
        let name = runtime.implementation.clone().unwrap_or_else(|| runtime.language.name().to_owned());
        format!("{name} {}", runtime.version.as_deref().unwrap_or_default()).trim().to_owned()
    };
    let cpus = |run: &Run<'_>| match run.machine.quota {
        Some(quota) => format!("{} CPUs with a quota of {quota}", run.machine.cpus_logical),
        None => format!("{} CPUs", run.machine.cpus_logical),
    };
    differ("the commands", one.profile.command.join(" "), other.profile.command.join(" "));
    differ("the runtimes", runtime(one), runtime(other));
    differ("the machines", cpus(one), cpus(other));
    let failed = |runs: &[Run<'_>]| {
        runs.iter()
            .filter(|run| !matches!(run.profile.exit, None | Some(crate::profile::Exit::Code(0))))
            .count()
    };
    for (when, runs) in [("before", before), ("after", after)] {
        if failed(runs) > 0 {
            caveats.push(format!("{} of {} runs {when} did not end well", failed(runs), runs.len()));
        }
    }
    if before.len().min(after.len()) < TELLING {
        caveats.push(format!(
            "so few runs do not tell their own noise: give {TELLING} or more of each for an interval that is measured"
        ));
    }
    caveats
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    const NOISE: Noise = Noise { single_run: 0.05, worth_telling: 0.01 };

    fn profile(wall: u64, network: u64) -> Profile {
        let mut profile = Profile { wall: Duration::from_millis(wall), ..Profile::default() };
        profile.wall_book[Account::Wait(crate::wait::WaitKind::Network)] = network * 1_000_000;
        profile.wall_book[Account::Cpu] = (wall - network) * 1_000_000;
        profile
    }

    fn compared(before: &[(u64, u64)], after: &[(u64, u64)]) -> Comparison {
        let (machine, advice) = (Machine::default(), Advice::default());
        let profiles = |group: &[(u64, u64)]| -> Vec<Profile> {
            group.iter().map(|(wall, network)| profile(*wall, *network)).collect()
        };
        let (before, after) = (profiles(before), profiles(after));
        let run = |profile| Run { profile, machine: &machine, advice: &advice, advice_was: &advice };
        let (before, after): (Vec<_>, Vec<_>) =
            (before.iter().map(run).collect(), after.iter().map(run).collect());
        compare(&before, &after, NOISE).unwrap()
    }

    #[test]
    fn a_difference_of_single_runs_must_be_more_than_their_noise() {
        assert_eq!(compared(&[(1000, 0)], &[(1049, 0)]).wall.direction(), Direction::Same);
        assert_eq!(compared(&[(1000, 0)], &[(1051, 0)]).wall.direction(), Direction::Slower);
        assert_eq!(compared(&[(1051, 0)], &[(1000, 0)]).wall.direction(), Direction::Faster);
    }

    #[test]
    fn several_runs_tell_their_own_noise() {
        let noisy = [(900, 0), (1000, 0), (1150, 0), (980, 0)];
        assert_eq!(
            compared(&noisy, &[(950, 0), (1100, 0), (1020, 0), (1010, 0)]).wall.direction(),
            Direction::Same
        );
        let quiet = [(1000, 0), (1002, 0), (1001, 0), (999, 0)];
        let change = compared(&quiet, &[(1020, 0), (1021, 0), (1019, 0), (1022, 0)]).wall;
        assert_eq!(change.direction(), Direction::Slower, "{change:?}");
    }

    #[test]
    fn what_changed_is_told_by_account_the_largest_first() {
        let comparison = compared(&[(1000, 800)], &[(300, 100)]);
        let told: Vec<(&str, i64)> = comparison
            .wall_book
            .iter()
            .map(|part| (part.key.name(), ((part.after - part.before) * 1000.0).round() as i64))
            .collect();
        assert_eq!(told, [("network", -700)]);
        assert!((comparison.wall.speedup - 10.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn files_are_known_again_wherever_the_project_lies() {
        assert_eq!(tail("/home/me/shop/jobs/etl.py"), "jobs/etl.py");
        assert_eq!(tail("etl.py"), "etl.py");
    }

    proptest! {
        #[test]
        fn the_interval_holds_the_ratio_and_turns_with_the_sides(
            before in proptest::collection::vec(1.0..100.0f64, 1..8),
            after in proptest::collection::vec(1.0..100.0f64, 1..8),
        ) {
            let (one, other) = (change(&before, &after, 0.05), change(&after, &before, 0.05));
            prop_assert!(one.low <= one.speedup && one.speedup <= one.high, "{:?}", one);
            prop_assert!((one.low * other.high - 1.0).abs() < 1e-9);
        }
    }
}
