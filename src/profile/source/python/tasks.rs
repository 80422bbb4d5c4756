//! What the tasks of asyncio and of trio wait for while their loop waits for events. Knows how a loop's tasks are found, and
//! how a task's coroutines await one another; what a line means is for others to say.
//!
//! ```text
//! frame of asyncio ─► module asyncio.tasks ─► set of weak references ─┐
//! frame of asyncio ─► its task ─► ring of tasks (3.14) ───────────────┼─► task ─► coroutine ─► coroutine ─► … ─► future
//! frame of trio ─► its runner ─► set of tasks ────────────────────────┘
//! ```
//!
//! Where a task holds its coroutine is found by looking for one: tasks have few words, and the type of an object has a
//! name. Tasks of other loops, and those that are about to run, are left out. Sources: `Modules/_asynciomodule.c`,
//! `Lib/asyncio/tasks.py`, `Lib/weakref.py`; `trio/_core/_run.py`.

use std::fs::File;
use std::os::unix::fs::FileExt;

use rustc_hash::FxHashMap;

use super::super::memory::{is_pointer, read_word, word};
use super::layout::Layout;
use super::objects::{Objects, Suspended, members, pointer, wrapped};
use super::walk::Level;
use crate::profile::stack::{Frame, FrameId, Stacks};

/// Tasks looked at whenever their loop is seen waiting; of more, others each time.
const LOOKED_AT: usize = 12;
/// So many places further on: odd, so that each place of a table has its turn.
const BEGIN_FURTHER: u64 = 37;
/// Coroutines that await one another, at most.
const AWAITED: usize = 64;
/// Words of a task that may hold its coroutine.
const TASK_WORDS: usize = 32;
/// Variables of a frame among which its task may be.
const VARIABLES: usize = 10;
/// Tasks and types remembered at once.
const REMEMBERED: usize = 8192;
/// Where the set of all tasks is, by the name that `asyncio.tasks` gives it.
const SETS: [&str; 2] = ["_all_tasks", "_scheduled_tasks"];
/// In a task: the loop it belongs to.
const TASK_LOOP: u64 = 16;

/// What an object is, as far as awaiting goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// It has a frame that may wait.
    Coroutine,
    /// It stands for another object: a coroutine, or a future that is awaited.
    Wrapper,
    /// A task, or a future that others of the same loop complete.
    Task,
    /// See [`Class::Task`].
    Gathering,
    Set,
    /// What holds the tasks of trio.
    Runner,
    Other,
}

/// Classes by the last part of their names.
const CLASSES: &[(&str, Class)] = &[
    ("coroutine", Class::Coroutine),
    ("generator", Class::Coroutine),
    ("async_generator", Class::Coroutine),
    ("coroutine_wrapper", Class::Wrapper),
    ("async_generator_asend", Class::Wrapper),
    ("async_generator_athrow", Class::Wrapper),
    ("anext_awaitable", Class::Wrapper),
    ("FutureIter", Class::Wrapper),
    ("Task", Class::Task),
    ("_GatheringFuture", Class::Gathering),
    ("set", Class::Set),
    ("Runner", Class::Runner),
];

/// What a task did since it was looked at last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    /// It was not looked at before.
    New,
    /// It went on.
    Moved,
    /// It waits as it did then, or for the same again.
    Still,
}

/// A task that waits.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    /// Its coroutines, the innermost first.
    pub(super) levels: Vec<Level>,
    /// Another task of the loop will end its wait.
    pub(super) for_a_task: bool,
    /// Since it was looked at last.
    pub(super) since: Since,
}

/// What a task waits for, told by the innermost line of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Awaits {
    /// Something outside of the loop.
    Outside,
    /// Time to pass.
    Time,
    /// Another task, which waits itself.
    Task,
}

