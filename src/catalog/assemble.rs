//! Files into one catalogue: every owner and its calls first, later files over earlier ones; then what needs all of
//! them: references between types, inheritance, other names.

mod link;

use std::collections::BTreeMap;

use rustc_hash::{FxHashMap, FxHashSet};

use super::api::{Api, Argument, Effect, Language, Mark, Offload, Unless};
use super::schema::{
    ArgumentFile, BlocksFile, CallsFile, CatalogFile, ComputesFile, OffloadsFile, OwnerFile, Texts,
    UnlessFile,
};
use super::{Catalog, Known};
use crate::finding::Cost;
use crate::wait::WaitKind;
use crate::yaml::error::RuleError;
use crate::yaml::load::Source;
use crate::yaml::{Entries, Spanned};

const SCHEMA: &str = "boundby/catalog/1";

pub(super) fn assemble(sources: &[Source], errors: Vec<RuleError>) -> Result<Catalog, Vec<RuleError>> {
    let mut assembly = Assembly { errors, ..Assembly::default() };
    for source in sources.iter().filter(|source| source.relative.starts_with("catalog/")) {
        match source.parse::<CatalogFile>() {
            Ok(file) => {
                FileOf { assembly: &mut assembly, source, file: &file, language: Language::Python }.take();
            }
            Err(error) => assembly.errors.push(error),
        }
    }
    let Assembly { apis, python, rust, mut errors } = assembly;
    let python = python.link(Language::Python, &mut errors);
    let rust = rust.link(Language::Rust, &mut errors);
    if errors.is_empty() {
        return Ok(Catalog { apis, python, rust });
    }
    errors.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    Err(errors)
}

#[derive(Default)]
struct Assembly {
    apis: Vec<Api>,
    python: Raw,
    rust: Raw,
    errors: Vec<RuleError>,
}

/// What the files say of one language, under the names they use.
#[derive(Default)]
struct Raw {
    calls: FxHashMap<String, RawCall>,
    owners: BTreeMap<String, RawOwner>,
}

#[derive(Default)]
struct RawCall {
    known: Known,
    returns: Option<Reference>,
    builtin: bool,
}

#[derive(Default)]
struct RawOwner {
    is_type: bool,
    also: Vec<String>,
    bases: Vec<Reference>,
    marks: u64,
    attributes: Vec<(String, Reference)>,
    /// Last parts of the names of its calls.
    members: Vec<String>,
}

/// A type that a file names, and the error to report where there is no such type.
#[derive(Clone)]
struct Reference {
    to: String,
    otherwise: RuleError,
}

struct FileOf<'a> {
    assembly: &'a mut Assembly,
    source: &'a Source,
    file: &'a CatalogFile,
    language: Language,
}

