//! What each thread was doing when, in the trace event format of Chrome, which Perfetto reads too
//! (<https://ui.perfetto.dev>): a slice for each state of a thread, an arrow where one went on because another ended, and
//! the wall book as counters. Without tracks, as in a saved profile, the wall book alone.
//!
//! Times are microseconds, their decimals nanoseconds.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use super::text::book::name_of;
use crate::profile::Profile;
use crate::profile::tracks::{Moment, Slice, State, Tracks};
use crate::units;
use crate::wait::{Account, WaitKind};

/// One event; see the "Trace Event Format" by the Chromium project.
#[derive(Debug, Serialize)]
struct Event<'a> {
    name: &'a str,
    cat: &'a str,
    ph: &'static str,
    ts: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<f64>,
    pid: i32,
    tid: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
    /// `e`: an arrow ends at the slice it points into.
    #[serde(skip_serializing_if = "Option::is_none")]
    bp: Option<&'static str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    args: BTreeMap<&'static str, Arg<'a>>,
}

/// A value that a viewer shows beside an event.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Arg<'a> {
    Text(&'a str),
    Words(String),
    Number(f64),
    Count(u32),
}

impl Event<'_> {
    const NOTHING: Event<'static> = Event {
        name: "",
        cat: "",
        ph: "X",
        ts: 0.0,
        dur: None,
        pid: 0,
        tid: 0,
        id: None,
        bp: None,
        args: BTreeMap::new(),
    };
}

/// The number under which the program as a whole stands among processes.
const PROGRAM: i32 = 0;

/// Writes the file, event by event.
///
/// # Errors
/// Whatever `out` says.
pub(super) fn write(profile: &Profile, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"{\"displayTimeUnit\":\"ms\",\"otherData\":")?;
    serde_json::to_writer(&mut *out, &about(profile))?;
    out.write_all(b",\"traceEvents\":[\n")?;
    let mut events = Events { out, is_first: true };
    events.metadata("process_name", PROGRAM, 0, "name", "the program as a whole")?;
    wall_book(profile, &mut events)?;
    if let Some(tracks) = &profile.tracks {
        threads(profile, tracks, &mut events)?;
    }
    events.out.write_all(b"\n]}\n")
}

struct Events<'o> {
    out: &'o mut dyn Write,
    is_first: bool,
}

impl Events<'_> {
    fn put(&mut self, event: &Event<'_>) -> io::Result<()> {
        if !std::mem::take(&mut self.is_first) {
            self.out.write_all(b",\n")?;
        }
        Ok(serde_json::to_writer(&mut *self.out, event)?)
    }

    fn metadata(&mut self, name: &str, pid: i32, tid: i32, key: &'static str, text: &str) -> io::Result<()> {
        let args = BTreeMap::from([(key, Arg::Text(text))]);
        self.put(&Event { name, ph: "M", cat: "__metadata", pid, tid, args, ..Event::NOTHING })
    }
}

/// What the file is, for whoever opens it.
fn about(profile: &Profile) -> BTreeMap<&'static str, String> {
    let mut about = BTreeMap::from([
        ("command", profile.command.join(" ")),
        ("producer", concat!("boundby ", env!("CARGO_PKG_VERSION")).to_owned()),
    ]);
    if let Some(tracks) = &profile.tracks {
        about.insert(
            "sampled",
            format!(
                "{}: what a thread waited for is what a look found; how long it ran and queued between two looks was \
                 counted by the scheduler, where in between that lies is arranged; the exact totals are in the report",
                sampled(profile)
            ),
        );
        if let Some(cut_at) = tracks.cut_at {
            let end = units::seconds(Duration::from_nanos(cut_at).as_secs_f64());
            about.insert("left out", format!("everything after the first {end}: there was too much of it"));
        }
    }
    about
}

fn sampled(profile: &Profile) -> String {
    format!("sampled every {} or so", units::rough_seconds(profile.quality.interval.as_secs_f64()))
}

