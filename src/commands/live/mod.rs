//! The live view of `boundby top` and `profile --live`: what is measured so far, on the whole screen of a terminal. It is
//! drawn in a thread of its own, so that the looks at the program wait for a copy of the books and nothing else.

mod keys;
mod screen;

use std::fs::File;
use std::io::{IsTerminal, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::consts::SIGWINCH;

use self::keys::{Key, keys};
use self::screen::Screen;
use super::calibrate;
use super::terminal::{Sink, style_for};
use crate::advice::{Advice, advise_for};
use crate::facts::{Goals, Scanned};
use crate::machine::Machine;
use crate::profile::{Profile, Standing, Watcher};
use crate::report::live::{About, View, screen as lay_out};
use crate::report::{Report, Style};
use crate::rules::RuleSet;

/// Age of a recording at which it is shown for the first time: what is over by then is shown by its report alone.
const FIRST: Duration = Duration::from_millis(250);
/// How often it is shown.
const EVERY: Duration = Duration::from_secs(1);
/// What one showing keeps the looks at the program from is at most one part in so many of the time.
const BUDGET: u32 = 100;

/// What is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Watched {
    /// A command that boundby starts.
    Command,
    /// A process that runs in any case.
    Process(i32),
}

/// A live view that can be shown.
#[derive(Debug)]
pub(super) struct Live {
    terminal: File,
    watched: Watched,
}

impl Live {
    /// Makes sure that there is a terminal to draw on, and that nobody else writes to it.
    ///
    /// # Errors
    /// Says what is in the way and what to type.
    pub(super) fn prepare(watched: Watched) -> anyhow::Result<Self> {
        let (out, err) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        match watched {
            Watched::Process(pid) if !out => bail!(
                "a live view needs a terminal, and standard output is none; for a report type: boundby profile --pid {pid}"
            ),
            Watched::Command if out || err => bail!(
                "the command's own output would go across the live view: send it elsewhere, as in: \
                 boundby profile --live -- CMD >out.txt 2>err.txt"
            ),
            _ => {}
        }
        let instead = match watched {
            Watched::Process(pid) => format!("for a report type: boundby profile --pid {pid}"),
            Watched::Command => "type it without --live: boundby profile -- CMD".to_owned(),
        };
        if std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb") {
            bail!("a live view needs a terminal that can place its cursor (TERM does not say so); {instead}");
        }
        let terminal = screen::terminal().with_context(|| {
            format!("a live view needs a terminal, and boundby was started from none; {instead}")
        })?;
        Ok(Self { terminal, watched })
    }

    /// Shows what `measure` finds while it lasts, judged by the rules and against the goals.
    ///
    /// # Errors
    /// There is no way to wake the view up.
    pub(super) fn show<T>(
        self,
        overlay: Option<&Path>,
        goals: &Goals,
        measure: impl FnOnce(&mut dyn Watcher) -> T,
    ) -> anyhow::Result<T> {
        let (bell, ringing) = bell().context("cannot draw a live view: measure without one")?;
        let resized =
            bell.try_clone().and_then(|bell| signal_hook::low_level::pipe::register(SIGWINCH, bell));
        let exchange = Exchange::new(bell);
        let done = std::thread::scope(|scope| {
            let drawing = scope.spawn(|| Drawing::new(&self, &exchange, (overlay, goals)).go_on(&ringing));
            let over = Over(&exchange);
            let done = measure(&mut Onlooker { exchange: &exchange, age: Duration::ZERO, next: FIRST });
            drop(over);
            // If it panicked, that was said; what was measured is there all the same.
            let _ = drawing.join();
            done
        });
        if let Ok(resized) = resized {
            signal_hook::low_level::unregister(resized);
        }
        Ok(done)
    }

    /// What quitting means.
    fn quits(&self) -> &'static str {
        match self.watched {
            Watched::Command => "leave the view; the measurement goes on until the command ends",
            Watched::Process(_) => "quit; the process goes on",
        }
    }
}

/// Two ends of a line on which anybody, a signal handler included, can wake up the view.
fn bell() -> std::io::Result<(UnixStream, UnixStream)> {
    let (bell, ringing) = UnixStream::pair()?;
    bell.set_nonblocking(true)?;
    ringing.set_nonblocking(true)?;
    Ok((bell, ringing))
}

/// What the thread that measures and the one that draws know of each other.
#[derive(Debug)]
struct Exchange {
    bell: UnixStream,
    /// The latest; what nobody took in time is of no interest.
    standing: Mutex<Option<Standing>>,
    /// Nobody looks any more, or at the moment.
    is_left: AtomicBool,
    is_paused: AtomicBool,
    /// Nothing more will come.
    is_over: AtomicBool,
}

impl Exchange {
    fn new(bell: UnixStream) -> Self {
        let [is_left, is_paused, is_over] = [(); 3].map(|()| AtomicBool::new(false));
        Self { bell, standing: Mutex::new(None), is_left, is_paused, is_over }
    }

    fn ring(&self) {
        // A bell that rings already is as good.
        let _ = (&self.bell).write(&[0]);
    }

    fn standing(&self) -> std::sync::MutexGuard<'_, Option<Standing>> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the view that nothing more will come, also if measuring panics.
struct Over<'e>(&'e Exchange);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Release);
        self.0.ring();
    }
}

/// Hands on what is measured.
struct Onlooker<'e> {
    exchange: &'e Exchange,
    age: Duration,
    /// Age at which it is due next.
    next: Duration,
}

