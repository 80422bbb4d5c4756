//! Where the system shows less: other users, programs that change theirs, a `/proc` that hides or is not there.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::kernel::{Birth, born, is_root, may_mount, with_proc};
use crate::session::{Session, boundby, pid, refused, run, saved};

/// A plain user, and another one.
const PLAIN: u32 = 65534;
const OTHER: u32 = 65533;

/// A folder the plain user may write to, with a boundby it may execute.
struct Stage {
    folder: TempDir,
    boundby: PathBuf,
}

impl Stage {
    /// Nothing, where we may not become somebody else.
    fn build() -> Option<Self> {
        if !is_root() {
            eprintln!("skipped: only root can run boundby as somebody else");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        chown(folder.path(), Some(PLAIN), Some(PLAIN)).unwrap();
        fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let boundby = folder.path().join("boundby");
        fs::copy(env!("CARGO_BIN_EXE_boundby"), &boundby).unwrap();
        Some(Self { folder, boundby })
    }

    /// boundby as the plain user.
    fn boundby(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.boundby);
        command.args(arguments).env("NO_COLOR", "1").current_dir(self.folder.path());
        command.uid(PLAIN).gid(PLAIN).process_group(0);
        command
    }

    /// A `cat` that runs as the other user, whoever starts it.
    fn changing_user(&self) -> Option<PathBuf> {
        let path = self.folder.path().join("cat");
        let cat = ["/bin/cat", "/usr/bin/cat"].into_iter().find(|path| Path::new(path).exists())?;
        fs::copy(cat, &path).unwrap();
        chown(&path, Some(OTHER), Some(OTHER)).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o4755)).unwrap();
        Some(path)
    }

    fn place(&self) -> PathBuf {
        self.folder.path().join("profile.json")
    }
}

#[test]
fn a_process_of_another_user_is_refused_with_what_to_do() {
    let Some(stage) = Stage::build() else { return };
    let mut target = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let number = pid(&target).to_string();
    let ran = run(&mut stage.boundby(&["profile", "--pid", &number, "--duration", "1h"])).expect(125);
    ran.says("belongs to another user").says("run boundby as that user or as root");
    drop(target.stdin.take());
    target.wait().unwrap();
}

#[test]
fn a_directory_of_path_that_is_closed_hides_no_typing_error() {
    let Some(stage) = Stage::build() else { return };
    let closed = tempfile::tempdir().unwrap();
    fs::set_permissions(closed.path(), PermissionsExt::from_mode(0o700)).unwrap();
    let path = format!("{}:/usr/bin:/bin", closed.path().display());
    let by_name = |name: &str| run(stage.boundby(&["profile", "--no-probe", "--", name]).env("PATH", &path));
    by_name("boundby-no-such-command").expect(127).says("command not found");
    by_name("true").expect(0).reports();
    let inside = closed.path().join("program");
    by_name(inside.to_str().unwrap()).expect(126).says("Permission denied");
}

#[test]
fn a_plain_user_gets_the_same_from_its_own_program() {
    let Some(stage) = Stage::build() else { return };
    let script = "id -u; head -c 20000000 /dev/zero | cksum >/dev/null; exit 3";
    let ran = run(&mut stage.boundby(&["profile", "-o", "profile.json", "--", "sh", "-c", script]));
    assert_eq!(ran.expect(3).reports().out(), format!("{PLAIN}\n"));
    let profile = saved(&stage.place());
    assert_eq!(refused(&profile, "syscall"), None);
}

#[test]
fn a_plain_user_is_told_why_reasons_are_not_and_what_would_change_that() {
    let paranoid = fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").unwrap_or_default();
    if paranoid.trim() != "2" {
        return eprintln!("skipped: perf_event_paranoid is {}", paranoid.trim());
    }
    let Some(stage) = Stage::build() else { return };
    let arguments = |level| ["profile", "--no-probe", "--level", level, "-o", "profile.json", "--", "true"];
    let ran = run(&mut stage.boundby(&arguments("k"))).expect(125);
    assert_eq!(ran.out(), "");
    ran.says("level k cannot be had here").says("--level auto");
    // The best that can be had is every switch, unless a filter refuses that, too.
    run(&mut stage.boundby(&arguments("auto"))).expect(0).reports();
    let profile = saved(&stage.place());
    if profile["profile"]["level"] == "s" {
        let reason = refused(&profile, "perf-reasons");
        assert!(reason.is_some(), "{profile}");
    }
}

