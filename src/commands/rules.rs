//! `boundby rules`: the rules, readable; and whether they, or your own, are right.

mod coverage;
mod source;

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::Path;

use anyhow::{anyhow, bail};

use comfy_table::{ContentArrangement, Table, presets};

use crate::advice::model::Costs;
use crate::advice::{run_advice_case, run_model_case};
use crate::catalog::Catalog;
use crate::cli::{KindArg, RulesArgs, RulesCommand};
use crate::exit;
use crate::facts;
use crate::rules::source::{SourceKind, SourceRules};
use crate::rules::suggest::nearest;
use crate::rules::{self, List, ModelCase, Rule, RuleError, RuleExpectation, RuleKind, RuleSet, Then};
use crate::units;

/// The kinds of decision rules and of rules of the scan that a word means; both have hazards.
fn kinds(kind: KindArg) -> (Option<RuleKind>, Option<SourceKind>) {
    match kind {
        KindArg::Verdict => (Some(RuleKind::Verdict), None),
        KindArg::Gate => (Some(RuleKind::Gate), None),
        KindArg::Cap => (Some(RuleKind::Cap), None),
        KindArg::Prefer => (Some(RuleKind::Prefer), None),
        KindArg::Note => (Some(RuleKind::Note), None),
        KindArg::Hazard => (Some(RuleKind::Hazard), Some(SourceKind::Hazard)),
        KindArg::Engine => (Some(RuleKind::Engine), None),
        KindArg::Mistake => (None, Some(SourceKind::Mistake)),
        KindArg::Opportunity => (None, Some(SourceKind::Opportunity)),
    }
}

/// Runs `boundby rules` and returns the exit code.
///
/// # Errors
/// Rules that do not load (but for `check`, which prints what is wrong), an id nobody has, a path that is not
/// there, output that cannot be written.
pub fn run(args: &RulesArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    let overlay = args.rules.as_deref();
    match &args.command {
        RulesCommand::List { kind } => {
            let layout = if std::io::stdout().is_terminal() { Layout::Terminal } else { Layout::Plain };
            let (set, scan) = (load(overlay)?, load_source(overlay)?);
            let (of_decision, of_scan) = kind.map_or((None, None), kinds);
            if kind.is_none() || of_decision.is_some() {
                list(&set, of_decision, layout, out)?;
            }
            if kind.is_none() {
                writeln!(out)?;
            }
            if kind.is_none() || of_scan.is_some() {
                source::list(&scan, of_scan, layout, out)?;
            }
        }
        RulesCommand::Explain { id } => {
            let set = load(overlay)?;
            let scan = load_source(overlay)?;
            // Both may call a pattern by the same name: one measures it, the other reads it.
            let (of_decision, of_scan) = (set.get(id), scan.get(id));
            if of_decision.is_none() && of_scan.is_none() {
                let ids = set.decision().iter().map(|rule| rule.id.as_str());
                let ids = ids.chain(scan.all().iter().map(|rule| rule.id.as_str()));
                let help = nearest(id, ids).map_or_else(
                    || "list them: boundby rules list".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                );
                bail!("no rule `{id}`; {help}");
            }
            if let Some(rule) = of_decision {
                explain(&set, rule, out)?;
            }
            if of_decision.is_some() && of_scan.is_some() {
                writeln!(out)?;
            }
            if let Some(rule) = of_scan {
                source::explain(rule, out)?;
            }
        }
        RulesCommand::Coverage => coverage::write(&load(overlay)?, &load_source(overlay)?, out)?,
        RulesCommand::Check { path } => return check(path.as_deref().or(overlay), out),
    }
    Ok(exit::SUCCESS)
}

/// The built-in rules, with a user's directory over them.
///
/// # Errors
/// Everything that is wrong in the rules, in one error.
pub fn load(overlay: Option<&Path>) -> anyhow::Result<RuleSet> {
    read(overlay)?.map_err(|errors| anyhow!("the rules cannot be used\n\n{}", shown(&errors)))
}

