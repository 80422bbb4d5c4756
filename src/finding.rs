//! What a scan of source says: places, chains of calls, observations, findings. Pure data.
//!
//! An [`Observation`] is what a detector saw and can be argued about; a [`Finding`] is what the rules in
//! `rules/source/` make of it, with its weight and its words. Detectors know no severity, rules know no syntax.

use std::sync::Arc;

use crate::wait::WaitKind;

/// A stretch of a source file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Relative to the root of the scan, `/` between its parts.
    pub path: Arc<str>,
    /// Line of the first character, from 1.
    pub line: u32,
    /// Column of the first character, from 1, in code points.
    pub column: u32,
    /// Line of the last character.
    pub end_line: u32,
    /// Column after the last character.
    pub end_column: u32,
    /// Byte offsets into the file as it is on disk: first, and one past the last.
    pub bytes: (u32, u32),
}

/// One call of a chain, from the function that is at fault to the call that does it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hop {
    /// Where the call stands.
    pub place: Place,
    /// The function it stands in, qualified.
    pub function: Arc<str>,
    /// What it calls, qualified.
    pub callee: Arc<str>,
}

/// How long a call stalls its caller, as an order of magnitude.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cost {
    /// Below a tenth of a millisecond: a `stat`, a small write to a log.
    Micro,
    /// About a millisecond: one small file.
    Small,
    /// About a millisecond for each of many: the files of a directory.
    Several,
    /// Ten milliseconds and more: a request, a query, a subprocess.
    Large,
    /// As long as somebody else likes: a lock, a queue, a join, input.
    Unbounded,
}

/// A circumstance that takes weight from an observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mitigation {
    /// Behind a cache or `if x is None`: only the first call pays.
    FirstCallOnly,
    /// In a handler of errors.
    ErrorPath,
    /// While the program starts or stops, before it serves.
    StartUp,
    /// In a program that runs once from the command line.
    OneShot,
    /// In test code.
    Test,
    /// More calls away than one likes to believe.
    DeepChain,
    /// The receiver's type, or the callee, is inferred and not seen.
    Inferred,
}

/// The names of the values of an enumeration, as files and output spell them.
macro_rules! named {
    ($type:ident { $($variant:ident = $name:literal),* $(,)? }) => {
        impl $type {
            /// Every value, in order.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in files and output.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),*
                }
            }

            /// The value with this [`name`](Self::name).
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.name() == name)
            }
        }
    };
}

named!(Cost {
    Micro = "micro",
    Small = "small",
    Several = "several",
    Large = "large",
    Unbounded = "unbounded",
});
named!(Mitigation {
    FirstCallOnly = "first-call-only",
    ErrorPath = "error-path",
    StartUp = "start-up",
    OneShot = "one-shot",
    Test = "test",
    DeepChain = "deep-chain",
    Inferred = "inferred",
});
named!(Severity { Note = "note", Warning = "warning", Error = "error" });
named!(Confidence { Low = "low", Medium = "medium", High = "high" });

/// A rewrite of the source that keeps its meaning.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fix {
    /// What it does, in the imperative: "await asyncio.sleep".
    pub title: String,
    /// Replacements that do not overlap, in order, all of one file.
    pub edits: Vec<Edit>,
}

/// The replacement of a stretch of one file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Edit {
    /// Byte offsets into the file as it is on disk.
    pub bytes: (u32, u32),
    /// What stands there afterwards.
    pub text: String,
}

/// What a detector saw.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Observation {
    /// The id of the rule in `rules/source/` that knows what to say of it.
    pub rule: &'static str,
    /// Where something has to be changed: one observation per such place.
    pub place: Place,
    /// The function or class around it, qualified; the module's name at top level.
    pub symbol: Arc<str>,
    /// What was found, normalised: the qualified name of the call, of the lock, of the variable. Part of the key of a
    /// baseline, so it holds no line.
    pub subject: Arc<str>,
    /// From the function at fault down to the call that does it; empty where `place` says all. At most three
    /// witnesses, shortest first.
    pub chains: Vec<Vec<Hop>>,
    /// How many functions reach it this way; 1 where it stands in the open.
    pub reached_from: usize,
    /// What it waits for, where it waits.
    pub wait: Option<WaitKind>,
    /// How long, where that is known.
    pub cost: Option<Cost>,
    /// What speaks for less weight, sorted.
    pub mitigations: Vec<Mitigation>,
    /// What one change would mend, with everything else of the same rule that has the same cause: the function that
    /// runs it on the loop, the module that starts tasks. `None` where it stands for itself.
    pub cause: Option<Arc<str>>,
    /// What fills the `{…}` of the rule's texts besides `{subject}` and `{symbol}`: names are the rule's contract.
    pub facts: Vec<(&'static str, String)>,
    /// A safe rewrite.
    pub fix: Option<Fix>,
}

impl Observation {
    /// One that its place says all of.
    #[must_use]
    pub fn new(rule: &'static str, place: Place, symbol: Arc<str>, subject: Arc<str>) -> Self {
        Self {
            rule,
            place,
            symbol,
            subject,
            chains: Vec::new(),
            reached_from: 1,
            wait: None,
            cost: None,
            mitigations: Vec::new(),
            cause: None,
            facts: Vec::new(),
            fix: None,
        }
    }
}

/// A number or a list of words that a detector reads.
#[derive(Debug, Clone, PartialEq)]
pub enum Threshold {
    /// In its base unit: seconds, bytes, shares of one, or plain.
    Number(f64),
    /// In the order of the file.
    Words(Vec<String>),
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; an opportunity.
    Note,
    /// Costs time, or fails under circumstances.
    Warning,
    /// Stalls everybody, loses data, deadlocks, or never did what it says.
    Error,
}

/// How sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// A guess worth a look; off by default.
    Low,
    /// Right more often than not.
    Medium,
    /// Right unless something unusual goes on.
    High,
}

/// An observation weighed and put into words.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Finding {
    /// What it rests on.
    pub seen: Observation,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// One sentence: what is wrong here.
    pub message: String,
    /// Why it matters.
    pub why: String,
    /// What to write instead.
    pub cure: String,
    /// Whether it is an opportunity: it never fails a build unless asked.
    pub opportunity: bool,
    /// Stable across edits elsewhere in the file: rule, path, symbol, subject, and a running number among equals.
    pub fingerprint: String,
}
