//! `-o`: a place that cannot be written is said before the program runs; one that fails later costs nothing.

use std::fs;
use std::path::Path;

use crate::kernel::named_pipe;
use crate::session::{Session, boundby, file, run, saved, saving};

#[test]
fn a_place_that_cannot_be_written_is_said_before_the_program_runs() {
    let folder = tempfile::tempdir().unwrap();
    let marker = folder.path().join("it-ran");
    let below_a_file = file(folder.path(), "plain", "").join("x");
    for place in [folder.path(), &folder.path().join("no/such/folder"), &below_a_file] {
        let mut command = saving(place, &format!("touch {}", marker.display()));
        run(&mut command).expect(125).says("cannot write ").says(": choose another file with -o");
        assert!(!marker.exists(), "{}", place.display());
    }
}

#[test]
fn a_command_that_does_not_start_leaves_no_empty_profile_and_no_old_one_changed() {
    let folder = tempfile::tempdir().unwrap();
    let (new, old) = (folder.path().join("new.json"), file(folder.path(), "old.json", "old"));
    for place in [&new, &old] {
        let place = place.to_str().unwrap();
        run(&mut boundby(["profile", "-o", place, "--", "boundby-no-such-command"])).expect(127);
    }
    assert!(!new.exists());
    assert_eq!(fs::read(old).unwrap(), b"old");
}

#[test]
fn a_profile_replaces_a_longer_file() {
    let folder = tempfile::tempdir().unwrap();
    let place = file(folder.path(), "profile.json", vec![b'x'; 1 << 20]);
    run(&mut saving(&place, "exit 3")).expect(3).reports();
    assert_eq!(saved(&place)["exit"]["code"], 3);
}

#[test]
fn a_full_device_costs_neither_the_report_nor_the_profile() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = saving(Path::new("/dev/full"), "exit 0");
    let ran = run(command.env("TMPDIR", folder.path())).expect(125).reports();
    let ran = ran.says("cannot write /dev/full: choose another file with -o");
    let rescue = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let rescue = rescue.to_str().unwrap();
    let ran = ran.says(&format!("the profile was saved as {rescue} instead"));
    assert!(ran.stdout.is_empty());
    let again = run(&mut boundby(["report", "--profile", rescue])).expect(0);
    assert!(again.out().contains("Bound by"), "{}", again.out());
}

#[test]
fn where_nothing_can_be_saved_the_report_is_still_shown() {
    let mut command = saving(Path::new("/dev/full"), "exit 0");
    let ran = run(command.env("TMPDIR", "/no/such/folder")).expect(125).reports();
    assert!(!ran.err().contains("instead"), "{}", ran.err());
}

#[test]
fn a_named_pipe_is_written_once() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    named_pipe(&pipe);
    let reader = {
        let pipe = pipe.clone();
        std::thread::spawn(move || fs::read(pipe).unwrap())
    };
    run(&mut saving(&pipe, "exit 0")).expect(0).reports();
    let profile: serde_json::Value = serde_json::from_slice(&reader.join().unwrap()).unwrap();
    assert_eq!(profile["exit"]["code"], 0);
}

#[test]
fn a_dash_puts_the_profile_behind_the_output_of_the_program() {
    let ran = run(&mut saving(Path::new("-"), "echo mine")).expect(0).reports();
    let profile = ran.stdout.strip_prefix(b"mine\n").unwrap();
    let profile: serde_json::Value = serde_json::from_slice(profile).unwrap();
    assert_eq!(profile["schema"], "boundby/report/1");
}

#[test]
fn the_place_is_where_boundby_was_started() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = saving(Path::new("here.json"), "cd /; read x");
    let session = Session::interactive(command.current_dir(folder.path()));
    session.end().expect(1);
    assert_eq!(saved(&folder.path().join("here.json"))["exit"]["code"], 1);
}
