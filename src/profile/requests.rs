//! The requests of a server: what clients ask, counted in one of two ways. Pure.
//!
//! By the waits for them: a read that finds a request there already does not wait, and nobody sees it; so the number is
//! believed only if it agrees with another one: how often the program came to the line where it waits for what it needs
//! to answer.
//!
//! By the kernel's counts of segments over the connections that were accepted ([`told`]), which know of event loops and
//! of reads that find everything there: believed only if questions and answers take turns.

use std::collections::{BTreeMap, BTreeSet};

use super::ledger::{Closed, ThreadRecord};
use super::model::Counted;
use super::places::Place;
use super::sites::SiteRecord;
use super::stack::StackId;
use super::traffic::{CROWD, Remainders, Traffic};
use crate::wait::WaitKind;

/// System calls in which a thread waits for a client: those that read what it asks, those that take its connection, and
/// those that wait for either. Each family may see every request.
const FAMILIES: [&[&str]; 3] = [&["recv", "read"], &["accept"], &["select", "poll"]];
/// How far both numbers may be apart, as a share of the larger.
const APART: f64 = 0.2;
/// Fewer agree by accident.
const FEWEST: u64 = 8;

/// Share of connections that had one request each, where that is what a request is.
const ONCE: f64 = 0.8;
/// Share of what came that may be odd without making the number doubtful.
const ODD: f64 = 0.1;
/// Looks from which it is no accident that nothing is left over.
const LOOKS: u64 = 10;

/// Why what came over connections does not tell the number of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Hardly anything came.
    Few,
    /// Connections came and went between two looks.
    Missed,
    /// Each brought a handful of segments: what belongs to their beginning and end weighs too much.
    Short,
    /// Segments as large as they can be are pieces of something.
    Full,
    /// Several were under way over a connection at once, or an answer is no answer.
    Crowded,
    /// Segments that came and went are not in proportion.
    Uneven,
    /// They always came in twos, and so did answers.
    Pairs,
}

impl Doubt {
    /// In words; `None`: it is not worth any.
    pub(super) fn reason(self) -> Option<&'static str> {
        Some(match self {
            Self::Few => return None,
            Self::Missed => "most connections came and went between two looks",
            Self::Short => "over most connections came a handful of segments only",
            Self::Full => "what clients sent was larger than a segment",
            Self::Crowded => "several requests were under way over one connection at once",
            Self::Uneven => "what came over the connections and what went did not take turns",
            Self::Pairs => "whether a request came in one segment or in two could not be told",
        })
    }
}

/// How many requests came to the program of this name, as the kernel's counts of its connections tell, or why they do not;
/// `None`: nothing was seen of any.
pub(super) fn told(books: &Closed, name: &str) -> Option<Result<(u64, Counted), Doubt>> {
    let mut all: Option<Traffic> = None;
    for (_, traffic) in books.traffic.iter().filter(|(pid, _)| books.process_name(**pid) == name) {
        all = Some(all.map_or(*traffic, |sum| sum.with(traffic)));
    }
    all.map(|traffic| judge(&traffic))
}

/// Why requests that came were not counted, in words; `None`: they were, or none came.
pub(super) fn doubt(books: &Closed) -> Option<&'static str> {
    let names: BTreeSet<String> = books.traffic.keys().map(|pid| books.process_name(*pid)).collect();
    names.into_iter().find_map(|name| told(books, &name)?.err()?.reason())
}

fn judge(traffic: &Traffic) -> Result<(u64, Counted), Doubt> {
    let Traffic { connections, others, asked, answered, .. } = *traffic;
    let share = |part: u64, of: u64| part as f64 / of.max(1) as f64;
    let fewer = asked.min(answered);
    let seen = connections + others;
    // What nobody looked at, as far as it was accepted here.
    let missed = traffic.accepted.unwrap_or(0).saturating_sub(seen) as f64 * share(connections, seen);
    if connections >= FEWEST && share(traffic.once, connections) >= ONCE {
        return Ok((connections + missed.round() as u64, Counted::Connections));
    }
    if missed > APART * fewer.max(FEWEST) as f64 {
        return Err(Doubt::Missed);
    }
    if fewer < FEWEST {
        return Err(Doubt::Few);
    }
    if share(traffic.over_long, asked) < 1.0 - APART {
        return Err(Doubt::Short);
    }
    if share(traffic.full, asked) > ODD {
        return Err(Doubt::Full);
    }
    // A request or an answer may take some segments, always as many: head and body are often sent apart.
    let more = asked.max(answered);
    let pieces = (share(more, fewer).round() as usize).max(1);
    if pieces > CROWD || more.abs_diff(fewer * pieces as u64) as f64 > APART * more as f64 {
        return Err(Doubt::Uneven);
    }
    let (came_in, left) =
        if asked > answered { (pieces, &traffic.came_left) } else { (1, &traffic.sent_left) };
    if traffic.crowded.get(came_in - 1).is_none_or(|crowded| share(*crowded, asked) > ODD) {
        return Err(Doubt::Crowded);
    }
    // Pieces of one thing are there together whenever it is looked; several things are not.
    match pieces {
        1 if go_together(&traffic.came_left, 2) && go_together(&traffic.sent_left, 2) => Err(Doubt::Pairs),
        1 => Ok((fewer, Counted::Segments(connections))),
        _ if go_together(left, pieces) => Ok((fewer, Counted::Segments(connections))),
        _ => Err(Doubt::Crowded),
    }
}

/// Whether segments always come by so many: as much is left over whenever it is looked.
fn go_together(left: &Remainders, by: usize) -> bool {
    let Some(left) = left.get(by - 1) else { return false };
    let looks: u64 = left.iter().sum();
    let most = left.iter().copied().max().unwrap_or(0);
    looks >= LOOKS && most as f64 >= (1.0 - ODD) * looks as f64
}

