//! A strategy as code: the construct of the program's language, with the program's own functions in it.

use std::collections::BTreeMap;

use super::Case;
use super::predict::Plan;
use super::types::{Action, Recommendation, Stage, Strategy};
use super::work::ItemSource;
use crate::facts::Value;
use crate::profile::{Location, Region};

/// Puts in the construct of the program's language.
pub(super) fn realise(case: &Case<'_>, one: &mut Recommendation, plan: Option<&Plan>) {
    let lang = match case.facts.get("runtime.lang").map(|fact| &fact.value) {
        Some(Value::Text(word)) => word.as_str(),
        _ => "any",
    };
    let Some(found) = case.rules.realisation(lang, one.strategy.name(), one.action.name(), &case.facts)
    else {
        return;
    };
    let mut values: BTreeMap<&str, String> = BTreeMap::new();
    let queue = |workers: u32| (case.costs.queue_per_worker * f64::from(workers)).ceil().max(1.0).to_string();
    if let Some(workers) = &one.workers {
        values.insert("workers", workers.suggested.to_string());
        values.insert("threads", workers.suggested.to_string());
        values.insert("processes", workers.suggested.to_string());
        values.insert("queue", queue(workers.suggested));
    }
    if let [waiting, computing] = one.stages.as_slice() {
        values.insert("io_workers", waiting.workers.to_string());
        values.insert("cpu_workers", computing.workers.to_string());
        values.insert("queue", queue(computing.workers));
    }
    let per_task = one.cluster.as_ref().map_or(1, |cluster| {
        values.insert("nodes", cluster.nodes.to_string());
        values.insert("tasks", cluster.tasks.to_string());
        values.insert("engine", cluster.engine.clone());
        // A computer of the cluster has as many workers as this one has cores.
        let cores = case.subject.as_ref().map_or(1.0, |subject| subject.host.cores.round().max(1.0));
        values.insert("workers", cores.to_string());
        let items = case.subject.as_ref().map_or(0, |subject| subject.work.items);
        items.div_ceil(cluster.tasks.max(1)).max(1)
    });
    let batch = plan.map_or(1, |plan| plan.batch).max(if one.action == Action::Batch {
        case.plans.get(Strategy::Processes).map_or(1, |plan| plan.batch)
    } else {
        1
    });
    // Pieces of a computation nobody saw are the writer's to cut.
    let seen = case.subject.as_ref().is_some_and(|subject| subject.items == ItemSource::Seen);
    let batch = if one.cluster.is_some() { per_task } else { batch };
    values.insert("batch", if seen { batch.to_string() } else { "1".to_owned() });
    // What an event loop has to hand over is a call in a function, and not all of that.
    let region = case.region.as_ref().filter(|_| one.action != Action::Unblock);
    let locked = case.subject.as_ref().is_none_or(|subject| subject.host.gil);
    let (function, place) = work_of(region, computes_elsewhere(one.strategy, locked));
    values.insert("function", function);
    values.insert("where", place);
    let [wait, compute] = functions(region);
    values.insert("wait_function", wait.unwrap_or_else(|| "fetch".to_owned()));
    values.insert("compute_function", compute.unwrap_or_else(|| "compute".to_owned()));
    one.construct = Some(found.construct.render(&values));
    one.snippet = found.snippet.as_ref().map(|snippet| snippet.render(&values));
    one.caveats.extend(found.notes.iter().map(|note| note.render(&values)));
}

/// What holds the function that is called for each item, where its name says so; what stands in a module has a plain name,
/// and so has everything where a runtime gives no more.
pub(super) fn defined_in(region: Option<&Region>) -> Option<&'static str> {
    let region = region?;
    let function = region.waits_in.as_ref().unwrap_or(&region.at.function);
    let (outer, _) = function.rsplit_once('.')?;
    if outer.ends_with("<locals>") {
        return Some("function");
    }
    outer.starts_with(char::is_uppercase).then_some("class")
}

/// Whether it is enough that workers wait: what they compute takes its turn wherever it is done.
fn computes_elsewhere(strategy: Strategy, locked: bool) -> bool {
    match strategy {
        Strategy::Async => true,
        Strategy::Threads => locked,
        Strategy::Sequential | Strategy::Processes | Strategy::Hybrid | Strategy::Distributed => false,
    }
}

/// What workers are given to do: a function of the program, and what it does or has to do.
fn work_of(region: Option<&Region>, only_waits: bool) -> (String, String) {
    let unknown = || ("work".to_owned(), "what is done for one item".to_owned());
    let Some(region) = region else { return unknown() };
    let said = |at: &Location, function: Option<String>| match (function, place(at)) {
        (Some(name), Some(place)) => format!("{name} ({place})"),
        (name, place) => name.or(place).unwrap_or_default(),
    };
    let [wait, compute] = functions(Some(region));
    match (&region.computes_at, &region.waits_in) {
        (Some(computes_at), Some(_)) if !only_waits => {
            let (first, then) = (said(&region.at, wait), said(computes_at, compute));
            ("work".to_owned(), format!("for one item {first}, then {then}"))
        }
        _ => {
            let function = wait.or_else(|| callable(&region.at.function));
            let Some(place) = place(&region.at) else { return unknown() };
            (function.unwrap_or_else(|| "work".to_owned()), format!("does for one item what {place} does"))
        }
    }
}

