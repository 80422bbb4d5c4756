//! The rules of the trace event format as far as boundby uses it, for a file that claims to follow them. Knows nothing of who
//! wrote it. <https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU>.
#![allow(dead_code, reason = "each binary of tests asks for other parts of what was read")]

use std::collections::BTreeMap;

use serde_json::Value;

/// A slice of a thread's time, nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) pid: i64,
    pub(crate) tid: i64,
    pub(crate) name: String,
    pub(crate) category: String,
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) args: Value,
}

/// What a file that follows the rules holds.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) slices: Vec<Slice>,
    /// Names of processes.
    pub(crate) processes: BTreeMap<i64, String>,
    /// Names of threads.
    pub(crate) threads: BTreeMap<(i64, i64), String>,
    /// Where arrows come from and lead to.
    pub(crate) arrows: Vec<[End; 2]>,
    /// Counters, event by event.
    pub(crate) counters: Vec<BTreeMap<String, f64>>,
}

type Thread = (i64, i64);
/// Process, thread, time.
type End = (i64, i64, i64);

/// Reads a file; the error names the event that breaks a rule.
pub(crate) fn read(trace: &Value) -> Result<Read, String> {
    let events = trace["traceEvents"].as_array().ok_or("there is no list of traceEvents")?;
    let mut read = Read::default();
    let mut last: BTreeMap<(Thread, String), i64> = BTreeMap::new();
    let mut open: BTreeMap<Thread, Vec<(String, i64)>> = BTreeMap::new();
    let mut arrows: BTreeMap<String, [Option<End>; 2]> = BTreeMap::new();
    for (i, event) in events.iter().enumerate() {
        let wrong = |what: &str| format!("event {i}: {what}: {event}");
        let whole = |key: &str| event[key].as_i64().ok_or_else(|| wrong(&format!("`{key}` is no number")));
        let text = |key: &str| event[key].as_str().ok_or_else(|| wrong(&format!("`{key}` is no text")));
        let nanos = |key: &str| {
            let time = event[key].as_f64().filter(|time| *time >= 0.0 && time.is_finite());
            time.map(|micros| (micros * 1e3).round() as i64)
                .ok_or_else(|| wrong(&format!("`{key}` is no time")))
        };
        let (phase, at, thread) = (text("ph")?, nanos("ts")?, (whole("pid")?, whole("tid")?));
        let name = text("name")?.to_owned();
        // What stands on one track comes in order.
        let row = match phase {
            "X" | "B" | "E" => "slices".to_owned(),
            "C" => format!("counter {name}"),
            _ => String::new(),
        };
        if !row.is_empty() {
            let before = last.insert((thread, row), at).unwrap_or(0);
            if at < before {
                return Err(wrong("it is earlier than the one before it"));
            }
        }
        match phase {
            "M" => {
                let key = match name.as_str() {
                    "process_name" | "thread_name" => "name",
                    "process_labels" => "labels",
                    _ => return Err(wrong("no such metadata")),
                };
                let value = event["args"][key].as_str().filter(|value| !value.is_empty());
                let value = value.ok_or_else(|| wrong("it names nothing"))?.to_owned();
                match name.as_str() {
                    "process_name" => drop(read.processes.insert(thread.0, value)),
                    "thread_name" => drop(read.threads.insert(thread, value)),
                    _ => {}
                }
            }
            "X" => {
                let to = at + nanos("dur")?;
                let end = read.slices.iter().rev().find(|slice| (slice.pid, slice.tid) == thread);
                if name.is_empty() || end.is_some_and(|before| at < before.to) {
                    return Err(wrong("it has no name, or begins before the slice before it has ended"));
                }
                let (category, args) = (text("cat")?.to_owned(), event["args"].clone());
                let (pid, tid) = thread;
                read.slices.push(Slice { pid, tid, name, category, from: at, to, args });
            }
            "B" => open.entry(thread).or_default().push((name, at)),
            "E" => drop(open.entry(thread).or_default().pop().ok_or_else(|| wrong("nothing has begun"))?),
            "C" => {
                let values = event["args"].as_object().filter(|values| !values.is_empty());
                let values = values.ok_or_else(|| wrong("it counts nothing"))?;
                let number = |(key, value): (&String, &Value)| Some((key.clone(), value.as_f64()?));
                let counter: Option<_> = values.iter().map(number).collect();
                read.counters.push(counter.ok_or_else(|| wrong("a value is no number"))?);
            }
            "s" | "f" => {
                if phase == "f" && event["bp"] != "e" {
                    return Err(wrong("an arrow that does not end at the slice it points into"));
                }
                let id = event.get("id").ok_or_else(|| wrong("it has no id"))?.to_string();
                let ends = arrows.entry(id).or_default();
                let end = &mut ends[usize::from(phase == "f")];
                if end.replace((thread.0, thread.1, at)).is_some() {
                    return Err(wrong("an arrow with two such ends"));
                }
            }
            _ => return Err(wrong("no such phase")),
        }
    }
    if let Some((name, at)) = open.into_values().flatten().next() {
        return Err(format!("{name}, which began at {at} ns, does not end"));
    }
    for (id, ends) in arrows {
        let [Some(from), Some(to)] = ends else { return Err(format!("arrow {id} has one end only")) };
        if to.2 < from.2 {
            return Err(format!("arrow {id} leads back in time"));
        }
        for (pid, tid, at) in [from, to] {
            let holds = |slice: &&Slice| {
                (slice.pid, slice.tid) == (pid, tid) && (slice.from..=slice.to).contains(&at)
            };
            if read.slices.iter().find(holds).is_none() {
                return Err(format!("arrow {id} ends in no slice of thread {tid} at {at} ns"));
            }
        }
        read.arrows.push([from, to]);
    }
    Ok(read)
}
