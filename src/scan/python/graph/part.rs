//! What shares of a program add to its call graph, and the graph they make together: which functions run on a loop, in a
//! thread of a server, only while the program starts. Knows no values.

use rustc_hash::FxHashSet;

use crate::finding::Place;
use crate::scan::callgraph::{CallGraph, Colour, Context, Edge, Node, NodeId, Sink};
use crate::scan::python::facts::Traits;
use crate::scan::python::names::{FunctionId, Layout};

/// A plain call of a function of the program: caller, callee, place.
pub(in crate::scan::python) type PlainCall = (NodeId, FunctionId, Place);

/// What some of the files add.
#[derive(Default)]
pub(super) struct Part {
    pub(super) edges: Vec<Edge>,
    pub(super) sinks: Vec<Sink>,
    /// The sinks that are functions of a library, by their place among the sinks.
    pub(super) functions: Vec<usize>,
    pub(super) plain: Vec<PlainCall>,
    /// Calls in the source, and those of which it is known what they call.
    pub(super) calls: u64,
    pub(super) resolved: u64,
    /// What is handed over to run while the program starts or stops.
    pub(super) starting: Vec<FunctionId>,
    /// What the loop was given to call.
    pub(super) scheduled: Vec<FunctionId>,
    /// Plain functions that answer requests in the threads of a server.
    pub(super) answering: Vec<FunctionId>,
    /// Async functions that a program is started with to do one thing.
    pub(super) entries: Vec<FunctionId>,
    /// Functions that start tasks: while they run, others do as well.
    pub(super) spawning: FxHashSet<FunctionId>,
}

/// What the graph is made of, and what was learnt on the way.
pub(in crate::scan::python) struct Built {
    pub(in crate::scan::python) graph: CallGraph,
    /// Calls in the source, those of which it is known what they call, and functions that are async.
    pub(in crate::scan::python) calls: u64,
    pub(in crate::scan::python) resolved: u64,
    pub(in crate::scan::python) asynchronous: u64,
    /// Plain calls of functions of the program, as each share has found them.
    pub(in crate::scan::python) plain: Vec<Vec<PlainCall>>,
    /// The sinks that are functions of a library, by their place in the graph: what they wait for is not an object that
    /// others may use meanwhile.
    pub(super) functions: Vec<usize>,
}

impl Built {
    pub(super) fn of(layout: &Layout<'_>, nodes: Vec<Node>, parts: Vec<Part>) -> Self {
        let asynchronous = nodes.iter().filter(|node| node.colour == Colour::Async).count() as u64;
        let graph = CallGraph::of(nodes);
        let (plain, functions) = (Vec::new(), Vec::new());
        let mut built = Self { graph, calls: 0, resolved: 0, asynchronous, plain, functions };
        let mut all = Part::default();
        for part in parts {
            let before = built.graph.sinks.len();
            built.functions.extend(part.functions.iter().map(|at| before + at));
            built.graph.sinks.extend(part.sinks);
            built.graph.edges.extend(part.edges);
            built.plain.push(part.plain);
            built.calls += part.calls;
            built.resolved += part.resolved;
            all.starting.extend(part.starting);
            all.scheduled.extend(part.scheduled);
            all.answering.extend(part.answering);
            all.entries.extend(part.entries);
            all.spawning.extend(part.spawning);
        }
        built.graph.index();
        built.place(layout, &all);
        built
    }

    /// Says where functions run.
    fn place(&mut self, layout: &Layout<'_>, all: &Part) {
        let has = |id: FunctionId, traits: Traits| layout.function(id).1.traits.has(traits);
        for id in &all.starting {
            self.mark(id.0, Context::StartUp);
        }
        for id in all.scheduled.iter().filter(|id| !has(**id, Traits::ASYNC)) {
            self.mark(id.0, Context::Loop);
        }
        for id in &all.answering {
            self.mark(id.0, Context::Pool);
        }
        let graph = &self.graph;
        let start_up: Vec<NodeId> = (0..graph.nodes.len() as u32)
            .map(NodeId)
            .filter(|node| graph.node(*node).context == Context::StartUp)
            .collect();
        let ends = |id: &&FunctionId| !has(**id, Traits::ENDLESS) && !all.spawning.contains(id);
        let entries: Vec<NodeId> = all.entries.iter().filter(ends).map(|id| NodeId(id.0)).collect();
        for (nodes, context) in [(start_up, Context::StartUp), (entries, Context::OneShot)] {
            if nodes.is_empty() {
                continue;
            }
            let belongs = self.graph.only_on_behalf_of(&nodes);
            for (index, _) in belongs.iter().enumerate().filter(|(_, belongs)| **belongs) {
                if !all.spawning.contains(&FunctionId(index as u32)) || context == Context::StartUp {
                    self.mark(index as u32, context);
                }
            }
        }
    }

    /// Says where a function runs, unless more is known already.
    fn mark(&mut self, function: u32, context: Context) {
        let node = &mut self.graph.nodes[function as usize];
        if node.context == Context::Unknown {
            node.context = context;
        }
    }
}
