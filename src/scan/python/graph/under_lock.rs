//! Long waits while a lock between threads is held, here or in what is called meanwhile.
//!
//! A lock around the very thing that is waited for (a connection, a file) is there to let only one use it at a time:
//! methods of objects are silent, and so is a lock that holds nothing but the one call that waits. Who sleeps with a
//! lock held wants the others to wait as well.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Built;
use crate::catalog::{Language, Mark};
use crate::finding::{Cost, Hop, Mitigation, Observation};
use crate::scan::callgraph::{CallGraph, Colour, Edge, NodeId, Sink, SinkKind};
use crate::scan::python::facts::Hold;
use crate::scan::python::names::{Program, Thing};
use crate::wait::WaitKind;

/// Chains of more calls than this are not believed: each is one more chance that the way is never taken, or that what
/// is waited for is what the lock is there for.
const LONGEST: usize = 3;

/// What leads a function to a wait: its own call of a library, or one of a function.
#[derive(Clone, Copy)]
enum Step<'g> {
    Waits(&'g Sink),
    Calls(&'g Edge),
}

/// Observes them in these files.
pub(in crate::scan::python) fn observe(
    program: &mut Program<'_>,
    graph: &CallGraph,
    steps: &Steps<'_>,
    files: Range<u32>,
    rule: &'static str,
) -> Vec<Observation> {
    let mut told = BTreeSet::new();
    let mut observations = Vec::new();
    for file in files {
        let facts = &program.files[file as usize];
        for hold in facts.holds.iter().filter(|hold| is_lock(program, file, hold)).collect::<Vec<_>>() {
            let node = NodeId(program.function_id(file, hold.function).0);
            // What blocks a loop is told as that.
            if graph.node(node).colour == Colour::Async {
                continue;
            }
            for step in steps.within(node, hold) {
                let Some(seen) = steps.observation(graph, rule, node, step) else { continue };
                if told.insert((node, seen.place.bytes)) {
                    let lock = facts.text(hold.text).to_owned();
                    observations.push(Observation { facts: vec![("lock", lock)], ..seen });
                }
            }
        }
    }
    observations
}

fn is_lock(program: &mut Program<'_>, file: u32, hold: &Hold) -> bool {
    let thing = program.evaluate(file, hold.value);
    program.several(thing).into_iter().all(|thing| {
        let Thing::Made(name) = thing else { return false };
        let name = program.names.text(name);
        [Mark::Lock, Mark::ReentrantLock]
            .iter()
            .any(|mark| program.catalog.has(Language::Python, name, *mark))
    })
}

/// The calls of functions that wait, themselves or further down.
pub(in crate::scan::python) struct Steps<'g> {
    all: FxHashMap<NodeId, Vec<Step<'g>>>,
    /// The first step of the shortest way to a wait, and how many calls it has.
    nearest: FxHashMap<NodeId, (Step<'g>, usize)>,
}

impl<'g> Steps<'g> {
    /// Reads them off a graph.
    pub(in crate::scan::python) fn of(built: &'g Built) -> Self {
        let graph = &built.graph;
        let mut steps = Self { all: FxHashMap::default(), nearest: FxHashMap::default() };
        let mut callers: FxHashMap<NodeId, Vec<&Edge>> = FxHashMap::default();
        for edge in &graph.edges {
            if graph.node(edge.to).colour == Colour::Sync && !edge.guarded {
                callers.entry(edge.to).or_default().push(edge);
            }
        }
        let mut reached = Vec::new();
        for sink in built.functions.iter().map(|at| &graph.sinks[*at]).filter(|sink| is_long(sink)) {
            steps.all.entry(sink.node).or_default().push(Step::Waits(sink));
            steps.nearest.entry(sink.node).or_insert_with(|| {
                reached.push(sink.node);
                (Step::Waits(sink), 1)
            });
        }
        let mut at = 0;
        while let Some(node) = reached.get(at).copied() {
            at += 1;
            let calls = steps.nearest.get(&node).map_or(0, |(_, calls)| *calls);
            for edge in callers.remove(&node).into_iter().flatten().filter(|_| calls < LONGEST) {
                steps.all.entry(edge.from).or_default().push(Step::Calls(edge));
                steps.nearest.entry(edge.from).or_insert_with(|| {
                    reached.push(edge.from);
                    (Step::Calls(edge), calls + 1)
                });
            }
        }
        steps
    }

    /// The steps a function takes while it holds something.
    fn within(&self, node: NodeId, hold: &Hold) -> impl Iterator<Item = Step<'g>> {
        let (start, end) = (hold.start, hold.end);
        let one_call = hold.one_call;
        self.all.get(&node).into_iter().flatten().copied().filter(move |step| {
            let place = match step {
                Step::Waits(_) if one_call => return false,
                Step::Waits(sink) => &sink.place,
                Step::Calls(edge) => &edge.place,
            };
            start <= place.bytes.0 && place.bytes.1 <= end
        })
    }

    fn observation(
        &self,
        graph: &CallGraph,
        rule: &'static str,
        node: NodeId,
        first: Step<'g>,
    ) -> Option<Observation> {
        let mut chain = Vec::new();
        let mut mitigations: Vec<Mitigation> = graph.node(node).context.mitigation().into_iter().collect();
        let mut step = first;
        let sink = loop {
            let (from, place, callee) = match step {
                Step::Waits(sink) => (sink.node, &sink.place, &sink.callee),
                Step::Calls(edge) => (edge.from, &edge.place, &graph.node(edge.to).name),
            };
            let function = Arc::clone(&graph.node(from).name);
            chain.push(Hop { place: place.clone(), function, callee: Arc::clone(callee) });
            match step {
                Step::Waits(sink) => break sink,
                Step::Calls(edge) => {
                    mitigations.extend(&edge.mitigations);
                    if graph.node(edge.to).cached {
                        mitigations.push(Mitigation::FirstCallOnly);
                    }
                    step = self.nearest.get(&edge.to).filter(|_| chain.len() <= LONGEST)?.0;
                }
            }
        };
        mitigations.extend(&sink.mitigations);
        mitigations.sort_unstable();
        mitigations.dedup();
        let SinkKind::Waits(wait) = sink.kind else { return None };
        let place = chain.first()?.place.clone();
        let symbol = Arc::clone(&graph.node(node).name);
        let chains = if chain.len() > 1 { vec![chain] } else { Vec::new() };
        Some(Observation {
            chains,
            wait: Some(wait),
            cost: Some(sink.cost),
            mitigations,
            ..Observation::new(rule, place, symbol, Arc::clone(&sink.callee))
        })
    }
}

/// Whether a wait is worth a thought: another lock is told of elsewhere.
fn is_long(sink: &Sink) -> bool {
    let waits =
        matches!(sink.kind, SinkKind::Waits(wait) if !matches!(wait, WaitKind::Lock | WaitKind::Sleep));
    waits && sink.cost > Cost::Small && !sink.guarded
}
