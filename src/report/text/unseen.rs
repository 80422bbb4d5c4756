//! What could not be seen or decided and what that costs, and how good the measurement was.

use std::time::Duration;

use super::page::{Page, Paragraph, Role, Text};
use crate::advice::NotDecided;
use crate::facts::FactSpec;
use crate::profile::{Level, Profile, Quality, REASONS, Refused, SWITCHES, Wakeups};
use crate::report::Report;
use crate::units;

/// Open questions shown when not everything is asked for.
const QUESTIONS: usize = 2;
/// Unknown facts named of each.
const FACTS: usize = 1;

pub(super) fn write(page: &mut Page<'_>, report: &Report<'_>, verbose: bool) {
    let Report { profile, machine, advice, .. } = *report;
    let mut seen: Vec<Paragraph> = Vec::new();
    let mut say = |text: String| seen.push(Text::plain(&text).into());
    if !profile.launched {
        say("what happened before boundby attached".to_owned());
    }
    // What a better level takes, doctor knows; that nobody was asked is no fault of a recording.
    let is_shown = |refused: &&Refused| verbose || !is_of_a_level(refused);
    for refused in profile.quality.refused.iter().filter(is_shown) {
        say(format!("{}: {}; {}", refused.source, refused.reason, refused.costs));
    }
    let quality = &profile.quality;
    if quality.lost > 0 {
        say(format!("{} known to have been missed", units::count(quality.lost, "wait")));
    }
    machine.notes.iter().chain(&quality.remarks).for_each(|note| say(note.clone()));
    questions(&advice.not_decided, verbose).into_iter().for_each(&mut say);
    page.blank();
    page.section("Not seen", seen);
    page.section("Measured", [Text::new(Role::Faint, &measured(profile, quality)).into()]);
}

/// Rules that one answer would settle, together: what is missing, and how to learn it. What only the reader can know
/// stands among the caveats where it matters, and here where everything is asked for.
pub(super) fn questions(not_decided: &[NotDecided], verbose: bool) -> Vec<String> {
    let mut asked: Vec<(&str, Vec<&str>)> = Vec::new();
    for one in not_decided {
        let place = asked.iter().position(|(how, _)| *how == one.how_to_learn).unwrap_or_else(|| {
            asked.push((&one.how_to_learn, Vec::new()));
            asked.len() - 1
        });
        for fact in &one.missing {
            if !verbose && crate::facts::spec(fact).is_some_and(FactSpec::only_the_user_knows) {
                continue;
            }
            if !asked[place].1.contains(&fact.as_str()) {
                asked[place].1.push(fact);
            }
        }
    }
    asked.retain(|(_, facts)| !facts.is_empty());
    let shown = if verbose { asked.len() } else { QUESTIONS.min(asked.len()) };
    let mut lines: Vec<String> = asked[..shown]
        .iter()
        .map(|(how, facts)| {
            let named = if verbose { facts.len() } else { FACTS.min(facts.len()) };
            let mut meanings: Vec<String> = facts[..named]
                .iter()
                .map(|fact| crate::facts::spec(fact).map_or(*fact, |spec| spec.meaning).to_owned())
                .collect();
            if named < facts.len() {
                meanings.push(format!("{} more", facts.len() - named));
            }
            format!("not known: {} ({how})", meanings.join("; "))
        })
        .collect();
    if asked.len() > shown {
        lines.push(format!("{}: -v", units::count((asked.len() - shown) as u64, "more open question")));
    }
    lines
}

/// Whether it is what another level has and this one has not.
fn is_of_a_level(refused: &Refused) -> bool {
    [SWITCHES, REASONS].contains(&refused.source.as_str())
}

fn measured(profile: &Profile, quality: &Quality) -> String {
    let mut parts = Vec::new();
    if quality.samples > 0 {
        let interval = units::rough_seconds(quality.interval.as_secs_f64());
        parts.push(format!("{} {interval} apart", units::count(quality.samples, "sample")));
    }
    let is_best = !quality.refused.iter().any(is_of_a_level);
    if !is_best || profile.level != Level::default() {
        let better = if is_best { "" } else { " (more exactly: boundby doctor)" };
        parts.push(format!("level {}{better}", profile.level.name()));
    }
    parts.extend(profile.wakeups.as_ref().map(wakeups));
    if !quality.sources_used.is_empty() {
        parts.push(quality.sources_used.join(", "));
    }
    let own = quality.own_cpu.as_secs_f64() / profile.wall.as_secs_f64();
    if own.is_finite() && own > 0.0 {
        parts.push(format!("own CPU {}", units::percent(own)));
    }
    parts.join("; ")
}

/// What wake-ups told beside what is inferred without them.
fn wakeups(wakeups: &Wakeups) -> String {
    let seconds = |time: Duration| units::rough_seconds(time.as_secs_f64());
    let same = wakeups.same.map_or(String::new(), |same| {
        format!(", {} of the waiting in the same account without them", units::percent(same))
    });
    let lost = match wakeups.lost {
        0 => String::new(),
        lost => format!(", {} of the machine lost", units::count(lost, "wake-up")),
    };
    format!(
        "{}, {} by other threads of the program{same}; ready while nobody ran: {}, {} without them{lost}",
        units::count(wakeups.told, "wake-up"),
        units::grouped(wakeups.handed_over),
        seconds(wakeups.runnable),
        seconds(wakeups.runnable_inferred),
    )
}
