//! From time by call stack to lines of the program's own source. Pure.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::event_loops::{InFuture, calls_own_code, in_future, in_loop};
use super::{COUNTED_ENOUGH, SITES_REPORTED, account};
use crate::profile::code::{CallStacks, Location, Site, StackTime};
use crate::profile::ledger::Closed;
use crate::profile::places::Computing;
use crate::profile::sites::{Durations, Waits, is_counted};
use crate::profile::stack::{Frame, StackId, Stacks};
use crate::profile::stack_reads::StackReads;
use crate::profile::thread_clock::SiteId;
use crate::wait::{Account, WaitKind};

/// Stacks reported one by one.
const STACKS_REPORTED: usize = 2000;
/// What is left is reported by process name and account, if these are not more.
const RESTS_REPORTED: usize = 1000;
/// Callers named.
const CALLERS: usize = 3;
/// Parents of a process that are asked.
const ANCESTORS: usize = 64;
/// One piece of time: what was done, in which stack, for how long.
struct Piece<'a> {
    pid: i32,
    account: Account,
    operation: &'static str,
    resource: Option<&'a str>,
    stack: StackId,
    /// Thread-time, nanoseconds.
    time: u64,
    /// Wall time that the program spent on it.
    critical: u64,
    event_loop: bool,
    /// Whether its runtime is known to have no interpreter lock.
    lockless: bool,
    waits: Option<&'a Waits>,
    computing: Option<&'a Computing>,
}

/// Everything that was booked at a place in the code. Thread-time on CPUs counts as wall time as far as the program was
/// computing: threads that run side by side share it.
fn pieces(books: &Closed) -> Vec<Piece<'_>> {
    let computed: u64 = books.places.computing().map(|(_, _, computing)| computing.total()).sum();
    let wall = (books.wall.cpu + books.wall.gil) as f64 / computed.max(1) as f64;
    let waits = books.places.waits().filter(|(_, waits)| waits.blocked > 0).map(|(place, waits)| {
        let site = books.sites.get(place.site);
        Piece {
            pid: site.key.pid,
            account: account(site, place.site),
            operation: if place.site == SiteId::UNKNOWN { "" } else { site.operation() },
            // The address of a parking spot means nothing to a reader.
            resource: site.key.resource.as_deref().filter(|_| site.operation() != "park"),
            stack: place.stack,
            time: waits.blocked,
            critical: books.wall.waits.get(&place).copied().unwrap_or(0),
            event_loop: site.event_loop,
            lockless: false,
            waits: Some(waits),
            computing: None,
        }
    });
    let computing = books.places.computing().map(|(pid, stack, computing)| Piece {
        pid,
        account: Account::Cpu,
        operation: "",
        resource: None,
        stack,
        time: computing.total(),
        critical: (computing.total() as f64 * wall) as u64,
        event_loop: false,
        lockless: books.processes.get(&pid).is_some_and(|process| process.runtime.gil == Some(false)),
        waits: None,
        computing: Some(computing),
    });
    waits.chain(computing).filter(|piece| piece.time > 0).collect()
}

/// What lines of the program's own code did, most wall time first; and all stacks with their time.
pub(super) fn by_code(books: &Closed, reads: &StackReads) -> (Vec<Site>, CallStacks) {
    let pieces = pieces(books);
    let stacks = stacks(books, &pieces, reads);
    (sites(books, pieces), stacks)
}

