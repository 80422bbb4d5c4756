//! The program as a graph of calls, for the part of the analysis that all languages share.

use std::sync::Arc;

use super::facts::{CallAt, Callee, FunctionKind};
use super::held;
use super::names::FunctionId;
use super::program::{CallId, Program, Runs};
use super::values::Target;
use super::vocabulary as words;
use crate::catalog::{Api, Effect, Language, Mark};
use crate::finding::{Cost, Edit, Fix, Mitigation, Observation};
use crate::scan::CostlyCalls;
use crate::scan::blocking::{self, Rules};
use crate::scan::callgraph::{CallGraph, Colour, Context, Edge, Node, NodeId, Sink, SinkKind};
use crate::wait::WaitKind;

/// What the shared part finds goes by these names.
const RULES: Rules = Rules {
    waits: "blocking-call-in-async",
    waits_in_callback: "blocking-call-in-async",
    computes: "cpu-heavy-in-async",
    runs_loop: "block-on-in-async",
};
const PARALLEL: &str = "rayon-in-async";
const NESTED: &str = "nested-runtimes";

/// A trait's method with more implementations than this could be anything.
const MOST_IMPLEMENTATIONS: usize = 3;

/// What blocks a loop, anywhere in the program; and all calls of what waits or computes.
pub(super) fn observe(program: &Program<'_>) -> (Vec<Observation>, CostlyCalls) {
    let graph = graph(program);
    let mut observations = blocking::observe(&graph, RULES);
    for seen in &mut observations {
        if words::is_parallel(&seen.subject) {
            seen.rule = PARALLEL;
        } else if words::makes_runtime(&seen.subject) {
            seen.rule = NESTED;
        }
    }
    (observations, graph.costly_calls())
}

fn graph(program: &Program<'_>) -> CallGraph {
    let mut graph = CallGraph::default();
    let mut first = Vec::new();
    for (file, facts) in program.files().iter().enumerate() {
        first.push(graph.nodes.len() as u32);
        for at in 0..facts.functions.len() as u32 {
            let id = FunctionId { file: file as u32, at: super::facts::FunctionAt(at) };
            graph.add_node(node(program, id));
        }
    }
    let node_of = |id: FunctionId| NodeId(first[id.file as usize] + id.at.0);
    for call in program.calls() {
        edges(program, call, &node_of, &mut graph);
        if let Some(sink) = sink(program, call, &node_of) {
            graph.sinks.push(sink);
        }
    }
    graph.index();
    graph
}

fn node(program: &Program<'_>, id: FunctionId) -> Node {
    let function = program.function(id);
    let context = if program.is_test(id) {
        Context::Test
    } else if program.on_loop(id) && !function.marks.is_async {
        Context::Loop
    } else {
        Context::Unknown
    };
    Node {
        name: program.name(id),
        place: program.place(id.file, function.spot),
        colour: if function.marks.is_async { Colour::Async } else { Colour::Sync },
        context,
        cached: function.marks.cached || function.kind == FunctionKind::Initialiser,
    }
}

fn edges(program: &Program<'_>, call: CallId, node_of: &dyn Fn(FunctionId) -> NodeId, graph: &mut CallGraph) {
    let how = program.call(call).how;
    let from = node_of(program.caller(call));
    let mut add = |to: FunctionId, inferred: bool| {
        let mut mitigations = program.mitigations(call);
        // The surroundings of the caller are told by its node.
        mitigations.retain(|mitigation| *mitigation != Mitigation::Test);
        if inferred {
            mitigations.push(Mitigation::Inferred);
        }
        graph.edges.push(Edge {
            from,
            to: node_of(to),
            place: program.call_place(call),
            mitigations,
            awaited: how.awaited,
            guarded: how.guarded,
            repeated: repeated(program, call),
        });
    };
    if let Target::Project(found) = program.target(call)
        && found.len() <= MOST_IMPLEMENTATIONS
    {
        for id in &found {
            add(*id, found.len() > 1);
        }
    }
    for (id, runs) in program.handed(call) {
        if runs == Runs::AtOnce {
            add(id, false);
        }
    }
}

/// Whether a loop makes the call again and again, and lets nobody else have a turn meanwhile.
fn repeated(program: &Program<'_>, call: CallId) -> bool {
    let caller = program.function(program.caller(call));
    program.call(call).how.in_loop && caller.loops.iter().all(|around| around.awaits == 0)
}