/// Files in which a loop waits, and those of the loop itself, by the end of their paths.
const WAITS: [&str; 2] = ["/selectors.py", "/trio/_core/_io_epoll.py"];
/// See [`WAITS`].
const LOOPS: [&str; 3] = ["/asyncio/base_events.py", "/asyncio/runners.py", "/trio/_core/_run.py"];
/// What every task of trio waits in, whatever for.
const TRAPS: &str = "/trio/_core/_traps.py";
/// Functions of asyncio in which tasks wait for one another: end of the file's path, and function; empty: any.
const FOR_TASKS: &[(&str, &str)] = &[
    ("asyncio/locks.py", ""),
    ("asyncio/queues.py", ""),
    ("asyncio/taskgroups.py", ""),
    ("asyncio/tasks.py", ""),
    ("asyncio/base_events.py", "serve_forever"),
    ("trio/_core/_parking_lot.py", ""),
    ("trio/_core/_run.py", ""),
    ("trio/_channel.py", ""),
    ("trio/_sync.py", ""),
];
/// Those in which they wait for time to pass.
const FOR_TIME: &[(&str, &str)] = &[("asyncio/tasks.py", "sleep"), ("trio/_timeouts.py", "")];

impl Waiting {
    /// What it waits for, its innermost line being this.
    pub(super) fn awaits(&self, innermost: &Frame) -> Awaits {
        let name = innermost.function.rsplit('.').next().unwrap_or_default();
        let file = innermost.file.as_deref().unwrap_or_default();
        let is_in = |(end, function): &(&str, &str)| {
            file.ends_with(end) && (function.is_empty() || *function == name)
        };
        if FOR_TIME.iter().any(is_in) {
            Awaits::Time
        } else if self.for_a_task || FOR_TASKS.iter().any(is_in) {
            Awaits::Task
        } else {
            Awaits::Outside
        }
    }
}

/// Whether a level of a task tells what it waits for.
pub(super) fn tells(level: &Frame) -> bool {
    !level.file.as_deref().is_some_and(|file| file.ends_with(TRAPS))
}

/// The frames of asyncio in which a thread waits for events, innermost first; none if it is somewhere else. `seen` are
/// the frames of its stack and their addresses.
pub(super) fn event_loop(stacks: &Stacks, seen: &[(FrameId, u64)]) -> Vec<u64> {
    let is_in = |frame: FrameId, ends: &[&str]| {
        let file = stacks.levels_of(frame).first().and_then(|level| level.file.as_deref());
        file.is_some_and(|file| ends.iter().any(|end| file.ends_with(end)))
    };
    let outside = seen.iter().skip_while(|(frame, _)| is_in(*frame, &WAITS));
    outside.take_while(|(frame, _)| is_in(*frame, &LOOPS)).map(|(_, address)| *address).collect()
}

/// A task that waits, as it is told apart: its frames, what it waits for, and what it did since the last look.
pub(super) type Told = (Vec<FrameId>, Awaits, Since);

/// One of the tasks that wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chosen {
    /// Innermost first.
    pub(super) frames: Vec<FrameId>,
    /// How many wait in the same place.
    pub(super) alike: usize,
    /// All that count wait for time to pass.
    pub(super) for_time: bool,
}

/// One of the tasks that wait. What counts is what lets the loop go on:
/// something outside rather than time rather than another task; and among those, a task that went on since it was looked at
/// last, rather than one that has been waiting for long.
pub(super) fn choose(waiting: &[Told], turn: u64) -> Option<Chosen> {
    let first = waiting.iter().map(|(_, awaits, _)| *awaits).min()?;
    let counts =
        |(_, awaits, since): &&Told| *awaits == first || (*awaits, *since) == (Awaits::Time, Since::Moved);
    let counting = || waiting.iter().filter(counts);
    let moved: Vec<&Told> = counting().filter(|(_, _, since)| *since != Since::Still).collect();
    let among = if moved.is_empty() { counting().collect() } else { moved };
    let (chosen, ..) = among.get(turn as usize % among.len())?;
    Some(Chosen {
        frames: chosen.clone(),
        alike: counting().filter(|(frames, ..)| frames == chosen).count(),
        for_time: first == Awaits::Time,
    })
}

