//! Where control forks: `if`, `match`, loops; and what the condition says about the ways.

use syn::{Expr, Pat};

use super::super::facts::{Callee, Event, LoopKind, Value, ValueAt};
use super::{Reader, UNKNOWN};

impl Reader<'_> {
    pub(super) fn if_expr(&mut self, expr: &syn::ExprIf) -> ValueAt {
        let lets = has_let(&expr.cond);
        let calls = self.facts.calls.len();
        self.event(Event::Mark);
        self.scoped(|reader| {
            reader.expr(&expr.cond);
            if !lets {
                reader.event(Event::Release);
            }
            let asked = reader.asked_since(calls);
            let missed = reader.missed(&expr.cond);
            reader.event(Event::Fork);
            let mut values = Vec::new();
            let fails = error_pattern(&expr.cond);
            reader.arm(|reader| {
                let value = reader.circumstance(asked, fails, |reader| reader.block(&expr.then_branch));
                values.push(value);
                diverges_block(&expr.then_branch)
            });
            if let Some((_, other)) = &expr.else_branch {
                let asked = Asked { first_call: false, ..asked };
                reader.arm(|reader| {
                    if let Some(value) = missed {
                        reader.event(Event::Absent(value));
                    }
                    let value = reader.circumstance(asked, false, |reader| reader.expr(other).at);
                    values.push(value);
                    diverges(other)
                });
            }
            reader.event(Event::Join);
            if lets {
                reader.event(Event::Release);
            }
            reader.one_of(values)
        })
    }

    fn circumstance<T>(&mut self, asked: Asked, fails: bool, read: impl FnOnce(&mut Self) -> T) -> T {
        let (guarded, first, fails) =
            (u32::from(asked.guarded), u32::from(asked.first_call), u32::from(fails));
        if let Some(frame) = self.frames.last_mut() {
            frame.guarded += guarded;
            frame.first_call += first;
            frame.error_path += fails;
        }
        let done = read(self);
        if let Some(frame) = self.frames.last_mut() {
            frame.guarded -= guarded;
            frame.first_call -= first;
            frame.error_path -= fails;
        }
        done
    }

    /// The value that is an error or nothing where `if let` does not match.
    fn missed(&self, cond: &Expr) -> Option<ValueAt> {
        let Expr::Let(cond) = cond else { return None };
        let Pat::TupleStruct(pat) = &*cond.pat else { return None };
        let last = pat.path.segments.last()?;
        (last.ident == "Ok" || last.ident == "Some").then_some(self.matched)
    }

    /// What the calls of a condition ask for.
    fn asked_since(&self, first: usize) -> Asked {
        let mut asked = Asked::default();
        for call in &self.facts.calls[first..] {
            let (Callee::Method(_, name) | Callee::Path(name, _)) = call.callee else { continue };
            match self.facts.text(name).rsplit("::").next() {
                Some("try_current" | "is_inside_runtime") => asked.guarded = true,
                Some("is_none") => asked.first_call = true,
                _ => {}
            }
        }
        asked
    }

    fn one_of(&mut self, mut values: Vec<ValueAt>) -> ValueAt {
        values.retain(|value| *value != UNKNOWN);
        values.dedup();
        match values[..] {
            [] => UNKNOWN,
            [one] => one,
            _ => self.value(Value::OneOf(values)),
        }
    }

    pub(super) fn match_expr(&mut self, expr: &syn::ExprMatch) -> ValueAt {
        self.event(Event::Mark);
        let calls = self.facts.calls.len();
        let scrutinee = self.expr(&expr.expr);
        let asked = Asked { first_call: false, ..self.asked_since(calls) };
        self.event(Event::Fork);
        let mut values = Vec::new();
        for arm in &expr.arms {
            self.arm(|reader| {
                if is_nothing(&arm.pat) {
                    reader.event(Event::Absent(scrutinee.at));
                }
                reader.pattern(&arm.pat, scrutinee.at);
                let fails = is_error(&arm.pat);
                let value = reader.circumstance(asked, fails, |reader| reader.moved(&arm.body));
                values.push(value);
                diverges(&arm.body)
            });
        }
        self.event(Event::Join);
        self.event(Event::Release);
        self.one_of(values)
    }

    pub(super) fn loop_expr(&mut self, expr: &Expr) -> ValueAt {
        match expr {
            Expr::Loop(e) => {
                let ends = leaves(&e.body);
                self.in_loop(LoopKind::Loop, e.loop_token.span, ends, |reader| {
                    reader.block(&e.body);
                });
            }
            Expr::While(e) => {
                let lets = has_let(&e.cond);
                self.in_loop(LoopKind::While, e.while_token.span, true, |reader| {
                    reader.event(Event::Mark);
                    reader.expr(&e.cond);
                    if lets {
                        reader.block(&e.body);
                        reader.event(Event::Release);
                    } else {
                        reader.event(Event::Release);
                        reader.block(&e.body);
                    }
                });
            }
            Expr::ForLoop(e) => {
                self.event(Event::Mark);
                let over = self.expr(&e.expr).at;
                let kind = LoopKind::For(Self::bound_of(&e.expr));
                self.in_loop(kind, e.for_token.span, true, |reader| {
                    let element = reader.derived(over, Value::Element);
                    reader.pattern(&e.pat, element);
                    reader.block(&e.body);
                });
                self.event(Event::Release);
            }
            _ => {}
        }
        UNKNOWN
    }
}

