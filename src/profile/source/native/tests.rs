//! Stacks of real programs, built here from their source: each thread says beforehand at which line it will wait.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::layout::{Layout, Source};
use super::on_cpu::CpuSampler;
use super::*;
use crate::profile::source::perf::Refused;
use crate::profile::source::procfs::parse_syscall;
use crate::profile::stack::Frame;
use crate::wait::classify::Call;

/// A program that is running, and what its threads said.
struct Running {
    child: Child,
    said: Vec<Said>,
    images: Images,
    stacks: Stacks,
}

struct Said {
    name: String,
    tid: i32,
    /// Where it is, or between which lines.
    line: u32,
    last: Option<u32>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Builds a program of `fixtures/native`; `None`: there is no compiler.
fn build(directory: &Path, source: &str, flags: &[&str]) -> Option<PathBuf> {
    let (variable, usual, out) = match source.rsplit_once('.')?.1 {
        "rs" => ("RUSTC", "rustc", "waits"),
        "go" => ("GO", "go", "waits_go"),
        _ => ("CC", "cc", "waits_c"),
    };
    let compiler = std::env::var(variable).unwrap_or_else(|_| usual.to_owned());
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/native").join(source);
    let program = directory.join(out);
    let built = Command::new(&compiler).args(flags).arg("-o").arg(&program).arg(source).output();
    let Ok(built) = built else {
        println!("skipped: {compiler} does not run here");
        return None;
    };
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    Some(program)
}

fn start(program: &Path, threads: usize) -> Running {
    let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let said = lines.take(threads).map(|line| {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        Said {
            name: words[0].to_owned(),
            tid: words[1].parse().unwrap(),
            line: words[2].parse().unwrap(),
            last: words.get(3).map(|last| last.parse().unwrap()),
        }
    });
    let said = said.collect();
    Running { child, said, images: Images::default(), stacks: Stacks::default() }
}

impl Running {
    fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    fn memory(&self) -> File {
        File::open(format!("/proc/{}/mem", self.pid())).unwrap()
    }

    /// Where a thread is blocked, once it is, and no longer in what it says before.
    fn blocked_at(&self, tid: i32) -> (u64, u64) {
        for _ in 0..10_000_000 {
            let text = std::fs::read(format!("/proc/{}/task/{tid}/syscall", self.pid())).unwrap();
            match parse_syscall(&text) {
                Call::Inside { number, sp, pc, .. } if number != libc::SYS_write => return (pc, sp),
                _ => std::thread::yield_now(),
            }
        }
        panic!("thread {tid} never waits");
    }

