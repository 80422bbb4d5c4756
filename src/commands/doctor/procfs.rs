//! Levels P and R: the files under `/proc` and the totals of reaped children.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use super::subject::Subject;
use super::{Check, Outcome};

const SAME_USER: &str = "run boundby as the user of the program, or as root";
const PTRACE: &str = "run as the user of the program; in a container: docker run --cap-add SYS_PTRACE";
const REAL_PROC: &str = "needs the real /proc of a Linux kernel: run outside of the sandbox (gVisor and kin)";

/// One file of a process that has to say something: how it is judged and what it is for.
struct Probe {
    source: &'static str,
    file: &'static str,
    /// `Ok`: what it says; `Err`: why that is of no use.
    judge: fn(&Path, i32) -> Result<String, String>,
    gives: &'static str,
    costs: &'static str,
    enable: &'static str,
    essential: bool,
}

/// Tried on our own child, so that a refusal is the system's and not a question of whose process it is.
const PROBES: &[Probe] = &[
    Probe {
        source: "process files",
        file: "stat",
        judge: stat,
        gives: "which processes and threads there are and whether they run",
        costs: "no process can be followed: only the total CPU time is left",
        enable: "mount /proc: mount -t proc proc /proc",
        essential: true,
    },
    Probe {
        source: "schedstat",
        file: "schedstat",
        judge: schedstat,
        gives: "exact time on a CPU and in the run queue, thread by thread",
        costs: "no thread can be followed: only the total CPU time is left",
        enable: "needs a kernel with CONFIG_SCHED_INFO; outside of sandboxes every distribution's has it",
        essential: true,
    },
    Probe {
        source: "syscall",
        file: "syscall",
        judge: syscall,
        gives: "what a thread waits for: the call, its descriptor, its lock address",
        costs: "waits are named from the kernel function alone; waiting for the GIL looks like any lock",
        enable: PTRACE,
        essential: false,
    },
    Probe {
        source: "wchan",
        file: "wchan",
        judge: wchan,
        gives: "the kernel function a thread waits in: decides where the call alone does not",
        costs: "page faults and some file waits stay unattributed",
        enable: REAL_PROC,
        essential: false,
    },
    Probe {
        source: "fd links",
        file: "fd/0",
        judge: fd_link,
        gives: "whether a wait is for a file, a pipe, a socket or a terminal",
        costs: "network, disk and pipe waits cannot be told apart",
        enable: PTRACE,
        essential: false,
    },
    Probe {
        source: "net/tcp",
        file: "net/tcp",
        judge: net_tcp,
        gives: "the peer of a socket, as host:port",
        costs: "network waits are reported without the peer",
        enable: REAL_PROC,
        essential: false,
    },
    Probe {
        source: "memory",
        file: "mem",
        judge: memory,
        gives: "call stacks: the lines of the source; and who owns the GIL: CPU under the lock from CPU outside it",
        costs: "no line is named; advice for CPU-bound Python cannot tell whether threads would do",
        enable: PTRACE,
        essential: false,
    },
    Probe {
        source: "io",
        file: "io",
        judge: io_counters,
        gives: "bytes read and written by each process",
        costs: "what it costs to move data between processes is not known",
        enable: PTRACE,
        essential: false,
    },
    Probe {
        source: "children",
        file: "/proc/thread-self/children",
        judge: children,
        gives: "the children of each thread, at once",
        costs: "child processes are not followed; of those started here the total CPU time is known when they end",
        enable: "needs a kernel with CONFIG_PROC_CHILDREN; most distributions' have it",
        essential: false,
    },
];

/// Every file tried on the child.
pub(super) fn own_child(subject: &Subject) -> Vec<Check> {
    let directory = subject.directory();
    PROBES.iter().map(|probe| probe.check(&directory, subject.pid())).collect()
}

impl Probe {
    fn check(&self, directory: &Path, pid: i32) -> Check {
        Check {
            source: self.source,
            // An absolute name stands for itself.
            outcome: Outcome::of((self.judge)(&directory.join(self.file), pid)),
            gives: self.gives,
            costs: self.costs,
            enable: self.enable.to_owned(),
            essential: self.essential,
        }
    }
}

/// What the system said, in few words.
pub(super) fn refused(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

fn text(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| refused(&error))
}

fn stat(path: &Path, pid: i32) -> Result<String, String> {
    let text = text(path)?;
    let ours = text.split_once(' ').is_some_and(|(first, _)| first == pid.to_string());
    // The name may contain anything, closing brackets included; the state stands after the last one.
    let state = text.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.filter(|state| ours && state.is_ascii_alphabetic()).map(|_| String::new()).ok_or_else(unexpected)
}

