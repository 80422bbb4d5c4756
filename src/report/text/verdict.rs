//! What binds the program, and how sure that is.

use super::page::{Page, Role, Text};
use crate::profile::Profile;
use crate::report::Report;
use crate::units;
use crate::wait::{Account, WaitKind};

/// Share of the wall time in the run queue from which on the verdict names it.
const NOTABLE_QUEUE: f64 = 0.1;

/// What binds, and how sure that is.
pub(super) fn write(page: &mut Page<'_>, report: &Report<'_>, verbose: bool) {
    let verdict = &report.advice.verdict;
    let bound = if verdict.bound_by.is_empty() { "not known" } else { &verdict.bound_by };
    // The share of a mixture would be a share of what?
    let of_wall = bound != "mixed" && is_of_wall(report.profile, verdict.share);
    let shown = if of_wall {
        let queued = queued_too(bound, report.profile);
        format!("{}{} of the wall time{queued}", in_words(bound), units::percent(verdict.share))
    } else {
        verdict.summary.clone()
    };
    let mut line = Text::new(Role::Strong, bound);
    if !shown.is_empty() {
        line = line.and(Role::Plain, ": ").append(Text::plain(&shown));
    }
    let confidence = Text::plain(&format!("confidence {}", verdict.confidence.name()));
    // Beside each other where there is room, else below each other.
    let apart = if line.width() + 3 + confidence.width() > page.room() {
        confidence
    } else {
        line = line.append(Text::plain("   ").append(confidence).unbroken());
        Text::default()
    };
    let summary = if of_wall && verbose { verdict.summary.as_str() } else { "" };
    page.section("Bound by", [line.into(), apart.into(), Text::plain(summary).into()]);
}

/// Whether the wall book has this share; that of a lock may be one of the thread book, and a mixture has none.
fn is_of_wall(profile: &Profile, share: f64) -> bool {
    let of = |account: Account| profile.wall_book.share(account).unwrap_or(0.0);
    let computing = of(Account::Cpu) + of(Account::Wait(WaitKind::Gil));
    let unasked = of(Account::Wait(WaitKind::Idle)) + of(Account::Wait(WaitKind::Tty));
    let shares = Account::ALL.into_iter().map(of).chain([computing, unasked]);
    share > 0.0 && shares.into_iter().any(|one| (one - share).abs() < 0.001)
}

/// What computing lost to other programs, where that is much: it would look like little computing else.
fn queued_too(bound_by: &str, profile: &Profile) -> String {
    let queued = profile.wall_book.share(Account::Runnable).unwrap_or(0.0);
    if bound_by != "cpu" || queued < NOTABLE_QUEUE {
        return String::new();
    }
    format!(", waiting for one {}", units::percent(queued))
}

/// What a verdict means where its name does not say it; ends in a space.
fn in_words(bound_by: &str) -> &'static str {
    match bound_by {
        "gil" => "threads take turns ",
        "contended" => "no free CPU for ",
        "throttled" => "stopped for ",
        "idle" => "nothing to do ",
        "child" => "unseen processes ",
        _ => "",
    }
}
