//! Exit codes: the program's own, and ours where there is none.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use crate::session::{Session, boundby, file, profiled, run};

#[test]
fn the_status_of_the_program_is_ours() {
    for code in [0, 1, 2, 77, 125, 126, 127, 200, 255] {
        run(&mut profiled(&format!("exit {code}"))).expect(code).reports();
    }
}

#[test]
fn a_program_killed_by_a_signal_gives_its_number() {
    for (name, number) in
        [("HUP", 1), ("QUIT", 3), ("ABRT", 6), ("KILL", 9), ("SEGV", 11), ("PIPE", 13), ("TERM", 15)]
    {
        let ran = run(&mut profiled(&format!("ulimit -c 0; kill -{name} $$")));
        ran.expect(128 + number).reports().says(&format!("killed by SIG{name}"));
    }
}

#[test]
fn a_command_that_is_not_there_is_127() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent");
    let absent = absent.to_str().unwrap();
    let below_a_file = format!("{}/x", file(folder.path(), "plain", "").display());
    for (command, says) in [
        ("boundby-no-such-command", "command not found; check the spelling"),
        ("", "the command is empty; type it after --"),
        (absent, "no such file; check the path"),
        (&below_a_file, "no such file; check the path"),
    ] {
        let ran = run(&mut boundby(["profile", "--", command])).expect(127).says(says);
        assert!(ran.stdout.is_empty());
    }
}

#[test]
fn a_command_that_cannot_be_executed_is_126() {
    let folder = tempfile::tempdir().unwrap();
    let program = |name: &str, content: &[u8], mode: u32| {
        let path = file(folder.path(), name, content);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let cases = [
        (program("plain", b"#!/bin/sh\n", 0o644), "chmod +x"),
        (folder.path().to_str().unwrap().to_owned(), "it is a directory: name a program in it"),
        (program("astray", b"#!/no/such/interpreter\n", 0o755), "the interpreter in its first line"),
        (program("foreign", b"MZ\x90\0\x03", 0o755), "it is no program for this machine"),
        (program("bare", b"echo\n", 0o755), "name its interpreter"),
        (program("empty", b"", 0o755), "name its interpreter"),
    ];
    for (path, says) in &cases {
        run(&mut boundby(["profile", "--", path])).expect(126).says("cannot be executed").says(says);
    }
    // Found along PATH it is no less there.
    let path = std::env::join_paths([folder.path().to_owned(), "/usr/bin".into(), "/bin".into()]).unwrap();
    let along_path = |name: &str| run(boundby(["profile", "--", name]).env("PATH", &path));
    along_path("astray").expect(126).says("the interpreter in its first line");
    along_path("plain").expect(126).says("chmod +x");
    along_path("true").expect(0).reports();
    run(boundby(["profile", "--", "sh", "-c", "exit 5"]).env_remove("PATH")).expect(5);
}

#[test]
fn what_boundby_itself_cannot_do_is_125() {
    let cases: [&[&str]; 3] = [
        &["profile", "--rules", "/no/such/rules", "--", "true"],
        &["profile", "-o", "/no/such/folder/profile.json", "--", "true"],
        &["profile", "--pid", "2147483647"],
    ];
    for arguments in cases {
        let ran = run(&mut boundby(arguments)).expect(125).says("boundby: ");
        assert!(ran.stdout.is_empty());
    }
}

#[test]
fn what_cannot_be_meant_is_2() {
    let cases: [&[&str]; 12] = [
        &[],
        &["measure"],
        &["profile"],
        &["profile", "--"],
        &["profile", "--bogus", "--", "true"],
        &["profile", "--format", "pdf", "--", "true"],
        &["profile", "--pid", "1", "--", "true"],
        &["profile", "--pid", "one"],
        &["profile", "--duration", "1s", "--", "true"],
        &["profile", "--pid", "1", "--duration", "0s"],
        &["report"],
        &["rules", "explain", "no-such-rule"],
    ];
    for arguments in cases {
        run(&mut boundby(arguments)).expect(2);
    }
}

#[test]
fn words_that_are_no_text_reach_the_program() {
    let mut command = boundby(["profile", "--no-probe", "--", "printf", "%s"]);
    command.arg(OsStr::from_bytes(b"\xff\xfe\n"));
    let ran = run(&mut command).expect(0).reports();
    assert_eq!(ran.stdout, b"\xff\xfe\n");
}

#[test]
fn a_program_that_becomes_another_and_another_is_one_program() {
    let folder = tempfile::tempdir().unwrap();
    let script = "[ $1 -eq 0 ] && exit 9\nexec sh \"$0\" $(($1 - 1))\n";
    let script = file(folder.path(), "again.sh", script);
    let mut command = boundby(["profile", "--no-probe", "--", "sh"]);
    let ran = Session::start(command.arg(script).arg("200")).end().expect(9).reports();
    assert!(ran.stdout.is_empty());
}
