//! Which level a recording is taken at: the best that can be had, or the one that was asked for; and what became of it.

use super::following::Following;
use super::model::Level;
use super::source::perf::Refused;
use super::source::perf::events::Patience;

/// The name of this source, as the report knows it.
pub(super) const SWITCHES: &str = "perf-switches";

/// The records of switches, while a target is being started.
pub(super) enum Switches {
    /// Nobody wants them.
    NotAsked,
    /// They are told.
    Open(Box<Following>),
    /// They are not.
    Refused(Refused),
}

impl Switches {
    /// Tries to open them, unless they are not wanted.
    pub(super) fn of(
        asked: Option<Level>,
        open: impl FnOnce(Patience) -> Result<Following, Refused>,
    ) -> Self {
        let patience = match asked {
            Some(Level::Proc) => return Self::NotAsked,
            Some(Level::Switch) => Patience::Endless,
            None => Patience::Limited,
        };
        match open(patience) {
            Ok(following) => Self::Open(Box::new(following)),
            Err(why) => Self::Refused(why),
        }
    }

    /// Whether they should be told and are not.
    pub(super) fn are_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// What is open, or why nothing is; an error, if that had been asked for.
    ///
    /// # Errors
    /// As described.
    pub(super) fn open(self, asked: Option<Level>) -> Result<(Option<Following>, Option<String>), Refused> {
        match self {
            Self::Refused(why) if asked.is_some() => Err(why),
            Self::Refused(why) => Ok((None, Some(why.to_string()))),
            Self::Open(following) => Ok((Some(*following), None)),
            Self::NotAsked => Ok((None, None)),
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
}

impl Levels {
    /// What there is to say in the end.
    pub(super) fn of(following: &Following) -> Self {
        Self { followed: true, refused: None, lost: following.lost(), pauses: following.pauses }
    }
}
