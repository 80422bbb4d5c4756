//! What blocks an event loop, or a thread that answers requests, anywhere in a program: one observation per call that
//! does it, however many functions lead there. Language-neutral; knows no API and no severity.

use std::sync::Arc;

use crate::finding::{Cost, Hop, Mitigation, Observation};
use crate::scan::callgraph::{CallGraph, Node, NodeId, Reach, Reacher, Sink, SinkKind};

/// The rules that a language has for what is found.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// A call that waits, reached from an async function.
    pub waits: &'static str,
    /// A call that waits, reached only from plain functions that the loop calls.
    pub waits_in_callback: &'static str,
    /// A call that computes.
    pub computes: &'static str,
    /// A call that runs a loop.
    pub runs_loop: &'static str,
}

/// Observes every sink that a loop reaches. The graph must be [indexed](CallGraph::index).
#[must_use]
pub fn observe(graph: &CallGraph, rules: Rules) -> Vec<Observation> {
    let sinks = graph.sinks.iter().filter(|sink| !sink.guarded);
    reached(sinks, Reacher::new(graph), |sink, reach| observation(graph, rules, sink, reach))
}

/// Observes every wait without an end that a thread of a server reaches.
#[must_use]
pub fn observe_in_pool(graph: &CallGraph, rule: &'static str) -> Vec<Observation> {
    let rules = Rules { waits: rule, waits_in_callback: rule, computes: rule, runs_loop: rule };
    let sinks = graph.sinks.iter().filter(|sink| sink.endless);
    reached(sinks, Reacher::from(graph, Node::in_pool), |sink, reach| Observation {
        // What helps on a loop does not help here.
        facts: Vec::new(),
        fix: None,
        ..observation(graph, rules, sink, reach)
    })
}

fn reached<'g>(
    sinks: impl Iterator<Item = &'g Sink>,
    mut reacher: Reacher<'g>,
    told: impl Fn(&Sink, &Reach) -> Observation,
) -> Vec<Observation> {
    let mut order: Vec<&Sink> = sinks.collect();
    order.sort_by_key(|sink| (sink.node, sink.place.bytes));
    let mut last: Option<(NodeId, Option<Reach>)> = None;
    let mut observations = Vec::new();
    for sink in order {
        if last.as_ref().is_none_or(|(node, _)| *node != sink.node) {
            last = Some((sink.node, reacher.reach(sink.node)));
        }
        if let Some((_, Some(reach))) = &last {
            observations.push(told(sink, reach));
        }
    }
    observations
}

fn observation(graph: &CallGraph, rules: Rules, sink: &Sink, reach: &Reach) -> Observation {
    let from_async = graph.node(reach.root).colour == crate::scan::callgraph::Colour::Async;
    let (rule, wait) = match sink.kind {
        SinkKind::Waits(wait) if from_async => (rules.waits, Some(wait)),
        SinkKind::Waits(wait) => (rules.waits_in_callback, Some(wait)),
        SinkKind::Computes => (rules.computes, None),
        SinkKind::RunsLoop => (rules.runs_loop, None),
    };
    let symbol = Arc::clone(&graph.node(sink.node).name);
    let mut mitigations: Vec<Mitigation> =
        reach.mitigations.iter().chain(&sink.mitigations).copied().collect();
    mitigations.sort_unstable();
    mitigations.dedup();
    let cost = match sink.cost {
        Cost::Small if sink.repeated || reach.repeated => Cost::Several,
        cost => cost,
    };
    let last =
        Hop { place: sink.place.clone(), function: Arc::clone(&symbol), callee: Arc::clone(&sink.callee) };
    let chains = reach.chains.iter().map(|chain| chain.iter().chain([&last]).cloned().collect()).collect();
    let mut facts = Vec::new();
    if let Some(sibling) = &sink.sibling {
        facts.push(("sibling", sibling.to_string()));
    }
    if let Some(cure) = &sink.cure {
        facts.push(("cure", cure.to_string()));
    }
    Observation {
        rule,
        place: sink.place.clone(),
        symbol,
        subject: Arc::clone(&sink.callee),
        chains,
        reached_from: reach.roots,
        wait,
        cost: Some(cost),
        cause: Some(Arc::clone(&graph.node(reach.through).name)),
        mitigations,
        facts,
        // In a plain function a rewrite to `await` would be wrong.
        fix: if reach.chains.is_empty() { sink.fix.clone() } else { None },
    }
}
