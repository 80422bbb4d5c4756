//! The rules of the scan, readable.

use std::io::Write;
use std::path::Path;

use comfy_table::Table;

use super::Layout;
use crate::finding::{Cost, Mitigation, Severity, Threshold};
use crate::rules::source::{SourceKind, SourceRule, SourceRules, Words};
use crate::units;
use crate::yaml::RuleError;

/// The built-in rules of the scan, with a user's over them.
pub(super) fn read(overlay: Option<&Path>) -> Result<SourceRules, Vec<RuleError>> {
    overlay.map_or_else(SourceRules::builtin, SourceRules::with_overlay)
}

/// A table of the rules of a kind, or of all.
pub(super) fn list(
    rules: &SourceRules,
    kind: Option<SourceKind>,
    layout: Layout,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let of_kind: Vec<_> =
        rules.all().iter().filter(|rule| kind.is_none_or(|kind| rule.kind == kind)).collect();
    if of_kind.is_empty() {
        return Ok(());
    }
    let mut table = Table::new();
    layout.style(&mut table);
    table.set_header(["kind", "group", "severity", "rule", "title"]);
    for rule in of_kind {
        let origin = if rule.builtin { String::new() } else { format!(" ({})", rule.origin) };
        let title = format!("{}{origin}", rule.title);
        let severity = worst(rule).name();
        table.add_row([rule.kind.name(), &rule.group.to_string(), severity, &rule.id, &title]);
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn worst(rule: &SourceRule) -> Severity {
    rule.severity.by_cost.values().copied().max().unwrap_or(Severity::Note).max(rule.severity.otherwise)
}

/// Everything a rule says, offline.
pub(super) fn explain(rule: &SourceRule, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "{} — {}\n", rule.id, rule.title)?;
    let languages: Vec<_> = rule.languages.iter().map(|language| language.name()).collect();
    writeln!(out, "kind      {}, group {}, in {}", rule.kind.name(), rule.group, languages.join(" and "))?;
    writeln!(out, "severity  {}", severity(rule))?;
    writeln!(out, "sure      {}", rule.confidence.name())?;
    if !rule.lowered_by.is_empty() {
        let lowered = rule.lowered_by.iter().map(|(mitigation, steps)| {
            format!("{} by {steps} ({})", mitigation.name(), meaning(*mitigation))
        });
        let lowered: Vec<_> = lowered.collect();
        writeln!(out, "lowered   {}", lowered.join("\n          "))?;
    }
    writeln!(out, "from      {}{}", rule.origin, if rule.builtin { " (built in)" } else { "" })?;
    texts(out, "says", &rule.message)?;
    texts(out, "because", &rule.why)?;
    texts(out, "instead", &rule.cure)?;
    for (heading, code) in [("before", &rule.before), ("after", &rule.after)] {
        for (language, code) in code {
            writeln!(out, "\n{heading} ({})", language.name())?;
            for line in code.trim_end().lines() {
                writeln!(out, "{}", format!("  {line}").trim_end())?;
            }
        }
    }
    if !rule.options.is_empty() {
        writeln!(out, "\noptions")?;
        for (name, value) in &rule.options {
            let value = match value {
                Threshold::Number(number) => units::plain(*number),
                Threshold::Words(words) => words.join(", "),
            };
            writeln!(out, "  {name} = {value}")?;
        }
    }
    writeln!(out, "\nit cannot see\n  {}", rule.limit.replace('\n', "\n  "))?;
    writeln!(out, "\nafter\n  {}", rule.cite.join(", "))?;
    writeln!(
        out,
        "\nto take one finding back\n  boundby: ignore[{}] reason    in a comment on its line",
        rule.id
    )
}

fn severity(rule: &SourceRule) -> String {
    if rule.severity.by_cost.is_empty() {
        return rule.severity.otherwise.name().to_owned();
    }
    let by_cost = Cost::ALL.iter().filter_map(|cost| {
        let severity = rule.severity.by_cost.get(cost)?;
        Some(format!("{} where it costs {}", severity.name(), cost.name()))
    });
    by_cost.chain([format!("otherwise {}", rule.severity.otherwise.name())]).collect::<Vec<_>>().join(", ")
}

fn meaning(mitigation: Mitigation) -> &'static str {
    match mitigation {
        Mitigation::FirstCallOnly => "only the first call pays",
        Mitigation::ErrorPath => "in a handler of errors",
        Mitigation::StartUp => "before the program serves, or after",
        Mitigation::OneShot => "in a program that runs once",
        Mitigation::Test => "in test code",
        Mitigation::DeepChain => "many calls away",
        Mitigation::Inferred => "a type or callee is inferred",
    }
}

fn texts(out: &mut dyn Write, heading: &str, words: &Words) -> std::io::Result<()> {
    writeln!(out, "\n{heading}")?;
    for (number, text) in words.texts().enumerate() {
        let or = if number == 0 { "" } else { "or: " };
        writeln!(out, "  {or}{text}")?;
    }
    Ok(())
}