fn sink(program: &Program<'_>, call: CallId, node_of: &dyn Fn(FunctionId) -> NodeId) -> Option<Sink> {
    let how = program.call(call).how;
    if how.awaited {
        return None;
    }
    let name = program.external(call)?;
    let catalog = program.values.catalog;
    let returns = catalog.returns(Language::Rust, &name);
    let api = program.api(call);
    let (kind, cost) = if returns.is_some_and(words::makes_runtime) && !words::is_builder_step(&name) {
        (SinkKind::RunsLoop, Cost::Unbounded)
    } else {
        match api.map(|api| &api.effect)? {
            // A short critical section is no stall; a guard that is held too long is told elsewhere.
            Effect::Blocks { .. } if held::guard_kind(program, call) == Some(held::Kind::Thread) => {
                return None;
            }
            Effect::Blocks { .. } if words::only_outside_of_runtimes(&name) => {
                (SinkKind::RunsLoop, Cost::Unbounded)
            }
            Effect::Blocks { wait, cost } => (SinkKind::Waits(*wait), *cost),
            Effect::Computes { cost, .. } => (SinkKind::Computes, *cost),
            Effect::RunsLoop => (SinkKind::RunsLoop, Cost::Unbounded),
            Effect::Offloads { .. } | Effect::Schedules { .. } | Effect::Harmless => return None,
        }
    };
    // Of anything that can be read, memory is the most common.
    if words::is_any_stream(&name) && !program.on_file(call) {
        return None;
    }
    let mitigations = program.mitigations(call);
    let text = |text: &Option<String>| text.as_deref().map(Arc::<str>::from);
    Some(Sink {
        node: node_of(program.caller(call)),
        place: program.call_place(call),
        callee: name.as_ref().into(),
        kind,
        cost,
        // Asked for by no rule of Rust.
        endless: false,
        mitigations,
        guarded: how.guarded,
        repeated: repeated(program, call),
        sibling: api.and_then(|api| text(&api.sibling)),
        cure: api.and_then(|api| text(&api.cure)),
        fix: fix(program, call, api),
    })
}

/// `std::thread::sleep(d)` in an async function becomes `tokio::time::sleep(d).await`: both take the same duration and
/// give nothing back. Only where this file calls that part of the runtime already, so that it is there and runs this
/// code, and where no guard is held that must not live across an `await`.
fn fix(program: &Program<'_>, call: CallId, api: Option<&Api>) -> Option<Fix> {
    let api = api.filter(|api| matches!(api.effect, Effect::Blocks { wait: WaitKind::Sleep, .. }))?;
    let sibling = api.sibling.as_deref()?;
    let (module, last) = sibling.rsplit_once("::")?;
    let facts = program.call(call);
    let caller = program.caller(call);
    let same_form = api.name.ends_with(&format!("::{last}")) && facts.arguments.len() == 1;
    if !same_form
        || facts.how.guessed
        || facts.how.in_macro
        || !program.function(caller).marks.is_async
        || program.is_test(caller)
    {
        return None;
    }
    let known = program.calls_of(call.file).any(|other| {
        let name = program.external(other);
        name.is_some_and(|name| name.strip_prefix(module).is_some_and(|rest| rest.starts_with("::")))
            && !program.is_test(program.caller(other))
    });
    if !known || holds_guard(program, caller, call) {
        return None;
    }
    let (start, end) = facts.spot.bytes;
    let edits = vec![
        Edit { bytes: (start, facts.opens?), text: sibling.to_owned() },
        Edit { bytes: (end, end), text: ".await".to_owned() },
    ];
    Some(Fix { title: format!("await `{sibling}`"), edits })
}

/// Whether a guard is held when a call is made.
fn holds_guard(program: &Program<'_>, function: FunctionId, call: CallId) -> bool {
    let mut holds = false;
    held::follow(program, function, |guards, happens| {
        holds |= matches!(happens, held::While::Call(at, _) if at == call) && !guards.is_empty();
    });
    holds
}

/// Calls, and how many of them are known to lead somewhere.
pub(super) fn resolved(program: &Program<'_>) -> (u64, u64) {
    let mut counts = (0, 0);
    for (file, facts) in program.files().iter().enumerate() {
        for (at, call) in facts.calls.iter().enumerate() {
            if matches!(call.callee, Callee::Macro(_)) {
                continue;
            }
            let target = program.values.target(file as u32, CallAt(at as u32));
            counts.0 += 1;
            counts.1 += u64::from(target != Target::Unknown);
        }
    }
    counts
}

/// Whether the catalogue marks what a call gives as something that does nothing by itself.
pub(super) fn gives_future(program: &Program<'_>, call: CallId) -> bool {
    program.marked(call, Mark::Coroutine)
}
