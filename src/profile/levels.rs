//! Which level a recording is taken at: the best that can be had, or the one that was asked for; and what became of it.
//! Where better ones are refused, worse ones are tried.

use super::following::Following;
use super::model::Level;
use super::source::perf::Refused;
use super::source::perf::events::Patience;
use super::thread_clock::Counters;

/// The records of switches, while a target is being started.
pub(super) enum Switches {
    /// Nobody wants them.
    NotAsked,
    /// They are told, with their reasons or without: then, why.
    Open(Box<Following>, Option<Refused>),
    /// They are not.
    Refused(Refused),
}

impl Switches {
    /// Tries to open them, unless they are not wanted: with reasons, if these are wanted and can be had.
    pub(super) fn of(
        asked: Option<Level>,
        mut open: impl FnMut(Patience, bool) -> Result<Following, Refused>,
    ) -> Self {
        let opened = match asked {
            Some(Level::Rusage | Level::Proc) => return Self::NotAsked,
            Some(Level::Switch) => open(Patience::Endless, false).map(|following| (following, None)),
            Some(Level::Kernel) => open(Patience::Endless, true).map(|following| (following, None)),
            None => open(Patience::Limited, true)
                .map(|following| (following, None))
                .or_else(|why| open(Patience::Limited, false).map(|following| (following, Some(why)))),
        };
        match opened {
            Ok((following, without)) => Self::Open(Box::new(following), without),
            Err(why) => Self::Refused(why),
        }
    }

    /// The recording of a process that was launched begins; see [`Following::begin`].
    pub(super) fn begin(&mut self, pid: i32, began: u64, before: Counters) {
        if let Self::Open(following, _) = self {
            following.begin(pid, began, before);
        }
    }

    /// Whether they should be told and are not.
    pub(super) fn are_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// What is open, and what is not and why; an error, if that had been asked for.
    ///
    /// # Errors
    /// As described.
    pub(super) fn open(self, asked: Option<Level>) -> Result<(Option<Following>, Levels), Refused> {
        let mut levels = Levels::default();
        match self {
            Self::Refused(why) if asked.is_some() => Err(why),
            Self::Refused(why) => {
                levels.refused = Some(why.to_string());
                Ok((None, levels))
            }
            Self::Open(following, without) => {
                levels.reasons.refused = without.map(|why| why.to_string());
                Ok((Some(*following), levels))
            }
            Self::NotAsked => Ok((None, levels)),
        }
    }
}

/// How the kernel told of switches.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Levels {
    /// Whether it did at all.
    pub followed: bool,
    /// Why it did not.
    pub refused: Option<String>,
    /// Records there was no room for.
    pub lost: u64,
    /// How often a program that switched too fast was left alone.
    pub pauses: u64,
    /// Whether it said why.
    pub reasons: Reasons,
    /// What it told of wake-ups; `None`: it was not asked.
    pub wakeups: Option<Wakeups>,
}

/// How often the kernel told that a thread of the program was woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wakeups {
    /// While it waited.
    pub told: u64,
    /// Of these, by another thread of the program.
    pub handed_over: u64,
    /// Wake-ups of the whole machine there was no room for.
    pub lost: u64,
}

/// How the kernel told why threads left their CPU. Times are nanoseconds of all threads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reasons {
    /// Whether it did at all.
    pub followed: bool,
    /// Why it did not, where it should.
    pub refused: Option<String>,
    /// Time of the waits whose reason was told.
    pub told: u64,
    /// Time of those whose reason was not.
    pub missed: u64,
    /// Functions of the kernel of which nobody knows what threads wait for in them, and for how long they did.
    pub others: Vec<(String, u64)>,
    /// How often it was not asked for a while, as a program switched too fast.
    pub pauses: u64,
}

impl Reasons {
    /// The share of the time of all waits whose reason was told.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        let all = self.told.saturating_add(self.missed);
        (self.followed && all > 0).then(|| self.told as f64 / all as f64)
    }
}

impl Levels {
    /// What there is to say in the end.
    pub(super) fn end(self, following: Option<&Following>) -> Self {
        let Some(following) = following else { return self };
        let reasons = following.reasons().unwrap_or(self.reasons);
        let (lost, pauses, wakeups) = (following.lost(), following.pauses, following.wakeups());
        Self { followed: true, refused: None, lost, pauses, reasons, wakeups }
    }
}
