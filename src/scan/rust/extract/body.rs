//! Bodies: frames, blocks, statements, closures, loops.

use proc_macro2::Span;
use syn::{Block, Expr, Pat, Stmt};

use super::super::facts::{
    Bound, Event, Fate, FunctionAt, FunctionKind, Local, LoopFact, LoopKind, Marks, Param, Spot, Sym, Value,
    ValueAt,
};
use super::{Frame, Reader, UNKNOWN, Variable};

impl Reader<'_> {
    /// Reads what happens in a function.
    pub(super) fn body(&mut self, function: FunctionAt, read: impl FnOnce(&mut Self)) {
        self.frames.push(Frame { function, ..Frame::default() });
        let variables = self.variables.len();
        read(self);
        self.variables.truncate(variables);
        if let Some(frame) = self.frames.pop() {
            let function = &mut self.facts.functions[function.at()];
            function.events = frame.events;
            function.loops = frame.loops;
        }
    }

    pub(super) fn event(&mut self, event: Event) {
        if let Some(frame) = self.frames.last_mut() {
            frame.events.push(event);
        }
    }

    /// Makes a variable that holds `value`.
    pub(super) fn bind(&mut self, name: Sym, value: ValueAt) -> Local {
        let local = Local(self.next_local);
        self.next_local += 1;
        self.variables.push(Variable { name, local, value });
        self.event(Event::Bind(local, value));
        local
    }

    pub(super) fn variable(&self, name: Sym) -> Option<Variable> {
        self.variables.iter().rev().find(|variable| variable.name == name).copied()
    }

    /// A block with its own variables; returns its value.
    pub(super) fn block(&mut self, block: &Block) -> ValueAt {
        self.scoped(|reader| reader.statements(&block.stmts))
    }

    pub(super) fn scoped<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let variables = self.variables.len();
        self.event(Event::Open);
        let done = read(self);
        self.event(Event::Close);
        self.variables.truncate(variables);
        done
    }

    pub(super) fn statements(&mut self, statements: &[Stmt]) -> ValueAt {
        let items: Vec<&syn::Item> = statements
            .iter()
            .filter_map(|statement| if let Stmt::Item(item) = statement { Some(item) } else { None })
            .collect();
        let outer = if items.is_empty() { None } else { Some(self.enter_scope(None, true)) };
        for item in items {
            // Items know neither the variables nor the loops around them.
            self.item(item);
        }
        let mut value = self.value(Value::Tuple(Vec::new()));
        let mut conditions: Vec<String> = Vec::new();
        for (at, statement) in statements.iter().enumerate() {
            let last = at + 1 == statements.len();
            if let Some(condition) = condition(statement) {
                // Only one of two alternatives is ever compiled, and what is for tests is not the program.
                let alternative = |other: &String| {
                    *other == format!("not ({condition})") || condition == format!("not ({other})")
                };
                if condition == "test" || conditions.iter().any(alternative) {
                    continue;
                }
                conditions.push(condition);
            }
            match statement {
                Stmt::Local(local) => self.local(local),
                Stmt::Item(_) => {}
                Stmt::Expr(expr, semi) => {
                    self.event(Event::Mark);
                    let given = self.expr(expr);
                    if last && semi.is_none() {
                        value = given.at;
                        if let Some(local) = given.local {
                            self.event(Event::Gone(local));
                        }
                    }
                    let thrown = (semi.is_some() && has_value(expr)).then_some(given.at);
                    self.event(Event::Statement(thrown));
                    self.event(Event::Release);
                }
                Stmt::Macro(statement) => {
                    self.event(Event::Mark);
                    let given = self.macro_call(&statement.mac);
                    if last && statement.semi_token.is_none() {
                        value = given;
                    }
                    self.event(Event::Statement(statement.semi_token.is_some().then_some(given)));
                    self.event(Event::Release);
                }
            }
        }
        if let Some(outer) = outer {
            self.scope = outer;
        }
        value
    }

    fn local(&mut self, local: &syn::Local) {
        self.event(Event::Mark);
        let (ty, pat) = match &local.pat {
            Pat::Type(typed) => (Some(self.ty(&typed.ty)), &*typed.pat),
            pat => (None, pat),
        };
        let Some(init) = &local.init else {
            self.pattern(pat, ty.unwrap_or(UNKNOWN));
            self.event(Event::Release);
            return;
        };
        let given = self.expr(&init.expr);
        if let Some(moved) = given.local {
            self.event(Event::Gone(moved));
        }
        if let Some((_, diverge)) = &init.diverge {
            self.event(Event::Fork);
            self.arm(|reader| {
                reader.on_error(|reader| {
                    reader.expr(diverge);
                });
                true
            });
            self.event(Event::Join);
        }
        if matches!(pat, Pat::Wild(_)) {
            let spot = self.word(local.let_token.span);
            self.event(Event::Discard(given.at, spot));
        } else {
            let value = self.annotated(given.at, ty);
            let bound = self.pattern(pat, value);
            self.name_fate(given.at, bound);
        }
        self.event(Event::Statement(None));
        self.event(Event::Release);
    }

    /// The annotation, where it says anything; the value stays in front so that a guard can be followed.
    fn annotated(&mut self, value: ValueAt, ty: Option<ValueAt>) -> ValueAt {
        match ty {
            Some(ty) if *self.facts.value(ty) != Value::Unknown && !self.inferred(ty) => {
                if matches!(self.facts.value(value), Value::Closure(_) | Value::Block(_)) {
                    return value;
                }
                self.value(Value::OneOf(vec![ty, value]))
            }
            _ => value,
        }
    }

    fn inferred(&self, ty: ValueAt) -> bool {
        match self.facts.value(ty) {
            Value::Type(_, _, arguments) => arguments.contains(&UNKNOWN),
            _ => false,
        }
    }

    fn name_fate(&mut self, value: ValueAt, bound: Option<Local>) {
        if let (Value::Closure(at) | Value::Block(at), Some(local)) = (self.facts.value(value), bound) {
            let at = at.at();
            self.facts.functions[at].fate = Fate::Bound(local);
        }
    }

    /// One way that control may take; `read` says whether it leaves otherwise than by its end.
    pub(super) fn arm(&mut self, read: impl FnOnce(&mut Self) -> bool) {
        self.event(Event::Arm);
        let variables = self.variables.len();
        self.event(Event::Open);
        let diverges = read(self);
        self.event(Event::Close);
        self.variables.truncate(variables);
        self.event(Event::ArmEnd(diverges));
    }

    pub(super) fn on_error<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        self.with(|frame| &mut frame.error_path, read)
    }

    pub(super) fn with<T>(
        &mut self,
        counter: impl Fn(&mut Frame) -> &mut u32,
        read: impl FnOnce(&mut Self) -> T,
    ) -> T {
        if let Some(frame) = self.frames.last_mut() {
            *counter(frame) += 1;
        }
        let done = read(self);
        if let Some(frame) = self.frames.last_mut() {
            *counter(frame) -= 1;
        }
        done
    }

    /// A loop around what `read` reads. The body may run no time at all, so it is one arm of a fork.
    pub(super) fn in_loop(
        &mut self,
        kind: LoopKind,
        keyword: Span,
        ends: bool,
        read: impl FnOnce(&mut Self),
    ) {
        let spot = self.word(keyword);
        let Some(frame) = self.frames.last_mut() else { return };
        let at = frame.loops.len() as u32;
        let depth = frame.open_loops.len() as u32;
        frame.loops.push(LoopFact { kind, spot, depth, ends, awaits: 0, calls: 0, arithmetic: 0 });
        frame.open_loops.push(at);
        self.event(Event::Loop(at));
        self.event(Event::Fork);
        self.arm(|reader| {
            read(reader);
            false
        });
        self.event(Event::Join);
        self.event(Event::LoopEnd);
        if let Some(frame) = self.frames.last_mut() {
            frame.open_loops.pop();
        }
    }

    /// Counts something in every loop around the current place.
    pub(super) fn count(&mut self, of: impl Fn(&mut LoopFact) -> &mut u32) {
        if let Some(frame) = self.frames.last_mut() {
            for at in &frame.open_loops {
                *of(&mut frame.loops[*at as usize]) += 1;
            }
        }
    }

    /// An `async` block.
    pub(super) fn async_block(
        &mut self,
        keyword: Span,
        moves: bool,
        read: impl FnOnce(&mut Self) -> ValueAt,
    ) -> ValueAt {
        let spot = self.word(keyword);
        let at = self.nested(FunctionKind::AsyncBlock, true, spot, moves, |reader, at| {
            let returns = read(reader);
            reader.facts.functions[at.at()].returns = returns;
        });
        self.value(Value::Block(at))
    }

    pub(super) fn closure(&mut self, closure: &syn::ExprClosure) -> ValueAt {
        let spot = self.spot(closure.inputs_begin.span, closure.inputs_end.span);
        let is_async = closure.asyncness.is_some();
        let handed = std::mem::replace(&mut self.handed, UNKNOWN);
        let at =
            self.nested(FunctionKind::Closure, is_async, spot, closure.capture.is_some(), |reader, at| {
                for input in &closure.inputs {
                    let (value, pat) = match input {
                        Pat::Type(typed) => (reader.ty(&typed.ty), &*typed.pat),
                        pat if closure.inputs.len() == 1 => (handed, pat),
                        pat => (UNKNOWN, pat),
                    };
                    let local = reader.pattern(pat, value);
                    let param = Param { value, exclusive: false, local };
                    reader.facts.functions[at.at()].params.push(param);
                }
                let given = reader.expr(&closure.body).at;
                let returns = match &closure.output {
                    syn::ReturnType::Default => given,
                    output @ syn::ReturnType::Type(..) => reader.return_type(output),
                };
                reader.facts.functions[at.at()].returns = returns;
            });
        self.handed = handed;
        self.value(Value::Closure(at))
    }

    fn nested(
        &mut self,
        kind: FunctionKind,
        is_async: bool,
        spot: Spot,
        moves: bool,
        read: impl FnOnce(&mut Self, FunctionAt),
    ) -> FunctionAt {
        let name = self.frames.last().map(|frame| self.facts.functions[frame.function.at()].name);
        let name = name.unwrap_or_else(|| self.sym("{closure}"));
        let marks = Marks { is_async, test: self.test, ..Marks::default() };
        let at = self.declare(name, kind, marks, spot);
        let first = self.next_local;
        // A closure that recovers from an error, or runs once, does so wherever it stands.
        let (error_path, first_call, guarded) =
            self.frames.last().map_or((0, 0, 0), |f| (f.error_path, f.first_call, f.guarded));
        self.body(at, |reader| {
            if let Some(frame) = reader.frames.last_mut() {
                (frame.error_path, frame.first_call, frame.guarded) = (error_path, first_call, guarded);
            }
            read(reader, at);
        });
        self.event(Event::Make(at));
        let mut captured: Vec<Local> = self.facts.functions[at.at()]
            .events
            .iter()
            .filter_map(|event| match event {
                Event::Used(local) | Event::Gone(local) if local.0 < first => Some(*local),
                _ => None,
            })
            .collect();
        captured.sort_unstable();
        captured.dedup();
        for local in captured {
            self.event(if moves { Event::Gone(local) } else { Event::Used(local) });
        }
        at
    }

    pub(super) fn bound_of(range: &Expr) -> Bound {
        match range {
            Expr::Paren(paren) => Self::bound_of(&paren.expr),
            Expr::Range(range) => match (range.start.as_deref(), range.end.as_deref()) {
                (_, None) => Bound::Endless,
                (start, Some(end)) => match (start.map_or(Some(0), number), number(end)) {
                    (Some(start), Some(end)) => Bound::Literal(end.saturating_sub(start)),
                    _ => Bound::Computed,
                },
            },
            Expr::MethodCall(call) if call.method == "rev" => Self::bound_of(&call.receiver),
            _ => Bound::Items,
        }
    }
}

