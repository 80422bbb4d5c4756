//! Who calls whom, and what is reached from an event loop. Language-neutral: a front end fills in nodes, edges and
//! sinks. Knows no syntax, no API and no rule.
//!
//! A *sink* is a call that waits, computes for long or runs a loop of its own. It matters where a loop runs it: directly
//! in a function of a loop, or through functions that are called on the way. A call of something async does not run it,
//! and a function that is merely handed over is not called, so offloads need no treatment here.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::CostlyCalls;
use crate::finding::{Cost, Fix, Hop, Mitigation, Place};
use crate::wait::WaitKind;

/// A function of the program, by its place in [`CallGraph`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// What calling a function does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Colour {
    /// Runs it.
    Sync,
    /// Makes a future; a loop runs it.
    Async,
    /// Makes an iterator; whoever consumes it runs it.
    Generator,
}

/// Where a function runs, as far as that is known from elsewhere than its calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Context {
    /// Nothing special: async functions run on a loop, others where they are called.
    Unknown,
    /// The loop itself calls it.
    Loop,
    /// A thread of its own calls it.
    Thread,
    /// One of the threads with which a server answers requests calls it.
    Pool,
    /// While the program starts or stops.
    StartUp,
    /// In a program that does one thing and ends.
    OneShot,
    /// In test code.
    Test,
}

impl Context {
    /// What it takes from the weight of what is reached there.
    #[must_use]
    pub fn mitigation(self) -> Option<Mitigation> {
        match self {
            Self::Unknown | Self::Loop | Self::Thread | Self::Pool => None,
            Self::StartUp => Some(Mitigation::StartUp),
            Self::OneShot => Some(Mitigation::OneShot),
            Self::Test => Some(Mitigation::Test),
        }
    }
}

/// A function.
#[derive(Debug, Clone)]
pub struct Node {
    /// Qualified.
    pub name: Arc<str>,
    /// Where it is defined.
    pub place: Place,
    /// What calling it does.
    pub colour: Colour,
    /// Where it runs.
    pub context: Context,
    /// Whether only the first call runs it.
    pub cached: bool,
}

impl Node {
    /// Whether a loop runs it.
    #[must_use]
    pub fn on_loop(&self) -> bool {
        self.colour == Colour::Async || self.context == Context::Loop
    }

    /// Whether a server runs it in one of its threads.
    #[must_use]
    pub fn in_pool(&self) -> bool {
        self.colour == Colour::Sync && self.context == Context::Pool
    }
}

/// A call from one function to another.
#[derive(Debug, Clone)]
pub struct Edge {
    /// Who calls.
    pub from: NodeId,
    /// Whom.
    pub to: NodeId,
    /// Where the call stands.
    pub place: Place,
    /// What speaks for less weight on this way.
    pub mitigations: Vec<Mitigation>,
    /// Whether the call is awaited.
    pub awaited: bool,
    /// Whether it happens only where no loop runs.
    pub guarded: bool,
    /// Whether a loop in the source makes the call again and again without letting others have a turn.
    pub repeated: bool,
}

/// What a sink does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SinkKind {
    /// Waits for this.
    Waits(WaitKind),
    /// Computes.
    Computes,
    /// Runs an event loop to its end.
    RunsLoop,
}

/// A call of a library that must not happen on a loop.
#[derive(Debug, Clone)]
pub struct Sink {
    /// The function it stands in.
    pub node: NodeId,
    /// Where.
    pub place: Place,
    /// What it calls, qualified.
    pub callee: Arc<str>,
    /// What that does.
    pub kind: SinkKind,
    /// For how long.
    pub cost: Cost,
    /// Whether it may wait for good: for what others do, without a limit.
    pub endless: bool,
    /// What speaks for less weight.
    pub mitigations: Vec<Mitigation>,
    /// Whether it happens only where no loop runs.
    pub guarded: bool,
    /// Whether a loop in the source makes the call again and again without letting others have a turn.
    pub repeated: bool,
    /// What to call instead on a loop.
    pub sibling: Option<Arc<str>>,
    /// What to do where nothing can be called instead.
    pub cure: Option<Arc<str>>,
    /// A safe rewrite, where it stands in an async function.
    pub fix: Option<Fix>,
}

/// How a function is reached from loops, or from whatever else is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// Functions run by a loop from where calls lead here; at least 1.
    pub roots: usize,
    /// Of them the nearest on the way with the fewest mitigations.
    pub root: NodeId,
    /// Ways from a function of a loop to here, at most three, the best first; empty where the loop runs it itself.
    pub chains: Vec<Vec<Hop>>,
    /// What speaks for less weight on the best way, sorted.
    pub mitigations: Vec<Mitigation>,
    /// Whether a call on the best way is repeated.
    pub repeated: bool,
    /// The function to be changed once for all: the outermost plain one that the best way from every root goes
    /// through. The function asked about, where there is none further out.
    pub through: NodeId,
}

