//! `/proc/PID`: kept descriptors for what is read every round, plain reads for the rest, and pure parsers.
//!
//! Knows file formats (proc(5), kernel `Documentation/filesystems/proc.rst`); must not know what the values mean for
//! a verdict. Every parser answers `None` to text it does not understand.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::profile::thread_clock::Counters;
use crate::wait::classify::Call;

/// Most that is read of a file, bytes.
const LONGEST: u64 = 1 << 20;

/// A small file that is read over and over. Its descriptor is kept; where the limit on open files forbids that,
/// it is opened anew each time.
#[derive(Debug)]
pub struct KeptFile {
    path: PathBuf,
    file: Option<File>,
}

impl KeptFile {
    /// Opens the file; `keep` says whether a descriptor may be spent on it.
    ///
    /// # Errors
    /// Whatever opening fails with, except running out of descriptors.
    pub fn open(path: PathBuf, keep: bool) -> io::Result<Self> {
        if !keep {
            return Ok(Self { path, file: None });
        }
        match File::open(&path) {
            Ok(file) => Ok(Self { path, file: Some(file) }),
            Err(error) if out_of_descriptors(&error) => Ok(Self { path, file: None }),
            Err(error) => Err(error),
        }
    }

    /// Reads from the start into `buffer` and returns what was read.
    ///
    /// # Errors
    /// Whatever reading fails with; a thread that is gone gives `ESRCH` or "not found".
    pub fn read<'b>(&self, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
        let length = match &self.file {
            Some(file) => file.read_at(buffer, 0)?,
            None => File::open(&self.path)?.read_at(buffer, 0)?,
        };
        Ok(&buffer[..length])
    }

    /// Hands over the file from start to end, piece by piece.
    ///
    /// # Errors
    /// Whatever reading fails with.
    fn whole(&self, take: impl FnMut(&[u8])) -> io::Result<()> {
        match &self.file {
            Some(file) => pieces(file, take),
            None => pieces(&File::open(&self.path)?, take),
        }
    }
}

/// Files of `/proc` say nothing of their length, and are made anew for every read that starts at their beginning: a
/// buffer that holds most of them whole saves more than it costs.
fn pieces(file: &File, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = [0u8; 4096];
    let mut at = 0;
    while at < LONGEST {
        let length = file.read_at(&mut buffer, at)?;
        if length == 0 {
            break;
        }
        take(&buffer[..length]);
        at += length as u64;
    }
    Ok(())
}

/// Whether a file could not be opened only because too many are open.
#[must_use]
pub fn out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// Reads a small file whole, at most 1 MiB: a list of some 100,000 children.
///
/// # Errors
/// Whatever reading fails with.
pub fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    pieces(&File::open(path)?, |piece| text.extend_from_slice(piece))?;
    Ok(text)
}

/// The children that a thread started, and those it was handed: `/proc/PID/task/TID/children`. Most have none, so the
/// file is opened when it is first asked for.
#[derive(Debug)]
pub struct ChildrenOf {
    path: PathBuf,
    kept: Option<KeptFile>,
}

impl ChildrenOf {
    /// The children listed in this file.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self { path, kept: None }
    }

    /// Those alive now; none where it cannot be read. `keep`: a descriptor may be spent on it.
    pub fn read(&mut self, keep: bool) -> Vec<i32> {
        let mut text = Vec::new();
        let file = match self.kept.take() {
            Some(file) => file,
            None => match KeptFile::open(self.path.clone(), keep) {
                Ok(file) => file,
                Err(_) => return Vec::new(),
            },
        };
        let _ = self.kept.insert(file).whole(|piece| text.extend_from_slice(piece));
        parse_children(&text)
    }
}

/// `/proc/TID/schedstat`: time on CPU, time in the run queue, number of slices.
#[must_use]
pub fn parse_schedstat(text: &[u8]) -> Option<Counters> {
    let mut numbers = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).map(decimal);
    let counters = Counters { run: numbers.next()??, delay: numbers.next()??, slices: numbers.next()?? };
    // No thread is that old; and sums of several still fit.
    [counters.run, counters.delay, counters.slices].iter().all(|n| *n < 1 << 60).then_some(counters)
}

