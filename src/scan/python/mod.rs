//! The Python front end: a file to facts and observations, all facts to observations. Knows Python and the parser
//! (nobody else does); knows no severity, no wording and no output format.
//!
//! ```text
//! text ─► parse ─► scope ─► walk ─┬─► patterns: what the file shows alone
//!                                 └─► collect ─► FileFacts ─► names ─► graph ─► callgraph ─► blocking
//! ```

mod circumstance;
mod collect;
pub mod context;
mod depth;
pub mod facts;
mod graph;
mod language;
mod lower;
pub mod modules;
mod names;
pub mod patterns;
pub mod resolve;
pub mod scope;
mod search;
#[cfg(test)]
mod tests;
mod walk;

use rayon::prelude::*;
use ruff_python_parser::{Mode, ParseOptions, parse_unchecked};

use self::collect::Collector;
use self::context::Context;
use self::facts::FileFacts;
use self::graph::under_lock::Steps;
use self::graph::{Built, PlainCall, Share};
use self::names::Layout;
use self::resolve::Names;
use self::scope::Scopes;
use crate::catalog::Catalog;
use crate::finding::Observation;
use crate::scan::blocking;
use crate::scan::source::SourceFile;
use crate::scan::{Analysis, Extracted, SyntaxError, Thresholds};

/// Syntax errors told per file: what follows the first ones is mostly their echo.
const ERRORS: usize = 10;

/// Reads one file. Never panics; a file that cannot be read in part or at all says so among the errors.
#[must_use]
pub fn extract(file: &SourceFile, catalog: &Catalog, thresholds: &Thresholds) -> Extracted<FileFacts> {
    if depth::is_absurd(&file.text) {
        return refused(file, "brackets nest too deep to be a program");
    }
    depth::guarded(|| read(file, catalog, thresholds))
        .unwrap_or_else(|| refused(file, "reading it failed inside boundby; please report it with the file"))
}

fn refused(file: &SourceFile, what: &str) -> Extracted<FileFacts> {
    nothing(file, vec![SyntaxError { line: 1, column: 1, what: what.to_owned() }])
}

fn nothing(file: &SourceFile, errors: Vec<SyntaxError>) -> Extracted<FileFacts> {
    Extracted { facts: Collector::new(&Scopes::of(&[])).finish(file), observations: Vec::new(), errors }
}

/// The rules for what blocks a loop.
const RULES: blocking::Rules = blocking::Rules {
    waits: "blocking-call-in-async",
    waits_in_callback: "blocking-in-loop-callback",
    computes: "cpu-heavy-in-async",
    runs_loop: "run-loop-in-async",
};

/// Joins the facts of all files. The order of the observations depends on nothing but the facts.
#[must_use]
pub fn analyse(facts: &[FileFacts], catalog: &Catalog) -> Analysis {
    let layout = Layout::of(facts, catalog);
    let mut shares = graph::shares(&layout);
    let built = graph::build(&layout, &mut shares);
    let (mut observations, of_shares) = rayon::join(
        || {
            let mut observations = blocking::observe(&built.graph, RULES);
            observations.extend(blocking::observe_in_pool(&built.graph, "sync-route-exhausts-threads"));
            observations
        },
        || of_shares(shares, &built),
    );
    observations.extend(of_shares);
    observations.sort_by(|one, other| {
        let key = |seen: &Observation| (seen.place.path.clone(), seen.place.bytes, seen.rule);
        key(one).cmp(&key(other)).then_with(|| one.subject.cmp(&other.subject))
    });
    Analysis {
        observations,
        calls: built.calls,
        calls_resolved: built.resolved,
        async_functions: built.asynchronous,
        costly: built.graph.costly_calls(),
    }
}

/// What needs the values again, now that it is known who calls whom.
fn of_shares(shares: Vec<Share<'_>>, built: &Built) -> Vec<Observation> {
    let blocks = built.graph.leading_to_sinks();
    let steps = Steps::of(built);
    let observe = |(Share { mut program, files }, plain): (Share<'_>, &Vec<PlainCall>)| {
        let twins = graph::siblings::observe(&mut program, built, plain, &blocks, "async-sibling-exists");
        let rule = "blocking-under-lock";
        let held = graph::under_lock::observe(&mut program, &built.graph, &steps, files, rule);
        twins.into_iter().chain(held)
    };
    shares.into_par_iter().zip(&built.plain).flat_map_iter(observe).collect()
}

fn read(file: &SourceFile, catalog: &Catalog, thresholds: &Thresholds) -> Extracted<FileFacts> {
    let parsed = parse_unchecked(&file.text, ParseOptions::from(Mode::Module));
    let errors = parsed
        .errors()
        .iter()
        .take(ERRORS)
        .map(|error| {
            let (line, column) = file.position(error.location.start().to_u32());
            SyntaxError { line, column, what: lowercase(&error.error.to_string()) }
        })
        .collect();
    let mut deepest = 0;
    let extracted = match parsed.syntax() {
        ruff_python_ast::Mod::Module(module) => {
            let scopes = Scopes::of(&module.body);
            deepest = scopes.depth;
            if deepest > depth::LEVELS {
                drop(scopes);
                depth::drop_tree(parsed, deepest);
                return refused(file, "expressions nest too deep to be a program");
            }
            let name = modules::module_name(&file.path);
            let names = Names::new(&scopes, &name, modules::is_package(&file.path), catalog);
            let (context, collector) =
                walk::walk(Context::new(file, &names, thresholds), Collector::new(&scopes), &module.body);
            Extracted { observations: context.observations, facts: collector.finish(file), errors }
        }
        // A module was asked for; the parser's type cannot say so.
        ruff_python_ast::Mod::Expression(_) => nothing(file, errors),
    };
    depth::drop_tree(parsed, deepest);
    extracted
}

fn lowercase(message: &str) -> String {
    let mut characters = message.trim_end_matches('.').chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => String::new(),
    }
}
