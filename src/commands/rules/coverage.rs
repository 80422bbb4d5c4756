//! `boundby rules coverage`: every number of the decision guide and where it lives, as Markdown.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::rules::RuleSet;
use crate::rules::guide::{self, GuideEntry, Home, LEFT_OUT};
use crate::rules::source::SourceRules;
use crate::units;

/// Writes the page.
pub(super) fn write(rules: &RuleSet, scan: &SourceRules, out: &mut dyn Write) -> io::Result<()> {
    let homes = guide::homes(rules, scan);
    let guide = rules.guide();
    let covered = guide.entries().filter(|entry| homes.contains_key(&entry.id)).count();
    writeln!(
        out,
        "# Where the decision guide lives\n\n\
         Written by `boundby rules coverage` from what rules, coefficients, cases and words cite; `BLESS=1 cargo test --test \
         it coverage`\nrewrites it. {} of {} have a home. S0 to S4 are the guide's documents, with lines. `boundby rules \
         explain ID`\nshows a rule with its tests; what is marked *scan* is a rule of the scan, a *coefficient* stands in \
         `model.yaml`, a\n*threshold* in `constants.yaml`, a *case* in `model_cases.yaml`, *words* in `description.yaml`.",
        covered,
        units::count(guide.entries().count() as u64, "number"),
    )?;
    for (title, entries) in [
        ("Its rules", &guide.rows),
        ("Where its documents contradict each other", &guide.contradictions),
        ("Its worked figures", &guide.figures),
    ] {
        writeln!(out, "\n## {title}\n\n| | it says | at | became | lives in |\n|---|---|---|---|---|")?;
        for entry in entries {
            let GuideEntry { id, at, says, became } = entry;
            let lives = lives(homes.get(id), became);
            let says = says.replace('|', "\\|");
            writeln!(out, "| {id} | {says} | {} | {} | {lives} |", at.join(", "), became.replace('-', " "))?;
        }
    }
    Ok(())
}

/// The homes of an entry, by kind.
fn lives(homes: Option<&Vec<Home>>, became: &str) -> String {
    let Some(homes) = homes else {
        return if became == LEFT_OUT { "nowhere: prose".to_owned() } else { "**nowhere**".to_owned() };
    };
    let mut by_kind: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for home in homes {
        by_kind.entry(home.kind).or_default().push(format!("`{}`", home.name));
    }
    let told: Vec<String> =
        by_kind.into_iter().map(|(kind, names)| format!("{kind} {}", names.join(", "))).collect();
    told.join("; ")
}