    fn stack_of(&mut self, native: &mut NativeStacks, name: &str) -> (Unwound, u32) {
        let said = self.said.iter().find(|said| said.name == name).unwrap_or_else(|| panic!("no {name}"));
        let (pc, sp) = self.blocked_at(said.tid);
        let line = said.line;
        let memory = self.memory();
        (native.blocked(&memory, pc, sp, &mut self.images, &mut self.stacks), line)
    }
}

/// Threads of `waits.rs`, `waits.c`, `waits.go`.
const NAMES: &[&str] =
    &["asleep", "contended", "inlined", "recursive", "object", "closure", "aligned", "main"];
const NAMES_C: &[&str] = &["condition", "arguments", "variable", "main"];
const NAMES_GO: &[&str] = &["pipe", "main"];

fn show(levels: &[Frame]) -> String {
    let lines = levels.iter().map(|level| {
        let own = if level.own { "own" } else { "   " };
        let file = level.file.as_deref().unwrap_or("?");
        format!("  {own} {} {file}:{}\n", level.function, level.line.unwrap_or(0))
    });
    lines.collect::<Vec<_>>().concat()
}

/// A thread by name: its levels, the line it said, and whether the chain is whole.
type Observed = (String, Vec<Frame>, u32, bool);

/// Every thread of a program.
fn observe(source: &str, flags: &[&str]) -> Option<Vec<Observed>> {
    let names = match source {
        "waits.c" => NAMES_C,
        "waits.go" => NAMES_GO,
        _ => NAMES,
    };
    let directory = tempfile::tempdir().unwrap();
    let program = build(directory.path(), source, flags)?;
    let mut running = start(&program, names.len());
    let mut native = NativeStacks::new(running.pid());
    let seen: Vec<_> = names.iter().map(|name| (name, running.stack_of(&mut native, name))).collect();
    let Running { images, stacks, .. } = &mut running;
    println!("{:?}", images.name_all(stacks));
    Some(
        seen.into_iter()
            .map(|(name, (unwound, line))| {
                let levels: Vec<Frame> = running.stacks.levels(unwound.stack).cloned().collect();
                println!("{name} at {line}, truncated: {}\n{}", unwound.truncated, show(&levels));
                ((*name).to_owned(), levels, line, !unwound.truncated)
            })
            .collect(),
    )
}

/// The function and the line each thread waits at.
fn own(levels: &[Frame]) -> Option<(&str, Option<u32>)> {
    let own = levels.iter().find(|level| level.own)?;
    assert!(own.file.as_deref().is_none_or(|file| file.contains("/waits.")), "{own:?}");
    Some((&own.function, own.line))
}

/// Each thread is at the line it said, and its stack is whole.
fn assert_lines(source: &str, flags: &[&str]) {
    let Some(seen) = observe(source, flags) else { return };
    for (name, levels, line, whole) in seen {
        let found = own(&levels).and_then(|(_, line)| line);
        assert_eq!(found, Some(line), "{name} with {flags:?}:\n{}", show(&levels));
        assert!(whole, "{name} with {flags:?}:\n{}", show(&levels));
    }
}

#[test]
fn optimised_code_without_frame_pointers_is_followed_to_its_lines() {
    assert_lines("waits.rs", &["-O", "-g", "-Cforce-frame-pointers=no"]);
    assert_lines("waits.rs", &["-O", "-Cdebuginfo=line-tables-only", "-Cforce-frame-pointers=no"]);
}

#[test]
fn so_is_code_with_frame_pointers_though_none_is_known() {
    assert_lines("waits.rs", &["-O", "-g", "-Cforce-frame-pointers=yes"]);
    assert_lines("waits.rs", &["-g", "-Cforce-frame-pointers=yes"]);
}

#[test]
fn so_is_code_that_was_not_optimised() {
    assert_lines("waits.rs", &["-g"]);
}

#[test]
fn functions_that_were_put_into_one_another_are_told_apart() {
    let Some(seen) = observe("waits.rs", &["-O", "-g"]) else { return };
    let (_, levels, ..) = seen.iter().find(|(name, ..)| name == "inlined").unwrap();
    let names = levels.iter().filter(|level| level.own).map(|level| level.function.as_str());
    let names: Vec<&str> = names.map(|name| name.rsplit("::").next().unwrap()).take(3).collect();
    assert_eq!(names, ["innermost", "halfway", "inlined"]);
}

#[test]
fn without_debug_information_there_are_the_names_of_functions() {
    let Some(seen) = observe("waits.rs", &["-O", "-Cstrip=debuginfo"]) else { return };
    for (name, levels, _, whole) in seen {
        let function = own(&levels).unwrap_or_else(|| panic!("{name}:\n{}", show(&levels))).0;
        let expected = match name.as_str() {
            "object" => "<waits::Received as waits::Job>::work".to_owned(),
            "closure" => "waits::main::{{closure}}::{{closure}}".to_owned(),
            other => format!("waits::{other}"),
        };
        assert!(function == expected && whole, "{name}:\n{}", show(&levels));
    }
}

#[test]
fn nothing_is_claimed_of_a_stripped_program() {
    let Some(seen) = observe("waits.rs", &["-O", "-Cstrip=symbols"]) else { return };
    for (name, levels, _, whole) in seen {
        assert!(own(&levels).is_none() && whole, "{name}:\n{}", show(&levels));
    }
}

#[test]
fn c_is_followed_with_frame_pointers_and_without() {
    assert_lines("waits.c", &["-O2", "-g", "-pthread", "-fomit-frame-pointer"]);
    assert_lines("waits.c", &["-O2", "-g", "-pthread", "-fno-omit-frame-pointer"]);
    assert_lines("waits.c", &["-O0", "-g", "-pthread"]);
}

#[test]
fn debug_information_is_read_however_it_is_packed() {
    for way in ["-Wl,--compress-debug-sections=zlib", "-Wl,--compress-debug-sections=zstd"] {
        if packs("waits.c", way) {
            assert_lines("waits.c", &["-O2", "-g", "-pthread", way]);
        }
    }
    // What cannot be unpacked is said to be so: the functions have their names all the same.
    if !packs("waits.c", "-Wl,--compress-debug-sections=zlib-gnu") {
        return;
    }
    let Some(seen) = observe("waits.c", &["-O2", "-g", "-pthread", "-Wl,--compress-debug-sections=zlib-gnu"])
    else {
        return;
    };
    for (name, levels, ..) in seen {
        let found =
            levels.iter().find(|level| level.own).unwrap_or_else(|| panic!("{name}:\n{}", show(&levels)));
        assert!(found.line.is_none() && !found.function.is_empty(), "{name}:\n{}", show(&levels));
    }
}

/// Whether the compiler here packs debug information in this way.
fn packs(source: &str, way: &str) -> bool {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/native").join(source);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("packed");
    let built = Command::new(&compiler).args(["-g", "-pthread", way, "-o"]).arg(out).arg(source).output();
    let packs = built.is_ok_and(|built| built.status.success());
    if !packs {
        println!("skipped: {compiler} does not know {way}");
    }
    packs
}

#[test]
fn go_is_followed_though_it_has_no_unwind_tables() {
    if go_tells_what_it_inlined() {
        assert_lines("waits.go", &["build"]);
    }
    // Stripped, it still knows its functions.
    let Some(seen) = observe("waits.go", &["build", "-ldflags=-s -w"]) else { return };
    for (name, levels, _, whole) in seen {
        let expected = if name == "main" { "main.fromFile" } else { "main.fromPipe" };
        assert!(own(&levels).unwrap().0 == expected && whole, "{name}:\n{}", show(&levels));
    }
}

/// The tables of earlier versions are laid out otherwise: where something was inlined, the line is left out.
fn go_tells_what_it_inlined() -> bool {
    let compiler = std::env::var("GO").unwrap_or_else(|_| "go".to_owned());
    let Ok(output) = Command::new(compiler).args(["env", "GOVERSION"]).output() else { return false };
    let version = String::from_utf8_lossy(&output.stdout);
    let minor =
        version.trim().strip_prefix("go1.").and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
    minor.is_some_and(|minor| minor >= 20)
}

/// Threads of `works.rs`.
const WORKERS: &[&str] = &["mixed", "counted", "stepped", "written"];
/// Samples of each that are waited for.
const ENOUGH: usize = 25;

/// Each thread is seen between the lines it said, in four of five samples at least.
fn assert_work(flags: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    let Some(program) = build(directory.path(), "works.rs", flags) else { return };
    let mut running = start(&program, WORKERS.len());
    let threads: Vec<i32> = running.said.iter().map(|said| said.tid).collect();
    let mut sampler = match CpuSampler::open(&threads) {
        Ok(sampler) => sampler,
        Err(why) => {
            println!("skipped: threads on a CPU cannot be seen here: {why:?}");
            return;
        }
    };
    let mut native = NativeStacks::new(running.pid());
    let memory = running.memory();
    let mut seen: Vec<(i32, Unwound, bool)> = Vec::new();
    let is_enough = |seen: &[(i32, Unwound, bool)]| {
        let of = |tid: &i32| seen.iter().filter(|(who, ..)| who == tid).count();
        threads.iter().all(|tid| of(tid) >= ENOUGH)
    };
    while !is_enough(&seen) {
        let Running { images, stacks, .. } = &mut running;
        sampler.drain(|sample| {
            let unwound = native.running(sample, Some(&memory), images, stacks);
            seen.push((sample.tid, unwound, sample.in_kernel));
        });
        std::thread::yield_now();
    }
    let Running { images, stacks, .. } = &mut running;
    println!("{:?} {:?} kernel {}", images.name_all(stacks), sampler.missing(), sampler.sees_kernel());
    for said in &running.said {
        let times: Vec<_> = seen.iter().filter(|(tid, ..)| *tid == said.tid).collect();
        let lines = said.line..=said.last.unwrap();
        let is_there = |unwound: &Unwound| {
            let levels: Vec<Frame> = running.stacks.levels(unwound.stack).cloned().collect();
            let found = levels.iter().find(|level| level.own).and_then(|level| level.line);
            if !found.is_some_and(|line| lines.contains(&line)) {
                println!("{} elsewhere, truncated {}:\n{}", said.name, unwound.truncated, show(&levels));
            }
            found.is_some_and(|line| lines.contains(&line))
        };
        let there = times.iter().filter(|(_, unwound, _)| is_there(unwound)).count();
        let whole = times.iter().filter(|(_, unwound, _)| !unwound.truncated).count();
        let in_kernel = times.iter().filter(|(.., in_kernel)| *in_kernel).count();
        println!(
            "{}: {there} there, {whole} whole, {in_kernel} in the kernel, of {}",
            said.name,
            times.len()
        );
        assert!(there * 5 >= times.len() * 4, "{} with {flags:?}", said.name);
    }
}

#[test]
fn threads_that_run_are_seen_at_their_lines() {
    assert_work(&["-O", "-g", "-Cforce-frame-pointers=no"]);
    assert_work(&["-O", "-Cdebuginfo=line-tables-only", "-Cforce-frame-pointers=yes"]);
}

#[test]
fn nobody_is_looked_at_who_is_not_there() {
    assert_eq!(CpuSampler::open(&[]).err(), Some(Refused::Gone));
    let mut child = Command::new("/proc/self/exe").arg("--list").stdout(Stdio::null()).spawn().unwrap();
    let pid = child.id() as i32;
    child.wait().unwrap();
    // Where a filter forbids the call, it does not get as far as to look.
    assert!(matches!(CpuSampler::open(&[pid]).err(), Some(Refused::Gone | Refused::NotAllowed)));
}

/// Memory that holds anything.
struct Anything(Vec<u64>);

impl memory::Memory for Anything {
    fn word(&mut self, address: u64) -> Option<u64> {
        self.0.get((address / 8 % 64) as usize).copied()
    }

