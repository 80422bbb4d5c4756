//! Recorded machines (`fixtures/machine`), surveyed for process 4242 without any privilege.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const PID: Option<i32> = Some(4242);
const MIB: u64 = 1 << 20;

fn tree(case: &str) -> Tree {
    let path = format!("{}/fixtures/machine/{case}", env!("CARGO_MANIFEST_DIR"));
    assert!(std::path::Path::new(&path).is_dir(), "{path} is missing");
    Tree::recorded(path)
}

fn recorded(case: &str) -> Machine {
    let tree = tree(case);
    survey_tree(&tree, host::recorded(&tree), PID)
}

/// Quota and effective cores of a recording in which nothing is left to complain about.
fn cores(case: &str) -> (Option<f64>, f64) {
    let machine = recorded(case);
    assert_eq!(machine.notes, [""; 0], "{case}");
    (machine.quota, machine.effective)
}

#[test]
fn version_1_with_joint_controllers() {
    assert_eq!(cores("v1"), (Some(2.5), 2.5));
    let machine = recorded("v1");
    assert_eq!(machine.cpus_logical, 8);
    assert_eq!(machine.memory_limit, Some(1024 * MIB));
    assert_eq!(machine.memory_available, Some(768 * MIB), "dropping page cache makes room");
    assert_eq!((machine.max_open_files, machine.max_tasks), (Some(1024), Some(63432)));
    assert_eq!(machine.kernel, "4.15.0-213-generic");
}

#[test]
fn version_2() {
    assert_eq!(cores("v2"), (Some(1.5), 1.5));
    let machine = recorded("v2");
    assert_eq!(machine.memory_limit, Some(2048 * MIB));
    assert_eq!(machine.memory_available, Some(1024 * MIB));
    assert_eq!(machine.max_tasks, Some(512));
}

#[test]
fn the_tightest_ancestor_binds() {
    assert_eq!(cores("nested"), (Some(1.5), 1.5));
    let machine = recorded("nested");
    assert_eq!((machine.cpus_logical, machine.cpus_affinity), (16, Some(4)));
    assert_eq!(machine.memory_limit, Some(3072 * MIB));
    assert_eq!(machine.memory_available, Some(1024 * MIB));
    assert_eq!(machine.max_tasks, Some(100));
}

#[test]
fn both_versions_at_once_and_cpus_that_exist_only_on_paper() {
    assert_eq!(cores("hybrid"), (Some(0.2), 0.2));
    let machine = recorded("hybrid");
    assert_eq!(machine.cpus_affinity, Some(2));
    assert_eq!(machine.memory_limit, Some(MIB));
    assert_eq!(machine.memory_available, Some(0), "over the limit already");
}

#[test]
fn containers_with_and_without_a_namespace() {
    assert_eq!(cores("container-v1"), (Some(4.0), 4.0));
    assert_eq!(recorded("container-v1").memory_limit, Some(256 * MIB));
    assert_eq!(recorded("container-v1").max_tasks, Some(64));
    assert_eq!(cores("container-v2"), (Some(0.5), 0.5));
}

#[test]
fn where_names_do_not_fit_only_the_list_of_members_is_believed() {
    let machine = recorded("container-moved");
    assert_eq!(machine.quota, Some(3.0));
    assert_eq!(machine.memory_limit, None, "the mounted group is not the one of the process");
    assert!(machine.notes.iter().any(|note| note.contains("not in what is mounted")), "{:?}", machine.notes);
}

#[test]
fn what_is_hidden_is_absent_and_said() {
    let machine = recorded("hidden");
    assert_eq!((machine.cpus_affinity, machine.quota, machine.memory_total), (None, None, None));
    assert_eq!((machine.max_open_files, machine.max_tasks), (None, None));
    assert!((machine.effective - 4.0).abs() < 1e-9, "the online CPUs are all that is known");
    assert_eq!(machine.notes.len(), 5, "{:?}", machine.notes);
}

#[test]
fn a_file_that_refuses_is_said_and_the_others_still_count() {
    let machine = recorded("unreadable");
    assert_eq!((machine.quota, machine.memory_limit, machine.max_tasks), (None, None, Some(7)));
    assert_eq!(machine.notes.len(), 2, "{:?}", machine.notes);
    assert!(machine.notes[0].contains("cpu.max"), "{:?}", machine.notes);
}

