//! Where in the program's own code its repeated work is: the line that waits, who calls it, the function that computes.
//! Pure. Knows stacks and what was booked on them; must not know how items are counted.

use std::collections::BTreeMap;

use super::code::{Location, Region};
use super::ledger::Closed;
use super::places::{Place, Span};
use super::sites::Waits;
use super::stack::{StackId, Stacks};
use super::summary::code::{callers, is_expression, library_call};
use super::summary::event_loops::in_task;

/// Rounds in which the part of the run that some work takes is found; more would only be needed to follow a chain of
/// lines that hardly overlap.
const SETTLED: usize = 8;
/// A line, or a function, stands for the whole where more than this share of it is there.
const MOST: f64 = 0.5;

/// What was waited in a part of the run is nearly all where it has at least this share.
const NEARLY_ALL: f64 = 0.9;

/// The part of the run that most of these waits fall into, by what each weighs. Waits of other lines in the meantime are
/// of the same work; those of lines before and after are of another. `None`: nearly all are of one work, or too little was
/// seen to tell.
pub(super) fn part_of_run(
    books: &Closed,
    weigh: impl Fn(Place, &Waits) -> u64,
    is_here: impl Fn(Place) -> bool,
) -> Option<Span> {
    let mut stacks: BTreeMap<StackId, u64> = BTreeMap::new();
    for (place, waits) in books.places.waits().filter(|(place, _)| is_here(*place)) {
        *stacks.entry(place.stack).or_default() += weigh(place, waits);
    }
    let spans = stacks.into_iter().filter_map(|(stack, weight)| Some((books.places.span(stack)?, weight)));
    let unseen = books.places.waits().filter(|(place, _)| place.stack == StackId::UNSEEN && is_here(*place));
    main_part(spans.collect(), unseen.map(|(place, waits)| weigh(place, waits)).sum())
}

/// See [`part_of_run`].
fn main_part(mut spans: Vec<(Span, u64)>, unseen: u64) -> Option<Span> {
    let seen: u64 = spans.iter().map(|(_, weight)| weight).sum();
    let all = (seen + unseen) as f64;
    spans.sort_by_key(|(span, weight)| (std::cmp::Reverse(*weight), *span));
    let mut part = spans.first()?.0;
    for _ in 0..SETTLED {
        let before = part;
        for (span, _) in &spans {
            if span.mostly_in(part) || part.mostly_in(*span) {
                part = part.with(*span);
            }
        }
        if part == before {
            break;
        }
    }
    let inside: u64 = spans.iter().filter(|(span, _)| span.mostly_in(part)).map(|(_, weight)| weight).sum();
    (seen as f64 >= NEARLY_ALL * all && (inside as f64) < NEARLY_ALL * all).then_some(part)
}

/// The region of the waits at these places of one program, by what each weighs; `None` where no function of the
/// program's own has most of it.
pub(super) fn of_waits(
    books: &Closed,
    name: &str,
    weigh: impl Fn(Place, &Waits) -> u64,
    is_here: impl Fn(Place) -> bool,
) -> Option<Region> {
    let mut functions: BTreeMap<Function, BTreeMap<StackId, u64>> = BTreeMap::new();
    let mut all = 0;
    for (place, waits) in books.places.waits().filter(|(place, _)| is_here(*place)) {
        let weight = weigh(place, waits);
        all += weight;
        // What a loop was called by is none of its tasks.
        if books.sites.get(place.site).event_loop && !in_task(&books.stacks, place.stack) {
            continue;
        }
        if let Some(at) = own_path(&books.stacks, place.stack).into_iter().next() {
            *functions.entry(function(at)).or_default().entry(place.stack).or_default() += weight;
        }
    }
    let (_, by_stack) = heaviest(functions, |by_stack| by_stack.values().sum(), all)?;
    let spans = by_stack.keys().filter_map(|stack| books.places.span(*stack));
    let meanwhile = spans.reduce(Span::with)?;
    let (stack, _) = by_stack.into_iter().max_by_key(|(_, weight)| *weight)?;
    let waiting = own_path(&books.stacks, stack);
    let computing = computing(books, name, &waiting, meanwhile);
    Some(Region {
        at: waiting.first()?.clone(),
        call: library_call(&books.stacks, stack),
        callers: callers(&books.stacks, stack),
        // Where nothing is known to compute, all of an item is waiting.
        waits_in: match &computing {
            Some(computing) => computing.waits_in.clone(),
            None => waiting.first().map(|at| at.function.clone()),
        },
        computes_in: computing.as_ref().and_then(|computing| computing.computes_in.clone()),
        computes_at: computing.map(|computing| computing.at),
    })
}

/// The computing beside some waiting.
#[derive(Debug, PartialEq, Eq)]
struct Computing {
    at: Location,
    waits_in: Option<String>,
    computes_in: Option<String>,
}