/// Longer chains than this are [`Mitigation::DeepChain`]: each call is one more chance that the way is never taken.
const DEEP: usize = 5;
/// So many ways are told.
const WITNESSES: usize = 3;

/// The calls of a program. Nodes first, then edges and sinks, then [`index`](Self::index), then questions.
#[derive(Debug, Clone, Default)]
pub struct CallGraph {
    /// Functions.
    pub nodes: Vec<Node>,
    /// Calls between them.
    pub edges: Vec<Edge>,
    /// Calls that must not happen on a loop.
    pub sinks: Vec<Sink>,
    /// Edges that lead to a node: a stretch of `incoming` per node.
    incoming_of: Vec<(u32, u32)>,
    incoming: Vec<u32>,
}

impl CallGraph {
    /// A graph of these functions, without calls.
    #[must_use]
    pub fn of(nodes: Vec<Node>) -> Self {
        Self { nodes, ..Self::default() }
    }

    /// Adds a function.
    pub fn add_node(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        NodeId(self.nodes.len() as u32 - 1)
    }

    /// A function.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// The calls of what waits or computes, by file and place.
    #[must_use]
    pub fn costly_calls(&self) -> CostlyCalls {
        let mut calls = CostlyCalls::new();
        for Sink { place, callee, .. } in &self.sinks {
            let of_file = calls.entry(Arc::clone(&place.path)).or_default();
            of_file.push((place.line, place.end_line, Arc::clone(callee)));
        }
        for of_file in calls.values_mut() {
            of_file.sort();
            of_file.dedup();
        }
        calls
    }

    /// Brings the edges in order; call it once, after the last of them.
    pub fn index(&mut self) {
        let mut order: Vec<u32> = (0..self.edges.len() as u32).collect();
        order.sort_by_key(|index| {
            let edge = &self.edges[*index as usize];
            (edge.to, edge.from, edge.place.bytes)
        });
        self.incoming_of = vec![(0, 0); self.nodes.len()];
        for (position, index) in order.iter().enumerate() {
            let (start, count) = &mut self.incoming_of[self.edges[*index as usize].to.0 as usize];
            if *count == 0 {
                *start = position as u32;
            }
            *count += 1;
        }
        self.incoming = order;
    }

    fn callers(&self, node: NodeId) -> impl Iterator<Item = (u32, &Edge)> {
        let (start, count) = self.incoming_of.get(node.0 as usize).copied().unwrap_or_default();
        let stretch = &self.incoming[start as usize..(start + count) as usize];
        stretch.iter().map(|index| (*index, &self.edges[*index as usize]))
    }

    /// Which functions lead to a sink when they run.
    #[must_use]
    pub fn leading_to_sinks(&self) -> Vec<bool> {
        let mut leads = vec![false; self.nodes.len()];
        let mut open: Vec<NodeId> =
            self.sinks.iter().filter(|sink| !sink.guarded).map(|sink| sink.node).collect();
        while let Some(node) = open.pop() {
            let here = &mut leads[node.0 as usize];
            if !*here {
                *here = true;
                let plain = self.callers(node).filter(|(_, edge)| !edge.guarded);
                if self.node(node).colour != Colour::Async {
                    open.extend(plain.map(|(_, edge)| edge.from));
                }
            }
        }
        leads
    }

    /// Which functions only ever run on behalf of these: called, with `await` where they are async, by nobody else.
    #[must_use]
    pub fn only_on_behalf_of(&self, entries: &[NodeId]) -> Vec<bool> {
        let mut belongs = vec![false; self.nodes.len()];
        for entry in entries {
            belongs[entry.0 as usize] = true;
        }
        let mut changed = entries.to_vec();
        let mut called_by: Vec<Vec<u32>> = vec![Vec::new(); self.nodes.len()];
        for edge in &self.edges {
            called_by[edge.from.0 as usize].push(edge.to.0);
        }
        while let Some(from) = changed.pop() {
            for to in &called_by[from.0 as usize] {
                let mut callers = self.callers(NodeId(*to)).peekable();
                let only = callers.peek().is_some()
                    && callers.all(|(_, edge)| {
                        belongs[edge.from.0 as usize]
                            && (edge.awaited || self.node(edge.to).colour != Colour::Async)
                    });
                if only && !belongs[*to as usize] {
                    belongs[*to as usize] = true;
                    changed.push(NodeId(*to));
                }
            }
        }
        belongs
    }
}

