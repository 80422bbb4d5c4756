//! A bar for scans that take their time, on a terminal only.

use std::io::IsTerminal;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::scan::Progress;

/// Sooner than this, nobody has begun to wonder.
const PATIENCE: Duration = Duration::from_millis(700);

/// Appears when the patience of a reader at a terminal is at its end.
pub(super) struct Watched {
    bar: ProgressBar,
    since: Instant,
    shown: OnceLock<()>,
    wanted: bool,
}

impl Watched {
    pub(super) fn new(quiet: bool) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("scanning {wide_bar} {pos}/{len} files") {
            bar.set_style(style);
        }
        let wanted = !quiet && std::io::stderr().is_terminal();
        Self { bar, since: Instant::now(), shown: OnceLock::new(), wanted }
    }

    /// Takes it off the terminal.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Watched {
    fn begin(&self, files: usize) {
        self.bar.set_length(files as u64);
    }

    fn file(&self) {
        self.bar.inc(1);
        if self.wanted && self.since.elapsed() > PATIENCE {
            self.shown.get_or_init(|| self.bar.set_draw_target(ProgressDrawTarget::stderr()));
        }
    }
}