#[test]
fn a_program_that_forks_until_it_is_refused_is_reported() {
    let Some(stage) = Stage::build() else { return };
    // Every generation starts two of the next; what the limit refuses is the program's own affair.
    let script = "bomb() { [ $1 -eq 0 ] && return; bomb $(($1-1)) & bomb $(($1-1)) & wait; }
        ulimit -p 300 2>/dev/null || ulimit -u 300; bomb 10; exit 12";
    let mut command = stage.boundby(&["profile", "-o", "profile.json", "--", "sh", "-c", script]);
    let ran = run(&mut command).reports();
    assert!(ran.code == 12 || ran.err().to_lowercase().contains("fork"), "{}: {}", ran.code, ran.err());
    let count = saved(&stage.place())["profile"]["processes"].as_u64().unwrap();
    assert!(count > 1, "{count}");
}

#[test]
fn a_program_that_changes_its_user_is_measured_as_far_as_it_is_shown() {
    let Some(stage) = Stage::build() else { return };
    let Some(cat) = stage.changing_user() else { return eprintln!("skipped: there is no cat to copy") };
    let arguments = ["profile", "-o", "profile.json", "--", cat.to_str().unwrap()];
    let mut session = Session::interactive(&mut stage.boundby(&arguments));
    session.tell("through");
    session.hears("through");
    session.let_it_sample(20);
    session.end().expect(0).reports();
    let profile = saved(&stage.place());
    assert!(profile["profile"]["wall_s"].as_f64().unwrap() > 0.0);
    let reason = refused(&profile, "syscall");
    assert!(reason.as_ref().is_some_and(|reason| reason.contains("refused")), "{reason:?}");
}

#[test]
fn where_other_users_are_hidden_such_a_program_is_known_by_its_end() {
    if !may_mount() {
        return eprintln!("skipped: a /proc of our own cannot be mounted here");
    }
    let Some(stage) = Stage::build() else { return };
    let Some(cat) = stage.changing_user() else { return eprintln!("skipped: there is no cat to copy") };
    let arguments = ["profile", "-o", "profile.json", "--", cat.to_str().unwrap()];
    // The mount comes first, the change of user with the start of boundby.
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .arg(&stage.boundby)
        .args(arguments);
    command.env("NO_COLOR", "1").current_dir(stage.folder.path()).process_group(0);
    let mut session = Session::interactive(with_proc(&mut command, c"proc", c"hidepid=2"));
    session.tell("through");
    session.hears("through");
    // Long enough for it to matter that there was nothing to see.
    session.let_it_sample(100);
    session.end().expect(0).reports();
    let profile = saved(&stage.place());
    let reason = refused(&profile, "procfs");
    assert!(reason.as_ref().is_some_and(|reason| reason.contains("no thread of the program")), "{reason:?}");
    assert!(profile["profile"]["cpu_user_s"].is_number());
}

#[test]
fn without_proc_the_program_still_runs_and_its_cpu_is_known() {
    if !may_mount() {
        return eprintln!("skipped: /proc cannot be covered here");
    }
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("profile.json");
    let script = "echo mine; i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; exit 21";
    let arguments = ["profile", "-o", place.to_str().unwrap(), "--", "sh", "-c", script];
    let mut command = boundby(arguments);
    let ran = run(with_proc(&mut command, c"tmpfs", c"")).expect(21).reports();
    assert_eq!(ran.out(), "mine\n");
    let profile = &saved(&place)["profile"];
    assert!(profile["cpu_user_s"].as_f64().unwrap() > 0.0, "{profile}");
}

/// Python, since a shell cannot listen.
const LISTENS: &str = "
import socket
with socket.socket() as listener:
    listener.bind(('127.0.0.1', 0))
    listener.listen()
    print(listener.getsockname()[1], flush=True)
    for _ in range(4):
        connection, _ = listener.accept()
        with connection:
            connection.recv(1)
";

#[test]
fn clients_that_have_nothing_to_ask_are_no_network_also_where_no_descriptor_is_lent() {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("skipped: no python3");
        return;
    }
    for lent in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("profile.json");
        let arguments =
            ["profile", "--no-probe", "-o", place.to_str().unwrap(), "--", "python3", "-c", LISTENS];
        let mut command = boundby(arguments);
        if !lent {
            born(&mut command, Birth::Unlent);
        }
        let mut session = Session::interactive(&mut command);
        let port: u16 = session.line().parse().unwrap();
        for _ in 0..4 {
            let mut client = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
            session.let_it_sample(160);
            client.write_all(b"x").unwrap();
        }
        session.end().expect(0).reports();
        let profile = saved(&place);
        assert_eq!(profile["verdict"]["bound_by"], "idle", "lent: {lent}");
        let threads = &profile["profile"]["threads_total"];
        let of = |kind: &str| threads[kind].as_f64().unwrap_or(0.0);
        // Without asking, who is at the other end is known when the kernel's tables are read next.
        let most = if lent { 0.05 } else { 0.3 };
        assert!(of("network") < most * of("idle"), "lent: {lent}: {threads}");
    }
}