impl Watcher for Onlooker<'_> {
    fn is_due(&mut self, age: Duration) -> bool {
        self.age = age;
        let is_wanted = |flag: &AtomicBool| !flag.load(Ordering::Acquire);
        age >= self.next && is_wanted(&self.exchange.is_left) && is_wanted(&self.exchange.is_paused)
    }

    fn see(&mut self, standing: Standing) {
        self.next = self.age + EVERY.max(standing.cost * BUDGET);
        *self.exchange.standing() = Some(standing);
        self.exchange.ring();
    }

    fn has_enough(&self) -> bool {
        self.exchange.is_left.load(Ordering::Acquire)
    }
}

/// The view, as its thread keeps it.
struct Drawing<'d> {
    live: &'d Live,
    exchange: &'d Exchange,
    overlay: Option<&'d Path>,
    goals: &'d Goals,
    rules: Option<RuleSet>,
    shown: Option<(Profile, Machine, Advice)>,
    /// How long the measurement waited for it, and how long judging it took.
    took: [Duration; 2],
    view: View,
    /// How far can be scrolled, and the lines of a page.
    furthest: usize,
    page: usize,
    screen: Option<Screen>,
}

impl Drop for Drawing<'_> {
    fn drop(&mut self) {
        self.exchange.is_left.store(true, Ordering::Release);
    }
}

impl<'d> Drawing<'d> {
    fn new(live: &'d Live, exchange: &'d Exchange, (overlay, goals): (Option<&'d Path>, &'d Goals)) -> Self {
        Self {
            live,
            exchange,
            overlay,
            goals,
            rules: None,
            shown: None,
            took: [Duration::ZERO; 2],
            view: View::default(),
            furthest: 0,
            page: 1,
            screen: None,
        }
    }

    /// Shows what comes and does what is typed, until there is nothing more or somebody quits.
    fn go_on(mut self, ringing: &UnixStream) {
        let mut listens = true;
        loop {
            let mut sources = vec![PollFd::new(ringing, PollFlags::IN)];
            if self.screen.is_some() && listens {
                sources.push(PollFd::new(&self.live.terminal, PollFlags::IN));
            }
            // An interrupted wait is as good as one that is over.
            let _ = poll(&mut sources, None);
            let was_typed = sources.get(1).is_some_and(|terminal| !terminal.revents().is_empty());
            let mut bytes = [0; 256];
            let mut bell = ringing;
            while bell.read(&mut bytes).is_ok_and(|count| count > 0) {}
            if self.exchange.is_over.load(Ordering::Acquire) {
                return;
            }
            if was_typed {
                let mut terminal = &self.live.terminal;
                let count = terminal.read(&mut bytes).unwrap_or(0);
                // Nobody is there any more.
                listens = count > 0;
                if !keys(&bytes[..count]).into_iter().all(|key| self.obeys(key)) {
                    return;
                }
            }
            let news = self.exchange.standing().take();
            if let Some(news) = news
                && !self.judges(news)
            {
                return;
            }
            self.draws();
        }
    }

    /// Does what a key says; `false`: it says that this is enough.
    fn obeys(&mut self, key: Key) -> bool {
        let view = &mut self.view;
        let at = view.scroll.min(self.furthest);
        match key {
            Key::Quit => return false,
            Key::Pause => {
                view.paused = !view.paused;
                self.exchange.is_paused.store(view.paused, Ordering::Release);
            }
            Key::Sort => view.sort = view.sort.next(),
            Key::Help => view.help = !view.help,
            Key::Back => view.help = false,
            Key::Up => view.scroll = at.saturating_sub(1),
            Key::Down => view.scroll = at + 1,
            Key::PageUp => view.scroll = at.saturating_sub(self.page),
            Key::PageDown => view.scroll = at + self.page,
            Key::Top => view.scroll = 0,
            Key::End => view.scroll = usize::MAX,
        }
        if matches!(key, Key::Help | Key::Back) {
            view.scroll = 0;
        }
        true
    }

    /// What follows from how things stand; `false`: there are no rules, which is said in the end.
    fn judges(&mut self, standing: Standing) -> bool {
        let (begun, cost) = (Instant::now(), standing.cost);
        let (profile, mut machine) = standing.profile();
        if let Ok(calibration) = calibrate::here(&machine) {
            machine.set_capacity(calibration.capacity);
        }
        if self.rules.is_none() {
            self.rules = calibrate::load(self.overlay, &machine).ok();
        }
        let Some(rules) = &self.rules else { return false };
        let advice = advise_for(&profile, &machine, &Scanned::default(), self.goals, rules);
        self.shown = Some((profile, machine, advice));
        self.took = [cost, begun.elapsed()];
        true
    }

    fn draws(&mut self) {
        let Some((profile, machine, advice)) = &self.shown else { return };
        if self.screen.is_none() {
            self.screen = self.live.terminal.try_clone().and_then(Screen::open).ok();
        }
        let Some(on) = &mut self.screen else { return };
        let (columns, rows) = screen::size(&self.live.terminal);
        let style = style_for(Sink::Terminal { columns });
        let report = Report { profile, machine, advice, source: None };
        let [cost, judged] = self.took;
        let about = About { quits: self.live.quits(), cost, judged };
        let (lines, furthest) = lay_out(&report, &self.view, &about, rows, &style);
        self.furthest = furthest;
        self.page = rows.saturating_sub(2).max(1);
        on.show(&lines);
    }
}

/// Writes the report in the end where the view was.
pub(super) fn leave_behind(report: impl FnOnce(&Style) -> Vec<u8>) {
    let Ok(mut terminal) = screen::terminal() else { return };
    let columns = screen::size(&terminal).0;
    // Whoever closed the terminal does not want it.
    let _ = terminal.write_all(&report(&style_for(Sink::Terminal { columns })));
}