fn unexpected() -> String {
    "what it says is not understood".to_owned()
}

fn schedstat(path: &Path, _: i32) -> Result<String, String> {
    let text = text(path)?;
    let on_cpu = text.split_whitespace().next().and_then(|field| field.parse::<u64>().ok());
    match on_cpu {
        Some(0) => Err("all zero: the kernel does not count".to_owned()),
        Some(_) => Ok(String::new()),
        None => Err(unexpected()),
    }
}

fn syscall(path: &Path, _: i32) -> Result<String, String> {
    let text = text(path)?;
    let number = text.split_whitespace().next().and_then(|field| field.parse::<i64>().ok());
    number.filter(|&number| number >= 0).map(|_| String::new()).ok_or_else(unexpected)
}

fn wchan(path: &Path, _: i32) -> Result<String, String> {
    match text(path)?.trim() {
        "" | "0" => Err("empty for a thread that waits".to_owned()),
        _ => Ok(String::new()),
    }
}

fn fd_link(path: &Path, _: i32) -> Result<String, String> {
    let link = fs::read_link(path).map_err(|error| refused(&error))?;
    if link.to_string_lossy().starts_with("pipe:[") { Ok(String::new()) } else { Err(unexpected()) }
}

fn net_tcp(path: &Path, _: i32) -> Result<String, String> {
    if text(path)?.contains("local_address") { Ok(String::new()) } else { Err(unexpected()) }
}

fn io_counters(path: &Path, _: i32) -> Result<String, String> {
    if text(path)?.contains("rchar:") { Ok(String::new()) } else { Err(unexpected()) }
}

fn children(path: &Path, pid: i32) -> Result<String, String> {
    let pid = pid.to_string();
    let listed = text(path)?.split_whitespace().any(|child| child == pid);
    if listed { Ok(String::new()) } else { Err("does not list a child that exists".to_owned()) }
}

/// Reads the first bytes of the child's program, which are known.
fn memory(path: &Path, _: i32) -> Result<String, String> {
    let maps = text(&path.with_file_name("maps"))?;
    let program = maps.lines().find(|line| line.contains(" 00000000 ") && line.contains('/'));
    let start = program
        .and_then(|line| line.split_once('-'))
        .and_then(|(start, _)| u64::from_str_radix(start, 16).ok())
        .ok_or_else(|| "no address to read from in maps".to_owned())?;
    let mut magic = [0; 4];
    let memory = File::open(path).map_err(|error| refused(&error))?;
    memory.read_exact_at(&mut magic, start).map_err(|error| refused(&error))?;
    if magic == *b"\x7fELF" { Ok(String::new()) } else { Err(unexpected()) }
}

/// Ends the child and looks whether its totals arrived: its page faults are added to those of our reaped children.
pub(super) fn rusage(subject: Subject) -> Check {
    let before = faults_of_children();
    drop(subject);
    let arrived = before.zip(faults_of_children()).map(|(before, after)| after > before);
    let outcome = match arrived {
        Some(true) => Outcome::Works(String::new()),
        Some(false) => Outcome::Refused("nothing arrived for a child that was reaped".to_owned()),
        None => Outcome::Untried("needs /proc/self/stat".to_owned()),
    };
    Check {
        source: "rusage",
        outcome,
        gives: "exact CPU time of everything that was started and ended, however short",
        costs: "processes shorter than a sampling interval are missing from the totals",
        enable: "is there wherever wait4 is; run outside of the sandbox".to_owned(),
        essential: false,
    }
}

/// `cminflt`, the eleventh field.
fn faults_of_children() -> Option<u64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, after_name) = stat.rsplit_once(") ")?;
    after_name.split(' ').nth(8)?.parse().ok()
}

/// Whether processes of other users show at all.
pub(super) fn visibility() -> Check {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let hidepid = hidepid(&mounts);
    let outcome = match (fs::symlink_metadata("/proc/1/stat"), hidepid) {
        (Ok(_), None) => Outcome::Works(String::new()),
        (Ok(_), Some(option)) => Outcome::Works(format!("mounted with {option}, but not hidden from you")),
        (Err(_), Some(option)) => Outcome::Refused(format!("/proc is mounted with {option}")),
        (Err(error), None) => Outcome::Refused(refused(&error)),
    };
    Check {
        source: "other users",
        outcome,
        gives: "processes of other users: busy neighbours, sudo and setuid children",
        costs: "children that change their user disappear from the profile",
        enable: "sudo boundby …, or sudo mount -o remount,hidepid=0 /proc".to_owned(),
        essential: false,
    }
}