/// Where a program computes while it waits in this code, if most of that is in one function. The functions in which both
/// ways part do the one and the other: what they share leads to both.
fn computing(books: &Closed, name: &str, waiting: &[Location], meanwhile: Span) -> Option<Computing> {
    let mut parts: BTreeMap<(Option<Function>, Option<Function>), BTreeMap<Location, u64>> = BTreeMap::new();
    let mut all = 0;
    for (pid, stack, computing) in books.places.computing() {
        let path = own_path(&books.stacks, stack);
        let is_meanwhile = books.places.span(stack).is_some_and(|span| span.mostly_in(meanwhile));
        if books.process_name(pid) != name || path.is_empty() || !is_meanwhile {
            continue;
        }
        let (waits_in, computes_in) = part(waiting, &path);
        let within = computes_in.as_ref().or(path.first()).cloned().unwrap_or_default();
        // What a module does itself is mostly importing others, once.
        if within.function == "<module>" {
            continue;
        }
        all += computing.total();
        let part = (waits_in.map(function), computes_in.map(function));
        *parts.entry(part).or_default().entry(within).or_default() += computing.total();
    }
    let ((waits_in, computes_in), lines) = heaviest(parts, |lines| lines.values().sum(), all)?;
    let (at, _) = lines.into_iter().max_by_key(|(_, time)| *time)?;
    let name = |function: Function| function.1;
    Some(Computing { at, waits_in: waits_in.map(name), computes_in: computes_in.map(name) })
}

/// The first functions of two ways that they do not share, innermost first both; `None` for a way that ends before.
fn part(waiting: &[Location], computing: &[Location]) -> (Option<Location>, Option<Location>) {
    let mut ways = (waiting.iter().rev(), computing.iter().rev());
    loop {
        match (ways.0.next(), ways.1.next()) {
            (Some(one), Some(other)) if (&one.file, &one.function) == (&other.file, &other.function) => {}
            (one, other) => return (one.cloned(), other.cloned()),
        }
    }
}

/// File and name of a function.
type Function = (Option<String>, String);

fn function(at: Location) -> Function {
    (at.file, at.function)
}

/// The entry with most weight, if that is most of all.
fn heaviest<K: Ord, V>(entries: BTreeMap<K, V>, weight: impl Fn(&V) -> u64, all: u64) -> Option<(K, V)> {
    let top = entries.into_iter().max_by_key(|(_, entry)| weight(entry))?;
    (weight(&top.1) as f64 > MOST * all as f64).then_some(top)
}

/// The program's own code on a stack, one line per function, innermost first. Expressions that Python runs as functions
/// of their own belong to the function they stand in; of one that calls itself the innermost line counts.
fn own_path(stacks: &Stacks, stack: StackId) -> Vec<Location> {
    let mut path: Vec<Location> = Vec::new();
    let mut inside: Option<Location> = None;
    for level in stacks.levels(stack).filter(|level| level.own) {
        let mut at = Location::from(level);
        if is_expression(&at.function) {
            inside.get_or_insert(at);
            continue;
        }
        if let Some(expression) = inside.take().filter(|inside| inside.file == at.file) {
            at.line = expression.line;
        }
        if path.last().is_none_or(|inner| (&inner.file, &inner.function) != (&at.file, &at.function)) {
            path.push(at);
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(function: &str, line: u32) -> Location {
        Location { function: function.to_owned(), file: Some("etl.py".to_owned()), line: Some(line) }
    }

    fn parted(waiting: &[Location], computing: &[Location]) -> (Option<String>, Option<String>) {
        let name = |at: Option<Location>| at.map(|at| at.function);
        let (waits, computes) = part(waiting, computing);
        (name(waits), name(computes))
    }

    #[test]
    fn two_ways_part_in_the_functions_that_do_the_one_and_the_other() {
        let [main, load] = [at("<module>", 112), at("load", 88)];
        let fetch = [at("connect", 12), at("fetch_row", 42), load.clone(), main.clone()];
        let parse = [at("token", 70), at("parse", 60), at("load", 89), main.clone()];
        let names = |waits: Option<&str>, computes: Option<&str>| {
            (waits.map(str::to_owned), computes.map(str::to_owned))
        };
        assert_eq!(parted(&fetch, &parse), names(Some("fetch_row"), Some("parse")));
        // Computed between two calls, waited for between two others.
        assert_eq!(parted(&fetch, &[at("load", 90), main.clone()]), names(Some("fetch_row"), None));
        assert_eq!(parted(&[load.clone(), main.clone()], &parse), names(None, Some("parse")));
        assert_eq!(parted(&fetch, &fetch), names(None, None));
        // Threads share nothing.
        assert_eq!(parted(&fetch[..2], &parse[..2]), names(Some("fetch_row"), Some("parse")));
    }

    #[test]
    fn lines_that_take_turns_are_one_work_and_those_that_follow_are_another() {
        let span = |first, last| Span { first, last };
        let (users, orders) = ((span(10, 100), 90), (span(100, 140), 40));
        assert_eq!(main_part(vec![users, orders], 0), Some(span(10, 100)));
        // Two lines of one loop.
        assert_eq!(main_part(vec![users, (span(15, 98), 40)], 0), None);
        // Next to nothing follows, or too much was not seen.
        assert_eq!(main_part(vec![users, (span(100, 109), 9)], 0), None);
        assert_eq!(main_part(vec![users, orders], 20), None);
        assert_eq!(main_part(Vec::new(), 0), None);
    }

    #[test]
    fn what_has_no_more_than_half_stands_for_nothing() {
        let weights = |one: u64, other: u64| BTreeMap::from([("one", one), ("other", other)]);
        assert_eq!(heaviest(weights(51, 49), |weight| *weight, 100), Some(("one", 51)));
        assert_eq!(heaviest(weights(50, 50), |weight| *weight, 100), None);
        // What nothing is known of counts as well.
        assert_eq!(heaviest(weights(40, 20), |weight| *weight, 100), None);
    }
}
