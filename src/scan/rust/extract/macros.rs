//! Macros that carry code. A macro is tokens; what most of them hold is expressions with commas between, or statements,
//! or the branches of a `select!`. What is none of these is searched for calls by their shape, with less confidence.

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Block, Expr, Macro, Pat, Stmt, Token};

use super::super::facts::{Callee, Event, Value, ValueAt};
use super::expr::Given;
use super::{Reader, UNKNOWN};

/// A branch of `select!`: pattern, future, condition, handler.
struct Branch {
    waits: Option<(Pat, Expr)>,
    condition: Option<Expr>,
    handler: Expr,
}

impl Reader<'_> {
    /// A macro where an item may stand: its body may be items.
    pub(super) fn item_macro(&mut self, mac: &Macro) {
        let name = last_name(mac);
        if name == "macro_rules" || mac.tokens.is_empty() {
            return;
        }
        let tokens = if name == "lazy_static" { without_ref(mac.tokens.clone()) } else { mac.tokens.clone() };
        if let Ok(file) = syn::parse2::<syn::File>(tokens) {
            self.items(&file.items);
        }
    }

    /// A macro where an expression may stand.
    pub(super) fn macro_call(&mut self, mac: &Macro) -> ValueAt {
        self.in_macro(1);
        let value = self.tokens_of(mac);
        self.in_macro(-1);
        value
    }

    fn in_macro(&mut self, by: i32) {
        if let Some(frame) = self.frames.last_mut() {
            frame.in_macro = frame.in_macro.saturating_add_signed(by);
        }
    }

    fn tokens_of(&mut self, mac: &Macro) -> ValueAt {
        let name = last_name(mac);
        match name.as_str() {
            "macro_rules" => return UNKNOWN,
            "select" | "select_biased" if self.select(mac) => return UNKNOWN,
            "join" | "try_join" => return self.join(mac, name == "try_join"),
            "stream" | "try_stream" => {
                if let Ok(statements) = Block::parse_within.parse2(mac.tokens.clone()) {
                    let keyword = first_span(mac);
                    return self.async_block(keyword, false, |reader| {
                        reader.scoped(|reader| reader.statements(&statements))
                    });
                }
            }
            "pin" | "pin_mut" => {
                if let Ok(expr) = syn::parse2::<Expr>(mac.tokens.clone()) {
                    return self.expr(&expr).at;
                }
            }
            _ => {}
        }
        if mac.tokens.is_empty() {
            return UNKNOWN;
        }
        if !carries_code(&mac.tokens) {
            return self.plain_arguments(mac, &name);
        }
        if let Ok(expressions) = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(mac.tokens.clone()) {
            let mut first = UNKNOWN;
            for expr in &expressions {
                // `name = value` in a format string's arguments assigns nothing.
                let expr = if let Expr::Assign(assign) = expr { &assign.right } else { expr };
                let given = self.expr(expr).at;
                first = if first == UNKNOWN { given } else { first };
            }
            return if name == "vec" { self.vec_of(first) } else { UNKNOWN };
        }
        if let Ok(statements) = Block::parse_within.parse2(mac.tokens.clone())
            && statements.iter().any(|statement| !matches!(statement, Stmt::Macro(_)))
        {
            return self.scoped(|reader| reader.statements(&statements));
        }
        self.shapes(mac.tokens.clone());
        UNKNOWN
    }

    fn vec_of(&mut self, element: ValueAt) -> ValueAt {
        self.value(Value::Slice(element))
    }

    /// Only names: variables that are read.
    fn plain_arguments(&mut self, mac: &Macro, name: &str) -> ValueAt {
        for token in mac.tokens.clone() {
            if let TokenTree::Ident(ident) = token {
                let symbol = self.text_sym(&ident.to_string());
                if let Some(variable) = self.variable(symbol) {
                    self.event(Event::Used(variable.local));
                }
            }
        }
        if name == "vec" { self.vec_of(UNKNOWN) } else { UNKNOWN }
    }

    fn join(&mut self, mac: &Macro, tries: bool) -> ValueAt {
        let Ok(futures) = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(mac.tokens.clone()) else {
            self.shapes(mac.tokens.clone());
            return UNKNOWN;
        };
        let given: Vec<Given> = futures.iter().map(|future| self.expr(future)).collect();
        let keyword = first_span(mac);
        let parts = given
            .into_iter()
            .map(|given| {
                let value = self.awaited(given, keyword);
                if tries { self.derived(value, Value::Tried) } else { value }
            })
            .collect();
        self.value(Value::Tuple(parts))
    }

    fn select(&mut self, mac: &Macro) -> bool {
        let Ok(branches) = branches.parse2(mac.tokens.clone()) else { return false };
        let keyword = first_span(mac);
        let mut futures = Vec::new();
        self.event(Event::Mark);
        for branch in &branches {
            if let Some(condition) = &branch.condition {
                self.expr(condition);
            }
            let future = branch.waits.as_ref().map(|(_, future)| {
                let given = self.with(|frame| &mut frame.in_select, |reader| reader.expr(future));
                self.awaited(Given { local: None, ..given }, keyword)
            });
            futures.push(future);
        }
        self.event(Event::Release);
        self.event(Event::Fork);
        for (branch, future) in branches.iter().zip(futures) {
            self.arm(|reader| {
                if let (Some((pat, _)), Some(value)) = (&branch.waits, future) {
                    reader.pattern(pat, value);
                }
                reader.moved(&branch.handler);
                matches!(&branch.handler, Expr::Block(block) if super::control::diverges_block(&block.block))
            });
        }
        self.event(Event::Join);
        true
    }

    /// Looks for `path::name(` and `.name(` in tokens that are no Rust.
    fn shapes(&mut self, tokens: TokenStream) {
        let mut path = String::new();
        let mut begin: Option<Span> = None;
        let mut dotted = false;
        for token in tokens {
            match &token {
                TokenTree::Ident(ident) => {
                    if !path.ends_with("::") {
                        path.clear();
                        begin = Some(ident.span());
                    }
                    path.push_str(&ident.to_string());
                    continue;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() => {
                    path.push(':');
                    continue;
                }
                TokenTree::Punct(punct) => dotted = punct.as_char() == '.',
                TokenTree::Group(group) => {
                    if group.delimiter() == Delimiter::Parenthesis && path.contains("::") && !dotted {
                        let callee = Callee::Path(self.text_sym(&path), None);
                        let first = begin.unwrap_or_else(|| group.span());
                        let spot = self.spot(first, group.span_close());
                        self.guess(callee, spot);
                    }
                    let inner = group.stream();
                    stacker::maybe_grow(64 << 10, 1 << 20, || self.shapes(inner));
                    dotted = false;
                }
                TokenTree::Literal(_) => dotted = false,
            }
            path.clear();
        }
    }
}