/// Some of the tasks that wait.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    /// Those that were looked at.
    pub(super) waiting: Vec<Waiting>,
    /// How many tasks each of them stands for.
    pub(super) stands_for: f64,
}

/// Where a loop's tasks are found.
#[derive(Debug, Clone, Copy)]
enum Source {
    /// A set of weak references.
    Set(u64),
    /// A set of tasks of one loop.
    Tasks(u64),
    /// They are linked in a ring: a task in it, and where the links are in a task.
    Ring { task: u64, links: u64 },
}

/// The tasks of one process.
#[derive(Debug)]
pub(super) struct Tasks {
    objects: Objects,
    source: Option<Source>,
    /// Searches for it that are still made.
    searches: u32,
    classes: FxHashMap<u64, Class>,
    /// Where a task holds its coroutine.
    coroutine_at: Option<u64>,
    /// Where each task was seen last.
    places: FxHashMap<u64, u64>,
    /// Where the next look at a set begins, as those of a large one take turns; and how many looks there were.
    begin: u64,
    looks: u64,
}

impl Tasks {
    /// For a version whose objects are known.
    pub(super) fn new(objects: Objects) -> Self {
        Self {
            objects,
            source: None,
            searches: 16,
            classes: FxHashMap::default(),
            coroutine_at: None,
            places: FxHashMap::default(),
            begin: 0,
            looks: 0,
        }
    }

    /// Changes with every look.
    pub(super) fn turn(&self) -> u64 {
        self.looks
    }

    /// Tasks that wait while the loop does whose code these frames of asyncio run, innermost first.
    pub(super) fn waiting(&mut self, memory: &File, layout: &Layout, frames: &[u64]) -> Option<Found> {
        if self.source.is_none() {
            self.searches = self.searches.checked_sub(1)?;
            self.source = self.find(memory, layout, frames);
        }
        let (all, tasks) = match self.source? {
            Source::Set(set) => {
                let (all, references) = members(memory, set, self.begin, LOOKED_AT)?;
                (all, references.into_iter().filter_map(|reference| wrapped(memory, reference)).collect())
            }
            Source::Tasks(set) => members(memory, set, self.begin, LOOKED_AT)?,
            Source::Ring { task, links } => {
                let tasks = self.ring(memory, layout, task, links);
                if tasks.is_empty() {
                    self.source = None;
                }
                (tasks.len() as u64, tasks)
            }
        };
        self.begin = self.begin.wrapping_add(BEGIN_FURTHER);
        self.looks += 1;
        let examined = tasks.len();
        let tasks = match self.source {
            Some(Source::Tasks(_)) => tasks,
            _ => self.of_loop(memory, tasks, frames),
        };
        let waiting = tasks.into_iter().filter_map(|task| self.follow(memory, layout, task)).collect();
        Some(Found { waiting, stands_for: all as f64 / examined.max(1) as f64 })
    }

    /// Those tasks that belong to the loop whose methods these frames run. A loop that is not written in Python has no
    /// such frames; then they must all be of one.
    fn of_loop(&self, memory: &File, mut tasks: Vec<u64>, frames: &[u64]) -> Vec<u64> {
        let loop_of = |task: u64| task.checked_add(TASK_LOOP).and_then(|at| read_word(memory, at));
        let methods_of: Vec<u64> =
            frames.iter().flat_map(|frame| self.objects.variables(memory, *frame, 1)).collect();
        let is_run = |task: &u64| loop_of(*task).is_some_and(|event_loop| methods_of.contains(&event_loop));
        if tasks.iter().any(is_run) {
            tasks.retain(is_run);
        } else if tasks.windows(2).any(|pair| loop_of(pair[0]) != loop_of(pair[1])) {
            tasks.clear();
        }
        tasks
    }

