//! How things stand, for the screen of a terminal: the verdict so far, both books and the lines, as far as they fit, with
//! what the keys do. Knows neither terminals nor keys, only a size and what the reader asked for.

use std::cmp::Reverse;
use std::time::Duration;

use super::page::{Page, Role, Text};
use super::{advice, book, header, lines, verdict};
use crate::profile::{Profile, Site};
use crate::report::{Report, Style};
use crate::units;
use crate::wait::Account;

/// What lines are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// Wall time that the program spent there.
    #[default]
    Wall,
    /// Time threads waited there.
    Waiting,
    /// Time threads computed there.
    Computing,
}

impl Sort {
    /// The next one, and after the last the first.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Wall => Self::Waiting,
            Self::Waiting => Self::Computing,
            Self::Computing => Self::Wall,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Wall => "wall time",
            Self::Waiting => "waiting",
            Self::Computing => "computing",
        }
    }
}

/// What the reader wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct View {
    /// Order of the lines.
    pub sort: Sort,
    /// Lines of the list that are out of sight above.
    pub scroll: usize,
    /// Whether it stands still.
    pub paused: bool,
    /// Whether the keys are explained.
    pub help: bool,
}

/// What is known of the view itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About<'a> {
    /// What quitting means.
    pub quits: &'a str,
    /// How long the measurement waited for the last showing.
    pub cost: Duration,
    /// How long it took to sum it up and judge it, meanwhile.
    pub judged: Duration,
}

/// Lines of code shown, at most.
const SITES: usize = 40;
/// Rows from which on the verdict stays in sight while the rest is scrolled.
const TALL: usize = 14;
/// What the keys do.
const KEYS: [(&str, &str); 6] = [
    ("q, Ctrl-C", "quit"),
    ("p, space", "stand still, go on"),
    ("s", "sort lines by wall time, waiting, computing"),
    ("j k, arrows, PgUp PgDn", "scroll"),
    ("g G, Home End", "to the top, to the end"),
    ("? h", "this help"),
];

/// The screen as so many `rows`, and how far can be scrolled.
#[must_use]
pub fn screen(
    report: &Report<'_>,
    view: &View,
    about: &About<'_>,
    rows: usize,
    style: &Style,
) -> (Vec<String>, usize) {
    let is_tall = rows >= TALL;
    let mut head = laid_out(style, |page| top(page, report, is_tall));
    let mut body =
        laid_out(style, |page| if view.help { help(page, about) } else { list(page, report, view) });
    let foot = laid_out(style, |page| footer(page, view));
    let room = rows.saturating_sub(foot.len());
    if !is_tall || head.len() + TALL / 2 > room {
        head.append(&mut body);
        (head, body) = (Vec::new(), head);
    }
    let room = room.saturating_sub(head.len());
    let furthest = body.len().saturating_sub(room);
    let shown = body.into_iter().skip(view.scroll.min(furthest)).take(room);
    let mut screen: Vec<String> = head.into_iter().chain(shown).collect();
    screen.resize(rows.saturating_sub(foot.len()), String::new());
    screen.extend(foot);
    screen.truncate(rows);
    (screen, furthest)
}

