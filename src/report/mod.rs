//! Turns one measured and advised program into bytes: one renderer per format, behind one table.
//!
//! Pure: knows the data of the profile, the machine and the advice, and how to show them. Must not measure,
//! decide or predict anything, and reads no clock, file, terminal or environment; the caller says in [`Style`]
//! what the reader's terminal can show. [`json`] defines the public format, which is separate from all other
//! types.

pub mod comparison;
pub mod decision;
mod formats;
mod html;
pub mod json;
mod markdown;
mod markup;
mod plot;
pub mod scan;
pub mod simulation;
mod stacks;
mod style;
pub mod sweep;
mod text;
mod trace;

pub use style::{Style, Terminal};
pub use text::live;

use std::io::{self, Write};

use self::formats::Formats;
use crate::advice::Advice;
use crate::join::Joined;
use crate::machine::Machine;
use crate::profile::Profile;

/// What a report shows: one program on one machine, and what to do about it.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// What was measured.
    pub profile: &'a Profile,
    /// Where.
    pub machine: &'a Machine,
    /// What follows from it.
    pub advice: &'a Advice,
    /// What a scan of its source says, where one was made.
    pub source: Option<&'a Joined>,
}

/// The formats a report can be written in. A new one is one file, one variant and one row of `RENDERERS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Format {
    /// For people, on a terminal or in a log.
    #[default]
    Text,
    /// For programs: the stable contract, readable again by [`json::from_json`].
    Json,
    /// For people, as one page of a browser.
    Html,
    /// For people, in a wiki, a comment or a summary.
    Markdown,
    /// Call stacks in lines, for `FlameGraph` and its kin.
    Folded,
    /// Call stacks for <https://www.speedscope.app>.
    Speedscope,
    /// Call stacks for <https://profiler.firefox.com>.
    Firefox,
    /// Call stacks for `pprof`.
    Pprof,
    /// Call stacks as a drawing (SVG).
    Flamegraph,
    /// What it was bound by when, for <https://ui.perfetto.dev> and Chrome.
    Trace,
}

/// What a format shows, and what writes it.
#[derive(Clone, Copy)]
enum Render {
    /// The report.
    Whole(fn(&Report<'_>, &Style) -> Vec<u8>),
    /// Several reports in one.
    Document(fn(&[Report<'_>]) -> String),
    /// Its call stacks, for a viewer.
    Stacks(fn(&Profile) -> Vec<u8>),
    /// Its timeline, for a viewer.
    Timeline(fn(&Profile) -> Vec<u8>),
}

const RENDERERS: Formats<Format, Render> = Formats(&[
    (Format::Text, "text", Render::Whole(|report, style| text::to_text(report, style).into_bytes())),
    (Format::Json, "json", Render::Whole(|report, _| json::to_json(report))),
    (Format::Html, "html", Render::Document(html::to_html)),
    (Format::Markdown, "markdown", Render::Document(markdown::to_markdown)),
    (Format::Folded, "folded", Render::Stacks(|profile| stacks::to_folded(profile).into_bytes())),
    (Format::Speedscope, "speedscope", Render::Stacks(|profile| stacks::to_speedscope(profile).into_bytes())),
    (Format::Firefox, "firefox", Render::Stacks(|profile| stacks::to_firefox(profile).into_bytes())),
    (Format::Pprof, "pprof", Render::Stacks(stacks::to_pprof)),
    (Format::Flamegraph, "flamegraph", Render::Stacks(|profile| stacks::to_flamegraph(profile).into_bytes())),
    (Format::Trace, "trace", Render::Timeline(to_trace)),
]);

impl Format {
    /// Every format, in the order of the help text.
    pub fn all() -> impl Iterator<Item = Self> {
        RENDERERS.all()
    }

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        RENDERERS.name(self)
    }

    /// The format with this [`name`](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        RENDERERS.named(name)
    }

    /// Whether it shows call stacks for a viewer, and nothing else.
    #[must_use]
    pub fn is_of_stacks(self) -> bool {
        matches!(RENDERERS.renderer(self), Render::Stacks(_))
    }

    /// Whether it shows what was when, for a viewer, and nothing else.
    #[must_use]
    pub fn is_of_time(self) -> bool {
        matches!(RENDERERS.renderer(self), Render::Timeline(_))
    }

    /// Whether several reports make one of it.
    #[must_use]
    pub fn holds_several(self) -> bool {
        self == Self::Text || matches!(RENDERERS.renderer(self), Render::Document(_))
    }
}

/// The report as bytes, ending in a newline. Same report and style in, same bytes out.
#[must_use]
pub fn render(report: &Report<'_>, format: Format, style: &Style) -> Vec<u8> {
    render_all(std::slice::from_ref(report), format, style)
}

/// Writes what each thread was doing when, for <https://ui.perfetto.dev> and Chrome.
///
/// # Errors
/// Whatever `out` says.
pub fn write_trace(profile: &Profile, out: &mut dyn Write) -> io::Result<()> {
    trace::write(profile, out)
}

fn to_trace(profile: &Profile) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Memory refuses nothing.
    let _ = trace::write(profile, &mut bytes);
    bytes
}

/// Several reports, one after the other or, where the format has room for them, in one document.
#[must_use]
pub fn render_all(reports: &[Report<'_>], format: Format, style: &Style) -> Vec<u8> {
    let each = |write: &dyn Fn(&Report<'_>) -> Vec<u8>| reports.iter().map(write).collect::<Vec<_>>();
    match RENDERERS.renderer(format) {
        Render::Whole(write) => each(&|report| write(report, style)).join(&b'\n'),
        Render::Stacks(write) | Render::Timeline(write) => each(&|report| write(report.profile)).concat(),
        Render::Document(write) => write(reports).into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_has_one_row_and_is_found_by_its_name() {
        for format in Format::all() {
            assert_eq!(Format::all().filter(|other| *other == format).count(), 1);
            assert_eq!(Format::from_name(format.name()), Some(format));
        }
        assert_eq!(Format::from_name("pdf"), None);
    }
}
