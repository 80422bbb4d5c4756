//! For people: each finding with the source it is about, the calls that lead there, why it matters and what to write
//! instead.

use std::fmt::Write as _;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{Annotation, AnnotationKind, Element, Level, Renderer, Snippet};

use super::causes::{Cause, causes};
use super::{ScanReport, concise, harmless, way};
use crate::finding::{Cost, Finding, Place, Severity};
use crate::report::Style;
use crate::units;
use crate::wait::WaitKind;

/// A construct over more lines is shown by its first one.
const TALLEST: u32 = 4;
/// Excerpts are cut out of a window around what they show: some files have a megabyte on a line.
const WINDOW: usize = 2000;
/// Columns that labels and frame take from the width of prose.
const FRAME: usize = 14;

pub(super) fn render(report: &ScanReport<'_>, style: &Style) -> String {
    let mut out = String::new();
    for cause in causes(report.findings) {
        out.push_str(&shown(report, &cause, style));
        out.push_str("\n\n");
    }
    let notices = concise::notices(report);
    if !notices.is_empty() {
        out.push_str(&notices);
        out.push('\n');
    }
    if report.quiet {
        return out;
    }
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{}", report.summary());
    for aside in report.asides() {
        let _ = writeln!(out, "  {aside}");
    }
    out
}

fn shown(report: &ScanReport<'_>, cause: &Cause<'_>, style: &Style) -> String {
    let finding = cause.finding;
    let seen = &finding.seen;
    let level = match (finding.opportunity, finding.severity) {
        (true, _) => Level::HELP.with_name("opportunity"),
        (_, Severity::Error) => Level::ERROR,
        (_, Severity::Warning) => Level::WARNING,
        (_, Severity::Note) => Level::NOTE,
    };
    let width = style.width.saturating_sub(FRAME).max(20);
    let mut elements: Vec<Element<'_>> = excerpts(report, finding);
    let mut say = |name: &'static str, text: &str| {
        let text = wrapped(text, width, name.len() + 2);
        elements.push(Level::NOTE.with_name(name).message(text).into());
    };
    if let Some(measured) = report.measured(finding) {
        say("measured", &measured);
    }
    if seen.reached_from > 1 {
        say("reached", &format!("from {}", units::count(seen.reached_from as u64, "function")));
    }
    for chain in seen.chains.iter().skip(1) {
        say("also", &way(chain));
    }
    if let Some(elsewhere) = cause.elsewhere(report.from_here) {
        let through = seen.cause.as_ref().filter(|name| **name != seen.symbol);
        let through = through.map(|name| format!("all through `{name}`: ")).unwrap_or_default();
        say("with it", &format!("{through}{elsewhere}"));
    }
    if style.verbose || !finding.why.is_empty() {
        say("why", &finding.why);
    }
    say("instead", &finding.cure);
    if let Some(fix) = &seen.fix {
        say("fix", &format!("{} (--fix does it)", fix.title));
    }
    let title = level.primary_title(finding.message.as_str()).id(seen.rule);
    let renderer = if style.color { Renderer::styled() } else { Renderer::plain() };
    let decor = if style.unicode && style.color { DecorStyle::Unicode } else { DecorStyle::Ascii };
    let drawn = renderer.decor_style(decor).term_width(style.width).render(&[title.elements(elements)]);
    if style.unicode { drawn } else { drawn.replace('→', "->") }
}