fn laid_out(style: &Style, write: impl FnOnce(&mut Page<'_>)) -> Vec<String> {
    let mut page = Page::new(style);
    write(&mut page);
    page.finish().lines().map(str::to_owned).collect()
}

/// Where there is little room, the verdict comes first.
fn top(page: &mut Page<'_>, report: &Report<'_>, is_tall: bool) {
    if is_tall {
        page.items(header::items(report));
        page.blank();
    }
    verdict::write(page, report, false);
    if let Some(best) = report.advice.recommendations.first() {
        page.section("So far", advice::action(best, report).into_iter().take(2));
    }
    if !is_tall {
        page.items(header::items(report));
    }
    page.blank();
}

fn list(page: &mut Page<'_>, report: &Report<'_>, view: &View) {
    let profile = report.profile;
    title(page, "The program, by wall time");
    book::write(page, profile);
    page.blank();
    title(page, &format!("Its {}", units::count(profile.threads, "thread")));
    book::write_threads(page, profile);
    page.blank();
    sites(page, profile, view.sort);
}

/// One line for each line of code; what the kernel knows, where none was seen.
fn sites(page: &mut Page<'_>, profile: &Profile, sort: Sort) {
    let mut sites: Vec<&Site> = profile.sites.iter().collect();
    sites.sort_by_key(|site| {
        Reverse(match sort {
            Sort::Wall => site.critical,
            Sort::Waiting => site.wait,
            Sort::Computing => site.cpu,
        })
    });
    title(page, &format!("Where, by {}", sort.name()));
    if sites.is_empty() {
        return line(page, 3, Text::new(Role::Faint, "nothing was seen yet"));
    }
    let columns = format!("{:>7} {:>8} {:>8}  {:9}", "wall", "waiting", "cpu", "kind");
    line(page, 3, Text::new(Role::Faint, &columns));
    let wall = profile.wall.as_secs_f64().max(f64::MIN_POSITIVE);
    for site in sites.into_iter().take(SITES) {
        let share = units::percent(site.critical.as_secs_f64() / wall);
        let [wait, cpu] = [site.wait, site.cpu].map(|time| units::seconds(time.as_secs_f64()));
        let role = if site.account == Account::Cpu { Role::Busy } else { Role::Waiting };
        let numbers = Text::plain(&format!("{share:>7} {wait:>8} {cpu:>8}  "));
        let whole = numbers
            .and(role, &format!("{:9}", lines::kind(site)))
            .and(Role::Plain, &format!(" {}", whereabouts(site, profile)));
        line(page, 3, whole);
    }
}

fn title(page: &mut Page<'_>, text: &str) {
    line(page, 1, Text::new(Role::Label, text));
}

/// One line, cut where the page ends.
fn line(page: &mut Page<'_>, indent: usize, text: Text) {
    let text = page.cut(text, page.width().saturating_sub(indent));
    page.line(indent, text);
}

fn whereabouts(site: &Site, profile: &Profile) -> String {
    if let Some(at) = &site.at {
        let call = site.call.as_ref().map(|call| format!(": {call}")).unwrap_or_default();
        return format!("{}{call}", lines::named(at, profile));
    }
    let known = [site.operation.as_str(), site.resource.as_deref().unwrap_or_default(), &site.process];
    known.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn help(page: &mut Page<'_>, about: &About<'_>) {
    for (keys, what) in KEYS {
        let what = if what == "quit" { about.quits } else { what };
        page.section("", [Text::new(Role::Strong, &format!("{keys}: ")).append(Text::plain(what)).into()]);
    }
    let [cost, judged] = [about.cost, about.judged].map(|time| units::seconds(time.as_secs_f64()));
    let notes = [
        "The books are those of the report, as if the program ended now; they are made once a second.",
        "Lines of native code are named in the report only: looking them up would disturb the measurement.",
        &format!("For what is shown now the measurement waited {cost}; judging it took {judged} meanwhile."),
    ];
    page.blank();
    page.section("", notes.map(|note| Text::plain(note).into()));
}

fn footer(page: &mut Page<'_>, view: &View) {
    let keys = if view.paused { "p goes on" } else { "p pause" };
    let mut items = Vec::new();
    if view.paused {
        items.push(Text::new(Role::Warning, "paused"));
    }
    items.push(Text::new(Role::Faint, &format!("q quit  {keys}  s sort  ? help")));
    let whole = items.into_iter().reduce(|line, item| line.and(Role::Plain, "  ").append(item));
    line(page, 1, whole.unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::Advice;
    use crate::machine::Machine;
    use crate::profile::Location;
    use crate::wait::WaitKind;

    const ABOUT: About<'_> =
        About { quits: "quit", cost: Duration::from_micros(300), judged: Duration::from_millis(7) };

    fn site(function: &str, critical: u64, wait: u64, cpu: u64) -> Site {
        Site {
            account: if cpu > wait { Account::Cpu } else { Account::Wait(WaitKind::Sleep) },
            at: Some(Location {
                function: function.to_owned(),
                file: Some("a.py".to_owned()),
                line: Some(1),
            }),
            call: None,
            callers: Vec::new(),
            operation: "sleep".to_owned(),
            resource: None,
            process: "a".to_owned(),
            episodes: 1,
            counted: true,
            wait: Duration::from_secs(wait),
            critical: Duration::from_secs(critical),
            p95: None,
            cpu: Duration::from_secs(cpu),
            under_lock: None,
            threads: 1,
            in_event_loop: false,
            tasks: None,
            blocks_event_loop: false,
        }
    }

    fn profile() -> Profile {
        let mut profile = Profile {
            command: vec!["a".to_owned()],
            wall: Duration::from_secs(10),
            threads: 2,
            sites: vec![site("most", 6, 1, 2), site("waits", 3, 20, 0), site("computes", 1, 0, 9)],
            ..Profile::default()
        };
        profile.wall_book[Account::Cpu] = 4_000_000_000;
        profile.wall_book[Account::Wait(WaitKind::Sleep)] = 6_000_000_000;
        profile.thread_book = profile.wall_book;
        profile
    }

    fn shown(view: &View, rows: usize, width: usize) -> (Vec<String>, usize) {
        let (profile, machine, advice) = (profile(), Machine::default(), Advice::default());
        let report = Report { profile: &profile, machine: &machine, advice: &advice, source: None };
        screen(&report, view, &ABOUT, rows, &Style { width, ..Style::PLAIN })
    }

    #[test]
    fn every_size_is_filled_and_none_is_exceeded() {
        for rows in 0..60 {
            for width in [30, 31, 48, 80, 110] {
                for view in
                    [View::default(), View { help: true, scroll: 99, paused: true, ..View::default() }]
                {
                    let (lines, _) = shown(&view, rows, width);
                    assert_eq!(lines.len(), rows);
                    let widest = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
                    assert!(widest <= width, "{rows}×{width}: {lines:#?}");
                }
            }
        }
    }

    #[test]
    fn a_usual_window_shows_verdict_both_books_and_lines() {
        let text = shown(&View::default(), 24, 80).0.join("\n");
        for word in
            ["Bound by", "The program, by wall time", "Its 2 threads", "Where, by wall time", "q quit"]
        {
            assert!(text.contains(word), "`{word}` is missing:\n{text}");
        }
    }

    #[test]
    fn the_smallest_window_shows_the_verdict() {
        let (lines, furthest) = shown(&View::default(), 5, 30);
        assert!(lines[0].contains("Bound by") && furthest > 10, "{lines:#?}");
    }

    #[test]
    fn lines_are_sorted_by_what_is_asked_for() {
        let first = |sort| {
            let (lines, _) = shown(&View { sort, ..View::default() }, 60, 80);
            let functions: Vec<String> =
                lines.iter().filter_map(|line| line.split(" in ").nth(1)).map(str::to_owned).collect();
            functions[0].clone()
        };
        let all = [Sort::Wall, Sort::Wall.next(), Sort::Wall.next().next()];
        assert_eq!(all.map(first), ["most", "waits", "computes"]);
        assert_eq!(all[2].next(), Sort::Wall);
    }

    #[test]
    fn what_is_scrolled_ends_with_its_last_line() {
        let (top, furthest) = shown(&View::default(), 16, 80);
        assert!(furthest > 0);
        let (end, same) = shown(&View { scroll: 1000, ..View::default() }, 16, 80);
        assert_eq!(same, furthest);
        assert!(end[14].contains("computes") && !top[14].contains("computes"), "{end:#?}");
        assert!(top[0] == end[0], "the verdict stays");
    }
}