#[test]
fn garbage_is_refused_not_guessed() {
    let machine = recorded("garbage");
    let nothing = Machine {
        kernel: "unknown".to_owned(),
        notes: machine.notes.clone(),
        effective: 1.0,
        ..Machine::default()
    };
    assert_eq!(machine, nothing);
    assert!(!machine.notes.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Pieces of real files in any order, with anything between them: an answer or a note, never a panic.
    #[test]
    fn no_content_of_any_file_is_fatal(
        texts in proptest::collection::vec(
            proptest::collection::vec(
                prop_oneof![
                    "[ -~\n\\\\\\x00é]{0,12}",
                    prop_oneof![
                        Just("0::/a"), Just("3:cpu,memory:/a/../b\n"), Just("/ /sys/fs/cgroup rw - cgroup2 c rw\n"),
                        Just(" - "), Just("max"), Just("18446744073709551616 0\n"), Just("-9223372036854775808"),
                        Just("Cpus_allowed_list:\t0-65535,"), Just("0-65535"), Just("\\04"), Just("MemTotal: 9 kB\n"),
                        Just("nr_periods 1\nnr_throttled 1\nthrottled_usec 18446744073709551615\n"),
                        Just("1 0 0:1 / /sys/fs/cgroup rw - cgroup c rw,cpu,memory\n"), Just("Max processes 5\n"),
                    ].prop_map(str::to_owned),
                ],
                0..8,
            ).prop_map(|pieces| pieces.concat()),
            13,
        )
    ) {
        let dir = tempfile::tempdir().unwrap();
        let files = [
            "proc/4242/cgroup", "proc/4242/status", "proc/4242/limits", "proc/self/mountinfo", "proc/meminfo",
            "proc/sys/kernel/osrelease", "sys/devices/system/cpu/online", "sys/fs/cgroup/a/cpu.max",
            "sys/fs/cgroup/a/cpu.stat", "sys/fs/cgroup/a/memory.max", "sys/fs/cgroup/a/memory.current",
            "sys/fs/cgroup/a/cpu.cfs_quota_us", "sys/fs/cgroup/a/cpu.cfs_period_us",
        ];
        for (file, text) in files.iter().zip(&texts) {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let tree = Tree::recorded(dir.path());
        let machine = survey_tree(&tree, host::recorded(&tree), PID);
        prop_assert!(machine.effective > 0.0 && machine.effective.is_finite());
        prop_assert!(machine.quota.is_none_or(|quota| quota > 0.0));
        if let Some(reader) = QuotaReader::open_in(&tree, 4242) {
            prop_assert_eq!(reader.read().map(|reading| reading.throttled), Some(Duration::ZERO));
        }
    }
}

#[test]
fn capacity_lowers_effective_and_never_raises_it() {
    let mut machine = recorded("nested");
    machine.set_capacity(Some(1.2));
    assert!((machine.effective - 1.2).abs() < 1e-9);
    machine.set_capacity(Some(9.0));
    assert!((machine.effective - 1.5).abs() < 1e-9);
    machine.set_capacity(None);
    assert!((machine.effective - 1.5).abs() < 1e-9);
}

#[test]
fn throttling_is_followed_where_there_is_a_quota() {
    for case in ["v1", "v2", "nested", "hybrid", "container-v1", "container-v2", "container-moved"] {
        let reader = QuotaReader::open_in(&tree(case), 4242).unwrap_or_else(|| panic!("{case}"));
        assert_eq!(reader.read().map(|reading| reading.throttled), Some(Duration::ZERO), "{case}");
    }
    for case in ["hidden", "unreadable", "garbage"] {
        assert!(QuotaReader::open_in(&tree(case), 4242).is_none(), "{case}");
    }
}

#[test]
fn this_computer_can_be_surveyed() {
    let machine = survey(None);
    assert!(machine.cpus() >= 1 && machine.effective > 0.0, "{machine:?}");
    assert!(machine.cpus() <= machine.cpus_logical, "{machine:?}");
    assert!(machine.memory_available <= machine.memory_total, "{machine:?}");
    let other = survey(Some(std::process::id().cast_signed()));
    assert_eq!((other.quota, other.max_open_files), (machine.quota, machine.max_open_files));
}
