//! Which names an expression uses, and the same expression with one number moved.

use super::ast::{Literal, Node, NodeKind, Suffix, Test};
use crate::rules::constants::Constants;

impl Node {
    /// The facts named in it, in order, each once.
    #[must_use]
    pub fn facts(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.collect_names(&mut names);
        names.retain(|name| is_fact(name));
        names
    }

    fn collect_names<'a>(&'a self, names: &mut Vec<&'a str>) {
        match &self.kind {
            NodeKind::Name(name) => {
                if !names.contains(&name.as_str()) {
                    names.push(name);
                }
            }
            NodeKind::Negative(inner) => inner.collect_names(names),
            NodeKind::Binary(_, left, right) => {
                left.collect_names(names);
                right.collect_names(names);
            }
            NodeKind::Call(_, arguments) => {
                for argument in arguments {
                    argument.collect_names(names);
                }
            }
            NodeKind::Number(_) | NodeKind::Text(_) | NodeKind::Bool(_) => {}
        }
    }
}

impl Test {
    /// The facts named in it, in order, each once.
    #[must_use]
    pub fn facts(&self) -> Vec<&str> {
        let mut names = self.names();
        names.retain(|name| is_fact(name));
        names
    }

    /// The constants named in it, in order, each once.
    #[must_use]
    pub fn constants(&self) -> Vec<&str> {
        let mut names = self.names();
        names.retain(|name| !is_fact(name));
        names
    }

    fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        let nodes: Vec<&Node> = match self {
            Self::Compare(_, left, right) => vec![left, right],
            Self::In(left, list) => std::iter::once(left).chain(list).collect(),
            Self::Matches(node, _) | Self::Holds(node) => vec![node],
        };
        for node in nodes {
            node.collect_names(&mut names);
        }
        names
    }
}

/// Facts are dotted, constants are not.
fn is_fact(name: &str) -> bool {
    name.contains('.')
}

/// To which side a number is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shift {
    /// Down.
    Down,
    /// Up.
    Up,
}

/// How far a number is moved, as a share of it.
const DISTANCE: f64 = 0.2;
/// Below this, a whole number that is compared as it stands is moved by one: counts have no values between.
const SMALL_COUNT: f64 = 5.0;

impl Test {
    /// Moves the `index`-th number that is not zero, written or named by a constant, and returns it as
    /// written; `None` when there are not so many.
    pub(crate) fn move_number(
        &mut self,
        mut index: usize,
        shift: Shift,
        constants: &Constants,
    ) -> Option<String> {
        let nodes: Vec<&mut Node> = match self {
            Self::Compare(_, left, right) => vec![left, right],
            Self::In(left, list) => std::iter::once(left).chain(list).collect(),
            Self::Matches(node, _) | Self::Holds(node) => vec![node],
        };
        nodes.into_iter().find_map(|node| node.move_number(&mut index, shift, constants))
    }
}

impl Node {
    /// The same for one expression; `index` counts down over several.
    pub(crate) fn move_number(
        &mut self,
        index: &mut usize,
        shift: Shift,
        constants: &Constants,
    ) -> Option<String> {
        let distance = match &self.kind {
            NodeKind::Number(Literal { number, suffix: Suffix::None })
                if number.fract() == 0.0 && number.abs() < SMALL_COUNT =>
            {
                1.0 / number
            }
            _ => DISTANCE,
        };
        let factor = if shift == Shift::Up { 1.0 + distance } else { 1.0 - distance };
        self.scale_number(index, factor, constants)
    }

    fn scale_number(&mut self, index: &mut usize, factor: f64, constants: &Constants) -> Option<String> {
        let value = match &self.kind {
            NodeKind::Number(literal) => literal.value(),
            NodeKind::Name(name) => constants.get(name)?.value,
            NodeKind::Text(_) | NodeKind::Bool(_) => return None,
            NodeKind::Negative(_) | NodeKind::Binary(..) | NodeKind::Call(..) => {
                return self
                    .children()
                    .into_iter()
                    .find_map(|node| node.scale_number(index, factor, constants));
            }
        };
        if value == 0.0 {
            return None;
        }
        if *index > 0 {
            *index -= 1;
            return None;
        }
        let name = self.to_string();
        // Units no longer matter: everything is in base units while evaluating.
        self.kind = NodeKind::Number(Literal { number: value * factor, suffix: Suffix::None });
        Some(name)
    }

    fn children(&mut self) -> Vec<&mut Self> {
        match &mut self.kind {
            NodeKind::Negative(inner) => vec![inner],
            NodeKind::Binary(_, left, right) => vec![left, right],
            NodeKind::Call(_, arguments) => arguments.iter_mut().collect(),
            NodeKind::Number(_) | NodeKind::Text(_) | NodeKind::Bool(_) | NodeKind::Name(_) => Vec::new(),
        }
    }
}