/// Answers how functions are reached, with memory that is used again for every question.
#[derive(Debug)]
pub struct Reacher<'g> {
    graph: &'g CallGraph,
    /// From where.
    is_root: fn(&Node) -> bool,
    /// Per node: the question it was last seen in, the edge that leads on towards the sink, and the price so far.
    seen: Vec<(u32, u32, (u32, u32))>,
    question: u32,
}

/// There is no edge: the way ends here.
const END: u32 = u32::MAX;

impl<'g> Reacher<'g> {
    /// Reached from loops. The edges of the graph must be in order.
    #[must_use]
    pub fn new(graph: &'g CallGraph) -> Self {
        Self::from(graph, Node::on_loop)
    }

    /// Reached from such functions, without a loop in between.
    #[must_use]
    pub fn from(graph: &'g CallGraph, is_root: fn(&Node) -> bool) -> Self {
        Self { graph, is_root, seen: vec![(0, END, (0, 0)); graph.nodes.len()], question: 0 }
    }

    /// How a function is reached; `None` if no known way does. Ways are searched from the function backwards, those
    /// with fewer mitigations first, then shorter ones, then by place: the same graph gives the same answer.
    pub fn reach(&mut self, target: NodeId) -> Option<Reach> {
        self.question += 1;
        let mut open = BinaryHeap::from([Reverse(((0, 0), target, END))]);
        let mut roots: Vec<NodeId> = Vec::new();
        while let Some(Reverse((price, node, towards))) = open.pop() {
            let seen = &mut self.seen[node.0 as usize];
            if seen.0 == self.question {
                continue;
            }
            *seen = (self.question, towards, price);
            let here = self.graph.node(node);
            if (self.is_root)(here) {
                roots.push(node);
                continue;
            }
            if here.on_loop() {
                continue;
            }
            let (marks, calls) = price;
            let marks = marks + u32::from(here.cached);
            for (index, edge) in self.graph.callers(node) {
                if edge.guarded || self.seen[edge.from.0 as usize].0 == self.question {
                    continue;
                }
                let caller = self.graph.node(edge.from);
                let root = u32::from((self.is_root)(caller) && caller.context.mitigation().is_some());
                let marks = marks + edge.mitigations.len() as u32 + root;
                open.push(Reverse(((marks, calls + 1), edge.from, index)));
            }
        }
        // They come out of the heap best first.
        let root = *roots.first()?;
        let chains: Vec<Vec<Hop>> = roots.iter().take(WITNESSES).map(|root| self.way_from(*root)).collect();
        let chains: Vec<Vec<Hop>> = chains.into_iter().filter(|chain| !chain.is_empty()).collect();
        Some(Reach {
            roots: roots.len(),
            root,
            mitigations: self.mitigations_from(root),
            repeated: self.edges_from(root).any(|edge| edge.repeated),
            through: self.common(&roots).unwrap_or(target),
            chains,
        })
    }

    /// The outermost function below the roots that the best ways from all of them share.
    fn common(&self, roots: &[NodeId]) -> Option<NodeId> {
        let (first, others) = roots.split_first()?;
        let mut shared: Vec<NodeId> = self.edges_from(*first).map(|edge| edge.to).collect();
        for root in others {
            // Ways that meet stay together: what they share is the end of each.
            let meets =
                self.edges_from(*root).find_map(|edge| shared.iter().position(|node| *node == edge.to));
            shared.drain(..meets?);
        }
        shared.first().copied()
    }

    fn edges_from(&self, root: NodeId) -> impl Iterator<Item = &'g Edge> {
        let mut here = root;
        std::iter::from_fn(move || {
            let (_, towards, _) = self.seen[here.0 as usize];
            let edge = self.graph.edges.get(towards as usize)?;
            here = edge.to;
            Some(edge)
        })
    }

    fn way_from(&self, root: NodeId) -> Vec<Hop> {
        self.edges_from(root)
            .map(|edge| Hop {
                place: edge.place.clone(),
                function: self.graph.node(edge.from).name.clone(),
                callee: self.graph.node(edge.to).name.clone(),
            })
            .collect()
    }

    fn mitigations_from(&self, root: NodeId) -> Vec<Mitigation> {
        let mut found: Vec<Mitigation> = self.graph.node(root).context.mitigation().into_iter().collect();
        let mut length = 0;
        for edge in self.edges_from(root) {
            length += 1;
            found.extend(&edge.mitigations);
            if self.graph.node(edge.to).cached {
                found.push(Mitigation::FirstCallOnly);
            }
        }
        if length > DEEP {
            found.push(Mitigation::DeepChain);
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

#[cfg(test)]
mod tests;
