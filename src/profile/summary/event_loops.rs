//! Which code an event loop calls, so that nothing else goes on while it runs or waits: told by the functions that loops
//! call through. Pure.

use crate::profile::stack::{Frame, StackId, Stacks};

/// Of Python: end of the file's path, and function.
const PYTHON: &[(&str, &str)] = &[
    ("asyncio/base_events.py", "_run_once"),
    ("asyncio/events.py", "_run"),
    ("uvloop/loop.pyx", "_run"),
    ("trio/_core/_run.py", "unrolled_run"),
];
/// The files of a loop of Python.
const LOOPS: [&str; 3] = ["asyncio/base_events.py", "asyncio/runners.py", "trio/_core/_run.py"];
/// Of tokio: the module, and functions in it. What the future of `block_on` does holds up others only where there is no other
/// thread.
const TOKIO: &[(&str, &[&str])] = &[
    ("tokio::runtime::scheduler::multi_thread::", &["run_task"]),
    ("tokio::runtime::scheduler::current_thread::", &["run_task", "block_on"]),
];
/// The same of the future that is run on none of the loop's threads: what blocks it holds up all that it awaits at once.
/// By module, or by file where it was put into its caller.
const FUTURE: &str = "block_on";
const FUTURE_IN: [(&str, &str); 2] = [
    ("tokio::runtime::scheduler::multi_thread::", "/src/runtime/scheduler/multi_thread/mod.rs"),
    ("tokio::runtime::park::", "/src/runtime/park.rs"),
];
/// What is called through this may block: somebody else takes the worker's place.
const MAY_BLOCK: &str = "block_in_place";

/// Whether an event loop called the code.
pub(super) fn in_loop(stacks: &Stacks, stack: StackId) -> bool {
    stacks.levels(stack).find_map(role).unwrap_or(false)
}

/// `Some(true)`: a loop that calls what is further in. `Some(false)`: what is further in may block.
/// Whether code of the program's own stands further in than the loop.
pub(super) fn calls_own_code(stacks: &Stacks, stack: StackId) -> bool {
    stacks.levels(stack).take_while(|level| role(level).is_none()).any(|level| level.own)
}

/// What a program does in the future that it runs itself, beside the threads of a loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InFuture {
    /// It awaits something.
    Awaits,
    /// It does something of its own.
    Acts,
}

/// See [`InFuture`]; `None`: the code is in no such future, or in one that may block.
pub(super) fn in_future(stacks: &Stacks, stack: StackId) -> Option<InFuture> {
    let runs_it = |level: &Frame| {
        let path = level.function.find("tokio::").map_or("", |tokio| &level.function[tokio..]);
        let file = level.file.as_deref().filter(|file| file.contains("/tokio-")).unwrap_or_default();
        FUTURE_IN.iter().any(|(module, source)| {
            path.starts_with(module) && path.split("::").any(|part| part.trim_end_matches('>') == FUTURE)
                || file.ends_with(source) && level.function.split('<').next() == Some(FUTURE)
        })
    };
    let mut own = false;
    for level in stacks.levels(stack) {
        if runs_it(level) {
            return Some(if own { InFuture::Acts } else { InFuture::Awaits });
        }
        if role(level).is_some() {
            return None;
        }
        own |= level.own;
    }
    None
}

/// Whether a stack leads through a loop into a task of the program.
pub(in crate::profile) fn in_task(stacks: &Stacks, stack: StackId) -> bool {
    let of_loop =
        |level: &Frame| level.file.as_deref().is_some_and(|file| LOOPS.iter().any(|end| file.ends_with(end)));
    stacks.levels(stack).take_while(|level| !of_loop(level)).any(|level| level.own)
        && stacks.levels(stack).any(of_loop)
}

/// Whether a stack leads through the runtime of tokio. What its tasks await is laid out as the compiler sees fit, and no
/// table tells how.
pub(super) fn in_tokio(stacks: &Stacks, stack: StackId) -> bool {
    stacks.levels(stack).any(|level| level.function.contains("tokio::runtime::"))
}

