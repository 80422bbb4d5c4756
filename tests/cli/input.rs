//! Files that are not what they should be: saved reports and rules.

use std::fs;
use std::path::Path;

use crate::session::{Ran, boundby, file, run, saved, saving};

fn report(path: &Path) -> Ran {
    run(&mut boundby(["report", "--profile", path.to_str().unwrap()]))
}

#[test]
fn a_file_that_is_no_report_is_refused_with_its_name_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("whole.json");
    run(&mut saving(&place, "exit 0")).expect(0);
    report(&place).expect(0);
    let whole = fs::read(&place).unwrap();
    let newer = String::from_utf8(whole.clone()).unwrap().replace("boundby/report/1", "boundby/report/99");
    let deep = |open: &str, close: &str| {
        format!("{{\"schema\": {}{}}}", open.repeat(200_000), close.repeat(200_000))
    };
    let wide =
        format!("{{\"schema\": \"boundby/report/1\", \"command\": [{}\"x\"]}}", "\"x\",".repeat(1 << 20));
    let cases = [
        (folder.path().join("absent.json"), "give a profile saved with -o"),
        (folder.path().to_owned(), "give a profile saved with -o"),
        (file(folder.path(), "empty.json", ""), "the file is empty"),
        (file(folder.path(), "cut.json", &whole[..whole.len() * 2 / 3]), "is cut off at line"),
        (file(folder.path(), "doubled.json", [&whole[..], &whole[..]].concat()), "not JSON"),
        (file(folder.path(), "noise.json", b"\0\xff\xfe{"), "not a boundby report"),
        (file(folder.path(), "latin.json", b"{\"schema\": \"\xe9\"}"), "not JSON"),
        (file(folder.path(), "list.json", "[1, 2]"), "not a boundby report"),
        (file(folder.path(), "other.json", "{\"name\": \"npm\"}"), "it has no `schema`"),
        (file(folder.path(), "strange.json", "{\"schema\": {\"a\": 1}}"), "not a boundby report"),
        (file(folder.path(), "newer.json", newer), "boundby/report/99"),
        (file(folder.path(), "bare.json", "{\"schema\": \"boundby/report/1\"}"), "does not follow"),
        (file(folder.path(), "deep.json", deep("[", "]")), "not JSON"),
        (file(folder.path(), "deeper.json", deep("{\"a\":", "}")), "not JSON"),
        (file(folder.path(), "wide.json", wide), "does not follow"),
        ("/dev/zero".into(), "larger than 16 MiB"),
        ("/dev/null".into(), "the file is empty"),
    ];
    for (path, says) in &cases {
        let ran = report(path).expect(2).says(says).says(path.to_str().unwrap());
        assert!(ran.stdout.is_empty());
        assert!(ran.stderr.starts_with(b"boundby: ") && ran.err().lines().count() == 1, "{}", ran.err());
    }
}

#[test]
fn an_output_that_cannot_be_written_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("profile.json");
    run(&mut saving(&place, "exit 0")).expect(0);
    for output in [folder.path(), Path::new("/dev/full"), &folder.path().join("no/such/folder")] {
        let arguments = ["report", "--profile", place.to_str().unwrap(), "-o", output.to_str().unwrap()];
        run(&mut boundby(arguments)).expect(2).says("cannot write ").says("choose another file with -o");
    }
    assert_eq!(saved(&place)["schema"], "boundby/report/1");
}

fn check(path: &Path) -> Ran {
    run(&mut boundby(["rules", "check", path.to_str().unwrap()]))
}

/// A directory of rules with one file.
fn rules(name: &str, content: impl AsRef<[u8]>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), name, content);
    folder
}

/// A rule with this condition.
fn rule(condition: &str) -> String {
    format!(
        "schema: boundby/rules/1\nid: mine\nkind: note\ntitle: t\nprecedence: 1\nwhen:\n  all: [{condition:?}]\n\
         then: {{text: a}}\nbecause: b\ncite: [me]\n"
    )
}

