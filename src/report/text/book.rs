//! A book as rows with bars: where the time went, largest first, each with what was waited for.

use std::collections::BTreeMap;
use std::time::Duration;

use super::page::{Page, Role, Text};
use crate::profile::{BlockingPoint, Profile};
use crate::units;
use crate::wait::{Account, Book, WaitKind};

/// Rows below this share are added up in one.
const FOLD: f64 = 0.005;

/// Columns before a row.
const INDENT: usize = 3;
/// Columns that names may take in any case.
const NAMES: usize = 48;

pub(in crate::report) struct Row {
    /// Which account; `None`: several small ones.
    pub(in crate::report) account: Option<Account>,
    /// The name of the account.
    pub(in crate::report) kind: Text,
    /// What in particular; empty where there is no more to say.
    pub(in crate::report) detail: Text,
    pub(in crate::report) time: Duration,
    /// Of the wall time.
    pub(in crate::report) share: f64,
    role: Role,
}

/// Writes the wall book; its rows sum to the wall time.
pub(super) fn write(page: &mut Page<'_>, profile: &Profile) {
    let rows = rows(profile);
    if rows.is_empty() {
        return page.line(INDENT, Text::plain("no wall time was accounted for"));
    }
    write_rows(page, rows);
}

/// Writes the book of threads; its rows sum to their lifetimes.
pub(super) fn write_threads(page: &mut Page<'_>, profile: &Profile) {
    write_rows(page, rows_of(profile, &profile.thread_book, "queued for it"));
}

fn write_rows(page: &mut Page<'_>, rows: Vec<Row>) {
    let times: Vec<String> = rows.iter().map(|row| units::seconds(row.time.as_secs_f64())).collect();
    let shares = units::percent_column(&rows.iter().map(|row| row.share).collect::<Vec<_>>());
    let widest = |texts: &[String]| texts.iter().map(String::len).max().unwrap_or(0);
    let (time_width, share_width) = (widest(&times), widest(&shares));
    let numbers = time_width + 2 + share_width;
    let detailed = rows.iter().filter(|row| !row.detail.is_empty());
    let kind_width = detailed.map(|row| row.kind.width()).max().unwrap_or(0);
    let name_width = |row: &Row| {
        if row.detail.is_empty() { row.kind.width() } else { kind_width + 2 + row.detail.width() }
    };
    let room = page.width().saturating_sub(INDENT + 2 + numbers);
    // Names come before bars: a bar gives way to the name it stands for, but not to a path without end.
    let names = rows.iter().map(name_width).max().unwrap_or(0).min(room).min(NAMES.max(page.width() / 2));
    let bar_width = match room.saturating_sub(names + 2) {
        0..8 => 0,
        left => left.min(if page.width() < 100 { 20 } else { 30 }),
    };
    for ((row, time), share) in rows.into_iter().zip(times).zip(shares) {
        let mut line = row.kind;
        if !row.detail.is_empty() {
            line = pad(line, kind_width + 2);
            let room = names.saturating_sub(line.width());
            line = line.append(page.fit(row.detail, room));
        }
        let line = pad(page.fit(line, names), names + 2)
            .and(Role::Plain, &format!("{time:>time_width$}  {share:>share_width$}"));
        page.line(INDENT, bar(line, row.share, bar_width, row.role));
    }
}

fn pad(text: Text, width: usize) -> Text {
    let missing = width.saturating_sub(text.width());
    text.and(Role::Plain, &" ".repeat(missing))
}

/// Appends a bar; a share too small for one cell has none, which reads calmer than an empty one.
fn bar(line: Text, share: f64, width: usize, role: Role) -> Text {
    let filled = ((share * width as f64).round().max(0.0) as usize).min(width);
    if filled == 0 {
        return line;
    }
    line.and(Role::Plain, "  ").and(role, &"█".repeat(filled)).and(Role::Faint, &"░".repeat(width - filled))
}

/// The wall book, largest first.
pub(in crate::report) fn rows(profile: &Profile) -> Vec<Row> {
    rows_of(profile, &profile.wall_book, "one ran, others queued")
}