fn decimal(word: &[u8]) -> Option<u64> {
    if word.is_empty() || word.len() > 20 {
        return None;
    }
    word.iter().try_fold(0u64, |value, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// `/proc/TID/syscall`: `running`, or `NR A0 … A5 SP PC`, or `-1 SP PC`.
#[must_use]
pub fn parse_syscall(text: &[u8]) -> Call {
    let text = text.trim_ascii();
    if text.starts_with(b"running") {
        return Call::Running;
    }
    let mut words = text.split(|byte| *byte == b' ');
    let Some(first) = words.next() else { return Call::Hidden };
    let mut values = [0u64; 8];
    let mut count = 0;
    for word in words {
        let Some(value) = hexadecimal(word) else { return Call::Hidden };
        if count == values.len() {
            return Call::Hidden;
        }
        values[count] = value;
        count += 1;
    }
    match (first, count) {
        (b"-1", 2) => Call::Outside { sp: values[0], pc: values[1] },
        (number, 8) => match decimal(number).and_then(|number| i64::try_from(number).ok()) {
            Some(number) => {
                let [args @ .., sp, pc] = values;
                Call::Inside { number, args, sp, pc }
            }
            None => Call::Hidden,
        },
        _ => Call::Hidden,
    }
}

fn hexadecimal(word: &[u8]) -> Option<u64> {
    let digits = word.strip_prefix(b"0x").unwrap_or(word);
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// `PF_EXITING` among the flags of a thread, since Linux 2.6.
const PF_EXITING: u64 = 4;

/// What boundby uses of `/proc/PID/stat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Command name, at most 15 bytes.
    pub name: String,
    /// State letter.
    pub state: char,
    /// It is ending: none of its program will run any more. That takes a while, and may take waiting.
    pub exiting: bool,
    /// Parent process.
    pub parent: i32,
    /// User, system, and waited-for children's user and system time, in clock ticks.
    pub ticks: [u64; 4],
    /// Threads.
    pub threads: u64,
    /// Start time since boot, clock ticks: with the pid, the identity of a process.
    pub started: u64,
    /// Resident set, pages.
    pub resident: u64,
    /// Bottom of the stack: changes with every exec. Zero where it is hidden.
    pub stack: u64,
}

/// `/proc/PID/stat`. The name may hold spaces and brackets; it ends at the last closing one.
#[must_use]
pub fn parse_stat(text: &[u8]) -> Option<Stat> {
    let open = text.iter().position(|byte| *byte == b'(')?;
    let close = text.iter().rposition(|byte| *byte == b')')?;
    let name = String::from_utf8_lossy(text.get(open + 1..close)?).into_owned();
    let rest = std::str::from_utf8(text.get(close + 1..)?).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // proc(5) counts from 1 with the pid; the state is field 3 and stands first here.
    let field = |number: usize| fields.get(number - 3).copied();
    let number = |at: usize| field(at)?.parse::<i128>().ok().map(|value| u64::try_from(value).unwrap_or(0));
    Some(Stat {
        name,
        state: field(3)?.chars().next()?,
        exiting: number(9)? & PF_EXITING != 0,
        parent: field(4)?.parse().ok()?,
        ticks: [number(14)?, number(15)?, number(16)?, number(17)?],
        threads: number(20)?,
        started: number(22)?,
        resident: number(24)?,
        stack: number(28).unwrap_or(0),
    })
}

/// `rchar` and `wchar` of `/proc/PID/io`: bytes through read and write calls, pipes and page cache included.
#[must_use]
pub fn parse_io(text: &[u8]) -> Option<(u64, u64)> {
    let text = std::str::from_utf8(text).ok()?;
    let value = |key: &str| {
        text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')?.trim().parse::<u64>().ok())
    };
    Some((value("rchar")?, value("wchar")?))
}

/// The process a thread belongs to, of `/proc/TID/status`.
#[must_use]
pub fn parse_group(text: &[u8]) -> Option<i32> {
    status_value(text, b"Tgid:")
}

/// The number of a process or thread where it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InnerId {
    /// In the innermost of its namespaces.
    pub id: i32,
    /// Whether that is another namespace than ours.
    pub is_nested: bool,
}

/// The numbers in all namespaces below ours, of `/proc/TID/status`: the last is its own.
#[must_use]
pub fn parse_inner_id(text: &[u8]) -> Option<InnerId> {
    let line: String = status_value(text, b"NSpid:")?;
    let mut numbers = line.split_ascii_whitespace();
    let id = numbers.next_back()?.parse().ok()?;
    Some(InnerId { id, is_nested: numbers.next().is_some() })
}

/// Connections that were accepted, of `/proc/net/snmp`: for each protocol a line of names, then one of numbers.
#[must_use]
pub fn parse_accepted(text: &[u8]) -> Option<u64> {
    let mut lines = text.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"Tcp:"));
    let [names, numbers] =
        [lines.next()?, lines.next()?].map(|line| std::str::from_utf8(line).unwrap_or_default());
    let at = names.split_ascii_whitespace().position(|name| name == "PassiveOpens")?;
    numbers.split_ascii_whitespace().nth(at)?.parse().ok()
}