    fn find(&mut self, memory: &File, layout: &Layout, frames: &[u64]) -> Option<Source> {
        let objects = self.objects;
        let set = frames.iter().find_map(|frame| {
            let module = objects.global(memory, layout, *frame, "tasks")?;
            let all = SETS.iter().find_map(|name| objects.member(memory, layout, module, name))?;
            let set = objects.first_attribute(memory, all)?;
            (self.class(memory, layout, set)? == Class::Set).then_some(set)
        });
        // Since 3.14 the set holds only tasks that were not written in C, which are none usually.
        if let Some(set) = set.filter(|set| members(memory, *set, 0, 1).is_some_and(|(all, _)| all > 0)) {
            return Some(Source::Set(set));
        }
        if let Some(set) = frames.iter().find_map(|frame| self.of_runner(memory, layout, *frame)) {
            return Some(Source::Tasks(set));
        }
        let mut variables = frames.iter().flat_map(|frame| objects.variables(memory, *frame, VARIABLES));
        let task = variables
            .find(|object| is_pointer(*object) && self.class(memory, layout, *object) == Some(Class::Task))?;
        let links = (2..TASK_WORDS as u64 - 1).map(|number| number * 8).find(|at| {
            let node = task + at;
            let follow = |at: u64, further: u64| pointer(memory, at)?.checked_add(further);
            let back = follow(node, 8).and_then(|at| read_word(memory, at));
            let forth = follow(node + 8, 0).and_then(|at| read_word(memory, at));
            (back, forth) == (Some(node), Some(node))
        })?;
        Some(Source::Ring { task, links })
    }

    /// The set of tasks that the runner has which a frame of trio runs.
    fn of_runner(&mut self, memory: &File, layout: &Layout, frame: u64) -> Option<u64> {
        let variables = self.objects.variables(memory, frame, VARIABLES).into_iter();
        let runners: Vec<u64> = variables.filter(|object| is_pointer(*object)).collect();
        let runner =
            runners.into_iter().find(|object| self.class(memory, layout, *object) == Some(Class::Runner))?;
        let mut buffer = [0u8; TASK_WORDS * 8];
        let length = memory.read_at(&mut buffer, runner).ok()?;
        let words = (2..length / 8).filter_map(|number| word(&buffer, number * 8));
        words.filter(|object| is_pointer(*object)).find(|object| {
            let first = (self.class(memory, layout, *object) == Some(Class::Set))
                .then(|| members(memory, *object, 0, 1))
                .flatten()
                .and_then(|(_, first)| first.first().copied());
            first.is_some_and(|task| self.class(memory, layout, task) == Some(Class::Task))
        })
    }

    /// Tasks of a ring, from one of them on. The ring itself is held by something that is no task.
    fn ring(&mut self, memory: &File, layout: &Layout, first: u64, links: u64) -> Vec<u64> {
        let (mut tasks, mut task) = (Vec::new(), first);
        for _ in 0..LOOKED_AT {
            if self.class(memory, layout, task) == Some(Class::Task) {
                tasks.push(task);
            } else if task == first {
                break;
            }
            let next = task.checked_add(links).and_then(|node| pointer(memory, node));
            match next.and_then(|node| node.checked_sub(links)) {
                Some(next) if next != first => task = next,
                _ => break,
            }
        }
        tasks
    }

