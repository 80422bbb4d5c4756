//! Calls that need what the same call returned the time before: they cannot overlap, however much each waits.

use std::hash::{Hash, Hasher};
use std::ops::Range;

use ruff_python_ast::{Expr, Stmt, StmtFunctionDef};
use ruff_text_size::{Ranged, TextRange, TextSize};
use rustc_hash::FxHasher;

use super::super::super::context::Context;
use super::super::super::scope::elements;
use super::definitions::{Node, any, any_in};

/// Parts of a dotted name.
const MOST_PARTS: usize = 8;
/// A stretch with more calls or assignments than this was not written by a person, and would take long.
const LONGEST: usize = 256;

/// `while cursor: page = fetch(cursor); cursor = page.next`.
pub(super) fn in_loop<'a>(context: &mut Context<'a>, statement: &'a Stmt) {
    let mut flow = Flow::default();
    let body = match statement {
        Stmt::While(until) => {
            flow.read_in(&until.test);
            &until.body
        }
        Stmt::For(each) => {
            // Each round has its own item.
            flow.write(&each.target, None, each.start());
            &each.body
        }
        _ => return,
    };
    flow.read(body);
    observe(context, std::slice::from_ref(statement), &flow, |_| true);
}

/// `self.cursor = self.fetch(self.cursor)` in a method: what calls it again calls it with what it left.
pub(super) fn in_function<'a>(context: &mut Context<'a>, function: &'a StmtFunctionDef) {
    let mut shared = vec![key("self"), key("cls")];
    let mut leaves = false;
    any(&function.body, &mut |node| {
        match node {
            Node::Statement(Stmt::Global(names)) => shared.extend(names.names.iter().map(|name| key(name))),
            Node::Statement(Stmt::Nonlocal(names)) => shared.extend(names.names.iter().map(|name| key(name))),
            Node::Statement(Stmt::Assign(assign)) => {
                leaves |= assign.targets.iter().any(Expr::is_attribute_expr);
            }
            _ => {}
        }
        false
    });
    // Most functions leave nothing behind.
    if !leaves && shared.len() == 2 {
        return;
    }
    let mut flow = Flow::default();
    flow.read(&function.body);
    observe(context, &function.body, &flow, |write| shared.iter().any(|name| write.parts.contains(name)));
}

fn observe<'a>(context: &mut Context<'a>, body: &'a [Stmt], flow: &Flow, outlives: impl Fn(&Write) -> bool) {
    if flow.calls.len().max(flow.writes.len()) > LONGEST {
        return;
    }
    for (at, carried) in flow.calls.iter().filter_map(|call| Some((call.at, flow.carried(call, &outlives)?)))
    {
        let carried = context.text(carried).to_owned();
        let mut found = None;
        any(body, &mut |node| {
            if let Node::Expression(Expr::Call(call)) = node
                && call.range() == at
            {
                let name =
                    context.resolve(&call.func).unwrap_or_else(|| context.text(&*call.func).to_owned());
                // A largest value or a sum so far is put together, not waited for.
                if !name.starts_with("builtins.") {
                    found = Some(context.observation("loop-carried-call", call, &name));
                }
            }
            found.is_some()
        });
        if let Some(mut seen) = found {
            seen.facts = vec![("carried", carried)];
            context.observe(seen);
        }
    }
}

/// What a stretch of code calls, and what it keeps in names. Names are told apart by keys: there are many, and few of them
/// matter.
#[derive(Default)]
struct Flow {
    calls: Vec<Call>,
    writes: Vec<Write>,
    /// Keys of the names that calls and values use, and of all that those are parts of: `page` of `page.next`.
    used: Vec<u64>,
}

struct Call {
    at: TextRange,
    /// Where [`Flow::used`] has the names in its arguments.
    uses: Range<usize>,
}

struct Write {
    /// Where the name stands, its key, and the keys of what it is a part of.
    target: TextRange,
    key: u64,
    parts: Vec<u64>,
    /// Where the statement begins.
    start: TextSize,
    /// What is kept, and where [`Flow::used`] has the names in it; `None`: an item of the loop.
    value: Option<(TextRange, Range<usize>)>,
}

impl Flow {
    fn read(&mut self, body: &[Stmt]) {
        any(body, &mut |node| self.node(node));
    }

    fn read_in(&mut self, expression: &Expr) {
        any_in(expression, &mut |node| self.node(node));
    }