/// What a condition asks.
#[derive(Debug, Clone, Copy, Default)]
struct Asked {
    /// Whether a runtime runs here.
    guarded: bool,
    /// Whether something is there already.
    first_call: bool,
}

fn has_let(cond: &Expr) -> bool {
    match cond {
        Expr::Let(_) => true,
        Expr::Binary(e) => has_let(&e.left) || has_let(&e.right),
        Expr::Paren(e) => has_let(&e.expr),
        _ => false,
    }
}

fn error_pattern(cond: &Expr) -> bool {
    matches!(cond, Expr::Let(e) if is_error(&e.pat))
}

/// `Err(…)` and `None`.
fn is_nothing(pat: &Pat) -> bool {
    is_error(pat) || matches!(pat, Pat::Ident(ident) if ident.ident == "None")
}

fn is_error(pat: &Pat) -> bool {
    match pat {
        Pat::TupleStruct(tuple) => tuple.path.segments.last().is_some_and(|last| last.ident == "Err"),
        Pat::Guard(guard) => is_error(&guard.pat),
        Pat::Or(or) => or.cases.iter().any(is_error),
        _ => false,
    }
}

fn diverges(expr: &Expr) -> bool {
    match expr {
        Expr::Return(_) | Expr::Break(_) | Expr::Continue(_) => true,
        Expr::Block(e) => diverges_block(&e.block),
        Expr::Unsafe(e) => diverges_block(&e.block),
        Expr::Macro(e) => panics(&e.mac),
        Expr::If(e) => {
            diverges_block(&e.then_branch) && e.else_branch.as_ref().is_some_and(|(_, other)| diverges(other))
        }
        _ => false,
    }
}

pub(super) fn diverges_block(block: &syn::Block) -> bool {
    match block.stmts.last() {
        Some(syn::Stmt::Expr(expr, _)) => diverges(expr),
        Some(syn::Stmt::Macro(statement)) => panics(&statement.mac),
        _ => false,
    }
}

fn panics(mac: &syn::Macro) -> bool {
    mac.path.segments.last().is_some_and(|last| {
        ["panic", "unreachable", "todo", "unimplemented", "bail"].iter().any(|name| last.ident == name)
    })
}

/// Whether a `loop` has a way out: anything that looks like one counts.
fn leaves(block: &syn::Block) -> bool {
    struct Ways(bool);
    impl<'ast> syn::visit::Visit<'ast> for Ways {
        fn visit_expr_break(&mut self, _: &'ast syn::ExprBreak) {
            self.0 = true;
        }
        fn visit_expr_return(&mut self, _: &'ast syn::ExprReturn) {
            self.0 = true;
        }
        fn visit_expr_try(&mut self, _: &'ast syn::ExprTry) {
            self.0 = true;
        }
        fn visit_expr_closure(&mut self, _: &'ast syn::ExprClosure) {}
        fn visit_expr_async(&mut self, _: &'ast syn::ExprAsync) {}
        fn visit_expr(&mut self, expr: &'ast Expr) {
            if !self.0 {
                stacker::maybe_grow(64 << 10, 1 << 20, || syn::visit::visit_expr(self, expr));
            }
        }
        fn visit_macro(&mut self, mac: &'ast syn::Macro) {
            let words = mac.tokens.to_string();
            self.0 |= ["break", "return"].iter().any(|word| words.contains(word));
        }
    }
    let mut ways = Ways(false);
    syn::visit::Visit::visit_block(&mut ways, block);
    ways.0
}
