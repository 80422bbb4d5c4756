//! Many files into one set: constants first, since the rules' types rest on them; then rules, later files
//! over earlier ones; last what can only be seen across files.

use std::collections::BTreeMap;

use super::RuleSet;
use super::constants::Constants;
use super::error::RuleError;
use super::load::Source;
use super::rule::{Rule, RuleKind};
use super::schema::{
    CasesFile, ConstantFile, ConstantsFile, DescriptionFile, Entries, GuideFile, OverlayFile, RealiseFile,
    RuleFile,
};
use super::suggest::nearest;
use super::validate::Validation;

/// Schemas of other parts of boundby, whose files may stand anywhere in a user's directory.
const FOREIGN: [&str; 3] = [super::source::FAMILY, "boundby/catalog/", "boundby/kernel/"];

/// What a file holds, told by its path.
enum Content {
    Constants,
    Model,
    Cases(Subject),
    Overlay,
    Realise(String),
    Description,
    Guide,
    Rule,
    /// Data of another part of boundby.
    Foreign,
    Unknown,
}

/// What acceptance cases are about.
#[derive(Clone, Copy)]
enum Subject {
    Model,
    Advice,
}

fn content(source: &Source) -> Content {
    if source.schema().is_some_and(|schema| FOREIGN.iter().any(|foreign| schema.starts_with(foreign))) {
        return Content::Foreign;
    }
    let path = source.relative.trim_end_matches(".yaml").trim_end_matches(".yml");
    match path.split_once('/') {
        None => match path {
            "constants" => Content::Constants,
            "model" => Content::Model,
            "model_cases" => Content::Cases(Subject::Model),
            "advice_cases" => Content::Cases(Subject::Advice),
            "overlay" => Content::Overlay,
            "description" => Content::Description,
            "guide" => Content::Guide,
            _ => Content::Rule,
        },
        Some(("decision", _)) => Content::Rule,
        Some(("realise", lang)) => Content::Realise(lang.to_owned()),
        Some(("catalog" | "source", _)) => Content::Foreign,
        Some(_) => Content::Unknown,
    }
}

pub(super) fn assemble(sources: &[Source], errors: Vec<RuleError>) -> Result<RuleSet, Vec<RuleError>> {
    let mut assembly = Assembly { set: RuleSet::default(), errors, disabled: Vec::new() };
    for source in sources {
        assembly.numbers(source);
    }
    for source in sources {
        assembly.rules(source);
    }
    assembly.disable();
    assembly.precedences(sources);
    let Assembly { mut set, mut errors, .. } = assembly;
    if errors.is_empty() {
        set.rules.sort_by(|a, b| {
            let key = |rule: &Rule| (rule.kind, std::cmp::Reverse(rule.precedence));
            key(a).cmp(&key(b)).then_with(|| a.id.cmp(&b.id))
        });
        return Ok(set);
    }
    errors.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    Err(errors)
}

struct Assembly {
    set: RuleSet,
    errors: Vec<RuleError>,
    disabled: Vec<(RuleError, String)>,
}

impl Assembly {
    fn keep<T>(&mut self, result: Result<T, Vec<RuleError>>) -> Option<T> {
        result.map_err(|errors| self.errors.extend(errors)).ok()
    }

    fn parse<T: serde::de::DeserializeOwned>(&mut self, source: &Source) -> Option<T> {
        self.keep(source.parse().map_err(|error| vec![error]))
    }

