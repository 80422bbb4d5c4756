//! Where in the source the time went, in schema 1: lines and call stacks, written and read back.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::findings::{self, InSourceV1};
use super::names;
use super::read::{JsonError, named, optional, refuse, seconds as time, share};
use super::write::{derived, mean_wait, seconds};
use crate::join::Joined;
use crate::profile::stack::Frame;
use crate::profile::{CallStacks, Location, Profile, Site, StackTime};
use crate::wait::Account;

/// What one line of the program's own source did.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct SiteV1 {
    /// Source file; null: the stack was not seen.
    file: Option<String>,
    /// Line in it.
    line: Option<u32>,
    /// Function.
    function: Option<String>,
    /// What the line calls, where that is a library.
    call: Option<String>,
    /// The program's own code that leads there, nearest first.
    #[serde(default)]
    callers: Vec<LocationV1>,
    /// `cpu`, or why it waits.
    #[schemars(schema_with = "names::account_names")]
    kind: String,
    /// The busiest of the system calls it waits in; empty: it computes.
    #[serde(default)]
    operation: String,
    /// Peer, path or lock; null: several, or not resolved.
    resource: Option<String>,
    /// Process.
    #[serde(default)]
    process: String,
    /// Visits: waits of the busiest system call. Zero where it computes: not known.
    episodes: u64,
    /// Whether the waits were counted one by one; false: estimated.
    #[serde(default)]
    counted: bool,
    /// Blocked time, thread-seconds.
    wait_s: f64,
    /// Wall time that the program spent on it.
    critical_s: Option<f64>,
    /// Mean length of a visit's waiting; null without waits.
    mean_wait_s: Option<f64>,
    /// 95th percentile of a wait.
    p95_wait_s: Option<f64>,
    /// CPU time: of the line where it computes, of what follows its waits where it waits.
    cpu_s: f64,
    /// Share of a computing line's CPU time that held the interpreter lock.
    gil_share: Option<f64>,
    /// Threads that were seen there.
    #[serde(default)]
    threads: u64,
    /// Whether it is an event loop waiting for events.
    in_event_loop: bool,
    /// Tasks of the event loop that waited there at once, on average; absent: it is in no task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tasks: Option<f64>,
    /// Whether an event loop called it, so that no other task could go on meanwhile.
    #[serde(default)]
    blocks_event_loop: bool,
    /// What a scan says of the line; absent: none was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<InSourceV1>,
}

/// A place in the source.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct LocationV1 {
    /// Source file.
    file: Option<String>,
    /// Line in it.
    line: Option<u32>,
    /// Function.
    function: String,
}

/// Time by call stack.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
pub(super) struct CallStacksV1 {
    /// Stacks that were looked at.
    read: u64,
    /// Of them, those that changed while they were read, and so tell nothing.
    torn: u64,
    /// Frames that stacks refer to: function, file, line, and whether it is the program's own code.
    frames: Vec<(String, Option<String>, Option<u32>, bool)>,
    /// Those with most wall time first; of very many, those with least are added up without frames.
    stacks: Vec<StackV1>,
}

/// What threads did with their time in one stack.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct StackV1 {
    /// Process.
    process: String,
    /// `cpu`, or why it waits.
    #[schemars(schema_with = "names::account_names")]
    kind: String,
    /// The system call; empty: it computes.
    operation: String,
    /// Peer, path or lock.
    resource: Option<String>,
    /// Numbers of its frames, innermost first; empty: not seen. In a list of its own to stay on one line.
    frames: [Vec<u32>; 1],
    /// Thread-time.
    time_s: f64,
    /// Wall time that the program spent on it.
    critical_s: f64,
    /// Waits that ended.
    episodes: u64,
}

pub(super) fn sites_v1(profile: &Profile, source: Option<&Joined>) -> Vec<SiteV1> {
    let in_source = source.into_iter().flat_map(|source| source.sites.iter().map(Some));
    profile
        .sites
        .iter()
        .zip(in_source.chain(std::iter::repeat(None)))
        .map(|(site, in_source)| site_v1(site, in_source.map(findings::in_source)))
        .collect()
}

fn site_v1(site: &Site, source: Option<InSourceV1>) -> SiteV1 {
    let Location { function, file, line } = site.at.clone().unwrap_or_default();
    SiteV1 {
        file,
        line,
        function: Some(function).filter(|name| !name.is_empty()),
        call: site.call.clone(),
        callers: site.callers.iter().map(location_v1).collect(),
        kind: site.account.name().to_owned(),
        operation: site.operation.clone(),
        resource: site.resource.clone(),
        process: site.process.clone(),
        episodes: site.episodes,
        counted: site.counted,
        wait_s: seconds(site.wait),
        critical_s: Some(seconds(site.critical)),
        mean_wait_s: mean_wait(site.wait, site.episodes),
        p95_wait_s: site.p95.map(seconds),
        cpu_s: seconds(site.cpu),
        gil_share: site.under_lock.and_then(derived),
        threads: site.threads,
        in_event_loop: site.in_event_loop,
        tasks: site.tasks.and_then(derived),
        blocks_event_loop: site.blocks_event_loop,
        source,
    }
}