fn role(level: &Frame) -> Option<bool> {
    if let Some(tokio) = level.function.find("tokio::") {
        let path = &level.function[tokio..];
        // `<tokio::runtime::…::Context>::run_task`, `…::CoreGuard::block_on::<F>`, `…::block_on::{{closure}}`.
        let names = || path.split("::").map(|part| part.trim_end_matches('>'));
        if names().any(|name| name == MAY_BLOCK) {
            return Some(false);
        }
        let calls = |(module, functions): &(&str, &[&str])| {
            path.starts_with(module) && names().any(|name| functions.contains(&name))
        };
        return TOKIO.iter().any(calls).then_some(true);
    }
    let file = level.file.as_deref()?;
    let name = level.function.rsplit('.').next().unwrap_or_default();
    PYTHON.iter().any(|(end, function)| file.ends_with(end) && name == *function).then_some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called_by_loop(levels: &[(&str, Option<&str>)]) -> bool {
        let mut stacks = Stacks::default();
        let frames: Vec<_> = levels
            .iter()
            .map(|(function, file)| {
                let file = file.map(str::to_owned);
                stacks
                    .frame(Frame { function: (*function).to_owned(), file, line: Some(1), own: false })
                    .unwrap()
            })
            .collect();
        let stack = stacks.stack(&frames);
        in_loop(&stacks, stack)
    }

    #[test]
    fn what_a_loop_calls_is_told_by_the_functions_it_calls_through() {
        assert!(called_by_loop(&[
            ("handler", Some("app.py")),
            ("Handle._run", Some("/usr/lib/python3.12/asyncio/events.py")),
            ("BaseEventLoop._run_once", Some("/usr/lib/python3.12/asyncio/base_events.py")),
        ]));
        assert!(!called_by_loop(&[("handler", Some("app.py")), ("run", Some("/x/asyncio/runners.py"))]));
    }

    #[test]
    fn a_loop_that_waits_is_in_a_task_only_if_the_stack_goes_on_into_one() {
        let base = Some("/usr/lib/python3.12/asyncio/base_events.py");
        let of_loop = [
            ("EpollSelector.select", Some("/usr/lib/python3.12/selectors.py"), false),
            ("BaseEventLoop._run_once", base, false),
            ("BaseEventLoop.run_forever", base, false),
            ("<module>", Some("app.py"), true),
        ];
        let of_task = [
            ("StreamReader.readline", Some("/usr/lib/python3.12/asyncio/streams.py"), false),
            ("fetch", Some("app.py"), true),
        ];
        let mut stacks = Stacks::default();
        let mut told = |levels: &[(&str, Option<&str>, bool)]| {
            let frames: Vec<_> = levels
                .iter()
                .map(|(function, file, own)| Frame {
                    function: (*function).to_owned(),
                    file: file.map(str::to_owned),
                    line: Some(1),
                    own: *own,
                })
                .filter_map(|frame| stacks.frame(frame))
                .collect();
            let stack = stacks.stack(&frames);
            (in_task(&stacks, stack), calls_own_code(&stacks, stack))
        };
        assert_eq!(told(&of_loop), (false, false));
        assert_eq!(told(&[&of_task[..], &of_loop[..]].concat()), (true, true));
        // The program's own code that no loop calls is in no task.
        assert!(!told(&of_task[1..]).0);
    }

    #[test]
    fn workers_of_tokio_are_loops_and_its_threads_for_blocking_are_none() {
        let task = ("tokio::runtime::task::harness::Harness<T,S>::poll", None);
        let pool = ("tokio::runtime::blocking::pool::Inner::run", None);
        for worker in [
            "<tokio::runtime::scheduler::multi_thread::worker::Context>::run_task",
            "tokio::runtime::scheduler::multi_thread::worker::Context::run_task",
            "tokio::runtime::scheduler::current_thread::Context::run_task",
            "<tokio::runtime::scheduler::current_thread::CoreGuard>::block_on::<app::main>",
        ] {
            assert!(called_by_loop(&[("app::handle", None), task, (worker, None), pool]), "{worker}");
            let allowed = ("tokio::task::blocking::block_in_place", None);
            assert!(!called_by_loop(&[("app::handle", None), allowed, task, (worker, None)]));
        }
        assert!(!called_by_loop(&[("app::handle", None), task, pool]));
        let other = ("tokio::runtime::scheduler::multi_thread::MultiThread::block_on", None);
        assert!(!called_by_loop(&[("app::main", None), other]));
    }

    #[test]
    fn a_future_beside_the_loop_awaits_or_acts() {
        let mut stacks = Stacks::default();
        let mut told = |levels: &[(&str, bool)]| {
            let frames: Vec<_> = levels
                .iter()
                .map(|(function, own)| Frame {
                    function: (*function).to_owned(),
                    own: *own,
                    ..Frame::default()
                })
                .filter_map(|frame| stacks.frame(frame))
                .collect();
            let stack = stacks.stack(&frames);
            in_future(&stacks, stack)
        };
        let park = ("tokio::runtime::park::CachedParkThread::block_on", false);
        let runs = (
            "<tokio::runtime::scheduler::multi_thread::MultiThread>::block_on::<app::main::{async_block#0}>",
            false,
        );
        let main = ("app::main", true);
        let fetch = ("app::fetch::{async_fn#0}", true);
        assert_eq!(told(&[park, runs, main]), Some(InFuture::Awaits));
        assert_eq!(told(&[("std::thread::sleep", false), fetch, park, runs, main]), Some(InFuture::Acts));
        let allowed = ("tokio::task::blocking::block_in_place", false);
        assert_eq!(told(&[fetch, allowed, fetch, park, runs, main]), None);
        assert_eq!(told(&[fetch, main]), None);
    }
}
