//! What else would do, and what was ruled out and why.

use super::advice::{memory, plan, range};
use super::page::{Page, Text};
use crate::advice::{Action, Recommendation, Rejected};
use crate::units;

/// What the section is called.
pub(super) const LABEL: &str = "Instead";

/// Lines shown when not everything is asked for.
const LINES: usize = 2;

pub(super) fn write(
    page: &mut Page<'_>,
    best: &Recommendation,
    others: &[Recommendation],
    rejected: &[Rejected],
    verbose: bool,
) {
    let room = if verbose { usize::MAX } else { page.room() };
    let lines = lines(best, others, rejected, verbose).into_iter();
    page.section(LABEL, lines.map(|line| Text::plain(&without_asides(line, room)).into()));
}

/// Other plans in order, then what was ruled out, the most promising first.
fn lines(
    best: &Recommendation,
    others: &[Recommendation],
    rejected: &[Rejected],
    verbose: bool,
) -> Vec<String> {
    let (offered, ruled_out) = match best.action {
        // Beside "measure again" every other plan is a guess.
        Action::Inconclusive if !verbose => return Vec::new(),
        // A sleep that may not be shortened may not be overlapped either; the reader has to decide first.
        Action::WaitForEvent if !verbose => (1, 0),
        _ => (usize::MAX, usize::MAX),
    };
    let condition = match best.action {
        Action::WaitForEvent => Some("only if the sleeps may overlap"),
        _ => None,
    };
    let offers = others.iter().map(|one| alternative(one, condition));
    let lines = offers.take(offered).chain(ruled_out_together(rejected).into_iter().take(ruled_out));
    let shown = if verbose { usize::MAX } else { LINES };
    lines.take(shown).collect()
}

/// Cut at the end of a clause, so that it fits on one line where that is possible. What stands before the first
/// colon is never cut, nor the clause after it.
fn without_asides(mut line: String, room: usize) -> String {
    let keep = line.find(": ").map_or(line.len(), |at| at + 1);
    while Text::plain(&line).width() > room {
        let clause = [": ", "; "].iter().filter_map(|mark| line[keep..].rfind(mark)).max();
        let Some(cut) = clause else { break };
        line.truncate(keep + cut);
    }
    line
}

/// `async × 64: 11× (9.8–13×), +20 MiB; needs an async driver`.
fn alternative(one: &Recommendation, condition: Option<&str>) -> String {
    let plan = plan(one);
    let Some(predicted) = one.predicted else {
        return if one.headline.is_empty() { plan } else { format!("{plan}: {}", one.headline) };
    };
    let memory = memory(one).map(|memory| format!(", {memory}")).unwrap_or_default();
    let caveat = condition.or(one.caveats.first().map(String::as_str));
    let caveat = caveat.map(|caveat| format!("; {caveat}")).unwrap_or_default();
    format!("{plan}: {} ({}){memory}{caveat}", units::factor(predicted.speedup), range(predicted))
}

/// `not processes (10×): each needs 310 MiB`; what has one reason stands on one line.
fn ruled_out_together(rejected: &[Rejected]) -> Vec<String> {
    let gain = |one: &Rejected| one.predicted_speedup.unwrap_or(0.0);
    let mut sorted: Vec<&Rejected> = rejected.iter().collect();
    sorted.sort_by(|one, other| gain(other).total_cmp(&gain(one)));
    let mut groups: Vec<(&str, Vec<&Rejected>)> = Vec::new();
    for one in sorted {
        match groups.iter_mut().find(|(why, _)| *why == one.why) {
            Some((_, members)) => members.push(one),
            None => groups.push((&one.why, vec![one])),
        }
    }
    let named = |one: &Rejected| {
        // A factor that the reason names itself, or that is none, is not repeated.
        let factor = one.predicted_speedup.filter(|gain| *gain >= 1.05).map(units::factor);
        let factor = factor.filter(|factor| !one.why.contains(factor.as_str()));
        format!("{}{}", one.strategy.name(), factor.map(|factor| format!(" ({factor})")).unwrap_or_default())
    };
    let line = |(why, members): (&str, Vec<&Rejected>)| {
        let members: Vec<String> = members.into_iter().map(named).collect();
        let members = match members.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
            None => String::new(),
        };
        if why.is_empty() { format!("not {members}") } else { format!("not {members}: {why}") }
    };
    groups.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::Strategy;

    #[test]
    fn strategies_with_one_reason_share_a_line() {
        let one = |strategy, gain, why: &str| Rejected {
            strategy,
            why: why.to_owned(),
            predicted_speedup: Some(gain),
        };
        let rejected = [
            one(Strategy::Threads, 1.0, "no faster"),
            one(Strategy::Processes, 10.2, "too much memory"),
            one(Strategy::Async, 0.9, "no faster"),
        ];
        let lines = ruled_out_together(&rejected);
        assert_eq!(lines, ["not processes (10×): too much memory", "not threads or async: no faster"]);
    }

    #[test]
    fn an_alternative_keeps_to_its_line_by_leaving_out_asides() {
        let line = "processes × 10: 5.4× (4.1–5.8×), +241 MiB; arguments are pickled: names, not data";
        let cut = |room| without_asides(line.to_owned(), room);
        assert_eq!(cut(100), line);
        assert_eq!(cut(68), "processes × 10: 5.4× (4.1–5.8×), +241 MiB; arguments are pickled");
        assert_eq!(cut(20), "processes × 10: 5.4× (4.1–5.8×), +241 MiB");
    }
}