#[test]
fn rules_that_cannot_be_used_are_shown_and_stop_what_needs_them() {
    let bomb: String = (1..=9)
        .fold(String::new(), |bomb, i| format!("{bomb}a{i}: &a{i} [*a{0}, *a{0}, *a{0}, *a{0}]\n", i - 1));
    let cases = [
        (rules("mine.yaml", "schema: [unclosed\n"), "mine.yaml:"),
        (rules("mine.yaml", b"\xff\xfe\0"), "not UTF-8 text"),
        (rules("mine.yaml", ""), "mine.yaml"),
        (
            rules("mine.yaml", format!("# {}\n{}", "x".repeat(1 << 20), rule("run.wall > 5s"))),
            "larger than 1 MiB",
        ),
        (rules("mine.yaml", format!("schema: {}{}\n", "[".repeat(50_000), "]".repeat(50_000))), "mine.yaml"),
        (rules("mine.yaml", format!("schema: boundby/rules/1\na0: &a0 [x]\n{bomb}")), "mine.yaml"),
        (rules("mine.yaml", rule("run.wal > 5s")), "did you mean `run.wall`?"),
        (rules("mine.yaml", rule(&format!("{}run.wall > 5s", "(".repeat(20_000)))), "mine.yaml:"),
        (rules("mine.yaml", rule("run.wall > 5s").replace("rules/1", "rules/7")), "mine.yaml:1"),
        (rules("overlay.yaml", "model: {thread_start: -1s}\n"), "thread_start"),
        (rules("notes.txt", "nothing"), "no .yaml file in it"),
    ];
    for (folder, says) in &cases {
        let ran = check(folder.path()).expect(1);
        assert!(ran.out().contains(says) && ran.out().contains("1 error"), "{says}: {}", ran.out());
        assert!(ran.err().is_empty(), "{}", ran.err());
        let place = folder.path().to_str().unwrap();
        run(&mut boundby(["rules", "--rules", place, "list"])).expect(2).says(says);
        // Said before the program runs.
        let marker = folder.path().join("it-ran");
        let arguments = ["profile", "--rules", place, "--", "touch", marker.to_str().unwrap()];
        run(&mut boundby(arguments)).expect(125).says(says);
        assert!(!marker.exists());
    }
    run(&mut boundby(["rules", "check", "/no/such/rules"])).expect(2).says("name a directory of rules");
    // A device that never ends is not read.
    let ran = check(Path::new("/dev/zero")).expect(1);
    assert!(ran.out().contains("not a file"), "{}", ran.out());
}

#[test]
fn the_check_runs_the_cases_of_the_model() {
    let shipped = run(&mut boundby(["rules", "check"])).expect(0);
    assert!(shipped.out().contains(" cases: 0 errors, 0 warnings"), "{}", shipped.out());
    let case = |expected: &str| {
        format!(
            "cases:\n- id: Mine\n  cite: [me]\n  given: {{n: 10, wait: 1s, cpu_gil: 0s, \
             cpu_native: 0s, p_eff: 2, gil: true, strategy: threads, workers: 10}}\n  expect: {{time: {expected}}}\n"
        )
    };
    let wrong = check(rules("model_cases.yaml", case("{about: 3s, tol: 5%}")).path()).expect(1);
    assert!(wrong.out().contains("case Mine: time is"), "{}", wrong.out());
    let right = check(rules("model_cases.yaml", case("{about: 1s, tol: 5%}")).path()).expect(0);
    assert!(right.out().contains("0 errors, 0 warnings"), "{}", right.out());
    // Coefficients of one's own may break cases that rest on the shipped ones; they are not broken rules.
    let own = check(rules("overlay.yaml", "model: {thread_start: 1s}\n").path()).expect(0);
    assert!(own.out().contains("warning: rules/model_cases.yaml: case "), "{}", own.out());
}
