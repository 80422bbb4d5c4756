//! The processed profile format of the Firefox Profiler, written by the crate that samply writes it with. What was
//! measured are sums, not a timeline, so stacks are laid one after another, those with most time first.

use fxprof_processed_profile::{
    CategoryColor, CpuDelta, Frame, FrameFlags, FrameInfo, Profile as Processed, ReferenceTimestamp,
    SamplingInterval, Timestamp, WeightType,
};
use std::time::Duration;

use super::{Part, Row, rows};
use crate::profile::Profile;
use crate::wait::{Account, WaitKind};

/// The profile as JSON: a track for each part, weights in milliseconds of wall time.
pub(in crate::report) fn to_firefox(profile: &Profile) -> String {
    let name = profile.command.join(" ");
    let epoch = ReferenceTimestamp::from_duration_since_unix_epoch(Duration::ZERO);
    let mut processed = Processed::new(&name, epoch, SamplingInterval::from_millis(1));
    processed.set_symbolicated(true);
    let categories = Account::ALL.map(|account| processed.add_category(account.name(), color(account)));
    let category = |account| {
        let at = Account::ALL.into_iter().position(|known| known == account).unwrap_or(0);
        categories[at]
    };
    let start = Timestamp::from_nanos_since_reference(0);
    let process = processed.add_process(&name, 1, start);
    let rows = rows(profile);
    for (i, (part, title)) in Part::ALL.into_iter().enumerate() {
        let shown = |row: &&Row<'_>| part.holds(row.account) && row.wall.as_millis() > 0;
        // A track without samples is an error to some viewers; one there must be.
        if i > 0 && !rows.iter().any(|row| shown(&row)) {
            continue;
        }
        // Main threads are given names of their own by the viewer.
        let track = processed.add_thread(process, i as u32 + 1, start, false);
        processed.add_initial_visible_thread(track);
        processed.set_thread_name(track, title);
        processed.set_thread_samples_weight_type(track, WeightType::TracingMs);
        let mut at = Duration::ZERO;
        for row in rows.iter().filter(shown) {
            let weight = i32::try_from(row.wall.as_millis()).unwrap_or(i32::MAX);
            let frames: Vec<FrameInfo> = row
                .levels
                .iter()
                .map(|level| FrameInfo {
                    frame: Frame::Label(processed.intern_string(&level.name)),
                    category_pair: category(row.account).into(),
                    flags: FrameFlags::empty(),
                })
                .collect();
            let stack = processed.intern_stack_frames(track, frames.into_iter());
            let cpu = if row.account == Account::Cpu { row.wall } else { Duration::ZERO };
            let delta = CpuDelta::from_nanos(u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX));
            at += row.wall;
            let time =
                Timestamp::from_nanos_since_reference(u64::try_from(at.as_nanos()).unwrap_or(u64::MAX));
            processed.add_sample(track, time, stack, delta, weight);
        }
    }
    serde_json::to_string(&processed).map(|text| text + "\n").unwrap_or_default()
}