/// As [`load`], with coefficients that were measured on this computer beneath the user's.
///
/// # Errors
/// As [`load`].
pub fn load_measured(model: &BTreeMap<String, f64>, overlay: Option<&Path>) -> anyhow::Result<RuleSet> {
    exists(overlay)?;
    let set = RuleSet::with_measured(model, overlay);
    let set = set.and_then(|set| overlay.map_or(Ok(set.clone()), |path| usable(set, path)));
    set.map_err(|errors| anyhow!("the rules cannot be used\n\n{}", shown(&errors)))
}

/// The rules of the scan, with a user's directory over them.
///
/// # Errors
/// Everything that is wrong in the rules, in one error.
pub fn load_source(overlay: Option<&Path>) -> anyhow::Result<SourceRules> {
    exists(overlay)?;
    source::read(overlay).map_err(|errors| anyhow!("the rules cannot be used\n\n{}", shown(&errors)))
}

fn exists(overlay: Option<&Path>) -> anyhow::Result<()> {
    match overlay {
        Some(path) if !path.exists() => {
            bail!("{}: no such file or directory; name a directory of rules", path.display())
        }
        _ => Ok(()),
    }
}

/// The outer error is a path that is not there, the inner one is what is wrong in the files.
fn read(overlay: Option<&Path>) -> anyhow::Result<Result<RuleSet, Vec<RuleError>>> {
    exists(overlay)?;
    Ok(match overlay {
        None => RuleSet::builtin(),
        Some(path) => RuleSet::with_overlay(path).and_then(|set| usable(set, path)),
    })
}

/// Rules whose model can be reckoned with: without it nothing is predicted, and a report would say so much too late.
fn usable(set: RuleSet, path: &Path) -> Result<RuleSet, Vec<RuleError>> {
    let mut errors = set.missing_coefficients(Costs::NAMES);
    let unusable = Costs::read(|name| set.model(name)).err().unwrap_or_default();
    let known = unusable.iter().filter_map(|name| Some((name, set.coefficients().get(name)?)));
    errors.extend(known.map(|(name, coefficient)| RuleError {
        file: path.display().to_string(),
        line: 0,
        column: 0,
        width: 0,
        what: format!("the model cannot reckon with `{name}: {}`", coefficient.text),
        help: Some("give it a finite value that is not negative".to_owned()),
        source: None,
    }));
    if errors.is_empty() { Ok(set) } else { Err(errors) }
}

fn shown(errors: &[RuleError]) -> String {
    let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
    texts.join("\n\n")
}

#[derive(Clone, Copy)]
enum Layout {
    Terminal,
    Plain,
}

impl Layout {
    fn style(self, table: &mut Table) {
        match self {
            Self::Terminal => table
                .load_style(presets::UTF8_HORIZONTAL_ONLY)
                .set_content_arrangement(ContentArrangement::Dynamic),
            Self::Plain => table.load_style(presets::NOTHING),
        };
    }
}

