//! Observations as they are kept: each text once, everything else by numbers. [`crate::finding`] is what they are; this
//! is the format of one file.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::finding::{Cost, Edit, Fix, Hop, Mitigation, Observation, Place};
use crate::wait::WaitKind;

/// A text, by its place among all.
type Text = u32;

/// Some observations.
#[derive(Serialize, Deserialize)]
pub(super) struct Observations {
    texts: Vec<Box<str>>,
    all: Vec<Seen>,
}

#[derive(Serialize, Deserialize)]
struct Seen {
    rule: Text,
    place: Spot,
    symbol: Text,
    subject: Text,
    chains: Vec<Vec<Step>>,
    reached_from: u64,
    wait: Option<Text>,
    cost: Option<Text>,
    mitigations: Vec<Text>,
    cause: Option<Text>,
    facts: Vec<(Text, Text)>,
    fix: Option<Rewrite>,
}

#[derive(Serialize, Deserialize)]
struct Spot {
    path: Text,
    start: (u32, u32),
    end: (u32, u32),
    bytes: (u32, u32),
}

#[derive(Serialize, Deserialize)]
struct Step {
    place: Spot,
    function: Text,
    callee: Text,
}

/// A title; bytes and text of each edit.
type Rewrite = (Text, Vec<(u32, u32, Text)>);

impl Observations {
    pub(super) fn of(observations: &[Observation]) -> Self {
        let mut writer = Writer::default();
        let all = observations.iter().map(|seen| writer.seen(seen)).collect();
        Self { texts: writer.texts, all }
    }

    /// What was written; `None` where that makes no sense. All of one file share its path.
    pub(super) fn read(self, path: Option<&Arc<str>>) -> Option<Vec<Observation>> {
        let share = |text: Box<str>| match path {
            Some(path) if **path == *text => Arc::clone(path),
            _ => Arc::from(text),
        };
        let reader = Reader { texts: self.texts.into_iter().map(share).collect() };
        self.all.iter().map(|seen| reader.seen(seen)).collect()
    }
}

#[derive(Default)]
struct Writer<'o> {
    numbers: FxHashMap<&'o str, Text>,
    texts: Vec<Box<str>>,
}

impl<'o> Writer<'o> {
    fn text(&mut self, text: &'o str) -> Text {
        *self.numbers.entry(text).or_insert_with(|| {
            self.texts.push(text.into());
            self.texts.len() as u32 - 1
        })
    }

    fn place(&mut self, place: &'o Place) -> Spot {
        let Place { path, line, column, end_line, end_column, bytes } = place;
        Spot { path: self.text(path), start: (*line, *column), end: (*end_line, *end_column), bytes: *bytes }
    }

    fn hop(&mut self, hop: &'o Hop) -> Step {
        let Hop { place, function, callee } = hop;
        Step { place: self.place(place), function: self.text(function), callee: self.text(callee) }
    }

    fn seen(&mut self, seen: &'o Observation) -> Seen {
        let fix = seen.fix.as_ref().map(|Fix { title, edits }| {
            let edits = edits.iter().map(|Edit { bytes, text }| (bytes.0, bytes.1, self.text(text)));
            let edits = edits.collect();
            (self.text(title), edits)
        });
        let chains = seen.chains.iter().map(|chain| chain.iter().map(|hop| self.hop(hop)).collect());
        Seen {
            chains: chains.collect(),
            rule: self.text(seen.rule),
            place: self.place(&seen.place),
            symbol: self.text(&seen.symbol),
            subject: self.text(&seen.subject),
            reached_from: seen.reached_from as u64,
            wait: seen.wait.map(|wait| self.text(wait.name())),
            cost: seen.cost.map(|cost| self.text(cost.name())),
            mitigations: seen.mitigations.iter().map(|one| self.text(one.name())).collect(),
            cause: seen.cause.as_deref().map(|cause| self.text(cause)),
            facts: seen.facts.iter().map(|(name, value)| (self.text(name), self.text(value))).collect(),
            fix,
        }
    }
}

struct Reader {
    texts: Vec<Arc<str>>,
}

impl Reader {
    fn text(&self, text: Text) -> Option<&Arc<str>> {
        self.texts.get(text as usize)
    }

    fn place(&self, spot: &Spot) -> Option<Place> {
        let Spot { path, start: (line, column), end: (end_line, end_column), bytes } = *spot;
        Some(Place { path: Arc::clone(self.text(path)?), line, column, end_line, end_column, bytes })
    }

    fn hop(&self, step: &Step) -> Option<Hop> {
        Some(Hop {
            place: self.place(&step.place)?,
            function: Arc::clone(self.text(step.function)?),
            callee: Arc::clone(self.text(step.callee)?),
        })
    }

    fn seen(&self, seen: &Seen) -> Option<Observation> {
        let named = |text: Option<Text>| text.map(|text| self.text(text).ok_or(())).transpose().ok();
        let wait = match named(seen.wait)? {
            Some(name) => Some(WaitKind::from_name(name)?),
            None => None,
        };
        let cost = match named(seen.cost)? {
            Some(name) => Some(Cost::from_name(name)?),
            None => None,
        };
        let chain = |chain: &Vec<Step>| chain.iter().map(|step| self.hop(step)).collect();
        let fact =
            |(name, value): &(Text, Text)| Some((lasting(self.text(*name)?), self.text(*value)?.to_string()));
        let fix = match &seen.fix {
            Some((title, edits)) => {
                let edit = |(start, end, text): &(u32, u32, Text)| {
                    Some(Edit { bytes: (*start, *end), text: self.text(*text)?.to_string() })
                };
                let edits = edits.iter().map(edit).collect::<Option<_>>()?;
                Some(Fix { title: self.text(*title)?.to_string(), edits })
            }
            None => None,
        };
        Some(Observation {
            rule: lasting(self.text(seen.rule)?),
            place: self.place(&seen.place)?,
            symbol: Arc::clone(self.text(seen.symbol)?),
            subject: Arc::clone(self.text(seen.subject)?),
            chains: seen.chains.iter().map(chain).collect::<Option<_>>()?,
            reached_from: usize::try_from(seen.reached_from).ok()?,
            wait,
            cost,
            mitigations: seen
                .mitigations
                .iter()
                .map(|one| Mitigation::from_name(self.text(*one)?))
                .collect::<Option<_>>()?,
            cause: match seen.cause {
                Some(cause) => Some(Arc::clone(self.text(cause)?)),
                None => None,
            },
            facts: seen.facts.iter().map(fact).collect::<Option<_>>()?,
            fix,
        })
    }
}

/// A name of a rule or of a fact, as lasting as those in the program: there are few of them, and each is kept once.
fn lasting(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name) {
        return known;
    }
    let kept: &'static str = Box::leak(name.into());
    names.insert(kept);
    kept
}