/// The share of each stretch of wall time that the program spent on what.
fn wall_book(profile: &Profile, events: &mut Events<'_>) -> io::Result<()> {
    let timeline = &profile.timeline;
    let kinds: Vec<Account> =
        Account::ALL.into_iter().filter(|kind| timeline.books.iter().any(|book| book[*kind] > 0)).collect();
    let shares = |of: &dyn Fn(Account) -> f64| {
        kinds.iter().map(|kind| (name_of(*kind), Arg::Number(of(*kind)))).collect::<BTreeMap<_, _>>()
    };
    let counter = |ts, args| Event {
        name: "wall time by what binds",
        cat: "wall",
        ph: "C",
        ts,
        pid: PROGRAM,
        args,
        ..Event::NOTHING
    };
    let (mut ts, mut end) = (Duration::ZERO, Duration::ZERO);
    for book in &timeline.books {
        let whole = book.total().as_secs_f64().max(f64::MIN_POSITIVE);
        let of = |kind| (book.get(kind).as_secs_f64() / whole * 1e4).round() / 1e4;
        events.put(&counter(micros(ts), shares(&of)))?;
        end = profile.wall.max(ts);
        ts = ts.saturating_add(timeline.stretch);
    }
    if !timeline.books.is_empty() {
        events.put(&counter(micros(end), shares(&|_| 0.0)))?;
    }
    Ok(())
}

fn threads(profile: &Profile, tracks: &Tracks, events: &mut Events<'_>) -> io::Result<()> {
    let sampled = sampled(profile);
    for process in &tracks.processes {
        let name = if process.name.is_empty() { "(name not readable)" } else { &process.name };
        events.metadata("process_name", process.pid, 0, "name", name)?;
        events.metadata("process_labels", process.pid, 0, "labels", &sampled)?;
    }
    let titles: Vec<String> = tracks.states.iter().map(title).collect();
    for track in &tracks.threads {
        if let Some(name) = &track.name {
            events.metadata("thread_name", track.pid, track.tid, "name", name)?;
        }
        for slice in &track.slices {
            // Numbers of states are given out with them.
            let Some((state, title)) =
                tracks.states.get(slice.state as usize).zip(titles.get(slice.state as usize))
            else {
                continue;
            };
            events.put(&Event {
                name: title,
                cat: state.account.name(),
                ts: micros_of(slice.from),
                dur: Some(micros_of(slice.to - slice.from)),
                pid: track.pid,
                tid: track.tid,
                args: args(state, slice),
                ..Event::NOTHING
            })?;
        }
    }
    for (id, hand_over) in tracks.hand_overs.iter().enumerate() {
        let arrow = |ph, bp, Moment { pid, tid, at }: Moment| Event {
            name: "ended",
            cat: "hand-over",
            ph,
            ts: micros_of(at),
            pid,
            tid,
            id: Some(id),
            bp,
            ..Event::NOTHING
        };
        // It begins in the last slice, and not where that is over.
        let from = Moment { at: hand_over.from.at.saturating_sub(1), ..hand_over.from };
        events.put(&arrow("s", None, from))?;
        events.put(&arrow("f", Some("e"), hand_over.to))?;
    }
    Ok(())
}

/// What stands on a slice: `running`, `network db.local:5432`, `sleep`.
fn title(state: &State) -> String {
    match (state.account, &state.resource) {
        (Account::Cpu, _) => "running".to_owned(),
        (Account::Unattributed, _) => "waiting, not seen for what".to_owned(),
        (Account::Wait(WaitKind::Idle), _) if state.operation == "park" => "parked".to_owned(),
        (account, Some(resource)) => format!("{} {resource}", name_of(account)),
        (account, None) => name_of(account).to_owned(),
    }
}

fn args<'a>(state: &'a State, slice: &Slice) -> BTreeMap<&'static str, Arg<'a>> {
    let mut args = BTreeMap::new();
    if !state.operation.is_empty() {
        args.insert("operation", Arg::Text(&state.operation));
    }
    if let Some(resource) = &state.resource {
        args.insert("resource", Arg::Text(resource));
    }
    if let Some(at) = &state.at {
        let place = at.short().unwrap_or_default();
        let joint = if place.is_empty() || at.function.is_empty() { "" } else { " in " };
        args.insert("at", Arg::Words(format!("{place}{joint}{}", at.function)));
    }
    if let Some(call) = &state.call {
        args.insert("calls", Arg::Text(call));
    }
    if slice.waits > 1 {
        args.insert("waits", Arg::Count(slice.waits));
    }
    args
}

fn micros(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1e3
}

fn micros_of(nanos: u64) -> f64 {
    nanos as f64 / 1e3
}