pub(super) fn location_v1(location: &Location) -> LocationV1 {
    let Location { function, file, line } = location.clone();
    LocationV1 { file, line, function }
}

pub(super) fn call_stacks_v1(found: &CallStacks) -> CallStacksV1 {
    let frame = |frame: &Frame| (frame.function.clone(), frame.file.clone(), frame.line, frame.own);
    let stack = |stack: &StackTime| StackV1 {
        process: stack.process.clone(),
        kind: stack.account.name().to_owned(),
        operation: stack.operation.clone(),
        resource: stack.resource.clone(),
        frames: [stack.frames.clone()],
        time_s: seconds(stack.time),
        critical_s: seconds(stack.critical),
        episodes: stack.episodes,
    };
    CallStacksV1 {
        read: found.read,
        torn: found.torn,
        frames: found.frames.iter().map(frame).collect(),
        stacks: found.stacks.iter().map(stack).collect(),
    }
}

fn account(name: &str, at: std::fmt::Arguments<'_>) -> Result<Account, JsonError> {
    named(names::account(name), name, at)
}

pub(super) fn site(site: &SiteV1, i: usize) -> Result<Site, JsonError> {
    let wait = time(site.wait_s, format_args!("profile.sites[{i}].wait_s"))?;
    let critical = optional(site.critical_s, format_args!("profile.sites[{i}].critical_s"))?;
    let at = Location {
        function: site.function.clone().unwrap_or_default(),
        file: site.file.clone(),
        line: site.line,
    };
    let under = |value| share(value, format_args!("profile.sites[{i}].gil_share"));
    Ok(Site {
        account: account(&site.kind, format_args!("profile.sites[{i}].kind"))?,
        at: Some(at).filter(|at| *at != Location::default()),
        call: site.call.clone(),
        callers: site.callers.iter().map(location).collect(),
        operation: site.operation.clone(),
        resource: site.resource.clone(),
        process: site.process.clone(),
        episodes: site.episodes,
        counted: site.counted,
        wait,
        critical: critical.unwrap_or(wait),
        p95: optional(site.p95_wait_s, format_args!("profile.sites[{i}].p95_wait_s"))?,
        cpu: time(site.cpu_s, format_args!("profile.sites[{i}].cpu_s"))?,
        under_lock: site.gil_share.map(under).transpose()?,
        threads: site.threads,
        in_event_loop: site.in_event_loop,
        tasks: site.tasks,
        blocks_event_loop: site.blocks_event_loop,
    })
}

pub(super) fn location(location: &LocationV1) -> Location {
    let LocationV1 { file, line, function } = location;
    Location { function: function.clone(), file: file.clone(), line: *line }
}

pub(super) fn call_stacks(found: &CallStacksV1) -> Result<CallStacks, JsonError> {
    let frame = |(function, file, line, own): &(String, Option<String>, Option<u32>, bool)| Frame {
        function: function.clone(),
        file: file.clone(),
        line: *line,
        own: *own,
    };
    let stack = |(i, stack): (usize, &StackV1)| {
        let [frames] = &stack.frames;
        if let Some(strange) = frames.iter().find(|frame| **frame as usize >= found.frames.len()) {
            let at = format_args!("profile.call_stacks.stacks[{i}].frames");
            return Err(refuse(at, strange, "a number in `profile.call_stacks.frames`"));
        }
        let spent = |value: f64, name: &str| -> Result<Duration, JsonError> {
            time(value, format_args!("profile.call_stacks.stacks[{i}].{name}"))
        };
        Ok(StackTime {
            process: stack.process.clone(),
            account: account(&stack.kind, format_args!("profile.call_stacks.stacks[{i}].kind"))?,
            operation: stack.operation.clone(),
            resource: stack.resource.clone(),
            frames: frames.clone(),
            time: spent(stack.time_s, "time_s")?,
            critical: spent(stack.critical_s, "critical_s")?,
            episodes: stack.episodes,
        })
    };
    Ok(CallStacks {
        frames: found.frames.iter().map(frame).collect(),
        stacks: found.stacks.iter().enumerate().map(stack).collect::<Result<_, _>>()?,
        read: found.read,
        torn: found.torn,
    })
}