fn number(expr: &Expr) -> Option<u64> {
    match expr {
        Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(number), .. }) => number.base10_parse().ok(),
        Expr::Paren(paren) => number(&paren.expr),
        Expr::Cast(cast) => number(&cast.expr),
        _ => None,
    }
}

/// What `#[cfg(…)]` of a statement asks for.
fn condition(statement: &Stmt) -> Option<String> {
    let attributes = match statement {
        Stmt::Local(local) => &local.attrs,
        Stmt::Macro(statement) => &statement.attrs,
        Stmt::Expr(expr, _) => match expr {
            Expr::Block(e) => &e.attrs,
            Expr::If(e) => &e.attrs,
            Expr::Call(e) => &e.attrs,
            Expr::MethodCall(e) => &e.attrs,
            Expr::Match(e) => &e.attrs,
            Expr::Return(e) => &e.attrs,
            Expr::ForLoop(e) => &e.attrs,
            _ => return None,
        },
        Stmt::Item(_) => return None,
    };
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"))
        .find_map(|attribute| attribute.meta.require_list().ok().map(|list| list.tokens.to_string()))
}

/// Whether throwing the value away could throw something away.
fn has_value(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Call(_) | Expr::MethodCall(_) | Expr::Await(_) | Expr::Try(_) | Expr::Macro(_) | Expr::Async(_)
    )
}