fn color(account: Account) -> CategoryColor {
    match account {
        Account::Cpu => CategoryColor::Orange,
        Account::Wait(WaitKind::Network) => CategoryColor::Blue,
        Account::Wait(WaitKind::Disk | WaitKind::Paging) => CategoryColor::Brown,
        Account::Wait(WaitKind::Lock | WaitKind::Gil) => CategoryColor::Purple,
        Account::Wait(WaitKind::Pipe | WaitKind::Child) => CategoryColor::Green,
        Account::Runnable | Account::Throttled => CategoryColor::Red,
        Account::Wait(_) => CategoryColor::LightBlue,
        Account::Unattributed => CategoryColor::Gray,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::tests::profile;
    use crate::profile::Profile;
    use crate::wait::Account;

    /// Reads the format as its viewer does (version 55 of `docs-developer/CHANGELOG-formats.md` of the Firefox Profiler,
    /// types in its `src/types/profile.js`): tables are objects of columns of one length, and every column that points
    /// into another table points to a row that is there.
    struct Track<'f> {
        thread: &'f Value,
        categories: usize,
    }

    /// Tables of a thread with the columns the viewer reads of each.
    const TABLES: &[(&str, &[&str])] = &[
        ("samples", &["stack", "timeDeltas", "weight", "threadCPUDelta"]),
        ("stackTable", &["prefix", "frame"]),
        (
            "frameTable",
            &["address", "inlineDepth", "category", "subcategory", "func", "nativeSymbol", "line", "column"],
        ),
        (
            "funcTable",
            &["name", "isJS", "relevantForJS", "resource", "fileName", "lineNumber", "columnNumber"],
        ),
        ("resourceTable", &["lib", "name", "host", "type"]),
        ("nativeSymbols", &["address", "functionSize", "libIndex", "name"]),
        ("markers", &["category", "data", "name", "phase", "startTime", "endTime"]),
    ];
    /// Columns that point into another table, or into the strings; a row may point to nothing where `null` or -1 is
    /// allowed.
    const POINTERS: &[(&str, &str, &str, bool)] = &[
        ("samples", "stack", "stackTable", true),
        ("stackTable", "prefix", "stackTable", true),
        ("stackTable", "frame", "frameTable", false),
        ("frameTable", "func", "funcTable", false),
        ("frameTable", "nativeSymbol", "nativeSymbols", true),
        ("frameTable", "category", "categories", false),
        ("funcTable", "name", "stringArray", false),
        ("funcTable", "resource", "resourceTable", true),
        ("resourceTable", "name", "stringArray", false),
    ];

    impl Track<'_> {
        fn column(&self, table: &str, column: &str) -> &Vec<Value> {
            let found = self.thread[table][column].as_array();
            found.unwrap_or_else(|| panic!("{table} has no column {column}"))
        }

        fn length(&self, table: &str) -> usize {
            match table {
                "categories" => self.categories,
                "stringArray" => self.thread["stringArray"].as_array().unwrap().len(),
                _ => usize::try_from(self.thread[table]["length"].as_u64().unwrap()).unwrap(),
            }
        }

        fn read(&self) {
            for (table, columns) in TABLES {
                for column in *columns {
                    assert_eq!(self.column(table, column).len(), self.length(table), "{table}.{column}");
                }
            }
            for (table, column, to, may_be_nothing) in POINTERS {
                for at in self.column(table, column) {
                    let is_nothing = at.is_null() || at.as_i64() == Some(-1);
                    let is_there = at.as_u64().is_some_and(|at| (at as usize) < self.length(to));
                    assert!(is_there || *may_be_nothing && is_nothing, "{table}.{column} has {at}");
                }
            }
            // The viewer computes the stacks in one pass: who is called stands behind who calls it.
            for (i, prefix) in self.column("stackTable", "prefix").iter().enumerate() {
                assert!(prefix.as_u64().is_none_or(|prefix| (prefix as usize) < i), "stack {i}");
            }
            let deltas = self.column("samples", "timeDeltas");
            assert!(
                deltas.iter().all(|delta| delta.as_f64().is_some_and(|delta| delta >= 0.0)),
                "{deltas:?}"
            );
            assert!(self.length("samples") + self.length("markers") > 0, "{} is empty", self.thread["name"]);
            for text in ["name", "processName", "processType"] {
                assert!(self.thread[text].is_string(), "{text}");
            }
            assert!(self.thread["isMainThread"].is_boolean() && self.thread["registerTime"].is_number());
        }
    }

    /// The names of the tracks of a file that the viewer opens, in its order.
    fn read(text: &str) -> Vec<String> {
        let file: Value = serde_json::from_str(text).unwrap();
        let meta = &file["meta"];
        assert_eq!(meta["preprocessedProfileVersion"], 55);
        for number in ["interval", "startTime", "processType", "version"] {
            assert!(meta[number].is_number(), "{number}");
        }
        assert!(meta["markerSchema"].is_array() && file["libs"].is_array());
        let categories = meta["categories"].as_array().unwrap();
        for category in categories {
            assert!(category["name"].is_string() && category["color"].is_string(), "{category}");
            assert!(!category["subcategories"].as_array().unwrap().is_empty(), "{category}");
        }
        let threads = file["threads"].as_array().unwrap();
        for thread in threads {
            Track { thread, categories: categories.len() }.read();
        }
        let shown = meta["initialVisibleThreads"].as_array().unwrap();
        assert_eq!(shown.len(), threads.len());
        let name = |at: &Value| threads[at.as_u64().unwrap() as usize]["name"].as_str().unwrap().to_owned();
        shown.iter().map(name).collect()
    }

    #[test]
    fn the_viewer_finds_every_table_whole() {
        assert_eq!(read(&super::to_firefox(&profile())), ["wall", "on-CPU", "off-CPU"]);
    }

    #[test]
    fn a_program_that_only_waits_has_no_empty_track() {
        let mut waits = profile();
        waits.call_stacks.stacks.retain(|stack| stack.account != Account::Cpu);
        assert_eq!(read(&super::to_firefox(&waits)), ["wall", "off-CPU"]);
    }

    #[test]
    #[should_panic(expected = "is empty")]
    fn a_track_without_samples_is_noticed() {
        read(&super::to_firefox(&Profile::default()));
    }

    #[test]
    fn each_track_has_its_stacks_with_their_weight() {
        let text = super::to_firefox(&profile());
        let file: Value = serde_json::from_str(&text).unwrap();
        let weight = |name: &str| -> i64 {
            let tracks = file["threads"].as_array().unwrap();
            let track = tracks.iter().find(|track| track["name"] == name).unwrap();
            track["samples"]["weight"].as_array().unwrap().iter().filter_map(Value::as_i64).sum()
        };
        assert_eq!(["wall", "on-CPU", "off-CPU"].map(weight), [1000, 90, 910]);
        assert_eq!(file["threads"][0]["samples"]["weightType"], "tracing-ms");
        assert_eq!(text, super::to_firefox(&profile()));
    }
}