/// A book, largest first; `gil`: what time at the interpreter lock means in it.
fn rows_of(profile: &Profile, book: &Book, gil: &str) -> Vec<Row> {
    let mut lines: Vec<(Account, f64)> = Account::ALL
        .into_iter()
        .filter_map(|account| Some((account, book.share(account).filter(|share| *share > 0.0)?)))
        .collect();
    // What cannot be explained comes last, however much it is.
    lines.sort_by(|(one, a), (other, b)| {
        let last = |account: &Account| *account == Account::Unattributed;
        last(one).cmp(&last(other)).then(b.total_cmp(a))
    });
    let (shown, folded): (Vec<_>, Vec<_>) = lines.into_iter().partition(|(_, share)| *share >= FOLD);
    let mut rows: Vec<Row> = shown
        .into_iter()
        .map(|(account, share)| {
            let (role, detail) = detail(profile, account, gil);
            let (kind, detail) = (Text::plain(name_of(account)), Text::new(Role::Plain, &detail));
            Row { account: Some(account), kind, detail, time: book.get(account), share, role }
        })
        .collect();
    let rest: Duration = folded.iter().map(|(account, _)| book.get(*account)).sum();
    let share: f64 = folded.iter().map(|(_, share)| share).sum();
    // What rounds to nothing would only raise questions.
    if share >= 0.0005 {
        let (kind, detail) = (Text::new(Role::Faint, "all else"), Text::default());
        rows.push(Row { account: None, kind, detail, time: rest, share, role: Role::Faint });
    }
    rows
}

/// What a row is for the reader, and what in particular it was.
fn detail(profile: &Profile, account: Account, gil: &str) -> (Role, String) {
    match account {
        Account::Cpu => (Role::Busy, cpu(profile)),
        Account::Wait(WaitKind::Gil) => (Role::Warning, gil.to_owned()),
        Account::Wait(kind) => (Role::Waiting, resource(&profile.blocking_points, kind)),
        Account::Throttled => (Role::Warning, String::new()),
        Account::Runnable | Account::Unattributed => (Role::Faint, String::new()),
    }
}

/// An account in words.
pub(in crate::report) fn name_of(account: Account) -> &'static str {
    match account {
        Account::Runnable => "waiting for a CPU",
        Account::Throttled => "stopped by CPU quota",
        Account::Unattributed => "not attributed",
        Account::Wait(WaitKind::Tty) => "terminal",
        Account::Wait(WaitKind::Child) => "child process",
        Account::Wait(WaitKind::Gil) => "GIL",
        other => other.name(),
    }
}

/// How the CPU time stands to the interpreter lock, and on how many CPUs it ran.
fn cpu(profile: &Profile) -> String {
    let mut parts = Vec::new();
    parts.extend(profile.cpu_split.share().map(|share| match share {
        0.95.. => "holding the GIL".to_owned(),
        ..=0.05 => "outside the GIL".to_owned(),
        _ => format!("{} holding the GIL", units::percent(share)),
    }));
    let book = &profile.wall_book;
    let running = book.get(Account::Cpu) + book.get(Account::Wait(WaitKind::Gil));
    let mean = (profile.cpu_user + profile.cpu_system).as_secs_f64() / running.as_secs_f64();
    if mean.is_finite() && mean >= 1.15 {
        parts.push(format!("{mean:.1} threads at once"));
    }
    parts.join(", ")
}

/// What was waited for: the costliest resource of a kind, and how many others there were.
fn resource(sites: &[BlockingPoint], kind: WaitKind) -> String {
    let mut cost: BTreeMap<String, (Duration, Duration)> = BTreeMap::new();
    for site in sites.iter().filter(|site| site.kind == kind) {
        let total = cost.entry(name(site)).or_default();
        total.0 += site.critical;
        total.1 += site.wait;
    }
    cost.remove("");
    let Some((top, _)) = cost.iter().max_by_key(|(_, total)| **total) else { return String::new() };
    match cost.len() - 1 {
        0 => top.clone(),
        others => format!("{top} (+{others} more)"),
    }
}

fn name(site: &BlockingPoint) -> String {
    match (site.kind, &site.resource) {
        (WaitKind::Network | WaitKind::Pipe | WaitKind::Lock | WaitKind::Tty, Some(resource)) => {
            resource.clone()
        }
        (_, Some(resource)) => format!("{} {resource}", site.operation),
        // The kind says as much as the name of the system call that sleeps or waits for a lock.
        (WaitKind::Sleep | WaitKind::Lock | WaitKind::Child, None) => String::new(),
        (_, None) => site.operation.clone(),
    }
}