fn list(set: &RuleSet, kind: Option<RuleKind>, layout: Layout, out: &mut dyn Write) -> std::io::Result<()> {
    let mut table = Table::new();
    layout.style(&mut table);
    table.set_header(["kind", "precedence", "rule", "title"]);
    for rule in set.decision().iter().filter(|rule| kind.is_none_or(|kind| rule.kind == kind)) {
        let origin = if rule.builtin { String::new() } else { format!(" ({})", rule.origin) };
        let title = format!("{}{origin}", rule.title);
        table.add_row([rule.kind.name(), &rule.precedence.to_string(), &rule.id, &title]);
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn explain(set: &RuleSet, rule: &Rule, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "{} — {}\n", rule.id, rule.title)?;
    let since = rule.since.as_ref().map(|since| format!(", since {since}")).unwrap_or_default();
    let severity = rule.severity.map(|severity| format!(", {}", severity.name())).unwrap_or_default();
    writeln!(out, "kind     {}{severity}, precedence {}{since}", rule.kind.name(), rule.precedence)?;
    writeln!(out, "from     {}{}", rule.origin, if rule.builtin { " (built in)" } else { "" })?;
    let mut heading = "when";
    for list in [List::All, List::Any, List::None] {
        let lines: Vec<_> = rule.when.lines.iter().filter(|line| line.list == list).collect();
        if lines.is_empty() {
            continue;
        }
        writeln!(out, "\n{heading} {} of", list.name())?;
        heading = "and";
        for line in lines {
            writeln!(out, "  {}", line.text)?;
        }
    }
    if rule.when.lines.is_empty() {
        writeln!(out, "\nalways")?;
    }
    writeln!(out, "\nthen")?;
    for line in consequences(&rule.then) {
        writeln!(out, "  {line}")?;
    }
    writeln!(out, "\nbecause\n  {}", rule.because.text())?;
    names(set, rule, out)?;
    if !rule.cite.is_empty() {
        writeln!(out, "\nafter\n  {}", rule.cite.join(", "))?;
    }
    writeln!(out, "\n{}", units::count(rule.tests.len() as u64, "test"))?;
    for test in &rule.tests {
        let expectation = match &test.expect {
            RuleExpectation::Fired => "fires".to_owned(),
            RuleExpectation::NotFired => "does not fire".to_owned(),
            RuleExpectation::Unknown => "cannot be told".to_owned(),
            RuleExpectation::Values(values) => {
                let values: Vec<_> =
                    values.iter().map(|(name, value)| format!("{name} is {value}")).collect();
                format!("fires: {}", values.join(", "))
            }
        };
        writeln!(out, "  {}: {expectation}", test.name)?;
    }
    Ok(())
}

/// The facts and thresholds of the condition, with what they mean and stand for.
fn names(set: &RuleSet, rule: &Rule, out: &mut dyn Write) -> std::io::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let mut seen = Vec::new();
    for name in rule.when.lines.iter().flat_map(rules::Line::facts) {
        if let Some(spec) = facts::spec(name)
            && !seen.contains(&name)
        {
            seen.push(name);
            table.add_row([format!(" {name}"), spec.meaning.to_owned()]);
        }
    }
    for name in rule.when.lines.iter().flat_map(rules::Line::constants) {
        if let Some(constant) = set.constants().get(name)
            && !seen.contains(&name)
        {
            seen.push(name);
            table.add_row([format!(" {name}"), format!("{}: {}", constant.text, constant.why)]);
        }
    }
    if seen.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nwhere")?;
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn consequences(then: &Then) -> Vec<String> {
    match then {
        Then::Verdict { bound_by, share } => {
            vec![format!("bound by {bound_by}: {} of the wall time", share.text())]
        }
        Then::Gate { only, veto, action, strategy, headline, construct, snippet } => {
            let mut lines = Vec::new();
            if !only.is_empty() {
                lines.push(format!("only {} remains", only.join(", ")));
            }
            if !veto.is_empty() {
                lines.push(format!("not {}", veto.join(", ")));
            }
            lines.extend(action.as_ref().map(|action| format!("action {action}")));
            lines.extend(strategy.as_ref().map(|strategy| format!("strategy {strategy}")));
            lines.extend(headline.as_ref().map(|headline| format!("say: {}", headline.text())));
            lines.extend(construct.as_ref().map(|construct| format!("write: {}", construct.text())));
            let code = snippet.iter().flat_map(|snippet| snippet.text().lines());
            lines.extend(code.map(|line| format!("  {line}").trim_end().to_owned()));
            lines
        }
        Then::Cap { workers, strategies, reason } => vec![
            format!("at most {} workers for {}", workers.text(), strategies.join(", ")),
            format!("reason: {}", reason.text()),
        ],
        Then::Prefer { strategy, weight } => vec![format!("prefer {strategy}, weight {weight}")],
        Then::Note { text, show } => {
            let mut lines = vec![format!("say: {}", text.text())];
            lines.extend(show.iter().map(|(name, value)| format!("{name} = {}", value.text())));
            lines
        }
        Then::Hazard { finding, fix } => {
            vec![format!("finding: {}", finding.text()), format!("fix: {}", fix.text())]
        }
        Then::Engine { engine, task, unless } => vec![
            format!("use {engine}, with tasks of {} and more", task.text()),
            format!("not otherwise: {}", unless.text()),
        ],
    }
}

fn check(path: Option<&Path>, out: &mut dyn Write) -> anyhow::Result<u8> {
    let (set, scan) = match (read(path)?, source::read(path), own_catalog(path)) {
        (Ok(set), Ok(scan), Ok(())) => (set, scan),
        (set, scan, catalog) => {
            let mut errors: Vec<RuleError> =
                [set.err(), scan.err(), catalog.err()].into_iter().flatten().flatten().collect();
            // What cannot be read at all is found by each of them.
            errors.dedup();
            errors.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
            errors.dedup();
            writeln!(out, "{}\n\n{}", shown(&errors), units::count(errors.len() as u64, "error"))?;
            return Ok(exit::FINDINGS);
        }
    };
    let failures = rules::check(&set);
    for failure in &failures {
        let level = if failure.kind.is_error() { "error" } else { "warning" };
        writeln!(out, "{level}: {}: {}: {}", failure.origin, failure.rule, failure.what)?;
    }
    let mut errors = failures.iter().filter(|failure| failure.kind.is_error()).count() as u64;
    let mut warnings = failures.len() as u64 - errors;
    let of_model = set.model_cases().iter().map(|case| (case, run_model_case(&set, case)));
    let of_advice = set.advice_cases().iter().map(|case| (case, run_advice_case(&set, case)));
    for (case, outcome) in of_model.chain(of_advice) {
        let Err(what) = outcome else { continue };
        // Other coefficients than the shipped ones break shipped cases; that is what they are for.
        let level = if comes_out_as_shipped(case) {
            warnings += 1;
            "warning"
        } else {
            errors += 1;
            "error"
        };
        writeln!(out, "{level}: {}: case {}: {what}", case.origin, case.id)?;
    }
    let own = set.decision().iter().filter(|rule| !rule.builtin).count()
        + scan.all().iter().filter(|rule| !rule.builtin).count();
    let tests = set.decision().iter().map(|rule| rule.tests.len() as u64).sum();
    let of_yours = if path.is_some() { format!(" ({own} of yours)") } else { String::new() };
    writeln!(
        out,
        "{}{of_yours}, {}, {}: {}, {}",
        units::count((set.decision().len() + scan.all().len()) as u64, "rule"),
        units::count(tests, "test"),
        units::count((set.model_cases().len() + set.advice_cases().len()) as u64, "case"),
        units::count(errors, "error"),
        units::count(warnings, "warning"),
    )?;
    Ok(if errors > 0 { exit::FINDINGS } else { exit::SUCCESS })
}

/// What is wrong in a user's catalogue.
fn own_catalog(path: Option<&Path>) -> Result<(), Vec<RuleError>> {
    path.filter(|path| path.is_dir()).map_or(Ok(()), |path| Catalog::with(path).map(|_| ()))
}

/// Whether a case is boundby's own, and comes out with its own coefficients.
fn comes_out_as_shipped(case: &ModelCase) -> bool {
    RuleSet::builtin().is_ok_and(|shipped| {
        let same =
            |own: &ModelCase| (&own.id, &own.given, &own.expect) == (&case.id, &case.given, &case.expect);
        shipped.model_cases().iter().any(|own| same(own) && run_model_case(&shipped, own).is_ok())
            || shipped.advice_cases().iter().any(|own| same(own) && run_advice_case(&shipped, own).is_ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(command: RulesCommand) -> (u8, String) {
        let mut out = Vec::new();
        let code = run(&RulesArgs { rules: None, command }, &mut out).unwrap();
        (code, String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_list_names_every_rule_in_aligned_columns() {
        let set = RuleSet::builtin().unwrap();
        let mut out = Vec::new();
        list(&set, None, Layout::Plain, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), set.decision().len() + 1);
        let column = lines[0].find("rule").unwrap();
        for (line, rule) in lines[1..].iter().zip(set.decision()) {
            assert!(line[column..].starts_with(&rule.id), "{line}");
        }
    }

    #[test]
    fn every_rule_can_be_explained() {
        let set = RuleSet::builtin().unwrap();
        for rule in set.decision() {
            let (code, text) = typed(RulesCommand::Explain { id: rule.id.clone() });
            assert_eq!(code, exit::SUCCESS);
            for line in &rule.when.lines {
                assert!(text.contains(&line.text), "{text}");
            }
            assert!(text.contains(rule.because.text()), "{text}");
        }
    }

    #[test]
    fn every_rule_of_the_scan_is_listed_and_explained() {
        let scan = SourceRules::builtin().unwrap();
        let (_, listed) = typed(RulesCommand::List { kind: None });
        for rule in scan.all() {
            assert!(listed.contains(&rule.id), "{listed}");
            let (code, text) = typed(RulesCommand::Explain { id: rule.id.clone() });
            assert_eq!(code, exit::SUCCESS);
            assert!(rule.message.texts().all(|message| text.contains(message)), "{text}");
            assert!(text.contains(&rule.cite[0]) && text.contains("it cannot see"), "{text}");
        }
        let (_, mistakes) = typed(RulesCommand::List { kind: Some(KindArg::Mistake) });
        assert!(
            mistakes.contains("gunicorn-sync-threads") && !mistakes.contains("workers-times-threads"),
            "{mistakes}"
        );
    }

    #[test]
    fn a_wrong_rule_of_the_scan_is_shown_at_its_place() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("source")).unwrap();
        let rules = SourceRules::builtin().unwrap();
        let text =
            std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&rules.all()[0].origin))
                .unwrap();
        let name = rules.all()[0].origin.rsplit('/').next().unwrap().to_owned();
        std::fs::write(directory.path().join("source").join(&name), text.replace("kind: ", "kind: x"))
            .unwrap();
        let (code, text) = typed(RulesCommand::Check { path: Some(directory.path().to_owned()) });
        assert_eq!(code, exit::FINDINGS);
        assert!(text.contains(&format!("source/{name}:")) && text.contains("unknown kind `x"), "{text}");
        assert!(text.ends_with("1 error\n"), "{text}");
    }

    #[test]
    fn an_id_nobody_has_is_refused_with_the_nearest() {
        let id = RuleSet::builtin().unwrap().decision()[0].id.clone();
        let command = RulesCommand::Explain { id: format!("{id}s") };
        let error = run(&RulesArgs { rules: None, command }, &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains(&format!("did you mean `{id}`?")), "{error}");
    }

    #[test]
    fn a_wrong_file_is_shown_at_its_place_and_fails_the_check() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("slow-disk.yaml");
        std::fs::write(
            &file,
            "schema: boundby/rules/1\nid: slow-disk\nkind: note\ntitle: t\nprecedence: 1\nwhen:\n  \
             all: [\"wait.dsk > 5ms\"]\nthen: {text: a}\nbecause: b\n",
        )
        .unwrap();
        let (code, text) = typed(RulesCommand::Check { path: Some(directory.path().to_owned()) });
        assert_eq!(code, exit::FINDINGS);
        assert!(text.contains("slow-disk.yaml:7:10: unknown fact `wait.dsk`"), "{text}");
        assert!(text.contains("did you mean `wait.disk`?"), "{text}");
        assert!(text.contains("         ^^^^^^^^"), "{text}");
    }

    #[test]
    fn a_path_that_is_not_there_is_a_usage_error() {
        let command = RulesCommand::Check { path: Some(Path::new("/nowhere/at/all").to_owned()) };
        let error = run(&RulesArgs { rules: None, command }, &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("no such file or directory"), "{error}");
    }
}