/// The option that hides processes, if `/proc` is mounted with it.
fn hidepid(mountinfo: &str) -> Option<String> {
    let proc = mountinfo.lines().find(|line| line.contains(" /proc ") && line.contains(" - proc "))?;
    let option = proc.split([' ', ',']).find(|option| option.starts_with("hidepid="))?;
    (!matches!(option, "hidepid=0" | "hidepid=off")).then(|| option.to_owned())
}

/// Whether a process that is not our child could be profiled: the one asked for, or the one that started us.
pub(super) fn attach(pid: Option<i32>) -> Check {
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok();
    let scope = scope.as_deref().and_then(|text| text.trim().parse::<u8>().ok());
    let parent = || rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get());
    let outcome = match (pid, parent()) {
        (Some(pid), _) => attach_to(pid, scope),
        (None, Some(parent)) if owner(parent) == Some(rustix::process::getuid().as_raw()) => {
            attach_to(parent, scope)
        }
        (None, _) => Outcome::Untried("name a process of yours: boundby doctor --pid PID".to_owned()),
    };
    let enable = match scope {
        Some(1..) => {
            "start the program with boundby profile -- CMD, run as root, or \
                      sudo sysctl kernel.yama.ptrace_scope=0"
        }
        _ => SAME_USER,
    };
    Check {
        source: "attach",
        outcome,
        gives: "profile --pid: running processes that boundby did not start",
        costs: "such a process is seen as running or waiting, but not what it waits for",
        enable: enable.to_owned(),
        essential: false,
    }
}

fn owner(pid: i32) -> Option<u32> {
    fs::metadata(process(pid)).map(|metadata| metadata.uid()).ok()
}

fn process(pid: i32) -> PathBuf {
    Path::new("/proc").join(pid.to_string())
}

fn attach_to(pid: i32, scope: Option<u8>) -> Outcome {
    let Some(owner) = owner(pid) else {
        return Outcome::Refused(format!("no process {pid} to be seen"));
    };
    match fs::read_to_string(process(pid).join("syscall")) {
        Ok(_) => Outcome::Works(format!("tried on process {pid}")),
        Err(error) => {
            let yama = scope.map_or_else(String::new, |scope| format!(", Yama ptrace_scope {scope}"));
            Outcome::Refused(format!("process {pid} of user {owner}{yama}: {}", refused(&error)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Judges a made-up file with the probe of that name.
    fn judge(source: &str, content: &str) -> Outcome {
        let probe = PROBES.iter().find(|probe| probe.source == source).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(probe.file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        probe.check(dir.path(), 42).outcome
    }

    #[test]
    fn files_that_open_but_say_nothing_of_use_are_refused() {
        let works = |outcome| matches!(outcome, Outcome::Works(_));
        assert!(works(judge("process files", "42 (a) b) S 1 42")));
        assert!(!works(judge("process files", "41 (cat) S 1")), "someone else's");
        assert!(!works(judge("process files", "")));
        assert!(works(judge("schedstat", "123 4 5\n")));
        assert!(!works(judge("schedstat", "0 0 0\n")), "a kernel that does not count");
        assert!(works(judge("syscall", "0 0x0 0x7f 0x1 0x0 0x0 0x0 0x7ffe 0x7f12\n")));
        assert!(!works(judge("syscall", "-1 0x7ffe 0x7f12\n")));
        assert!(!works(judge("syscall", "running\n")), "it waits, so this is not true");
        assert!(!works(judge("wchan", "0")));
        assert!(works(judge("net/tcp", "  sl  local_address rem_address\n")));
        assert!(!works(judge("io", "")));
    }

    #[test]
    fn hidden_processes_are_found_by_the_mount_option() {
        let line = |options: &str| format!("25 1 0:22 / /proc rw,nosuid - proc proc {options}\n");
        assert_eq!(hidepid(&line("rw,hidepid=2")), Some("hidepid=2".to_owned()));
        assert_eq!(hidepid(&line("rw,hidepid=invisible,gid=4")), Some("hidepid=invisible".to_owned()));
        assert_eq!(hidepid(&line("rw,hidepid=off")), None);
        assert_eq!(hidepid(&line("rw")), None);
    }

    #[test]
    fn a_process_that_does_not_exist_is_said() {
        let check = attach(Some(i32::MAX));
        assert_eq!(check.outcome, Outcome::Refused(format!("no process {} to be seen", i32::MAX)));
    }
}