    fn node(&mut self, node: Node<'_>) -> bool {
        match node {
            Node::Statement(Stmt::Assign(assign)) => {
                for target in &assign.targets {
                    self.write(target, Some(&assign.value), assign.start());
                }
            }
            Node::Statement(Stmt::AnnAssign(assign)) if assign.value.is_some() => {
                self.write(&assign.target, assign.value.as_deref(), assign.start());
            }
            Node::Statement(Stmt::For(each)) => self.write(&each.target, Some(&each.iter), each.start()),
            Node::Statement(Stmt::With(with)) => {
                for item in &with.items {
                    if let Some(target) = &item.optional_vars {
                        self.write(target, Some(&item.context_expr), with.start());
                    }
                }
            }
            Node::Expression(Expr::Named(named)) => {
                self.write(&named.target, Some(&named.value), named.start());
            }
            Node::Expression(Expr::Call(call)) => {
                let arguments = call.arguments.args.iter();
                let keywords = call.arguments.keywords.iter().map(|keyword| &keyword.value);
                let uses = self.uses(arguments.chain(keywords));
                if !uses.is_empty() {
                    self.calls.push(Call { at: call.range(), uses });
                }
            }
            _ => {}
        }
        // Nothing is made of a stretch that is too long.
        self.calls.len().max(self.writes.len()) > LONGEST
    }

    fn write(&mut self, target: &Expr, value: Option<&Expr>, start: TextSize) {
        let mut uses = None;
        for part in elements(target).unwrap_or(std::slice::from_ref(target)) {
            let mut parts = Vec::new();
            let Some(key) = path(part, |key| parts.push(key)) else { continue };
            let value = value.map(|value| {
                let uses = uses.get_or_insert_with(|| self.uses(std::iter::once(value)));
                (value.range(), uses.clone())
            });
            self.writes.push(Write { target: part.range(), key, parts, start, value });
        }
    }

    /// Notes the names in these expressions.
    fn uses<'e>(&mut self, expressions: impl Iterator<Item = &'e Expr>) -> Range<usize> {
        let start = self.used.len();
        for expression in expressions {
            any_in(expression, &mut |node| {
                if let Node::Expression(expression @ (Expr::Name(_) | Expr::Attribute(_))) = node {
                    self.used.extend(path(expression, |_| ()));
                }
                false
            });
        }
        start..self.used.len()
    }

    fn is_used(&self, uses: &Range<usize>, key: u64) -> bool {
        self.used.get(uses.clone()).is_some_and(|used| used.contains(&key))
    }

    /// The name that brings what a call returned into the same call of the next round.
    fn carried(&self, call: &Call, outlives: &impl Fn(&Write) -> bool) -> Option<TextRange> {
        if !self.writes.iter().any(|write| self.is_used(&call.uses, write.key)) {
            return None;
        }
        let made = self.made_of(call);
        self.writes
            .iter()
            .filter(|write| {
                made.contains(&write.key) && self.is_used(&call.uses, write.key) && outlives(write)
            })
            // Written anew before the call it brings nothing.
            .find(|write| {
                let earlier = |other: &&Write| {
                    other.key == write.key
                        && other.start < call.at.start()
                        && other.value.as_ref().is_none_or(|(range, _)| !range.contains_range(call.at))
                };
                !self.writes.iter().any(|other| earlier(&other))
            })
            .map(|write| write.target)
    }

    /// Names whose value comes from what a call returned.
    fn made_of(&self, call: &Call) -> Vec<u64> {
        let mut made: Vec<u64> = Vec::new();
        loop {
            let known = made.len();
            for write in &self.writes {
                let Some((range, uses)) = &write.value else { continue };
                let is_made =
                    range.contains_range(call.at) || made.iter().any(|key| self.is_used(uses, *key));
                if is_made && !made.contains(&write.key) {
                    made.push(write.key);
                }
            }
            if made.len() == known {
                return made;
            }
        }
    }
}

/// The key of a dotted name; `each` is given those of what it is a part of before, outermost first. `None` for what is no
/// name, or has more parts than names have.
fn path(expression: &Expr, mut each: impl FnMut(u64)) -> Option<u64> {
    let mut names = [""; MOST_PARTS];
    let mut count = 0;
    let mut at = expression;
    while let Expr::Attribute(attribute) = at {
        *names.get_mut(count)? = attribute.attr.as_str();
        count += 1;
        at = &attribute.value;
    }
    let Expr::Name(name) = at else { return None };
    *names.get_mut(count)? = name.id.as_str();
    let mut hasher = FxHasher::default();
    let mut key = None;
    for name in names.iter().take(count + 1).rev() {
        name.hash(&mut hasher);
        key = Some(hasher.finish());
        key.into_iter().for_each(&mut each);
    }
    key
}

/// The key of a plain name.
fn key(name: &str) -> u64 {
    let mut hasher = FxHasher::default();
    name.hash(&mut hasher);
    hasher.finish()
}