    fn numbers(&mut self, source: &Source) {
        match content(source) {
            Content::Constants => {
                let Some(file) = self.parse::<ConstantsFile>(source) else { return };
                let mut constants = std::mem::take(&mut self.set.constants);
                self.constants(source, &mut constants, &file.constants, Names::MayBeNew);
                if source.builtin {
                    self.set.shipped = constants.clone();
                }
                self.set.constants = constants;
            }
            Content::Model => {
                let Some(file) = self.parse::<ConstantsFile>(source) else { return };
                let mut model = std::mem::take(&mut self.set.model);
                self.constants(source, &mut model, &file.constants, Names::MayBeNew);
                self.set.model = model;
            }
            Content::Overlay => {
                let Some(file) = self.parse::<OverlayFile>(source) else { return };
                let mut constants = std::mem::take(&mut self.set.constants);
                self.constants(source, &mut constants, &file.constants, Names::MustExist);
                self.set.constants = constants;
                let mut model = std::mem::take(&mut self.set.model);
                self.constants(source, &mut model, &file.model, Names::MustExist);
                self.set.model = model;
                for id in &file.disable {
                    self.disabled.push((
                        source.at(id, format!("no rule `{}` to disable", id.value)),
                        id.value.clone(),
                    ));
                }
            }
            _ => {}
        }
    }

    fn constants(
        &mut self,
        source: &Source,
        into: &mut Constants,
        file: &Entries<ConstantFile>,
        names: Names,
    ) {
        for (key, entry) in &file.0 {
            let name = key.value.as_str();
            let known = into.get(name).cloned();
            if known.is_none() && names == Names::MustExist {
                let mut error = source.at(key, format!("no constant `{name}` to override"));
                error.help = Some(match nearest(name, into.names()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "new constants belong in constants.yaml".to_owned(),
                });
                self.errors.push(error);
                continue;
            }
            let validation = Validation::new(source, into);
            let Some(constant) = self.keep(validation.constant(key, entry)) else { continue };
            if let Some(known) = known
                && known.dimension != constant.dimension
            {
                let what = format!("`{name}` is {}, this is {}", known.dimension, constant.dimension);
                self.errors.push(
                    source.at(entry, what).help(format!("it is `{}` in the rules it overrides", known.text)),
                );
                continue;
            }
            into.insert(name, constant);
        }
    }

    fn rules(&mut self, source: &Source) {
        let constants = self.set.constants.clone();
        let validation = Validation::new(source, &constants);
        match content(source) {
            Content::Rule => {
                let Some(file) = self.parse::<RuleFile>(source) else { return };
                let Some(rule) = self.keep(validation.rule(file)) else { return };
                match self.set.rules.iter_mut().find(|other| other.id == rule.id) {
                    Some(other) if other.builtin == rule.builtin => {
                        let what = format!("a second rule `{}`; the first is in {}", rule.id, other.origin);
                        self.errors.push(RuleError::whole_file(&source.file, what));
                    }
                    Some(other) => *other = rule,
                    None => self.set.rules.push(rule),
                }
            }
            Content::Cases(subject) => {
                let Some(file) = self.parse::<CasesFile>(source) else { return };
                if let Some(cases) = self.keep(validation.cases(file)) {
                    match subject {
                        Subject::Model => self.set.cases.extend(cases),
                        Subject::Advice => self.set.advice_cases.extend(cases),
                    }
                }
            }
            Content::Description => {
                let Some(file) = self.parse::<DescriptionFile>(source) else { return };
                if let Some(description) = self.keep(validation.description(file)) {
                    self.set.description = description;
                }
            }
            Content::Guide => {
                let Some(file) = self.parse::<GuideFile>(source) else { return };
                self.set.guide = file.into();
            }
            Content::Realise(lang) => {
                let Some(file) = self.parse::<RealiseFile>(source) else { return };
                if let Some(found) = self.keep(validation.realisations(&lang, file)) {
                    self.set.realisations.extend(found);
                }
            }
            Content::Unknown => {
                let error = RuleError::whole_file(&source.file, "not a place for rules");
                self.errors.push(
                    error.help("rules belong in the directory itself or in decision/, code in realise/"),
                );
            }
            Content::Constants | Content::Model | Content::Overlay | Content::Foreign => {}
        }
    }

    fn disable(&mut self) {
        for (mut error, id) in std::mem::take(&mut self.disabled) {
            let before = self.set.rules.len();
            self.set.rules.retain(|rule| rule.id != id);
            if self.set.rules.len() == before {
                let near = nearest(&id, self.set.rules.iter().map(|rule| rule.id.as_str()));
                error.help = near.map(|near| format!("did you mean `{near}`?"));
                self.errors.push(error);
            }
        }
    }