    /// From a task to what its innermost coroutine waits for. `None`: it does not wait.
    fn follow(&mut self, memory: &File, layout: &Layout, task: u64) -> Option<Waiting> {
        let mut object = self.coroutine(memory, layout, task)?;
        let (mut levels, mut digest, mut for_a_task) = (Vec::new(), 0u64, false);
        for _ in 0..AWAITED {
            match self.class(memory, layout, object)? {
                Class::Coroutine => {
                    let Suspended { frame, awaits, digest: variables } =
                        self.objects.suspended(memory, object)?;
                    let level = Level::suspended(memory, layout, frame)?;
                    digest = digest.rotate_left(11) ^ variables ^ level.instruction as u64;
                    levels.push(level);
                    object = awaits;
                }
                Class::Wrapper => object = wrapped(memory, object)?,
                class => {
                    for_a_task = matches!(class, Class::Task | Class::Gathering);
                    break;
                }
            }
            if !is_pointer(object) {
                break;
            }
        }
        levels.reverse();
        if self.places.len() >= REMEMBERED {
            self.places.clear();
        }
        let since = match self.places.insert(task, digest) {
            None => Since::New,
            Some(before) if before == digest => Since::Still,
            Some(_) => Since::Moved,
        };
        (!levels.is_empty()).then_some(Waiting { levels, for_a_task, since })
    }

    /// The coroutine that a task runs.
    fn coroutine(&mut self, memory: &File, layout: &Layout, task: u64) -> Option<u64> {
        if let Some(at) = self.coroutine_at {
            let coroutine = pointer(memory, task.checked_add(at)?)?;
            return (self.class(memory, layout, coroutine)? == Class::Coroutine).then_some(coroutine);
        }
        let mut buffer = [0u8; TASK_WORDS * 8];
        let length = memory.read_at(&mut buffer, task).ok()?;
        let words = (3..length / 8).filter_map(|number| Some((number * 8, word(&buffer, number * 8)?)));
        for (at, candidate) in words.filter(|(_, candidate)| is_pointer(*candidate)) {
            if self.class(memory, layout, candidate) == Some(Class::Coroutine) {
                self.coroutine_at = Some(at as u64);
                return Some(candidate);
            }
        }
        None
    }