impl FileOf<'_> {
    fn take(mut self) {
        let file = self.file;
        if file.schema.value != SCHEMA {
            let what = format!("unknown schema `{}`", file.schema.value);
            return self.error(&file.schema, what, Some(format!("this boundby reads {SCHEMA}")));
        }
        self.language = match file.language.value.as_str() {
            "python" => Language::Python,
            "rust" => Language::Rust,
            other => {
                let what = format!("unknown language `{other}`");
                return self.error(&file.language, what, Some("one of python, rust".to_owned()));
            }
        };
        for (name, owner) in &file.modules.0 {
            self.owner(name, &owner.value, false);
        }
        for (name, owner) in &file.types.0 {
            self.owner(name, &owner.value, true);
        }
    }

    fn error<T>(&mut self, at: &Spanned<T>, what: impl Into<String>, help: Option<String>) {
        self.assembly.errors.push(RuleError { help, ..self.source.at(at, what) });
    }

    fn raw(&mut self) -> &mut Raw {
        match self.language {
            Language::Python => &mut self.assembly.python,
            Language::Rust => &mut self.assembly.rust,
        }
    }

    fn owner(&mut self, name: &Spanned<String>, file: &OwnerFile, is_type: bool) {
        let plain = file.bases.is_empty() && file.marks.is_empty() && file.made_by.is_empty();
        if !is_type && !plain {
            self.error(name, "a module has no `bases`, `marks` or `made_by`", Some("types have".to_owned()));
        }
        let marks = self.marks(&file.marks);
        let bases = file.bases.iter().map(|base| self.reference(base)).collect::<Vec<_>>();
        let attributes = self.named(&file.attributes);
        let owner = self.raw().owners.entry(name.value.clone()).or_default();
        owner.is_type |= is_type;
        owner.marks |= marks;
        owner.also.extend(file.also.iter().map(|also| also.value.clone()));
        owner.bases.extend(bases);
        owner.attributes.extend(attributes);
        for made_by in &file.made_by {
            let to = self.reference(name);
            self.known(made_by, &made_by.value, RawCall { returns: Some(to), ..RawCall::default() });
        }
        for (member, to) in self.named(&file.makes) {
            let Some((at, _)) = file.makes.0.iter().find(|(key, _)| key.value == member) else { continue };
            self.member(name, at, &member, RawCall { returns: Some(to), ..RawCall::default() });
        }
        for group in &file.calls {
            self.group(name, group);
        }
    }

    fn reference(&self, to: &Spanned<String>) -> Reference {
        let otherwise = self.source.at(to, format!("no type `{}` in the catalogue", to.value));
        let otherwise =
            otherwise.help("types are the entries under `types` of any file of the same language");
        Reference { to: to.value.clone(), otherwise }
    }

    fn named(&self, entries: &Entries<String>) -> Vec<(String, Reference)> {
        entries.0.iter().map(|(name, to)| (name.value.clone(), self.reference(to))).collect()
    }

    fn marks(&mut self, texts: &Texts) -> u64 {
        let mut bits = 0;
        for text in texts {
            if let Some(mark) = Mark::from_name(&text.value) {
                bits |= mark.bit();
            } else {
                let known: Vec<_> = Mark::ALL.iter().map(|mark| mark.name()).collect();
                let help = format!("one of {}", known.join(", "));
                self.error(text, format!("unknown mark `{}`", text.value), Some(help));
            }
        }
        bits
    }

    fn member(&mut self, owner: &Spanned<String>, at: &Spanned<String>, name: &str, call: RawCall) {
        let full = format!("{}{}{name}", owner.value, self.language.separator());
        if self.known(at, &full, call)
            && let Some(owner) = self.raw().owners.get_mut(&owner.value)
        {
            owner.members.push(name.to_owned());
        }
    }

    /// Enters a call; whether its name is new.
    fn known(&mut self, at: &Spanned<String>, full: &str, call: RawCall) -> bool {
        let builtin = self.source.builtin;
        let call = RawCall { builtin, ..call };
        match self.raw().calls.insert(full.to_owned(), call) {
            None => true,
            Some(before) => {
                if before.builtin == builtin {
                    self.error(at, format!("`{full}` comes twice"), None);
                }
                false
            }
        }
    }

    fn group(&mut self, owner: &Spanned<String>, group: &CallsFile) {
        let effect = self.effect(group);
        let marks = self.marks(&group.marks);
        let unless: Vec<_> = group.unless.iter().map(unless).collect();
        let returns = group.returns.as_ref().map(|to| self.reference(to));
        for name in &group.names {
            let filled = |text: &Option<Spanned<String>>| {
                text.as_ref().map(|text| text.value.replace("{name}", &name.value))
            };
            let api = effect.as_ref().map(|effect| {
                self.assembly.apis.push(Api {
                    language: self.language,
                    name: format!("{}{}{}", owner.value, self.language.separator(), name.value),
                    effect: effect.clone(),
                    unless: unless.clone(),
                    sibling: filled(&group.sibling),
                    cure: filled(&group.cure),
                });
                self.assembly.apis.len() as u32 - 1
            });
            let known = Known { api, returns: None, marks };
            self.member(
                owner,
                name,
                &name.value,
                RawCall { known, returns: returns.clone(), builtin: false },
            );
        }
    }

    /// What the calls of a group do; nothing where the group says a mark or a type only.
    fn effect(&mut self, group: &CallsFile) -> Option<Effect> {
        let mut stated = Vec::new();
        stated.extend(group.blocks.as_ref().map(|blocks| self.blocks(blocks)));
        stated.extend(group.computes.as_ref().map(|computes| self.computes(computes)));
        stated.extend(group.offloads.as_ref().map(|offloads| self.offloads(offloads)));
        stated.extend(
            group.schedules.as_ref().map(|function| Some(Effect::Schedules { function: argument(function) })),
        );
        stated.extend(group.runs_loop.then_some(Some(Effect::RunsLoop)));
        stated.extend(group.harmless.then_some(Some(Effect::Harmless)));
        let wrong = match (stated.len(), &self.file.blocks) {
            (0, Some(default)) if group.marks.is_empty() => return self.blocks(default),
            (0, None) if group.marks.is_empty() && group.returns.is_none() => (
                "the group does not say what it does",
                "it needs blocks, computes, offloads, schedules, runs_loop, harmless, marks or returns",
            ),
            (0, _) => return None,
            (1, _) => return stated.pop().flatten(),
            _ => ("the group has more than one effect", "split it"),
        };
        if let Some(name) = group.names.first() {
            self.error(name, wrong.0, Some(wrong.1.to_owned()));
        }
        None
    }

    fn offloads(&mut self, file: &OffloadsFile) -> Option<Effect> {
        let to = match file.to.value.as_str() {
            "thread" => Offload::Thread,
            "process" => Offload::Process,
            "task" => Offload::Task,
            other => {
                let what = format!("nothing is offloaded to `{other}`");
                self.error(&file.to, what, Some("one of thread, process, task".to_owned()));
                return None;
            }
        };
        Some(Effect::Offloads { to, function: argument(&file.function) })
    }

    fn blocks(&mut self, file: &BlocksFile) -> Option<Effect> {
        let wait = WaitKind::from_name(&file.wait.value);
        if wait.is_none() {
            let known = WaitKind::ALL.map(WaitKind::name).join(", ");
            self.error(
                &file.wait,
                format!("unknown wait `{}`", file.wait.value),
                Some(format!("one of {known}")),
            );
        }
        Some(Effect::Blocks { cost: self.cost(&file.cost)?, wait: wait? })
    }

    fn computes(&mut self, file: &ComputesFile) -> Option<Effect> {
        let releases_gil = match file.gil.as_ref().map(|gil| (gil, gil.value.as_str())) {
            None => None,
            Some((_, "released")) => Some(true),
            Some((_, "held")) => Some(false),
            Some((gil, other)) => {
                self.error(gil, format!("unknown `{other}`"), Some("the GIL is held or released".to_owned()));
                return None;
            }
        };
        Some(Effect::Computes { cost: self.cost(&file.cost)?, releases_gil })
    }

    fn cost(&mut self, text: &Spanned<String>) -> Option<Cost> {
        match text.value.as_str() {
            "micro" => Some(Cost::Micro),
            "small" => Some(Cost::Small),
            "several" => Some(Cost::Several),
            "large" => Some(Cost::Large),
            "unbounded" => Some(Cost::Unbounded),
            other => {
                let help = "one of micro, small, several, large, unbounded".to_owned();
                self.error(text, format!("unknown cost `{other}`"), Some(help));
                None
            }
        }
    }
}

fn argument(file: &ArgumentFile) -> Argument {
    match file {
        ArgumentFile(None, Some(keyword)) => Argument::Named(keyword.clone()),
        ArgumentFile(position, keyword) => Argument::At(position.unwrap_or_default(), keyword.clone()),
    }
}

fn unless(file: &UnlessFile) -> Unless {
    Unless { argument: argument(&file.argument), is: file.is.clone(), of: file.of.clone() }
}