    /// Two rules of a kind with the same precedence would be ordered by their names, which nobody means.
    fn precedences(&mut self, sources: &[Source]) {
        let mut taken: BTreeMap<(RuleKind, i32), &Rule> = BTreeMap::new();
        for rule in &self.set.rules {
            let Some(first) = taken.insert((rule.kind, rule.precedence), rule) else { continue };
            let what = format!(
                "{} `{}` has the precedence of `{}`, {}",
                rule.kind.name(),
                rule.id,
                first.id,
                rule.precedence
            );
            let error = match sources.iter().find(|source| source.file == rule.origin) {
                Some(source) => source.whole(what, "precedence:"),
                None => RuleError::whole_file(&rule.origin, what),
            };
            self.errors
                .push(error.help("give each rule of a kind its own precedence; higher is tried first"));
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Names {
    MayBeNew,
    MustExist,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set_of(relative: &str, text: String) -> Result<RuleSet, Vec<RuleError>> {
        let source =
            Source { file: relative.to_owned(), relative: relative.to_owned(), text, builtin: false };
        assemble(&[source], Vec::new())
    }

    const RULE: &str = "schema: boundby/rules/1\nid: x\nkind: cap\ntitle: t\nprecedence: 1\nwhen:\n  all:\n  - \
        \"run.wall > 5s\"\n  any:\n  - 'known(run.wall)'\n  - >-\n    runtime.lang in\n    \
        [node, go]\nthen: {workers: \
        \"min(region.n, 2 * host.cores)\", reason: \"ü {workers}\"}\nbecause: \"{run.wall | seconds}\"\ntests:\n- \
        {name: a, given: {run.wall: 6s, region.n: 4}, expect: {workers: {between: [3, 5]}}}\n";
    const OTHERS: [(&str, &str); 3] = [
        ("overlay.yaml", "disable: [x]\nconstants: {a: 5ms}\nmodel: {b: {value: 3, why: x}}\n"),
        (
            "model_cases.yaml",
            "cases:\n- {id: A, given: {n: [1, 2s], b: true}, expect: {t: {about: 5s, tol: 2%}}}\n",
        ),
        ("realise/any.yaml", "entries:\n- {strategy: threads, construct: 'x{workers}', notes: ['{y}']}\n"),
    ];

    #[test]
    fn the_files_that_are_damaged_below_are_right_before() {
        set_of("constants.yaml", "constants: {a: 5}".to_owned()).unwrap();
        let set = set_of("decision/x.yaml", RULE.to_owned()).unwrap_or_else(|errors| panic!("{}", errors[0]));
        assert_eq!(set.get("x").unwrap().when.lines.len(), 3);
        set_of(OTHERS[1].0, OTHERS[1].1.to_owned()).unwrap();
        set_of(OTHERS[2].0, OTHERS[2].1.to_owned()).unwrap();
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn no_damage_to_a_file_makes_the_loader_panic(
            which in 0..5_usize,
            start in any::<prop::sample::Index>(),
            length in 0..12_usize,
            put in "\\PC{0,6}|[ \\n\\t{}'\":,-]{0,4}",
        ) {
            let (name, text) = match which {
                0 | 1 => ("decision/x.yaml", RULE),
                other => OTHERS[other - 2],
            };
            let letters: Vec<char> = text.chars().collect();
            let start = start.index(letters.len());
            let end = (start + length).min(letters.len());
            let (before, after) = (letters[..start].iter().copied(), letters[end..].iter().copied());
            let damaged: String = before.chain(put.chars()).chain(after).collect();
            if let Err(errors) = set_of(name, damaged) {
                prop_assert!(!errors.is_empty());
                for error in errors {
                    prop_assert!(error.to_string().starts_with(name), "{}", error);
                }
            }
        }
    }
}