/// How often a thread had to leave the CPU though it could have gone on, of `/proc/TID/status`.
#[must_use]
pub fn parse_preemptions(text: &[u8]) -> Option<u64> {
    status_value(text, b"nonvoluntary_ctxt_switches:")
}

fn status_value<T: FromStr>(text: &[u8], key: &[u8]) -> Option<T> {
    let line = text.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(key))?;
    std::str::from_utf8(line).ok()?.trim().parse().ok()
}

/// Process ids in `/proc/PID/task/TID/children`. Each is followed by a space: what is not was cut off.
#[must_use]
pub fn parse_children(text: &[u8]) -> Vec<i32> {
    let whole = text.iter().rposition(u8::is_ascii_whitespace).unwrap_or(0);
    let text = String::from_utf8_lossy(&text[..whole]);
    text.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// Children of every thread of a process. `Err`: this kernel keeps no such list (`CONFIG_PROC_CHILDREN`).
///
/// # Errors
/// Whatever reading fails with for a thread that is there.
pub fn children(proc: &Path, process: &str) -> io::Result<Vec<i32>> {
    let tasks = proc.join(process).join("task");
    let mut found = Vec::new();
    for tid in numbered(&tasks).unwrap_or_default() {
        let thread = tasks.join(tid.to_string());
        match read_small(&thread.join("children")) {
            Ok(text) => found.extend(parse_children(&text)),
            Err(error) if thread.exists() => return Err(error),
            Err(_) => {}
        }
    }
    Ok(found)
}

/// What the scheduler counted of the first thread of a process; `None`: not readable, or not understood.
#[must_use]
pub fn scheduled(pid: i32) -> Option<Counters> {
    parse_schedstat(&read_small(format!("/proc/{pid}/task/{pid}/schedstat").as_ref()).ok()?)
}

/// The `stat` of a process or thread; `None`: not readable, or not understood.
#[must_use]
pub fn read_stat(path: &Path) -> Option<Stat> {
    parse_stat(&read_small(path).ok()?)
}

/// Every process with its parent: how children are found where the kernel keeps no list of them.
#[must_use]
pub fn parents(proc: &Path) -> Vec<(i32, i32)> {
    let parent = |pid: &i32| {
        let stat = read_stat(&proc.join(pid.to_string()).join("stat"))?;
        Some((*pid, stat.parent))
    };
    numbered(proc).unwrap_or_default().iter().filter_map(parent).collect()
}

/// Everything that descends from `roots` by these pairs of process and parent, nearest first; the roots left out.
#[must_use]
pub fn descendants(roots: &[i32], parents: &[(i32, i32)]) -> Vec<(i32, i32)> {
    let mut by_parent: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for (pid, parent) in parents {
        by_parent.entry(*parent).or_default().push(*pid);
    }
    let mut found = Vec::new();
    let mut pending: VecDeque<i32> = roots.iter().copied().collect();
    while let Some(parent) = pending.pop_front() {
        // Taken out, so that a circle in a garbled reading ends.
        for pid in by_parent.remove(&parent).unwrap_or_default() {
            if !roots.contains(&pid) {
                found.push((pid, parent));
                pending.push_back(pid);
            }
        }
    }
    found
}

/// Names of a directory that are numbers: threads, processes, descriptors.
///
/// # Errors
/// Whatever listing fails with.
pub fn numbered(directory: &Path) -> io::Result<Vec<i32>> {
    let entries = std::fs::read_dir(directory)?;
    Ok(entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}

/// Command line of a process, its words separated; empty when it is hidden or a kernel thread.
#[must_use]
pub fn command_line(pid: i32) -> Vec<String> {
    let Ok(text) = read_small(Path::new(&format!("/proc/{pid}/cmdline"))) else { return Vec::new() };
    text.split(|byte| *byte == 0)
        .filter(|word| !word.is_empty())
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_status_tells_the_process_and_the_preemptions() {
        let status = b"Name:\tx\nTgid:\t41\nvoluntary_ctxt_switches:\t201\nnonvoluntary_ctxt_switches:\t33\n";
        assert_eq!((parse_group(status), parse_preemptions(status)), (Some(41), Some(33)));
        assert_eq!(parse_preemptions(b"Name:\tx\n"), None);
    }

    #[test]
    fn accepted_connections_stand_below_their_name() {
        let text = b"Ip: Forwarding\nIp: 1\nTcp: RtoMin ActiveOpens PassiveOpens\nTcp: 200 31 42\nUdp: InDatagrams\nUdp: 7\n";
        assert_eq!(parse_accepted(text), Some(42));
        assert_eq!(parse_accepted(b"Tcp: RtoMin\nTcp: 200\n"), None);
        assert_eq!(parse_accepted(b"Tcp: PassiveOpens\nTcp:\n"), None);
    }

    #[test]
    fn a_thread_in_a_container_has_a_number_of_its_own() {
        let inner = |id, is_nested| Some(InnerId { id, is_nested });
        assert_eq!(parse_inner_id(b"Name:\tx\nNSpid:\t41\n"), inner(41, false));
        assert_eq!(parse_inner_id(b"NStgid:\t1\nNSpid:\t41\t12\t1\nNSpgid:\t0\n"), inner(1, true));
        assert_eq!(parse_inner_id(b"NSpid:\t\n"), None);
        assert_eq!(parse_inner_id(b"Name:\tx\n"), None);
    }

    #[test]
    fn schedstat_is_three_numbers() {
        let read = parse_schedstat(b"123456789 42 7\n");
        assert_eq!(read, Some(Counters { run: 123_456_789, delay: 42, slices: 7 }));
        assert_eq!(parse_schedstat(b"1 2\n"), None);
        assert_eq!(parse_schedstat(b"1 x 3\n"), None);
    }

    #[test]
    fn syscall_tells_running_inside_and_outside_apart() {
        assert_eq!(parse_syscall(b"running\n"), Call::Running);
        assert_eq!(parse_syscall(b"-1 0x7ffc 0x40\n"), Call::Outside { sp: 0x7ffc, pc: 0x40 });
        let inside = parse_syscall(b"230 0x0 0x0 0x7ffd 0x0 0x1 0x2 0x7ffe 0x7f00\n");
        assert_eq!(
            inside,
            Call::Inside { number: 230, args: [0, 0, 0x7ffd, 0, 1, 2], sp: 0x7ffe, pc: 0x7f00 }
        );
        assert_eq!(parse_syscall(b""), Call::Hidden);
        assert_eq!(parse_syscall(b"230 0x0"), Call::Hidden);
    }

    #[test]
    fn a_command_name_may_hold_brackets_and_spaces() {
        let mut text = b"17 (a) b (c)) S 4 ".to_vec();
        for field in 5..=52 {
            text.extend(format!("{field} ").bytes());
        }
        let stat = parse_stat(&text).unwrap();
        assert_eq!((stat.name.as_str(), stat.state, stat.parent), ("a) b (c)", 'S', 4));
        assert_eq!(stat.ticks, [14, 15, 16, 17]);
        assert_eq!((stat.threads, stat.started, stat.resident, stat.stack), (20, 22, 24, 28));
        assert!(!stat.exiting);
    }

    #[test]
    fn whoever_ends_says_so_before_it_is_a_zombie() {
        let text = b"17 (a) D 4 17 17 0 -1 4228364 0 0 0 0 1 2 3 4 20 0 1 0 22 0 24";
        let stat = parse_stat(text).unwrap();
        assert_eq!((stat.exiting, stat.state), (true, 'D'));
    }

    #[test]
    fn io_counts_bytes_through_calls() {
        assert_eq!(parse_io(b"rchar: 10\nwchar: 20\nsyscr: 3\n"), Some((10, 20)));
        assert_eq!(parse_io(b"wchar: 20\n"), None);
    }

    #[test]
    fn a_list_of_children_that_was_cut_off_loses_its_last() {
        assert_eq!(parse_children(b"12 345 "), [12, 345]);
        assert_eq!(parse_children(b"12 34"), [12]);
        assert_eq!(parse_children(b"12"), Vec::<i32>::new());
        assert_eq!(parse_children(b""), Vec::<i32>::new());
    }

    fn stat_of(name: &str, parent: i32) -> String {
        let rest: Vec<String> = (5..=52).map(|field| field.to_string()).collect();
        format!("7 ({name}) S {parent} {}", rest.join(" "))
    }

    #[test]
    fn children_are_read_from_every_thread_and_their_absence_is_told() {
        let proc = tempfile::tempdir().unwrap();
        let thread = |tid: &str| proc.path().join("7/task").join(tid);
        for tid in ["7", "8"] {
            std::fs::create_dir_all(thread(tid)).unwrap();
        }
        assert!(children(proc.path(), "7").is_err());
        std::fs::write(thread("7").join("children"), "10 11 ").unwrap();
        std::fs::write(thread("8").join("children"), "12 ").unwrap();
        let mut found = children(proc.path(), "7").unwrap();
        found.sort_unstable();
        assert_eq!(found, [10, 11, 12]);
        // A process that is gone has none, which says nothing about the kernel.
        assert_eq!(children(proc.path(), "9").unwrap(), Vec::<i32>::new());
    }

    #[test]
    fn without_lists_children_are_found_by_their_parents() {
        let proc = tempfile::tempdir().unwrap();
        let processes = [(2, "a", 1), (30, "a) R 99 (", 2), (4, "b", 30), (5, "b", 1), (6, "b", 5)];
        for (pid, name, parent) in processes {
            std::fs::create_dir(proc.path().join(pid.to_string())).unwrap();
            std::fs::write(proc.path().join(pid.to_string()).join("stat"), stat_of(name, parent)).unwrap();
        }
        // One that is hidden, one that is garbled, one that is no process.
        for (pid, text) in [("70", None), ("80", Some("80 (x")), ("self", Some("2 (a) S 2 1"))] {
            std::fs::create_dir(proc.path().join(pid)).unwrap();
            if let Some(text) = text {
                std::fs::write(proc.path().join(pid).join("stat"), text).unwrap();
            }
        }
        let pairs = parents(proc.path());
        assert_eq!(pairs.len(), processes.len());
        assert_eq!(descendants(&[2], &pairs), [(30, 2), (4, 30)]);
        assert_eq!(descendants(&[2, 30], &pairs).len(), 1);
    }

    #[test]
    fn a_circle_of_parents_ends() {
        let found = descendants(&[1], &[(2, 1), (3, 2), (2, 3), (1, 3), (5, 5)]);
        assert!(found.len() <= 4, "{found:?}");
    }

    #[test]
    fn a_file_that_goes_away_or_is_cut_off_is_an_error_or_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("schedstat");
        assert!(KeptFile::open(path.clone(), true).is_err());
        std::fs::write(&path, "1 2 3\n").unwrap();
        let (kept, reopened) =
            (KeptFile::open(path.clone(), true).unwrap(), KeptFile::open(path.clone(), false).unwrap());
        let mut buffer = [0; 96];
        for file in [&kept, &reopened] {
            assert!(parse_schedstat(file.read(&mut buffer).unwrap()).is_some());
            assert!(parse_schedstat(file.read(&mut [0; 3]).unwrap()).is_none());
        }
        std::fs::write(&path, "").unwrap();
        for file in [&kept, &reopened] {
            assert!(parse_schedstat(file.read(&mut buffer).unwrap()).is_none());
        }
        std::fs::remove_file(&path).unwrap();
        assert!(reopened.read(&mut buffer).is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_a_parser_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_schedstat(&text);
            let _ = parse_syscall(&text);
            let _ = parse_stat(&text);
            let _ = parse_io(&text);
            let _ = parse_children(&text);
            let _ = parse_group(&text);
            let _ = parse_preemptions(&text);
            let _ = parse_inner_id(&text);
        }

        /// What the kernel writes, cut anywhere: either understood as a whole, or not at all; never other numbers.
        #[test]
        fn a_line_that_was_cut_off_is_not_half_believed(cut in 0usize..400, parent in 0..1 << 22, run: u64) {
            let stat = stat_of("a b", parent);
            let cut_stat = &stat.as_bytes()[..cut.min(stat.len())];
            if let Some(read) = parse_stat(cut_stat) {
                prop_assert_eq!((read.parent, read.ticks, read.threads), (parent, [14, 15, 16, 17], 20));
            }
            let syscall = format!("0 0x{run:x} 0x2 0x3 0x4 0x5 0x6 0x7 0x8\n");
            if let Call::Inside { number, args, .. } = parse_syscall(&syscall.as_bytes()[..cut.min(syscall.len())]) {
                prop_assert_eq!((number, args), (0, [run, 2, 3, 4, 5, 6]));
            }
            let list = format!("{parent} 77 ");
            for child in parse_children(&list.as_bytes()[..cut.min(list.len())]) {
                prop_assert!(child == parent || child == 77);
            }
        }

        #[test]
        fn no_readings_of_parents_make_the_search_endless(
            pairs in proptest::collection::vec((0..20i32, 0..20i32), 0..100),
            roots in proptest::collection::vec(0..20i32, 0..5),
        ) {
            let found = descendants(&roots, &pairs);
            prop_assert!(found.len() <= pairs.len());
            prop_assert!(found.iter().all(|(pid, _)| !roots.contains(pid)));
        }
    }
}