fn last_name(mac: &Macro) -> String {
    mac.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default()
}

fn first_span(mac: &Macro) -> Span {
    mac.path.segments.first().map_or_else(Span::call_site, |first| first.ident.span())
}

/// Whether there can be a call, a block or an `await`.
fn carries_code(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().any(|token| matches!(token, TokenTree::Group(_)))
}

fn without_ref(tokens: TokenStream) -> TokenStream {
    tokens.into_iter().filter(|token| !matches!(token, TokenTree::Ident(ident) if ident == "ref")).collect()
}

/// The branches of a `select!` of tokio or futures.
fn branches(input: ParseStream) -> syn::Result<Vec<Branch>> {
    let mut branches = Vec::new();
    while !input.is_empty() {
        if input.peek(syn::Ident) && input.peek2(Token![;]) {
            input.parse::<syn::Ident>()?;
            input.parse::<Token![;]>()?;
            continue;
        }
        let last = input.peek(Token![else]) || default_branch(input);
        let waits = if last {
            input.parse::<TokenTree>()?;
            None
        } else {
            let pat = Pat::parse_multi_with_leading_vert(input)?;
            input.parse::<Token![=]>()?;
            Some((pat, input.parse::<Expr>()?))
        };
        let condition = if input.peek(Token![,]) && input.peek2(Token![if]) {
            input.parse::<Token![,]>()?;
            input.parse::<Token![if]>()?;
            Some(input.parse::<Expr>()?)
        } else {
            None
        };
        input.parse::<Token![=>]>()?;
        let handler = if input.peek(syn::token::Brace) {
            let block = input.parse::<syn::ExprBlock>()?;
            Expr::Block(block)
        } else {
            input.parse::<Expr>()?
        };
        if input.peek(Token![,]) {
            input.parse::<Token![,]>()?;
        }
        branches.push(Branch { waits, condition, handler });
    }
    Ok(branches)
}

/// `default =>` and `complete =>` of futures.
fn default_branch(input: ParseStream) -> bool {
    input.peek(syn::Ident) && input.peek2(Token![=>])
}
