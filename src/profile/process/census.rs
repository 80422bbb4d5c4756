//! What changes slowly in a process: its name, memory and bytes, and the runtime in it.

use std::path::PathBuf;

use super::{Lookups, Process};
use crate::profile::callers::Callers;
use crate::profile::ledger::Ledger;
use crate::profile::model::Language;
use crate::profile::observation::Census;
use crate::profile::runtime::detect;
use crate::profile::source::descriptors::has_event_loop;
use crate::profile::source::interpreter::Interpreter;
use crate::profile::source::procfs::{parse_io, read_small, read_stat};

/// Ages of a process at which its runtime is looked for (again): at first, once its libraries are mapped, and
/// later for interpreters that a program loads at run time.
const LOOKS_NS: [u64; 4] = [4_000_000, 30_000_000, 250_000_000, 2_000_000_000];
/// How often name, memory and byte counters are read.
const CENSUS_NS: u64 = 100_000_000;

/// Threads that are asked for their names at once.
const NAMES: usize = 32;

impl Process {
    /// Slow facts: name, memory, bytes; and the runtime, after birth and after every exec.
    pub(super) fn census(&mut self, now: u64, lookups: &mut Lookups, ledger: &mut Ledger) {
        let directory = PathBuf::from(format!("/proc/{}", self.pid));
        let path = |name: &str| directory.join(name);
        let Some(stat) = read_stat(&path("stat")) else { return };
        // A process that is ending has no stack any more, and no executable either.
        if stat.stack != self.stack && stat.stack != 0 {
            self.stack = stat.stack;
            self.image_since = now;
            self.runtime_looks = 0;
            self.interpreter = None;
            self.told_sites.clear();
            if let Some(following) = &mut lookups.following {
                following.lock(self.pid, None);
            }
            self.forget_callers(lookups);
            lookups.stack_reads.untold.remove(&self.pid);
            self.semaphore_locks = false;
            self.open_memory(lookups);
            for thread in &mut self.threads {
                thread.last = None;
            }
        }
        let due = LOOKS_NS.get(self.runtime_looks).is_some_and(|age| now >= self.image_since + age);
        if due {
            let found = self
                .interpreter
                .is_none()
                .then(|| detect(self.pid, &mut lookups.files, self.memory.as_ref()))
                .flatten();
            if self.runtime_looks > 0 && has_event_loop(self.pid) {
                ledger.event_loop(self.pid);
            }
            if let Some(found) = found {
                // CPython builds its locks of POSIX semaphores.
                self.semaphore_locks = found.runtime.language == Language::Python;
                let language = found.runtime.language;
                ledger.runtime(self.pid, found.runtime);
                self.interpreter = found.interpreter;
                if let Some(following) = &mut lookups.following {
                    let lock = self.interpreter.as_ref().filter(|interpreter| !interpreter.free_threaded);
                    following.lock(self.pid, lock.map(Interpreter::range));
                }
                match (found.python, self.memory.as_ref()) {
                    (Some(state), Some(memory)) => {
                        self.callers = Callers::python(memory, state, &mut lookups.stack_reads);
                    }
                    // What lives for a moment only is not worth a look at its mappings.
                    (None, Some(_)) if self.runtime_looks > 0 && matches!(self.callers, Callers::Unknown) => {
                        self.callers = Callers::other(self.pid, language, &mut lookups.stack_reads);
                    }
                    _ => {}
                }
            }
        }
        while LOOKS_NS.get(self.runtime_looks).is_some_and(|age| now >= self.image_since + age) {
            self.runtime_looks += 1;
        }
        let next_look = LOOKS_NS.get(self.runtime_looks).map_or(u64::MAX, |age| self.image_since + age);
        self.next_census = (now + CENSUS_NS).min(next_look);
        self.sample_running(lookups);
        let io = read_small(&path("io")).ok().and_then(|text| parse_io(&text));
        let rss = stat.resident.saturating_mul(page_size());
        for tid in ledger.to_name(self.pid).into_iter().take(NAMES) {
            let name = read_small(&path(&format!("task/{tid}/comm"))).unwrap_or_default();
            ledger.called(tid, String::from_utf8_lossy(&name).trim_end().to_owned());
        }
        ledger.census(self.pid, now, Census { name: stat.name, threads: stat.threads, rss, io });
    }
}

fn page_size() -> u64 {
    rustix::param::page_size() as u64
}
