//! Both books as bars, and the program's state over time.

use std::fmt::Write as _;

use crate::profile::Profile;
use crate::report::markup::escaped;
use crate::report::text::book::{Row, name_of};
use crate::units;
use crate::wait::Account;

/// Height of the timeline, and the room below it for the axis.
const HEIGHT: f64 = 110.0;
const AXIS: f64 = 20.0;
/// Width of the timeline in its own units; it is drawn as wide as the page.
const WIDTH: f64 = 960.0;
/// Marks along the axis.
const MARKS: u32 = 4;

/// The wall book.
pub(super) fn book(out: &mut String, rows: &[Row]) {
    out.push_str("<div class=\"book\">\n");
    let shares = units::percent_column(&rows.iter().map(|row| row.share).collect::<Vec<_>>());
    for (row, share) in rows.iter().zip(shares) {
        let detail = row.detail.to_string();
        let detail = if detail.is_empty() { detail } else { format!(" <small>{}</small>", escaped(&detail)) };
        bar(out, &(escaped(&row.kind.to_string()) + &detail), row.account, row.share, row.time, &share);
    }
    out.push_str("</div>\n");
}

/// The thread book.
pub(super) fn thread_book(out: &mut String, profile: &Profile) {
    let book = &profile.thread_book;
    let mut rows: Vec<(Account, f64)> = Account::ALL
        .into_iter()
        .filter_map(|account| Some((account, book.share(account).filter(|share| *share >= 0.0005)?)))
        .collect();
    rows.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    out.push_str("<div class=\"book\">\n");
    let shares = units::percent_column(&rows.iter().map(|(_, share)| *share).collect::<Vec<_>>());
    for ((account, share), percent) in rows.into_iter().zip(shares) {
        bar(out, name_of(account), Some(account), share, book.get(account), &percent);
    }
    out.push_str("</div>\n");
}

fn bar(
    out: &mut String,
    name: &str,
    account: Option<Account>,
    share: f64,
    time: std::time::Duration,
    percent: &str,
) {
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(
        out,
        "<div>{name}</div><div class=\"bar\"><i style=\"width:{:.2}%;background:var(--{})\"></i></div>\
         <div class=\"number\">{}</div><div class=\"number\">{}</div>",
        (100.0 * share).clamp(0.0, 100.0),
        account.map_or("rest", Account::name),
        units::seconds(time.as_secs_f64()),
        percent.trim(),
    );
}

/// What the program was doing in each stretch of its wall time; nothing where that was not kept.
pub(super) fn timeline(out: &mut String, profile: &Profile) {
    let timeline = &profile.timeline;
    let wall = profile.wall.as_secs_f64();
    if timeline.books.len() < 2 || wall <= 0.0 {
        return;
    }
    let stretch = timeline.stretch.as_secs_f64();
    let across = |time: f64| (WIDTH * time / wall).clamp(0.0, WIDTH);
    let seen: Vec<Account> = Account::ALL
        .into_iter()
        .filter(|account| timeline.books.iter().any(|book| book[*account] > 0))
        .collect();
    let _ = writeln!(
        out,
        "<h3>From the beginning to the end</h3>\n<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" \
         aria-label=\"what the program was doing over time\" preserveAspectRatio=\"none\">",
        HEIGHT + AXIS
    );
    for (number, book) in timeline.books.iter().enumerate() {
        let (from, to) = (across(number as f64 * stretch), across((number + 1) as f64 * stretch));
        let mut floor = HEIGHT;
        for account in &seen {
            let share = book.share(*account).unwrap_or(0.0);
            if share < 0.004 || to <= from {
                continue;
            }
            let height = share * HEIGHT;
            floor -= height;
            // A hair wider, so that no gap shows between two.
            let _ = writeln!(
                out,
                "<rect x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\" fill=\"var(--{})\"/>",
                floor.max(0.0),
                to - from + 0.3,
                account.name()
            );
        }
    }
    for mark in 0..=MARKS {
        let share = f64::from(mark) / f64::from(MARKS);
        let anchor = match mark {
            0 => "start",
            MARKS => "end",
            _ => "middle",
        };
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
            share * WIDTH,
            HEIGHT + AXIS - 5.0,
            units::seconds(share * wall)
        );
    }
    out.push_str("</svg>\n<p class=\"legend\">");
    for account in seen {
        let _ = write!(
            out,
            "<span><i style=\"background:var(--{})\"></i>{}</span>",
            account.name(),
            name_of(account)
        );
    }
    out.push_str("</p>\n");
}
