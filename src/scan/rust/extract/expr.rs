//! Expressions: the order in which things happen, and what each gives.

use syn::{Expr, Lit};

use super::super::facts::{
    Argument, Call, CallAt, Callee, Circumstances, Event, Fate, FunctionAt, Local, Spot, Sym, Value, ValueAt,
};
use super::{Reader, UNKNOWN, Variable};
use crate::scan::rust::span;

/// What an expression gives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given {
    pub(super) at: ValueAt,
    /// The variable, where the expression is nothing else.
    pub(super) local: Option<Local>,
}

impl From<ValueAt> for Given {
    fn from(at: ValueAt) -> Self {
        Self { at, local: None }
    }
}

impl Reader<'_> {
    /// Reads an expression with everything in it.
    pub(super) fn expr(&mut self, expr: &Expr) -> Given {
        stacker::maybe_grow(256 << 10, 4 << 20, || self.expression(expr))
    }

    fn expression(&mut self, expr: &Expr) -> Given {
        match expr {
            Expr::Path(e) => return self.path_expr(e),
            Expr::Paren(e) => return self.expr(&e.expr),
            Expr::Group(e) => return self.expr(&e.expr),
            Expr::Reference(e) => self.expr(&e.expr).at,
            Expr::RawAddr(e) => self.expr(&e.expr).at,
            Expr::Unary(e) => {
                let base = self.expr(&e.expr).at;
                if matches!(e.op, syn::UnOp::Deref(_)) { self.derived(base, Value::Behind) } else { base }
            }
            Expr::Lit(e) => match &e.lit {
                Lit::Str(_) => self.value(Value::Text),
                _ => self.value(Value::Number),
            },
            Expr::Call(e) => self.call(e),
            Expr::MethodCall(e) => self.method_call(e),
            Expr::Await(e) => self.await_expr(e),
            Expr::Try(e) => {
                let base = self.expr(&e.expr).at;
                self.derived(base, Value::Tried)
            }
            Expr::Field(e) => {
                let base = self.expr(&e.base).at;
                let member = self.member(&e.member);
                self.derived(base, |base| Value::Field(base, member))
            }
            Expr::Index(e) => {
                let base = self.expr(&e.expr).at;
                self.expr(&e.index);
                self.derived(base, Value::Index)
            }
            Expr::Cast(e) => {
                self.expr(&e.expr);
                self.ty(&e.ty)
            }
            Expr::Macro(e) => self.macro_call(&e.mac),
            Expr::Closure(e) => self.closure(e),
            Expr::Async(e) => {
                self.async_block(e.async_token.span, e.capture.is_some(), |reader| reader.block(&e.block))
            }
            Expr::Block(e) => self.block(&e.block),
            Expr::Const(e) => self.block(&e.block),
            Expr::TryBlock(e) => self.block(&e.block),
            Expr::Unsafe(e) => self.block(&e.block),
            Expr::If(e) => self.if_expr(e),
            Expr::Match(e) => self.match_expr(e),
            Expr::Let(e) => {
                let value = self.expr(&e.expr).at;
                self.matched = value;
                self.pattern(&e.pat, value);
                UNKNOWN
            }
            Expr::Loop(_) | Expr::While(_) | Expr::ForLoop(_) => self.loop_expr(expr),
            Expr::Assign(e) => self.assign(e),
            Expr::Binary(e) => self.binary(e),
            Expr::Array(e) => {
                let mut first = UNKNOWN;
                for element in &e.elems {
                    let given = self.moved(element);
                    first = if first == UNKNOWN { given } else { first };
                }
                self.value(Value::Slice(first))
            }
            Expr::Repeat(e) => {
                let element = self.expr(&e.expr).at;
                self.expr(&e.len);
                self.value(Value::Slice(element))
            }
            Expr::Tuple(e) => {
                let parts = e.elems.iter().map(|element| self.moved(element)).collect();
                self.value(Value::Tuple(parts))
            }
            Expr::Struct(e) => self.struct_expr(e),
            Expr::Range(e) => {
                for end in [&e.start, &e.end].into_iter().flatten() {
                    self.expr(end);
                }
                let number = self.value(Value::Number);
                self.value(Value::Slice(number))
            }
            Expr::Return(e) => self.leave(e.expr.as_deref()),
            Expr::Break(e) => self.leave(e.expr.as_deref()),
            Expr::Yield(e) => self.leave(e.expr.as_deref()),
            _ => UNKNOWN,
        }
        .into()
    }

    fn struct_expr(&mut self, e: &syn::ExprStruct) -> ValueAt {
        for field in &e.fields {
            self.moved(&field.expr);
        }
        if let Some(rest) = &e.rest {
            self.expr(rest);
        }
        let first = e.path.segments.first();
        if let Some(this) = first.and_then(|first| self.named_here(&first.ident)) {
            this
        } else {
            let (path, types) = (self.path(&e.path), self.arguments_of(&e.path));
            self.value(Value::Type(path, self.here(), types))
        }
    }

    fn leave(&mut self, value: Option<&Expr>) -> ValueAt {
        if let Some(value) = value {
            self.moved(value);
        }
        UNKNOWN
    }

    /// An expression whose value goes somewhere else.
    pub(super) fn moved(&mut self, expr: &Expr) -> ValueAt {
        let given = self.expr(expr);
        if let Some(local) = given.local {
            self.event(Event::Gone(local));
        }
        given.at
    }

    fn path_expr(&mut self, expr: &syn::ExprPath) -> Given {
        if expr.qself.is_none()
            && let Some(ident) = expr.path.get_ident()
        {
            let name = self.ident(ident);
            if let Some(Variable { local, value, .. }) = self.variable(name) {
                self.event(Event::Used(local));
                return Given { at: value, local: Some(local) };
            }
            if ident == "Self" {
                return self.owner.unwrap_or(UNKNOWN).into();
            }
        }
        let path = self.path(&expr.path);
        self.value(Value::Path(path, self.here())).into()
    }

    fn how(&self) -> Circumstances {
        let Some(frame) = self.frames.last() else { return Circumstances::default() };
        Circumstances {
            in_loop: !frame.open_loops.is_empty(),
            error_path: frame.error_path > 0,
            guarded: frame.guarded > 0,
            first_call: frame.first_call > 0,
            in_select: frame.in_select > 0,
            in_macro: frame.in_macro > 0,
            ..Circumstances::default()
        }
    }

    /// Records a call, after its arguments have happened.
    pub(super) fn record(
        &mut self,
        callee: Callee,
        types: Vec<ValueAt>,
        arguments: Vec<Argument>,
        spot: Spot,
    ) -> ValueAt {
        let function = self.frames.last().map_or(FunctionAt(0), |frame| frame.function);
        let moved: Vec<Local> = arguments.iter().filter_map(|argument| argument.local).collect();
        let handed: Vec<(u32, FunctionAt)> = arguments
            .iter()
            .enumerate()
            .filter_map(|(at, argument)| match self.facts.value(argument.value) {
                Value::Closure(f) | Value::Block(f) if argument.local.is_none() => Some((at as u32, *f)),
                _ => None,
            })
            .collect();
        let (scope, how) = (self.here(), self.how());
        let call = self.add_call(Call { function, scope, callee, types, arguments, spot, opens: None, how });
        for (at, function) in handed {
            self.facts.functions[function.at()].fate = Fate::Argument(call, at);
        }
        self.event(Event::Call(call));
        self.count(|l| &mut l.calls);
        for local in moved {
            self.event(Event::Gone(local));
        }
        self.value(Value::Call(call))
    }

    pub(super) fn arguments<'e>(&mut self, arguments: impl IntoIterator<Item = &'e Expr>) -> Vec<Argument> {
        arguments.into_iter().map(|argument| self.argument(argument)).collect()
    }

    pub(super) fn argument(&mut self, expr: &Expr) -> Argument {
        let given = self.expr(expr);
        let text = constant_text(expr).map(|text| self.sym(&text));
        let exclusive = matches!(expr, Expr::Reference(r) if r.mutability.is_some());
        Argument { value: given.at, text, local: given.local, exclusive }
    }

    fn call(&mut self, call: &syn::ExprCall) -> ValueAt {
        let begin = span::first(&call.func);
        let mut callee = None;
        let mut types = Vec::new();
        if let Expr::Path(path) = &*call.func {
            let variable = path.path.get_ident().and_then(|ident| {
                let name = self.ident(ident);
                self.variable(name)
            });
            if variable.is_none() {
                types = self.arguments_of(&path.path);
                callee = Some(self.callee(path));
            }
        }
        let callee = callee.unwrap_or_else(|| {
            let value = self.expr(&call.func).at;
            if let Value::Closure(at) = *self.facts.value(value) {
                self.facts.functions[at.at()].fate = Fate::Here;
            }
            Callee::Value(value)
        });
        let arguments = self.arguments(&call.args);
        let close = call.paren_token.span.close();
        let spot = self.spot(begin.unwrap_or(close), close);
        let given = self.record(callee, types, arguments, spot);
        if let Value::Call(at) = *self.facts.value(given) {
            let open = call.paren_token.span.open();
            self.facts.calls[at.at()].opens = Some(self.spot(open, open).bytes.0);
        }
        given
    }

    fn callee(&mut self, path: &syn::ExprPath) -> Callee {
        if let Some(qself) = &path.qself {
            let on = self.ty(&qself.ty);
            let name = path.path.segments.last().map(|last| self.ident(&last.ident));
            let name = name.unwrap_or_else(|| self.sym(""));
            return Callee::Path(name, Some(on));
        }
        if path.path.segments.len() == 2
            && let Some(on) = self.named_here(&path.path.segments[0].ident)
        {
            let name = self.ident(&path.path.segments[1].ident);
            return Callee::Path(name, Some(on));
        }
        if path.path.is_ident("Self") {
            let name = self.sym("Self");
            return Callee::Path(name, self.owner);
        }
        Callee::Path(self.path(&path.path), None)
    }

    fn method_call(&mut self, call: &syn::ExprMethodCall) -> ValueAt {
        let receiver = self.expr(&call.receiver).at;
        let name = self.ident(&call.method);
        let method = call.method.to_string();
        let types = call.turbofish.as_ref().map_or_else(Vec::new, |t| self.generic_arguments(t));
        let arguments = match method.as_str() {
            "map_err" | "or_else" | "unwrap_or_else" | "inspect_err" => {
                self.on_error(|reader| reader.arguments(&call.args))
            }
            "get_or_init" | "get_or_try_init" | "get_or_insert_with" | "or_insert_with" | "call_once" => {
                self.with(|frame| &mut frame.first_call, |reader| reader.arguments(&call.args))
            }
            _ => {
                let element = self.derived(receiver, Value::Element);
                let outer = std::mem::replace(&mut self.handed, element);
                let arguments = self.arguments(&call.args);
                self.handed = outer;
                arguments
            }
        };
        let spot = self.spot(call.method.span(), call.paren_token.span.close());
        self.record(Callee::Method(receiver, name), types, arguments, spot)
    }

    fn await_expr(&mut self, expr: &syn::ExprAwait) -> ValueAt {
        let given = self.expr(&expr.base);
        self.awaited(given, expr.await_token.span)
    }

    /// Awaits a value here.
    pub(super) fn awaited(&mut self, given: Given, keyword: proc_macro2::Span) -> ValueAt {
        match *self.facts.value(given.at) {
            Value::Call(call) => self.await_call(call),
            Value::Block(at) => self.facts.functions[at.at()].fate = Fate::Here,
            _ => {}
        }
        let spot = self.word(keyword);
        self.event(Event::Await(given.at, spot));
        self.count(|l| &mut l.awaits);
        if let Some(local) = given.local {
            self.event(Event::Gone(local));
        }
        self.derived(given.at, Value::Awaited)
    }

    fn await_call(&mut self, call: CallAt) {
        self.facts.calls[call.at()].how.awaited = true;
    }

    fn assign(&mut self, expr: &syn::ExprAssign) -> ValueAt {
        let given = self.moved(&expr.right);
        if let Expr::Path(path) = &*expr.left
            && let Some(ident) = path.path.get_ident()
        {
            let name = self.ident(ident);
            if let Some(at) = self.variables.iter().rposition(|variable| variable.name == name) {
                let variable = &mut self.variables[at];
                if variable.value == UNKNOWN {
                    variable.value = given;
                }
                let local = variable.local;
                self.event(Event::Gone(local));
                self.event(Event::Bind(local, given));
                return UNKNOWN;
            }
        }
        self.expr(&expr.left);
        UNKNOWN
    }

    fn binary(&mut self, expr: &syn::ExprBinary) -> ValueAt {
        use syn::BinOp::{
            Add, AddAssign, BitXor, BitXorAssign, Div, DivAssign, Mul, MulAssign, Rem, RemAssign, Shl, Shr,
            Sub, SubAssign,
        };
        // A long sum leans to the left: no recursion along it.
        let mut operands = vec![&*expr.right];
        let mut left = &*expr.left;
        let mut arithmetic = 0;
        let mut op = &expr.op;
        loop {
            arithmetic += u32::from(matches!(
                op,
                Add(_)
                    | Sub(_)
                    | Mul(_)
                    | Div(_)
                    | Rem(_)
                    | BitXor(_)
                    | Shl(_)
                    | Shr(_)
                    | AddAssign(_)
                    | SubAssign(_)
                    | MulAssign(_)
                    | DivAssign(_)
                    | RemAssign(_)
                    | BitXorAssign(_)
            ));
            let Expr::Binary(inner) = left else { break };
            operands.push(&inner.right);
            (left, op) = (&inner.left, &inner.op);
        }
        let first = self.expr(left).at;
        for operand in operands.into_iter().rev() {
            self.expr(operand);
        }
        for _ in 0..arithmetic {
            self.count(|l| &mut l.arithmetic);
        }
        if arithmetic > 0 { first } else { self.value(Value::Number) }
    }

    pub(super) fn guess(&mut self, callee: Callee, spot: Spot) {
        let value = self.record(callee, Vec::new(), Vec::new(), spot);
        if let Value::Call(call) = *self.facts.value(value) {
            self.facts.calls[call.at()].how.guessed = true;
        }
    }

    pub(super) fn text_sym(&mut self, text: &str) -> Sym {
        self.sym(text)
    }
}

/// The text of an argument that says the same wherever it stands.
fn constant_text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Lit(e) => match &e.lit {
            Lit::Int(number) => Some(number.base10_digits().to_owned()),
            Lit::Bool(value) => Some(value.value.to_string()),
            Lit::Str(text) if text.value().len() < 64 => Some(format!("{:?}", text.value())),
            _ => None,
        },
        Expr::Path(e) if e.qself.is_none() => {
            let names: Vec<String> =
                e.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            Some(names.join("::"))
        }
        Expr::Unary(e) if matches!(e.op, syn::UnOp::Neg(_)) => Some(format!("-{}", constant_text(&e.expr)?)),
        Expr::Reference(e) => constant_text(&e.expr),
        Expr::Paren(e) => constant_text(&e.expr),
        Expr::Call(e) if e.args.len() <= 2 => {
            let arguments: Option<Vec<String>> = e.args.iter().map(constant_text).collect();
            Some(format!("{}({})", constant_text(&e.func)?, arguments?.join(", ")))
        }
        _ => None,
    }
}
