//! What could not be seen or decided and what that costs, and how good the measurement was.

use super::page::{Page, Paragraph, Role, Text};
use crate::advice::NotDecided;
use crate::profile::{Profile, Quality};
use crate::report::Report;
use crate::units;

/// Open questions shown when not everything is asked for.
const QUESTIONS: usize = 3;

pub(super) fn write(page: &mut Page<'_>, report: &Report<'_>, verbose: bool) {
    let Report { profile, machine, advice } = *report;
    let mut seen: Vec<Paragraph> = Vec::new();
    let mut say = |text: String| seen.push(Text::plain(&text).into());
    if !profile.launched {
        say("what happened before boundby attached".to_owned());
    }
    for refused in &profile.quality.refused {
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

/// Rules that one answer would settle, together: what is missing, and how to learn it.
fn questions(not_decided: &[NotDecided], verbose: bool) -> Vec<String> {
    let mut asked: Vec<(&str, Vec<&str>)> = Vec::new();
    for one in not_decided {
        let place = asked.iter().position(|(how, _)| *how == one.how_to_learn).unwrap_or_else(|| {
            asked.push((&one.how_to_learn, Vec::new()));
            asked.len() - 1
        });
        for fact in &one.missing {
            if !asked[place].1.contains(&fact.as_str()) {
                asked[place].1.push(fact);
            }
        }
    }
    let shown = if verbose { asked.len() } else { QUESTIONS.min(asked.len()) };
    let mut lines: Vec<String> = asked[..shown]
        .iter()
        .map(|(how, facts)| {
            let facts: Vec<&str> = facts
                .iter()
                .map(|fact| crate::facts::spec(fact).map_or(*fact, |spec| spec.meaning))
                .collect();
            format!("not known: {} ({how})", facts.join("; "))
        })
        .collect();
    if asked.len() > shown {
        let rest = units::count((asked.len() - shown) as u64, "more question");
        lines.push(format!("{rest} left open, listed in the JSON report"));
    }
    lines
}

fn measured(profile: &Profile, quality: &Quality) -> String {
    let mut parts = Vec::new();
    if !quality.sources_used.is_empty() {
        parts.push(quality.sources_used.join(", "));
    }
    if quality.samples > 0 {
        let interval = units::seconds(quality.interval.as_secs_f64());
        let late = if quality.late > 0 { format!(", {} late", quality.late) } else { String::new() };
        parts.push(format!("{} {interval} apart{late}", units::count(quality.samples, "sample")));
    }
    let own = quality.own_cpu.as_secs_f64() / profile.wall.as_secs_f64();
    if own.is_finite() && own > 0.0 {
        parts.push(format!("boundby itself used {} of one CPU", units::percent(own)));
    }
    parts.join("; ")
}