/// How often threads of a program waited for clients until one asked for something; `None`: hardly ever.
pub(super) fn asked(books: &Closed, name: &str) -> Option<u64> {
    let ended = |family: &&[&str]| -> u64 {
        let of_clients = books.sites.iter().filter(|(_, site)| {
            is_for_clients(site)
                && family.contains(&site.key.operation)
                && books.process_name(site.key.pid) == name
        });
        of_clients.map(|(_, site)| site.waits.ended).sum()
    };
    FAMILIES.iter().map(ended).max().filter(|asked| *asked >= FEWEST)
}

fn is_for_clients(site: &SiteRecord) -> bool {
    site.key.kind == WaitKind::Idle
        && site.external
        && !site.event_loop
        && FAMILIES.iter().any(|family| family.contains(&site.key.operation))
}

/// Share of their time in which the threads that answer waited for clients. `answering`: how long they answered,
/// nanoseconds.
pub(super) fn free<'a>(
    books: &Closed,
    threads: impl Iterator<Item = &'a ThreadRecord>,
    answering: u64,
) -> f64 {
    let sites = threads.flat_map(|thread| &thread.sites);
    let for_clients = sites.filter(|(id, _)| {
        let site = books.sites.get(**id);
        let loop_is_idle = site.event_loop && site.external && site.key.kind == WaitKind::Idle;
        is_for_clients(site) || loop_is_idle
    });
    let waited: u64 = for_clients.map(|(_, (blocked, _))| blocked).sum();
    waited as f64 / (waited + answering).max(1) as f64
}

/// Whether the program came to the busiest of the places where it waits `here`, on one way there, as often as clients
/// asked.
pub(super) fn pass_once(books: &Closed, is_here: impl Fn(Place) -> bool, asked: u64) -> bool {
    let mut visits: BTreeMap<(&str, StackId), u64> = BTreeMap::new();
    for (place, waits) in books.places.waits().filter(|(place, _)| is_here(*place)) {
        let operation = books.sites.get(place.site).key.operation;
        *visits.entry((operation, place.stack)).or_default() += waits.ended;
    }
    let busiest = visits.into_values().max().unwrap_or(0);
    busiest.abs_diff(asked) as f64 <= APART * busiest.max(asked) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twenty looks at numbers that are multiples of so many.
    fn left(by: u64) -> Remainders {
        let mut left = Remainders::default();
        for look in 0..20 {
            for (together, left) in (1..).zip(left.iter_mut()) {
                left[(look * by % together) as usize] += 1;
            }
        }
        left
    }

    /// What sixty questions over two connections look like, asked and answered in these many segments.
    fn turns(asked: u64, answered: u64) -> Traffic {
        Traffic {
            connections: 2,
            accepted: Some(2),
            asked: 60 * asked,
            answered: 60 * answered,
            over_long: 60 * asked,
            came_left: left(asked),
            sent_left: left(answered),
            ..Traffic::default()
        }
    }

    #[test]
    fn questions_and_answers_that_take_turns_are_requests() {
        let sixty = Ok((60, Counted::Segments(2)));
        assert_eq!(judge(&turns(1, 1)), sixty);
        // The answer's head and body are sent apart; or those of the question, which crowd a little then.
        assert_eq!(judge(&turns(1, 2)), sixty);
        assert_eq!(judge(&Traffic { crowded: [60, 1, 0, 0], ..turns(2, 1) }), sixty);
        // A last question that nobody answered any more.
        assert_eq!(judge(&Traffic { asked: 62, over_long: 62, ..turns(1, 1) }), sixty);
    }

    #[test]
    fn connections_with_one_request_each_are_counted_even_if_most_were_missed() {
        let each = Traffic {
            connections: 20,
            once: 19,
            others: 0,
            accepted: Some(100),
            asked: 20,
            answered: 20,
            ..Traffic::default()
        };
        assert_eq!(judge(&each), Ok((100, Counted::Connections)));
        // Another server on the machine accepted as many of those that were seen.
        assert_eq!(judge(&Traffic { others: 20, ..each }), Ok((50, Counted::Connections)));
        assert_eq!(judge(&Traffic { accepted: None, ..each }), Ok((20, Counted::Connections)));
    }

    #[test]
    fn what_does_not_take_turns_is_no_number_of_requests() {
        for (traffic, doubt) in [
            (Traffic { asked: 5, over_long: 5, answered: 5, ..turns(1, 1) }, Doubt::Few),
            (Traffic { accepted: Some(90), ..turns(1, 1) }, Doubt::Missed),
            (Traffic { over_long: 30, ..turns(1, 1) }, Doubt::Short),
            (Traffic { full: 30, ..turns(1, 1) }, Doubt::Full),
            // A file that is sent, a stream that is watched; and questions of any number of pieces.
            (turns(1, 40), Doubt::Uneven),
            (Traffic { answered: 90, ..turns(1, 1) }, Doubt::Uneven),
            // Several questions before an answer, over one connection.
            (Traffic { crowded: [20, 9, 3, 0], ..turns(1, 1) }, Doubt::Crowded),
            (Traffic { crowded: [60, 20, 3, 0], ..turns(2, 1) }, Doubt::Crowded),
            // Two questions in a segment, whose answers go one by one.
            (Traffic { sent_left: left(1), ..turns(1, 2) }, Doubt::Crowded),
            // Two segments for each question and two for each answer.
            (Traffic { came_left: left(2), sent_left: left(2), ..turns(1, 1) }, Doubt::Pairs),
        ] {
            assert_eq!(judge(&traffic), Err(doubt), "{traffic:?}");
        }
    }
}
