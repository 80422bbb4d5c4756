//! The report as one HTML file: for a phone, a screen and paper, light and dark, without scripts and without anything
//! from elsewhere. It says what the text says, in the same words, and draws what text cannot.

mod blocks;
mod charts;
mod strategies;
mod table;

use std::fmt::Write as _;

use self::table::Table;
use super::Report;
use super::markup::escaped;
use super::text::advice::named;
use super::text::{self, Parts};
use crate::units;

const CSS: &str = include_str!("page.css");

/// The page of these programs, in their order.
pub(super) fn to_html(reports: &[Report<'_>]) -> String {
    let parts: Vec<Parts> = reports.iter().map(text::parts).collect();
    let name = |parts: &Parts| parts.header.first().map(ToString::to_string).unwrap_or_default();
    let title = match parts.as_slice() {
        [only] => name(only),
        all => format!("{} programs", all.len()),
    };
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"generator\" content=\"boundby {}\">\n<title>boundby: {}</title>\n\
         <style>\n{CSS}</style>\n</head>\n<body>\n",
        env!("CARGO_PKG_VERSION"),
        escaped(&title)
    );
    if reports.len() > 1 {
        out.push_str(&contents(reports, &parts));
    }
    for (number, (report, parts)) in reports.iter().zip(&parts).enumerate() {
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(out, "<article id=\"program-{}\">", number + 1);
        article(&mut out, report, parts);
        out.push_str("</article>\n");
    }
    let _ = writeln!(
        out,
        "<footer>Written by boundby {}. A prediction is a 90 % interval of a model, not a promise: measure after the \
         change (boundby compare).</footer>\n</body>\n</html>",
        env!("CARGO_PKG_VERSION")
    );
    out
}

/// Which programs there are, what binds each of them and what to do.
fn contents(reports: &[Report<'_>], parts: &[Parts]) -> String {
    let mut table = Table::new(&["program", "bound by", "gain", "do this"]);
    for (number, (report, parts)) in reports.iter().zip(parts).enumerate() {
        let command = parts.header.first().map(ToString::to_string).unwrap_or_default();
        let best = report.advice.recommendations.first();
        let cells = [
            format!("<a href=\"#program-{}\"><code>{}</code></a>", number + 1, escaped(&command)),
            escaped(&report.advice.verdict.bound_by),
            best.and_then(|best| best.predicted).map(|gain| units::factor(gain.speedup)).unwrap_or_default(),
            best.map(|best| escaped(&named(best))).unwrap_or_default(),
        ];
        table.row("", &cells);
    }
    format!("<h1>Programs</h1>\n{}", table.finish())
}

fn article(out: &mut String, report: &Report<'_>, parts: &Parts) {
    let mut header = parts.header.iter();
    if let Some(command) = header.next() {
        let _ = writeln!(out, "<h1>{}</h1>", escaped(&command.to_string()));
    }
    out.push_str("<p class=\"chips\">");
    for chip in header {
        let _ = write!(out, "<span>{}</span>", escaped(&chip.to_string()));
    }
    out.push_str("</p>\n<div class=\"verdict\">\n");
    blocks::bare(out, &parts.verdict);
    out.push_str("</div>\n");
    blocks::sections(out, &parts.advice);
    strategies::write(out, report);
    out.push_str("<h2>What it was doing</h2>\n");
    charts::book(out, &parts.book);
    charts::timeline(out, report.profile);
    out.push_str("<h3>What its threads were doing, each for itself</h3>\n");
    charts::thread_book(out, report.profile);
    blocks::sections(out, &parts.lines);
    blocks::sections(out, &parts.unseen);
}