fn stacks(books: &Closed, pieces: &[Piece<'_>], reads: &StackReads) -> CallStacks {
    type Key<'a> = (String, Account, &'static str, Option<&'a str>, StackId);
    let mut merged: BTreeMap<Key<'_>, (u64, u64, u64)> = BTreeMap::new();
    for piece in pieces {
        let name = books.process_name(piece.pid);
        let key = (name, piece.account, piece.operation, piece.resource, piece.stack);
        let sums = merged.entry(key).or_default();
        sums.0 += piece.time;
        sums.1 += piece.critical;
        sums.2 += piece.waits.map_or(0, |waits| waits.ended);
    }
    let mut all: Vec<(Key<'_>, (u64, u64, u64))> = merged.into_iter().collect();
    all.sort_by_key(|(_, (time, critical, _))| std::cmp::Reverse((*critical, *time)));
    let mut rest: BTreeMap<(String, Account), (u64, u64, u64)> = BTreeMap::new();
    for ((name, account, ..), sums) in all.drain(all.len().min(STACKS_REPORTED)..) {
        let rest = rest.entry((name, account)).or_default();
        *rest = (rest.0 + sums.0, rest.1 + sums.1, rest.2 + sums.2);
    }
    if rest.len() > RESTS_REPORTED {
        // There may be as many names as processes.
        for ((_, account), sums) in std::mem::take(&mut rest) {
            let all = rest.entry((String::new(), account)).or_default();
            *all = (all.0 + sums.0, all.1 + sums.1, all.2 + sums.2);
        }
    }
    let mut found = CallStacks { read: reads.read, torn: reads.torn, ..CallStacks::default() };
    let mut numbers: BTreeMap<&Frame, u32> = BTreeMap::new();
    for ((process, account, operation, resource, stack), (time, critical, episodes)) in all {
        let number = |frame| {
            *numbers.entry(frame).or_insert_with(|| {
                found.frames.push(frame.clone());
                found.frames.len() as u32 - 1
            })
        };
        let frames = books.stacks.levels(stack).map(number).collect();
        found.stacks.push(StackTime {
            process,
            account,
            operation: operation.to_owned(),
            resource: resource.map(str::to_owned),
            frames,
            time: Duration::from_nanos(time),
            critical: Duration::from_nanos(critical),
            episodes,
        });
    }
    found.stacks.extend(rest.into_iter().map(|((process, account), (time, critical, episodes))| StackTime {
        process,
        account,
        operation: String::new(),
        resource: None,
        frames: Vec::new(),
        time: Duration::from_nanos(time),
        critical: Duration::from_nanos(critical),
        episodes,
    }));
    found
}

/// A site as it is added up.
#[derive(Default)]
struct Sum<'a> {
    /// Visits by system call.
    operations: BTreeMap<&'static str, (u64, u64)>,
    resources: BTreeSet<Option<&'a str>>,
    /// Time by the stacks that lead here.
    stacks: BTreeMap<StackId, u64>,
    durations: Durations,
    threads: BTreeSet<i32>,
    time: u64,
    critical: u64,
    progress: u64,
    under: u64,
    outside: u64,
    event_loop: bool,
    /// See [`Places::tasks_in`](crate::profile::places::Places::tasks_in).
    tasks: (u64, u64),
    lockless: bool,
}

fn sites(books: &Closed, mut pieces: Vec<Piece<'_>>) -> Vec<Site> {
    // What a loop calls is kept apart from the same line called by a thread that may block.
    type Key<'a> = (String, Account, Option<Location>, bool, Option<(&'static str, Option<&'a str>)>);
    let mut sums: BTreeMap<Key<'_>, Sum<'_>> = BTreeMap::new();
    let mut in_loops: BTreeMap<(StackId, bool), bool> = BTreeMap::new();
    let awaiting = awaiting(books, &pieces);
    // Many pieces share a stack.
    let mut lines: BTreeMap<StackId, Option<Location>> = BTreeMap::new();
    for piece in &pieces {
        lines.entry(piece.stack).or_insert_with(|| innermost_own(&books.stacks, piece.stack));
    }
    hand_up(books, &lines, &mut pieces);
    for piece in pieces {
        let at = lines[&piece.stack].clone();
        // Without the code, what the kernel knows tells the waits apart.
        let kernel = at.is_none().then_some((piece.operation, piece.resource));
        let in_loop = *in_loops.entry((piece.stack, piece.account == Account::Cpu)).or_insert_with(|| {
            // What a loop computes itself is no stall.
            in_loop(&books.stacks, piece.stack)
                && (piece.account != Account::Cpu || calls_own_code(&books.stacks, piece.stack))
        });
        let in_loop = in_loop || blocks_what_it_awaits(books, &piece, &awaiting);
        let sum = match sums.entry((books.process_name(piece.pid), piece.account, at, in_loop, kernel)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(free) => free.insert(Sum::default()),
        };
        if !sum.stacks.contains_key(&piece.stack) {
            let (waiting, looks) = books.places.tasks_in(piece.stack).unwrap_or_default();
            sum.tasks = (sum.tasks.0 + waiting, sum.tasks.1 + looks);
        }
        sum.add(&piece);
    }
    let mut sites: Vec<Site> = sums
        .into_iter()
        .map(|((process, account, at, in_loop, _), sum)| {
            let site = sum.into_site(&books.stacks, process, account, at);
            Site { blocks_event_loop: in_loop && !site.in_event_loop, ..site }
        })
        .collect();
    sites.sort_by_key(|site| std::cmp::Reverse((site.critical, site.wait, site.cpu)));
    sites.truncate(SITES_REPORTED);
    sites
}

/// Waits from which something is done again and again.
const AGAIN: u64 = 8;

/// How often futures that programs run themselves awaited something, by process.
fn awaiting(books: &Closed, pieces: &[Piece<'_>]) -> BTreeMap<i32, u64> {
    let mut sums = BTreeMap::new();
    for piece in pieces {
        if let Some(waits) =
            piece.waits.filter(|_| in_future(&books.stacks, piece.stack) == Some(InFuture::Awaits))
        {
            *sums.entry(piece.pid).or_default() += waits.ended;
        }
    }
    sums
}

/// Whether a future waits like this again and again, and awaits again and again in between: what blocks at its beginning
/// or its end holds nothing up.
fn blocks_what_it_awaits(books: &Closed, piece: &Piece<'_>, awaiting: &BTreeMap<i32, u64>) -> bool {
    let awaits = awaiting.get(&piece.pid).copied().unwrap_or(0);
    piece.waits.is_some_and(|waits| waits.ended >= AGAIN && awaits >= AGAIN)
        && !piece.event_loop
        && in_future(&books.stacks, piece.stack) == Some(InFuture::Acts)
}

/// The wall book charges what a child did, not that its parent waited for it. Of a child without lines of its own nothing
/// can be named but the line that waits for it.
fn hand_up(books: &Closed, lines: &BTreeMap<StackId, Option<Location>>, pieces: &mut [Piece<'_>]) {
    let has_line = |piece: &Piece<'_>| lines[&piece.stack].is_some();
    let seen: BTreeSet<i32> = pieces.iter().filter(|piece| has_line(piece)).map(|piece| piece.pid).collect();
    let mut handed: BTreeMap<i32, u64> = BTreeMap::new();
    for piece in pieces.iter_mut().filter(|piece| !seen.contains(&piece.pid)) {
        let parent = |pid: &i32| books.processes.get(pid).map(|process| process.parent);
        // Numbers of processes are given out again: no chain is followed for ever.
        let mut ancestors = std::iter::successors(parent(&piece.pid), parent).take(ANCESTORS);
        if let Some(ancestor) = ancestors.find(|ancestor| seen.contains(ancestor)) {
            *handed.entry(ancestor).or_default() += piece.critical;
            piece.critical = 0;
        }
    }
    for (pid, critical) in handed {
        let awaits = |piece: &&mut Piece<'_>| {
            piece.pid == pid
                && matches!(piece.account, Account::Wait(WaitKind::Child | WaitKind::Pipe | WaitKind::Idle))
                && piece.waits.is_some()
                && has_line(piece)
        };
        let waited: u64 = pieces.iter_mut().filter(awaits).map(|piece| piece.time).sum();
        for piece in pieces.iter_mut().filter(awaits) {
            piece.critical += (critical as f64 * piece.time as f64 / waited as f64) as u64;
        }
    }
}

impl<'a> Sum<'a> {
    fn add(&mut self, piece: &Piece<'a>) {
        self.time += piece.time;
        self.critical += piece.critical;
        self.event_loop |= piece.event_loop;
        self.resources.insert(piece.resource);
        *self.stacks.entry(piece.stack).or_default() += piece.time;
        if let Some(waits) = piece.waits {
            let visits = self.operations.entry(piece.operation).or_default();
            visits.0 += waits.ended;
            visits.1 += waits.counted;
            self.durations.merge(&waits.durations);
            self.threads.extend(&waits.threads);
            self.progress += waits.progress;
        }
        if let Some(computing) = piece.computing {
            self.lockless |= piece.lockless;
            self.under += computing.under;
            self.outside += computing.outside;
        }
    }

    fn into_site(self, stacks: &Stacks, process: String, account: Account, at: Option<Location>) -> Site {
        let busiest = self.operations.into_iter().max_by_key(|(_, (ended, _))| *ended);
        let (operation, (episodes, counted)) = busiest.unwrap_or_default();
        let heaviest = self.stacks.into_iter().max_by_key(|(_, time)| *time);
        let stack = heaviest.map_or(StackId::UNSEEN, |(stack, _)| stack);
        let counted = is_counted(counted, episodes);
        let seen = counted && self.durations.count() >= COUNTED_ENOUGH;
        let computes = account == Account::Cpu;
        let classed = self.under + self.outside;
        let only = if self.resources.len() == 1 { self.resources.into_iter().next().flatten() } else { None };
        Site {
            account,
            call: at.as_ref().and_then(|_| library_call(stacks, stack)),
            callers: callers(stacks, stack),
            at,
            operation: operation.to_owned(),
            resource: only.map(str::to_owned),
            process,
            episodes,
            counted,
            wait: Duration::from_nanos(if computes { 0 } else { self.time }),
            critical: Duration::from_nanos(self.critical),
            p95: self.durations.quantile(0.95).filter(|_| seen).map(Duration::from_nanos),
            cpu: Duration::from_nanos(if computes { self.time } else { self.progress }),
            under_lock: (classed > 0)
                .then(|| self.under as f64 / classed as f64)
                .or(self.lockless.then_some(0.0)),
            threads: self.threads.len() as u64,
            in_event_loop: self.event_loop,
            tasks: (self.tasks.1 > 0).then(|| self.tasks.0 as f64 / self.tasks.1 as f64),
            blocks_event_loop: false,
        }
    }
}

/// The innermost level of the program's own code; where all of it is library code, the innermost that has a line.
/// Expressions that Python runs as functions of their own belong to the function they stand in.
pub(super) fn innermost_own(stacks: &Stacks, stack: StackId) -> Option<Location> {
    let own = stacks.levels(stack).find(|level| level.own);
    let level = own.or_else(|| stacks.levels(stack).find(|level| level.line.is_some()))?;
    let mut at = Location::from(level);
    let mut outer = stacks.levels(stack).skip_while(|other| *other != level);
    while is_expression(&at.function)
        && let Some(next) = outer.next()
    {
        if next.own == level.own && next.file == level.file {
            at.function.clone_from(&next.function);
        }
    }
    Some(at)
}

/// Whether a function is an expression to whoever wrote it: `<genexpr>`, `<lambda>`, `load.<locals>.<listcomp>`.
pub(in crate::profile) fn is_expression(function: &str) -> bool {
    let name = function.rsplit('.').next().unwrap_or_default();
    name.starts_with('<') && name != "<module>"
}

/// What the innermost own level calls, if that is code of a library.
pub(in crate::profile) fn library_call(stacks: &Stacks, stack: StackId) -> Option<String> {
    let beneath = stacks.levels(stack).take_while(|level| !level.own).last()?;
    stacks.levels(stack).any(|level| level.own).then(|| qualified(beneath)).filter(|name| !name.is_empty())
}

/// Own code further out than the innermost own level, nearest first.
pub(in crate::profile) fn callers(stacks: &Stacks, stack: StackId) -> Vec<Location> {
    let own = stacks.levels(stack).filter(|level| level.own && !is_expression(&level.function));
    let mut locations: Vec<Location> = own.map(Location::from).collect();
    locations.dedup_by(|outer, inner| (&outer.file, &outer.function) == (&inner.file, &inner.function));
    let at = innermost_own(stacks, stack);
    locations.retain(|location| {
        at.as_ref().is_none_or(|at| (&at.file, &at.function) != (&location.file, &location.function))
    });
    locations.truncate(CALLERS);
    locations
}

/// Where Python keeps libraries; what follows names the module.
const LIBRARIES: [&str; 2] = ["/site-packages/", "/dist-packages/"];

/// A library's function with its module: `requests.api.get`. What imports is called by what it is written as.
fn qualified(level: &Frame) -> String {
    if level.file.as_deref().is_some_and(|file| file.starts_with("<frozen importlib")) {
        return "import".to_owned();
    }
    let module = level.file.as_deref().and_then(module).map(|module| module + ".");
    format!("{}{}", module.unwrap_or_default(), level.function)
}

/// The name under which Python imports a library's file.
fn module(file: &str) -> Option<String> {
    let path = file.strip_suffix(".py")?;
    let inside = LIBRARIES.iter().find_map(|folder| path.rsplit_once(folder)).map(|(_, inside)| inside);
    let standard = || {
        let (_, rest) = path.rsplit_once("/python3")?;
        rest.split_once('/').map(|(_, inside)| inside)
    };
    let inside = inside.or_else(standard)?;
    Some(inside.trim_end_matches("/__init__").replace('/', "."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(function: &str, file: &str, line: u32, own: bool) -> Frame {
        Frame { function: function.to_owned(), file: Some(file.to_owned()), line: Some(line), own }
    }

    fn stacks(levels: &[Frame]) -> (Stacks, StackId) {
        let mut stacks = Stacks::default();
        let frames: Vec<_> = levels.iter().map(|level| stacks.frame(level.clone()).unwrap()).collect();
        let stack = stacks.stack(&frames);
        (stacks, stack)
    }

    #[test]
    fn a_wait_in_a_library_is_where_the_program_calls_it() {
        let (stacks, stack) = stacks(&[
            level("SSLSocket.read", "/usr/lib/python3.11/ssl.py", 1100, false),
            level("get", "/venv/lib/python3.11/site-packages/requests/api.py", 73, false),
            level("fetch_row", "etl.py", 42, true),
            level("load", "etl.py", 88, true),
        ]);
        assert_eq!(innermost_own(&stacks, stack).and_then(|at| at.line), Some(42));
        assert_eq!(library_call(&stacks, stack).as_deref(), Some("requests.api.get"));
        assert_eq!(callers(&stacks, stack).iter().map(|caller| caller.line).collect::<Vec<_>>(), [Some(88)]);
    }

    #[test]
    fn an_expression_belongs_to_its_function() {
        let (stacks, stack) = stacks(&[
            level("parse.<locals>.<genexpr>", "etl.py", 43, true),
            level("parse", "etl.py", 42, true),
            level("<module>", "etl.py", 90, true),
        ]);
        let at = innermost_own(&stacks, stack).unwrap();
        assert_eq!((at.function.as_str(), at.line), ("parse", Some(43)));
        assert_eq!(callers(&stacks, stack).iter().map(|caller| caller.line).collect::<Vec<_>>(), [Some(90)]);
    }

    #[test]
    fn a_program_that_is_all_library_is_named_by_what_it_is_in() {
        let (stacks, stack) =
            stacks(&[level("run", "/venv/lib/python3.11/site-packages/tool/main.py", 7, false)]);
        assert_eq!(innermost_own(&stacks, stack).and_then(|at| at.line), Some(7));
        assert_eq!(library_call(&stacks, stack), None);
        assert_eq!(innermost_own(&stacks, StackId::UNSEEN), None);
    }

    #[test]
    fn modules_are_named_as_they_are_imported() {
        let name = |file: &str| module(file).unwrap_or_default();
        assert_eq!(name("/x/lib/python3.9/site-packages/redis/client.py"), "redis.client");
        assert_eq!(name("/usr/lib/python3/dist-packages/yaml/__init__.py"), "yaml");
        assert_eq!(name("/usr/lib/python3.11/urllib/request.py"), "urllib.request");
        assert_eq!(name("/home/me/etl.py"), "");
        assert_eq!(name("<frozen importlib._bootstrap>"), "");
    }
}