    fn far_word(&mut self, address: u64) -> Option<u64> {
        self.word(address)
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn any_memory_is_followed_to_an_end(
        words in proptest::collection::vec(proptest::prelude::any::<u64>(), 64),
        pc in proptest::prelude::any::<u64>(),
        sp in proptest::prelude::any::<u64>(),
        near in proptest::collection::vec(0u64..0x4_0000, 64),
    ) {
        let mut native = NativeStacks::new(std::process::id() as i32);
        let (mut images, mut stacks) = (Images::default(), Stacks::default());
        // Half of the words lead into code that is there.
        let here = any_memory_is_followed_to_an_end as fn() as usize as u64;
        let words = words.iter().zip(&near).map(|(word, near)| if word % 2 == 0 { here + near } else { *word });
        let mut memory = Anything(words.collect());
        for pc in [pc, here, here + near[0]] {
            native.follow(&mut memory, &Registers::blocked(pc, sp), true, &mut images, &mut stacks);
        }
    }
}

#[test]
fn damaged_files_are_read_without_harm() {
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;
    let Some(directory) = tempfile::tempdir().ok() else { return };
    let Some(program) = build(directory.path(), "waits.rs", &["-O", "-g"]) else { return };
    let whole = std::fs::read(program).unwrap();
    let layout = Layout::read(&Source::Memory(whole.clone())).unwrap();
    let (start, end) = layout.code().unwrap();
    // Headers, and wherever what is read stands.
    let mut targets = vec![(0, 4096)];
    targets.extend(
        [
            ".eh_frame",
            ".eh_frame_hdr",
            ".symtab",
            ".debug_info",
            ".debug_line",
            ".debug_abbrev",
            ".debug_ranges",
        ]
        .iter()
        .filter_map(|name| layout.place(name)),
    );
    let change = (0..targets.len(), any::<u64>(), any::<u8>());
    let changes = proptest::collection::vec(change, 1..200);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(64));
    let result = runner.run(&(changes, proptest::collection::vec(start..end, 20)), |(changes, addresses)| {
        let mut bytes = whole.clone();
        for (target, at, value) in changes {
            let (offset, size) = targets[target];
            bytes[(offset + at % size.max(1)) as usize] = value;
        }
        let mut images = Images::default();
        let mut stacks = Stacks::default();
        if let Some(id) = images.of_kernel("/opt/program", || Some(bytes)) {
            for address in addresses {
                let place = images.place(id, address, &mut stacks);
                let image = images.get(id);
                if let Some((cfi, rule)) = image.rule(place) {
                    let mut memory = Anything((0..64).map(|i| i * 0x0101_0101_0101).collect());
                    let _ = cfi.caller(rule, &Registers::blocked(address, 0x7fff_0000), &mut memory);
                }
            }
            images.name_all(&mut stacks);
        }
        Ok(())
    });
    result.unwrap();
}