    /// What an object is, by the name of its type.
    fn class(&mut self, memory: &File, layout: &Layout, object: u64) -> Option<Class> {
        let (class_at, name_at) = layout.object;
        let class = pointer(memory, object.checked_add(class_at as u64)?)?;
        if let Some(known) = self.classes.get(&class) {
            return Some(*known);
        }
        let name_at = read_word(memory, class.checked_add(name_at as u64)?)?;
        let mut name = [0u8; 64];
        let length = memory.read_at(&mut name, name_at).ok()?;
        let text = name.get(..length)?.split(|byte| *byte == 0).next()?;
        let text = std::str::from_utf8(text).ok()?;
        let last = text.rsplit('.').next()?;
        let found =
            CLASSES.iter().find(|(known, _)| *known == last).map_or(Class::Other, |(_, class)| *class);
        if self.classes.len() >= REMEMBERED {
            self.classes.clear();
        }
        self.classes.insert(class, found);
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(frame: u32, awaits: Awaits, since: Since) -> Told {
        (vec![FrameId(frame)], awaits, since)
    }

    fn chosen(waiting: &[Told]) -> Vec<Option<(u32, usize)>> {
        let numbers = (0..4).map(|turn| choose(waiting, turn));
        numbers.map(|chosen| chosen.map(|chosen| (chosen.frames[0].0, chosen.alike))).collect()
    }

    #[test]
    fn what_ends_a_wait_from_outside_counts_before_time_and_time_before_other_tasks() {
        use Awaits::{Outside, Task, Time};
        use Since::{Moved, New, Still};
        let consumer = told(1, Task, Moved);
        let (beat, pause) = (told(2, Time, Still), told(2, Time, Moved));
        let (fetch, store) = (told(3, Outside, Moved), told(4, Outside, Moved));
        assert_eq!(chosen(&[]), [None; 4]);
        assert_eq!(chosen(std::slice::from_ref(&consumer))[0], Some((1, 1)));
        assert_eq!(chosen(&[consumer.clone(), beat.clone()])[1], Some((2, 1)));
        assert_eq!(chosen(&[consumer, beat, fetch.clone()]), [Some((3, 1)); 4]);
        // Who pauses and goes on is part of the work; so do several take turns.
        let expected = [Some((2, 1)), Some((3, 2)), Some((3, 2)), Some((2, 1))];
        assert_eq!(chosen(&[pause, fetch.clone(), fetch.clone()]), expected);
        assert_eq!(chosen(&[fetch.clone(), store])[1], Some((4, 1)));
        // One that has been waiting for long stands back, unless all have.
        assert_eq!(chosen(&[told(5, Outside, Still), fetch]), [Some((3, 1)); 4]);
        assert_eq!(chosen(&[told(5, Outside, Still), told(6, Time, New)]), [Some((5, 1)); 4]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
        /// Objects may be freed and overwritten while they are read.
        #[test]
        fn whatever_lies_in_memory_is_read_without_harm(
            words in prop::collection::vec(prop_oneof![
                0u64..4, any::<u64>(), (0u64..512).prop_map(|number| BEGINNING + number * 8),
            ], 512),
            frames in prop::collection::vec((0u64..512).prop_map(|number| BEGINNING + number * 8), 1..4),
            version in prop::sample::select(vec![(3, 7), (3, 10), (3, 11), (3, 12)]),
        ) {
            let memory = tempfile::tempfile().unwrap();
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
            memory.write_all_at(&bytes, BEGINNING).unwrap();
            let layout = Layout::of(version, &[]).unwrap();
            let mut tasks = Tasks::new(Objects::of(version, &layout).unwrap());
            // Everything may be anything.
            for (number, (_, class)) in CLASSES.iter().enumerate() {
                for at in (number..512).step_by(CLASSES.len()) {
                    tasks.classes.insert(BEGINNING + at as u64 * 8, *class);
                }
            }
            for source in [
                None,
                Some(Source::Set(frames[0])),
                Some(Source::Tasks(frames[0])),
                Some(Source::Ring { task: frames[0], links: 64 }),
            ] {
                tasks.source = source;
                tasks.waiting(&memory, &layout, &frames);
            }
        }
    }

    /// Where memory that can be read begins.
    const BEGINNING: u64 = 0x1_0000;

    #[test]
    fn the_innermost_line_tells_what_a_task_waits_for() {
        let awaits = |function: &str, file: &str, for_a_task| {
            let frame = Frame {
                function: function.to_owned(),
                file: Some(file.to_owned()),
                line: Some(1),
                own: false,
            };
            Waiting { levels: Vec::new(), for_a_task, since: Since::New }.awaits(&frame)
        };
        assert_eq!(awaits("sleep", "/usr/lib/python3.12/asyncio/tasks.py", false), Awaits::Time);
        assert_eq!(awaits("_wait", "/usr/lib/python3.12/asyncio/tasks.py", false), Awaits::Task);
        assert_eq!(awaits("Queue.get", "/usr/lib/python3.12/asyncio/queues.py", false), Awaits::Task);
        assert_eq!(awaits("main", "app.py", true), Awaits::Task);
        assert_eq!(awaits("main", "app.py", false), Awaits::Outside);
        let read = "StreamReader._wait_for_data";
        assert_eq!(awaits(read, "/usr/lib/python3.12/asyncio/streams.py", false), Awaits::Outside);
        assert_eq!(awaits("sleep_forever", "/x/site-packages/trio/_timeouts.py", false), Awaits::Time);
        assert_eq!(
            awaits("ParkingLot.park", "/x/site-packages/trio/_core/_parking_lot.py", false),
            Awaits::Task
        );
        assert_eq!(
            awaits("EpollIOManager._epoll_wait", "/x/trio/_core/_io_epoll.py", false),
            Awaits::Outside
        );
        assert_eq!(awaits("Server.serve_forever", "/x/asyncio/base_events.py", false), Awaits::Task);
    }
}