/// One excerpt per file: what is wrong first, then the calls that lead there.
fn excerpts<'a>(report: &ScanReport<'a>, finding: &Finding) -> Vec<Element<'a>> {
    let place = &finding.seen.place;
    let mut marks: Vec<(&Place, Option<String>, bool)> = vec![(place, Some(label(finding)), true)];
    if let Some(chain) = finding.seen.chains.first() {
        for hop in chain {
            // The last call usually is what is marked already.
            if hop.place.bytes != place.bytes || hop.place.path != place.path {
                marks.push((&hop.place, Some(format!("`{}` calls `{}`", hop.function, hop.callee)), false));
            }
        }
    }
    let mut paths: Vec<&str> = Vec::new();
    for (place, ..) in &marks {
        if !paths.contains(&&*place.path) {
            paths.push(&place.path);
        }
    }
    let mut elements = Vec::new();
    for path in paths {
        let of_file: Vec<_> = marks.iter().filter(|(place, ..)| &*place.path == path).collect();
        if let Some(text) = (report.text)(path) {
            elements.extend(excerpt(text, &(report.from_here)(path), &of_file));
        }
    }
    if elements.is_empty() {
        let origin = annotate_snippets::Origin::path((report.from_here)(&place.path));
        elements.push(origin.line(place.line as usize).char_column(place.column as usize).into());
    }
    elements
}

fn excerpt<'a>(text: &'a str, path: &str, marks: &[&(&Place, Option<String>, bool)]) -> Option<Element<'a>> {
    let first = marks.iter().min_by_key(|(place, ..)| place.bytes.0)?.0;
    let last = marks.iter().map(|(place, ..)| place.bytes.1).max()? as usize;
    let start = boundary(text, first.bytes.0 as usize);
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let from = boundary(text, line_start.max(start.saturating_sub(WINDOW)));
    let last = boundary(text, last.max(start));
    let end = text[last..].find('\n').map_or(text.len(), |at| last + at);
    let source = &text[from..boundary(text, end.min(last + WINDOW))];
    let annotations: Vec<Annotation<'a>> = marks
        .iter()
        .map(|(place, label, primary)| {
            let kind = if *primary { AnnotationKind::Primary } else { AnnotationKind::Context };
            let span = span(source, from, place);
            kind.span(span).label(label.clone().filter(|label| !label.is_empty()))
        })
        .collect();
    let snippet = Snippet::source(source).line_start(first.line as usize).path(path.to_owned());
    Some(snippet.annotations(annotations).into())
}

/// The bytes of a place within an excerpt that begins at `from`.
fn span(source: &str, from: usize, place: &Place) -> Range<usize> {
    let within = |offset: u32| boundary(source, (offset as usize).saturating_sub(from));
    let (start, mut end) = (within(place.bytes.0), within(place.bytes.1));
    if place.end_line - place.line >= TALLEST {
        end = source[start..].find('\n').map_or(source.len(), |at| start + at);
    }
    start..end.max(start)
}

fn boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// What is under the mark: what it waits for, and how long.
fn label(finding: &Finding) -> String {
    let waits = finding.seen.wait.map(|wait| match wait {
        WaitKind::Network => "waits for the network",
        WaitKind::Disk => "waits for files",
        WaitKind::Pipe => "waits for another process",
        WaitKind::Lock => "waits for a lock",
        WaitKind::Sleep => "sleeps",
        WaitKind::Child => "waits for a child process",
        WaitKind::Tty => "waits for a person",
        _ => "waits",
    });
    let long = finding.seen.cost.map(|cost| match cost {
        Cost::Micro => "microseconds",
        Cost::Small => "about a millisecond",
        Cost::Several => "about a millisecond for each of many",
        Cost::Large => "10 ms and more",
        Cost::Unbounded => "for as long as it takes",
    });
    [waits, long].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Words in lines of at most `width` columns, the first of which begins `used` columns in.
fn wrapped(text: &str, width: usize, used: usize) -> String {
    let mut out = String::new();
    let mut column = used;
    for line in text.trim_end().lines() {
        if !out.is_empty() {
            out.push('\n');
            column = used;
        }
        for word in harmless(line).split(' ') {
            let long = word.chars().count();
            if column > used && column + 1 + long > width {
                out.push('\n');
                column = used;
            } else if column > used {
                out.push(' ');
                column += 1;
            }
            out.push_str(word);
            column += long;
        }
    }
    out
}
