//! Graphs drawn by hand.

use super::*;

fn place(at: u32) -> Place {
    Place { path: "a".into(), line: at, column: 1, end_line: at, end_column: 2, bytes: (at, at + 1) }
}

/// A graph of these functions (`~` before the name: async) and calls (by name; `!` guarded, `?` in an error path).
fn graph(functions: &[&str], calls: &[(&str, &str, &str)]) -> CallGraph {
    let mut graph = CallGraph::default();
    for (at, function) in functions.iter().enumerate() {
        let colour = if function.starts_with('~') { Colour::Async } else { Colour::Sync };
        graph.add_node(Node {
            name: (*function).into(),
            place: place(at as u32),
            colour,
            context: Context::Unknown,
            cached: function.ends_with('$'),
        });
    }
    let find = |name: &str| NodeId(functions.iter().position(|function| *function == name).unwrap() as u32);
    for (at, (from, to, how)) in calls.iter().enumerate() {
        graph.edges.push(Edge {
            from: find(from),
            to: find(to),
            place: place(100 + at as u32),
            mitigations: if how.contains('?') { vec![Mitigation::ErrorPath] } else { Vec::new() },
            awaited: how.contains('a'),
            guarded: how.contains('!'),
            repeated: how.contains('*'),
        });
    }
    graph.index();
    graph
}

fn names(chain: &[Hop]) -> Vec<&str> {
    chain.iter().map(|hop| &*hop.function).collect()
}

#[test]
fn a_chain_is_told_from_the_loop_down() {
    let graph = graph(&["~a", "b", "c"], &[("~a", "b", ""), ("b", "c", "")]);
    let reach = Reacher::new(&graph).reach(NodeId(2)).unwrap();
    assert_eq!((reach.roots, reach.root), (1, NodeId(0)));
    assert_eq!(names(&reach.chains[0]), ["~a", "b"]);
    assert_eq!(&*reach.chains[0][1].callee, "c");
}

#[test]
fn what_no_loop_reaches_is_silent() {
    let graph = graph(&["~a", "b", "c", "~d"], &[("b", "c", ""), ("~a", "c", "!"), ("~a", "~d", "")]);
    assert_eq!(Reacher::new(&graph).reach(NodeId(2)), None);
}

#[test]
fn a_clean_way_beats_a_short_one() {
    let graph = graph(&["~a", "~b", "c", "d"], &[("~a", "d", "?"), ("~b", "c", ""), ("c", "d", "")]);
    let reach = Reacher::new(&graph).reach(NodeId(3)).unwrap();
    assert_eq!(reach.roots, 2);
    assert_eq!(names(&reach.chains[0]), ["~b", "c"]);
    assert_eq!(reach.mitigations, []);
}

#[test]
fn mitigations_of_the_only_way_are_told() {
    let graph = graph(&["~a", "b$", "c"], &[("~a", "b$", "?"), ("b$", "c", "")]);
    let reach = Reacher::new(&graph).reach(NodeId(2)).unwrap();
    assert_eq!(reach.mitigations, [Mitigation::FirstCallOnly, Mitigation::ErrorPath]);
}

#[test]
fn circles_and_very_deep_graphs_end() {
    let circle = graph(&["~a", "b", "c"], &[("b", "c", ""), ("c", "b", ""), ("~a", "b", "")]);
    assert_eq!(Reacher::new(&circle).reach(NodeId(2)).unwrap().roots, 1);

    let functions: Vec<String> =
        (0..50_000).map(|at| if at == 0 { "~0".into() } else { at.to_string() }).collect();
    let mut deep = CallGraph::default();
    for (at, function) in functions.iter().enumerate() {
        deep.add_node(Node {
            name: function.as_str().into(),
            place: place(at as u32),
            colour: if at == 0 { Colour::Async } else { Colour::Sync },
            context: Context::Unknown,
            cached: false,
        });
        if at > 0 {
            let from = NodeId(at as u32 - 1);
            let to = NodeId(at as u32);
            let mitigations = Vec::new();
            deep.edges.push(Edge {
                from,
                to,
                place: place(0),
                mitigations,
                awaited: false,
                guarded: false,
                repeated: false,
            });
        }
    }
    deep.index();
    let reach = Reacher::new(&deep).reach(NodeId(49_999)).unwrap();
    assert_eq!(reach.chains[0].len(), 49_999);
    assert_eq!(reach.mitigations, [Mitigation::DeepChain]);
}

#[test]
fn three_witnesses_at_most_and_all_are_counted() {
    let graph = graph(
        &["~a", "~b", "~c", "~d", "e"],
        &[("~a", "e", ""), ("~b", "e", ""), ("~c", "e", ""), ("~d", "e", "")],
    );
    let reach = Reacher::new(&graph).reach(NodeId(4)).unwrap();
    assert_eq!((reach.roots, reach.chains.len()), (4, 3));
}

#[test]
fn on_behalf_of_means_of_nobody_else() {
    let graph = graph(
        &["~main", "~step", "~shared", "~other", "~task"],
        &[
            ("~main", "~step", "a"),
            ("~step", "~shared", "a"),
            ("~other", "~shared", "a"),
            ("~main", "~task", ""),
        ],
    );
    assert_eq!(graph.only_on_behalf_of(&[NodeId(0)]), [true, true, false, false, false]);
}