/// `etl.py:42`. A name may hold anything, and code that is pasted must not.
fn place(at: &Location) -> Option<String> {
    at.short().map(|place| place.replace(char::is_control, "?"))
}

/// How code calls the function that waits and the one that computes, where each is one of its own.
fn functions(region: Option<&Region>) -> [Option<String>; 2] {
    let Some(region) = region else { return [None, None] };
    [&region.waits_in, &region.computes_in].map(|function| function.as_deref().and_then(callable))
}

/// The stages of a hybrid with who does them today.
pub(super) fn stages(plan: &Plan, region: Option<&Region>) -> Vec<Stage> {
    let Some((waiting, computing)) = plan.stages else { return Vec::new() };
    let [wait, compute] = functions(region);
    let stage = |name: &str, strategy, workers: usize, function, at: Option<&Location>| Stage {
        name: name.to_owned(),
        strategy,
        workers: workers as u32,
        function,
        at: at.cloned(),
    };
    let waits_at = region.map(|region| &region.at);
    let computes_at = region.and_then(|region| region.computes_at.as_ref());
    vec![
        stage("wait", Strategy::Threads, waiting, wait, waits_at),
        stage("compute", Strategy::Processes, computing, compute, computes_at),
    ]
}

/// How code would call a function of this name, as a runtime or debug information spells it: `fetch_row`,
/// `client.fetch` for a method of `Client`. `None` for what has no name, and for what is called once and holds the rest.
fn callable(function: &str) -> Option<String> {
    // Go writes the receiver in brackets, C++ its arguments.
    let plain = function.replace("(*", "").replace(").", ".");
    let plain = plain.split(['(', ' ']).next().unwrap_or_default();
    let inside = plain.rsplit("<locals>.").next().unwrap_or_default();
    let mut parts = inside.rsplit("::").flat_map(|part| part.rsplit('.'));
    let name = parts.find(|part| !part.starts_with('{'))?;
    let is_word = |part: &str| {
        part.starts_with(|first: char| first.is_alphabetic() || first == '_')
            && part.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
    };
    let is_closure = name.strip_prefix("func").is_some_and(|rest| rest.parse::<u32>().is_ok());
    if !is_word(name) || name == "main" || is_closure {
        return None;
    }
    let owner = parts.next().filter(|owner| is_word(owner) && owner.starts_with(char::is_uppercase));
    Some(owner.map_or_else(|| name.to_owned(), |owner| format!("{}.{name}", instance(owner))))
}

/// What an instance of a class may be called: `HttpClient` becomes `http_client`.
fn instance(class: &str) -> String {
    let mut name = String::new();
    let mut after_small = false;
    for letter in class.chars() {
        if letter.is_uppercase() && after_small {
            name.push('_');
        }
        after_small = letter.is_lowercase();
        name.extend(letter.to_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_called_as_code_calls_them() {
        let called = |function: &str| callable(function).unwrap_or_default();
        assert_eq!(called("fetch_row"), "fetch_row");
        assert_eq!(called("HttpClient.fetch"), "http_client.fetch");
        assert_eq!(called("load.<locals>.fetch"), "fetch");
        assert_eq!(called("etl::fetch_row::{{closure}}"), "fetch_row");
        assert_eq!(called("etl::Client::fetch"), "client.fetch");
        assert_eq!(called("main.fetchRow"), "fetchRow");
        assert_eq!(called("main.(*Client).Fetch"), "client.Fetch");
        assert_eq!(called("pages::fetch(std::string const&, int)"), "fetch");
    }

    #[test]
    fn what_is_called_once_or_has_no_name_is_not_offered() {
        for function in ["", "<module>", "main", "etl::main", "main.main", "main.main.func1", "<lambda>"] {
            assert_eq!(callable(function), None, "{function}");
        }
    }

    #[test]
    fn a_name_says_what_holds_the_function() {
        let of = |function: &str| defined_in(Some(&Region { at: at(function, 1), ..Region::default() }));
        assert_eq!(of("load.<locals>.fetch"), Some("function"));
        assert_eq!(of("HttpClient.fetch"), Some("class"));
        assert_eq!([of("fetch_row"), of("main.fetchRow"), defined_in(None)], [None; 3]);
    }

    fn at(function: &str, line: u32) -> Location {
        Location { function: function.to_owned(), file: Some("/srv/etl.py".to_owned()), line: Some(line) }
    }

    #[test]
    fn workers_get_the_function_that_does_one_item() {
        let waits =
            Region { at: at("fetch_row", 42), waits_in: Some("fetch_row".to_owned()), ..Region::default() };
        let both = Region {
            computes_at: Some(at("parse", 60)),
            computes_in: Some("parse".to_owned()),
            ..waits.clone()
        };
        let told = |region, only_waits| {
            let (function, place) = work_of(region, only_waits);
            format!("{function}: {place}")
        };
        assert_eq!(told(Some(&waits), false), "fetch_row: does for one item what etl.py:42 does");
        assert_eq!(told(Some(&both), true), "fetch_row: does for one item what etl.py:42 does");
        assert_eq!(
            told(Some(&both), false),
            "work: for one item fetch_row (etl.py:42), then parse (etl.py:60)"
        );
        let top = Region { at: at("<module>", 7), ..Region::default() };
        assert_eq!(told(Some(&top), true), "work: does for one item what etl.py:7 does");
        assert_eq!(told(None, true), "work: what is done for one item");
    }
}
