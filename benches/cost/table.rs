//! The table that is printed: what, how much, between what, and the bar it must stay under.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::Depth;
use crate::pairs::{Estimate, self_check};
use crate::run;

/// In what a figure is given.
#[derive(Clone, Copy)]
pub(crate) enum Unit {
    /// Of the bare time, with sign.
    Percent,
    /// Of one CPU.
    OfOneCpu,
    Milliseconds,
    Mebibytes,
    MebibytesPerMinute,
    /// Of something else.
    Times,
    /// The same, where a hundredth matters.
    Ratio,
    /// Switches.
    PerSecond,
    /// Of all there were.
    OfAll,
}

/// Over its bar is what lies above it with its whole interval; a median above the bar whose interval holds the bar is
/// `unclear`.
pub(crate) fn verdict(figure: Estimate, bar: Option<f64>) -> &'static str {
    match bar {
        None => "",
        Some(bar) if figure.median <= bar => "ok",
        Some(bar) if figure.low <= bar => "unclear",
        Some(_) => "OVER",
    }
}

/// Lines are printed as they come: a run takes minutes.
pub(crate) struct Table {
    over: usize,
    skipped: usize,
}

impl Table {
    /// Prints what was measured on, and the headings.
    pub(crate) fn begin(depth: Depth) -> io::Result<Self> {
        if !self_check() {
            return Err(io::Error::other("the statistics of the benches are wrong"));
        }
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let mut out = io::stdout().lock();
        writeln!(out, "{cpus} CPUs, Linux {}, load {}", kernel.trim(), run::load())?;
        if depth == Depth::Quick {
            writeln!(out, "quick: the figures only show that the benches work")?;
        }
        let (what, median, interval, best, bar) = ("what", "median", "95 % interval", "best/best", "bar");
        writeln!(out, "\n{what:<58} {median:>10}   {interval:<22} {best:>10} {bar:>10}")?;
        Ok(Self { over: 0, skipped: 0 })
    }

    /// One figure, and the same of the two least disturbed runs where two are compared; see [`verdict`].
    pub(crate) fn line(
        &mut self,
        what: &str,
        figure: Estimate,
        best: Option<f64>,
        (unit, bar): (Unit, Option<f64>),
    ) -> io::Result<()> {
        let verdict = verdict(figure, bar);
        self.over += usize::from(verdict == "OVER");
        let [best, bar] = [best, bar].map(|figure| figure.map_or_else(String::new, |value| unit.show(value)));
        let interval = if (figure.low, figure.high) == (figure.median, figure.median) {
            String::new()
        } else {
            format!("{} … {}", unit.show(figure.low), unit.show(figure.high))
        };
        let median = unit.show(figure.median);
        writeln!(
            io::stdout().lock(),
            "{what:<58} {median:>10}   {interval:<22} {best:>10} {bar:>10}  {verdict}"
        )
    }

    /// A figure that was measured once.
    pub(crate) fn once(&mut self, what: &str, value: f64, unit: Unit, bar: Option<f64>) -> io::Result<()> {
        self.line(what, Estimate { median: value, low: value, high: value }, None, (unit, bar))
    }

    /// What cannot be measured here, and why.
    pub(crate) fn skip(&mut self, what: &str, why: &str) -> io::Result<()> {
        self.skipped += 1;
        writeln!(io::stdout().lock(), "{what:<58} {:>10}   {why}", "not run")
    }

    /// What is no figure.
    pub(crate) fn said(what: &str, words: &str) -> io::Result<()> {
        writeln!(io::stdout().lock(), "{what:<58} {:>10}   {words}", "")
    }

    /// What is wrong, and is no matter of a figure.
    pub(crate) fn wrong(&mut self, what: &str, why: &str) -> io::Result<()> {
        self.over += 1;
        writeln!(io::stdout().lock(), "{what:<58} {:>10}   {why}", "WRONG")
    }

    /// Fails if a figure was over its bar, or something was wrong.
    pub(crate) fn end(self) -> io::Result<ExitCode> {
        let Self { over, skipped } = self;
        let load = run::load();
        writeln!(
            io::stdout().lock(),
            "
load at the end {load}; over their bar or wrong: {over}; not run: {skipped}"
        )?;
        Ok(if over == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Unit {
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            Self::Percent => format!("{value:+.2} %"),
            Self::OfOneCpu | Self::OfAll => format!("{value:.2} %"),
            Self::Milliseconds => format!("{value:.1} ms"),
            Self::Mebibytes => format!("{value:.1} MiB"),
            Self::MebibytesPerMinute => format!("{value:+.2} MiB"),
            Self::Times => format!("{value:.2} x"),
            Self::Ratio if value < 10.0 => format!("{value:.3}"),
            Self::Ratio => format!("{value:.1}"),
            Self::PerSecond => format!("{value:.0} /s"),
        }
    }
}
